/* SPDX-License-Identifier: Apache-2.0 */
/* Reference manifests (RIMs) into the store. Who judges them is gn8v-tee-attest, as a child: it asks NVIDIA's service or a mirror, checks signature,
 * certificates up to the pinned root, and that the manifest is the one asked for. What is stored is the signed XML itself. */
#pragma once

#include "repo/store.h"

typedef struct RimOptions {
        bool without;         /* none is locked */
        char *const *urls;    /* servers; NULL: as gn8v-tee-attest is configured (NV_RIM_URL, /etc/gn8v-tee/attest.conf, NVIDIA's) */
        const char *directory; /* of ID.xml, looked at first; or NULL */
        unsigned timeout_sec; /* for all of them; 0: 30 */
} RimOptions;

typedef struct RimWant {
        const char *id, *sha256; /* borrowed; sha256 NULL: first use */
        bool fetched;            /* it was not in the store before */
        /* What came: set with fetched, rim_want_clear(). */
        char *ret_sha256, *ret_url, *ret_version, *ret_signer, *ret_expires;
        uint64_t ret_size;
} RimWant;
void rim_want_clear(RimWant *w);

/* Gets what of the wants the store does not have; with everything there, no child is run. The store must be locked. EXIT_UNTRUSTED: something
 * came, and is not right, or not what is locked; EXIT_UNCHECKED: there is no such manifest; EXIT_UNREACHABLE: that could not be found out. */
int rims_obtain(Store *store, RimWant *wants, size_t n, const RimOptions *options, Error *e);
