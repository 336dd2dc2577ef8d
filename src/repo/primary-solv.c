/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/primary-solv.h"

#include <solv/chksum.h>
#include <solv/pool.h>

#include "basic/strings.h"

#define ATTRIBUTES_MAX 8
#define VALUE_MAX      4096

/* Of the document, as it stands there: references are not resolved. */
typedef struct Piece {
        const char *s;
        size_t n;
} Piece;

typedef struct Tag {
        Piece name;
        bool closes, is_empty; /* </name>, <name/> */
        struct {
                Piece name, value;
        } attributes[ATTRIBUTES_MAX];
        size_t n;
} Tag;

typedef struct Reader {
        const char *p, *end;
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

static bool piece_is(Piece a, const char *b) {
        return a.n == strlen(b) && memcmp(a.s, b, a.n) == 0;
}

static bool piece_same(Piece a, Piece b) {
        return a.n == b.n && memcmp(a.s, b.s, a.n) == 0;
}

#define EACH_BYTE UINT64_C(0x0101010101010101)

/* Whether there is a byte with its highest bit, or a control character that is neither newline nor tab. */
static bool has_odd_byte(const char *text, size_t size) {
        for (size_t i = 0; i < size;) {
                uint64_t w;

                if (size - i >= sizeof(w)) {
                        memcpy(&w, text + i, sizeof(w));
                        if (((w | ((w - ' ' * EACH_BYTE) & ~w)) & 0x80 * EACH_BYTE) == 0) {
                                i += sizeof(w);
                                continue;
                        }
                }
                for (size_t end = MIN(size, i + sizeof(w)); i < end; i++)
                        if ((unsigned char) text[i] >= 0x80 || ((unsigned char) text[i] < ' ' && text[i] != '\n' && text[i] != '\t'))
                                return true;
        }
        return false;
}

/* Of what XML allows (2.2) all that one meets in it, less the carriage return, which it would change. */
static bool is_plain(const char *text, size_t size) {
        bool odd = has_odd_byte(text, size);

        for (size_t i = 0; odd && i < size;) {
                size_t n = text[i] == '\n' || text[i] == '\t' ? 1 : utf8_length(text + i);

                if (n == 0 || (n == 3 && (memcmp(text + i, "\xef\xbf\xbe", 3) == 0 || memcmp(text + i, "\xef\xbf\xbf", 3) == 0)))
                        return false;
                i += n;
        }
        return true;
}

/* A reference that begins at s: its character and length; 0: none that is taken here. */
static char reference(const char *s, const char *end, size_t *ret_length) {
        static const struct {
                const char *text;
                char c;
        } known[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' }, { "&quot;", '"' }, { "&apos;", '\'' },
                      { "&#9;", '\t' }, { "&#10;", '\n' }, { "&#13;", '\r' }, { "&#34;", '"' }, { "&#39;", '\'' } };

        for (size_t i = 0; i < ELEMENTSOF(known); i++) {
                size_t n = strlen(known[i].text);

                if ((size_t) (end - s) >= n && memcmp(s, known[i].text, n) == 0) {
                        *ret_length = n;
                        return known[i].c;
                }
        }
        return 0;
}

/* What may not be between two tags, or between two quotes, ends it. */
static bool is_good(Piece x, bool in_tag) {
        const char *s = x.s, *end = x.s + x.n;
        size_t n;

        while (s < end)
                if (*s == '&') {
                        if (!reference(s, end, &n))
                                return false;
                        s += n;
                } else if (in_tag ? *s == '<' || *s == '\n' || *s == '\t' : *s == '>' && s - x.s >= 2 && s[-1] == ']' && s[-2] == ']')
                        return false;
                else
                        s++;
        return true;
}

/* With references resolved, in r->value if there are any: until the next call. */
static Piece resolve(Reader *r, Piece x) {
        const char *s = x.s, *end = x.s + x.n, *next;

        if (x.n == 0 || !memchr(x.s, '&', x.n))
                return x;
        r->value.size = 0;
        for (; (next = memchr(s, '&', (size_t) (end - s))); s = next) {
                size_t n = 0;
                char c = reference(next, end, &n);

                text_append_n(&r->value, s, (size_t) (next - s));
                text_append_n(&r->value, &c, 1);
                next += n;
        }
        text_append_n(&r->value, s, (size_t) (end - s));
        return (Piece){ r->value.data, r->value.size };
}

static void skip_space(Reader *r) {
        while (*r->p == ' ' || *r->p == '\n' || *r->p == '\t')
                r->p++;
}

static Piece take_name(Reader *r) {
        Piece x = { .s = r->p };

        while ((*r->p >= 'a' && *r->p <= 'z') || *r->p == ':' || *r->p == '-')
                r->p++;
        x.n = (size_t) (r->p - x.s);
        return x;
}

static bool take_attribute(Reader *r, Tag *t) {
        Piece name = take_name(r), value;
        const char *end;

        if (name.n == 0 || name.s[0] == '-' || t->n == ATTRIBUTES_MAX || *r->p++ != '=' || *r->p++ != '"' || !(end = memchr(r->p, '"', (size_t) (r->end - r->p))))
                return false;
        value = (Piece){ r->p, (size_t) (end - r->p) };
        if (value.n > VALUE_MAX || !is_good(value, true))
                return false;
        for (size_t i = 0; i < t->n; i++)
                if (piece_same(t->attributes[i].name, name))
                        return false;
        t->attributes[t->n].name = name;
        t->attributes[t->n++].value = value;
        r->p = end + 1;
        return true;
}

static bool take_tag(Reader *r, Tag *t) {
        t->n = 0;
        t->is_empty = false;
        if (*r->p++ != '<')
                return false;
        if ((t->closes = *r->p == '/'))
                r->p++;
        t->name = take_name(r);
        if (t->name.n == 0 || t->name.s[0] == '-')
                return false;
        for (;;) {
                bool space = *r->p == ' ' || *r->p == '\n';

                skip_space(r);
                if (*r->p == '>') {
                        r->p++;
                        return true;
                }
                if (t->closes)
                        return false;
                if (*r->p == '/') {
                        t->is_empty = true;
                        return *++r->p == '>' && r->p++;
                }
                if (!space || !take_attribute(r, t))
                        return false;
        }
}

/* The text of an element without children, and its end. */
static bool take_leaf(Reader *r, const Tag *t, Piece *ret) {
        const char *end;
        Tag close;

        *ret = (Piece){ r->p, 0 };
        if (t->is_empty)
                return true;
        if (!(end = memchr(r->p, '<', (size_t) (r->end - r->p))))
                return false;
        ret->n = (size_t) (end - r->p);
        r->p = end;
        return is_good(*ret, false) && take_tag(r, &close) && close.closes && piece_same(close.name, t->name);
}

static Piece attribute(const Tag *t, const char *name) {
        for (size_t i = 0; i < t->n; i++)
                if (piece_is(t->attributes[i].name, name))
                        return t->attributes[i].value;
        return (Piece){};
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
static bool take_values(const Tag *t, Values *ret) {
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
static bool take_entry(Reader *r, const Tag *t, bool is_requires, Offset *list) {
        Id id, marker = is_requires ? -SOLVABLE_PREREQMARKER : 0;
        const char *name;
        Values values;
        Piece text;

        if (!piece_is(t->name, "rpm:entry") || !take_values(t, &values) || values.v[NAME].n == 0 || !take_leaf(r, t, &text))
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

static bool take_list(Reader *r, const Tag *t, Offset *list, bool is_requires) {
        *list = 0;
        if (t->is_empty)
                return true;
        for (Tag entry;;) {
                skip_space(r);
                if (!take_tag(r, &entry))
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

        if (!slash || x.s[0] != '/' || x.n > VALUE_MAX || !(name = strndup(slash + 1, x.n - n - 1)))
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

static bool take_checksum(Reader *r, const Tag *t, Piece text) {
        Piece type = attribute(t, "type");
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

static bool take_element(Reader *r, const Tag *t) {
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
        if (!take_leaf(r, t, &text))
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
        for (Tag t;;) {
                skip_space(r);
                if (!take_tag(r, &t))
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
        static const char declaration[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
        Tag t;

        if (strncmp(r->p, declaration, strlen(declaration)) == 0)
                r->p += strlen(declaration);
        skip_space(r);
        if (!take_tag(r, &t) || !piece_is(t.name, "metadata") || t.closes || t.is_empty || attribute(&t, "xmlns").n == 0 || attribute(&t, "xmlns:rpm").n == 0)
                return false;
        for (;;) {
                skip_space(r);
                if (!take_tag(r, &t))
                        return false;
                if (t.closes)
                        break;
                if (!piece_is(t.name, "package") || t.is_empty || t.n != 1 || !piece_is(attribute(&t, "type"), "rpm") || !take_package(r))
                        return false;
        }
        skip_space(r);
        return piece_is(t.name, "metadata") && r->p == r->end;
}

bool primary_solv_add(Repo *repo, const char *text, size_t size) {
        Reader r = { .p = text, .end = text + size, .repo = repo, .pool = repo->pool };
        bool taken;

        if (!is_plain(text, size))
                return false;
        r.data = repo_add_repodata(repo, 0);
        taken = take_document(&r) && !r.value.failed && !r.evr.failed;
        repodata_internalize(r.data);
        text_free(&r.dir_text);
        text_free(&r.value);
        text_free(&r.evr);
        return taken;
}
