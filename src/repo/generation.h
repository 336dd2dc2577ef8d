/* SPDX-License-Identifier: Apache-2.0 */
/* Generations: whole published states of the repository. REPO/generations/N/ has one's metadata (hard links) and its manifest.json. */
#pragma once

#include "basic/digest.h"
#include "basic/strings.h"
#include "release/freshness.h"
#include "repo/memo.h"

typedef struct PublishedPackage {
        char *href;            /* below the repository: packages/FILE; of a mirror, where its source has it */
        char *file, *name, *evr, *arch, *nevra;
        char *sha256;          /* of the published file */
        uint64_t size;
        char *header_sha256;   /* what it is, signed or not */
        char *unsigned_sha256; /* our own: of the file that was built */
        char *signer;          /* fingerprint of who signed it */
        bool vendor;
        char **releases;
        int others;            /* not written: generations that have it, but for one; it is freed with the last of them */
        const char *text;      /* not written: how it was written, in a text that lives longer; NULL: unknown */
        size_t text_size;
        bool packed;           /* not written: all strings are in this very piece of memory, and not to be freed or replaced */
        bool staged;           /* not written: new in this run */
        char *stage;           /* not written: its name below .stage/packages; NULL: file */
        int64_t build_time;    /* not written: its header has it */
        FileId id;             /* not written: of the published file */
        bool known;            /* not written: nothing of it has changed since it was published: see memo.h */
        const struct InputPackage *input; /* not written: what it was made from in this run */
} PublishedPackage;
PublishedPackage *published_package_free(PublishedPackage *p);
/* What is written of a package, with these releases: the same package, if those are its own already; NULL: out of memory. */
PublishedPackage *published_package_keep(PublishedPackage *p, char *const *releases) _must_check_;
DEFINE_CLEANUP(PublishedPackage, published_package_free);

typedef struct Generation {
        uint64_t number;
        int64_t revision;
        Freshness freshness; /* as repomd.xml says */
        int64_t valid_sec;   /* for how long it was meant to be fresh; 0: for ever, or not known */
        char *key;           /* fingerprint of who signed it, packages, too */
        char *also;          /* of who signed its metadata as well, while one key replaces another; may be NULL */
        char *repomd_sha256;
        char *comps_sha256;
        char **metadata;     /* names of the hashed files in repodata/ */
        char **locks;        /* "RELEASE SHA256", sorted */
        PublishedPackage **packages; /* sorted by href: see generation_sort() */
        PublishedPackage **by_file;  /* the same, hashed by file; NULL: nobody has asked for it yet */
        size_t by_file_mask;
        void *text;                  /* the manifest, mapped, of the one of a repository that was read first; or NULL */
        size_t text_size;
        size_t n_packages;
} Generation;
Generation *generation_free(Generation *g);
DEFINE_CLEANUP(Generation, generation_free);
void generations_free(Generation **v, size_t n);

int generation_add(Generation *g, PublishedPackage **p, Error *e);

/* Whether a package may lie there: nothing hidden, nothing of repodata/ or generations/, nothing outside. */
bool href_is_safe(const char *s);

/* The first of a mirror's locks: "mirror URL"; the others are those of repomd.xml and the selection. */
#define MIRROR_LOCK "mirror "

/* Whether it is a copy of somebody else's metadata, whose packages need not be in packages/. */
bool generation_is_mirror(const Generation *g);

/* To be called when all are added; the two below need it. */
void generation_sort(Generation *g);
/* NULL: there is none. */
const PublishedPackage *generation_find_href(const Generation *g, const char *href);
/* The same by file name, in any thread; guess: where it may be, as when names are asked for in order. */
PublishedPackage *generation_find_file(Generation *g, const char *file, size_t guess);

/* generation_find_href() for many in sorted order: *at begins at 0. */
const PublishedPackage *generation_walk_href(const Generation *g, size_t *at, const char *href);

/* The manifest as text, owned by the caller: sorted, same content, same bytes. */
int generation_to_json(const Generation *g, char **ret, Error *e);
/* The same into a file, without an fsync: 0 or -errno. */
int generation_write(const Generation *g, int fd);
/* Everything in a manifest is checked, paths above all. name is for messages. -EBADMSG/EXIT_INVALID. */
int generation_from_json(const char *text, size_t size, const char *name, Generation **ret, Error *e);
/* The same beside another one, whose packages it shares where they stand there letter for letter, as far as that one was read with keep; the text
 * it was read from has to live as long as they do. base: NULL if this is the first. */
int generation_read(const char *text, size_t size, const char *name, const Generation *base, bool keep, Generation **ret, Error *e);

/* All of REPO/generations, by number; a directory without a manifest is no generation. None is fine. They share packages, and are freed together. */
int generations_load(int repo_fd, const char *repo_path, Generation ***ret, size_t *ret_n, Error *e);
/* Frees the last one; what the others share with it stays. */
void generations_drop_last(Generation **v, size_t *n);
/* The numbers of the directories there, ascending, owned by the caller; at most max, -EFBIG/EXIT_INVALID. */
int generations_list(int repo_fd, const char *repo_path, size_t max, uint64_t **ret, size_t *ret_n, Error *e);
/* One of them; NULL: that directory has no manifest. */
int generation_load(int repo_fd, const char *repo_path, uint64_t number, Generation **ret, Error *e);
/* The one whose repomd.xml is the published one; NULL: none is. */
Generation *generations_current(Generation *const *v, size_t n, const char *repomd_sha256);

/* Whether two have the same packages, keys, locks and groups: then there is nothing to publish. */
bool generation_same(const Generation *a, const Generation *b);
