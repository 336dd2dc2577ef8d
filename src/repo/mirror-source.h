/* SPDX-License-Identifier: Apache-2.0 */
/* One repository that is copied from: its signed repomd.xml, the metadata it names, the keys that may have signed it. */
#pragma once

#include "repo/mirror-keys.h"
#include "repo/mirror-places.h"
#include "repo/mirror.h"

/* What to do about a file that is not, or not as, repomd.xml says. */
#define MIRROR_CHANGING_HINT "the repository may be in the middle of a change: try again; if it stays so, do not trust this source"

/* A metadata file of a source, and where its bytes are. */
typedef struct MirrorFile {
        const RepomdFile *f;
        char *path; /* in the store, or in the repository as it stands */
} MirrorFile;

typedef struct MirrorSource {
        char *url;    /* as the user gave it, without a slash at its end */
        char **places; /* base URLs, the one that repomd.xml is of first */
        char *repomd_text, *signature, *key; /* signature, key: NULL when the source has none; the key is whatever it says it is */
        bool has_repo_file;            /* one of ours: it has a gn8v-tee.repo */
        size_t repomd_size;
        char repomd_sha256[SHA256_HEX_SIZE];
        char **signers;     /* fingerprints, of the keys */
        const char *signer; /* the first of those; NULL: unsigned */
        Repomd *repomd;
        MirrorFile *files;
        size_t n_files;
        char *primary_text;
        Primary *primary;
        XmlFragment *fragments; /* as primary->packages; NULL: not asked for */
} MirrorSource;
void mirror_source_clear(MirrorSource *s);

/* The URL of a path below a source, its odd characters escaped, owned by the caller; NULL: out of memory. */
char *mirror_url(const char *url, const char *path) _must_check_;

/* The same below each of its places, in their order; owned by the caller, NULL: out of memory. */
char **mirror_source_urls(const MirrorSource *s, const char *path) _must_check_;

/* What is needed to open a source. */
typedef struct MirrorOpening {
        Store *store;
        MirrorKeys *keys;
        const MirrorOptions *o;
        /* Of several places each is asked whether it will do: 0, or -errno as for mirror(), and the next one is tried; NULL: it is not. */
        int (*judge)(void *userdata, const MirrorSource *s, Error *e);
        void *userdata;
        char ***warnings; /* which places were passed over, and why */
} MirrorOpening;

/* Finds its places; fetches repomd.xml, its signature and its key from the first of them where all that is as it has to be. Keys that are still missing
 * are taken from beside the repository if their fingerprints are pinned. */
int mirror_source_open(MirrorSource *s, const char *url, const MirrorOpening *with, Error *e);
/* Fetches the metadata files, but for those that dir_fd (a repodata/, or -1; its path is dir) has, checks every one, and reads the packages. With
 * fragments only what can be selected from, and what is passed on whole. */
int mirror_source_load(MirrorSource *s, Store *store, int dir_fd, const char *dir, bool fragments, const MirrorOptions *o, Error *e);
/* The file of a type, or NULL. */
const MirrorFile *mirror_source_find(const MirrorSource *s, const char *type);
/* Its text, unpacked, owned by the caller; more than max bytes are EXIT_INVALID. */
int mirror_file_text(const MirrorSource *s, const MirrorFile *f, uint64_t max, char **ret, size_t *ret_size, Error *e);
/* What is not made anew for a selection, but passed on: updateinfo, modules, groups. */
bool mirror_type_is_whole(const char *type);
