/* SPDX-License-Identifier: Apache-2.0 */
/* The SHA-256 of a stream, and the stream into a file: both in a thread of their own once there is much of it. */
#pragma once

#include <stdint.h>

#include "basic/digest.h"
#include "repo/lane.h"

typedef struct DigestLane {
        Digest *digest;
        Lane lane;
        unsigned char *buffers; /* two, while the thread runs: one is filled, the other one written and digested */
        unsigned turn;
        size_t used;
        uint64_t size, written;
        bool writes; /* to fd */
        int fd;
} DigestLane;

/* Begins anew, whatever there was: bytes are only digested. -ENOMEM. */
int digest_lane_begin(DigestLane *d);
/* From here on bytes are also written to fd, which stays the caller's and must be open until d has ended, from where its offset is. */
int digest_lane_write_to(DigestLane *d, int fd) _must_check_;
/* What was given and not yet written is. */
void digest_lane_clear(DigestLane *d);
/* -errno; what went wrong in the thread, with writing, too, is told by a later call. The bytes are copied. */
int digest_lane_update(DigestLane *d, const void *data, size_t size);
/* *ret: lower-case hex, owned by the caller, of all bytes, which are written; d is as before its beginning then. -errno. */
int digest_lane_finish(DigestLane *d, char **ret) _must_check_;
