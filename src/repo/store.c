/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/store.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/digest.h"
#include "basic/fs.h"
#include "basic/strings.h"

#define REJECTED_NAME_MAX 150

static const char *const directories[] = { "sha256", "partial", "rejected" };

Store *store_free(Store *s) {
        if (!s)
                return NULL;
        safe_close(s->lock_fd);
        safe_close(s->fd);
        free(s->path);
        free(s);
        return NULL;
}

int store_open(const char *workspace, bool create, Store **ret, Error *e) {
        _cleanup_(store_freep) Store *s = calloc(1, sizeof(Store));
        int r;

        if (!s)
                return error_oom(e);
        s->fd = s->lock_fd = -1;
        s->path = path_join(workspace, "store");
        if (!s->path)
                return error_oom(e);
        for (size_t i = 0; create && i < ELEMENTSOF(directories); i++) {
                _cleanup_free_ char *path = path_join(s->path, directories[i]);

                if (!path)
                        return error_oom(e);
                r = mkdir_parents(AT_FDCWD, path, 0755);
                if (r < 0)
                        return error_errno(e, -r, "%s: cannot make this directory", path);
        }
        s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s->fd < 0) {
                r = error_errno(e, errno, "%s", s->path);
                return error_hint(e, r, "Fill the store with 'gn8v-tee-repo fetch', or name its workspace with -C");
        }
        *ret = TAKE_PTR(s);
        return 0;
}

int store_lock(Store *s, Error *e) {
        int fd = lock_file(s->fd, "lock");

        if (fd == -EWOULDBLOCK) {
                fd = error_set(e, EWOULDBLOCK, EXIT_LOCKED, "%s/lock: another gn8v-tee-repo is at work in this workspace", s->path);
                return error_hint(e, fd, "Wait for it to end (--lock-timeout=SECONDS does), or work in another workspace (-C DIR)");
        }
        if (fd < 0)
                return error_errno(e, -fd, "%s/lock: cannot take the lock", s->path);
        s->lock_fd = fd;
        return 0;
}

/* Removes the files of one directory whose content is not what they are called. */
static int check_directory(const Store *s, const char *name, Error *e) {
        _cleanup_free_ char *path = path_join("sha256", name);
        struct dirent *entry;
        int fd, r = 0;
        DIR *d;

        if (!path)
                return error_oom(e);
        fd = openat(s->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || !(d = fdopendir(fd))) {
                r = error_errno(e, errno, "%s/%s", s->path, path);
                safe_close(fd);
                return r;
        }
        while (r >= 0 && (entry = readdir(d))) {
                char hex[SHA256_HEX_SIZE];

                if (entry->d_name[0] != '.' && (sha256_file(dirfd(d), entry->d_name, hex) < 0 || !streq(hex, entry->d_name)) &&
                    unlinkat(dirfd(d), entry->d_name, 0) < 0)
                        r = error_errno(e, errno, "%s/%s/%s", s->path, path, entry->d_name);
        }
        (void) closedir(d);
        return r;
}

static int check_all(const Store *s, Error *e) {
        for (unsigned i = 0; i < 256; i++) {
                _cleanup_free_ char *name = format("%02x", i), *path = name ? path_join("sha256", name) : NULL;
                int r;

                if (!path)
                        return error_oom(e);
                if (faccessat(s->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 && (r = check_directory(s, name, e)) < 0)
                        return r;
        }
        return 0;
}

int store_scratch(Store *s, Error *e) {
        _cleanup_free_ char *boot = NULL, *known = NULL;
        int r;

        /* Without a boot's name every file is read again each time. */
        if (read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 128, &boot, NULL) < 0)
                return check_all(s, e);
        s->is_scratch = true;
        if (read_file(s->fd, ".boot", 128, &known, NULL) >= 0 && streq(known, boot))
                return 0;
        if ((r = check_all(s, e)) < 0)
                return r;
        r = write_file_atomic(s->fd, ".boot", boot, strlen(boot), 0644);
        return r < 0 ? error_errno(e, -r, "%s/.boot", s->path) : 0;
}

static char *name_of(const char *hex) {
        return format("sha256/%.2s/%s", hex, hex);
}

char *store_path(const Store *s, const char *hex) {
        return format("%s/sha256/%.2s/%s", s->path, hex, hex);
}

int store_size(const Store *s, const char *hex, uint64_t *ret) {
        _cleanup_free_ char *name = NULL;
        struct stat st;

        if (!sha256_is_valid(hex))
                return -EINVAL;
        name = name_of(hex);
        if (!name)
                return -ENOMEM;
        if (fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -ENOENT;
        *ret = (uint64_t) st.st_size;
        return 0;
}

bool store_has(const Store *s, const char *hex) {
        uint64_t size;

        return store_size(s, hex, &size) >= 0;
}

int store_open_file(const Store *s, const char *hex, Error *e) {
        _cleanup_free_ char *name = NULL;
        int fd, r;

        if (!sha256_is_valid(hex))
                return error_set(e, EINVAL, EXIT_INVALID, "%s: not a SHA-256 digest", hex);
        name = name_of(hex);
        if (!name)
                return error_oom(e);
        fd = openat(s->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) {
                r = error_errno(e, errno, "%s/%s", s->path, name);
                return error_hint(e, r, "Run 'gn8v-tee-repo fetch'");
        }
        return fd;
}

static char *partial_name(const char *name) {
        return path_join("partial", name);
}

char *store_partial_path(const Store *s, const char *name) {
        return format("%s/partial/%s", s->path, name);
}

int store_partial_open(Store *s, const char *name, uint64_t *ret_size, Error *e) {
        _cleanup_free_ char *path = partial_name(name);
        _cleanup_close_ int fd = -1;
        off_t end;

        if (!path)
                return error_oom(e);
        fd = openat(s->fd, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return error_errno(e, errno, "%s/%s: cannot write this file", s->path, path);
        end = lseek(fd, 0, SEEK_END);
        if (end < 0)
                return error_errno(e, errno, "%s/%s", s->path, path);
        *ret_size = (uint64_t) end;
        return TAKE_FD(fd);
}

int store_partial_remove(Store *s, const char *name) {
        _cleanup_free_ char *path = partial_name(name);

        if (!path)
                return -ENOMEM;
        return unlinkat(s->fd, path, 0) < 0 && errno != ENOENT ? -errno : 0;
}

uint64_t store_partial_size(const Store *s, const char *name) {
        _cleanup_free_ char *path = partial_name(name);
        struct stat st;

        return path && fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) ? (uint64_t) st.st_size : 0;
}

int store_insert(Store *s, const char *name, int fd, const char *hex, Error *e) {
        _cleanup_free_ char *from = partial_name(name), *to = name_of(hex), *dir = format("sha256/%.2s", hex);
        int r;

        if (!from || !to || !dir)
                return error_oom(e);
        if (mkdirat(s->fd, dir, 0755) < 0 && errno != EEXIST)
                return error_errno(e, errno, "%s/%s: cannot make this directory", s->path, dir);
        if (fchmod(fd, 0444) < 0 || (!s->is_scratch && fsync(fd) < 0))
                return error_errno(e, errno, "%s/%s", s->path, from);
        if (renameat(s->fd, from, s->fd, to) < 0)
                return error_errno(e, errno, "%s/%s: cannot move it to %s", s->path, from, to);
        if (s->is_scratch)
                return 0;
        /* The file's name is in DIR, and DIR's in sha256/: both must survive a crash. */
        r = fsync_parent(s->fd, to);
        if (r >= 0)
                r = fsync_parent(s->fd, dir);
        return r < 0 ? error_errno(e, -r, "%s/%s", s->path, to) : 0;
}

/* A file name that came from a URL, made fit for a directory listing and a shell: nothing but letters, digits and "._+-". */
static char *clean_name(const char *filename) {
        char *s = strndup(filename && *filename ? filename : "file", REJECTED_NAME_MAX);

        for (char *p = s; p && *p; p++)
                if (!isalnum((unsigned char) *p) && (!strchr("._+-", *p) || (p == s && *p != '_')))
                        *p = '_';
        return s;
}

int store_reject(Store *s, const char *name, const char *filename, const char *hex, char **ret_path, Error *e) {
        _cleanup_free_ char *from = partial_name(name), *clean = clean_name(filename), *to = NULL, *path = NULL;

        if (!from || !clean)
                return error_oom(e);
        to = format("rejected/%s.%s", clean, hex);
        path = to ? path_join(s->path, to) : NULL;
        if (!path)
                return error_oom(e);
        if (renameat(s->fd, from, s->fd, to) < 0)
                return error_errno(e, errno, "%s/%s: cannot move it to %s", s->path, from, to);
        if (ret_path)
                *ret_path = TAKE_PTR(path);
        return 0;
}
