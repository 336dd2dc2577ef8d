/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/cuda-manifest.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdarg.h>

#include "repo/archive.h"

#define DEPTH_MAX    16u
#define PACKAGES_MAX 2048u
#define ITEMS_MAX    20000u /* rules, directories, ... of all packages */
#define PATTERN_MAX  512u
#define COST_MAX     (256u * 1024) /* of all patterns */
#define FED_MAX      (16u * 1024)  /* characters until a pattern's automaton begins anew */
#define TEXT_MAX     1024u

typedef struct Parser {
        const char *name;
        CudaManifest *manifest;
        size_t items, cost;
} Parser;

static int refuse(const Parser *p, const xmlNode *n, Error *e, const char *fmt, ...) _printf_(4, 5);
static int refuse(const Parser *p, const xmlNode *n, Error *e, const char *fmt, ...) {
        _cleanup_free_ char *why = NULL;
        va_list ap;

        va_start(ap, fmt);
        why = format_va(fmt, ap);
        va_end(ap);
        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s, line %ld: %s", p->name, xmlGetLineNo((xmlNode *) n), why ?: "malformed"),
                          "the archive is damaged, or of a kind that this version does not know");
}

static void rule_clear(CudaRule *r) {
        free(r->pattern);
        free(r->prefix);
        free(r->directory);
        cuda_rule_rest(r);
}

static CudaPackage *package_free(CudaPackage *p) {
        if (!p)
                return NULL;
        free(p->name);
        free(p->build_path);
        free(p->install_path);
        for (size_t i = 0; i < p->n_rules; i++)
                rule_clear(&p->rules[i]);
        free(p->rules);
        for (size_t i = 0; i < p->n_directories; i++)
                free(p->directories[i]);
        free(p->directories);
        for (size_t i = 0; i < p->n_pkgconfigs; i++) {
                CudaPkgConfig *c = &p->pkgconfigs[i];
                free(c->file);
                free(c->name);
                free(c->version);
                free(c->description);
                free(c->subdirectory);
        }
        free(p->pkgconfigs);
        for (size_t i = 0; i < p->n_desktops; i++) {
                CudaDesktop *d = &p->desktops[i];
                free(d->filename);
                free(d->name);
                free(d->categories);
                free(d->keywords);
                free(d->icon);
                free(d->exec);
                free(d->try_exec);
        }
        free(p->desktops);
        free(p);
        return NULL;
}

CudaManifest *cuda_manifest_free(CudaManifest *m) {
        if (!m)
                return NULL;
        free(m->version);
        for (size_t i = 0; i < m->n_packages; i++)
                package_free(m->packages[i]);
        free(m->packages);
        free(m);
        return NULL;
}

static bool is_element(const xmlNode *n, const char *name) {
        return n->type == XML_ELEMENT_NODE && streq((const char *) n->name, name);
}

/* A copy of s without the blanks around it; NULL when out of memory. */
static char *trimmed(const char *s) {
        size_t n;

        s += strspn(s, " \t\r\n");
        for (n = strlen(s); n > 0 && strchr(" \t\r\n", s[n - 1]);)
                n--;
        return strndup(s, n);
}

static int checked(const Parser *p, const xmlNode *n, xmlChar *raw, char **ret, Error *e) {
        char *s = raw ? trimmed((const char *) raw) : NULL;
        bool have = raw;

        xmlFree(raw);
        if (!have)
                return refuse(p, n, e, "<%s> lacks an attribute or its text", (const char *) n->name);
        if (!s)
                return error_oom(e);
        if (strlen(s) > TEXT_MAX || !text_is_printable(s)) {
                free(s);
                return refuse(p, n, e, "the text of <%s> is too long, or has control characters", (const char *) n->name);
        }
        free(*ret);
        *ret = s;
        return 0;
}

static int get_text(const Parser *p, const xmlNode *n, char **ret, Error *e) {
        return checked(p, n, xmlNodeGetContent((xmlNode *) n), ret, e);
}

/* 0 and *ret NULL when an attribute that need not be there is not. */
static int get_attribute(const Parser *p, const xmlNode *n, const char *name, bool needed, char **ret, Error *e) {
        xmlChar *raw = xmlGetProp((xmlNode *) n, (const xmlChar *) name);

        if (!raw && !needed)
                return 0;
        return checked(p, n, raw, ret, e);
}

/* Replaces *path by its clean form: relative, no "..". */
static int clean(const Parser *p, const xmlNode *n, char **path, Error *e) {
        int r = 0;
        char *c = archive_clean_name(*path, &r);

        if (r == -ENOMEM)
                return error_oom(e);
        if (!c)
                return refuse(p, n, e, "path '%s' of <%s> leaves its root", *path, (const char *) n->name);
        free(*path);
        *path = c;
        return 0;
}

/* Items are counted over the whole file: memory stays bounded however they are spread. Grows the array by one, zeroed. */
static int grow(Parser *p, const xmlNode *n, void **array, size_t *count, size_t size, Error *e) {
        void *grown;

        if (++p->items > ITEMS_MAX)
                return refuse(p, n, e, "more than %u items", ITEMS_MAX);
        grown = reallocarray(*array, *count + 1, size);
        if (!grown)
                return error_oom(e);
        *array = grown;
        memset((char *) grown + *count * size, 0, size);
        (*count)++;
        return 0;
}

/* glibc's regexec() runs POSIX patterns as automata without backtracking, but for back-references; repetition counts multiply the
 * automaton's size, and each '+' doubles what it repeats. The first two are not needed to name files and refused; length and doublings
 * are what a pattern costs, and all of them together are bounded. */
static bool is_tame(const char *pattern, size_t *ret_cost) {
        size_t cost = strlen(pattern);

        if (!*pattern || cost > PATTERN_MAX)
                return false;
        for (const char *s = pattern; *s; s++) {
                if (*s == '\\') {
                        if (!s[1] || (s[1] >= '0' && s[1] <= '9'))
                                return false;
                        s++;
                } else if (*s == '{')
                        return false;
                else if (*s == '+' && (cost *= 2) > COST_MAX)
                        return false;
        }
        *ret_cost = cost;
        return true;
}

/* What of the pattern is plain text up to its last '/'. */
static char *literal_directory(const char *pattern) {
        _cleanup_free_ char *s = calloc(strlen(pattern) + 1, 1);
        char *to = s, *slash;

        if (!s)
                return NULL;
        for (const char *p = pattern; *p && !strchr(".*+?[](){}|^$", *p); p++) {
                if (*p == '\\')
                        p++;
                *to++ = *p;
        }
        slash = strrchr(s, '/');
        if (slash)
                slash[1] = '\0';
        else
                *s = '\0';
        return TAKE_PTR(s);
}

/* -EINVAL: no regular expression. */
static int rule_compile(CudaRule *rule) {
        _cleanup_free_ char *anchored = format("^(%s)$", startswith(rule->pattern, "./") ?: rule->pattern);
        int r;

        if (!anchored)
                return -ENOMEM;
        if ((r = regcomp(&rule->regex, anchored, REG_EXTENDED | REG_NOSUB)) != 0)
                return r == REG_ESPACE ? -ENOMEM : -EINVAL;
        rule->compiled = true;
        rule->fed = 0;
        return 0;
}

static int parse_rule(Parser *p, const xmlNode *n, CudaPackage *package, Error *e) {
        CudaRule *rule;
        const char *pattern;
        size_t cost;
        int r;

        if ((r = grow(p, n, (void **) &package->rules, &package->n_rules, sizeof(CudaRule), e)) < 0)
                return r;
        rule = &package->rules[package->n_rules - 1];
        rule->line = (unsigned) xmlGetLineNo((xmlNode *) n);
        if ((r = get_text(p, n, &rule->pattern, e)) < 0 || (r = get_attribute(p, n, "dir", false, &rule->directory, e)) < 0)
                return r;
        if (rule->directory && (r = clean(p, n, &rule->directory, e)) < 0)
                return r;
        pattern = startswith(rule->pattern, "./") ?: rule->pattern;
        if (!is_tame(pattern, &cost) || (p->cost += cost) > COST_MAX)
                return refuse(p, n, e, "pattern '%s' is empty, too costly, or uses back-references or repetition counts", rule->pattern);
        rule->uninstaller = endswith(pattern, "-uninstaller");
        rule->prefix = literal_directory(pattern);
        if (!rule->prefix)
                return error_oom(e);
        if ((r = rule_compile(rule)) == -ENOMEM)
                return error_oom(e);
        cuda_rule_rest(rule);
        return r < 0 ? refuse(p, n, e, "'%s' is no regular expression", rule->pattern) : 0;
}

static int parse_pkgconfig(Parser *p, const xmlNode *n, CudaPackage *package, Error *e) {
        CudaPkgConfig *c;
        const char *dash;
        size_t size;
        int r;

        if ((r = grow(p, n, (void **) &package->pkgconfigs, &package->n_pkgconfigs, sizeof(CudaPkgConfig), e)) < 0)
                return r;
        c = &package->pkgconfigs[package->n_pkgconfigs - 1];
        c->line = (unsigned) xmlGetLineNo((xmlNode *) n);
        if ((r = get_text(p, n, &c->file, e)) < 0 || (r = get_attribute(p, n, "description", true, &c->description, e)) < 0 ||
            (r = get_attribute(p, n, "subdir", false, &c->subdirectory, e)) < 0)
                return r;
        dash = strrchr(c->file, '-');
        if (!dash || dash == c->file || !endswith(dash, ".pc") || strchr(c->file, '/') || c->file[0] == '.')
                return refuse(p, n, e, "'%s' is not NAME-VERSION.pc", c->file);
        size = strlen(dash + 1) - 3;
        if (c->subdirectory) {
                _cleanup_free_ char *s = strdup(c->subdirectory + strspn(c->subdirectory, "/"));

                if (!s)
                        return error_oom(e);
                if ((r = clean(p, n, &s, e)) < 0)
                        return r;
                free(c->subdirectory);
                c->subdirectory = *s ? format("/%s", s) : strdup("");
        } else
                c->subdirectory = strdup("");
        c->name = strndup(c->file, (size_t) (dash - c->file));
        c->version = strndup(dash + 1, size);
        return c->subdirectory && c->name && c->version ? 0 : error_oom(e);
}

static int parse_desktop(Parser *p, const xmlNode *n, CudaPackage *package, Error *e) {
        CudaDesktop *d;
        int r;

        if ((r = grow(p, n, (void **) &package->desktops, &package->n_desktops, sizeof(CudaDesktop), e)) < 0)
                return r;
        d = &package->desktops[package->n_desktops - 1];
        d->line = (unsigned) xmlGetLineNo((xmlNode *) n);
        if ((r = get_attribute(p, n, "filename", true, &d->filename, e)) < 0 || (r = get_attribute(p, n, "name", true, &d->name, e)) < 0 ||
            (r = get_attribute(p, n, "categories", false, &d->categories, e)) < 0 ||
            (r = get_attribute(p, n, "keywords", false, &d->keywords, e)) < 0 ||
            (r = get_attribute(p, n, "iconPath", false, &d->icon, e)) < 0 || (r = get_attribute(p, n, "execPath", true, &d->exec, e)) < 0 ||
            (r = get_attribute(p, n, "tryExecPath", false, &d->try_exec, e)) < 0)
                return r;
        if (!*d->filename || strchr(d->filename, '/') || d->filename[0] == '.')
                return refuse(p, n, e, "'%s' is no file name", d->filename);
        if ((r = clean(p, n, &d->exec, e)) < 0 || (d->icon && (r = clean(p, n, &d->icon, e)) < 0) ||
            (d->try_exec && (r = clean(p, n, &d->try_exec, e)) < 0))
                return r;
        return 0;
}

static int parse_directory(Parser *p, const xmlNode *n, CudaPackage *package, Error *e) {
        char **s;
        int r = grow(p, n, (void **) &package->directories, &package->n_directories, sizeof(char *), e);

        if (r < 0)
                return r;
        s = &package->directories[package->n_directories - 1];
        if ((r = get_text(p, n, s, e)) < 0 || (r = clean(p, n, s, e)) < 0)
                return r;
        return **s ? 0 : refuse(p, n, e, "<dir> names no directory");
}

/* The two paths come first: the other items are relative to them, wherever they stand. */
static int parse_paths(Parser *p, const xmlNode *n, CudaPackage *package, const CudaPackage *around, Error *e) {
        int r;

        if (around && ((around->build_path && !(package->build_path = strdup(around->build_path))) ||
                       (around->install_path && !(package->install_path = strdup(around->install_path)))))
                return error_oom(e);
        for (const xmlNode *c = n->children; c; c = c->next) {
                if (is_element(c, "buildPath") &&
                    ((r = get_text(p, c, &package->build_path, e)) < 0 || (r = clean(p, c, &package->build_path, e)) < 0))
                        return r;
                if (is_element(c, "installPath")) {
                        if ((r = get_text(p, c, &package->install_path, e)) < 0)
                                return r;
                        if (package->install_path[0] != '/')
                                return refuse(p, c, e, "install path '%s' is not absolute", package->install_path);
                }
        }
        if (!package->build_path && !(package->build_path = strdup("")))
                return error_oom(e);
        return 0;
}

static int parse_package(Parser *p, const xmlNode *n, const CudaPackage *around, unsigned depth, Error *e) {
        static const struct {
                const char *element;
                int (*parse)(Parser *p, const xmlNode *n, CudaPackage *package, Error *e);
        } items[] = {
                { "file", parse_rule }, { "dir", parse_directory }, { "pcfile", parse_pkgconfig }, { "desktopFile", parse_desktop },
        };
        CudaManifest *m = p->manifest;
        CudaPackage *package, **grown;
        int r;

        if (depth > DEPTH_MAX || m->n_packages >= PACKAGES_MAX)
                return refuse(p, n, e, "packages are nested too deep, or are too many");
        grown = reallocarray(m->packages, m->n_packages + 1, sizeof(CudaPackage *));
        if (!grown)
                return error_oom(e);
        m->packages = grown;
        if (!(package = m->packages[m->n_packages] = calloc(1, sizeof(CudaPackage))))
                return error_oom(e);
        m->n_packages++;
        package->line = (unsigned) xmlGetLineNo((xmlNode *) n);
        if ((r = get_attribute(p, n, "name", false, &package->name, e)) < 0 || (r = parse_paths(p, n, package, around, e)) < 0)
                return r;
        for (const xmlNode *c = n->children; c; c = c->next) {
                for (size_t i = 0; i < ELEMENTSOF(items); i++)
                        if (is_element(c, items[i].element) && (r = items[i].parse(p, c, package, e)) < 0)
                                return r;
                if (is_element(c, "package") && (r = parse_package(p, c, package, depth + 1, e)) < 0)
                        return r;
        }
        return 0;
}

/* The first <package> with that attribute (for a name: its words before the version) at or below n. */
static const xmlNode *find_package(const xmlNode *n, const char *attribute, const char *value, bool prefix, unsigned depth) {
        for (; n && depth < DEPTH_MAX; n = n->next) {
                const xmlNode *below;

                if (n->type != XML_ELEMENT_NODE)
                        continue;
                if (is_element(n, "package")) {
                        xmlChar *v = xmlGetProp((xmlNode *) n, (const xmlChar *) attribute);
                        bool found = v && (prefix ? startswith((const char *) v, value) != NULL : streq((const char *) v, value));

                        xmlFree(v);
                        if (found)
                                return n;
                }
                if ((below = find_package(n->children, attribute, value, prefix, depth + 1)))
                        return below;
        }
        return NULL;
}

static int parse_document(Parser *p, const xmlDoc *doc, Error *e) {
        const xmlNode *root = xmlDocGetRootElement((xmlDoc *) doc), *main_package, *toolkit;
        const char *space;
        int r;

        if (doc->intSubset || doc->extSubset)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: has a document type declaration, which no manifest needs", p->name);
        main_package = find_package(root, "id", "main", false, 0);
        if (!main_package)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: has no <package id=\"main\">", p->name);
        toolkit = find_package(main_package->children, "name", "CUDA Toolkit ", true, 0);
        if (!toolkit)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: has no package \"CUDA Toolkit VERSION\"", p->name);
        if ((r = parse_package(p, toolkit, NULL, 0, e)) < 0)
                return r;
        space = strrchr(p->manifest->packages[0]->name, ' ');
        return (p->manifest->version = strdup(space + 1)) ? 0 : error_oom(e);
}

int cuda_manifest_parse(const char *name, const char *data, size_t size, CudaManifest **ret, Error *e) {
        _cleanup_(cuda_manifest_freep) CudaManifest *m = calloc(1, sizeof(CudaManifest));
        Parser p = { .name = name, .manifest = m };
        xmlParserCtxt *context;
        xmlDoc *doc;
        int r;

        if (!m)
                return error_oom(e);
        if (size > INT32_MAX)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: too large", name);
        context = xmlNewParserCtxt();
        if (!context)
                return error_oom(e);
        /* Neither XML_PARSE_NOENT nor _DTDLOAD nor _HUGE: entities stay unexpanded, nothing is loaded, libxml2's own bounds hold. */
        doc = xmlCtxtReadMemory(context, data, (int) size, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
        if (!doc) {
                const xmlError *x = xmlCtxtGetLastError(context);
                _cleanup_free_ char *why = x && x->message ? trimmed(x->message) : NULL;

                for (char *c = why; c && *c; c++)
                        if ((unsigned char) *c < 0x20 || (unsigned char) *c >= 0x7f)
                                *c = '?';
                r = error_set(e, EBADMSG, EXIT_INVALID, "%s, line %d: %s", name, x ? x->line : 0, why ?: "no XML");
        } else
                r = parse_document(&p, doc, e);
        xmlFreeDoc(doc);
        xmlFreeParserCtxt(context);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

void cuda_rule_rest(CudaRule *rule) {
        if (rule->compiled)
                regfree(&rule->regex);
        rule->compiled = false;
}

uint64_t cuda_rule_work(const CudaRule *rule, const char *path) {
        uint64_t work = strlen(path);

        for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/'))
                work += (uint64_t) (slash - path);
        return work * (1 + strlen(rule->pattern) / 16);
}

/* The automaton grows by a state with every character that leads to a new one, for as long as it lives: a name of random letters can make
 * each its own. So it does not live long. */
static int run(CudaRule *rule, const char *path) {
        int r;

        if (rule->compiled && rule->fed > FED_MAX)
                cuda_rule_rest(rule);
        if (!rule->compiled && rule_compile(rule) < 0)
                return -ENOMEM;
        rule->fed += strlen(path);
        r = regexec(&rule->regex, path, 0, NULL, 0);
        return r == 0 ? 1 : r == REG_NOMATCH ? 0 : -ENOMEM;
}

int cuda_rule_matches(CudaRule *rule, const char *path) {
        _cleanup_free_ char *s = strdup(path);
        int r = s ? run(rule, s) : -ENOMEM;

        for (char *slash; r == 0 && (slash = strrchr(s, '/'));) {
                *slash = '\0';
                r = run(rule, s);
        }
        return r;
}
