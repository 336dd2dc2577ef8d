/* SPDX-License-Identifier: Apache-2.0 */
/* The SHA-256 of a stream, taken in a thread of its own once there is much of it. */
#pragma once

#include <stdint.h>

#include "basic/digest.h"
#include "repo/lane.h"

typedef struct DigestLane {
        Digest *digest;
        Lane lane;
        unsigned char *buffers; /* two, while the thread runs: one is filled, the other one digested */
        unsigned turn;
        size_t used;
        uint64_t size;
} DigestLane;

/* Begins anew, whatever there was. -ENOMEM. */
int digest_lane_begin(DigestLane *d);
void digest_lane_clear(DigestLane *d);
/* -errno; what went wrong in the thread is told by a later call. The bytes are copied. */
int digest_lane_update(DigestLane *d, const void *data, size_t size);
/* Lower-case hex, owned by the caller, of all bytes; d is as before its beginning then. NULL: out of memory, or OpenSSL failed. */
char *digest_lane_finish(DigestLane *d) _must_check_;
