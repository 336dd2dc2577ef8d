/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/file-id.h"

#include <time.h>

#define RACY_NS (100 * 1000000) /* more than a tick of any kernel */

FileId file_id(const struct stat *st) {
        return (FileId){ .dev = st->st_dev, .ino = st->st_ino, .size = (uint64_t) st->st_size,
                         .mtime_ns = (int64_t) st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
                         .ctime_ns = (int64_t) st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec };
}

bool file_id_same(const FileId *a, const FileId *b) {
        return a->ino != 0 && a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

int64_t file_id_now(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_REALTIME, &ts);
        return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}

bool file_id_is_settled(const FileId *id, int64_t now) {
        return id->ctime_ns < now - RACY_NS;
}
