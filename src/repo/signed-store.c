/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/signed-store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"

struct SignedStore {
        char *path;
        int fd; /* -1: it is not there yet */
};

static long seal_of(const char *sha256) {
        unsigned v = 0;

        (void) sscanf(sha256, "%8x", &v);
        return (long) (v % 1000000000u);
}

int file_seal(int fd, int64_t seconds, const char *sha256) {
        struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = (time_t) seconds, .tv_nsec = seal_of(sha256) } };
        return futimens(fd, times) < 0 ? -errno : 0;
}

bool file_is_sealed(int fd, const char *sha256) {
        struct stat st;
        return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_mtim.tv_nsec == seal_of(sha256);
}

SignedStore *signed_store_free(SignedStore *s) {
        if (!s)
                return NULL;
        safe_close(s->fd);
        free(s->path);
        free(s);
        return NULL;
}

int signed_store_open(const char *workspace, const char *fingerprint, SignedStore **ret, Error *e) {
        _cleanup_(signed_store_freep) SignedStore *s = calloc(1, sizeof(*s));

        if (!s)
                return error_oom(e);
        s->fd = -1;
        s->path = format("%s/store/signed/%s", workspace, fingerprint);
        if (!s->path)
                return error_oom(e);
        s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        *ret = TAKE_PTR(s);
        return 0;
}

bool signed_store_take(SignedStore *s, const char *unsigned_sha256, int dir_fd, const char *name, char ret_sha256[static SHA256_HEX_SIZE]) {
        char sha256[SHA256_HEX_SIZE + 1];
        _cleanup_close_ int fd = -1;
        ssize_t n;

        n = s->fd < 0 ? -1 : readlinkat(s->fd, unsigned_sha256, sha256, sizeof(sha256));
        if (n != SHA256_HEX_SIZE - 1)
                return false;
        sha256[n] = '\0';
        if (!sha256_is_valid(sha256))
                return false;
        fd = openat(s->fd, sha256, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0 && !file_is_sealed(fd, sha256)) {
                (void) unlinkat(s->fd, sha256, 0); /* who signs it anew keeps that one */
                return false;
        }
        if (fd < 0 || linkat(s->fd, sha256, dir_fd, name, 0) < 0)
                return false;
        memcpy(ret_sha256, sha256, SHA256_HEX_SIZE);
        return true;
}

void signed_store_keep(SignedStore *s, const char *unsigned_sha256, const char *sha256, int dir_fd, const char *name) {
        if (s->fd < 0 && mkdir_parents(AT_FDCWD, s->path, 0755) == 0)
                s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (s->fd < 0 || (linkat(dir_fd, name, s->fd, sha256, 0) < 0 && errno != EEXIST))
                return;
        (void) unlinkat(s->fd, unsigned_sha256, 0);
        (void) symlinkat(sha256, s->fd, unsigned_sha256);
}

/* The signed files first, then what leads to them. */
static void sweep_key(int fd, bool links, uint64_t *freed) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        DIR *dir = copy < 0 ? NULL : fdopendir(copy);
        struct dirent *d;

        if (!dir) {
                safe_close(copy);
                return;
        }
        rewinddir(dir);
        while ((d = readdir(dir))) {
                struct stat st, target;

                if (!sha256_is_valid(d->d_name) || fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                if (links && S_ISLNK(st.st_mode) && fstatat(fd, d->d_name, &target, 0) < 0 && errno == ENOENT)
                        (void) unlinkat(fd, d->d_name, 0);
                else if (!links && S_ISREG(st.st_mode) && st.st_nlink == 1 && unlinkat(fd, d->d_name, 0) == 0)
                        *freed += (uint64_t) st.st_size;
        }
        (void) closedir(dir);
}

void signed_store_sweep(const char *workspace, uint64_t *freed) {
        _cleanup_free_ char *path = path_join(workspace, "store/signed");
        DIR *dir = path ? opendir(path) : NULL;
        struct dirent *d;

        while (dir && (d = readdir(dir))) {
                int fd = d->d_name[0] == '.' ? -1 : openat(dirfd(dir), d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

                if (fd < 0)
                        continue;
                sweep_key(fd, false, freed);
                sweep_key(fd, true, freed);
                safe_close(fd);
        }
        if (dir)
                (void) closedir(dir);
}
