/* SPDX-License-Identifier: Apache-2.0 */
/* The repository's directory: made, locked, and left as it was when nothing came of it. */
#include "repo/repository-dir.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "basic/fs.h"

#define OPEN_TRIES 5

/* A run that has published nothing where nothing was published: what it made to begin with goes, as far as nothing else came to lie there. */
static void leave_nothing(Repository *r) {
        _cleanup_free_ char *dir = NULL;
        struct stat st;

        if (r->fd < 0 || !r->made_lock || fstatat(r->fd, "repodata/repomd.xml", &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
                return;
        (void) unlinkat(r->fd, ".lock", 0);
        for (dir = r->made ? strdup(r->path) : NULL; dir; ) {
                size_t n = strlen(dir);

                while (n > 1 && dir[n - 1] == '/')
                        n--;
                dir[n] = '\0';
                if (rmdir(dir) < 0 || streq(dir, r->made))
                        return;
                while (n > 0 && dir[n - 1] != '/')
                        n--;
                dir[n] = '\0';
        }
}

Repository *repository_free(Repository *r) {
        if (!r)
                return NULL;
        /* An unfinished run's staging area is useless; a finished one's is gone already. That it was there tells the next run that it has to clean up. */
        if (r->staged && remove_tree(r->fd, STAGE) >= 0 && (r->unclean || r->cleaning))
                (void) mkdirat(r->fd, STAGE, 0755);
        leave_nothing(r);
        readers_done(&r->readers);
        safe_close(r->stage_fd);
        safe_close(r->lock_fd);
        safe_close(r->fd);
        generations_free(r->generations, r->n_generations);
        strv_free(r->beside);
        free(r->cut);
        free(r->made);
        free(r->path);
        free(r);
        return NULL;
}

/* Whoever serves the repository must be able to read it, whatever our umask is; a directory that was there keeps its mode. */
int repository_make_dir(Repository *r, const char *path, Error *e) {
        if (mkdirat(r->fd, path, 0755) < 0)
                return errno == EEXIST ? 0 : error_errno(e, errno, "%s/%s", r->path, path);
        return fchmodat(r->fd, path, 0755, 0) < 0 ? error_errno(e, errno, "%s/%s", r->path, path) : 0;
}

/* The first directory of a path that is not there; NULL: all are, or out of memory. */
static char *first_missing(const char *path) {
        for (const char *p = path + strspn(path, "/"); *p; p += strspn(p, "/")) {
                _cleanup_free_ char *dir = NULL;

                p += strcspn(p, "/");
                dir = strndup(path, (size_t) (p - path));
                if (dir && access(dir, F_OK) < 0)
                        return TAKE_PTR(dir);
        }
        return NULL;
}

static int open_root(Repository *r, Error *e) {
        int k;

        r->made = first_missing(r->path);
        if ((k = mkdir_parents(AT_FDCWD, r->path, 0755)) == -EEXIST || k == -ENOTDIR)
                return error_hint(e, error_set(e, -k, EXIT_FAILED, "%s: it cannot be made: a file, or a link that leads nowhere, is in its place", r->path), "give another directory");
        if (k < 0)
                return error_errno(e, -k, "%s", r->path);
        r->fd = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (r->fd < 0 || (r->made && fchmod(r->fd, 0755) < 0))
                return error_errno(e, errno, "%s", r->path);
        return 0;
}

bool repository_is_directory(int fd, const struct dirent *d) {
        struct stat st;

        if (d->d_type != DT_UNKNOWN)
                return d->d_type == DT_DIR;
        return fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static bool holds_files(int fd, const char *name) {
        DIR *d = NULL;
        struct dirent *entry;
        bool found = false;
        int sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (sub >= 0 && !(d = fdopendir(sub)))
                (void) close(sub);
        while (d && !found && (entry = readdir(d)))
                found = !streq(entry->d_name, ".") && !streq(entry->d_name, "..");
        if (d)
                (void) closedir(d);
        return found;
}

int repository_refuse_foreign(const Repository *r, bool everything, Error *e) {
        DIR *d = NULL;
        struct dirent *entry;
        int fd, k = 0;

        if (r->current || r->unclean || r->unknown || r->n_generations > 0)
                return 0;
        fd = openat(r->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || !(d = fdopendir(fd))) {
                k = error_errno(e, errno, "%s", r->path);
                safe_close(fd);
                return k;
        }
        while (k == 0 && (entry = readdir(d))) {
                bool directory = repository_is_directory(fd, entry) && !strv_contains((char *[]) { (char *) ".", (char *) "..", (char *) STAGE, (char *) ".mirror", NULL }, entry->d_name);

                if (everything ? (directory && holds_files(fd, entry->d_name)) || endswith(entry->d_name, ".rpm")
                               : directory && streq(entry->d_name, "packages") && holds_files(fd, "packages"))
                        k = error_hint(e, error_set(e, EEXIST, EXIT_FAILED, "%s/%s: it was there before, and not published by gn8v-tee-repo", r->path, entry->d_name),
                                       "give another directory, or an empty one: what no state names is removed there");
        }
        (void) closedir(d);
        return k;
}

int repository_refuse_unknown(const Repository *r, Error *e) {
        return error_hint(e, error_set(e, EEXIST, EXIT_FAILED, "%s: its metadata was not published by gn8v-tee-repo", r->path), "give another directory");
}

static bool has(const Repository *r, const char *name) {
        struct stat st;
        return fstatat(r->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Of a directory that none of our runs was ever in: before the first byte is written there. */
static int refuse_untouched(const Repository *r, Error *e) {
        if (has(r, "generations") || has(r, STAGE) || has(r, ".lock"))
                return 0;
        return has(r, "repodata/repomd.xml") ? repository_refuse_unknown(r, e) : repository_refuse_foreign(r, false, e);
}

static int lock(Repository *r, Error *e) {
        struct stat st;

        r->made_lock = fstatat(r->fd, ".lock", &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
        r->lock_fd = lock_file(r->fd, ".lock");
        if (r->lock_fd < 0)
                r->made_lock = false;
        if (r->lock_fd == -EWOULDBLOCK)
                return error_hint(e, error_set(e, EWOULDBLOCK, EXIT_LOCKED, "%s: somebody else is publishing to it", r->path), "try again when that run has ended, or wait for it: gn8v-tee-repo --lock-timeout=SECONDS");
        return r->lock_fd < 0 && r->lock_fd != -ENOENT ? error_errno(e, -r->lock_fd, "%s/.lock", r->path) : 0;
}

/* The directory, locked. While it was waited for, a run that left nothing may have removed it. */
static int open_locked(Repository *r, Error *e) {
        int k;

        for (unsigned i = 0; i < OPEN_TRIES; i++) {
                r->fd = safe_close(r->fd);
                free(TAKE_PTR(r->made));
                if ((k = open_root(r, e)) < 0 || (k = refuse_untouched(r, e)) < 0 || (k = lock(r, e)) < 0)
                        return k;
                if (r->lock_fd >= 0)
                        return 0;
        }
        return error_errno(e, ENOENT, "%s/.lock", r->path);
}

int repository_retire(Repository *r, uint64_t number, Error *e) {
        _cleanup_free_ char *from = format("generations/%" PRIu64, number), *to = format(STAGE "/gone-%" PRIu64, number);

        if (!from || !to)
                return error_oom(e);
        return renameat(r->fd, from, r->fd, to) < 0 ? error_errno(e, errno, "%s/%s", r->path, from) : 0;
}

/* Generations behind the published one were never switched to: they are of a run that was killed. So is, where nothing is published, the one that it had
 * staged. All others are kept, whatever became of repomd.xml: the next state is numbered after them. */
static bool was_never_switched_to(const Repository *r, const Generation *g) {
        return r->current ? g->number > r->current->number : r->cut && streq(g->repomd_sha256, r->cut);
}

static int find_current(Repository *r, Error *e) {
        char hex[SHA256_HEX_SIZE];
        int k;

        k = generations_load(r->fd, r->path, &r->generations, &r->n_generations, e);
        if (k < 0)
                return k;
        k = sha256_file(r->fd, "repodata/repomd.xml", hex);
        if (k < 0 && k != -ENOENT)
                return error_errno(e, -k, "%s/repodata/repomd.xml", r->path);
        r->current = k < 0 ? NULL : generations_current(r->generations, r->n_generations, hex);
        r->unknown = k >= 0 && r->n_generations == 0;
        if (!r->current && k >= 0)
                return 0; /* repomd.xml was changed by somebody: everything is kept, and published anew */
        while (r->n_generations > 0 && was_never_switched_to(r, r->generations[r->n_generations - 1])) {
                r->unclean = true;
                if ((k = repository_retire(r, r->generations[r->n_generations - 1]->number, e)) < 0)
                        return k;
                generations_drop_last(r->generations, &r->n_generations);
        }
        return 0;
}

static int make_stage(Repository *r, Error *e) {
        static const char *const dirs[] = { STAGE, STAGE "/packages", STAGE "/repodata", STAGE "/generation" };
        char hex[SHA256_HEX_SIZE];
        struct stat st;
        int k;

        /* Of a run that was killed: it may have left package files, too. */
        r->unclean = fstatat(r->fd, STAGE, &st, AT_SYMLINK_NOFOLLOW) == 0;
        if (r->unclean && sha256_file(r->fd, STAGE "/repodata/repomd.xml", hex) >= 0 && !(r->cut = strdup(hex)))
                return error_oom(e);
        r->staged = true;
        if ((k = remove_tree(r->fd, STAGE)) < 0)
                return error_errno(e, -k, "%s/" STAGE, r->path);
        if (r->unclean && (k = remove_temporaries(r->fd, ".", NULL)) < 0)
                return error_errno(e, -k, "%s", r->path);
        for (size_t i = 0; i < ELEMENTSOF(dirs); i++)
                if ((k = repository_make_dir(r, dirs[i], e)) < 0)
                        return k;
        r->stage_fd = openat(r->fd, STAGE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return r->stage_fd < 0 ? error_errno(e, errno, "%s/" STAGE, r->path) : 0;
}

void repository_watch_readers(Repository *r) {
        readers_done(&r->readers);
        readers_watch(&r->readers, r->fd);
}

int repository_begin(const char *path, Repository **ret, Error *e) {
        _cleanup_(repository_freep) Repository *r = calloc(1, sizeof(*r));
        int k;

        if (!r)
                return error_oom(e);
        r->fd = r->lock_fd = r->stage_fd = r->readers.fd = -1;
        if (!(r->path = strdup(path)))
                return error_oom(e);
        if ((k = open_locked(r, e)) < 0 || (k = make_stage(r, e)) < 0)
                return k;
        *ret = TAKE_PTR(r);
        return 0;
}

int repository_read_any(Repository *r, Error *e) {
        int k;

        if ((k = find_current(r, e)) < 0 || (k = repository_refuse_foreign(r, false, e)) < 0)
                return k;
        repository_watch_readers(r);
        return 0;
}

int repository_read(Repository *r, Error *e) {
        int k = repository_read_any(r, e);
        return k >= 0 && r->unknown ? repository_refuse_unknown(r, e) : k;
}

int repository_open(const char *path, Repository **ret, Error *e) {
        _cleanup_(repository_freep) Repository *r = NULL;
        int k;

        if ((k = repository_begin(path, &r, e)) < 0 || (k = repository_read(r, e)) < 0)
                return k;
        *ret = TAKE_PTR(r);
        return 0;
}

int repository_is_empty(const char *path, Error *e) {
        return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s: nothing is published there", path), "publish first, or name the repository: --repo");
}

int repository_open_published(const char *path, Repository **ret, Error *e) {
        _cleanup_free_ char *generations = path_join(path, "generations");
        _cleanup_(repository_freep) Repository *r = NULL;
        int k;

        if (!generations)
                return error_oom(e);
        if (access(path, F_OK) < 0)
                return error_hint(e, error_errno(e, errno, "%s", path), "name the repository: --repo");
        if (access(generations, F_OK) < 0)
                return repository_is_empty(path, e);
        if ((k = repository_open(path, &r, e)) < 0)
                return k;
        if (!r->current && r->n_generations > 0)
                return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s/repodata/repomd.xml: not there, or not as it was published", path),
                                  "publish again: the generations are kept");
        if (!r->current)
                return repository_is_empty(path, e);
        *ret = TAKE_PTR(r);
        return 0;
}
