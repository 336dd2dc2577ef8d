/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/primary-solv.h"

#include <solv/chksum.h>
#include <solv/pool.h>

#include "basic/strings.h"
#include "repo/plain-xml.h"

#define FILE_MAX 4096

typedef struct Reader {
        PlainXml xml;
        Repo *repo;
        Pool *pool;
        Repodata *data;
        Id id;           /* of the package */
        size_t expected; /* which element comes next, mostly */
        Id dir;          /* of the last file */
        Text dir_text, value, evr;
} Reader;

bool primary_has_file(const char *path) {
        return startswith(path, "/etc/") || strstr(path, "bin/") || streq(path, "/usr/lib/sendmail");
}

/* With references resolved, in r->value if there are any: until the next call. */
static Piece resolve(Reader *r, Piece x) {
        const char *s = x.s, *end, *next;

        if (x.n == 0 || !memchr(x.s, '&', x.n))
                return x;
        end = x.s + x.n;
        r->value.size = 0;
        for (; (next = memchr(s, '&', (size_t) (end - s))); s = next) {
                size_t n = 0;
                char c = plain_reference(next, end, &n);

                text_append_n(&r->value, s, (size_t) (next - s));
                text_append_n(&r->value, &c, 1);
                next += n;
        }
        text_append_n(&r->value, s, (size_t) (end - s));
        return (Piece){ r->value.data, r->value.size };
}

static Id string_id(Reader *r, Piece x) {
        x = resolve(r, x);
        return pool_strn2id(r->pool, x.s, (unsigned) x.n, 1);
}

enum { NAME, FLAGS, EPOCH, VERSION, RELEASE, PRE, N_VALUES };
typedef struct Values {
        Piece v[N_VALUES];
} Values;

/* False: there is an attribute that is not known. */
static bool take_values(const PlainTag *t, Values *ret) {
        static const char *const names[N_VALUES] = { "name", "flags", "epoch", "ver", "rel", "pre" };

        *ret = (Values){};
        for (size_t i = 0, k = 0; i < t->n; i++) {
                for (k = 0; k < N_VALUES && !piece_is(t->attributes[i].name, names[k]); k++)
                        ;
                if (k == N_VALUES)
                        return false;
                ret->v[k] = t->attributes[i].value;
        }
        return true;
}

static void append_resolved(Reader *r, Piece x) {
        x = resolve(r, x);
        text_append_n(&r->evr, x.s, x.n);
}

/* "EPOCH:VERSION-RELEASE", without an epoch that is none, unless the version looks as if it had one. 0: there is nothing. */
static Id evr_id(Reader *r, const Values *values) {
        Piece e = values->v[EPOCH], v = values->v[VERSION], release = values->v[RELEASE];
        size_t digits = 0;

        while (digits < v.n && v.s[digits] >= '0' && v.s[digits] <= '9')
                digits++;
        if (e.n == 0 || piece_is(e, "0"))
                e = digits > 0 && digits < v.n && v.s[digits] == ':' ? (Piece){ "0", 1 } : (Piece){};
        r->evr.size = 0;
        if (e.s) {
                append_resolved(r, e);
                text_append_n(&r->evr, ":", 1);
        }
        append_resolved(r, v);
        if (release.s) {
                text_append_n(&r->evr, "-", 1);
                append_resolved(r, release);
        }
        return r->evr.size > 0 ? pool_strn2id(r->pool, r->evr.data, (unsigned) r->evr.size, 1) : 0;
}

/* 0: it is none; libsolv has bits for greater, equal and less. */
static int relation(Piece flags) {
        static const char *const names[] = { "GT", "EQ", "GE", "LT", "NE", "LE" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (piece_is(flags, names[i]))
                        return (int) i + 1;
        return 0;
}

/* The entry of a list: none that libsolv would read in a way of its own. */
static bool take_entry(Reader *r, const PlainTag *t, bool is_requires, Offset *list) {
        Id id, marker = is_requires ? -SOLVABLE_PREREQMARKER : 0;
        const char *name;
        Values values;
        Piece text;

        if (!piece_is(t->name, "rpm:entry") || !take_values(t, &values) || values.v[NAME].n == 0 || !plain_take_leaf(&r->xml, t, &text))
                return false;
        id = string_id(r, values.v[NAME]);
        name = pool_id2str(r->pool, id);
        if (name[0] == '(' || (name[0] == '/' && !primary_has_file(name)) || (values.v[FLAGS].s && relation(values.v[FLAGS]) == 0))
                return false;
        if (values.v[FLAGS].s)
                id = pool_rel2id(r->pool, id, evr_id(r, &values), relation(values.v[FLAGS]), 1);
        if (is_requires && values.v[PRE].n > 0 && values.v[PRE].s[0] == '1')
                marker = SOLVABLE_PREREQMARKER;
        *list = repo_addid_dep(r->repo, *list, id, marker);
        return true;
}

static bool take_list(Reader *r, const PlainTag *t, Offset *list, bool is_requires) {
        *list = 0;
        if (t->is_empty)
                return true;
        for (PlainTag entry;;) {
                plain_skip_space(&r->xml);
                if (!plain_take_tag(&r->xml, &entry))
                        return false;
                if (entry.closes)
                        return piece_same(entry.name, t->name);
                if (!take_entry(r, &entry, is_requires, list))
                        return false;
        }
}

static bool take_file(Reader *r, Piece text) {
        Piece x = resolve(r, text);
        const char *slash = memrchr(x.s, '/', x.n);
        size_t n = slash ? (size_t) (slash - x.s) : 0;
        _cleanup_free_ char *name = NULL;

        if (!slash || x.s[0] != '/' || x.n > FILE_MAX || !(name = strndup(slash + 1, x.n - n - 1)))
                return false;
        if (!r->dir || r->dir_text.size != n + 1 || memcmp(r->dir_text.data, x.s, n) != 0) {
                r->dir_text.size = 0;
                text_append_n(&r->dir_text, x.s, n);
                text_append_n(&r->dir_text, "", 1);
                if (r->dir_text.failed)
                        return false;
                r->dir = repodata_str2dir(r->data, n > 0 ? r->dir_text.data : "/", 1);
                if (!r->dir)
                        return false;
        }
        repodata_add_dirstr(r->data, r->id, SOLVABLE_FILELIST, r->dir, name);
        return true;
}

static bool take_checksum(Reader *r, const PlainTag *t, Piece text) {
        Piece type = plain_attribute(t, "type");
        _cleanup_free_ char *name = type.s ? strndup(type.s, type.n) : NULL, *hex = strndup(text.s, text.n);
        Id id = name ? solv_chksum_str2type(name) : 0;

        if (id == 0 || !hex || text.n != 2 * (size_t) solv_chksum_len(id) || strspn(hex, "0123456789abcdef") != text.n)
                return false;
        repodata_set_checksum(r->data, r->id, SOLVABLE_CHECKSUM, id, hex);
        return true;
}

/* In the order in which they come. */
typedef enum Element {
        ELEMENT_NAME, ELEMENT_ARCH, ELEMENT_VERSION, ELEMENT_CHECKSUM, ELEMENT_SUMMARY, ELEMENT_DESCRIPTION, ELEMENT_PACKAGER, ELEMENT_URL, ELEMENT_TIME,
        ELEMENT_SIZE, ELEMENT_LOCATION, ELEMENT_FORMAT, ELEMENT_LICENSE, ELEMENT_VENDOR, ELEMENT_GROUP, ELEMENT_BUILDHOST, ELEMENT_SOURCERPM,
        ELEMENT_HEADER_RANGE, ELEMENT_PROVIDES, ELEMENT_REQUIRES, ELEMENT_CONFLICTS, ELEMENT_OBSOLETES, ELEMENT_SUGGESTS, ELEMENT_ENHANCES,
        ELEMENT_RECOMMENDS, ELEMENT_SUPPLEMENTS, ELEMENT_FILE, N_ELEMENTS
} Element;

static const char *const elements[N_ELEMENTS] = {
        "name", "arch", "version", "checksum", "summary", "description", "packager", "url", "time", "size", "location", "format", "rpm:license", "rpm:vendor",
        "rpm:group", "rpm:buildhost", "rpm:sourcerpm", "rpm:header-range", "rpm:provides", "rpm:requires", "rpm:conflicts", "rpm:obsoletes", "rpm:suggests",
        "rpm:enhances", "rpm:recommends", "rpm:supplements", "file"
};

static Element find_element(Reader *r, Piece name) {
        for (size_t i = 0; i < N_ELEMENTS; i++) {
                size_t k = (r->expected + i) % N_ELEMENTS;

                if (piece_is(name, elements[k])) {
                        r->expected = k + (k != ELEMENT_FILE);
                        return (Element) k;
                }
        }
        return N_ELEMENTS;
}

static bool take_element(Reader *r, const PlainTag *t) {
        Solvable *s = pool_id2solvable(r->pool, r->id);
        Element element = find_element(r, t->name);
        Values values;
        Piece text;

        switch (element) {
        case ELEMENT_PROVIDES: return take_list(r, t, &s->provides, false);
        case ELEMENT_REQUIRES: return take_list(r, t, &s->requires, true);
        case ELEMENT_CONFLICTS: return take_list(r, t, &s->conflicts, false);
        case ELEMENT_OBSOLETES: return take_list(r, t, &s->obsoletes, false);
        case ELEMENT_SUGGESTS: return take_list(r, t, &s->suggests, false);
        case ELEMENT_ENHANCES: return take_list(r, t, &s->enhances, false);
        case ELEMENT_RECOMMENDS: return take_list(r, t, &s->recommends, false);
        case ELEMENT_SUPPLEMENTS: return take_list(r, t, &s->supplements, false);
        case ELEMENT_FORMAT:
        case N_ELEMENTS: return false;
        default: break;
        }
        if (!plain_take_leaf(&r->xml, t, &text))
                return false;
        switch (element) {
        case ELEMENT_NAME: s->name = string_id(r, text); return s->name > 1;
        case ELEMENT_ARCH: s->arch = string_id(r, text); return true;
        case ELEMENT_VENDOR: s->vendor = string_id(r, text); return true;
        case ELEMENT_VERSION: return take_values(t, &values) && ((s->evr = evr_id(r, &values)) || true);
        case ELEMENT_CHECKSUM: return take_checksum(r, t, text);
        case ELEMENT_FILE: return take_file(r, text);
        default: return true;
        }
}

static bool end_package(Reader *r) {
        Solvable *s = pool_id2solvable(r->pool, r->id);

        if (!s->name)
                return false;
        if (!s->arch)
                s->arch = ARCH_NOARCH;
        if (!s->evr)
                s->evr = ID_EMPTY;
        if (s->arch != ARCH_SRC && s->arch != ARCH_NOSRC)
                s->provides = repo_addid_dep(r->repo, s->provides, pool_rel2id(r->pool, s->name, s->evr, REL_EQ, 1), 0);
        repo_rewrite_suse_deps(s, 0);
        return true;
}

static bool take_package(Reader *r) {
        bool in_format = false;

        r->id = repo_add_solvable(r->repo);
        r->expected = 0;
        for (PlainTag t;;) {
                plain_skip_space(&r->xml);
                if (!plain_take_tag(&r->xml, &t))
                        return false;
                if (piece_is(t.name, "format") && t.closes == in_format && !t.is_empty && t.n == 0)
                        in_format = !in_format;
                else if (t.closes)
                        return !in_format && piece_is(t.name, "package") && end_package(r);
                else if (!take_element(r, &t))
                        return false;
        }
}

static bool take_document(Reader *r) {
        PlainTag t;

        plain_begin(&r->xml);
        if (!plain_take_tag(&r->xml, &t) || !piece_is(t.name, "metadata") || t.closes || t.is_empty || plain_attribute(&t, "xmlns").n == 0 || plain_attribute(&t, "xmlns:rpm").n == 0)
                return false;
        for (;;) {
                plain_skip_space(&r->xml);
                if (!plain_take_tag(&r->xml, &t))
                        return false;
                if (t.closes)
                        break;
                if (!piece_is(t.name, "package") || t.is_empty || t.n != 1 || !piece_is(plain_attribute(&t, "type"), "rpm") || !take_package(r))
                        return false;
        }
        plain_skip_space(&r->xml);
        return piece_is(t.name, "metadata") && r->xml.p == r->xml.end;
}

#define DEPTH_MAX 8

/* What is taken of the element that describes primary.xml. */
typedef struct Found {
        Piece href, digest, hex;
} Found;

/* False: it is there twice, or not plainly. */
static bool take_of_primary(PlainXml *x, const PlainTag *t, Found *found) {
        if (piece_is(t->name, "location")) {
                if (found->href.s)
                        return false;
                found->href = plain_attribute(t, "href");
        } else if (piece_is(t->name, "checksum")) {
                if (found->hex.s)
                        return false;
                found->digest = plain_attribute(t, "type");
                found->hex = (Piece){ x->p, strcspn(x->p, "<&> \t\r\n") };
        }
        return true;
}

bool primary_solv_find(const char *text, size_t size, char **ret_href, char **ret_digest, char **ret_hex) {
        _cleanup_free_ char *href = NULL, *digest = NULL, *hex = NULL;
        PlainXml x = { text, text + size };
        Piece open[DEPTH_MAX];
        Found found = {};
        size_t depth = 0;
        bool in_primary = false;
        PlainTag t;

        if (!plain_is(text, size))
                return false;
        plain_begin(&x);
        do {
                if (!plain_take_tag(&x, &t) || (depth == 0 && (t.closes || !piece_is(t.name, "repomd"))))
                        return false;
                if (t.closes && !piece_same(t.name, open[--depth]))
                        return false;
                if (depth == 1)
                        in_primary = !t.closes && piece_is(t.name, "data") && piece_is(plain_attribute(&t, "type"), "primary");
                else if (depth == 2 && in_primary && !t.closes && !take_of_primary(&x, &t, &found))
                        return false;
                if (!t.closes && !t.is_empty) {
                        if (depth == DEPTH_MAX)
                                return false;
                        open[depth++] = t.name;
                }
                /* Text is of no interest here, but must not be more than text. */
                while (x.p < x.end && *x.p != '<' && *x.p != '&' && *x.p != '>')
                        x.p++;
        } while (depth > 0);
        plain_skip_space(&x);
        if (x.p != x.end || found.href.n == 0 || memchr(found.href.s, '&', found.href.n) || found.digest.n == 0 || found.hex.n == 0 ||
            !(href = strndup(found.href.s, found.href.n)) || !(digest = strndup(found.digest.s, found.digest.n)) || !(hex = strndup(found.hex.s, found.hex.n)))
                return false;
        *ret_href = TAKE_PTR(href);
        *ret_digest = TAKE_PTR(digest);
        *ret_hex = TAKE_PTR(hex);
        return true;
}

bool primary_solv_add(Repo *repo, const char *text, size_t size) {
        Reader r = { .xml = { text, text + size }, .repo = repo, .pool = repo->pool };
        bool taken;

        if (!plain_is(text, size))
                return false;
        r.data = repo_add_repodata(repo, 0);
        taken = take_document(&r) && !r.value.failed && !r.evr.failed;
        repodata_internalize(r.data);
        text_free(&r.dir_text);
        text_free(&r.value);
        text_free(&r.evr);
        return taken;
}
