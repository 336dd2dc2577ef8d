/* SPDX-License-Identifier: Apache-2.0 */
/* What was added: its records, and its way out. */
#include "repo/added.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

#include "basic/digest.h"
#include "basic/fs.h"
#include "basic/strings.h"

#define RECORD_MAX   ((size_t) 1024 * 1024)
#define REMOVING     ".removing" /* records of what is being taken away: from here on it is gone, though a killed run may have left it */
#define REMOVING_MAX ((size_t) 64 * 1024 * 1024)

static void jsonp(json_t **j) {
        json_decref(*j);
}

void added_package_clear(AddedPackage *p) {
        free(p->file);
        free(p->sha256);
        free(p->signer);
        free(p->origin);
        free(p->date);
        *p = (AddedPackage){};
}

void added_packages_clear(AddedPackages *a) {
        for (size_t i = 0; i < a->n; i++)
                added_package_clear(&a->v[i]);
        free(a->v);
        *a = (AddedPackages){};
}

int added_append(AddedPackages *a, AddedPackage *p, Error *e) {
        AddedPackage *grown = reallocarray(a->v, a->n + 1, sizeof(*grown));

        if (!grown)
                return error_oom(e);
        a->v = grown;
        grown[a->n++] = *p;
        *p = (AddedPackage){};
        return 0;
}

static int bad_record(const char *path, Error *e) {
        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not the record of a package", path), "build the package again, or remove both files");
}

json_t *added_record(const AddedPackage *p) {
        return json_pack("{s:s, s:s, s:I, s:n, s:n, s:s?, s:[], s:{s:s, s:s}}", "package", p->file, "sha256", p->sha256, "size", (json_int_t) p->size, "artifact",
                         "artifact_sha256", "signer", p->signer, "releases", "origin", "file", p->origin, "date", p->date);
}

static int take_record(json_t *j, const char *path, const char *file, AddedPackage *ret, Error *e) {
        _cleanup_(added_package_clear) AddedPackage p = {};
        const char *sha256, *origin, *date, *signer = json_string_value(json_object_get(j, "signer"));
        json_int_t size;

        if (json_unpack(j, "{s:s, s:I, s:{s:s, s:s}}", "sha256", &sha256, "size", &size, "origin", "file", &origin, "date", &date) < 0 ||
            !sha256_is_valid(sha256) || size < 0)
                return bad_record(path, e);
        p = (AddedPackage){ .file = strdup(file), .sha256 = strdup(sha256), .size = (uint64_t) size, .signer = signer ? strdup(signer) : NULL, .origin = strdup(origin),
                            .date = strdup(date) };
        if (!p.file || !p.sha256 || !p.origin || !p.date || (signer && !p.signer))
                return error_oom(e);
        *ret = p;
        p = (AddedPackage){};
        return 0;
}

static int bad_removal(const char *path, Error *e) {
        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not what remove has written", path), "look what it names, then remove it");
}

int added_load(const char *folder, const char *file, AddedPackage *ret, Error *e) {
        _cleanup_free_ char *path = format("%s/%s.json", folder, file), *text = NULL;
        _cleanup_(jsonp) json_t *j = NULL;
        size_t n;
        int r;

        if (!path)
                return error_oom(e);
        r = read_file(AT_FDCWD, path, RECORD_MAX, &text, &n);
        if (r < 0)
                return r == -ENOENT ? 0 : error_unreadable(e, -r, path);
        j = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(j))
                return bad_record(path, e);
        if (!json_object_get(j, "origin"))
                return 0;
        return (r = take_record(j, path, file, ret, e)) < 0 ? r : 1;
}

static int remove_file(const char *folder, const char *name, const char *end, Error *e) {
        _cleanup_free_ char *path = format("%s/%s%s", folder, name, end);

        return !path ? error_oom(e) : unlink(path) < 0 && errno != ENOENT ? error_errno(e, errno, "%s", path) : 0;
}

/* The package first: it is told by its record whether it is still the one that was meant. */
static int remove_package(const char *folder, const AddedPackage *p, Error *e) {
        _cleanup_(added_package_clear) AddedPackage there = {};
        int r = added_load(folder, p->file, &there, e);

        if (r <= 0 || !streq(there.sha256, p->sha256))
                return r < 0 ? r : 0;
        return (r = remove_file(folder, p->file, "", e)) < 0 ? r : remove_file(folder, p->file, ".json", e);
}

/* Keys that signed nothing that is left. */
static int remove_keys(const char *folder, const AddedPackages *gone, const AddedPackages *left, Error *e) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < gone->n; i++) {
                bool used = !gone->v[i].signer;

                for (size_t k = 0; !used && k < left->n; k++)
                        used = left->v[k].signer && streq(left->v[k].signer, gone->v[i].signer);
                if (!used)
                        r = remove_file(folder, ADDED_KEY, gone->v[i].signer, e);
        }
        return r;
}

static int sync_folder(const char *folder, Error *e) {
        _cleanup_free_ char *inside = path_join(folder, ".");
        int r = inside ? fsync_parent(AT_FDCWD, inside) : -ENOMEM;

        return r < 0 ? error_errno(e, -r, "%s", folder) : 0;
}

static int remove_all(const char *workspace, const char *folder, const AddedPackages *gone, bool only_new, Error *e) {
        _cleanup_(added_packages_clear) AddedPackages left = {};
        int r = 0;

        for (size_t i = 0; r >= 0 && i < gone->n; i++)
                if (!only_new || gone->v[i].is_new)
                        r = remove_package(folder, &gone->v[i], e);
        if (r < 0 || (r = packages_added(workspace, &left, e)) < 0 || (r = remove_keys(folder, gone, &left, e)) < 0)
                return r;
        return sync_folder(folder, e);
}

int added_take_back(const char *workspace, const char *folder, const AddedPackages *a, Error *e) {
        return remove_all(workspace, folder, a, true, e);
}

/* What REMOVING has; again, if need be, also where the power failed before it was gone for good. */
static int end_removal(const char *workspace, const char *folder, const AddedPackages *gone, Error *e) {
        int r = remove_all(workspace, folder, gone, false, e);

        return r < 0 ? r : remove_file(folder, REMOVING, "", e);
}

/* 1: there was one. */
static int load_removal(const char *folder, AddedPackages *ret, Error *e) {
        _cleanup_free_ char *path = path_join(folder, REMOVING), *text = NULL;
        _cleanup_(added_packages_clear) AddedPackages all = {};
        _cleanup_(jsonp) json_t *list = NULL;
        json_t *j;
        size_t n, i;
        int r;

        if (!path)
                return error_oom(e);
        r = read_file(AT_FDCWD, path, REMOVING_MAX, &text, &n);
        if (r < 0)
                return r == -ENOENT ? 0 : error_unreadable(e, -r, path);
        if (!(list = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL)) || !json_is_array(list))
                return bad_removal(path, e);
        json_array_foreach(list, i, j) {
                _cleanup_(added_package_clear) AddedPackage p = {};
                const char *file = json_string_value(json_object_get(j, "package"));

                if (!file || strchr(file, '/') || file[0] == '.' || !endswith(file, ".rpm"))
                        return bad_removal(path, e);
                if ((r = take_record(j, path, file, &p, e)) < 0 || (r = added_append(&all, &p, e)) < 0)
                        return r;
        }
        *ret = all;
        all = (AddedPackages){};
        return 1;
}

static int write_removal(const char *folder, const AddedPackages *gone, Error *e) {
        _cleanup_free_ char *path = path_join(folder, REMOVING), *text = NULL;
        _cleanup_(jsonp) json_t *list = json_array();
        int r;

        for (size_t i = 0; i < gone->n; i++)
                if (json_array_append_new(list, added_record(&gone->v[i])) < 0)
                        return error_oom(e);
        if (!path || !list || !(text = json_dumps(list, JSON_SORT_KEYS | JSON_INDENT(2))))
                return error_oom(e);
        r = write_file_atomic(AT_FDCWD, path, text, strlen(text), 0644);
        return r < 0 ? error_errno(e, -r, "%s", path) : 0;
}

int added_open(const char *workspace, Store **ret_store, char **ret_folder, AddedPackages *ret_ended, Error *e) {
        int r;

        if (!(*ret_folder = path_join(workspace, "packages")))
                return error_oom(e);
        if ((r = store_open(workspace, true, ret_store, e)) < 0 || (r = store_lock(*ret_store, e)) < 0)
                return r;
        if ((r = mkdir_parents(AT_FDCWD, *ret_folder, 0755)) < 0 || (r = remove_temporaries(AT_FDCWD, *ret_folder, NULL)) < 0)
                return error_errno(e, -r, "%s", *ret_folder);
        if ((r = load_removal(*ret_folder, ret_ended, e)) <= 0)
                return r;
        return end_removal(workspace, *ret_folder, ret_ended, e);
}

int packages_settle(const char *workspace, Error *e) {
        _cleanup_free_ char *path = path_join(workspace, "packages/" REMOVING), *folder = NULL;
        _cleanup_(added_packages_clear) AddedPackages ended = {};
        _cleanup_(store_freep) Store *store = NULL;

        if (!path)
                return error_oom(e);
        return access(path, F_OK) < 0 ? 0 : added_open(workspace, &store, &folder, &ended, e);
}

static int by_file(const void *a, const void *b) {
        return strcmp(((const AddedPackage *) a)->file, ((const AddedPackage *) b)->file);
}

int packages_added(const char *workspace, AddedPackages *ret, Error *e) {
        _cleanup_free_ char *folder = path_join(workspace, "packages");
        _cleanup_(added_packages_clear) AddedPackages all = {};
        DIR *d = folder ? opendir(folder) : NULL;
        struct dirent *entry;
        int r = 0;

        if (!folder)
                return error_oom(e);
        if (!d)
                return errno == ENOENT ? 0 : error_errno(e, errno, "%s", folder);
        while (r >= 0 && (entry = readdir(d))) {
                _cleanup_(added_package_clear) AddedPackage p = {};

                if (entry->d_name[0] != '.' && endswith(entry->d_name, ".rpm") && (r = added_load(folder, entry->d_name, &p, e)) > 0)
                        r = added_append(&all, &p, e);
        }
        (void) closedir(d);
        if (r < 0)
                return r;
        if (all.n > 1)
                qsort(all.v, all.n, sizeof(*all.v), by_file);
        *ret = all;
        all = (AddedPackages){};
        return 0;
}

/* NAME of NAME-VERSION-RELEASE.ARCH.rpm, that file, or that without its end. */
static bool is_called(const AddedPackage *p, const char *name) {
        const char *rest = startswith(p->file, name);
        unsigned dashes = 0;

        if (!rest || *name == '\0')
                return false;
        for (const char *c = rest; *c; c++)
                dashes += *c == '-';
        return *rest == '\0' || streq(rest, ".rpm") || (*rest == '-' && dashes == 2);
}

/* How many of them a name is of. */
static size_t mark(AddedPackages *a, const char *name) {
        size_t n = 0;

        for (size_t i = 0; i < a->n; i++)
                if (is_called(&a->v[i], name)) {
                        a->v[i].changed = true;
                        n++;
                }
        return n;
}

static int take_marked(AddedPackages *from, AddedPackages *to, Error *e) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < from->n; i++)
                if (from->v[i].changed)
                        r = added_append(to, &from->v[i], e);
        return r;
}

static int none_such(const char *name, Error *e) {
        return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s: no package of this name was added", name), "'gn8v-tee-repo list' shows those that were");
}

/* Before the workspace is taken, and its folders made: where no removal was broken off, each name has to be one's. */
static int check_names(const char *workspace, char *const *names, Error *e) {
        _cleanup_free_ char *path = path_join(workspace, "packages/" REMOVING);
        _cleanup_(added_packages_clear) AddedPackages all = {};
        int r;

        if (!path)
                return error_oom(e);
        if (access(path, F_OK) == 0)
                return 0;
        if ((r = packages_added(workspace, &all, e)) < 0)
                return r;
        STRV_FOREACH(name, names)
                if (mark(&all, *name) == 0)
                        return none_such(*name, e);
        return 0;
}

int packages_remove(const char *workspace, char *const *names, AddedPackages *ret, Error *e) {
        _cleanup_(added_packages_clear) AddedPackages all = {}, ended = {}, gone = {};
        _cleanup_free_ char *folder = path_join(workspace, "packages"), *same = NULL;
        _cleanup_(store_freep) Store *store = NULL;
        int r;

        if (!folder)
                return error_oom(e);
        if ((r = check_names(workspace, names, e)) < 0 || (r = added_open(workspace, &store, &same, &ended, e)) < 0 || (r = packages_added(workspace, &all, e)) < 0)
                return r;
        /* What a run that was killed began to take away is what this one is asked for, too. */
        STRV_FOREACH(name, names)
                if (mark(&all, *name) + mark(&ended, *name) == 0)
                        return none_such(*name, e);
        if ((r = take_marked(&all, &gone, e)) < 0 ||
            (gone.n > 0 && ((r = write_removal(folder, &gone, e)) < 0 || (r = end_removal(workspace, folder, &gone, e)) < 0)) || (r = take_marked(&ended, &gone, e)) < 0)
                return r;
        *ret = gone;
        gone = (AddedPackages){};
        return 0;
}
