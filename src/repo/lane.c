/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/lane.h"

static void *lane_run(void *arg) {
        Lane *l = arg;

        (void) pthread_mutex_lock(&l->lock);
        for (;;) {
                while (!l->bytes && !l->end)
                        (void) pthread_cond_wait(&l->changed, &l->lock);
                if (!l->bytes)
                        break;
                (void) pthread_mutex_unlock(&l->lock);
                int r = l->work(l->data, l->bytes, l->size);
                (void) pthread_mutex_lock(&l->lock);
                l->r = l->r < 0 ? l->r : r;
                l->bytes = NULL;
                (void) pthread_cond_broadcast(&l->changed);
        }
        (void) pthread_mutex_unlock(&l->lock);
        return NULL;
}

void lane_start(Lane *l, int (*work)(void *, const void *, size_t), void *data, bool thread) {
        *l = (Lane){ .work = work, .data = data, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
        l->running = work && thread && pthread_create(&l->thread, NULL, lane_run, l) == 0;
}

int lane_give(Lane *l, const void *bytes, size_t size) {
        int r;

        if (!l->work || size == 0)
                return 0;
        if (!l->running)
                return l->work(l->data, bytes, size);
        (void) pthread_mutex_lock(&l->lock);
        while (l->bytes)
                (void) pthread_cond_wait(&l->changed, &l->lock);
        r = l->r;
        if (r == 0) {
                l->bytes = bytes;
                l->size = size;
                (void) pthread_cond_broadcast(&l->changed);
        }
        (void) pthread_mutex_unlock(&l->lock);
        return r;
}

int lane_end(Lane *l) {
        if (!l->running)
                return 0;
        (void) pthread_mutex_lock(&l->lock);
        l->end = true;
        (void) pthread_cond_broadcast(&l->changed);
        (void) pthread_mutex_unlock(&l->lock);
        (void) pthread_join(l->thread, NULL);
        return l->r;
}
