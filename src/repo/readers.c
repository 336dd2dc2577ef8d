/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/readers.h"

#include <poll.h>
#include <sys/inotify.h>
#include <time.h>

#include "basic/macro.h"
#include "basic/strings.h"
#include "repo/metalink.h"

#define QUIET_MS 200  /* who has not asked for the signature by then does not want it */
#define MOST_MS  2000 /* where clients come without an end */

/* In the order in which clients ask for them: who has read one that is not the last goes on with the next. */
static const char *const files[] = { METALINK_FILE, "repomd.xml", "repomd.xml.asc" };

int readers_watch(int repo_fd) {
        _cleanup_free_ char *path = format("/proc/self/fd/%d/repodata", repo_fd);
        int fd = path ? inotify_init1(IN_CLOEXEC | IN_NONBLOCK) : -1;

        return fd >= 0 && inotify_add_watch(fd, path, IN_OPEN | IN_ONLYDIR) < 0 ? safe_close(fd) : fd;
}

static int64_t now_ms(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void take_open(const char *name, size_t waiting[static ELEMENTSOF(files)]) {
        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                if (!streq(name, files[i]))
                        continue;
                if (i > 0 && waiting[i - 1] > 0)
                        waiting[i - 1]--;
                if (i + 1 < ELEMENTSOF(files))
                        waiting[i]++;
        }
}

/* Takes what has happened. waiting[i]: how many have opened file i, and not yet what comes behind it. */
static void take_events(int fd, size_t waiting[static ELEMENTSOF(files)]) {
        char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
        ssize_t n;

        while ((n = read(fd, buffer, sizeof(buffer))) > 0)
                for (char *p = buffer; p < buffer + n;) {
                        const struct inotify_event *event = (const struct inotify_event *) (const void *) p;

                        if (event->len > 0)
                                take_open(event->name, waiting);
                        p += sizeof(*event) + event->len;
                }
}

void readers_wait(int fd) {
        size_t waiting[ELEMENTSOF(files)] = {};
        int64_t end = now_ms() + MOST_MS, left;

        if (fd < 0)
                return;
        take_events(fd, waiting);
        while (waiting[0] + waiting[1] > 0 && (left = end - now_ms()) > 0) {
                struct pollfd p = { .fd = fd, .events = POLLIN };

                if (poll(&p, 1, (int) MIN(left, (int64_t) QUIET_MS)) <= 0)
                        return;
                take_events(fd, waiting);
        }
}
