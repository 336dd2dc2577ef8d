/* SPDX-License-Identifier: Apache-2.0 */
/* packages/X.rpm.json: where a built package came from. Read by publish, verify and list; written by build, after the package. */
#pragma once

#include "repo/build-plan.h"
#include "repo/file-id.h"

typedef struct BuildRecord {
        char *package;                         /* file name, in the directory of the record */
        uint64_t size;
        char sha256[SHA256_HEX_SIZE];
        FileId seal;                           /* the file as it was when its digest was taken: while it is this very file, the digest holds. No inode: unknown */
        char *artifact;                        /* NULL: not made from an artifact */
        char artifact_sha256[SHA256_HEX_SIZE]; /* "" then */
        char inputs[SHA256_HEX_SIZE];          /* BuildJob.inputs */
        char **releases;                       /* empty: for all of them */
        char **together;                       /* file names of all packages of the same build, this one too */
} BuildRecord;

BuildRecord *build_record_free(BuildRecord *r);
DEFINE_CLEANUP(BuildRecord, build_record_free);

/* Reads DIR/FILE (at most 64 KiB). -EBADMSG/EXIT_INVALID names what is wrong. */
int build_record_load(const char *dir, const char *file, BuildRecord **ret, Error *e);
/* Writes DIR/PACKAGE.json atomically; same content, same bytes. */
int build_record_save(const char *dir, const BuildRecord *r, Error *e);

/* Looks for packages that this job has made before, all still there: 1, with their file names in *ret, owned by the caller, and their
 * records brought to the job's releases; 0 if it must be built. A record that cannot be read counts as none. */
int build_record_find(const char *dir, const BuildJob *job, char ***ret, Error *e);
