/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/gzip.h"

#include <limits.h>
#include <zlib.h>

#include "basic/fs.h"

#define CHUNK       65536
#define GZIP_WINDOW (15 + 16) /* the largest window, in a gzip header (whose time is 0) */

struct GzipWriter {
        int fd;
        z_stream z;
        bool ready;
        Digest *packed, *open;
        uint64_t size, open_size;
        unsigned char out[CHUNK];
};

GzipWriter *gzip_free(GzipWriter *g) {
        if (!g)
                return NULL;
        if (g->ready)
                (void) deflateEnd(&g->z);
        digest_free(g->packed);
        digest_free(g->open);
        safe_close(g->fd);
        free(g);
        return NULL;
}

GzipWriter *gzip_new(int fd) {
        GzipWriter *g = calloc(1, sizeof(*g));

        if (!g) {
                safe_close(fd);
                return NULL;
        }
        g->fd = fd;
        g->packed = digest_new("sha256");
        g->open = digest_new("sha256");
        g->ready = deflateInit2(&g->z, 9, Z_DEFLATED, GZIP_WINDOW, 9, Z_DEFAULT_STRATEGY) == Z_OK;
        if (!g->ready || !g->packed || !g->open)
                return gzip_free(g);
        return g;
}

static int deflate_some(GzipWriter *g, int flush) {
        int r, z;

        do {
                size_t n;

                g->z.next_out = g->out;
                g->z.avail_out = sizeof(g->out);
                z = deflate(&g->z, flush);
                if (z == Z_STREAM_ERROR)
                        return -EIO;
                n = sizeof(g->out) - g->z.avail_out;
                r = write_all(g->fd, g->out, n);
                if (r >= 0)
                        r = digest_update(g->packed, g->out, n);
                if (r < 0)
                        return r;
                g->size += n;
        } while (g->z.avail_out == 0);
        return 0;
}

int gzip_write(GzipWriter *g, const void *data, size_t size) {
        const unsigned char *p = data;
        int r = digest_update(g->open, data, size);

        g->open_size += size;
        while (r >= 0 && size > 0) {
                size_t n = MIN(size, (size_t) INT_MAX);

                g->z.next_in = (unsigned char *) p;
                g->z.avail_in = (unsigned) n;
                r = deflate_some(g, Z_NO_FLUSH);
                p += n;
                size -= n;
        }
        return r < 0 ? r : 0;
}

static int take_hex(Digest *d, char ret[static SHA256_HEX_SIZE]) {
        _cleanup_free_ char *hex = digest_hex(d);

        if (!hex)
                return -ENOMEM;
        memcpy(ret, hex, SHA256_HEX_SIZE);
        return 0;
}

int gzip_finish(GzipWriter *g, GzipResult *ret) {
        GzipResult result = {};
        int r;

        g->z.next_in = NULL;
        g->z.avail_in = 0;
        if ((r = deflate_some(g, Z_FINISH)) < 0 || (r = take_hex(g->packed, result.sha256)) < 0 || (r = take_hex(g->open, result.open_sha256)) < 0)
                return r;
        if (fsync(g->fd) < 0)
                return -errno;
        result.size = g->size;
        result.open_size = g->open_size;
        *ret = result;
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
