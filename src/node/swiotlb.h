/* SPDX-License-Identifier: Apache-2.0 */
/* How large the kernel made its bounce buffers: what became of swiotlb=, in the kernel's own words. */
#pragma once

#include "node/node.h"

typedef struct SwiotlbPool {
        uint64_t mib;
        const char *source; /* static, for people */
} SwiotlbPool;

/* debugfs (root, where it is mounted; without a pool in it there is none), else the boot's own messages. -EACCES: both are there, and not for us; -ENOENT: neither says it. */
int swiotlb_pool(Node *n, SwiotlbPool *ret);

/* A line of the kernel's log, "software IO TLB: mapped [mem 0x...-0x...] (8192MB)" (kernel/dma/swiotlb.c): 0, or -ENOENT for any other. */
int swiotlb_line_parse(const char *line, uint64_t *ret_mib);
