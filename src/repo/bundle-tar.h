/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle as bytes: the one tar (POSIX.1-2001, pax) that has these members in this order with this one date. What no digest covers, headers and
 * the room between members, has one right value, so that a reader finds each changed bit of it. */
#pragma once

#include "basic/error.h"
#include "basic/progress.h"

#define BUNDLE_TAR_BLOCK 512
#define BUNDLE_TAR_RECORD 10240 /* the whole file is a multiple of that: what tar(1) writes */

/* A member's header: one block, after two or more with its name and size where that has no room for them. mtime: seconds, cut to what the format
 * can say. *ret is owned by the caller; -ENOMEM. */
int bundle_tar_header(const char *name, uint64_t size, int64_t mtime, char **ret, size_t *ret_size);
/* Zeros that follow size bytes of a member, and those that end a tar of so many bytes: two blocks of them, or more. */
size_t bundle_tar_padding(uint64_t size);
size_t bundle_tar_ending(uint64_t size);

typedef struct BundleTar {
        const char *file; /* for messages */
        int fd;
        uint64_t size, at;
        int64_t mtime; /* of the first member, and so of all; -1: none was read */
        char *buffer;
        Progress *progress; /* may be NULL */
} BundleTar;

/* fd, borrowed, is a regular file of that size. */
int bundle_tar_open(BundleTar *t, const char *file, int fd, uint64_t size, Progress *progress, Error *e);
void bundle_tar_close(BundleTar *t);

/* The size of the next member, which has to have that name; its header is read again by bundle_tar_next(). */
int bundle_tar_peek(BundleTar *t, const char *name, uint64_t *ret_size, Error *e);
/* That the next member has that name and size, and nothing else in its header. */
int bundle_tar_next(BundleTar *t, const char *name, uint64_t size, Error *e);
/* Its data, in pieces, and the zeros behind them. */
int bundle_tar_data(BundleTar *t, const char *name, uint64_t size, int (*data)(void *userdata, const void *data, size_t size, Error *e), void *userdata, Error *e);
/* That nothing follows but the end. */
int bundle_tar_end(BundleTar *t, Error *e);

/* FILE: MEMBER: WHAT (member may be NULL): -EBADMSG/EXIT_INVALID, as from all of these. */
int bundle_malformed(const char *file, const char *member, const char *what, Error *e);
