/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/gzip.h"

#include <endian.h>
#include <limits.h>
#include <zlib.h>

#include "basic/fs.h"
#include "basic/strings.h"

#define CHUNK       65536
#define LEVEL       6 /* 9 is three times as slow for one per cent */
#define MEMORY      9
#define GZIP_WINDOW (15 + 16) /* the largest window, in a gzip header (whose time is 0) */

static int deflate_piece(z_stream *z, Text *out, const struct iovec *piece, int flush) {
        unsigned char buffer[CHUNK];

        z->next_in = piece->iov_base;
        z->avail_in = (unsigned) piece->iov_len;
        do {
                z->next_out = buffer;
                z->avail_out = sizeof(buffer);
                if (deflate(z, flush) == Z_STREAM_ERROR)
                        return -EIO;
                text_append_n(out, buffer, sizeof(buffer) - z->avail_out);
        } while (z->avail_out == 0);
        return out->failed ? -ENOMEM : 0;
}

int gzip_pack(const struct iovec *pieces, size_t n, GzipPart *ret) {
        _cleanup_text_ Text out = {};
        GzipPart part = {};
        z_stream z = {};
        int r = 0;

        if (deflateInit2(&z, LEVEL, Z_DEFLATED, -15, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
                return -ENOMEM;
        for (size_t i = 0; r == 0 && i < n; i++) {
                if (pieces[i].iov_len > UINT_MAX)
                        r = -EFBIG;
                else {
                        part.crc = (uint32_t) crc32_z(part.crc, pieces[i].iov_base, pieces[i].iov_len);
                        part.open_size += pieces[i].iov_len;
                        r = deflate_piece(&z, &out, &pieces[i], i + 1 < n ? Z_NO_FLUSH : Z_FULL_FLUSH);
                }
        }
        (void) deflateEnd(&z);
        if (r < 0)
                return r;
        part.size = out.size;
        if (!(part.data = text_take(&out)))
                return -ENOMEM;
        *ret = part;
        return 0;
}

static int put(int fd, Digest *d, const void *data, size_t size, uint64_t *total) {
        int r = write_all(fd, data, size);

        *total += size;
        return r < 0 ? r : digest_update(d, data, size);
}

int gzip_join(int fd, const GzipPart *parts, size_t n, char ret_sha256[static SHA256_HEX_SIZE], uint64_t *ret_size) {
        /* RFC 1952, 2.3: no flags, no time, an unknown system; then an empty last block (RFC 1951, 3.2.3), sum and length. */
        static const unsigned char head[10] = { 0x1f, 0x8b, 8, [9] = 255 };
        unsigned char tail[10] = { 3, 0 };
        _cleanup_(digest_freep) Digest *d = digest_new("sha256");
        _cleanup_free_ char *hex = NULL;
        uint64_t open_size = 0, size = 0;
        uLong crc = 0;
        uint32_t le;
        int r;

        if (!d)
                return -ENOMEM;
        r = put(fd, d, head, sizeof(head), &size);
        for (size_t i = 0; r == 0 && i < n; i++) {
                crc = crc32_combine(crc, parts[i].crc, (z_off_t) parts[i].open_size);
                open_size += parts[i].open_size;
                r = put(fd, d, parts[i].data, parts[i].size, &size);
        }
        le = htole32((uint32_t) crc);
        memcpy(tail + 2, &le, sizeof(le));
        le = htole32((uint32_t) open_size);
        memcpy(tail + 6, &le, sizeof(le));
        if (r == 0)
                r = put(fd, d, tail, sizeof(tail), &size);
        if (r < 0)
                return r;
        if (!(hex = digest_hex(d)))
                return -ENOMEM;
        memcpy(ret_sha256, hex, SHA256_HEX_SIZE);
        *ret_size = size;
        return 0;
}

int gzip_unpack(const void *data, size_t size, size_t max, char **ret, size_t *ret_size) {
        /* One byte more than may be: that it comes is how too much is noticed. */
        size_t limit = max < SIZE_MAX / 2 ? max + 1 : max, allocated = MIN(limit, (size_t) CHUNK), used = 0;
        char *out = malloc(allocated + 1);
        z_stream z = {};
        int r = 0, code = Z_OK;

        if (size > UINT_MAX || !out || inflateInit2(&z, GZIP_WINDOW) != Z_OK) {
                free(out);
                return size > UINT_MAX ? -EFBIG : -ENOMEM;
        }
        z.next_in = (unsigned char *) data;
        z.avail_in = (unsigned) size;
        while (r == 0 && code != Z_STREAM_END) {
                size_t room;

                if (used == allocated) {
                        size_t grown = allocated > limit / 2 ? limit : allocated * 2;
                        char *p = grown > allocated ? realloc(out, grown + 1) : NULL;

                        if (!p) {
                                r = grown > allocated ? -ENOMEM : -EFBIG;
                                break;
                        }
                        out = p;
                        allocated = grown;
                }
                room = MIN(allocated - used, (size_t) INT_MAX);
                z.next_out = (unsigned char *) out + used;
                z.avail_out = (unsigned) room;
                code = inflate(&z, Z_NO_FLUSH);
                used += room - z.avail_out;
                /* No input left, and not at the end: it was cut. */
                if (code != Z_STREAM_END && (code != Z_OK || (z.avail_in == 0 && z.avail_out > 0)))
                        r = -EBADMSG;
        }
        if (r == 0 && used > max)
                r = -EFBIG;
        if (r == 0 && z.avail_in > 0)
                r = -EBADMSG;
        (void) inflateEnd(&z);
        if (r < 0) {
                free(out);
                return r;
        }
        out[used] = '\0';
        *ret = out;
        *ret_size = used;
        return 0;
}
