/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/generation.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>

#include "basic/fs.h"

#define MANIFEST_MAX    (64 * 1024 * 1024)
#define MANIFEST_FORMAT 1

static void jsonp(json_t **j) {
        json_decref(*j);
}

PublishedPackage *published_package_free(PublishedPackage *p) {
        if (!p)
                return NULL;
        free(p->href);
        free(p->file);
        free(p->name);
        free(p->evr);
        free(p->arch);
        free(p->nevra);
        free(p->sha256);
        free(p->header_sha256);
        free(p->unsigned_sha256);
        free(p->signer);
        free(p->stage);
        strv_free(p->releases);
        free(p);
        return NULL;
}

Generation *generation_free(Generation *g) {
        if (!g)
                return NULL;
        for (size_t i = 0; i < g->n_packages; i++)
                published_package_free(g->packages[i]);
        free(g->packages);
        free(g->by_file);
        free(g->key);
        free(g->repomd_sha256);
        free(g->comps_sha256);
        strv_free(g->metadata);
        strv_free(g->locks);
        free(g);
        return NULL;
}

void generations_free(Generation **v, size_t n) {
        for (size_t i = 0; i < n; i++)
                generation_free(v[i]);
        free(v);
}

int generation_add(Generation *g, PublishedPackage **p, Error *e) {
        PublishedPackage **grown = reallocarray(g->packages, g->n_packages + 1, sizeof(*grown));

        if (!grown)
                return error_oom(e);
        g->packages = grown;
        g->packages[g->n_packages++] = TAKE_PTR(*p);
        return 0;
}

static int by_href(const void *a, const void *b) {
        return strcmp((*(PublishedPackage *const *) a)->href, (*(PublishedPackage *const *) b)->href);
}

static int by_file(const void *a, const void *b) {
        return strcmp((*(PublishedPackage *const *) a)->file, (*(PublishedPackage *const *) b)->file);
}

int generation_sort(Generation *g, Error *e) {
        free(g->by_file);
        g->by_file = calloc(g->n_packages + 1, sizeof(*g->by_file));
        if (!g->by_file)
                return error_oom(e);
        if (g->n_packages == 0)
                return 0;
        qsort(g->packages, g->n_packages, sizeof(*g->packages), by_href);
        memcpy(g->by_file, g->packages, g->n_packages * sizeof(*g->packages));
        qsort(g->by_file, g->n_packages, sizeof(*g->by_file), by_file);
        return 0;
}

const PublishedPackage *generation_find_href(const Generation *g, const char *href) {
        const PublishedPackage key = { .href = (char *) href }, *p = &key;
        PublishedPackage *const *found = g->n_packages > 0 ? bsearch(&p, g->packages, g->n_packages, sizeof(*g->packages), by_href) : NULL;

        return found ? *found : NULL;
}

const PublishedPackage *generation_find_file(const Generation *g, const char *file) {
        const PublishedPackage key = { .file = (char *) file }, *p = &key;
        PublishedPackage *const *found = g->n_packages > 0 ? bsearch(&p, g->by_file, g->n_packages, sizeof(*g->by_file), by_file) : NULL;

        return found ? *found : NULL;
}

static json_t *list_to_json(char *const *v) {
        json_t *j = json_array();

        STRV_FOREACH(s, v)
                if (json_array_append_new(j, json_string(*s)) < 0) {
                        json_decref(j);
                        return NULL;
                }
        return j;
}

static json_t *package_to_json(const PublishedPackage *p) {
        return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:s,s:s?,s:s,s:b,s:o}", "href", p->href, "file", p->file, "name", p->name,
                         "evr", p->evr, "arch", p->arch, "nevra", p->nevra, "sha256", p->sha256, "size", (json_int_t) p->size,
                         "header_sha256", p->header_sha256, "unsigned_sha256", p->unsigned_sha256, "signer", p->signer,
                         "vendor", p->vendor, "releases", list_to_json(p->releases));
}

int generation_to_json(const Generation *g, char **ret, Error *e) {
        _cleanup_(jsonp) json_t *j = NULL, *packages = json_array();
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < g->n_packages; i++)
                if (json_array_append_new(packages, package_to_json(g->packages[i])) < 0)
                        return error_oom(e);
        j = json_pack("{s:i,s:I,s:I,s:I,s:s,s:s,s:s,s:o,s:o,s:O}", "format", MANIFEST_FORMAT, "generation", (json_int_t) g->number,
                      "revision", (json_int_t) g->revision, "expires", (json_int_t) g->freshness.expires, "key", g->key, "repomd_sha256", g->repomd_sha256,
                      "comps_sha256", g->comps_sha256, "metadata", list_to_json(g->metadata), "locks", list_to_json(g->locks),
                      "packages", packages);
        text = j ? json_dumps(j, JSON_INDENT(2) | JSON_SORT_KEYS) : NULL;
        *ret = text ? format("%s\n", text) : NULL;
        return *ret ? 0 : error_oom(e);
}

static int bad(const char *name, const char *what, Error *e) {
        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not a generation's manifest: %s", name, what),
                          "remove that generation's directory, and publish again");
}

static int take_list(const json_t *j, const char *key, const char *name, char ***ret, Error *e) {
        const json_t *v = json_object_get(j, key), *item;
        size_t i;

        if (!json_is_array(v))
                return bad(name, key, e);
        json_array_foreach(v, i, item) {
                if (!json_is_string(item))
                        return bad(name, key, e);
                if (strv_append(ret, json_string_value(item)) < 0)
                        return error_oom(e);
        }
        return 0;
}

static int take(const json_t *j, const char *key, bool (*valid)(const char *), const char *name, char **ret, Error *e) {
        const char *s = json_string_value(json_object_get(j, key));

        if (!s || !valid(s))
                return bad(name, key, e);
        *ret = strdup(s);
        return *ret ? 0 : error_oom(e);
}

static bool any(const char *s) {
        return true;
}

static bool is_file_name(const char *s) {
        return path_is_safe(s) && !strchr(s, '/');
}

bool generation_is_mirror(const Generation *g) {
        return g->locks && startswith(g->locks[0], MIRROR_LOCK);
}

bool href_is_safe(const char *s) {
        return path_is_safe(s) && endswith(s, ".rpm") && s[0] != '.' && !strstr(s, "/.") && !startswith(s, "repodata/") && !startswith(s, "generations/");
}

static int package_from_json(const json_t *j, const char *name, Generation *g, Error *e) {
        _cleanup_(published_package_freep) PublishedPackage *p = calloc(1, sizeof(*p));
        json_int_t size = json_integer_value(json_object_get(j, "size"));
        const json_t *before = json_object_get(j, "unsigned_sha256");
        int r;

        if (!p)
                return error_oom(e);
        if ((r = take(j, "href", href_is_safe, name, &p->href, e)) < 0 || (r = take(j, "file", is_file_name, name, &p->file, e)) < 0 ||
            (r = take(j, "name", any, name, &p->name, e)) < 0 || (r = take(j, "evr", any, name, &p->evr, e)) < 0 ||
            (r = take(j, "arch", any, name, &p->arch, e)) < 0 || (r = take(j, "nevra", any, name, &p->nevra, e)) < 0 ||
            (r = take(j, "sha256", sha256_is_valid, name, &p->sha256, e)) < 0 ||
            (r = take(j, "header_sha256", sha256_is_valid, name, &p->header_sha256, e)) < 0 ||
            (r = take(j, "signer", any, name, &p->signer, e)) < 0 || (r = take_list(j, "releases", name, &p->releases, e)) < 0)
                return r;
        if (before && !json_is_null(before) && (r = take(j, "unsigned_sha256", sha256_is_valid, name, &p->unsigned_sha256, e)) < 0)
                return r;
        if (size < 0)
                return bad(name, "size", e);
        p->size = (uint64_t) size;
        p->vendor = json_is_true(json_object_get(j, "vendor"));
        return generation_add(g, &p, e);
}

int generation_from_json(const char *text, size_t size, const char *name, Generation **ret, Error *e) {
        _cleanup_(generation_freep) Generation *g = calloc(1, sizeof(*g));
        _cleanup_(jsonp) json_t *j = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        const json_t *packages = json_object_get(j, "packages"), *item;
        json_int_t number = json_integer_value(json_object_get(j, "generation"));
        size_t i;
        int r;

        if (!g)
                return error_oom(e);
        if (!json_is_object(j) || json_integer_value(json_object_get(j, "format")) != MANIFEST_FORMAT || number <= 0 || !json_is_array(packages))
                return bad(name, "format, generation or packages", e);
        g->number = (uint64_t) number;
        g->revision = (int64_t) json_integer_value(json_object_get(j, "revision"));
        g->freshness = (Freshness){ .serial = g->number, .expires = (int64_t) json_integer_value(json_object_get(j, "expires")) };
        if ((r = take(j, "key", any, name, &g->key, e)) < 0 || (r = take(j, "repomd_sha256", sha256_is_valid, name, &g->repomd_sha256, e)) < 0 ||
            (r = take(j, "comps_sha256", sha256_is_valid, name, &g->comps_sha256, e)) < 0 ||
            (r = take_list(j, "metadata", name, &g->metadata, e)) < 0 || (r = take_list(j, "locks", name, &g->locks, e)) < 0)
                return r;
        STRV_FOREACH(s, g->metadata)
                if (!is_file_name(*s))
                        return bad(name, "metadata", e);
        json_array_foreach(packages, i, item) {
                r = package_from_json(item, name, g, e);
                if (r < 0)
                        return r;
                if (!generation_is_mirror(g) && !startswith(g->packages[i]->href, "packages/"))
                        return bad(name, "href", e);
        }
        if ((r = generation_sort(g, e)) < 0)
                return r;
        *ret = TAKE_PTR(g);
        return 0;
}

static int load_one(int repo_fd, const char *repo_path, uint64_t number, Generation **ret, Error *e) {
        _cleanup_free_ char *path = format("generations/%" PRIu64 "/manifest.json", number), *text = NULL, *name = NULL;
        size_t size;
        int r;

        if (!path || !(name = path_join(repo_path, path)))
                return error_oom(e);
        r = read_file(repo_fd, path, MANIFEST_MAX, &text, &size);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return error_errno(e, -r, "%s", name);
        r = generation_from_json(text, size, name, ret, e);
        if (r >= 0 && (*ret)->number != number)
                r = bad(name, "it is another generation's", e);
        return r;
}

static int by_number(const void *a, const void *b) {
        uint64_t x = (*(Generation *const *) a)->number, y = (*(Generation *const *) b)->number;
        return (x > y) - (x < y);
}

int generations_load(int repo_fd, const char *repo_path, Generation ***ret, size_t *ret_n, Error *e) {
        Generation **v = NULL, *g;
        struct dirent *d;
        size_t n = 0;
        int fd, r = 0;
        DIR *dir;

        fd = openat(repo_fd, "generations", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT) {
                *ret = NULL;
                *ret_n = 0;
                return 0;
        }
        dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir) {
                safe_close(fd);
                return error_errno(e, errno, "%s/generations", repo_path);
        }
        while (r >= 0 && (d = readdir(dir))) {
                Generation **grown;
                uint64_t number;

                if (parse_u64(d->d_name, &number) < 0)
                        continue;
                g = NULL;
                r = load_one(repo_fd, repo_path, number, &g, e);
                if (r >= 0 && g && !(grown = reallocarray(v, n + 1, sizeof(*grown))))
                        r = error_oom(e);
                else if (r >= 0 && g) {
                        v = grown;
                        v[n++] = TAKE_PTR(g);
                }
                generation_free(g);
        }
        (void) closedir(dir);
        if (r < 0) {
                generations_free(v, n);
                return r;
        }
        if (n > 0)
                qsort(v, n, sizeof(*v), by_number);
        *ret = v;
        *ret_n = n;
        return 0;
}

Generation *generations_current(Generation *const *v, size_t n, const char *repomd_sha256) {
        while (n-- > 0)
                if (streq(v[n]->repomd_sha256, repomd_sha256))
                        return v[n];
        return NULL;
}

static bool same_list(char *const *a, char *const *b) {
        size_t n = strv_length(a);

        if (n != strv_length(b))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!streq(a[i], b[i]))
                        return false;
        return true;
}

bool generation_same(const Generation *a, const Generation *b) {
        if (!streq(a->key, b->key) || !streq(a->comps_sha256, b->comps_sha256) || a->n_packages != b->n_packages || a->revision != b->revision ||
            !same_list(a->locks, b->locks))
                return false;
        for (size_t i = 0; i < a->n_packages; i++)
                if (!streq(a->packages[i]->href, b->packages[i]->href) || !streq(a->packages[i]->sha256, b->packages[i]->sha256) ||
                    !same_list(a->packages[i]->releases, b->packages[i]->releases))
                        return false;
        return true;
}
