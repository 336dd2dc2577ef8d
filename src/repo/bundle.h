/* SPDX-License-Identifier: Apache-2.0 */
/* A published state as one signed file, for a network that has no other way in: a tar whose first members are a manifest of all that
 * follow, its signature, and the public key. Members, in this order:
 *
 *     manifest.json manifest.json.asc manifest.json.key
 *     RPM-GPG-KEY-gn8v-tee [RPM-GPG-KEY-gn8v-tee-vendor] [gn8v-tee.repo]
 *     generation.json repodata/... packages/... */
#pragma once

#include "basic/digest.h"
#include "basic/progress.h"
#include "repo/signer.h"

#define BUNDLE_MANIFEST   "manifest.json"
#define BUNDLE_SIGNATURE  "manifest.json.asc"
#define BUNDLE_KEY        "manifest.json.key"
#define BUNDLE_GENERATION "generation.json"

#define BUNDLE_MANIFEST_MAX  (64u * 1024 * 1024)
#define BUNDLE_SIGNATURE_MAX (64u * 1024)
#define BUNDLE_TOP_MAX       (1024u * 1024) /* a key, a .repo file */

typedef struct BundleFile {
        char *path;
        uint64_t size;
        char sha256[SHA256_HEX_SIZE];
} BundleFile;

typedef struct BundleManifest {
        uint64_t generation, since; /* since: the generation whose packages are left out; 0: none is */
        char *key;                  /* fingerprint of who signed generation and bundle */
        char repomd_sha256[SHA256_HEX_SIZE];
        BundleFile *files;          /* every member behind the signature, in its order */
        size_t n_files;
} BundleManifest;
BundleManifest *bundle_manifest_free(BundleManifest *m);
DEFINE_CLEANUP(BundleManifest, bundle_manifest_free);

int bundle_manifest_add(BundleManifest *m, const char *path, uint64_t size, const char *sha256, Error *e);

/* Sorted keys: same content, same bytes; owned by the caller. */
int bundle_manifest_to_json(const BundleManifest *m, char **ret, Error *e);
/* Every path is one that an import knows what to do with, and none is there twice. name is for messages. -EBADMSG/EXIT_INVALID. */
int bundle_manifest_from_json(const char *text, size_t size, const char *name, BundleManifest **ret, Error *e);

typedef struct ExportOptions {
        const char *repo, *file;
        const char *generation; /* a number, "current" or "previous" */
        const char *since;      /* the same; NULL: all packages */
        const Signers *signers; /* the key of the generation; the other one that signed its metadata may sign, too */
        Progress *progress;     /* begun and ended here; may be NULL */
} ExportOptions;

/* Writes a bundle beside its place, and moves it there when it is on the disk. Same state, same bytes. Every byte is compared with the
 * generation's digests on its way: -EKEYREJECTED/EXIT_UNTRUSTED when one differs, or when the signer is not who signed the generation.
 * *ret (what the bundle says of itself) and *ret_size (its bytes) may be NULL. */
int bundle_export(const ExportOptions *o, BundleManifest **ret, uint64_t *ret_size, Error *e);

typedef struct ImportOptions {
        const char *workspace; /* its serials/ remember what was seen: see serials.h */
        const char *repo, *file;
        char *const *keys;    /* full fingerprints, of which one has to have signed; NULL: those of the keys that signed the state which is there */
        const char *baseurl;  /* NULL: the one that is there, else (or if it is empty) file:// and the repository's path */
        unsigned keep;        /* generations, this one included; at least 1 */
        bool allow_older;
        char **mirror_urls;   /* see metalink_stage() */
        Progress *progress;   /* begun and ended here; may be NULL */
} ImportOptions;

typedef struct ImportReport {
        uint64_t generation;
        bool changed; /* false: that state was there */
        size_t n_packages, new_packages, removed_packages;
        char *key;
        char **beside; /* see repository.h */
        char **repaired; /* files of that state which were not as they should be, below the repository; NULL: all were */
} ImportReport;
void import_report_clear(ImportReport *r);

/* Makes a bundle's state the published one. The signature is checked before anything is touched, every member against the manifest,
 * repomd.xml against its own signature, and all that it names against it. -EKEYREJECTED/EXIT_UNTRUSTED: another key, a digest that
 * differs; -ESTALE/EXIT_DIFFERS: an older or expired state; -EBADMSG/EXIT_INVALID: not a bundle, cut, or more than it says; -ENOENT/EXIT_FAILED: packages that the
 * bundle leaves out are not there. After an error the old state stands. */
int bundle_import(const ImportOptions *o, ImportReport *ret, Error *e);
