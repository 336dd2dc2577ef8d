/* SPDX-License-Identifier: Apache-2.0 */
/* The CUDA archive: the files of its toolkit, by its XML manifest, below /usr/local/cuda-MAJOR.MINOR. */
#include <fnmatch.h>

#include "basic/fs.h"
#include "repo/cuda-manifest.h"
#include "repo/wrap-kind.h"

#define WORK_MAX  UINT64_C(4000000000) /* see cuda_rule_work(), of one archive: minutes at most */
#define LINKS_MAX 8u                   /* links followed for one path */

typedef struct CudaState {
        CudaManifest *manifest;
        char *root; /* "/usr/local/cuda-MAJOR.MINOR" */
        uint64_t work;
} CudaState;

static bool capture(const char *name) {
        return streq(name, CUDA_MANIFEST);
}

static int captured(void *context, Member *m, Error *e) {
        WrapContext *c = context;
        CudaState *s = calloc(1, sizeof(CudaState));

        if (!s)
                return error_oom(e);
        c->state = s;
        return cuda_manifest_parse(c->manifest_name, m->content, (size_t) m->size, &s->manifest, e);
}

static const char *below(const char *path, const char *directory) {
        const char *p;

        if (!*directory)
                return path;
        p = startswith(path, directory);
        return p && *p == '/' && p[1] ? p + 1 : NULL;
}

static bool is_licence(const char *name) {
        return streq(name, "EULA.txt") || streq(name, "builds/EULA.txt");
}

static bool is_installer(const char *name) {
        return fnmatch("NVIDIA-Linux-*.run", path_basename(name), 0) == 0 || streq(name, "cuda-installer") || endswith(name, "-uninstaller");
}

/* The bundled driver and the installer never are; the rest only if a build path of the toolkit holds it. */
static bool wanted(void *context, const char *name) {
        const CudaState *s = ((WrapContext *) context)->state;

        if (is_licence(name))
                return true;
        if (is_installer(name))
                return false;
        if (!s || !s->manifest)
                return true;
        for (size_t i = 0; i < s->manifest->n_packages; i++)
                if (s->manifest->packages[i]->n_rules > 0 && below(name, s->manifest->packages[i]->build_path))
                        return true;
        return false;
}

static int refuse(const WrapContext *c, unsigned line, const char *path, const char *why, Error *e) {
        return error_set(e, EBADMSG, EXIT_INVALID, "%s, line %u: '%s' %s", c->manifest_name, line, path, why);
}

/* Text files and static libraries that the vendor's archive marks as programs. */
static mode_t final_mode(const char *path, mode_t mode) {
        static const char *const never[] = { ".h", ".hpp", ".cuh", ".a", ".cfg", ".txt" };

        for (size_t i = 0; i < ELEMENTSOF(never); i++)
                if (endswith(path, never[i]))
                        return 0644;
        return mode & 0111 ? 0755 : 0644;
}

/* Normalizes dir/target of a link at path; NULL with *ret_r -EBADMSG when that is outside root. */
static char *resolve_link(const char *root, const char *path, const char *target, int *ret_r) {
        _cleanup_free_ char *whole = target[0] == '/' ? strdup(target) : format("%.*s/%s", (int) (strrchr(path, '/') - path), path, target);
        _cleanup_free_ char *s = whole ? calloc(strlen(whole) + 2, 1) : NULL;
        char *to = s;

        *ret_r = -ENOMEM;
        if (!s)
                return NULL;
        *ret_r = -EBADMSG;
        for (const char *p = whole; *p;) {
                size_t n = strcspn(p += strspn(p, "/"), "/");

                if (n == 2 && p[0] == '.' && p[1] == '.') {
                        if (to == s)
                                return NULL;
                        do
                                *to-- = '\0';
                        while (*to != '/');
                        *to = '\0';
                } else if (n > 0 && !(n == 1 && p[0] == '.')) {
                        *to++ = '/';
                        to = mempcpy(to, p, n);
                        *to = '\0';
                }
                p += n;
        }
        return streq(s, root) || below(s, root) ? TAKE_PTR(s) : NULL;
}

static int place(WrapContext *c, const CudaPackage *p, const CudaRule *rule, Member *m, const char *path, Error *e) {
        const CudaState *s = c->state;
        const char *install = p->install_path ?: s->root, *rest = path;
        _cleanup_free_ char *to = NULL, *target = NULL;
        Member *file = m->same ?: m;
        int r;

        if (rule->directory) {
                rest = startswith(path, rule->prefix) ?: path;
                to = format("%s/%s%s%s", install, rule->directory, *rule->directory ? "/" : "", rest);
        } else
                to = format("%s/%s", install, path);
        if (!to)
                return error_oom(e);
        if (m->kind != ARCHIVE_LINK && !file->stored)
                return refuse(c, rule->line, m->name, "is a hard link to a file that is not the toolkit's", e);
        if (m->kind != ARCHIVE_LINK)
                return plan_member(c->plan, PACKAGE_CUDA, rule->line, to, final_mode(to, file->mode), file, NULL, e);
        target = resolve_link(s->root, to, m->target, &r);
        if (!target)
                return r == -ENOMEM ? error_oom(e) : refuse(c, rule->line, m->name, "is a link that leaves the toolkit", e);
        return plan_link(c->plan, PACKAGE_CUDA, rule->line, to, m->target, e);
}

/* Index of the first member whose name is not before the prefix. */
static size_t first_member(Member *const *members, size_t n, const char *prefix) {
        size_t low = 0;

        while (low < n) {
                size_t middle = low + (n - low) / 2;
                if (strcmp(members[middle]->name, prefix) < 0)
                        low = middle + 1;
                else
                        n = middle;
        }
        return low;
}

/* One pattern on every member below the build path. */
static int place_rule(WrapContext *c, const CudaPackage *p, CudaRule *rule, Member *const *members, size_t n, const char *prefix, Error *e) {
        CudaState *s = c->state;
        int r;

        for (size_t i = first_member(members, n, prefix); i < n; i++) {
                const char *path = startswith(members[i]->name, prefix);

                if (!path)
                        break;
                if (is_installer(members[i]->name))
                        continue;
                s->work += cuda_rule_work(rule, path);
                if (s->work > WORK_MAX)
                        return refuse(c, rule->line, rule->pattern, "and the others mean too much work", e);
                r = cuda_rule_matches(rule, path);
                if (r < 0)
                        return error_oom(e);
                rule->matched += (size_t) r;
                if (r > 0 && !rule->uninstaller && (r = place(c, p, rule, members[i], path, e)) < 0)
                        return r;
        }
        return 0;
}

static int place_files(WrapContext *c, CudaPackage *p, const Stage *stage, Error *e) {
        size_t n;
        Member **members = stage_members(stage, &n);
        _cleanup_free_ char *prefix = format("%s%s", p->build_path, *p->build_path ? "/" : "");
        int r;

        if (!prefix)
                return error_oom(e);
        for (size_t i = 0; i < p->n_rules; i++) {
                CudaRule *rule = &p->rules[i];

                r = place_rule(c, p, rule, members, n, prefix, e);
                cuda_rule_rest(rule);
                if (r < 0)
                        return r;
                if (rule->matched == 0 && !rule->uninstaller &&
                    plan_warn(c->plan, "%s, line %u: pattern '%s' of %s matches nothing", c->manifest_name, rule->line, rule->pattern,
                              p->name ?: "a package") < 0)
                        return error_oom(e);
        }
        return 0;
}

static int pkgconfig(WrapContext *c, const CudaPkgConfig *k, Error *e) {
        const char *root = ((CudaState *) c->state)->root;
        _cleanup_free_ char *path = format("%s/pkgconfig/%s", root, k->file);
        _cleanup_text_ Text t = {};

        if (!path)
                return error_oom(e);
        text_printf(&t, "cudaroot=%s\n"
                        "libdir=${cudaroot}/targets/x86_64-linux/lib%s\n"
                        "includedir=${cudaroot}/targets/x86_64-linux/include\n\n"
                        "Name: %s\nDescription: %s\nVersion: %s\nLibs: -L${libdir} -l%s\nCflags: -I${includedir}\n",
                    root, k->subdirectory, k->name, k->description, k->version, k->name);
        return wrap_text(c, PACKAGE_CUDA, path, 0644, &t, e);
}

/* The file's name gets the version: toolkits of two versions can be installed together. */
static int desktop(WrapContext *c, const CudaPackage *p, const CudaDesktop *d, Error *e) {
        const CudaState *s = c->state;
        const char *install = p->install_path ?: s->root;
        _cleanup_free_ char *path = format("/usr/share/applications/%.*s-cuda-%s.desktop",
                                           (int) (strlen(d->filename) - (endswith(d->filename, ".desktop") ? 8 : 0)), d->filename,
                                           s->manifest->version);
        _cleanup_text_ Text t = {};

        if (!path)
                return error_oom(e);
        text_printf(&t, "[Desktop Entry]\nType=Application\nName=%s\nExec=%s/%s\nTerminal=false\n", d->name, install, d->exec);
        if (d->try_exec)
                text_printf(&t, "TryExec=%s/%s\n", install, d->try_exec);
        if (d->icon)
                text_printf(&t, "Icon=%s/%s\n", install, d->icon);
        if (d->categories)
                text_printf(&t, "Categories=%s\n", d->categories);
        if (d->keywords)
                text_printf(&t, "Keywords=%s\n", d->keywords);
        return wrap_text(c, PACKAGE_CUDA, path, 0644, &t, e);
}

static int place_package(WrapContext *c, CudaPackage *p, const Stage *stage, Error *e) {
        CudaState *s = c->state;
        int r;

        if (p->install_path) {
                _cleanup_free_ char *clean = resolve_link(s->root, s->root, p->install_path, &r);

                if (!clean)
                        return r == -ENOMEM ? error_oom(e) : refuse(c, p->line, p->install_path, "is an install path outside the toolkit", e);
                free(p->install_path);
                p->install_path = TAKE_PTR(clean);
        }
        if ((r = place_files(c, p, stage, e)) < 0)
                return r;
        for (size_t i = 0; i < p->n_directories; i++) {
                _cleanup_free_ char *path = format("%s/%s", p->install_path ?: s->root, p->directories[i]);

                if (!path)
                        return error_oom(e);
                if ((r = plan_directory(c->plan, PACKAGE_CUDA, p->line, path, e)) < 0)
                        return r;
        }
        for (size_t i = 0; i < p->n_pkgconfigs; i++)
                if ((r = pkgconfig(c, &p->pkgconfigs[i], e)) < 0)
                        return r;
        for (size_t i = 0; i < p->n_desktops; i++)
                if ((r = desktop(c, p, &p->desktops[i], e)) < 0)
                        return r;
        return 0;
}

typedef struct Link {
        char *path, *target;
} Link;

typedef struct Links {
        Link *v;
        size_t n;
} Links;

static void links_clear(Links *l) {
        for (size_t i = 0; i < l->n; i++) {
                free(l->v[i].path);
                free(l->v[i].target);
        }
        free(l->v);
}

static int compare_links(const void *a, const void *b) {
        return strcmp(((const Link *) a)->path, ((const Link *) b)->path);
}

static const Link *find_link(const Links *l, const char *path) {
        const Link key = { .path = (char *) path };
        return l->n ? bsearch(&key, l->v, l->n, sizeof(Link), compare_links) : NULL;
}

static int collect_links(const Plan *p, Links *l, Error *e) {
        if (!(l->v = calloc(p->n + 1, sizeof(Link))))
                return error_oom(e);
        for (size_t i = 0; i < p->n; i++)
                if (p->v[i].kind == PLACE_LINK) {
                        Link *k = &l->v[l->n++];
                        if (!(k->path = strdup(p->v[i].path)) || !(k->target = strdup(p->v[i].target)))
                                return error_oom(e);
                }
        if (l->n > 0)
                qsort(l->v, l->n, sizeof(Link), compare_links);
        return 0;
}

/* The path with the first of its directories that is a link replaced, and a directory that is one itself; NULL and 0 when none is. */
static int through_link(const CudaState *s, const Links *links, const Placement *q, char **ret) {
        _cleanup_free_ char *dir = strdup(q->path);
        char *end;

        *ret = NULL;
        if (!dir)
                return -ENOMEM;
        end = dir + strlen(dir);
        for (char *slash = dir + strlen(s->root); slash < end && (slash = strchrnul(slash + 1, '/'));) {
                const Link *found;

                if (slash == end && q->kind != PLACE_DIRECTORY)
                        break;
                *slash = '\0';
                if ((found = find_link(links, dir))) {
                        int r = 0;
                        _cleanup_free_ char *real = resolve_link(s->root, found->path, found->target, &r);

                        if (!real)
                                return r;
                        *ret = slash == end ? strdup(real) : format("%s/%s", real, slash + 1);
                        return *ret ? 0 : -ENOMEM;
                }
                if (slash < end)
                        *slash = '/';
        }
        return 0;
}

/* Several packages bring the links `include` and `lib64`, and others put files below them: the vendor's installer would write through
 * the link, so the file's place is where the link leads. */
static int follow_links(WrapContext *c, Error *e) {
        const CudaState *s = c->state;
        _cleanup_(links_clear) Links links = {};
        int r = collect_links(c->plan, &links, e);

        if (r < 0)
                return r;
        for (size_t i = 0; links.n > 0 && i < c->plan->n; i++) {
                Placement *q = &c->plan->v[i];

                for (unsigned k = 0; below(q->path, s->root); k++) {
                        char *real = NULL;

                        r = through_link(s, &links, q, &real);
                        if (r == -ENOMEM)
                                return error_oom(e);
                        if (r < 0 || k > LINKS_MAX || (real && !path_is_packageable(real))) {
                                free(real);
                                return refuse(c, q->line, q->path, "lies below a link that leads nowhere", e);
                        }
                        if (!real)
                                break;
                        free(q->path);
                        q->path = real;
                }
        }
        return 0;
}

static int loader_configuration(WrapContext *c, Error *e) {
        const CudaState *s = c->state;
        _cleanup_free_ char *branch = version_major_minor(c->artifact->version);
        _cleanup_free_ char *path = branch ? format("/etc/ld.so.conf.d/gn8v-tee-cuda-%s.conf", branch) : NULL;
        _cleanup_text_ Text t = {};

        if (!path)
                return error_oom(e);
        text_printf(&t, "%s/targets/x86_64-linux/lib\n", s->root);
        return wrap_text(c, PACKAGE_CUDA, path, 0644, &t, e);
}

static int check_version(WrapContext *c, Error *e) {
        CudaState *s = c->state;
        const char *v = s->manifest->version, *rest = startswith(c->artifact->version, v);

        if (!rest || (*rest != '.' && *rest != '\0') || !strchr(v, '.') || strchr(strchr(v, '.') + 1, '.'))
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: toolkit %s, but the release says %s", c->manifest_name, v,
                                               c->artifact->version), "give the archive that the release file names");
        return (s->root = format("/usr/local/cuda-%s", v)) ? 0 : error_oom(e);
}

static int plan(WrapContext *c, Stage *stage, Error *e) {
        CudaState *s = c->state;
        Member *licence;
        Member **members;
        size_t n;
        int r;

        if (!s || !s->manifest)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: holds no " CUDA_MANIFEST ": not NVIDIA's CUDA archive", c->archive);
        if ((r = check_version(c, e)) < 0)
                return r;
        c->plan->first_wins = true;
        for (size_t i = 0; i < s->manifest->n_packages; i++)
                if ((r = place_package(c, s->manifest->packages[i], stage, e)) < 0)
                        return r;
        if (c->plan->n == 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: the toolkit's patterns match no file of the archive", c->manifest_name);
        if ((r = follow_links(c, e)) < 0)
                return r;
        licence = stage_find(stage, "EULA.txt") ?: stage_find(stage, "builds/EULA.txt");
        if (licence && (licence->kind != ARCHIVE_FILE || !licence->stored))
                licence = NULL;
        if ((r = wrap_licence(c, PACKAGE_CUDA, 0, licence, e)) < 0 || (r = loader_configuration(c, e)) < 0)
                return r;
        members = stage_members(stage, &n);
        for (size_t i = 0; i < n; i++)
                c->plan->dropped += members[i]->kind == ARCHIVE_FILE && members[i]->uses == 0;
        return 0;
}

static void done(WrapContext *c) {
        CudaState *s = c->state;

        if (!s)
                return;
        cuda_manifest_free(s->manifest);
        free(s->root);
        free(s);
        c->state = NULL;
}

const WrapFormat wrap_cuda = {
        .format = ARCHIVE_TAR,
        .self_extracting = true,
        .manifest = CUDA_MANIFEST,
        .packages = (const char *const[]){ PACKAGE_CUDA, NULL },
        .capture = capture,
        .captured = captured,
        .wanted = wanted,
        .plan = plan,
        .done = done,
};
