/* SPDX-License-Identifier: Apache-2.0 */
/* What the workspace has to publish: its own packages with their build records, and the vendor RPMs that the locks name. */
#pragma once

#include "basic/pool.h"
#include "release/lock.h"
#include "repo/memo.h"

typedef struct InputPackage {
        const char *file;      /* name of the package file, and where it goes: packages/FILE */
        const char *path;      /* where its bytes are: WORKSPACE/packages/FILE, or in the store */
        char sha256[SHA256_HEX_SIZE]; /* of those bytes: from the build record, or from the lock */
        uint64_t size;         /* vendor RPM: of those bytes, from the lock */
        FileId record_id, id;  /* of the build record and of those bytes, when the record was read; zeros: not there */
        bool sealed;           /* those bytes have that digest: they were not written to since it was taken */
        const MemoEntry *memo; /* nothing of it has changed since it was published; NULL: or it is not known */
        FileId published;      /* where that says it is published; zeros: not there */
        char *artifact;        /* what it was made from, in its releases; NULL: from no artifact */
        char *artifact_sha256;
        char **releases;       /* names of the releases it belongs to; none: it belongs to all */
        char *signer;          /* vendor RPM: fingerprint of the vendor's key, its signature is kept. NULL: our own */
        char *signer_key;      /* path of that key in the store, or NULL when the lock has none */
        char text[];           /* path and file */
} InputPackage;

typedef struct InputRelease {
        const Release *release;
        char *name;
        Lock *lock;          /* NULL: there is none (only if the caller can do without) */
        char *lock_sha256;   /* of the lock file */
        char *release_sha256;
} InputRelease;

typedef struct Inputs {
        InputPackage **packages; /* sorted by file name */
        Pool pool;               /* that they are in: there are many */
        size_t n_packages;
        InputRelease *releases;  /* as given */
        size_t n_releases;
        const Memo *memo;        /* or NULL */
        int repo_fd, places_fd;  /* of what the memo is about, and its packages/, or -1 */
        bool added_keys;         /* packages/ holds keys of packages that were added with their own signature: see add.h */
} Inputs;

Inputs *inputs_free(Inputs *in);
DEFINE_CLEANUP(Inputs, inputs_free);

/* Packages of other releases are left out. need_locks: a missing lock is an error; a lock that does not fit its release always is. The
 * releases must outlive the result. No package is read. -EBADMSG/EXIT_INVALID names the record that is malformed or missing. */
int inputs_load(const char *workspace, Release *const *releases, size_t n_releases, bool need_locks, Inputs **ret, Error *e);
/* The same, but a record is not read that the memo of what is published to repo_fd knows; it must outlive the result. */
int inputs_load_known(const char *workspace, Release *const *releases, size_t n_releases, const Memo *memo, int repo_fd, Inputs **ret, Error *e);

const InputPackage *inputs_find(const Inputs *in, const char *file);
