/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for many small things that are freed together. */
#pragma once

#include "basic/macro.h"

typedef struct Pool {
        struct PoolChunk *chunks; /* the newest first */
        char *next;
        size_t left;
} Pool;

/* Zeroed, aligned for anything, and there until pool_clear(); NULL when out of memory. For one thread. */
void *pool_alloc(Pool *p, size_t size) _must_check_;
void pool_clear(Pool *p);
