/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/pool.h"

#include <stddef.h>

#define CHUNK ((size_t) 256 * 1024)
#define ALIGN _Alignof(max_align_t)

typedef struct PoolChunk {
        struct PoolChunk *older;
        max_align_t data[];
} PoolChunk;

static bool grow(Pool *p, size_t size) {
        size_t room = MAX(size, CHUNK);
        PoolChunk *c = calloc(1, sizeof(*c) + room);

        if (!c)
                return false;
        c->older = p->chunks;
        p->chunks = c;
        p->next = (char *) c->data;
        p->left = room;
        return true;
}

void *pool_alloc(Pool *p, size_t size) {
        char *at;

        if (size > SIZE_MAX / 2)
                return NULL;
        size = (size + ALIGN - 1) / ALIGN * ALIGN;
        if (size > p->left && !grow(p, size))
                return NULL;
        at = p->next;
        p->next += size;
        p->left -= size;
        return at;
}

void pool_clear(Pool *p) {
        for (PoolChunk *c = p->chunks, *older; c; c = older) {
                older = c->older;
                free(c);
        }
        *p = (Pool){};
}
