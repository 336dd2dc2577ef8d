/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/repository-dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "repo/rpm-file.h"
#include "repo/signed-store.h"
#include "repo/sync.h"

#define DEPTH_MAX     16
#define EXCHANGES_MAX 5

int repository_link_metadata(Repository *r, unsigned keep, Error *e) {
        for (size_t i = 0, first = r->n_generations > keep - 1 ? r->n_generations - (keep - 1) : 0; first + i < r->n_generations; i++) {
                const Generation *g = r->generations[first + i];

                STRV_FOREACH(s, g->metadata) {
                        _cleanup_free_ char *from = format("generations/%" PRIu64 "/%s", g->number, *s), *to = format(STAGE "/repodata/%s", *s);

                        if (!from || !to)
                                return error_oom(e);
                        if (linkat(r->fd, from, r->fd, to, 0) < 0 && errno != EEXIST && errno != ENOENT)
                                return error_errno(e, errno, "%s/%s", r->path, from);
                }
        }
        return 0;
}

int repository_sync(Repository *r, Error *e) {
        _cleanup_free_ char *name = path_join(r->path, STAGE);
        return name ? sync_tree(r->stage_fd, name, e) : error_oom(e);
}

static int sync_dir(Repository *r, const char *path, Error *e) {
        _cleanup_close_ int fd = openat(r->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0 || fsync(fd) < 0)
                return error_errno(e, errno, "%s/%s", r->path, path);
        return 0;
}

/* A directory, and all above it that may be new. */
static int sync_parents(Repository *r, const char *path, Error *e) {
        _cleanup_free_ char *dir = strdup(path);
        int k;

        if (!dir)
                return error_oom(e);
        for (char *slash;; *slash = '\0') {
                if ((k = sync_dir(r, dir, e)) < 0)
                        return k;
                if (!(slash = strrchr(dir, '/')))
                        return 0; /* the top is synced before the switch */
        }
}

/* The directory that a package goes to, its parents included; "." for the top. */
static int make_parents(Repository *r, const char *href, char **ret, Error *e) {
        const char *slash_at = strrchr(href, '/');
        _cleanup_free_ char *dir = slash_at ? strndup(href, (size_t) (slash_at - href)) : strdup(".");
        bool slash = slash_at;
        int k = 0;

        if (!dir)
                return error_oom(e);
        for (char *p = slash ? strchr(dir, '/') : NULL; k >= 0 && p; p = strchr(p + 1, '/')) {
                *p = '\0';
                k = repository_make_dir(r, dir, e);
                *p = '/';
        }
        if (k >= 0 && slash)
                k = repository_make_dir(r, dir, e);
        if (k >= 0)
                *ret = TAKE_PTR(dir);
        return k;
}

static int place_packages(Repository *r, const Generation *g, Error *e) {
        _cleanup_free_ char *last = NULL;
        int k;

        for (size_t i = 0; i < g->n_packages; i++) {
                const PublishedPackage *p = g->packages[i];
                _cleanup_free_ char *from = NULL, *dir = NULL;

                if (!p->staged)
                        continue;
                if (!(from = format(STAGE "/packages/%s", p->stage ? p->stage : p->file)))
                        return error_oom(e);
                if ((k = make_parents(r, p->href, &dir, e)) < 0)
                        return k;
                if (renameat(r->fd, from, r->fd, p->href) < 0)
                        return error_errno(e, errno, "%s/%s", r->path, p->href);
                /* They are sorted: one directory's come one after the other. */
                if (last && !streq(last, dir) && (k = sync_parents(r, last, e)) < 0)
                        return k;
                free(last);
                last = TAKE_PTR(dir);
        }
        return last ? sync_parents(r, last, e) : 0;
}

static int place_generation(Repository *r, const Generation *g, Error *e) {
        _cleanup_free_ char *to = format("generations/%" PRIu64, g->number);
        int k;

        if (!to)
                return error_oom(e);
        if ((k = sync_dir(r, STAGE "/generation", e)) < 0 || (k = sync_dir(r, STAGE "/repodata", e)) < 0 || (k = repository_make_dir(r, "generations", e)) < 0)
                return k;
        /* One of this number is there when an older state is imported again: it stays whole, in the staging area, until all is done. */
        if (renameat2(r->fd, STAGE "/generation", r->fd, to, RENAME_NOREPLACE) < 0 &&
            (errno != EEXIST || renameat2(r->fd, STAGE "/generation", r->fd, to, RENAME_EXCHANGE) < 0))
                return error_errno(e, errno, "%s/%s", r->path, to);
        return 0;
}

/* A generation that was placed but not switched to, taken back. */
static void unplace_generation(Repository *r, const Generation *g) {
        _cleanup_free_ char *path = format("generations/%" PRIu64, g->number);

        if (!path)
                return;
        if (renameat2(r->fd, STAGE "/generation", r->fd, path, RENAME_EXCHANGE) < 0)
                (void) remove_tree(r->fd, path); /* nothing was there before */
}

static bool is_named(Repository *r, const Generation *published, size_t first, const char *href) {
        if (published && generation_find_href(published, href))
                return true;
        for (size_t i = first; i < r->n_generations; i++)
                if (generation_find_href(r->generations[i], href))
                        return true;
        return false;
}

/* Directories of a package that are empty without it. */
static void remove_parents(Repository *r, const char *href) {
        _cleanup_free_ char *dir = strdup(href);

        for (char *slash; dir && (slash = strrchr(dir, '/'));) {
                *slash = '\0';
                if (streq(dir, "packages") || unlinkat(r->fd, dir, AT_REMOVEDIR) < 0)
                        return;
        }
}

/* Packages that were moved to their places, taken away again: no generation names them. */
static void unplace_packages(Repository *r, const Generation *g) {
        for (size_t i = 0; i < g->n_packages; i++) {
                const PublishedPackage *p = g->packages[i];

                if (!p->staged || is_named(r, NULL, 0, p->href))
                        continue;
                if (unlinkat(r->fd, p->href, 0) < 0 && errno != ENOENT)
                        r->cleaning = true; /* not even that: the next run */
                remove_parents(r, p->href);
        }
}

bool repository_has_sealed(const Repository *r, const PublishedPackage *p, int64_t build_time) {
        _cleanup_(rpm_file_freep) RpmFile *f = NULL;
        _cleanup_error_ Error ignored = ERROR_INIT;
        char hex[SHA256_HEX_SIZE];

        if (rpm_file_open(r->fd, p->href, &f, &ignored) < 0 || f->size != p->size || !streq(f->header_sha256, p->header_sha256))
                return false;
        if (file_is_sealed(f->fd, p->sha256))
                return true;
        if (lseek(f->fd, 0, SEEK_SET) < 0 || sha256_fd(f->fd, hex) < 0 || !streq(hex, p->sha256))
                return false;
        (void) file_seal(f->fd, build_time, p->sha256); /* else it is read again next time */
        return true;
}

/* In one step. Who opened repomd.xml in the very moment before finds its signature again, and then the step is done once more. */
static int exchange(Repository *r) {
        for (unsigned i = 0;; i++) {
                readers_wait(&r->readers, r->fd, STAGE "/repodata");
                if (renameat2(r->fd, STAGE "/repodata", r->fd, "repodata", RENAME_EXCHANGE) < 0)
                        return -errno;
                if (i == EXCHANGES_MAX || !readers_between(&r->readers) || renameat2(r->fd, STAGE "/repodata", r->fd, "repodata", RENAME_EXCHANGE) < 0)
                        return 0;
        }
}

int repository_switch(Repository *r, const Generation *g, Error *e) {
        int k;

        if ((k = place_packages(r, g, e)) < 0 || (k = place_generation(r, g, e)) < 0) {
                unplace_packages(r, g);
                return k;
        }
        if ((k = sync_dir(r, "generations", e)) < 0)
                ;
        else if (fsync(r->fd) < 0)
                k = error_errno(e, errno, "%s", r->path);
        else if (exchange(r) == 0)
                k = 0;
        else if (errno == ENOENT && renameat2(r->fd, STAGE "/repodata", r->fd, "repodata", RENAME_NOREPLACE) == 0)
                k = 0;
        else if (errno == EINVAL || errno == ENOSYS)
                k = error_hint(e, error_set(e, errno, EXIT_FAILED, "%s: this file system cannot exchange two directories in one step", r->path),
                               "publish to a local ext4, xfs, btrfs or tmpfs directory, and copy from there");
        else
                k = error_errno(e, errno, "%s/repodata", r->path);
        readers_end(&r->readers);
        if (k < 0) {
                unplace_generation(r, g);
                unplace_packages(r, g);
                return k;
        }
        return fsync(r->fd) < 0 || fsync(r->stage_fd) < 0 ? error_errno(e, errno, "%s", r->path) : 0;
}

/* What is never a package's directory. */
static bool is_reserved(const char *path) {
        return streq(path, "repodata") || streq(path, "generations");
}

/* What other links keep on the disk is not freed. */
static int remove_package(Repository *r, int dir_fd, const char *path, size_t *removed) {
        struct stat st;

        if (fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || unlinkat(dir_fd, path, 0) < 0)
                return -errno;
        if (st.st_nlink == 1)
                r->freed += (uint64_t) st.st_size;
        (*removed)++;
        return 0;
}

/* Package files of one directory, and below: packages/, or "" for the whole of a mirror, whose packages lie where its source has them. */
static int sweep(Repository *r, const Generation *published, size_t first, const char *path, unsigned depth, size_t *removed, Error *e) {
        int fd = openat(r->fd, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), k = 0;
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *d;

        if (!dir) {
                safe_close(fd);
                return fd < 0 && errno == ENOENT ? 0 : error_errno(e, errno, "%s/%s", r->path, path);
        }
        while (k >= 0 && (d = readdir(dir))) {
                _cleanup_free_ char *name = NULL;

                if (d->d_name[0] == '.')
                        continue;
                if (!(name = *path ? path_join(path, d->d_name) : strdup(d->d_name)))
                        k = error_oom(e);
                else if (repository_is_directory(fd, d)) {
                        if (depth == DEPTH_MAX || is_reserved(name))
                                continue;
                        k = sweep(r, published, first, name, depth + 1, removed, e);
                        (void) unlinkat(fd, d->d_name, AT_REMOVEDIR); /* if it is empty now */
                } else if (endswith(name, ".rpm") && !is_named(r, published, first, name)) {
                        k = remove_package(r, fd, d->d_name, removed);
                        if (k < 0)
                                k = error_errno(e, -k, "%s/%s", r->path, name);
                }
        }
        (void) closedir(dir);
        return k;
}

static bool is_kept_metadata(Repository *r, const Generation *published, size_t first, const char *name) {
        if (startswith(name, "repomd.xml") || streq(name, "metalink.xml") || strv_contains(published->metadata, name))
                return true;
        for (size_t i = first; i < r->n_generations; i++)
                if (strv_contains(r->generations[i]->metadata, name))
                        return true;
        return false;
}

/* Hard links in repodata/ of generations that are gone. */
static int sweep_metadata(Repository *r, const Generation *published, size_t first, Error *e) {
        int fd = openat(r->fd, "repodata", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), k = 0;
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *d;

        if (!dir) {
                k = error_errno(e, errno, "%s/repodata", r->path);
                safe_close(fd);
                return k;
        }
        while (k >= 0 && (d = readdir(dir)))
                if (!streq(d->d_name, ".") && !streq(d->d_name, "..") && !is_kept_metadata(r, published, first, d->d_name) && unlinkat(fd, d->d_name, 0) < 0)
                        k = error_errno(e, errno, "%s/repodata/%s", r->path, d->d_name);
        (void) closedir(dir);
        return k;
}

static bool has_generation(const Repository *r, const Generation *published, uint64_t number) {
        for (size_t i = 0; i < r->n_generations; i++)
                if (r->generations[i]->number == number)
                        return true;
        return published->number == number;
}

/* A generation that somebody removed leaves its packages, which no generation names; it shows by its metadata, or by a directory without a manifest. */
static int find_lost(Repository *r, const Generation *published, Error *e) {
        static const char *const places[] = { "repodata", STAGE "/repodata" };
        _cleanup_free_ uint64_t *numbers = NULL;
        size_t n = 0;
        int k = generations_list(r->fd, r->path, SIZE_MAX, &numbers, &n, e);

        for (size_t i = 0; k >= 0 && i < n; i++)
                if (!has_generation(r, published, numbers[i])) {
                        k = repository_retire(r, numbers[i], e);
                        r->unclean = true;
                }
        for (size_t i = 0; k >= 0 && !r->unclean && i < ELEMENTSOF(places); i++) {
                int fd = openat(r->fd, places[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                DIR *dir = fd < 0 ? NULL : fdopendir(fd);
                struct dirent *d;

                while (dir && (d = readdir(dir)))
                        r->unclean |= d->d_name[0] != '.' && !is_kept_metadata(r, published, 0, d->d_name);
                if (dir)
                        (void) closedir(dir);
                else
                        safe_close(fd);
        }
        return k;
}

/* Only then is every package file below the top ours to remove. */
static bool is_mirror(const Repository *r, const Generation *published) {
        if (generation_is_mirror(published))
                return true;
        for (size_t i = 0; i < r->n_generations; i++)
                if (generation_is_mirror(r->generations[i]))
                        return true;
        return false;
}

/* The packages of a generation that goes, as far as none that stays names them. */
static int drop_packages(Repository *r, const Generation *g, const Generation *published, size_t first, size_t *removed, Error *e) {
        _cleanup_free_ size_t *at = calloc(r->n_generations + 1, sizeof(*at));

        if (!at)
                return error_oom(e);
        for (size_t i = 0; i < g->n_packages; i++) {
                const char *href = g->packages[i]->href;
                int q;
                bool named = generation_walk_href(published, &at[r->n_generations], href) != NULL;

                for (size_t k = first; k < r->n_generations && !named; k++)
                        named = generation_walk_href(r->generations[k], &at[k], href) != NULL;
                if (named)
                        continue;
                if ((q = remove_package(r, r->fd, href, removed)) < 0 && q != -ENOENT)
                        return error_errno(e, -q, "%s/%s", r->path, href);
                remove_parents(r, href);
        }
        return 0;
}

int repository_clean(Repository *r, const Generation *published, unsigned keep, size_t *ret_removed, Error *e) {
        bool is_new = !r->current || published->number != r->current->number;
        size_t others = keep - (is_new ? 1 : 0), first = r->n_generations > others ? r->n_generations - others : 0, removed = 0;
        bool mirror;
        int k;

        if ((k = find_lost(r, published, e)) < 0)
                return k;
        /* All of them first, and for good: a generation that is kept has its packages. */
        for (size_t i = 0; i < r->n_generations; i++) {
                if (r->generations[i]->number == published->number || (i >= first && !(r->broken && r->generations[i] == r->current)))
                        continue;
                if ((k = repository_retire(r, r->generations[i]->number, e)) < 0)
                        return k;
                r->cleaning = true;
        }
        if ((first > 0 || r->broken) && (k = sync_dir(r, "generations", e)) < 0)
                return k;
        for (size_t i = 0; i < first; i++)
                if (r->generations[i]->number != published->number && (k = drop_packages(r, r->generations[i], published, first, &removed, e)) < 0)
                        return k;
        mirror = is_mirror(r, published);
        /* Only then can there be a file that no generation names. */
        if ((r->unclean || !r->current || mirror) && (k = sweep(r, published, first, mirror ? "" : "packages", 0, &removed, e)) < 0)
                return k;
        if ((k = sweep_metadata(r, published, first, e)) < 0)
                return k;
        k = remove_tree(r->fd, STAGE);
        if (k < 0)
                return error_errno(e, -k, "%s/" STAGE, r->path);
        r->stage_fd = safe_close(r->stage_fd);
        r->staged = r->cleaning = false;
        *ret_removed = removed;
        return 0;
}
