/* SPDX-License-Identifier: Apache-2.0 */
/* The repository's own public key, out of a gpg home. */
#pragma once

#include "basic/error.h"

/* The armored key of this fingerprint (40 hex digits), owned by the caller, and its creation date. gnupghome NULL: gpg's own. */
int build_key_export(const char *gnupghome, const char *fingerprint, char **ret, int64_t *ret_date, Error *e);
