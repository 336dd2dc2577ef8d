/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/rpmmd.h"

#include "basic/strings.h"
#include "repo/xml.h"

#define PACKAGES_MAX 100000

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

        if ((r = xml_take_attribute(x, "epoch", &epoch, "a version without epoch")) < 0 || (r = xml_take_attribute(x, "ver", &ver, "a version without ver")) < 0 ||
            (r = xml_take_attribute(x, "rel", &rel, "a version without rel")) < 0)
                return r;
        return xml_take(x, streq(epoch, "0") ? format("%s-%s", ver, rel) : format("%s:%s-%s", epoch, ver, rel), &p->evr, "a package with two versions");
}

static int package_element(Xml *x, PrimaryPackage *p) {
        const char *name = xml_element(x);
        int depth = xmlTextReaderDepth(x->reader), r;

        if (depth == 3 && streq(name, "header-range")) {
                r = xml_take_number(x, "start", &p->header_start, "a header range is not one");
                return r < 0 ? r : xml_take_number(x, "end", &p->header_end, "a header range is not one");
        }
        if (depth != 2)
                return 0;
        if (streq(name, "name"))
                return xml_take_text(x, &p->name, "a package with two names");
        if (streq(name, "arch"))
                return xml_take_text(x, &p->arch, "a package with two architectures");
        if (streq(name, "version"))
                return take_version(x, p);
        if (streq(name, "checksum"))
                return xml_take_checksum(x, &p->checksum, &p->digest, "a package's checksum is not one SHA-256");
        if (streq(name, "size"))
                return xml_take_number(x, "package", &p->size, "a package's size is not a number");
        if (streq(name, "location"))
                return xml_take_href(x, &p->href, "");
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
                        r = xml_take_number(x, "packages", &announced, "its count of packages is not a number");
                else if (depth == 0 && *element)
                        r = xml_bad(x, "not a primary.xml");
                else if (depth == 1 && streq(element, "package"))
                        r = read_package(x, p);
                else if (depth == 1 && *element && !x->foreign)
                        r = xml_bad(x, "something that is no package is in it");
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        return announced == p->n_packages ? 0 : xml_bad(x, "it has not as many packages as it says");
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

static int parse(const char *text, size_t size, const char *name, bool foreign, Primary **ret, XmlFragment **ret_fragments, Error *e) {
        _cleanup_(primary_freep) Primary *p = calloc(1, sizeof(*p));
        _cleanup_free_ XmlFragment *fragments = NULL;
        _cleanup_(xml_done) Xml x = {};
        int r;

        if (!p)
                return error_oom(e);
        if ((r = xml_open(&x, text, size, name, e)) < 0)
                return r;
        x.foreign = foreign;
        if ((r = parse_primary(&x, p)) < 0 || (!foreign && (r = check_unique(&x, p)) < 0) ||
            (ret_fragments && (r = find_fragments(&x, text, p->n_packages, &fragments)) < 0) || (foreign && (r = drop_repeated(&x, p, fragments)) < 0))
                return r;
        *ret = TAKE_PTR(p);
        if (ret_fragments)
                *ret_fragments = TAKE_PTR(fragments);
        return 0;
}

int primary_parse(const char *text, size_t size, const char *name, Primary **ret, XmlFragment **ret_fragments, Error *e) {
        return parse(text, size, name, false, ret, ret_fragments, e);
}

int primary_parse_foreign(const char *text, size_t size, const char *name, Primary **ret, XmlFragment **ret_fragments, Error *e) {
        return parse(text, size, name, true, ret, ret_fragments, e);
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
        return xml_take_attribute(x, "pkgid", &(*v)[*n - 1].pkgid, "a package without a pkgid");
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
