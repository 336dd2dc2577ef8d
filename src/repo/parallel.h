/* SPDX-License-Identifier: Apache-2.0 */
/* The same work on many things, on all the cores this process may use. */
#pragma once

#include "basic/error.h"

/* Cores that this process may run on; at least 1. */
unsigned parallel_width(void);

/* Calls work(data, i) once for each i below n, in this order, several at a time, and returns when all have ended. After an error nothing
 * new is begun; what is told is the error of the smallest i that failed, however the threads were scheduled. Put the largest first. */
int parallel_run(size_t n, int (*work)(void *data, size_t i, Error *e), void *data, Error *e);

/* The same on so many threads (at least 1, at most 64): for work that waits for a disk. */
int parallel_run_on(unsigned width, size_t n, int (*work)(void *data, size_t i, Error *e), void *data, Error *e);
