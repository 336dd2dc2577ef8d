/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#define WIDTH_MAX 64
#define TURNS     1024 /* of very many small things each thread takes some at once: what they share would cost more than they do */

typedef struct Parallel {
        pthread_mutex_t lock;
        size_t n, next, failed; /* failed: the smallest index that did; SIZE_MAX: none */
        int (*work)(void *data, size_t i, Error *e);
        void *data;
        int r;
        Error error;
} Parallel;

unsigned parallel_width(void) {
        cpu_set_t set;
        int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

        return (unsigned) MIN(MAX(n, 1), WIDTH_MAX);
}

/* Everything before a failed one was taken before it, and ends: so which error is told does not depend on luck. */
static void fail(Parallel *p, size_t i, int r, Error *e) {
        (void) pthread_mutex_lock(&p->lock);
        if (i < p->failed) {
                error_clear(&p->error);
                p->error = *e;
                *e = ERROR_INIT;
                p->r = r;
                __atomic_store_n(&p->failed, i, __ATOMIC_RELAXED);
        }
        (void) pthread_mutex_unlock(&p->lock);
        error_clear(e);
}

static void *run(void *arg) {
        Parallel *p = arg;
        size_t step = 1 + p->n / TURNS, i;

        while ((i = __atomic_fetch_add(&p->next, step, __ATOMIC_RELAXED)) < p->n)
                for (size_t end = MIN(i + step, p->n); i < end && i < __atomic_load_n(&p->failed, __ATOMIC_RELAXED); i++) {
                        Error e = ERROR_INIT;
                        int r = p->work(p->data, i, &e);

                        if (r < 0)
                                fail(p, i, r, &e);
                }
        return NULL;
}

/* Signals are the main thread's. */
static size_t start_threads(Parallel *p, pthread_t *threads, size_t n) {
        sigset_t all, old;
        size_t started = 0;

        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &old);
        while (started < n && pthread_create(&threads[started], NULL, run, p) == 0)
                started++;
        (void) pthread_sigmask(SIG_SETMASK, &old, NULL);
        return started;
}

int parallel_run(size_t n, int (*work)(void *data, size_t i, Error *e), void *data, Error *e) {
        return parallel_run_on(parallel_width(), n, work, data, e);
}

int parallel_run_on(unsigned width, size_t n, int (*work)(void *data, size_t i, Error *e), void *data, Error *e) {
        Parallel p = { .lock = PTHREAD_MUTEX_INITIALIZER, .n = n, .failed = SIZE_MAX, .work = work, .data = data };
        pthread_t threads[WIDTH_MAX];
        size_t started = n > 1 ? start_threads(&p, threads, MIN(n, (size_t) MIN(width, WIDTH_MAX)) - 1) : 0;

        /* This thread works, too: without any other it is a loop. */
        (void) run(&p);
        for (size_t i = 0; i < started; i++)
                (void) pthread_join(threads[i], NULL);
        (void) pthread_mutex_destroy(&p.lock);
        if (p.r < 0 && e && !e->message) {
                *e = p.error;
                p.error = ERROR_INIT;
        }
        error_clear(&p.error);
        return p.r;
}
