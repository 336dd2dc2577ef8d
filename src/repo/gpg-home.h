/* SPDX-License-Identifier: Apache-2.0 */
/* A GnuPG home of one's own, for one question: no key of the user can answer it, and no agent is left behind. */
#pragma once

#include "basic/error.h"

/* Makes it below TMPDIR (else /tmp, as the path must be short); *ret is owned by the caller. */
int gpg_home_new(char **ret, Error *e);
/* Removes it with all that is in it, and frees the path; NULL is fine. Returns NULL. */
char *gpg_home_free(char *home);
DEFINE_CLEANUP(char, gpg_home_free);
