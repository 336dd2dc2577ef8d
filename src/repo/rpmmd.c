/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/rpmmd.h"

#include <inttypes.h>
#include <libxml/xmlreader.h>

#include "basic/digest.h"
#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/archive.h"

#define FILES_MAX    64
#define PACKAGES_MAX 100000
#define DEPTH_MAX    16

/* A reader that sees one element after the other; text arrives with the element it is in. */
typedef struct Xml {
        xmlTextReader *reader;
        const char *name; /* for messages */
        Error *e;
        char *problem; /* libxml2's first complaint */
        bool foreign;  /* not written by us */
        bool plain;    /* a "<package" in it always begins an element */
} Xml;

static void xml_done(Xml *x) {
        if (x->reader)
                xmlFreeTextReader(x->reader);
        free(x->problem);
}

static void keep_problem(void *arg, const char *message, xmlParserSeverities severity, xmlTextReaderLocatorPtr locator) {
        Xml *x = arg;

        if (!x->problem && message)
                x->problem = format("line %d: %.*s", xmlTextReaderLocatorLineNumber(locator), (int) strcspn(message, "\n"), message);
}

static int xml_open(Xml *x, const char *text, size_t size, const char *name, Error *e) {
        *x = (Xml){ .name = name, .e = e, .plain = true };
        if (size > INT32_MAX)
                return error_set(e, EFBIG, EXIT_INVALID, "%s: %zu bytes are too many", name, size);
        /* No network, no DTD, entities not replaced: those there are, are refused below. */
        x->reader = xmlReaderForMemory(text, (int) size, NULL, NULL, XML_PARSE_NONET | XML_PARSE_COMPACT);
        if (!x->reader)
                return error_oom(e);
        xmlTextReaderSetErrorHandler(x->reader, keep_problem, x);
        return 0;
}

static int xml_bad(Xml *x, const char *what) {
        return error_set(x->e, EBADMSG, EXIT_INVALID, "%s: %s", x->name, what);
}

/* The next node: 1, 0 at the end, or negative. */
static int xml_next(Xml *x) {
        int r = xmlTextReaderRead(x->reader);

        if (r < 0)
                return xml_bad(x, x->problem ? x->problem : "malformed XML");
        if (r == 0)
                return 0;
        switch (xmlTextReaderNodeType(x->reader)) {
        case XML_READER_TYPE_DOCUMENT_TYPE:
        case XML_READER_TYPE_ENTITY_REFERENCE:
        case XML_READER_TYPE_ENTITY:
                return xml_bad(x, "a document type or an entity is in it");
        case XML_READER_TYPE_COMMENT:
        case XML_READER_TYPE_CDATA:
        case XML_READER_TYPE_PROCESSING_INSTRUCTION:
                x->plain = false;
                return 1;
        default:
                return xmlTextReaderDepth(x->reader) > DEPTH_MAX ? xml_bad(x, "elements are nested too deep") : 1;
        }
}

static const char *xml_element(Xml *x) {
        return xmlTextReaderNodeType(x->reader) == XML_READER_TYPE_ELEMENT ? (const char *) xmlTextReaderConstLocalName(x->reader) : "";
}

static bool xml_ends(Xml *x, int depth) {
        return xmlTextReaderNodeType(x->reader) == XML_READER_TYPE_END_ELEMENT && xmlTextReaderDepth(x->reader) == depth;
}

/* What may be said once only. */
static int take(Xml *x, char *value, char **ret, const char *what) {
        _cleanup_free_ char *s = value;

        if (!s)
                return xml_bad(x, what);
        if (*ret)
                return xml_bad(x, what);
        *ret = TAKE_PTR(s);
        return 0;
}

static int take_text(Xml *x, char **ret, const char *what) {
        xmlChar *s = xmlTextReaderReadString(x->reader);
        char *copy = s ? strdup((const char *) s) : NULL;

        xmlFree(s);
        return take(x, copy, ret, what);
}

static int take_attribute(Xml *x, const char *attribute, char **ret, const char *what) {
        xmlChar *s = xmlTextReaderGetAttribute(x->reader, (const xmlChar *) attribute);
        char *copy = s ? strdup((const char *) s) : NULL;

        xmlFree(s);
        return take(x, copy, ret, what);
}

static int take_number(Xml *x, const char *attribute, uint64_t *ret, const char *what) {
        _cleanup_free_ char *s = NULL;
        int r = attribute ? take_attribute(x, attribute, &s, what) : take_text(x, &s, what);

        if (r < 0)
                return r;
        return parse_u64(s, ret) < 0 ? xml_bad(x, what) : 0;
}

/* SHA-1, MD5 and what nobody knows are no digests: a signature over them would sign nothing. */
static int take_checksum(Xml *x, char **ret, const char **ret_digest, const char *what) {
        static const struct {
                const char *name;
                size_t digits;
        } digests[] = { { "sha256", 64 }, { "sha384", 96 }, { "sha512", 128 } };
        _cleanup_free_ char *type = NULL;
        int r = take_attribute(x, "type", &type, what);

        if (r < 0 || (r = take_text(x, ret, what)) < 0)
                return r;
        for (size_t i = 0; i < (x->foreign ? ELEMENTSOF(digests) : 1); i++)
                if (streq(type, digests[i].name) && strlen(*ret) == digests[i].digits && strspn(*ret, "0123456789abcdef") == digests[i].digits) {
                        *ret_digest = digests[i].name;
                        return 0;
                }
        return x->foreign ? error_hint(x->e, error_set(x->e, EBADMSG, EXIT_UNTRUSTED, "%s: a %s checksum protects nothing: SHA-256 or better is needed", x->name,
                                                       text_is_printable(type) ? type : "nameless"), "ask whoever makes the repository for one with sha256") : xml_bad(x, what);
}

static int take_href(Xml *x, char **ret, const char *prefix) {
        int r = take_attribute(x, "href", ret, "a location is missing, or there are two");
        xmlChar *base;

        if (r < 0)
                return r;
        base = xmlTextReaderGetAttribute(x->reader, (const xmlChar *) "xml:base");
        if (base) {
                xmlFree(base);
                return xml_bad(x, "a location is on another server (xml:base)");
        }
        return path_is_safe(*ret) && startswith(*ret, prefix) && text_is_printable(*ret) ? 0 : xml_bad(x, "a location leaves the repository");
}

static void repomd_file_clear(RepomdFile *f) {
        free(f->type);
        free(f->href);
        free(f->checksum);
        free(f->open_checksum);
}

Repomd *repomd_free(Repomd *r) {
        if (!r)
                return NULL;
        for (size_t i = 0; i < r->n_files; i++)
                repomd_file_clear(&r->files[i]);
        free(r->files);
        free(r->revision);
        free(r);
        return NULL;
}

const RepomdFile *repomd_find(const Repomd *r, const char *type) {
        for (size_t i = 0; i < r->n_files; i++)
                if (streq(r->files[i].type, type))
                        return &r->files[i];
        return NULL;
}

static int data_element(Xml *x, RepomdFile *f) {
        const char *name = xml_element(x);

        if (streq(name, "checksum"))
                return take_checksum(x, &f->checksum, &f->digest, "a checksum is not one SHA-256");
        if (streq(name, "open-checksum"))
                return take_checksum(x, &f->open_checksum, &f->open_digest, "an open-checksum is not one SHA-256");
        if (streq(name, "location"))
                return take_href(x, &f->href, "repodata/");
        if (streq(name, "size"))
                return take_number(x, NULL, &f->size, "a size is not a number");
        if (streq(name, "open-size"))
                return take_number(x, NULL, &f->open_size, "an open-size is not a number");
        return 0;
}

/* One <data>, up to its end. */
static int read_data(Xml *x, Repomd *r) {
        RepomdFile *grown = reallocarray(r->files, r->n_files + 1, sizeof(*grown)), *f;
        int k;

        if (!grown)
                return error_oom(x->e);
        r->files = grown;
        f = &grown[r->n_files++];
        *f = (RepomdFile){};
        k = take_attribute(x, "type", &f->type, "a file without a type");
        if (k < 0 || xmlTextReaderIsEmptyElement(x->reader))
                return k < 0 ? k : xml_bad(x, "a file without anything");
        while ((k = xml_next(x)) > 0 && !xml_ends(x, 1))
                if ((k = data_element(x, f)) < 0)
                        return k;
        if (k < 0)
                return k;
        if (!f->checksum || !f->href || r->n_files > FILES_MAX || repomd_find(r, f->type) != f)
                return xml_bad(x, "a file without checksum or location, one type twice, or too many");
        return 0;
}

/* <tags>, up to its end: ours are taken, others are somebody else's. */
static int read_tags(Xml *x, Repomd *r) {
        int k;

        if (xmlTextReaderIsEmptyElement(x->reader))
                return 0;
        while ((k = xml_next(x)) > 0 && !xml_ends(x, 1)) {
                _cleanup_free_ char *content = NULL;

                if (!streq(xml_element(x), "content"))
                        continue;
                if ((k = take_text(x, &content, "a tag without text")) < 0)
                        return k;
                if (freshness_take(&r->freshness, content) < 0)
                        return xml_bad(x, "a serial or date of expiry is malformed, or said twice");
        }
        return k < 0 ? k : 0;
}

static int parse_repomd(const char *text, size_t size, const char *name, bool foreign, Repomd **ret, Error *e) {
        _cleanup_(repomd_freep) Repomd *m = calloc(1, sizeof(*m));
        _cleanup_(xml_done) Xml x = {};
        int r;

        if (!m)
                return error_oom(e);
        r = xml_open(&x, text, size, name, e);
        if (r < 0)
                return r;
        x.foreign = foreign;
        while ((r = xml_next(&x)) > 0) {
                const char *element = xml_element(&x);
                int depth = xmlTextReaderDepth(x.reader);

                if (depth == 0 && *element && !streq(element, "repomd"))
                        return xml_bad(&x, "not a repomd.xml");
                if (depth == 1 && streq(element, "revision"))
                        r = take_text(&x, &m->revision, "more than one revision");
                else if (depth == 1 && streq(element, "tags"))
                        r = read_tags(&x, m);
                else if (depth == 1 && streq(element, "data"))
                        r = read_data(&x, m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

int repomd_parse(const char *text, size_t size, const char *name, Repomd **ret, Error *e) {
        return parse_repomd(text, size, name, false, ret, e);
}

int repomd_parse_foreign(const char *text, size_t size, const char *name, Repomd **ret, Error *e) {
        return parse_repomd(text, size, name, true, ret, e);
}

static void render_file(Text *t, const RepomdFile *f, const char *timestamp) {
        text_printf(t, "  <data type=\"%s\">\n    <checksum type=\"%s\">%s</checksum>\n", f->type, f->digest, f->checksum);
        if (f->open_checksum)
                text_printf(t, "    <open-checksum type=\"%s\">%s</open-checksum>\n", f->open_digest, f->open_checksum);
        text_printf(t, "    <location href=\"%s\"/>\n    <timestamp>%s</timestamp>\n    <size>%" PRIu64 "</size>\n", f->href, timestamp, f->size);
        if (f->open_checksum)
                text_printf(t, "    <open-size>%" PRIu64 "</open-size>\n", f->open_size);
        text_append(t, "  </data>\n");
}

char *repomd_render(const Repomd *r) {
        _cleanup_text_ Text t = {};

        text_printf(&t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" "
                        "xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n  <revision>%s</revision>\n", r->revision);
        freshness_append(&t, &r->freshness);
        for (size_t i = 0; i < r->n_files; i++)
                render_file(&t, &r->files[i], r->revision);
        text_append(&t, "</repomd>\n");
        return text_take(&t);
}

static PrimaryPackage *primary_package_free(PrimaryPackage *p) {
        if (!p)
                return NULL;
        free(p->name);
        free(p->evr);
        free(p->arch);
        free(p->nevra);
        free(p->checksum);
        free(p->href);
        free(p);
        return NULL;
}
DEFINE_CLEANUP(PrimaryPackage, primary_package_free);

Primary *primary_free(Primary *p) {
        if (!p)
                return NULL;
        for (size_t i = 0; i < p->n_packages; i++)
                primary_package_free(p->packages[i]);
        free(p->packages);
        free(p);
        return NULL;
}

static int take_version(Xml *x, PrimaryPackage *p) {
        _cleanup_free_ char *epoch = NULL, *ver = NULL, *rel = NULL;
        int r;

        if ((r = take_attribute(x, "epoch", &epoch, "a version without epoch")) < 0 || (r = take_attribute(x, "ver", &ver, "a version without ver")) < 0 ||
            (r = take_attribute(x, "rel", &rel, "a version without rel")) < 0)
                return r;
        return take(x, streq(epoch, "0") ? format("%s-%s", ver, rel) : format("%s:%s-%s", epoch, ver, rel), &p->evr, "a package with two versions");
}

static int package_element(Xml *x, PrimaryPackage *p) {
        const char *name = xml_element(x);
        int depth = xmlTextReaderDepth(x->reader), r;

        if (depth == 3 && streq(name, "header-range")) {
                r = take_number(x, "start", &p->header_start, "a header range is not one");
                return r < 0 ? r : take_number(x, "end", &p->header_end, "a header range is not one");
        }
        if (depth != 2)
                return 0;
        if (streq(name, "name"))
                return take_text(x, &p->name, "a package with two names");
        if (streq(name, "arch"))
                return take_text(x, &p->arch, "a package with two architectures");
        if (streq(name, "version"))
                return take_version(x, p);
        if (streq(name, "checksum"))
                return take_checksum(x, &p->checksum, &p->digest, "a package's checksum is not one SHA-256");
        if (streq(name, "size"))
                return take_number(x, "package", &p->size, "a package's size is not a number");
        if (streq(name, "location"))
                return take_href(x, &p->href, "");
        return 0;
}

static int read_package(Xml *x, Primary *list) {
        _cleanup_(primary_package_freep) PrimaryPackage *p = calloc(1, sizeof(*p));
        PrimaryPackage **grown;
        int r;

        if (!p)
                return error_oom(x->e);
        while ((r = xml_next(x)) > 0 && !xml_ends(x, 1))
                if ((r = package_element(x, p)) < 0)
                        return r;
        if (r < 0)
                return r;
        if (!p->name || !p->arch || !p->evr || !p->checksum || !p->href || p->header_end == 0)
                return xml_bad(x, "a package without name, version, architecture, checksum, location or header range");
        if (list->n_packages == PACKAGES_MAX)
                return xml_bad(x, "too many packages");
        p->nevra = format("%s-%s.%s", p->name, p->evr, p->arch);
        grown = p->nevra ? reallocarray(list->packages, list->n_packages + 1, sizeof(*grown)) : NULL;
        if (!grown)
                return error_oom(x->e);
        list->packages = grown;
        list->packages[list->n_packages++] = TAKE_PTR(p);
        return 0;
}

static int by_nevra(const void *a, const void *b) {
        return strcmp((*(PrimaryPackage *const *) a)->nevra, (*(PrimaryPackage *const *) b)->nevra);
}

static int by_href(const void *a, const void *b) {
        return strcmp((*(PrimaryPackage *const *) a)->href, (*(PrimaryPackage *const *) b)->href);
}

static int check_unique(Xml *x, const Primary *p) {
        _cleanup_free_ PrimaryPackage **sorted = NULL;
        bool twice = false;

        if (p->n_packages < 2)
                return 0;
        sorted = calloc(p->n_packages, sizeof(*sorted));
        if (!sorted)
                return error_oom(x->e);
        memcpy(sorted, p->packages, p->n_packages * sizeof(*sorted));
        qsort(sorted, p->n_packages, sizeof(*sorted), by_nevra);
        for (size_t i = 1; i < p->n_packages; i++)
                twice = twice || by_nevra(&sorted[i - 1], &sorted[i]) == 0;
        qsort(sorted, p->n_packages, sizeof(*sorted), by_href);
        for (size_t i = 1; i < p->n_packages; i++)
                twice = twice || by_href(&sorted[i - 1], &sorted[i]) == 0;
        return twice ? xml_bad(x, "one package, or one location, is in it twice") : 0;
}

static int parse_primary(Xml *x, Primary *p) {
        uint64_t announced = 0;
        int r;

        while ((r = xml_next(x)) > 0) {
                const char *element = xml_element(x);
                int depth = xmlTextReaderDepth(x->reader);

                if (depth == 0 && streq(element, "metadata"))
                        r = take_number(x, "packages", &announced, "its count of packages is not a number");
                else if (depth == 0 && *element)
                        r = xml_bad(x, "not a primary.xml");
                else if (depth == 1 && streq(element, "package"))
                        r = read_package(x, p);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        return announced == p->n_packages ? 0 : xml_bad(x, "it has not as many packages as it says");
}

int primary_parse(const char *text, size_t size, const char *name, Primary **ret, Error *e) {
        _cleanup_(primary_freep) Primary *p = calloc(1, sizeof(*p));
        _cleanup_(xml_done) Xml x = {};
        int r;

        if (!p)
                return error_oom(e);
        if ((r = xml_open(&x, text, size, name, e)) < 0 || (r = parse_primary(&x, p)) < 0 || (r = check_unique(&x, p)) < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

/* Elements that are called package, in a text without anything that could look like one: where each begins and ends. */
static int find_fragments(Xml *x, const char *text, size_t n, XmlFragment **ret) {
        _cleanup_free_ XmlFragment *v = calloc(n + 1, sizeof(*v));
        const char *s = text;
        size_t found = 0;

        if (!v)
                return error_oom(x->e);
        while ((s = strstr(s, "<package"))) {
                const char *end;

                if (!strchr(" \t\r\n>", s[8]) || s[8] == '\0') {
                        s += 8;
                        continue;
                }
                end = strstr(s, "</package>");
                if (!end || found == n)
                        return xml_bad(x, "its packages cannot be told apart");
                end += strlen("</package>");
                end += *end == '\n';
                v[found++] = (XmlFragment){ .text = s, .size = (size_t) (end - s) };
                s = end;
        }
        if (found != n || !x->plain)
                return xml_bad(x, "its packages cannot be told apart");
        *ret = TAKE_PTR(v);
        return 0;
}

typedef struct Placed {
        PrimaryPackage *p;
        size_t at;
} Placed;

static int by_place(const void *a, const void *b) {
        const Placed *x = a, *y = b;
        int c = strcmp(x->p->href, y->p->href);

        return c != 0 ? c : (x->at > y->at) - (x->at < y->at);
}

/* One file at one place: what is said of it again must be the same, and goes. */
static int drop_repeated(Xml *x, Primary *p, XmlFragment *fragments) {
        _cleanup_free_ Placed *sorted = calloc(p->n_packages + 1, sizeof(*sorted));
        size_t kept = 0;

        if (!sorted)
                return error_oom(x->e);
        for (size_t i = 0; i < p->n_packages; i++)
                sorted[i] = (Placed){ .p = p->packages[i], .at = i };
        qsort(sorted, p->n_packages, sizeof(*sorted), by_place);
        for (size_t i = 1, first = 0; i < p->n_packages; i++) {
                if (!streq(sorted[first].p->href, sorted[i].p->href)) {
                        first = i;
                        continue;
                }
                if (!streq(sorted[first].p->checksum, sorted[i].p->checksum) || sorted[first].p->size != sorted[i].p->size)
                        return xml_bad(x, "two different packages are at one location");
                p->packages[sorted[i].at] = primary_package_free(sorted[i].p);
        }
        for (size_t i = 0; i < p->n_packages; i++) {
                if (!p->packages[i])
                        continue;
                if (fragments)
                        fragments[kept] = fragments[i];
                p->packages[kept++] = p->packages[i];
        }
        p->n_packages = kept;
        return 0;
}

int primary_parse_foreign(const char *text, size_t size, const char *name, Primary **ret, XmlFragment **ret_fragments, Error *e) {
        _cleanup_(primary_freep) Primary *p = calloc(1, sizeof(*p));
        _cleanup_free_ XmlFragment *fragments = NULL;
        _cleanup_(xml_done) Xml x = {};
        int r;

        if (!p)
                return error_oom(e);
        if ((r = xml_open(&x, text, size, name, e)) < 0)
                return r;
        x.foreign = true;
        if ((r = parse_primary(&x, p)) < 0 || (ret_fragments && (r = find_fragments(&x, text, p->n_packages, &fragments)) < 0) ||
            (r = drop_repeated(&x, p, fragments)) < 0)
                return r;
        *ret = TAKE_PTR(p);
        if (ret_fragments)
                *ret_fragments = TAKE_PTR(fragments);
        return 0;
}

void xml_packages_free(XmlPackage *v, size_t n) {
        for (size_t i = 0; i < n; i++)
                free(v[i].pkgid);
        free(v);
}

static int add_pkgid(Xml *x, XmlPackage **v, size_t *n) {
        if ((*n & (*n - 1)) == 0) {
                XmlPackage *grown = reallocarray(*v, *n ? *n * 2 : 1, sizeof(*grown));

                if (!grown)
                        return error_oom(x->e);
                *v = grown;
        }
        if (*n == PACKAGES_MAX)
                return xml_bad(x, "too many packages");
        (*v)[(*n)++] = (XmlPackage){};
        return take_attribute(x, "pkgid", &(*v)[*n - 1].pkgid, "a package without a pkgid");
}

int xml_packages_parse(const char *text, size_t size, const char *name, const char *root, XmlPackage **ret, size_t *ret_n, Error *e) {
        _cleanup_free_ XmlFragment *fragments = NULL;
        _cleanup_(xml_done) Xml x = {};
        XmlPackage *v = NULL;
        size_t n = 0;
        int r;

        if ((r = xml_open(&x, text, size, name, e)) < 0)
                return r;
        while ((r = xml_next(&x)) > 0) {
                const char *element = xml_element(&x);
                int depth = xmlTextReaderDepth(x.reader);

                if (depth == 0 && *element && !streq(element, root))
                        r = xml_bad(&x, "it is another kind of file");
                else if (depth == 1 && streq(element, "package"))
                        r = add_pkgid(&x, &v, &n);
                if (r < 0)
                        break;
        }
        if (r >= 0)
                r = find_fragments(&x, text, n, &fragments);
        if (r < 0) {
                xml_packages_free(v, n);
                return r;
        }
        for (size_t i = 0; i < n; i++)
                v[i].fragment = fragments[i];
        *ret = v;
        *ret_n = n;
        return 0;
}
