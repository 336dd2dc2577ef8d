/* SPDX-License-Identifier: Apache-2.0 */
/* Work on a stream of bytes in a thread of its own: one that is given a buffer at a time, and works on it while the next one is filled. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Lane {
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        int (*work)(void *data, const void *bytes, size_t size); /* NULL: nothing is to be done */
        void *data;
        const void *bytes; /* what to do next; NULL: nothing */
        size_t size;
        bool running, end;
        int r;
} Lane;

/* Without a thread the work is done in the caller's: for what is small, and where none can be had. data stays the caller's. */
void lane_start(Lane *l, int (*work)(void *, const void *, size_t), void *data, bool thread);
/* The bytes must stay until the next call returns, which tells what became of them: what work returned first that was negative. */
int lane_give(Lane *l, const void *bytes, size_t size);
/* Waits for the work that was given, and ends the thread. */
int lane_end(Lane *l);
