/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/sync.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/parallel.h"

#define WAITING 32 /* threads that wait for the disk */

typedef struct Paths {
        char **v;
        size_t n, allocated;
} Paths;

typedef struct Sync {
        int dir_fd;
        const char *name;
        Paths files, dirs;
} Sync;

static void paths_clear(Paths *p) {
        for (size_t i = 0; i < p->n; i++)
                free(p->v[i]);
        free(p->v);
}

static void sync_done(Sync *s) {
        paths_clear(&s->files);
        paths_clear(&s->dirs);
}

/* Takes the path. */
static int add(Paths *p, char *path, Error *e) {
        if (path && p->n == p->allocated) {
                char **grown = reallocarray(p->v, 2 * p->allocated + 64, sizeof(*grown));

                if (grown) {
                        p->v = grown;
                        p->allocated = 2 * p->allocated + 64;
                } else {
                        free(path);
                        path = NULL;
                }
        }
        if (!path)
                return error_oom(e);
        p->v[p->n++] = path;
        return 0;
}

static int failed(const Sync *s, const char *path, int error, Error *e) {
        return error_errno(e, error, "%s/%s", s->name, path);
}

static int open_path(const Sync *s, const char *path, int flags, int *ret, Error *e) {
        *ret = openat(s->dir_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags);
        return *ret < 0 ? failed(s, path, errno, e) : 0;
}

static int list(Sync *s, const char *path, Error *e);

static int list_entry(Sync *s, int fd, const char *dir, const char *name, Error *e) {
        _cleanup_free_ char *path = streq(dir, ".") ? strdup(name) : path_join(dir, name);
        struct stat st;

        if (!path)
                return error_oom(e);
        if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return failed(s, path, errno, e);
        if (S_ISLNK(st.st_mode))
                return failed(s, path, ELOOP, e);
        if (S_ISDIR(st.st_mode))
                return list(s, path, e);
        return S_ISREG(st.st_mode) ? add(&s->files, TAKE_PTR(path), e) : 0;
}

static int list(Sync *s, const char *path, Error *e) {
        struct dirent *entry;
        int fd, r;
        DIR *d;

        if ((r = add(&s->dirs, strdup(path), e)) < 0 || (r = open_path(s, path, O_DIRECTORY, &fd, e)) < 0)
                return r;
        if (!(d = fdopendir(fd))) {
                r = failed(s, path, errno, e);
                safe_close(fd);
                return r;
        }
        while (r >= 0 && (errno = 0, entry = readdir(d)))
                if (!streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
                        r = list_entry(s, dirfd(d), path, entry->d_name, e);
        if (r >= 0 && errno > 0)
                r = failed(s, path, errno, e);
        (void) closedir(d);
        return r;
}

/* The kernel is only told what to write, so that all of it goes out together. */
static int begin_file(void *data, size_t i, Error *e) {
        Sync *s = data;
        _cleanup_close_ int fd = -1;
        int r = open_path(s, s->files.v[i], 0, &fd, e);

        if (r >= 0 && sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE) < 0 && errno != ESPIPE && errno != ENOSYS)
                r = failed(s, s->files.v[i], errno, e);
        return r;
}

/* Files, and directories behind them. */
static int end_path(void *data, size_t i, Error *e) {
        Sync *s = data;
        bool file = i < s->files.n;
        const char *path = file ? s->files.v[i] : s->dirs.v[i - s->files.n];
        _cleanup_close_ int fd = -1;
        int r = open_path(s, path, file ? 0 : O_DIRECTORY, &fd, e);

        return r >= 0 && fsync(fd) < 0 ? failed(s, path, errno, e) : r;
}

void sync_begin(int fd) {
        (void) sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int sync_tree(int dir_fd, const char *name, Error *e) {
        _cleanup_(sync_done) Sync s = { .dir_fd = dir_fd, .name = name };
        int r;

        if ((r = list(&s, ".", e)) < 0 || (r = parallel_run(s.files.n, begin_file, &s, e)) < 0)
                return r;
        return parallel_run_on(WAITING, s.files.n + s.dirs.n, end_path, &s, e);
}
