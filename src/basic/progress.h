/* SPDX-License-Identifier: Apache-2.0 */
/* A bar for what takes more than a second, on a terminal only. Library code gets a Progress and calls progress_step(). */
#pragma once

#include "basic/macro.h"

typedef struct Progress {
        const char *label;
        uint64_t total, done; /* in bytes or items; total 0: unknown */
        bool bytes, shown, drawing;
        int64_t started_us, drawn_us;
} Progress;

void progress_begin(Progress *p, const char *label, uint64_t total, bool bytes);
void progress_step(Progress *p, uint64_t more); /* p may be NULL; in any thread */
void progress_end(Progress *p);
