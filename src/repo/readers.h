/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that are between repomd.xml and its signature. They ask for one and then for the other, and no server ties the two requests; but one on this
 * machine opens the files, and whoever publishes can see that, and let clients come to their end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READERS_FILES 3

typedef struct Readers {
        int fd;                        /* of inotify, or -1: then nobody is seen, and nobody waited for */
        int64_t since_ms;
        int published, next;           /* the watches of the state that is there, and of the one that comes; or -1 */
        size_t waiting[READERS_FILES]; /* how many have opened this file, and not yet what comes behind it */
        bool has_new;                  /* one has begun to read the state that comes */
} Readers;

/* Begins to watch the published state of the repository that repo_fd is; what this process itself opens counts, too. Never fails. */
void readers_watch(Readers *r, int repo_fd);
/* Ends it. The kernel takes its time with what was watched, in which readers_done() would wait: better there is something to do between the two. */
void readers_end(Readers *r);
void readers_done(Readers *r);

/* Waits until every client that was seen to open repomd.xml has opened its signature, too, or for a fifth of a second in which none did anything, or
 * for two seconds. Who opened it before the watch began is not known of: at least a fortieth of a second is watched. Then the switch should come at once: from staged, a path below repo_fd, what comes is watched. */
void readers_wait(Readers *r, int repo_fd, const char *staged);

/* Behind the switch: whether a client opened repomd.xml just before it, and none has yet begun to read what came. Then going back helps. */
bool readers_between(Readers *r);
