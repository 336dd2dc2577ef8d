/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of vendor RPMs. These are published with the vendor's own signature, so that dnf with gpgcheck=1 needs the vendor's key beside ours. */
#pragma once

#include "release/release.h"
#include "release/repo-file.h"
#include "repo/generation.h"

/* The key of each signer of the releases' vendor RPMs once, armored, from the store (the digests are the locks'), and those of packages that were added (add.h).
 * *ret is owned by the caller; NULL: there is none. A key that is not stored is -ENOENT/EXIT_INVALID, with the next action. */
int vendor_keys_load(const char *workspace, Release *const *releases, size_t n, char **ret, Error *e);

/* Of the keys in such a file, in their order; *ret is the caller's. -EBADMSG/EXIT_INVALID: it is no armored keys, one behind the other, and nothing else; name
 * is for messages. */
int vendor_keys_fingerprints(const char *text, const char *name, char ***ret, Error *e);

/* Whether the keys that a repository gives its clients have signed what others signed in a generation: of an earlier one a key may have gone since.
 * -ENOKEY/EXIT_UNTRUSTED if not. */
int vendor_keys_cover(int repo_fd, const char *repo, const Generation *g, Error *e);
