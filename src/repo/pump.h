/* SPDX-License-Identifier: Apache-2.0 */
/* A file's copy with another beginning, and digests of both, in one pass: every byte is read once. */
#pragma once

#include "basic/digest.h"
#include "basic/progress.h"

typedef struct Pump {
        const char *name;   /* of what is read, for messages */
        const void *head;   /* what the copy begins with */
        size_t head_size;
        int in_fd;
        uint64_t in_offset; /* from where on its bytes follow */
        int out_fd;         /* empty, open for writing */
        Digest *out;        /* of the copy */
        Digest *in;         /* of what was read from in_offset on; NULL: none */
        Progress *progress; /* or NULL */
} Pump;

/* ret_size: of the copy. Large files: digests and the copy each have a thread, the copy goes to the disk past the page cache where the file
 * system has that, and where it has reflinks and the beginning is as long as the old one, nothing is copied but the beginning. */
int pump(const Pump *p, uint64_t *ret_size, Error *e);
