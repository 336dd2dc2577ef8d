/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/generation.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>

#include "basic/fs.h"
#include "repo/json-scan.h"
#include "repo/parallel.h"

#define MANIFEST_MAX    (64 * 1024 * 1024)
#define MANIFEST_FORMAT 1

PublishedPackage *published_package_free(PublishedPackage *p) {
        if (!p)
                return NULL;
        if (p->packed) {
                strv_free(p->releases);
                free(p);
                return NULL;
        }
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
        free(g->also);
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
        if ((g->n_packages & (g->n_packages + 1)) == 0) { /* 2^n - 1 of them fit: double the room */
                PublishedPackage **grown = reallocarray(g->packages, 2 * g->n_packages + 1, sizeof(*grown));

                if (!grown)
                        return error_oom(e);
                g->packages = grown;
        }
        g->packages[g->n_packages++] = TAKE_PTR(*p);
        return 0;
}

static int by_href(const void *a, const void *b) {
        return strcmp((*(PublishedPackage *const *) a)->href, (*(PublishedPackage *const *) b)->href);
}

/* FNV-1a */
static size_t hash(const char *s) {
        uint64_t h = 14695981039346656037u;

        for (; *s; s++)
                h = (h ^ (unsigned char) *s) * 1099511628211u;
        return (size_t) (h ^ (h >> 32));
}

static int make_table(Generation *g, Error *e) {
        size_t size = 16;

        while (size < 2 * g->n_packages)
                size *= 2;
        free(g->by_file);
        g->by_file = calloc(size, sizeof(*g->by_file));
        if (!g->by_file)
                return error_oom(e);
        g->by_file_mask = size - 1;
        for (size_t i = 0; i < g->n_packages; i++) {
                size_t at = hash(g->packages[i]->file) & g->by_file_mask;

                while (g->by_file[at])
                        at = (at + 1) & g->by_file_mask;
                g->by_file[at] = g->packages[i];
        }
        return 0;
}

/* A manifest is sorted already. */
static void sort(PublishedPackage **v, size_t n, int (*compare)(const void *, const void *)) {
        size_t i = 1;

        while (i < n && compare(&v[i - 1], &v[i]) <= 0)
                i++;
        if (i < n)
                qsort(v, n, sizeof(*v), compare);
}

int generation_sort(Generation *g, Error *e) {
        sort(g->packages, g->n_packages, by_href);
        return make_table(g, e);
}

const PublishedPackage *generation_find_href(const Generation *g, const char *href) {
        const PublishedPackage key = { .href = (char *) href }, *p = &key;
        PublishedPackage *const *found = g->n_packages > 0 ? bsearch(&p, g->packages, g->n_packages, sizeof(*g->packages), by_href) : NULL;

        return found ? *found : NULL;
}

const PublishedPackage *generation_find_file(const Generation *g, const char *file) {
        size_t at = hash(file) & g->by_file_mask;

        while (g->by_file[at] && !streq(g->by_file[at]->file, file))
                at = (at + 1) & g->by_file_mask;
        return g->by_file[at];
}

const PublishedPackage *generation_walk_href(const Generation *g, size_t *at, const char *href) {
        while (*at < g->n_packages) {
                int c = strcmp(g->packages[*at]->href, href);

                if (c >= 0)
                        return c == 0 ? g->packages[*at] : NULL;
                (*at)++;
        }
        return NULL;
}

/* One string member; nothing in a manifest needs an escape: see json-scan.h. */
static void put_text(Text *t, const char *key, const char *value) {
        text_append(t, "\"");
        text_append(t, key);
        if (!value) {
                text_append(t, "\": null");
                return;
        }
        t->failed |= !scan_is_plain(value);
        text_append(t, "\": \"");
        text_append(t, value);
        text_append(t, "\"");
}

static void put_list(Text *t, const char *key, char *const *v) {
        text_append(t, "\"");
        text_append(t, key);
        text_append(t, "\": [");
        STRV_FOREACH(s, v) {
                t->failed |= !scan_is_plain(*s);
                text_append(t, s == v ? "\"" : ", \"");
                text_append(t, *s);
                text_append(t, "\"");
        }
        text_append(t, "]");
}

static void put_package(Text *t, const PublishedPackage *p) {
        const struct { const char *key, *value; } members[] = {
                { "arch", p->arch }, { "evr", p->evr }, { "file", p->file }, { "header_sha256", p->header_sha256 }, { "href", p->href },
                { "name", p->name }, { "nevra", p->nevra },
        };

        text_append(t, "{");
        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                put_text(t, members[i].key, members[i].value);
                text_append(t, ", ");
        }
        put_list(t, "releases", p->releases);
        text_append(t, ", ");
        put_text(t, "sha256", p->sha256);
        text_append(t, ", ");
        put_text(t, "signer", p->signer);
        text_printf(t, ", \"size\": %" PRIu64 ", ", p->size);
        put_text(t, "unsigned_sha256", p->unsigned_sha256);
        text_append(t, p->vendor ? ", \"vendor\": true}" : ", \"vendor\": false}");
}

int generation_to_json(const Generation *g, char **ret, Error *e) {
        _cleanup_text_ Text t = {};

        text_append(&t, "{\n  ");
        if (g->also) {
                put_text(&t, "also", g->also);
                text_append(&t, ",\n  ");
        }
        put_text(&t, "comps_sha256", g->comps_sha256);
        text_printf(&t, ",\n  \"expires\": %" PRIi64 ",\n  \"format\": %d,\n  \"generation\": %" PRIu64 ",\n  ", g->freshness.expires, MANIFEST_FORMAT, g->number);
        put_text(&t, "key", g->key);
        text_append(&t, ",\n  ");
        put_list(&t, "locks", g->locks);
        text_append(&t, ",\n  ");
        put_list(&t, "metadata", g->metadata);
        text_append(&t, ",\n  \"packages\": [");
        for (size_t i = 0; i < g->n_packages; i++) {
                text_append(&t, i == 0 ? "\n    " : ",\n    ");
                put_package(&t, g->packages[i]);
        }
        text_append(&t, "\n  ],\n  ");
        put_text(&t, "repomd_sha256", g->repomd_sha256);
        text_printf(&t, ",\n  \"revision\": %" PRIi64 "\n}\n", g->revision);
        *ret = text_take(&t);
        return *ret ? 0 : error_oom(e);
}

static int bad(const char *name, const char *what, Error *e) {
        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not a generation's manifest: %s", name, what),
                          "remove that generation's directory, and publish again");
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

/* A string that may be there once, and has to fit. */
static void take(JsonScan *j, bool (*valid)(const char *), char **ret) {
        char *s = scan_dup(scan_text(j));

        if (!s || *ret || j->bad || !valid(s)) {
                j->bad = true;
                free(s);
                return;
        }
        *ret = s;
}

static void take_list(JsonScan *j, bool (*valid)(const char *), char ***ret, bool *seen) {
        bool first = true;

        j->bad |= *seen;
        *seen = true;
        scan_expect(j, '[');
        while (scan_item(j, &first)) {
                _cleanup_free_ char *s = scan_dup(scan_text(j));
                j->bad |= !s || !valid(s) || strv_append(ret, s) < 0;
        }
}

/* The strings of a package. */
enum { HREF, FILE_NAME, NAME, EVR, ARCH, NEVRA, SHA256, HEADER_SHA256, SIGNER, UNSIGNED_SHA256, N_TEXTS };

static const struct {
        const char *key;
        size_t length;
        bool (*valid)(const char *);
        size_t at;
} texts[N_TEXTS] = {
#define TEXT(name, member, valid) { name, sizeof(name) - 1, valid, offsetof(PublishedPackage, member) }
        [HREF] = TEXT("href", href, href_is_safe), [FILE_NAME] = TEXT("file", file, is_file_name), [NAME] = TEXT("name", name, any),
        [EVR] = TEXT("evr", evr, any), [ARCH] = TEXT("arch", arch, any), [NEVRA] = TEXT("nevra", nevra, any),
        [SHA256] = TEXT("sha256", sha256, sha256_is_valid), [HEADER_SHA256] = TEXT("header_sha256", header_sha256, sha256_is_valid),
        [SIGNER] = TEXT("signer", signer, any), [UNSIGNED_SHA256] = TEXT("unsigned_sha256", unsigned_sha256, sha256_is_valid),
#undef TEXT
};

static char **text_of(PublishedPackage *p, size_t i) {
        return (char **) (void *) ((char *) p + texts[i].at);
}

/* A package and its strings in one piece of memory: there are many. A string without s is NULL. */
static PublishedPackage *pack(const JsonText v[static N_TEXTS]) {
        size_t size = sizeof(PublishedPackage);
        PublishedPackage *p;
        char *to;

        for (size_t i = 0; i < N_TEXTS; i++)
                size += v[i].n + 1;
        p = calloc(1, size);
        if (!p)
                return NULL;
        p->packed = true;
        to = (char *) (p + 1);
        for (size_t i = 0; i < N_TEXTS; i++) {
                if (!v[i].s)
                        continue;
                memcpy(to, v[i].s, v[i].n);
                *text_of(p, i) = to;
                to += v[i].n + 1;
        }
        return p;
}

PublishedPackage *published_package_copy(const PublishedPackage *p, char *const *releases) {
        _cleanup_(published_package_freep) PublishedPackage *q = NULL;
        JsonText v[N_TEXTS] = {};

        for (size_t i = 0; i < N_TEXTS; i++) {
                const char *s = *text_of((PublishedPackage *) p, i);

                if (s)
                        v[i] = (JsonText){ .s = s, .n = strlen(s) };
        }
        q = pack(v);
        if (!q)
                return NULL;
        q->size = p->size;
        q->vendor = p->vendor;
        STRV_FOREACH(s, releases)
                if (strv_append(&q->releases, *s) < 0)
                        return NULL;
        return TAKE_PTR(q);
}

typedef struct Member {
        JsonText texts[N_TEXTS];
        char **releases;
        bool seen, vendor;
        uint64_t size;
} Member;

static void take_member(JsonScan *j, JsonText key, Member *m) {
        for (size_t i = 0; i < N_TEXTS; i++)
                if (key.n == texts[i].length && memcmp(key.s, texts[i].key, key.n) == 0) {
                        j->bad |= m->texts[i].s != NULL;
                        if (i != UNSIGNED_SHA256 || !scan_null(j))
                                m->texts[i] = scan_text(j);
                        return;
                }
        if (scan_equals(key, "releases"))
                take_list(j, any, &m->releases, &m->seen);
        else if (scan_equals(key, "vendor"))
                m->vendor = scan_bool(j);
        else if (scan_equals(key, "size")) {
                int64_t size = scan_integer(j);

                j->bad |= size < 0;
                m->size = (uint64_t) size;
        } else
                scan_skip(j);
}

static int take_package(JsonScan *j, Generation *g, Error *e) {
        _cleanup_(published_package_freep) PublishedPackage *p = NULL;
        _cleanup_strv_ char **releases = NULL;
        Member m = {};
        bool first = true;
        JsonText key;

        scan_expect(j, '{');
        while (scan_key(j, &first, &key))
                take_member(j, key, &m);
        releases = m.releases;
        j->bad |= !m.seen;
        for (size_t i = 0; i < N_TEXTS; i++)
                j->bad |= !m.texts[i].s && i != UNSIGNED_SHA256;
        if (j->bad)
                return 0;
        p = pack(m.texts);
        if (!p)
                return error_oom(e);
        for (size_t i = 0; i < N_TEXTS; i++)
                j->bad |= m.texts[i].s && !texts[i].valid(*text_of(p, i));
        p->releases = TAKE_PTR(releases);
        p->size = m.size;
        p->vendor = m.vendor;
        return j->bad ? 0 : generation_add(g, &p, e);
}

static int take_top(JsonScan *j, JsonText key, Generation *g, int64_t *format, bool seen[static 3], Error *e) {
        bool first = true;
        int r = 0;

        if (scan_equals(key, "format"))
                *format = scan_integer(j);
        else if (scan_equals(key, "generation")) {
                int64_t number = scan_integer(j);
                g->number = number > 0 ? (uint64_t) number : 0;
        } else if (scan_equals(key, "revision"))
                g->revision = scan_integer(j);
        else if (scan_equals(key, "expires"))
                g->freshness.expires = scan_integer(j);
        else if (scan_equals(key, "key"))
                take(j, any, &g->key);
        else if (scan_equals(key, "also"))
                take(j, any, &g->also);
        else if (scan_equals(key, "repomd_sha256"))
                take(j, sha256_is_valid, &g->repomd_sha256);
        else if (scan_equals(key, "comps_sha256"))
                take(j, sha256_is_valid, &g->comps_sha256);
        else if (scan_equals(key, "metadata"))
                take_list(j, is_file_name, &g->metadata, &seen[0]);
        else if (scan_equals(key, "locks"))
                take_list(j, any, &g->locks, &seen[1]);
        else if (scan_equals(key, "packages")) {
                j->bad |= seen[2];
                seen[2] = true;
                scan_expect(j, '[');
                while (r >= 0 && scan_item(j, &first))
                        r = take_package(j, g, e);
        } else
                scan_skip(j);
        return r;
}

int generation_from_json(const char *text, size_t size, const char *name, Generation **ret, Error *e) {
        _cleanup_(generation_freep) Generation *g = calloc(1, sizeof(*g));
        JsonScan j = { .p = text, .end = text + size };
        bool first = true, seen[3] = {};
        int64_t format = 0;
        JsonText key;
        int r = 0;

        if (!g)
                return error_oom(e);
        scan_expect(&j, '{');
        while (r >= 0 && scan_key(&j, &first, &key))
                r = take_top(&j, key, g, &format, seen, e);
        if (r < 0)
                return r;
        if (!scan_ends(&j)) {
                size_t line = 1;

                for (const char *p = text; p < j.p; p++)
                        line += *p == '\n';
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not a generation's manifest: line %zu", name, line),
                                  "remove that generation's directory, and publish again");
        }
        if (format != MANIFEST_FORMAT || g->number == 0 || !g->key || !g->repomd_sha256 || !g->comps_sha256 || !seen[0] || !seen[1] || !seen[2])
                return bad(name, "something is missing, or it has another format", e);
        for (size_t i = 0; i < g->n_packages; i++)
                if (!generation_is_mirror(g) && !startswith(g->packages[i]->href, "packages/"))
                        return bad(name, "href", e);
        g->freshness.serial = g->number;
        if ((r = generation_sort(g, e)) < 0)
                return r;
        *ret = TAKE_PTR(g);
        return 0;
}

int generation_load(int repo_fd, const char *repo_path, uint64_t number, Generation **ret, Error *e) {
        _cleanup_free_ char *path = format("generations/%" PRIu64 "/manifest.json", number), *text = NULL, *name = NULL;
        _cleanup_close_ int fd = -1;
        size_t size;
        int r;

        if (!path || !(name = path_join(repo_path, path)))
                return error_oom(e);
        fd = open_beneath(repo_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
        if (fd == -ENOENT)
                return 0;
        r = fd < 0 ? fd : read_fd(fd, MANIFEST_MAX, &text, &size);
        if (r < 0)
                return error_errno(e, -r, "%s", name);
        r = generation_from_json(text, size, name, ret, e);
        if (r >= 0 && (*ret)->number != number)
                r = bad(name, "it is another generation's", e);
        return r;
}

typedef struct Loading {
        int repo_fd;
        const char *repo_path;
        uint64_t *numbers;
        Generation **v; /* NULL: a directory without a manifest */
        size_t n;
} Loading;

static void loading_done(Loading *l) {
        if (l->v)
                generations_free(l->v, l->n);
        free(l->numbers);
}

static int load_numbered(void *data, size_t i, Error *e) {
        Loading *l = data;
        return generation_load(l->repo_fd, l->repo_path, l->numbers[i], &l->v[i], e);
}

static int by_number(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
        return (x > y) - (x < y);
}

static int list_numbers(Loading *l, int fd, size_t max, Error *e) {
        DIR *dir = fdopendir(fd);
        struct dirent *d;
        int r = 0;

        if (!dir) {
                safe_close(fd);
                return error_errno(e, errno, "%s/generations", l->repo_path);
        }
        while (r >= 0 && (d = readdir(dir))) {
                uint64_t number, *grown;

                if (parse_u64(d->d_name, &number) < 0)
                        continue;
                if (l->n == max) {
                        r = error_set(e, EFBIG, EXIT_INVALID, "%s/generations: more than %zu", l->repo_path, max);
                        break;
                }
                grown = reallocarray(l->numbers, l->n + 1, sizeof(*grown));
                if (!grown) {
                        r = error_oom(e);
                        break;
                }
                l->numbers = grown;
                l->numbers[l->n++] = number;
        }
        (void) closedir(dir);
        if (l->n > 0)
                qsort(l->numbers, l->n, sizeof(*l->numbers), by_number);
        return r;
}

static int list_generations(Loading *l, size_t max, Error *e) {
        int fd = openat(l->repo_fd, "generations", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return errno == ENOENT ? 0 : error_errno(e, errno, "%s/generations", l->repo_path);
        return list_numbers(l, fd, max, e);
}

int generations_list(int repo_fd, const char *repo_path, size_t max, uint64_t **ret, size_t *ret_n, Error *e) {
        _cleanup_(loading_done) Loading l = { .repo_fd = repo_fd, .repo_path = repo_path };
        int r = list_generations(&l, max, e);

        if (r < 0)
                return r;
        *ret = TAKE_PTR(l.numbers);
        *ret_n = l.n;
        return 0;
}

int generations_load(int repo_fd, const char *repo_path, Generation ***ret, size_t *ret_n, Error *e) {
        _cleanup_(loading_done) Loading l = { .repo_fd = repo_fd, .repo_path = repo_path };
        size_t n = 0;
        int r;

        if ((r = list_generations(&l, SIZE_MAX, e)) < 0)
                return r;
        l.v = calloc(l.n + 1, sizeof(*l.v));
        if (!l.v)
                return error_oom(e);
        r = parallel_run(l.n, load_numbered, &l, e);
        if (r < 0)
                return r;
        for (size_t i = 0; i < l.n; i++)
                if (l.v[i])
                        l.v[n++] = l.v[i];
        *ret = TAKE_PTR(l.v);
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
        if (!streq(a->key, b->key) || !streq(a->also ? a->also : "", b->also ? b->also : "") || !streq(a->comps_sha256, b->comps_sha256) || a->n_packages != b->n_packages || a->revision != b->revision ||
            !same_list(a->locks, b->locks))
                return false;
        for (size_t i = 0; i < a->n_packages; i++)
                if (!streq(a->packages[i]->href, b->packages[i]->href) || !streq(a->packages[i]->sha256, b->packages[i]->sha256) ||
                    !same_list(a->packages[i]->releases, b->packages[i]->releases))
                        return false;
        return true;
}
