/* SPDX-License-Identifier: Apache-2.0 */
/* Writes rpm-md metadata: primary, filelists, other, comps and repomd.xml, gzip without a time, so that the same packages give the
 * same bytes. The XML of a package is libcreaterepo_c's; digests come from whoever wrote the package, no payload is read. */
#pragma once

#include "repo/rpm-file.h"

typedef struct Index Index;

/* One hashed metadata file, as repomd.xml names it. */
typedef struct IndexFile {
        const char *type; /* "primary", "filelists", "other", "group"; static */
        char *name;       /* SHA256-primary.xml.gz */
        char sha256[SHA256_HEX_SIZE], open_sha256[SHA256_HEX_SIZE];
        uint64_t size, open_size; /* open: uncompressed; the same for a file that is not compressed */
} IndexFile;

/* Starts metadata for n packages in the directory dir_fd (a repodata/ that is empty). */
int index_new(int dir_fd, size_t n_packages, Index **ret, Error *e);
Index *index_free(Index *x);
DEFINE_CLEANUP(Index, index_free);

/* Adds one; the order of calls is the order in the files. href is relative to the repository, sha256 is of the whole file. */
int index_add(Index *x, const RpmFile *f, const char *href, const char *sha256, Error *e);

/* Writes the comps file (may be NULL) and repomd.xml with this revision (also its timestamps), everything fsync'ed. *ret_repomd is
 * repomd.xml's text, owned by the caller; the files live as long as the Index. */
int index_finish(Index *x, const char *comps, int64_t revision, char **ret_repomd, Error *e);
const IndexFile *index_files(const Index *x, size_t *ret_n);
