/* SPDX-License-Identifier: Apache-2.0 */
/* What a package says of itself, as text that XML can hold. */
#pragma once

#include "basic/error.h"

#include <createrepo_c/createrepo_c.h> /* behind: GLib redefines what is ours, and says so */

/* Text that libxml2 takes for UTF-8 and that no XML may hold all the same (surrogates, U+FFFE, forms that are too long) would make the
 * whole repository unreadable: it becomes what libcreaterepo_c makes of text that is not UTF-8, read as Latin-1. Texts are replaced in p's own
 * memory. -EBADMSG/EXIT_INVALID: a control character, for which there is no such way; path is for the message. XML 1.0, 2.2. */
int index_text_clean(cr_Package *p, const char *path, Error *e);
