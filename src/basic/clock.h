/* SPDX-License-Identifier: Apache-2.0 */
/* The clock for deadlines. */
#pragma once

#include <stdint.h>
#include <time.h>

/* Milliseconds of a clock that nobody sets, and that a suspended machine does not stop. */
static inline int64_t clock_ms(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_BOOTTIME, &t);
        return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
