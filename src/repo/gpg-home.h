/* SPDX-License-Identifier: Apache-2.0 */
/* A GnuPG home of one's own, for one question: no key of the user can answer it, and no agent is left behind. */
#pragma once

#include "basic/error.h"

typedef struct GpgHome {
        char *path;
        int lock_fd; /* held while it is in use: others remove what nobody uses */
} GpgHome;

/* Removes it with all that is in it; NULL is fine. Returns NULL. */
GpgHome *gpg_home_free(GpgHome *home);
DEFINE_CLEANUP(GpgHome, gpg_home_free);
/* Makes one below TMPDIR (else /tmp, as the path must be short), and removes those that killed runs left there. */
int gpg_home_new(GpgHome **ret, Error *e);
