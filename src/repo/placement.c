/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/placement.h"

#include <stdarg.h>

#include "basic/fs.h"
#include "basic/strings.h"

/* Directories of filesystem, systemd, kmod, dracut, dnf, man-db and hicolor-icon-theme on EL8, as far as anything of ours lies in them. */
static const char *const system_directories[] = {
        "/etc", "/etc/dnf", "/etc/dnf/plugins", "/etc/dnf/plugins/needs-restarting.d", "/etc/ld.so.conf.d", "/etc/profile.d", "/etc/systemd",
        "/etc/systemd/system", "/etc/X11", "/etc/modprobe.d", "/etc/dbus-1", "/etc/dbus-1/system.d", "/usr", "/usr/bin", "/usr/sbin",
        "/usr/include", "/usr/lib", "/usr/lib/dracut", "/usr/lib/dracut/dracut.conf.d", "/usr/lib/firmware", "/usr/lib/modprobe.d",
        "/usr/lib/systemd", "/usr/lib/systemd/system", "/usr/lib/systemd/system-preset", "/usr/lib/systemd/system-sleep", "/usr/lib/udev",
        "/usr/lib/udev/rules.d", "/usr/lib64", "/usr/libexec", "/usr/local", "/usr/share", "/usr/share/X11", "/usr/share/X11/xorg.conf.d",
        "/usr/share/applications", "/usr/share/dbus-1", "/usr/share/dbus-1/system.d", "/usr/share/doc", "/usr/share/icons",
        "/usr/share/licenses", "/usr/share/man", "/usr/share/pixmaps", "/usr/src", "/var", "/var/lib", "/opt",
};

static const char *const system_prefixes[] = { "/usr/share/man/", "/usr/share/icons/hicolor" };

bool is_system_directory(const char *path) {
        for (size_t i = 0; i < ELEMENTSOF(system_directories); i++)
                if (streq(path, system_directories[i]))
                        return true;
        for (size_t i = 0; i < ELEMENTSOF(system_prefixes); i++)
                if (startswith(path, system_prefixes[i]))
                        return true;
        return false;
}

bool path_is_packageable(const char *path) {
        return path[0] == '/' && path_is_safe(path + 1) && text_is_printable(path) && !strchr(path, '"') && strlen(path) <= 2048;
}

static void placement_clear(Placement *p) {
        free(p->path);
        free(p->text);
        free(p->target);
}

void plan_clear(Plan *p) {
        for (size_t i = 0; i < p->n; i++)
                placement_clear(&p->v[i]);
        free(p->v);
        strv_free(p->warnings);
        *p = (Plan){};
}

static int refuse(const Plan *p, unsigned line, Error *e, const char *path, const char *why) {
        if (line > 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s, line %u: '%s' %s", p->origin, line, path, why);
        return error_set(e, EBADMSG, EXIT_INVALID, "%s: '%s' %s", p->origin, path, why);
}

static int add(Plan *p, const char *package, PlacementKind kind, unsigned line, const char *path, Placement **ret, Error *e) {
        Placement *q;

        if (!path_is_packageable(path))
                return refuse(p, line, e, path, "is no path that a package can hold: it must stay below the root, and be plain text");
        if (p->n == p->allocated) {
                size_t n = p->allocated ? p->allocated * 2 : 256;
                Placement *grown = reallocarray(p->v, n, sizeof(Placement));
                if (!grown)
                        return error_oom(e);
                p->v = grown;
                p->allocated = n;
        }
        q = &p->v[p->n];
        *q = (Placement){ .package = package, .kind = kind, .line = line, .mode = 0644 };
        if (!(q->path = strdup(path)))
                return error_oom(e);
        p->n++;
        *ret = q;
        return 0;
}

int plan_member(Plan *p, const char *package, unsigned line, const char *path, mode_t mode, Member *m, Placement **ret, Error *e) {
        Placement *q;
        int r = add(p, package, PLACE_MEMBER, line, path, &q, e);

        if (r < 0)
                return r;
        q->mode = mode;
        q->member = m;
        m->uses++;
        if (ret)
                *ret = q;
        return 0;
}

int plan_link(Plan *p, const char *package, unsigned line, const char *path, const char *target, Error *e) {
        Placement *q;
        int r = add(p, package, PLACE_LINK, line, path, &q, e);

        if (r < 0)
                return r;
        q->mode = 0777;
        return (q->target = strdup(target)) ? 0 : error_oom(e);
}

int plan_text(Plan *p, const char *package, const char *path, mode_t mode, const char *text, size_t size, Placement **ret, Error *e) {
        Placement *q;
        int r = add(p, package, PLACE_TEXT, 0, path, &q, e);

        if (r < 0)
                return r;
        q->mode = mode;
        q->text_size = size;
        if (!(q->text = malloc(size + 1)))
                return error_oom(e);
        memcpy(q->text, text, size);
        q->text[size] = '\0';
        if (ret)
                *ret = q;
        return 0;
}

int plan_archive(Plan *p, const char *package, const char *path, Error *e) {
        Placement *q;
        return add(p, package, PLACE_ARCHIVE, 0, path, &q, e);
}

int plan_directory(Plan *p, const char *package, unsigned line, const char *path, Error *e) {
        Placement *q;
        int r = add(p, package, PLACE_DIRECTORY, line, path, &q, e);

        if (r >= 0)
                q->mode = 0755;
        return r;
}

int plan_warn(Plan *p, const char *fmt, ...) {
        _cleanup_free_ char *s = NULL;
        va_list ap;

        va_start(ap, fmt);
        s = format_va(fmt, ap);
        va_end(ap);
        return s ? strv_append(&p->warnings, s) : -ENOMEM;
}

Placement *plan_find(const Plan *p, const char *path) {
        for (size_t i = 0; i < p->n; i++)
                if (streq(p->v[i].path, path))
                        return &p->v[i];
        return NULL;
}

static int compare(const void *a, const void *b) {
        const Placement *x = a, *y = b;
        int r = strcmp(x->path, y->path);
        if (r != 0)
                return r;
        if ((r = strcmp(x->package, y->package)) != 0)
                return r;
        if (x->line != y->line)
                return x->line < y->line ? -1 : 1;
        return x->member && y->member ? (x->member->number > y->member->number) - (x->member->number < y->member->number) : 0;
}

/* Whether the placement before, of the same package, lies below dir: its directories have been added then. v is sorted. */
static bool has_parents(const Plan *p, size_t i, const char *dir) {
        const Placement *q = i > 0 ? &p->v[i - 1] : NULL;
        const char *rest = q && q->package == p->v[i].package ? startswith(q->path, dir) : NULL;
        return rest && *rest == '/';
}

static int add_parents(Plan *p, Error *e) {
        size_t n = p->n;
        int r;

        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *dir = strdup(p->v[i].path);
                char *slash;

                if (!dir)
                        return error_oom(e);
                while ((slash = strrchr(dir, '/')) && slash != dir) {
                        *slash = '\0';
                        if (has_parents(p, i, dir))
                                break;
                        if (!is_system_directory(dir) && (r = plan_directory(p, p->v[i].package, p->v[i].line, dir, e)) < 0)
                                return r;
                }
        }
        return 0;
}

/* Equal directories of one package, and equal links, are one; so is one file that two patterns mean. */
static bool same(const Placement *a, const Placement *b, bool first_wins) {
        return a->kind == b->kind && streq(a->package, b->package) &&
               (a->kind == PLACE_DIRECTORY || (a->kind == PLACE_LINK && streq(a->target, b->target)) ||
                (a->kind == PLACE_MEMBER && a->member == b->member && a->mode == b->mode && first_wins));
}

static int merge(Plan *p, Error *e) {
        size_t n = 0;

        for (size_t i = 0; i < p->n; i++) {
                Placement *last = n > 0 ? &p->v[n - 1] : NULL, *q = &p->v[i];

                if (last && streq(last->path, q->path)) {
                        bool equal = same(last, q, p->first_wins);

                        if (equal || (p->first_wins && last->kind != PLACE_DIRECTORY && q->kind != PLACE_DIRECTORY)) {
                                if (!equal && plan_warn(p, "%s: '%s' is there twice: line %u's is taken, line %u's is not", p->origin, q->path,
                                                        last->line, q->line) < 0)
                                        return error_oom(e);
                                if (q->member)
                                        q->member->uses--;
                                placement_clear(q);
                                *q = (Placement){};
                                continue;
                        }
                        if (!(last->kind == PLACE_DIRECTORY && q->kind == PLACE_DIRECTORY)) {
                                unsigned first = MIN(last->line, q->line);
                                _cleanup_free_ char *why = first > 0 ? format("is already where line %u goes", first)
                                                                     : strdup("is already something else's place");
                                int r = refuse(p, MAX(q->line, last->line), e, q->path, why ?: "is placed twice");

                                /* keep the plan whole for plan_clear() */
                                memmove(&p->v[n], q, (p->n - i) * sizeof(Placement));
                                p->n = n + (p->n - i);
                                return r;
                        }
                }
                p->v[n++] = *q;
        }
        p->n = n;
        return 0;
}

/* With the paths sorted, whatever lies below a path follows it, though not at once ("a", "a-b", "a/c"). */
static int check_nesting(const Plan *p, Error *e) {
        for (size_t i = 0; i < p->n; i++) {
                _cleanup_free_ char *dir = strdup(p->v[i].path);
                char *slash;

                if (!dir)
                        return error_oom(e);
                while ((slash = strrchr(dir, '/')) && slash != dir) {
                        const Placement key = { .path = dir, .package = "" };
                        size_t low = 0, high = p->n;

                        *slash = '\0';
                        while (low < high) { /* the first one not before the directory's path */
                                size_t middle = low + (high - low) / 2;
                                if (strcmp(p->v[middle].path, key.path) < 0)
                                        low = middle + 1;
                                else
                                        high = middle;
                        }
                        if (low < p->n && streq(p->v[low].path, dir) && p->v[low].kind != PLACE_DIRECTORY)
                                return refuse(p, MAX(p->v[i].line, p->v[low].line), e, p->v[i].path, "lies below something that is no directory");
                }
        }
        return 0;
}

int plan_finish(Plan *p, Error *e) {
        int r;

        for (unsigned pass = 0; pass < 2; pass++) { /* sorted for add_parents(), and again with what that added */
                if (p->n > 0)
                        qsort(p->v, p->n, sizeof(Placement), compare);
                if (pass == 0 && (r = add_parents(p, e)) < 0)
                        return r;
        }
        if ((r = merge(p, e)) < 0)
                return r;
        return check_nesting(p, e);
}
