/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/digest-lane.h"

#include <fcntl.h>
#include <string.h>

#include "basic/fs.h"

#define CHUNK          ((size_t) 256 * 1024)
#define MUCH           ((uint64_t) 16 * 1024 * 1024) /* from here on a thread pays */
#define WRITEBACK_SIZE ((uint64_t) 32 * 1024 * 1024)

static int work(void *data, const void *bytes, size_t size) {
        DigestLane *d = data;
        int r = d->writes ? write_all(d->fd, bytes, size) : 0;

        if (r < 0)
                return r;
        /* Begin to write now what fsync() would otherwise wait for at the end, while the network waits for us. */
        if (d->writes && d->written / WRITEBACK_SIZE != (d->written + size) / WRITEBACK_SIZE)
                (void) sync_file_range(d->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
        d->written += size;
        return digest_update(d->digest, bytes, size);
}

/* Whatever was given is worked on; the thread is gone. */
static int end_thread(DigestLane *d) {
        int r, k;

        if (!d->buffers)
                return 0;
        r = lane_give(&d->lane, d->buffers + d->turn * CHUNK, d->used);
        k = lane_end(&d->lane);
        free(d->buffers);
        d->buffers = NULL;
        d->used = d->turn = 0;
        return r < 0 ? r : k;
}

void digest_lane_clear(DigestLane *d) {
        (void) end_thread(d);
        digest_free(d->digest);
        *d = (DigestLane){};
}

int digest_lane_begin(DigestLane *d) {
        digest_lane_clear(d);
        d->digest = digest_new("sha256");
        return d->digest ? 0 : -ENOMEM;
}

int digest_lane_write_to(DigestLane *d, int fd) {
        int r = end_thread(d);

        d->writes = true;
        d->fd = fd;
        return r;
}

/* Without the memory it goes on as it did. */
static void start(DigestLane *d) {
        d->buffers = malloc(2 * CHUNK);
        if (d->buffers)
                lane_start(&d->lane, work, d, true);
}

int digest_lane_update(DigestLane *d, const void *data, size_t size) {
        const unsigned char *p = data;

        if (!d->buffers && (d->size += size) >= MUCH)
                start(d);
        if (!d->buffers)
                return work(d, data, size);
        while (size > 0) {
                unsigned char *buffer = d->buffers + d->turn * CHUNK;
                size_t n = MIN(size, CHUNK - d->used);
                int r;

                memcpy(buffer + d->used, p, n);
                d->used += n;
                p += n;
                size -= n;
                if (d->used < CHUNK)
                        break;
                if ((r = lane_give(&d->lane, buffer, CHUNK)) < 0)
                        return r;
                d->turn ^= 1;
                d->used = 0;
        }
        return 0;
}

int digest_lane_finish(DigestLane *d, char **ret) {
        int r = end_thread(d);
        char *hex = r >= 0 && d->digest ? digest_hex(d->digest) : NULL;

        digest_lane_clear(d);
        if (!hex)
                return r < 0 ? r : -ENOMEM;
        *ret = hex;
        return 0;
}
