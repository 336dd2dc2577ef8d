/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a node: absolute paths, resolved as a process in the root would resolve them. */
#include <dirent.h>
#include <fcntl.h>

#include "basic/fs.h"
#include "node/node.h"

#define LINKS_MAX 16

int node_open_file(Node *n, const char *path) {
        _cleanup_close_ int fd = open_in_root(n->root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        struct stat st;

        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        return S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) ? -EINVAL : TAKE_FD(fd);
}

int node_read(Node *n, const char *path, size_t max, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = node_open_file(n, path);

        return fd < 0 ? fd : read_fd(fd, max, ret, ret_size);
}

int node_read_head(Node *n, const char *path, size_t max, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = node_open_file(n, path);
        _cleanup_free_ char *data = NULL;
        size_t size = 0;

        if (fd < 0)
                return fd;
        data = malloc(max + 1);
        if (!data)
                return -ENOMEM;
        while (size < max) {
                ssize_t k = read(fd, data + size, max - size);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                if (k == 0)
                        break;
                size += (size_t) k;
        }
        data[size] = '\0';
        *ret = TAKE_PTR(data);
        if (ret_size)
                *ret_size = size;
        return 0;
}

int node_stat(Node *n, const char *path, struct stat *ret) {
        _cleanup_close_ int fd = open_in_root(n->root_fd, path, O_PATH | O_CLOEXEC);

        if (fd < 0)
                return fd;
        return fstat(fd, ret) < 0 ? -errno : 0;
}

bool node_exists(Node *n, const char *path) {
        struct stat st;

        return node_stat(n, path, &st) >= 0;
}

/* The directory that holds path's last component, and that component (a part of path). */
static int open_directory_of(Node *n, const char *path, const char **ret_name) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *directory = NULL;
        int fd;

        if (!slash || !slash[1])
                return -EINVAL;
        directory = slash == path ? strdup("/") : strndup(path, (size_t) (slash - path));
        if (!directory)
                return -ENOMEM;
        fd = open_in_root(n->root_fd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
                *ret_name = slash + 1;
        return fd;
}

int node_readlink(Node *n, const char *path, char **ret) {
        const char *name;
        _cleanup_close_ int fd = open_directory_of(n, path, &name);

        return fd < 0 ? fd : read_link_at(fd, name, ret);
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* A folder may have any number of names, so that appending has to cost the same each time. */
static int read_names(DIR *d, char ***names, size_t *n) {
        size_t room = 0;

        for (;;) {
                struct dirent *entry;

                errno = 0;
                entry = readdir(d);
                if (!entry)
                        return -errno;
                if (streq(entry->d_name, ".") || streq(entry->d_name, ".."))
                        continue;
                if (*n + 2 > room) {
                        char **grown = reallocarray(*names, room = MAX(room * 2, (size_t) 16), sizeof(char *));

                        if (!grown)
                                return -ENOMEM;
                        *names = grown;
                }
                (*names)[*n + 1] = NULL;
                (*names)[*n] = strdup(entry->d_name);
                if (!(*names)[(*n)++])
                        return -ENOMEM;
        }
}

int node_list(Node *n, const char *path, char ***ret) {
        char **names = NULL;
        size_t count = 0;
        int fd, r;
        DIR *d;

        fd = open_in_root(n->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd == -ENOENT || fd == -ENOTDIR) {
                *ret = NULL;
                return 0;
        }
        if (fd < 0)
                return fd;
        d = fdopendir(fd);
        if (!d) {
                r = -errno;
                (void) safe_close(fd);
                return r;
        }
        r = read_names(d, &names, &count);
        (void) closedir(d);
        if (r < 0) {
                strv_free(names);
                return r;
        }
        if (names)
                qsort(names, count, sizeof(char *), compare_names);
        *ret = names;
        return 0;
}

/* Follows path's last component while it is a symbolic link: a file is replaced, never the link that names it. */
static int resolve_last(Node *n, const char *path, char **ret) {
        _cleanup_free_ char *current = strdup(path);

        for (unsigned i = 0; i < LINKS_MAX; i++) {
                _cleanup_free_ char *target = NULL;
                char *next;
                int r;

                if (!current)
                        return -ENOMEM;
                r = node_readlink(n, current, &target);
                if (r == -EINVAL || r == -ENOENT) {
                        *ret = TAKE_PTR(current);
                        return 0;
                }
                if (r < 0)
                        return r;
                if (target[0] == '/')
                        next = TAKE_PTR(target);
                else {
                        char *slash = strrchr(current, '/');

                        slash[0] = '\0';
                        next = format("%s/%s", current, target);
                }
                free(current);
                current = next;
        }
        return -ELOOP;
}

static int make_directories(Node *n, const char *path) {
        for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
                _cleanup_free_ char *directory = strndup(path, (size_t) (p - path));
                _cleanup_close_ int fd = -1;
                const char *name;

                if (!directory)
                        return -ENOMEM;
                if (node_exists(n, directory))
                        continue;
                fd = open_directory_of(n, directory, &name);
                if (fd < 0)
                        return fd;
                if (mkdirat(fd, name, 0755) < 0 && errno != EEXIST)
                        return -errno;
                if (fsync(fd) < 0)
                        return -errno;
        }
        return 0;
}

int node_write(Node *n, const char *path, const void *data, size_t size, mode_t mode) {
        _cleanup_free_ char *file = NULL;
        _cleanup_close_ int fd = -1;
        const char *name;
        struct stat st;
        bool exists;
        int r;

        r = make_directories(n, path);
        if (r < 0)
                return r;
        r = resolve_last(n, path, &file);
        if (r < 0)
                return r;
        fd = open_directory_of(n, file, &name);
        if (fd < 0)
                return fd;
        exists = fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0;
        if (exists && !S_ISREG(st.st_mode))
                return -EEXIST;
        if (!exists)
                return write_file_atomic(fd, name, data, size, mode);
        return write_file_atomic_as(fd, name, data, size, st.st_mode & 07777, st.st_uid != geteuid() ? st.st_uid : (uid_t) -1,
                                    st.st_gid != getegid() ? st.st_gid : (gid_t) -1);
}

int node_make_file(Node *n, const char *path, mode_t mode) {
        _cleanup_close_ int directory = -1;
        const char *name;
        int r, fd;

        r = make_directories(n, path);
        if (r < 0)
                return r;
        directory = open_directory_of(n, path, &name);
        if (directory < 0)
                return directory;
        fd = openat(directory, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, mode);
        return fd < 0 ? -errno : fd;
}

static int sync_at(int directory, const char *name) {
        _cleanup_close_ int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        struct stat st;

        if (fd < 0)
                return errno == ENOENT || errno == ELOOP || errno == ENXIO ? 0 : -errno; /* a link is part of its directory */
        if (fstat(fd, &st) < 0)
                return -errno;
        return S_ISREG(st.st_mode) && fsync(fd) < 0 ? -errno : 0;
}

int node_sync(Node *n, const char *path) {
        _cleanup_free_ char *file = NULL;
        _cleanup_close_ int fd = -1;
        const char *name;
        int r;

        r = resolve_last(n, path, &file);
        if (r < 0)
                return r == -ENOENT || r == -ENOTDIR ? 0 : r;
        fd = open_directory_of(n, file, &name);
        if (fd < 0)
                return fd == -ENOENT || fd == -ENOTDIR ? 0 : fd;
        r = sync_at(fd, name);
        return r < 0 ? r : fsync(fd) < 0 ? -errno : 0;
}

int node_sync_directory(Node *n, const char *path) {
        _cleanup_strv_ char **names = NULL;
        _cleanup_close_ int fd = open_in_root(n->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (fd < 0)
                return fd == -ENOENT || fd == -ENOTDIR ? 0 : fd;
        r = node_list(n, path, &names);
        STRV_FOREACH(name, names)
                r = r < 0 ? r : sync_at(fd, *name);
        return r < 0 ? r : fsync(fd) < 0 ? -errno : 0;
}

static int remove_at(Node *n, const char *path, int flags) {
        const char *name;
        _cleanup_close_ int fd = open_directory_of(n, path, &name);

        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        if (unlinkat(fd, name, flags) < 0)
                return errno == ENOENT ? 0 : -errno;
        return fsync(fd) < 0 ? -errno : 0;
}

int node_remove(Node *n, const char *path) {
        return remove_at(n, path, 0);
}

int node_sweep(Node *n, const char *directory, const char *name) {
        _cleanup_strv_ char **files = NULL;
        int r;

        r = node_list(n, directory, &files);
        STRV_FOREACH(file, files) {
                _cleanup_free_ char *path = NULL;

                if (r < 0 || !is_temporary(*file, name))
                        continue;
                path = format("%s/%s", directory, *file);
                r = path ? node_remove(n, path) : -ENOMEM;
        }
        return r;
}

int node_remove_directory(Node *n, const char *path) {
        int r = remove_at(n, path, AT_REMOVEDIR);

        return r == -ENOTEMPTY || r == -EEXIST ? 0 : r;
}

int node_rename(Node *n, const char *from, const char *to) {
        const char *from_name = NULL, *to_name = NULL;
        _cleanup_close_ int from_fd = open_directory_of(n, from, &from_name), to_fd = open_directory_of(n, to, &to_name);

        if (from_fd < 0)
                return from_fd;
        if (to_fd < 0)
                return to_fd;
        if (renameat(from_fd, from_name, to_fd, to_name) < 0)
                return -errno;
        return fsync(to_fd) < 0 ? -errno : 0;
}
