/* SPDX-License-Identifier: Apache-2.0 */
/* What the last publish to a repository knew of each package, so that the next one only looks at what changed: a file with the same inode,
 * size and times is the same file. WORKSPACE/cache/publish-HASH/: state (replaced whole), N.primary, N.filelists and N.other (which grow), base.solv. Each file
 * has a time that the state knows, so that one that was written to since is told. A cache: it may be removed
 * at any time, one that does not fit is not used, and after a reboot it is made anew, because nothing waits for it to be on the disk. */
#pragma once

#include "basic/digest.h"
#include "repo/file-id.h"
#include "repo/index.h"

typedef struct MemoEntry {
        FileId record, input;             /* the build record (zeros: it has none) and the package as it was built */
        FileId published;                 /* the published file; its ctime changes with every link, and is 0 */
        int64_t build_time;
        uint64_t xml_at[INDEX_STREAMS];   /* in each stream's file */
        uint32_t xml_size[INDEX_STREAMS];
        int32_t solv;                     /* which one of base.solv it is, from 0; -1: none */
        uint32_t href, file, releases;    /* in the strings: where it is published; its file name; the releases, each with its NUL */
        uint32_t n_releases;
        char input_sha256[SHA256_HEX_SIZE], sha256[SHA256_HEX_SIZE];
} MemoEntry;

typedef struct Memo Memo;

/* Never fails but for memory: without a state that can be used it knows nothing. signer: fingerprint of the key. */
int memo_open(const char *workspace, const char *repo, const char *signer, Memo **ret, Error *e);
Memo *memo_free(Memo *m);
DEFINE_CLEANUP(Memo, memo_free);

/* By the name of the package file; guess: where it may be, as when names are asked for in order. NULL: unknown. The strings and XML live as long as the memo. */
const MemoEntry *memo_find(const Memo *m, const char *file, size_t guess);
const char *memo_string(const Memo *m, uint32_t at);
void memo_xml(const Memo *m, const MemoEntry *x, IndexEntry *ret);

/* The signer's own certification (signer.h), from memo_open() to memo_free() and, if it is set, in what memo_write() writes. */
const void *memo_certification(const Memo *m, size_t *ret_size);
void memo_set_certification(Memo *m, const void *data, size_t size);

/* The compressed parts of the metadata that were published last. */
const IndexParts *memo_parts(const Memo *m);

/* base.solv: its path, and how many packages are in it (0: there is none). */
const char *memo_solv(const Memo *m);
size_t memo_solv_size(const Memo *m);
/* Where a new one is to be written before memo_write(); NULL: nowhere. */
const char *memo_solv_new(const Memo *m);

/* What is to be known next time. old: whose XML is kept where it is; NULL: xml is new. */
typedef struct MemoItem {
        const char *href, *file;
        char *const *releases;
        const MemoEntry *old;
        const IndexEntry *xml;
} MemoItem;

/* Writes it, beside what is known; items sorted by file name, and an entry of each: all but href, file, releases, n_releases, the XML's place. new_solv: there is a
 * new base.solv. That it cannot be written is no error: it costs time later. */
void memo_write(Memo *m, const MemoItem *items, MemoEntry *entries, size_t n, const IndexParts *parts, bool new_solv);
/* Makes what was written last what is known from now on: to be called when it is true. m stays as it was opened. */
void memo_switch(Memo *m);
