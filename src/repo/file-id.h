/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a file is the one it was, without its being read. */
#pragma once

#include <sys/stat.h>

#include "basic/macro.h"

typedef struct FileId {
        uint64_t dev, ino, size; /* ino 0: there is none */
        int64_t mtime_ns, ctime_ns;
} FileId;

FileId file_id(const struct stat *st);
bool file_id_same(const FileId *a, const FileId *b);

/* Nanoseconds since 1970. */
int64_t file_id_now(void);
/* Whether it could not have changed at `now` without its times telling: what changed so short a time before could change again within one tick
 * of the kernel's clock. */
bool file_id_is_settled(const FileId *id, int64_t now);
