/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/readers.h"

#include <poll.h>
#include <sys/inotify.h>
#include <time.h>

#include "basic/macro.h"
#include "basic/strings.h"
#include "repo/metalink.h"

#define WATCH_MS 25   /* who opened repomd.xml before the watch began has asked for the signature by then */
#define QUIET_MS 200  /* who has not asked for the signature by then does not want it */
#define MOST_MS  2000 /* where clients come without an end */

/* In the order in which clients ask for them: who has read one that is not the last goes on with the next. */
static const char *const files[READERS_FILES] = { METALINK_FILE, "repomd.xml", "repomd.xml.asc" };

static int64_t now_ms(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int watch(int fd, int repo_fd, const char *dir) {
        _cleanup_free_ char *path = format("/proc/self/fd/%d/%s", repo_fd, dir);

        /* Of two events that are alike and follow each other only one is told: what is between two opens keeps them apart. */
        return path ? inotify_add_watch(fd, path, IN_OPEN | IN_CLOSE | IN_ONLYDIR) : -1;
}

void readers_watch(Readers *r, int repo_fd) {
        *r = (Readers){ .fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), .since_ms = now_ms(), .published = -1, .next = -1 };
        if (r->fd >= 0 && (r->published = watch(r->fd, repo_fd, "repodata")) < 0)
                r->fd = safe_close(r->fd);
}

void readers_end(Readers *r) {
        int watches[] = { r->published, r->next };

        for (size_t i = 0; r->fd >= 0 && i < ELEMENTSOF(watches); i++)
                if (watches[i] >= 0)
                        (void) inotify_rm_watch(r->fd, watches[i]);
        r->published = r->next = -1;
}

void readers_done(Readers *r) {
        r->fd = safe_close(r->fd);
}

static void take_open(Readers *r, const char *name) {
        for (size_t i = 0; i < READERS_FILES; i++) {
                if (!streq(name, files[i]))
                        continue;
                if (i > 0 && r->waiting[i - 1] > 0)
                        r->waiting[i - 1]--;
                if (i + 1 < READERS_FILES)
                        r->waiting[i]++;
        }
}

static void take_events(Readers *r) {
        char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
        ssize_t n;

        while ((n = read(r->fd, buffer, sizeof(buffer))) > 0)
                for (char *p = buffer; p < buffer + n;) {
                        const struct inotify_event *event = (const struct inotify_event *) (const void *) p;

                        p += sizeof(*event) + event->len;
                        if (event->len == 0 || !(event->mask & IN_OPEN))
                                continue;
                        if (event->wd == r->next)
                                r->has_new = true;
                        else
                                take_open(r, event->name);
                }
}

static bool is_waiting(const Readers *r) {
        return r->waiting[0] + r->waiting[1] > 0;
}

void readers_wait(Readers *r, int repo_fd, const char *staged) {
        int64_t now = now_ms(), end = now + MOST_MS, until;

        if (r->fd < 0)
                return;
        if (r->next < 0)
                r->next = watch(r->fd, repo_fd, staged);
        take_events(r);
        while (until = is_waiting(r) ? MIN(end, now + QUIET_MS) : r->since_ms + WATCH_MS, now < until) {
                struct pollfd p = { .fd = r->fd, .events = POLLIN };

                if (poll(&p, 1, (int) (until - now)) <= 0)
                        break;
                take_events(r);
                now = now_ms();
        }
        memset(r->waiting, 0, sizeof(r->waiting)); /* who has not gone on by now will not */
        r->has_new = false;
}

bool readers_between(Readers *r) {
        if (r->fd < 0)
                return false;
        take_events(r);
        return is_waiting(r) && !r->has_new;
}
