/* SPDX-License-Identifier: Apache-2.0 */
/* A Python wheel's own files: RECORD (a digest of every file) and METADATA. Format: PyPA's binary distribution format. */
#pragma once

#include "basic/digest.h"
#include "basic/strings.h"

typedef struct WheelFile {
        char *path;
        char sha256[SHA256_HEX_SIZE]; /* "" for RECORD itself and its signatures */
        uint64_t size;
        bool seen;                    /* the caller's */
} WheelFile;

typedef struct WheelRecord {
        WheelFile *files; /* sorted by path */
        size_t n_files;
} WheelRecord;

/* name is for messages. -EBADMSG for a line that is no record, another digest than SHA-256, or a path named twice. */
int wheel_record_parse(const char *name, const char *data, size_t size, WheelRecord **ret, Error *e);
WheelRecord *wheel_record_free(WheelRecord *r);
DEFINE_CLEANUP(WheelRecord, wheel_record_free);
WheelFile *wheel_record_find(const WheelRecord *r, const char *path);

/* The first header of that name ("Name", "Version") of METADATA, owned by the caller: 0, -ENOENT or -ENOMEM. */
int wheel_metadata_get(const char *metadata, const char *header, char **ret);
