/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/sum.h"

#include <string.h>

#include "basic/macro.h"

#define LANES 4 /* a multiplication waits for the one before it in its lane alone */

/* Each step can be undone: what differed before differs behind it. */
static uint64_t mix(uint64_t sum, uint64_t word) {
        sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        return sum ^ (sum >> 29);
}

uint64_t sum_add(uint64_t sum, const void *data, size_t size) {
        uint64_t lanes[LANES] = { 1, 2, 3, 4 }, v[LANES];
        const char *p = data;
        size_t left = size;

        for (; left >= sizeof(v); p += sizeof(v), left -= sizeof(v)) {
                memcpy(v, p, sizeof(v));
                for (size_t i = 0; i < LANES; i++)
                        lanes[i] = mix(lanes[i], v[i]);
        }
        for (; left > 0; p += MIN(left, sizeof(*v)), left -= MIN(left, sizeof(*v))) {
                v[0] = 0;
                memcpy(v, p, MIN(left, sizeof(*v)));
                lanes[0] = mix(lanes[0], v[0]);
        }
        for (size_t i = 0; i < LANES; i++)
                sum = mix(sum, lanes[i]);
        return mix(sum, size);
}
