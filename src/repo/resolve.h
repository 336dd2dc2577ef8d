/* SPDX-License-Identifier: Apache-2.0 */
/* From a release to its lock: pins are copied; what has no digest yet is fetched, judged, and frozen as it was seen first. */
#pragma once

#include "release/lock.h"
#include "repo/fetch.h"
#include "repo/rims.h"
#include "repo/store.h"

typedef struct Resolution {
        const Release *release;
        Lock *lock;
        bool changed;      /* the lock file was written */
        size_t n_fetched;  /* artifacts and manifests that were fetched for their digest */
        size_t n_rims;     /* manifests in the lock */
        char **warnings;
} Resolution;

void resolution_clear(Resolution *r);

/* Writes the locks of n releases, all or, on any error, none. refresh: first-use digests are taken anew. now: the date of a first use.
 * rims: how reference manifests are got; NULL: none is locked. ret has n elements, for resolution_clear(). */
int resolve_releases(const char *workspace, Store *store, Release *const *releases, size_t n, bool refresh, int64_t now,
                     const FetchOptions *options, const RimOptions *rims, Resolution *ret, Error *e);
