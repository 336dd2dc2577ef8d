/* SPDX-License-Identifier: Apache-2.0 */
/* A generation as text: manifest.json. */
#include "repo/generation.h"

#include <inttypes.h>
#include <stddef.h>

#include "basic/fs.h"
#include "repo/json-scan.h"

#define MANIFEST_FORMAT 1
#define LARGE           65536
#define VALID_SEC_MAX   (INT64_C(36500) * 24 * 60 * 60)

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

#define BETWEEN ",\n    " /* two packages */

/* Whether b stood behind a in the text that both are from. */
static bool follows(const PublishedPackage *a, const PublishedPackage *b) {
        return a->text && b->text == a->text + a->text_size + strlen(BETWEEN) && memcmp(a->text + a->text_size, BETWEEN, strlen(BETWEEN)) == 0;
}

/* Where a manifest goes: into memory, or, what is large without being copied, into a file. */
typedef struct Out {
        Text text;
        int fd; /* or -1 */
        int r;
} Out;

static void flush(Out *o) {
        if (o->fd < 0 || o->r < 0)
                return;
        o->r = o->text.failed ? -ENOMEM : write_all(o->fd, o->text.data, o->text.size);
        o->text.size = 0;
}

static void put_large(Out *o, const char *data, size_t size) {
        if (o->fd < 0 || size < LARGE) {
                text_append_n(&o->text, data, size);
                return;
        }
        flush(o);
        if (o->r >= 0)
                o->r = write_all(o->fd, data, size);
}

/* Those that stand behind each other are one piece. */
static void put_packages(Out *o, const Generation *g) {
        for (size_t i = 0, k; i < g->n_packages; i = k) {
                const PublishedPackage *first = g->packages[i], *last = first;

                for (k = i + 1; k < g->n_packages && follows(last, g->packages[k]); k++)
                        last = g->packages[k];
                text_append(&o->text, i == 0 ? "\n    " : BETWEEN);
                if (first->text)
                        put_large(o, first->text, (size_t) (last->text + last->text_size - first->text));
                else
                        put_package(&o->text, first);
        }
}

static void put_generation(Out *o, const Generation *g) {
        Text *t = &o->text;

        text_append(t, "{\n  ");
        if (g->also) {
                put_text(t, "also", g->also);
                text_append(t, ",\n  ");
        }
        put_text(t, "comps_sha256", g->comps_sha256);
        text_printf(t, ",\n  \"expires\": %" PRIi64 ",\n  \"format\": %d,\n  \"generation\": %" PRIu64 ",\n  ", g->freshness.expires, MANIFEST_FORMAT, g->number);
        put_text(t, "key", g->key);
        text_append(t, ",\n  ");
        put_list(t, "locks", g->locks);
        text_append(t, ",\n  ");
        put_list(t, "metadata", g->metadata);
        text_append(t, ",\n  \"packages\": [");
        put_packages(o, g);
        text_append(t, "\n  ],\n  ");
        put_text(t, "repomd_sha256", g->repomd_sha256);
        text_printf(t, ",\n  \"revision\": %" PRIi64, g->revision);
        if (g->valid_sec > 0)
                text_printf(t, ",\n  \"valid\": %" PRIi64, g->valid_sec);
        text_append(t, "\n}\n");
}

int generation_to_json(const Generation *g, char **ret, Error *e) {
        Out o = { .fd = -1 };

        put_generation(&o, g);
        *ret = text_take(&o.text);
        return *ret ? 0 : error_oom(e);
}

int generation_write(const Generation *g, int fd) {
        Out o = { .fd = fd };

        put_generation(&o, g);
        flush(&o);
        text_free(&o.text);
        return o.r;
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

/* The strings of a package, in the order in which they are written. */
enum { ARCH, EVR, FILE_NAME, HEADER_SHA256, HREF, NAME, NEVRA, SHA256, SIGNER, UNSIGNED_SHA256, N_TEXTS };

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

static PublishedPackage *share(PublishedPackage *p) {
        (void) __atomic_fetch_add(&p->others, 1, __ATOMIC_RELAXED);
        return p;
}

PublishedPackage *published_package_keep(PublishedPackage *p, char *const *releases) {
        _cleanup_(published_package_freep) PublishedPackage *q = NULL;
        JsonText v[N_TEXTS] = {};

        if (strv_equal(p->releases, releases))
                return share(p);
        for (size_t i = 0; i < N_TEXTS; i++) {
                const char *s = *text_of(p, i);

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

/* A manifest that is being read. Those of one repository have nearly all packages in common, letter for letter: what stands there as it stands
 * in the one that was read first is the same package, and not taken apart again. */
typedef struct Reading {
        Generation *g;
        const Generation *base; /* NULL: this one is the first */
        size_t at;              /* where the next one would be in base */
        bool keep;              /* the text stays, and packages know how they stand in it */
        int64_t format;
        bool seen[3];
} Reading;

typedef struct Member {
        JsonText texts[N_TEXTS];
        size_t next; /* the one that is expected */
        char **releases;
        bool seen, vendor, more; /* more: it has members that we do not know */
        uint64_t size;
} Member;

static bool take_string(JsonScan *j, JsonText key, Member *m) {
        for (size_t k = 0, i = m->next; k < N_TEXTS; k++, i = (i + 1) % N_TEXTS) {
                if (key.n != texts[i].length || memcmp(key.s, texts[i].key, key.n) != 0)
                        continue;
                m->next = (i + 1) % N_TEXTS;
                j->bad |= m->texts[i].s != NULL;
                if (i != UNSIGNED_SHA256 || !scan_null(j))
                        m->texts[i] = scan_text(j);
                return true;
        }
        return false;
}

static void take_member(JsonScan *j, JsonText key, Member *m) {
        if (take_string(j, key, m))
                return;
        if (scan_equals(key, "releases"))
                take_list(j, any, &m->releases, &m->seen);
        else if (scan_equals(key, "vendor"))
                m->vendor = scan_bool(j);
        else if (scan_equals(key, "size")) {
                int64_t size = scan_integer(j);

                j->bad |= size < 0;
                m->size = (uint64_t) size;
        } else {
                m->more = true;
                scan_skip(j);
        }
}

#define NEAR 4 /* so many packages that have gone in between are passed over */

static bool take_shared(JsonScan *j, Reading *r, PublishedPackage **ret) {
        for (size_t i = r->at; r->base && i < r->base->n_packages && i < r->at + NEAR; i++) {
                PublishedPackage *p = r->base->packages[i];

                if (!p->text || (size_t) (j->end - j->p) < p->text_size || memcmp(j->p, p->text, p->text_size) != 0)
                        continue;
                j->p += p->text_size;
                r->at = i + 1;
                *ret = share(p);
                return true;
        }
        return false;
}

/* Where base goes on behind a package that it does not have. */
static void pass(Reading *r, const char *href) {
        while (r->base && r->at < r->base->n_packages && strcmp(r->base->packages[r->at]->href, href) <= 0)
                r->at++;
}

static int take_package(JsonScan *j, Reading *r, Error *e) {
        _cleanup_(published_package_freep) PublishedPackage *p = NULL;
        _cleanup_strv_ char **releases = NULL;
        const char *begin;
        Member m = {};
        bool first = true;
        JsonText key;

        scan_blanks(j);
        if (take_shared(j, r, &p))
                return generation_add(r->g, &p, e);
        begin = j->p;
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
        if (j->bad)
                return 0;
        /* What we would not have written is not written again. */
        if (r->keep && !m.more && !memchr(begin, '\n', (size_t) (j->p - begin))) {
                p->text = begin;
                p->text_size = (size_t) (j->p - begin);
        }
        pass(r, p->href);
        return generation_add(r->g, &p, e);
}

static int take_top(JsonScan *j, JsonText key, Reading *reading, Error *e) {
        Generation *g = reading->g;
        bool first = true, *seen = reading->seen;
        int r = 0;

        if (scan_equals(key, "format"))
                reading->format = scan_integer(j);
        else if (scan_equals(key, "generation")) {
                int64_t number = scan_integer(j);
                g->number = number > 0 ? (uint64_t) number : 0;
        } else if (scan_equals(key, "revision"))
                g->revision = scan_integer(j);
        else if (scan_equals(key, "expires"))
                g->freshness.expires = scan_integer(j);
        else if (scan_equals(key, "valid")) {
                g->valid_sec = scan_integer(j);
                j->bad |= g->valid_sec <= 0 || g->valid_sec > VALID_SEC_MAX;
        }
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
                        r = take_package(j, reading, e);
        } else
                scan_skip(j);
        return r;
}

static int check(const Reading *reading, const char *name, Error *e) {
        const Generation *g = reading->g;

        if (reading->format != MANIFEST_FORMAT || g->number == 0 || !g->key || !g->repomd_sha256 || !g->comps_sha256 || !reading->seen[0] ||
            !reading->seen[1] || !reading->seen[2])
                return bad(name, "something is missing, or it has another format", e);
        for (size_t i = 0; i < g->n_packages; i++)
                if (!generation_is_mirror(g) && !startswith(g->packages[i]->href, "packages/"))
                        return bad(name, "href", e);
        return 0;
}

int generation_read(const char *text, size_t size, const char *name, const Generation *base, bool keep, Generation **ret, Error *e) {
        _cleanup_(generation_freep) Generation *g = calloc(1, sizeof(*g));
        Reading reading = { .g = g, .base = base, .keep = keep };
        JsonScan j = { .p = text, .end = text + size };
        bool first = true;
        JsonText key;
        int r = 0;

        if (!g)
                return error_oom(e);
        scan_expect(&j, '{');
        while (r >= 0 && scan_key(&j, &first, &key))
                r = take_top(&j, key, &reading, e);
        if (r < 0)
                return r;
        if (!scan_ends(&j)) {
                size_t line = 1;

                for (const char *p = text; p < j.p; p++)
                        line += *p == '\n';
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not a generation's manifest: line %zu", name, line),
                                  "remove that generation's directory, and publish again");
        }
        if ((r = check(&reading, name, e)) < 0)
                return r;
        g->freshness.serial = g->number;
        generation_sort(g);
        *ret = TAKE_PTR(g);
        return 0;
}

int generation_from_json(const char *text, size_t size, const char *name, Generation **ret, Error *e) {
        return generation_read(text, size, name, NULL, false, ret, e);
}
