/* SPDX-License-Identifier: Apache-2.0 */
/* The lock of a release in a workspace. */
#pragma once

#include "basic/digest.h"
#include "release/lock.h"

/* WORKSPACE/locks/NAME.lock, owned by the caller; NULL when out of memory. */
char *workspace_lock_path(const char *workspace, const Release *r) _must_check_;
/* Of the release file's bytes. */
int release_digest(const Release *r, char ret[static SHA256_HEX_SIZE], Error *e);
/* Loads a release's lock and checks that it was made from this very release file. -ENOENT/-ESTALE,
 * EXIT_DIFFERS with a hint that names `lock`; -EBADMSG when malformed. */
int workspace_lock_load(const char *workspace, const Release *r, Lock **ret, Error *e);
