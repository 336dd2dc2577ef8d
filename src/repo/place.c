/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/place.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"

static int failed(const char *root, const char *path, int r, Error *e) {
        return error_errno(e, -r, "%s%s", root, path);
}

/* The directory that holds path, made if need be; *ret_name is the last component. Links are never followed. */
static int open_parent(int root_fd, const char *path, const char **ret_name, char **cache, int *cache_fd) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *dir = strndup(path + 1, slash > path ? (size_t) (slash - path - 1) : 0);
        int fd, r;

        if (!dir)
                return -ENOMEM;
        *ret_name = slash + 1;
        if (*cache && streq(*cache, dir))
                return 0;
        if (*dir && (r = mkdir_parents(root_fd, dir, 0755)) < 0)
                return r;
        fd = *dir ? open_beneath(root_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) : openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return *dir ? fd : -errno;
        *cache_fd = safe_close(*cache_fd);
        *cache_fd = fd;
        free(*cache);
        *cache = TAKE_PTR(dir);
        return 0;
}

static int write_new(int dir_fd, const char *name, mode_t mode, const char *text, size_t size, int from) {
        _cleanup_close_ int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        int r;

        if (fd < 0)
                return -errno;
        r = from >= 0 ? copy_bytes(from, fd) : write_all(fd, text, size);
        if (r < 0)
                return r;
        return fchmod(fd, mode) < 0 ? -errno : 0;
}

static int write_member(const Placement *q, const Stage *s, int dir_fd, const char *name) {
        _cleanup_free_ char *staged = stage_file(q->member);
        _cleanup_close_ int from = -1;

        if (!staged)
                return -ENOMEM;
        if (q->member->uses == 1) {
                /* chmod first: the staged file is ours alone, and no link. */
                if (fchmodat(stage_directory(s), staged, q->mode, 0) < 0 ||
                    renameat2(stage_directory(s), staged, dir_fd, name, 1 /* RENAME_NOREPLACE */) < 0)
                        return -errno;
                return 0;
        }
        from = openat(stage_directory(s), staged, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (from < 0)
                return -errno;
        return write_new(dir_fd, name, q->mode, NULL, 0, from);
}

static int write_one(const Placement *q, const Stage *s, int dir_fd, const char *name, int archive_fd) {
        switch (q->kind) {
        case PLACE_DIRECTORY:
                if (mkdirat(dir_fd, name, 0755) < 0 && errno != EEXIST)
                        return -errno;
                return fchmodat(dir_fd, name, q->mode, 0) < 0 ? -errno : 0;
        case PLACE_LINK:
                return symlinkat(q->target, dir_fd, name) < 0 ? -errno : 0;
        case PLACE_TEXT:
                return write_new(dir_fd, name, q->mode, q->text, q->text_size, -1);
        case PLACE_ARCHIVE:
                if (lseek(archive_fd, 0, SEEK_SET) < 0)
                        return -errno;
                return write_new(dir_fd, name, q->mode, NULL, 0, archive_fd);
        case PLACE_MEMBER:
                return write_member(q, s, dir_fd, name);
        }
        return -EINVAL;
}

int place_write(const Plan *p, const Stage *s, int root_fd, const char *root, int archive_fd, Error *e) {
        _cleanup_free_ char *cache = NULL;
        _cleanup_close_ int dir_fd = -1;
        int r;

        for (size_t i = 0; i < p->n; i++) {
                const char *name;

                r = open_parent(root_fd, p->v[i].path, &name, &cache, &dir_fd);
                if (r >= 0)
                        r = write_one(&p->v[i], s, dir_fd, name, archive_fd);
                if (r == -EEXIST)
                        return error_hint(e, failed(root, p->v[i].path, r, e), "give an empty build root");
                if (r < 0)
                        return failed(root, p->v[i].path, r, e);
        }
        return 0;
}

/* rpm expands macros and globs in a list, even between quotes, and then takes "%caps(...)" anywhere in the line for a directive: what is
 * special becomes '?', which matches the very character. A pattern is split at blanks and quotes by rpm 4.14, so that these are special, too,
 * when there is one. */
static void append_path(Text *t, const char *path) {
        const char *special = strpbrk(path, "%*?[]{}\\") ? "%*?[]{}\\ '" : "";

        for (; *path; path++)
                text_append_n(t, strchr(special, *path) ? "?" : path, 1);
}

char *place_list(const Plan *p, const char *package) {
        _cleanup_text_ Text t = {};

        for (size_t i = 0; i < p->n; i++) {
                const Placement *q = &p->v[i];

                if (!streq(q->package, package))
                        continue;
                if (q->kind == PLACE_DIRECTORY)
                        text_append(&t, "%dir ");
                if (q->licence)
                        text_append(&t, "%license ");
                else if (q->documentation)
                        text_append(&t, "%doc ");
                if (q->config)
                        text_append(&t, "%config(noreplace) ");
                if (q->kind == PLACE_LINK) /* a mode means nothing on a link, and rpm says so */
                        text_append(&t, "%attr(-, root, root) \"");
                else
                        text_printf(&t, "%%attr(%04o, root, root) \"", (unsigned) q->mode);
                append_path(&t, q->path);
                text_append(&t, "\"\n");
        }
        return text_take(&t);
}

int place_lists(const Plan *p, const char *const *packages, const char *lists, Error *e) {
        int r = mkdir_parents(AT_FDCWD, lists, 0755);

        if (r < 0)
                return error_errno(e, -r, "%s", lists);
        for (; *packages; packages++) {
                _cleanup_free_ char *text = place_list(p, *packages), *path = format("%s/%s.list", lists, *packages);

                if (!text || !path)
                        return error_oom(e);
                if ((r = write_file_atomic(AT_FDCWD, path, text, strlen(text), 0644)) < 0)
                        return error_errno(e, -r, "%s", path);
        }
        return 0;
}

static uint64_t placement_size(const Placement *q, int archive_fd) {
        struct stat st;

        if (q->kind == PLACE_MEMBER)
                return q->member->size;
        if (q->kind == PLACE_TEXT)
                return q->text_size;
        if (q->kind == PLACE_ARCHIVE && archive_fd >= 0 && fstat(archive_fd, &st) == 0)
                return (uint64_t) st.st_size;
        return 0;
}

static int describe_one(const Placement *q, int archive_fd, WrapFile *f, Error *e) {
        int r = 0;

        f->package = q->package;
        f->mode = q->mode;
        f->kind = q->kind == PLACE_DIRECTORY ? WRAP_DIRECTORY : q->kind == PLACE_LINK ? WRAP_LINK : WRAP_FILE;
        f->size = placement_size(q, archive_fd);
        if (!(f->path = strdup(q->path)) || (q->target && !(f->target = strdup(q->target))))
                return error_oom(e);
        if (q->kind == PLACE_MEMBER)
                memcpy(f->sha256, q->member->sha256, SHA256_HEX_SIZE);
        else if (q->kind == PLACE_TEXT)
                r = sha256_buffer(q->text, q->text_size, f->sha256);
        else if (q->kind == PLACE_ARCHIVE)
                r = lseek(archive_fd, 0, SEEK_SET) < 0 ? -errno : sha256_fd(archive_fd, f->sha256);
        return r < 0 ? error_errno(e, -r, "%s", q->path) : 0;
}

int place_describe(const Plan *p, int archive_fd, WrapList **ret, Error *e) {
        _cleanup_(wrap_list_freep) WrapList *l = calloc(1, sizeof(WrapList));
        int r;

        if (!l || !(l->files = calloc(p->n + 1, sizeof(WrapFile))))
                return error_oom(e);
        for (size_t i = 0; i < p->n; i++)
                if ((r = describe_one(&p->v[i], archive_fd, &l->files[l->n_files++], e)) < 0)
                        return r;
        *ret = TAKE_PTR(l);
        return 0;
}

void place_summary(Plan *p, int archive_fd, WrapSummary *ret) {
        *ret = (WrapSummary){ .dropped = p->dropped, .warnings = TAKE_PTR(p->warnings) };
        for (size_t i = 0; i < p->n; i++) {
                ret->bytes += placement_size(&p->v[i], archive_fd);
                if (p->v[i].kind == PLACE_DIRECTORY)
                        ret->directories++;
                else if (p->v[i].kind == PLACE_LINK)
                        ret->links++;
                else
                        ret->files++;
        }
}
