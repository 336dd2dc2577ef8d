/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/digest-lane.h"

#include <string.h>

#define CHUNK ((size_t) 256 * 1024)
#define MUCH  ((uint64_t) 16 * 1024 * 1024) /* from here on a thread pays */

static int update(void *data, const void *bytes, size_t size) {
        return digest_update(data, bytes, size);
}

void digest_lane_clear(DigestLane *d) {
        if (d->buffers)
                (void) lane_end(&d->lane);
        free(d->buffers);
        digest_free(d->digest);
        *d = (DigestLane){};
}

int digest_lane_begin(DigestLane *d) {
        digest_lane_clear(d);
        d->digest = digest_new("sha256");
        return d->digest ? 0 : -ENOMEM;
}

/* Without the memory it goes on as it did. */
static void start(DigestLane *d) {
        d->buffers = malloc(2 * CHUNK);
        if (d->buffers)
                lane_start(&d->lane, update, d->digest, true);
}

int digest_lane_update(DigestLane *d, const void *data, size_t size) {
        const unsigned char *p = data;

        if (!d->buffers && d->size < MUCH && (d->size += size) >= MUCH)
                start(d);
        if (!d->buffers)
                return digest_update(d->digest, data, size);
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

char *digest_lane_finish(DigestLane *d) {
        char *hex = NULL;
        int r = 0, k;

        if (d->buffers) {
                r = lane_give(&d->lane, d->buffers + d->turn * CHUNK, d->used);
                k = lane_end(&d->lane);
                free(TAKE_PTR(d->buffers));
                r = r < 0 ? r : k;
        }
        if (r >= 0 && d->digest)
                hex = digest_hex(d->digest);
        digest_lane_clear(d);
        return hex;
}
