/* SPDX-License-Identifier: Apache-2.0 */
/* What a published release is made of, as SPDX 2.3 in JSON: its packages, the vendors' files that they were made from, digests, licences, and what
 * needs what. Format: SPDX Specification 2.3, clauses 6 (document), 7 (package), 10 (other licences), 11 (relationships). */
#pragma once

#include "release/lock.h"
#include "repo/diff.h"

typedef struct SbomOptions {
        const PublishedState *state;
        const Release *release;
        const Lock *lock;        /* of that release */
        const char *lock_sha256; /* has to be the one that the state was published with */
        const char *baseurl;     /* where the repository is served, without a slash at its end; NULL: not said */
} SbomOptions;

/* Sorted, indented, owned by the caller; the same state, the same bytes: the date is the newest package's. -ENOENT/EXIT_FAILED: the release is not in
 * this state; -ESTALE/EXIT_DIFFERS: it was published with another lock; EXIT_UNTRUSTED: a package is not the one that was published. */
int sbom_make(const SbomOptions *o, char **ret, Error *e);

/* Whether s is a licence expression (clause D) of identifiers that are on SPDX's list as far as we know them, or LicenseRef-. */
bool licence_is_expression(const char *s);
