/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#define WIDTH_MAX 64

typedef struct Parallel {
        pthread_mutex_t lock;
        size_t n, next, failed; /* failed: the smallest index that did */
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

static bool take_next(Parallel *p, size_t *ret) {
        if (__atomic_load_n(&p->r, __ATOMIC_RELAXED) < 0)
                return false;
        *ret = __atomic_fetch_add(&p->next, 1, __ATOMIC_RELAXED);
        return *ret < p->n;
}

/* Everything before a failed one was begun before it, and ends: so which error is told does not depend on luck. */
static void fail(Parallel *p, size_t i, int r, Error *e) {
        (void) pthread_mutex_lock(&p->lock);
        if (p->r >= 0 || i < p->failed) {
                error_clear(&p->error);
                p->error = *e;
                *e = ERROR_INIT;
                p->failed = i;
                __atomic_store_n(&p->r, r, __ATOMIC_RELAXED);
        }
        (void) pthread_mutex_unlock(&p->lock);
        error_clear(e);
}

static void *run(void *arg) {
        Parallel *p = arg;
        size_t i;

        while (take_next(p, &i)) {
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
        Parallel p = { .lock = PTHREAD_MUTEX_INITIALIZER, .n = n, .work = work, .data = data };
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
