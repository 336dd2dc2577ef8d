/* SPDX-License-Identifier: Apache-2.0 */
/* A gzip file made of parts that were compressed apart, by several threads or in an earlier run; and a bounded reading of one. */
#pragma once

#include <sys/uio.h>

#include "basic/digest.h"

/* Deflated text that ends at a byte, and refers to nothing before it: such parts, joined in any order, are one deflate stream. */
typedef struct GzipPart {
        const void *data;
        size_t size;
        uint64_t open_size; /* unpacked */
        uint32_t crc;       /* of the text */
} GzipPart;

/* Compresses the pieces, in order, to one part; ret->data is the caller's to free. -ENOMEM, or -EIO from zlib. */
int gzip_pack(const struct iovec *pieces, size_t n, GzipPart *ret);

/* Writes the parts as one gzip member without name and time: the same parts give the same bytes. ret_sha256 and *ret_size are the file's. */
int gzip_join(int fd, const GzipPart *parts, size_t n, char ret_sha256[static SHA256_HEX_SIZE], uint64_t *ret_size);

/* Unpacks a gzip member in memory to at most max bytes: -EFBIG if it is larger, -EBADMSG if it is damaged, cut or has anything behind it.
 * *ret is NUL-terminated and owned by the caller. */
int gzip_unpack(const void *data, size_t size, size_t max, char **ret, size_t *ret_size);
