/* SPDX-License-Identifier: Apache-2.0 */
/* A gzip file being written, with the digests and sizes of both its forms; and a bounded reading of one. */
#pragma once

#include "basic/digest.h"

typedef struct GzipWriter GzipWriter;

/* Takes over fd. */
GzipWriter *gzip_new(int fd);
GzipWriter *gzip_free(GzipWriter *g);
DEFINE_CLEANUP(GzipWriter, gzip_free);
int gzip_write(GzipWriter *g, const void *data, size_t size);

typedef struct GzipResult {
        char sha256[SHA256_HEX_SIZE], open_sha256[SHA256_HEX_SIZE];
        uint64_t size, open_size;
} GzipResult;
/* Ends the file, and fsync()s it. */
int gzip_finish(GzipWriter *g, GzipResult *ret);

/* Unpacks a gzip member in memory to at most max bytes: -EFBIG if it is larger, -EBADMSG if it is damaged, cut or has anything behind it.
 * *ret is NUL-terminated and owned by the caller. */
int gzip_unpack(const void *data, size_t size, size_t max, char **ret, size_t *ret_size);
