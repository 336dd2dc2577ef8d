/* SPDX-License-Identifier: Apache-2.0 */
/* Writes rpm-md metadata: primary, filelists, other, comps and repomd.xml, gzip without a time, so that the same packages give the
 * same bytes, however many threads make them. The XML of a package is libcreaterepo_c's; digests come from whoever wrote the package, no
 * payload is read. */
#pragma once

#include "release/freshness.h"
#include "repo/rpm-file.h"

enum { INDEX_PRIMARY, INDEX_FILELISTS, INDEX_OTHER, INDEX_STREAMS };

/* What the metadata say of one package. */
typedef struct IndexEntry {
        char sha256[SHA256_HEX_SIZE];     /* of the package file */
        const char *href;
        const char *xml[INDEX_STREAMS];
        size_t size[INDEX_STREAMS];
        char *owned[INDEX_STREAMS];       /* xml, if it is to be freed; NULL: somebody else's */
} IndexEntry;
void index_entry_clear(IndexEntry *x);

/* href is relative to the repository, sha256 is of the whole file. In any thread. -ELIBACC/EXIT_FAILED without libcreaterepo_c. */
int index_describe(const RpmFile *f, const char *href, const char *sha256, IndexEntry *ret, Error *e);

/* The compressed parts of three streams, for the next time: a part with the same packages is the same bytes. */
typedef struct IndexPart {
        char key[SHA256_HEX_SIZE]; /* of its packages: digests and places */
        uint64_t at, size;         /* in the compressed file */
        uint64_t open_size;
        uint32_t crc;
} IndexPart;

typedef struct IndexParts {
        char sha256[INDEX_STREAMS][SHA256_HEX_SIZE]; /* of the compressed files */
        IndexPart *parts[INDEX_STREAMS];             /* in the order of the file */
        size_t n[INDEX_STREAMS];
} IndexParts;
void index_parts_clear(IndexParts *p);

typedef struct Index Index;

/* One hashed metadata file, as repomd.xml names it. */
typedef struct IndexFile {
        const char *type; /* "primary", "filelists", "other", "group"; static */
        char *name;       /* SHA256-primary.xml.gz */
        char sha256[SHA256_HEX_SIZE], open_sha256[SHA256_HEX_SIZE];
        uint64_t size, open_size; /* open: uncompressed; the same for a file that is not compressed */
} IndexFile;

/* Writes the entries, in this order, the comps file (may be NULL) and repomd.xml with this revision (also its timestamps) and freshness to the directory
 * dir_fd (a repodata/ that is empty). Nothing is fsync'ed. old (may be NULL): parts of the files in old_fd, which are used again when these
 * files still have their digests. */
int index_write(int dir_fd, const IndexEntry *entries, size_t n, const char *comps, int64_t revision, const Freshness *freshness,
                const IndexParts *old, int old_fd, Index **ret, Error *e);
Index *index_free(Index *x);
DEFINE_CLEANUP(Index, index_free);

const IndexFile *index_files(const Index *x, size_t *ret_n);
/* The parts that were written. */
const IndexParts *index_parts(const Index *x);
/* The text of repomd.xml. */
const char *index_repomd(const Index *x);
