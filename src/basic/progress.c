/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/progress.h"

#include <sys/ioctl.h>
#include <time.h>

#define FIRST_AFTER_US 700000 /* what is quicker needs no bar */
#define REDRAW_US      100000

static int64_t now_us(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void print_amount(uint64_t n, bool bytes) {
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
        double v = (double) n;
        size_t i = 0;

        if (!bytes) {
                fprintf(stderr, "%ju", (uintmax_t) n);
                return;
        }
        for (; v >= 1024 && i + 1 < ELEMENTSOF(units); i++)
                v /= 1024;
        fprintf(stderr, "%.1f %s", v, units[i]);
}

static void draw(Progress *p, int64_t now) {
        struct winsize w = {};
        int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
        int bar = MIN(MAX(width - 60, 10), 40);
        double seconds = (double) (now - p->started_us) / 1e6;
        uint64_t done = __atomic_load_n(&p->done, __ATOMIC_RELAXED); /* once: the others go on */

        fprintf(stderr, "\r%-24.24s ", p->label);
        if (p->total > 0) {
                int full = (int) ((double) MIN(done, p->total) / (double) p->total * bar);

                fputc('[', stderr);
                for (int i = 0; i < bar; i++)
                        fputc(i < full ? '#' : '.', stderr);
                fprintf(stderr, "] %3d%% ", (int) (100.0 * (double) MIN(done, p->total) / (double) p->total));
        }
        print_amount(done, p->bytes);
        if (p->bytes && seconds > 0.5) {
                fputs(" (", stderr);
                print_amount((uint64_t) ((double) done / seconds), true);
                fputs("/s)", stderr);
        }
        fputs("\033[K", stderr);
        fflush(stderr);
        __atomic_store_n(&p->drawn_us, now, __ATOMIC_RELAXED);
        p->shown = true;
}

void progress_begin(Progress *p, const char *label, uint64_t total, bool bytes) {
        *p = (Progress){ .label = label, .total = total, .bytes = bytes, .started_us = now_us() };
}

void progress_step(Progress *p, uint64_t more) {
        int64_t now;

        if (!p)
                return;
        /* Several threads may step; one of them draws. */
        (void) __atomic_add_fetch(&p->done, more, __ATOMIC_RELAXED);
        if (!isatty(STDERR_FILENO))
                return;
        now = now_us();
        if (now - p->started_us < FIRST_AFTER_US || now - __atomic_load_n(&p->drawn_us, __ATOMIC_RELAXED) < REDRAW_US)
                return;
        if (!__atomic_test_and_set(&p->drawing, __ATOMIC_ACQUIRE)) {
                draw(p, now);
                __atomic_clear(&p->drawing, __ATOMIC_RELEASE);
        }
}

void progress_end(Progress *p) {
        if (p && p->shown)
                fputs("\r\033[K", stderr);
}
