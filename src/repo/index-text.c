/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/index-text.h"

#include <libxml/xmlstring.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macro.h"

/* The code point of the shortest form at s, and its length; 0: there is none. */
static size_t decode(const unsigned char *s, uint32_t *ret) {
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        size_t n = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : (s[0] & 0xf8) == 0xf0 ? 4 : 0;
        uint32_t c = n < 2 ? s[0] : s[0] & (0x7fu >> n);

        for (size_t i = 1; i < n; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (s[i] & 0x3f);
        }
        *ret = c;
        return n > 0 && c >= least[n] ? n : 0;
}

/* Control characters are somebody else's question. */
static bool is_xml(const char *text) {
        uint32_t c;

        for (const unsigned char *s = (const unsigned char *) text; *s;) {
                size_t n = decode(s, &c);

                if (n == 0 || (c >= 0xd800 && c <= 0xdfff) || c == 0xfffe || c == 0xffff || c > 0x10ffff)
                        return false;
                s += n;
        }
        return true;
}

typedef struct Cleaning {
        cr_Package *p;
        const char *path;
        Error *e;
} Cleaning;

/* As libcreaterepo_c does: what is not UTF-8 is taken for ISO 8859-1. */
static int convert(Cleaning *c, char **text) {
        _cleanup_free_ unsigned char *utf8 = malloc(2 * strlen(*text) + 1);
        unsigned char *to = utf8;

        if (!utf8)
                return error_oom(c->e);
        for (const unsigned char *s = (const unsigned char *) *text; *s; s++) {
                if (*s >= 0x80)
                        *to++ = (unsigned char) (0xc0 | *s >> 6);
                *to++ = *s < 0x80 ? *s : (unsigned char) (0x80 | (*s & 0x3f));
        }
        *to = '\0';
        *text = g_string_chunk_insert(c->p->chunk, (const char *) utf8);
        return 0;
}

/* Most text is plain: one look is enough. */
static int check(Cleaning *c, const char *text, const char *what, bool *ret_foreign) {
        const unsigned char *s = (const unsigned char *) text;
        unsigned char seen = 0;

        for (; *s && (*s >= 32 || *s == '\t' || *s == '\n' || *s == '\r'); s++)
                seen |= *s;
        *ret_foreign = (seen & 0x80) != 0;
        if (!*s)
                return 0;
        return error_hint(c->e, error_set(c->e, EBADMSG, EXIT_INVALID, "%s: its %s has a control character (0x%02x), which repository metadata cannot hold", c->path, what, *s),
                          "take it out, and build the package again");
}

static int clean(Cleaning *c, char **text, const char *what) {
        bool foreign;
        int r;

        if (!*text)
                return 0;
        if ((r = check(c, *text, what, &foreign)) < 0 || !foreign)
                return r;
        /* What libxml2 sees to be no UTF-8, libcreaterepo_c converts. */
        return xmlCheckUTF8((const xmlChar *) *text) && !is_xml(*text) ? convert(c, text) : 0;
}

static int clean_dependencies(Cleaning *c, GSList *list, const char *what) {
        int r = 0;

        for (; r == 0 && list; list = list->next) {
                cr_Dependency *d = list->data;

                if ((r = clean(c, &d->name, what)) == 0 && (r = clean(c, &d->epoch, what)) == 0 && (r = clean(c, &d->version, what)) == 0)
                        r = clean(c, &d->release, what);
        }
        return r;
}

/* libcreaterepo_c looks at folder and name as one text. */
static int clean_file(Cleaning *c, cr_PackageFile *f) {
        bool foreign_path, foreign_name;
        int r;

        if (!f->path || !f->name)
                return 0;
        if ((r = check(c, f->path, "list of files", &foreign_path)) < 0 || (r = check(c, f->name, "list of files", &foreign_name)) < 0)
                return r;
        if ((!foreign_path && !foreign_name) || !xmlCheckUTF8((const xmlChar *) f->path) || !xmlCheckUTF8((const xmlChar *) f->name))
                return 0;
        if (!is_xml(f->path) && (r = convert(c, &f->path)) < 0)
                return r;
        return is_xml(f->name) ? 0 : convert(c, &f->name);
}

static int clean_lists(Cleaning *c) {
        struct {
                GSList *list;
                const char *what;
        } lists[] = {
                { c->p->requires, "Requires" },     { c->p->provides, "Provides" },     { c->p->conflicts, "Conflicts" },
                { c->p->obsoletes, "Obsoletes" },   { c->p->suggests, "Suggests" },     { c->p->enhances, "Enhances" },
                { c->p->recommends, "Recommends" }, { c->p->supplements, "Supplements" },
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(lists); i++)
                r = clean_dependencies(c, lists[i].list, lists[i].what);
        for (GSList *x = c->p->files; r == 0 && x; x = x->next)
                r = clean_file(c, x->data);
        for (GSList *x = c->p->changelogs; r == 0 && x; x = x->next) {
                cr_ChangelogEntry *entry = x->data;

                if ((r = clean(c, &entry->author, "changelog")) == 0)
                        r = clean(c, &entry->changelog, "changelog");
        }
        return r;
}

int index_text_clean(cr_Package *p, const char *path, Error *e) {
        Cleaning c = { .p = p, .path = path, .e = e };
        struct {
                char **text;
                const char *what;
        } texts[] = {
                { &p->summary, "summary" },        { &p->description, "description" },  { &p->url, "URL" },
                { &p->rpm_license, "licence" },    { &p->rpm_vendor, "vendor" },        { &p->rpm_group, "group" },
                { &p->rpm_buildhost, "build host" }, { &p->rpm_sourcerpm, "source package" }, { &p->rpm_packager, "packager" },
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(texts); i++)
                r = clean(&c, texts[i].text, texts[i].what);
        return r < 0 ? r : clean_lists(&c);
}
