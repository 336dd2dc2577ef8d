/* SPDX-License-Identifier: Apache-2.0 */
/* The lock file: a release's artifacts with everything that had to be resolved. JSON, sorted keys. Format: gn8v-tee-lock(5). */
#pragma once

#include "release/release.h"

typedef struct LockedArtifact {
        char *name, *kind, *version, *filename;
        char **urls;
        uint64_t size;
        char *sha256;    /* always set: 64 hex digits */
        bool first_use;  /* the digest was not in the release file: it was taken when first seen */
        char *date;      /* first use: YYYY-MM-DD; else NULL */
        char *signer;    /* fingerprint that was checked on the file, or NULL; of a manifest: SHA-256 of its signer's certificate */
        char *expires;   /* a manifest's: until when its signer's certificates are valid, RFC 3339; else NULL */
        char *licence;
        bool redistributable;
} LockedArtifact;

typedef struct Lock {
        char *path;
        char *release;        /* PROFILE-VERSION */
        char *release_sha256; /* of the release file's bytes: a lock of an edited release is stale */
        bool without_rims;    /* its reference manifests were left out, on request */
        LockedArtifact **artifacts; /* those of the release file by their names, and reference manifests by their ids */
        size_t n_artifacts;
} Lock;

Lock *lock_new(void);
Lock *lock_free(Lock *l);
DEFINE_CLEANUP(Lock, lock_free);
/* The kind of a reference manifest. */
#define LOCKED_RIM "rim"
bool locked_is_rim(const LockedArtifact *a);
int lock_load(const char *path, Lock **ret, Error *e);
/* Writes l->path atomically; same content, same bytes. */
int lock_save(const Lock *l, Error *e);
LockedArtifact *lock_find(const Lock *l, const char *name);
/* Appends an empty artifact of that name and returns it; NULL when out of memory. */
LockedArtifact *lock_add(Lock *l, const char *name);
/* That the lock was made from these very bytes of the release, and has each of its artifacts with the same pins, and its manifests. Else -ESTALE. */
int lock_check(const Lock *l, const Release *r, const char *release_sha256, Error *e);
