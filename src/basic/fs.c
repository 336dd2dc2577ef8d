/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <linux/fs.h>

#include "basic/strings.h"

#define LINKS_MAX 40 /* as the kernel's own limit */

bool path_is_safe(const char *path) {
        if (*path == '\0')
                return false;
        for (;;) {
                size_t n = strcspn(path, "/");

                if (n == 0 || (n == 1 && path[0] == '.') || (n == 2 && path[0] == '.' && path[1] == '.'))
                        return false;
                if (path[n] == '\0')
                        return true;
                path += n + 1;
        }
}

char *path_join(const char *dir, const char *name) {
        size_t n = strlen(dir);

        while (n > 0 && dir[n - 1] == '/')
                n--;
        name += strspn(name, "/");
        return format("%.*s/%s", (int) n, dir, name);
}

const char *path_basename(const char *path) {
        const char *slash = strrchr(path, '/');
        return slash ? slash + 1 : path;
}

int open_beneath(int root_fd, const char *path, int flags, mode_t mode) {
        _cleanup_free_ char *copy = NULL;
        _cleanup_close_ int dir = -1;
        char *p, *slash;

        path += strspn(path, "/");
        if (!path_is_safe(path))
                return -EINVAL;
        copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        for (p = copy; (slash = strchr(p, '/')); p = slash + 1) {
                int fd;

                *slash = '\0';
                fd = openat(dir >= 0 ? dir : root_fd, p, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (fd < 0)
                        return -errno;
                (void) safe_close(dir);
                dir = fd;
        }
        int fd = openat(dir >= 0 ? dir : root_fd, p, flags | O_NOFOLLOW | O_CLOEXEC, mode);
        return fd < 0 ? -errno : fd;
}

int read_link_at(int fd, const char *name, char **ret) {
        for (size_t n = 256; n <= 65536; n *= 2) {
                _cleanup_free_ char *buffer = malloc(n + 1);
                ssize_t k;

                if (!buffer)
                        return -ENOMEM;
                k = readlinkat(fd, name, buffer, n);
                if (k < 0)
                        return -errno;
                if ((size_t) k < n) {
                        buffer[k] = '\0';
                        *ret = TAKE_PTR(buffer);
                        return 0;
                }
        }
        return -ENAMETOOLONG;
}

/* Walks path component by component, as a chroot would. openat2(RESOLVE_IN_ROOT) does this, but EL8's kernel lacks it. */
int open_in_root(int root_fd, const char *path, int flags) {
        _cleanup_free_ char *rest = NULL;
        _cleanup_close_ int here = -1;
        char *p;
        unsigned links = 0;

        if (root_fd == AT_FDCWD) {
                int fd = open(path, flags | O_CLOEXEC);
                return fd < 0 ? -errno : fd;
        }
        rest = strdup(path);
        if (!rest)
                return -ENOMEM;
        p = rest;
        here = fcntl(root_fd, F_DUPFD_CLOEXEC, 3);
        if (here < 0)
                return -errno;
        for (;;) {
                _cleanup_free_ char *target = NULL, *joined = NULL;
                char *name, *end;
                bool last;
                int fd;

                p += strspn(p, "/");
                if (*p == '\0') {
                        fd = openat(here, ".", (flags & ~O_NOFOLLOW) | O_CLOEXEC);
                        return fd < 0 ? -errno : fd;
                }
                name = p;
                end = p + strcspn(p, "/");
                last = end[strspn(end, "/")] == '\0';
                p = *end ? end + 1 : end;
                *end = '\0';
                if (streq(name, "."))
                        continue;
                if (streq(name, "..")) {
                        struct stat a, b;

                        /* The root's parent is the root. */
                        if (fstat(here, &a) < 0 || fstat(root_fd, &b) < 0)
                                return -errno;
                        if (a.st_dev == b.st_dev && a.st_ino == b.st_ino)
                                continue;
                } else if (read_link_at(here, name, &target) == 0 && !(last && (flags & O_NOFOLLOW))) {
                        if (++links > LINKS_MAX)
                                return -ELOOP;
                        joined = format("%s/%s", target, p);
                        if (!joined)
                                return -ENOMEM;
                        free(rest);
                        p = rest = TAKE_PTR(joined);
                        if (*rest == '/') {
                                fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 3);
                                if (fd < 0)
                                        return -errno;
                                (void) safe_close(here);
                                here = fd;
                        }
                        continue;
                }
                fd = openat(here, name, (last ? flags : O_PATH | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC);
                if (fd < 0 || last)
                        return fd < 0 ? -errno : fd;
                (void) safe_close(here);
                here = fd;
        }
}

int read_fd(int fd, size_t max, char **ret, size_t *ret_size) {
        _cleanup_free_ char *data = NULL;
        size_t size = 0, allocated;
        struct stat st;

        /* Room for all of a file and for seeing its end; what its size says is not believed. */
        allocated = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 ? MIN((size_t) st.st_size, max) + 1 : 4096;
        for (;;) {
                char *grown = data && size < allocated ? data : realloc(data, (data ? allocated *= 2 : allocated) + 1);
                ssize_t n;

                if (!grown)
                        return -ENOMEM;
                data = grown;
                n = read(fd, data + size, allocated - size);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                size += (size_t) n;
                if (size > max)
                        return -EFBIG;
        }
        data[size] = '\0';
        *ret = TAKE_PTR(data);
        if (ret_size)
                *ret_size = size;
        return 0;
}

int read_file(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? -errno : read_fd(fd, max, ret, ret_size);
}

int read_regular_file(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return S_ISDIR(st.st_mode) ? -EISDIR : -ENOTSUP;
        return read_fd(fd, max, ret, ret_size);
}

int read_file_in_root(int root_fd, const char *path, size_t max, char **ret, size_t *ret_size) {
        /* A pipe that somebody put there must not make us wait. */
        _cleanup_close_ int fd = open_in_root(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        return fd < 0 ? fd : read_fd(fd, max, ret, ret_size);
}

int map_fd(int fd, size_t max, void **ret, size_t *ret_size) {
        void *data = NULL;
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return S_ISDIR(st.st_mode) ? -EISDIR : -ENOTSUP;
        if ((uint64_t) st.st_size > max)
                return -EFBIG;
        if (st.st_size > 0 && (data = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED)
                return -errno;
        *ret = data;
        *ret_size = (size_t) st.st_size;
        return 0;
}

int read_exactly(int fd, void *data, uint64_t size, uint64_t offset) {
        uint64_t end;

        if (__builtin_add_overflow(offset, size, &end) || end > INT64_MAX)
                return -EBADMSG;
        for (uint64_t done = 0; done < size;) {
                ssize_t k = pread(fd, (char *) data + done, size - done, (off_t) (offset + done));

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                if (k == 0)
                        return -EBADMSG;
                done += (uint64_t) k;
        }
        return 0;
}

int write_all(int fd, const void *data, size_t size) {
        const char *p = data;

        while (size > 0) {
                ssize_t n = write(fd, p, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                p += n;
                size -= (size_t) n;
        }
        return 0;
}

int fsync_parent(int dir_fd, const char *path) {
        const char *base = path_basename(path);
        _cleanup_free_ char *dir = base == path ? strdup(".") : strndup(path, (size_t) (base - path));
        _cleanup_close_ int fd = -1;

        if (!dir)
                return -ENOMEM;
        fd = openat(dir_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0)
                return -errno;
        return 0;
}

int write_file_atomic(int dir_fd, const char *path, const void *data, size_t size, mode_t mode) {
        return write_file_atomic_as(dir_fd, path, data, size, mode, (uid_t) -1, (gid_t) -1);
}

bool is_special(int dir_fd, const char *path) {
        struct stat st;

        if (fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
                return false;
        return !S_ISLNK(st.st_mode) || (startswith(path, "/dev/") && !startswith(path, "/dev/shm/"));
}

bool is_folder(int dir_fd, const char *path) {
        struct stat st;

        return fstatat(dir_fd, path, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

int write_file_atomic_as(int dir_fd, const char *path, const void *data, size_t size, mode_t mode, uid_t uid, gid_t gid) {
        const char *base = path_basename(path);
        _cleanup_free_ char *temp = format("%.*s.%s.%d.tmp", (int) (base - path), path, base, (int) getpid());
        _cleanup_close_ int fd = -1;
        int r;

        if (!temp)
                return -ENOMEM;
        if (is_special(dir_fd, path))
                return -EEXIST;
        if (is_folder(dir_fd, path))
                return -EISDIR;
        (void) unlinkat(dir_fd, temp, 0);
        fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        r = write_all(fd, data, size);
        /* A file system without owners (the ESP) refuses, and loses nothing by it. Before the mode: it takes away set-id bits. */
        if (r == 0 && (uid != (uid_t) -1 || gid != (gid_t) -1) && fchown(fd, uid, gid) < 0 && errno != EPERM)
                r = -errno;
        if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || renameat(dir_fd, temp, dir_fd, path) < 0))
                r = -errno;
        if (r < 0) {
                (void) unlinkat(dir_fd, temp, 0);
                return r;
        }
        return fsync_parent(dir_fd, path);
}

bool is_temporary(const char *file, const char *name) {
        size_t n = strlen(file), digits;

        if (file[0] != '.' || !endswith(file, ".tmp"))
                return false;
        n -= strlen(".tmp");
        for (digits = 0; n > digits && file[n - digits - 1] >= '0' && file[n - digits - 1] <= '9';)
                digits++;
        if (digits == 0 || n < digits + 2 || file[n - digits - 1] != '.')
                return false;
        n -= digits + 2; /* what is left of the name between the dots */
        return n > 0 && (!name || (strlen(name) == n && strncmp(file + 1, name, n) == 0));
}

int remove_temporaries(int dir_fd, const char *path, const char *name) {
        int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
        DIR *d = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;

        if (!d) {
                r = -errno;
                safe_close(fd);
                return r == -ENOENT ? 0 : r;
        }
        while (r == 0 && (errno = 0, entry = readdir(d)))
                if (is_temporary(entry->d_name, name) && unlinkat(fd, entry->d_name, 0) < 0 && errno != ENOENT)
                        r = -errno;
        if (r == 0 && errno != 0)
                r = -errno;
        (void) closedir(d);
        return r;
}

int write_file_new(int dir_fd, const char *path, const void *data, size_t size, mode_t mode) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        int r;

        if (fd < 0)
                return -errno;
        r = write_all(fd, data, size);
        return r < 0 ? r : fchmod(fd, mode) < 0 ? -errno : 0;
}

int mkdir_parents(int dir_fd, const char *path, mode_t mode) {
        _cleanup_free_ char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        for (char *p = copy + strspn(copy, "/"); *p; p += strspn(p, "/")) {
                char saved;

                p += strcspn(p, "/");
                saved = *p;
                *p = '\0';
                if (mkdirat(dir_fd, copy, mode) < 0) {
                        struct stat st;
                        int error = errno;

                        /* mkdir() of an existing directory says EEXIST, of a read-only mount point EROFS. */
                        if (fstatat(dir_fd, copy, &st, 0) < 0)
                                return -error;
                        if (!S_ISDIR(st.st_mode))
                                return -ENOTDIR;
                }
                *p = saved;
        }
        return 0;
}

static int remove_children(int fd) {
        DIR *d = fdopendir(fd);
        struct dirent *entry;
        int r = 0;

        if (!d) {
                (void) close(fd);
                return -errno;
        }
        while (r == 0 && (errno = 0, entry = readdir(d))) {
                if (streq(entry->d_name, ".") || streq(entry->d_name, ".."))
                        continue;
                r = remove_tree(dirfd(d), entry->d_name);
        }
        if (r == 0 && errno != 0)
                r = -errno;
        (void) closedir(d);
        return r;
}

int remove_tree(int dir_fd, const char *path) {
        int fd, r;

        if (unlinkat(dir_fd, path, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return -errno;
        fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        (void) fchmod(fd, 0700);
        r = remove_children(fd);
        if (r < 0)
                return r;
        return unlinkat(dir_fd, path, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int make_temp_dir(const char *parent, const char *prefix, char **ret) {
        _cleanup_free_ char *path = format("%s/%sXXXXXX", parent, prefix);

        if (!path)
                return -ENOMEM;
        if (!mkdtemp(path))
                return -errno;
        *ret = TAKE_PTR(path);
        return 0;
}

int copy_bytes(int in, int out) {
        _cleanup_free_ char *buffer = NULL;

        if (ioctl(out, FICLONE, in) == 0)
                return 0;
        for (;;) {
                ssize_t n = copy_file_range(in, NULL, out, NULL, (size_t) 1 << 30, 0);

                if (n == 0)
                        return 0;
                if (n > 0)
                        continue;
                if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP && errno != EBADF)
                        return -errno;
                break;
        }
        buffer = malloc(1 << 20);
        if (!buffer)
                return -ENOMEM;
        for (;;) {
                ssize_t n = read(in, buffer, 1 << 20);
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                r = write_all(out, buffer, (size_t) n);
                if (r < 0)
                        return r;
        }
}

int free_space(const char *path, uint64_t *ret) {
        struct statvfs s;

        if (statvfs(path, &s) < 0)
                return -errno;
        *ret = (uint64_t) s.f_bavail * s.f_frsize;
        return 0;
}

static unsigned lock_timeout_sec;

void lock_set_timeout(unsigned seconds) {
        lock_timeout_sec = seconds;
}

static void interrupt_only(int signal) {
}

/* The alarm goes on ringing: the first may come before the wait begins. */
static int wait_for_lock(int fd) {
        struct sigaction act = { .sa_handler = interrupt_only }, old;
        struct itimerval timer = { .it_value.tv_sec = (time_t) lock_timeout_sec, .it_interval.tv_usec = 100000 }, none = {};
        int r;

        if (sigaction(SIGALRM, &act, &old) < 0 || setitimer(ITIMER_REAL, &timer, NULL) < 0)
                return -errno;
        r = flock(fd, LOCK_EX) < 0 ? -errno : 0;
        (void) setitimer(ITIMER_REAL, &none, NULL);
        (void) sigaction(SIGALRM, &old, NULL);
        return r == -EINTR ? -EWOULDBLOCK : r;
}

int lock_fd(int fd) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
                return 0;
        return errno == EWOULDBLOCK && lock_timeout_sec > 0 ? wait_for_lock(fd) : -errno;
}

int lock_file(int dir_fd, const char *path) {
        for (;;) {
                _cleanup_close_ int fd = openat(dir_fd, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
                int r = fd < 0 ? -errno : lock_fd(fd);
                struct stat st;

                if (r < 0)
                        return r;
                if (fstat(fd, &st) < 0)
                        return -errno;
                if (st.st_nlink > 0) /* else whoever had it has removed it since it was opened */
                        return TAKE_FD(fd);
        }
}
