/* SPDX-License-Identifier: Apache-2.0 */
/* Artifacts of releases into the store: keys first, because an RPM enters the store only when its signer was checked. */
#pragma once

#include "release/lock.h"
#include "repo/fetch.h"
#include "repo/store.h"

typedef struct Want {
        const Release *release;
        const Artifact *artifact;
        const char *sha256; /* NULL: first use; borrowed */
        uint64_t size;      /* 0: not known */
        bool locked;        /* the digest is one of first use, from the lock */
        bool fetched;       /* it was not in the store before */
        char *ret_sha256;   /* owned: want_clear() */
        uint64_t ret_size;
        char **warnings;
} Want;

void want_clear(Want *w);

/* Fetches what of the wants the store does not have. Every wanted RPM's key (see release_signer_key()) must be among the wants.
 * A key must have its Fingerprint=, an RPM must be signed by its Signer= and be the package that the release names. Errors as
 * fetch_all(). */
int obtain(Store *store, Want *wants, size_t n, const FetchOptions *options, Error *e);

/* The key artifact whose Fingerprint= is the RPM artifact's Signer=; NULL with an error that names the release file. */
const Artifact *release_signer_key(const Release *r, const Artifact *a, Error *e);
