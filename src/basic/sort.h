/* SPDX-License-Identifier: Apache-2.0 */
/* qsort() for what is mostly in order already, and for nothing at all. */
#pragma once

#include <stddef.h>
#include <stdlib.h>

static inline void sort(void *v, size_t n, size_t size, int (*compare)(const void *, const void *)) {
        size_t i = 1;

        while (i < n && compare((char *) v + (i - 1) * size, (char *) v + i * size) <= 0)
                i++;
        if (i < n)
                qsort(v, n, size, compare);
}
