/* SPDX-License-Identifier: Apache-2.0 */
/* What the cloud says about this instance: its metadata service, at a link-local address, asked once a boot. */
#pragma once

#include "node/node.h"

#define METADATA_CACHE_PATH "/run/gn8v-tee/metadata.json"

typedef struct Metadata {
        char *instance_type, *region, *zone;
        char *missing; /* why there is none of it, for people; NULL: it is there */
} Metadata;

void metadata_free(Metadata *m);
#define _cleanup_metadata_ _cleanup_(metadata_free)

/* From the cache of this boot; else the service is asked, for a second at most, with a token first (hardened mode) and without one where
 * it gives none, and the answer is cached if we may write. Never asked for another root, nor where a system is only being built.
 * GN8V_TEE_METADATA_URL replaces the service's address. 0, with *ret filled, or -ENOMEM. */
int metadata_load(Node *n, Metadata *ret);

/* The text of a cache: 0, or -ESTALE when it is of another boot or service, or -EBADMSG. */
int metadata_cache_parse(const char *text, size_t size, const char *boot_id, const char *url, int64_t now_ms, Metadata *ret);
