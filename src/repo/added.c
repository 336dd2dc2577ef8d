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

#define RECORD_MAX ((size_t) 1024 * 1024)

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

int added_load(const char *folder, const char *file, AddedPackage *ret, Error *e) {
        _cleanup_free_ char *path = format("%s/%s.json", folder, file), *text = NULL;
        _cleanup_(added_package_clear) AddedPackage p = {};
        const char *sha256, *origin, *date, *signer;
        _cleanup_(jsonp) json_t *j = NULL;
        json_int_t size;
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
        signer = json_string_value(json_object_get(j, "signer"));
        if (json_unpack(j, "{s:s, s:I, s:{s:s, s:s}}", "sha256", &sha256, "size", &size, "origin", "file", &origin, "date", &date) < 0 ||
            !sha256_is_valid(sha256) || size < 0)
                return bad_record(path, e);
        p = (AddedPackage){ .file = strdup(file), .sha256 = strdup(sha256), .size = (uint64_t) size, .signer = signer ? strdup(signer) : NULL, .origin = strdup(origin),
                            .date = strdup(date) };
        if (!p.file || !p.sha256 || !p.origin || !p.date || (signer && !p.signer))
                return error_oom(e);
        *ret = p;
        p = (AddedPackage){};
        return 1;
}

int added_open(const char *workspace, Store **ret_store, char **ret_folder, Error *e) {
        int r;

        if (!(*ret_folder = path_join(workspace, "packages")))
                return error_oom(e);
        if ((r = store_open(workspace, true, ret_store, e)) < 0 || (r = store_lock(*ret_store, e)) < 0)
                return r;
        if ((r = mkdir_parents(AT_FDCWD, *ret_folder, 0755)) < 0 || (r = remove_temporaries(AT_FDCWD, *ret_folder, NULL)) < 0)
                return error_errno(e, -r, "%s", *ret_folder);
        return 0;
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

static int remove_file(const char *folder, const char *name, const char *end, Error *e) {
        _cleanup_free_ char *path = format("%s/%s%s", folder, name, end);

        return !path ? error_oom(e) : unlink(path) < 0 && errno != ENOENT ? error_errno(e, errno, "%s", path) : 0;
}

static int remove_keys(const char *folder, const AddedPackages *all, Error *e) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < all->n; i++) {
                bool used = false;

                for (size_t k = 0; k < all->n; k++)
                        used = used || (!all->v[k].changed && all->v[k].signer && all->v[i].signer && streq(all->v[k].signer, all->v[i].signer));
                if (all->v[i].changed && all->v[i].signer && !used)
                        r = remove_file(folder, ADDED_KEY, all->v[i].signer, e);
        }
        return r;
}

int packages_remove(const char *workspace, char *const *names, AddedPackages *ret, Error *e) {
        _cleanup_(added_packages_clear) AddedPackages all = {}, gone = {};
        _cleanup_(store_freep) Store *store = NULL;
        _cleanup_free_ char *folder = NULL, *inside = NULL;
        int r;

        if ((r = packages_added(workspace, &all, e)) < 0)
                return r;
        STRV_FOREACH(name, names) {
                bool found = false;

                for (size_t i = 0; i < all.n; i++)
                        if (is_called(&all.v[i], *name))
                                found = all.v[i].changed = true;
                if (!found)
                        return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s: no package of this name was added", *name), "'gn8v-tee-repo list' shows those that were");
        }
        if ((r = added_open(workspace, &store, &folder, e)) < 0)
                return r;
        for (size_t i = 0; i < all.n; i++)
                if (all.v[i].changed && ((r = remove_file(folder, all.v[i].file, "", e)) < 0 || (r = remove_file(folder, all.v[i].file, ".json", e)) < 0))
                        return r;
        if ((r = remove_keys(folder, &all, e)) < 0)
                return r;
        if (!(inside = path_join(folder, ".")))
                return error_oom(e);
        if ((r = fsync_parent(AT_FDCWD, inside)) < 0)
                return error_errno(e, -r, "%s", folder);
        for (size_t i = 0; i < all.n; i++)
                if (all.v[i].changed && (r = added_append(&gone, &all.v[i], e)) < 0)
                        return r;
        *ret = gone;
        gone = (AddedPackages){};
        return 0;
}
