/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the files that a generation names are as it says: for who passes it on (export, rollback), and who would call a copy up to date. */
#pragma once

#include "repo/keyring.h"
#include "repo/repository.h"
#include "repo/rpmmd.h"

/* A package of g at its place: its size, and the date that file_seal() has set; where that does not hold its digest, and the date is set again.
 * -EKEYREJECTED/EXIT_UNTRUSTED: another file; -ENOENT and the like/EXIT_FAILED. In any thread. */
int whole_package(const Repository *r, const Generation *g, const PublishedPackage *p, Error *e);

/* Each metadata file that g's repomd.xml names, in its generations/N: g names it, and it has the digest that is stated there. Errors as above. */
int whole_metadata(int repo_fd, const char *repo_path, const Generation *g, const Repomd *m, Error *e);

/* All of a published state, in repodata/ as in generations/N: metadata, the signature by one of the keyrings' keys (if g has a key), the key beside it
 * (needs_key), packages. *ret: paths of what is not as it should be, sorted by what it is, owned by the caller; NULL: all is. */
int whole_state(const Repository *r, const Generation *g, Keyring *const *keyrings, size_t n_keyrings, bool needs_key, char ***ret, Error *e);
