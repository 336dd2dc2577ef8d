/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/inputs.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>

#include "basic/digest.h"
#include "basic/fs.h"
#include "basic/sort.h"
#include "basic/strings.h"
#include "repo/add.h"
#include "repo/openpgp-read.h"
#include "repo/parallel.h"

#define RECORD_MAX  (1024 * 1024)
#define RELEASE_MAX (256 * 1024)
#define PLACES      "packages/" /* in the repository, where most are */

static void input_package_clear(InputPackage *p) {
        free(p->artifact);
        free(p->artifact_sha256);
        strv_free(p->releases);
        free(p->signer);
        free(p->signer_key);
}
DEFINE_CLEANUP(InputPackage, input_package_clear);

/* Its bytes are folder/name; file: what it is called, NULL: name. NULL: out of memory. */
static InputPackage *input_package_new(Pool *pool, const char *folder, const char *name, const char *file) {
        size_t a = strlen(folder), b = strlen(name) + 1, c = file ? strlen(file) + 1 : 0;
        InputPackage *p = pool_alloc(pool, sizeof(*p) + a + 1 + b + c);
        char *to;

        if (!p)
                return NULL;
        to = mempcpy(p->text, folder, a);
        *to++ = '/';
        memcpy(to, name, b);
        p->path = p->text;
        p->file = file ? memcpy(to + b, file, c) : to;
        return p;
}

Inputs *inputs_free(Inputs *in) {
        if (!in)
                return NULL;
        for (size_t i = 0; i < in->n_packages; i++)
                input_package_clear(in->packages[i]);
        pool_clear(&in->pool);
        safe_close(in->places_fd);
        for (size_t i = 0; i < in->n_releases; i++) {
                free(in->releases[i].name);
                free(in->releases[i].lock_sha256);
                free(in->releases[i].release_sha256);
                lock_free(in->releases[i].lock);
        }
        free(in->packages);
        free(in->releases);
        free(in);
        return NULL;
}

static void jsonp(json_t **j) {
        json_decref(*j);
}

static int add_package(Inputs *in, InputPackage **p, Error *e) {
        InputPackage **grown = reallocarray(in->packages, in->n_packages + 1, sizeof(*grown));

        if (!grown)
                return error_oom(e);
        in->packages = grown;
        in->packages[in->n_packages++] = TAKE_PTR(*p);
        return 0;
}

static InputPackage *find(const Inputs *in, const char *file) {
        for (size_t i = 0; i < in->n_packages; i++)
                if (streq(in->packages[i]->file, file))
                        return in->packages[i];
        return NULL;
}

static int compare_file(const void *key, const void *item) {
        return strcmp(key, (*(InputPackage *const *) item)->file);
}

const InputPackage *inputs_find(const Inputs *in, const char *file) {
        InputPackage *const *found = in->n_packages > 0 ? bsearch(file, in->packages, in->n_packages, sizeof(*in->packages), compare_file) : NULL;
        return found ? *found : NULL;
}

/* "releases": a list of names; none: it belongs to all. */
static int record_releases(const char *path, const json_t *v, char ***ret, Error *e) {
        const json_t *item;
        size_t i;

        if (!json_is_array(v))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: \"releases\" is not a list of names", path);
        json_array_foreach(v, i, item) {
                if (!json_is_string(item))
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: \"releases\" is not a list of names", path);
                if (strv_append(ret, json_string_value(item)) < 0)
                        return error_oom(e);
        }
        return 0;
}

static int record_string(const char *path, const json_t *record, const char *key, bool required, char **ret, Error *e) {
        const json_t *v = json_object_get(record, key);

        if (!required && (!v || json_is_null(v)))
                return 0;
        if (!json_is_string(v))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: \"%s\" is not a string", path, key);
        *ret = strdup(json_string_value(v));
        return *ret ? 0 : error_oom(e);
}

/* Added, with a signature that stays: as a vendor's package, but its bytes and its key lie in packages/. */
static int fill_signer(InputPackage *p, const char *folder, const char *path, const json_t *record, Error *e) {
        unsigned char fingerprint[OPENPGP_FINGERPRINT_SIZE];
        const json_t *size = json_object_get(record, "size");

        if (!p->signer)
                return 0;
        if (!openpgp_fingerprint_bytes(p->signer, fingerprint) || !json_is_integer(size) || json_integer_value(size) < 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: \"signer\" is not a fingerprint, or there is no size", path);
        p->size = (uint64_t) json_integer_value(size);
        p->sealed = false;
        p->record_id = (FileId){}; /* the memo knows no signers: this record is read each time */
        p->signer_key = format("%s/" ADDED_KEY "%s", folder, p->signer);
        return p->signer_key ? 0 : error_oom(e);
}

static int fill_from_record(InputPackage *p, const char *path, const json_t *record, Error *e) {
        _cleanup_free_ char *package = NULL, *sha256 = NULL;
        int r;

        if ((r = record_string(path, record, "package", true, &package, e)) < 0 ||
            (r = record_string(path, record, "sha256", true, &sha256, e)) < 0 ||
            (r = record_string(path, record, "artifact", false, &p->artifact, e)) < 0 ||
            (r = record_string(path, record, "artifact_sha256", false, &p->artifact_sha256, e)) < 0 ||
            (r = record_string(path, record, "signer", false, &p->signer, e)) < 0 ||
            (r = record_releases(path, json_object_get(record, "releases"), &p->releases, e)) < 0)
                return r;
        if (!streq(package, p->file))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: it is about %s", path, package);
        if (!sha256_is_valid(sha256) || (p->artifact_sha256 && !sha256_is_valid(p->artifact_sha256)))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: a SHA-256 in it is not 64 lower-case hex digits", path);
        memcpy(p->sha256, sha256, SHA256_HEX_SIZE);
        return 0;
}

/* Whether the package is the very file whose digest the record has: see BuildRecord. */
static bool is_sealed(const InputPackage *p, const json_t *record) {
        json_int_t size, inode, mtime, ctime;
        FileId seal;

        if (json_unpack((json_t *) record, "{s:I, s:{s:I, s:I, s:I}}", "size", &size, "seal", "inode", &inode, "mtime_ns", &mtime, "ctime_ns", &ctime) < 0)
                return false;
        seal = (FileId){ .dev = p->id.dev, .ino = (uint64_t) inode, .size = (uint64_t) size, .mtime_ns = mtime, .ctime_ns = ctime };
        return file_id_same(&seal, &p->id);
}

static bool is_wanted(const Inputs *in, char *const *releases) {
        if (strv_length(releases) == 0)
                return true;
        for (size_t i = 0; i < in->n_releases; i++)
                if (strv_contains(releases, in->releases[i].name))
                        return true;
        return false;
}

static int read_record(InputPackage *p, const char *folder, int dir_fd, const char *name, Error *e) {
        _cleanup_free_ char *text = NULL, *shown = path_join(folder, name);
        _cleanup_(jsonp) json_t *record = NULL;
        json_error_t why;
        size_t size;
        int r;

        if (!shown)
                return error_oom(e);
        r = read_file(dir_fd, name, RECORD_MAX, &text, &size);
        if (r == -ENOENT)
                return error_hint(e, error_set(e, ENOENT, EXIT_INVALID, "%s: it has no build record (%s)", p->path, name),
                                  "one that was built needs to be built again; one of somebody else's: move it out of packages/, then `gn8v-tee-repo add` it");
        if (r < 0)
                return error_errno(e, -r, "%s", shown);
        record = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
        if (!json_is_object(record))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: not a build record: line %d: %s", shown, record ? 1 : why.line,
                                 record ? "not an object" : why.text);
        p->sealed = is_sealed(p, record);
        r = fill_from_record(p, shown, record, e);
        return r < 0 ? r : fill_signer(p, folder, shown, record, e);
}

static void set_memo(InputPackage *p, const Inputs *in, const MemoEntry *x) {
        const char *href = memo_string(in->memo, x->href), *name = in->places_fd < 0 ? NULL : startswith(href, PLACES);
        bool near = name && !strchr(name, '/');
        struct stat st;

        p->memo = x;
        if (fstatat(near ? in->places_fd : in->repo_fd, near ? name : href, &st, AT_SYMLINK_NOFOLLOW) == 0)
                p->published = file_id(&st);
}

/* Of a package and a record that are the files they were: what the record said. */
static int recall(InputPackage *p, const Inputs *in, size_t guess, Error *e) {
        const MemoEntry *x = memo_find(in->memo, p->file, guess);
        const char *s;

        if (!x || !file_id_same(&x->record, &p->record_id) || !file_id_same(&x->input, &p->id))
                return 0;
        memcpy(p->sha256, x->input_sha256, SHA256_HEX_SIZE);
        s = memo_string(in->memo, x->releases);
        for (uint32_t i = 0; i < x->n_releases; i++, s += strlen(s) + 1)
                if (strv_append(&p->releases, s) < 0)
                        return error_oom(e);
        set_memo(p, in, x);
        return 0;
}

/* The same of one whose signature stays: what there is to know of it was just read, and only that it is published is asked. */
static void recall_vendor(InputPackage *p, const Inputs *in) {
        const MemoEntry *x = memo_find(in->memo, p->file, 0);

        if (x && x->record.ino == 0 && file_id_same(&x->input, &p->id) && streq(x->input_sha256, p->sha256))
                set_memo(p, in, x);
}

typedef struct Records {
        Inputs *in;
        const char *folder;
        int dir_fd;
        InputPackage **packages;
        size_t n;
} Records;

static void records_done(Records *r) {
        for (size_t i = 0; i < r->n; i++)
                if (r->packages[i])
                        input_package_clear(r->packages[i]);
        free(r->packages);
        safe_close(r->dir_fd);
}

static int load_record(void *data, size_t i, Error *e) {
        Records *all = data;
        InputPackage *p = all->packages[i];
        size_t n = strlen(p->file);
        _cleanup_free_ char *name = malloc(n + sizeof(".json"));
        struct stat st;
        int r;

        if (!name)
                return error_oom(e);
        memcpy(mempcpy(name, p->file, n), ".json", sizeof(".json"));
        if (fstatat(all->dir_fd, p->file, &st, AT_SYMLINK_NOFOLLOW) == 0)
                p->id = file_id(&st);
        if (fstatat(all->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                p->record_id = file_id(&st);
        if ((r = recall(p, all->in, i, e)) < 0 || p->memo || (r = read_record(p, all->folder, all->dir_fd, name, e)) < 0)
                return r;
        if (p->signer)
                recall_vendor(p, all->in);
        return 0;
}

/* A source package may be there without being meant: rpmbuild writes one. */
static bool is_input(const Records *all, const char *name) {
        _cleanup_free_ char *record = NULL;

        if (name[0] == '.' || !endswith(name, ".rpm"))
                return false;
        if (!endswith(name, "src.rpm"))
                return true;
        record = format("%s.json", name);
        return !record || faccessat(all->dir_fd, record, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int list_record(Records *all, const char *name, Error *e) {
        if ((all->n & (all->n + 1)) == 0) { /* 2^n - 1 of them fit: double the room */
                InputPackage **grown = reallocarray(all->packages, 2 * all->n + 1, sizeof(*grown));

                if (!grown)
                        return error_oom(e);
                all->packages = grown;
        }
        if (!(all->packages[all->n] = input_package_new(&all->in->pool, all->folder, name, NULL)))
                return error_oom(e);
        all->n++;
        return 0;
}

static int list_records(Records *all, Error *e) {
        int fd = open(all->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *d;

        if (!dir) {
                safe_close(fd);
                return fd < 0 && errno == ENOENT ? 0 : error_errno(e, errno, "%s", all->folder);
        }
        all->dir_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        while (r >= 0 && (errno = 0, d = readdir(dir))) {
                if (startswith(d->d_name, ADDED_KEY))
                        all->in->added_keys = true;
                else if (is_input(all, d->d_name))
                        r = list_record(all, d->d_name, e);
        }
        if (r >= 0 && errno > 0)
                r = error_errno(e, errno, "%s", all->folder);
        (void) closedir(dir);
        return r;
}

static int by_file(const void *a, const void *b) {
        return strcmp((*(InputPackage *const *) a)->file, (*(InputPackage *const *) b)->file);
}

static int load_records(Inputs *in, const char *workspace, Error *e) {
        _cleanup_free_ char *path = path_join(workspace, "packages");
        _cleanup_(records_done) Records all = { .in = in, .folder = path, .dir_fd = -1 };
        int r;

        if (!path)
                return error_oom(e);
        if ((r = list_records(&all, e)) < 0)
                return r;
        sort(all.packages, all.n, sizeof(*all.packages), by_file);
        in->packages = calloc(all.n + 1, sizeof(*in->packages));
        if (!in->packages)
                return error_oom(e);
        r = parallel_run(all.n, load_record, &all, e);
        for (size_t i = 0; r >= 0 && i < all.n; i++)
                if (is_wanted(in, all.packages[i]->releases))
                        in->packages[in->n_packages++] = TAKE_PTR(all.packages[i]);
        return r;
}

/* The key that the release names for this signer, as the lock has it. */
static int find_signer_key(InputPackage *p, const char *workspace, const InputRelease *ir, Error *e) {
        for (size_t i = 0; i < ir->release->n_artifacts; i++) {
                const Artifact *a = ir->release->artifacts[i];
                const LockedArtifact *l;

                if (a->kind != ARTIFACT_KEY || !a->fingerprint || !streq(a->fingerprint, p->signer))
                        continue;
                l = lock_find(ir->lock, a->name);
                if (!l)
                        continue;
                p->signer_key = format("%s/store/sha256/%.2s/%s", workspace, l->sha256, l->sha256);
                return p->signer_key ? 0 : error_oom(e);
        }
        return 0;
}

static int add_vendor(Inputs *in, const char *workspace, const InputRelease *ir, const Artifact *a, Error *e) {
        _cleanup_(input_package_clearp) InputPackage *p = NULL;
        const LockedArtifact *l = lock_find(ir->lock, a->name);
        _cleanup_free_ char *folder = NULL;
        InputPackage *same;
        struct stat st;
        int r;

        if (!l)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: artifact %s is not in it", ir->lock->path, a->name);
        if (!path_is_safe(l->filename) || strchr(l->filename, '/') || !endswith(l->filename, ".rpm"))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: artifact %s: %s is not an RPM's file name", ir->lock->path, a->name, l->filename);
        same = find(in, l->filename);
        if (same) {
                if (!streq(same->sha256, l->sha256) || !same->signer)
                        return error_set(e, EEXIST, EXIT_INVALID, "%s: two packages want this file name, and differ (release %s)", l->filename, ir->name);
                return strv_append(&same->releases, ir->name) < 0 ? error_oom(e) : 0;
        }
        folder = format("%s/store/sha256/%.2s", workspace, l->sha256);
        p = folder ? input_package_new(&in->pool, folder, l->sha256, l->filename) : NULL;
        if (!p)
                return error_oom(e);
        memcpy(p->sha256, l->sha256, SHA256_HEX_SIZE);
        p->size = l->size;
        p->artifact = strdup(a->name);
        p->artifact_sha256 = strdup(l->sha256);
        p->signer = strdup(a->signer ? a->signer : "");
        if (!p->artifact || !p->artifact_sha256 || !p->signer || strv_append(&p->releases, ir->name) < 0)
                return error_oom(e);
        r = find_signer_key(p, workspace, ir, e);
        if (r < 0)
                return r;
        if (stat(p->path, &st) == 0)
                p->id = file_id(&st);
        recall_vendor(p, in);
        return add_package(in, &p, e);
}

static int load_lock(InputRelease *ir, const char *workspace, bool need, Error *e) {
        _cleanup_free_ char *path = format("%s/locks/%s.lock", workspace, ir->name), *text = NULL;
        char hex[SHA256_HEX_SIZE];
        size_t size;
        int r;

        if (!path)
                return error_oom(e);
        r = read_file(AT_FDCWD, ir->release->path, RELEASE_MAX, &text, &size);
        if (r < 0)
                return error_errno(e, -r, "%s", ir->release->path);
        if ((r = sha256_buffer(text, size, hex)) < 0)
                return error_errno(e, -r, "SHA-256");
        if (!(ir->release_sha256 = strdup(hex)))
                return error_oom(e);
        r = sha256_file(AT_FDCWD, path, hex);
        if (r == -ENOENT && !need)
                return 0;
        if (r == -ENOENT)
                return error_hint(e, error_set(e, ENOENT, EXIT_DIFFERS, "%s: %s is not locked yet", path, ir->name), "run 'gn8v-tee-repo lock %s' first", ir->name);
        if (r < 0)
                return error_errno(e, -r, "%s", path);
        if (!(ir->lock_sha256 = strdup(hex)))
                return error_oom(e);
        if ((r = lock_load(path, &ir->lock, e)) < 0)
                return r;
        r = lock_check(ir->lock, ir->release, ir->release_sha256, e);
        return r < 0 ? error_hint(e, r, "run `gn8v-tee-repo lock %s` again, then build", ir->name) : 0;
}

static int load_release(Inputs *in, InputRelease *ir, const char *workspace, bool need_locks, Error *e) {
        int r = load_lock(ir, workspace, need_locks, e);

        for (size_t i = 0; r >= 0 && ir->lock && i < ir->release->n_artifacts; i++)
                if (ir->release->artifacts[i]->kind == ARTIFACT_RPM)
                        r = add_vendor(in, workspace, ir, ir->release->artifacts[i], e);
        return r;
}

static int load(const char *workspace, Release *const *releases, size_t n_releases, bool need_locks, const Memo *memo, int repo_fd, Inputs **ret, Error *e) {
        _cleanup_(inputs_freep) Inputs *in = calloc(1, sizeof(*in));
        int r;

        if (in)
                in->places_fd = -1;
        if (!in || !(in->releases = calloc(n_releases + 1, sizeof(*in->releases))))
                return error_oom(e);
        for (size_t i = 0; i < n_releases; i++) {
                in->releases[i].release = releases[i];
                in->releases[i].name = release_name(releases[i]);
                if (!in->releases[i].name)
                        return error_oom(e);
                in->n_releases++;
        }
        in->memo = memo;
        in->repo_fd = repo_fd;
        in->places_fd = repo_fd < 0 ? -1 : openat(repo_fd, PLACES, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = load_records(in, workspace, e);
        for (size_t i = 0; r >= 0 && i < in->n_releases; i++)
                r = load_release(in, &in->releases[i], workspace, need_locks, e);
        if (r < 0)
                return r;
        /* They are sorted already, but for vendors' packages behind them. */
        sort(in->packages, in->n_packages, sizeof(*in->packages), by_file);
        *ret = TAKE_PTR(in);
        return 0;
}

int inputs_load(const char *workspace, Release *const *releases, size_t n_releases, bool need_locks, Inputs **ret, Error *e) {
        return load(workspace, releases, n_releases, need_locks, NULL, -1, ret, e);
}

int inputs_load_known(const char *workspace, Release *const *releases, size_t n_releases, const Memo *memo, int repo_fd, Inputs **ret, Error *e) {
        return load(workspace, releases, n_releases, true, memo, repo_fd, ret, e);
}
