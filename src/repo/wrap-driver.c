/* SPDX-License-Identifier: Apache-2.0 */
/* The driver archive: its members by its .manifest, into the driver package and the DKMS source package. */
#include "basic/fs.h"
#include "repo/driver-manifest.h"
#include "repo/wrap-kind.h"

#define OPEN_SOURCE "kernel-open/"

typedef struct DriverState {
        DriverManifest *manifest;
        DriverEntry **by_file; /* those that are placed, sorted: what is wanted once the manifest is known */
        size_t n_by_file;
} DriverState;

static bool capture(const char *name) {
        return streq(name, DRIVER_MANIFEST) || (!strchr(name, '/') && endswith(name, ".desktop"));
}

static bool shared_library(const char *name) {
        const char *base = path_basename(name);
        return startswith(base, "lib") && strstr(base, ".so");
}

static bool is_placed(const WrapContext *c, const DriverEntry *d) {
        const WrapOptions *o = c->options;

        switch (d->type->role) {
        case ROLE_DROPPED:
                return false;
        case ROLE_KERNEL_SOURCE:
                return startswith(d->file, OPEN_SOURCE);
        case ROLE_GLVND:
        case ROLE_GLVND_LINK:
                if (o && o->no_glvnd)
                        return false;
                break;
        default:
                break;
        }
        /* The uninstaller would be a link to the installer, which is in no package. */
        if (streq(d->type->name, "UTILITY_BIN_SYMLINK") && streq(path_basename(d->target), "nvidia-installer"))
                return false;
        if (startswith(path_basename(d->file), "nvidia-installer.") || startswith(path_basename(d->file), "nvidia-uninstall."))
                return false; /* their man pages */
        /* Ours takes its place: the options differ from profile to profile. */
        if (streq(d->type->name, "SYSTEMD_UNIT") && streq(path_basename(d->file), "nvidia-persistenced.service"))
                return false;
        return !d->compat32 || (o && o->compat32);
}

static int compare_files(const void *a, const void *b) {
        return strcmp((*(DriverEntry *const *) a)->file, (*(DriverEntry *const *) b)->file);
}

static int captured(void *context, Member *m, Error *e) {
        WrapContext *c = context;
        DriverState *s = c->state;
        int r;

        if (!streq(m->name, DRIVER_MANIFEST))
                return 0;
        if (!s && !(s = c->state = calloc(1, sizeof(DriverState))))
                return error_oom(e);
        if ((r = driver_manifest_parse(c->manifest_name, m->content, (size_t) m->size, &s->manifest, e)) < 0)
                return r;
        if (!(s->by_file = calloc(s->manifest->n_entries, sizeof(DriverEntry *))))
                return error_oom(e);
        for (size_t i = 0; i < s->manifest->n_entries; i++)
                if (is_placed(c, &s->manifest->entries[i]) && !s->manifest->entries[i].target)
                        s->by_file[s->n_by_file++] = &s->manifest->entries[i];
        if (s->n_by_file > 0)
                qsort(s->by_file, s->n_by_file, sizeof(DriverEntry *), compare_files);
        return 0;
}

/* Before the manifest is known everything may be wanted but the proprietary modules, which never are. */
static bool wanted(void *context, const char *name) {
        const DriverState *s = ((WrapContext *) context)->state;
        const DriverEntry key = { .file = (char *) name }, *k = &key;

        if (!s || !s->manifest)
                return !startswith(name, "kernel/");
        return streq(name, "LICENSE") || (s->n_by_file > 0 && bsearch(&k, s->by_file, s->n_by_file, sizeof(DriverEntry *), compare_files));
}

/* Vendor modes, but the owner can always read and write: 0444 makes RPM's own tools stumble. */
static mode_t final_mode(mode_t mode) {
        return mode | 0600;
}

static int refuse(const WrapContext *c, const DriverEntry *d, const char *why, Error *e) {
        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s, line %u: '%s' %s", c->manifest_name, d->line, d->file, why),
                          "the archive does not hold what its list says: fetch it again");
}

/* __UTILS_PATH__ and __PIXMAP_PATH__ are what the installer fills in. */
static int desktop(WrapContext *c, const DriverEntry *d, const Member *m, Error *e) {
        static const struct {
                const char *name, *value;
        } words[] = { { "__UTILS_PATH__", "/usr/bin" }, { "__PIXMAP_PATH__", "/usr/share/pixmaps" } };
        _cleanup_text_ Text t = {};
        const char *p = m->content;
        _cleanup_free_ char *s = NULL;
        Placement *q;
        int r;

        if (!p)
                return refuse(c, d, "is no .desktop file at the top of the archive", e);
        while (*p) {
                size_t i;

                for (i = 0; i < ELEMENTSOF(words) && !startswith(p, words[i].name); i++)
                        ;
                if (i < ELEMENTSOF(words)) {
                        text_append(&t, words[i].value);
                        p += strlen(words[i].name);
                } else
                        text_append_n(&t, p++, 1);
        }
        if (!(s = text_take(&t)))
                return error_oom(e);
        if ((r = plan_text(c->plan, PACKAGE_DRIVER, d->destination, final_mode(d->mode), s, strlen(s), &q, e)) >= 0)
                q->line = d->line;
        return r;
}

static int place_link(WrapContext *c, const DriverEntry *d, Error *e) {
        _cleanup_free_ char *target = NULL;

        if (d->type->role == ROLE_LIBRARY_LINK)
                target = format("%s/%s", d->compat32 ? "/usr/lib" : "/usr/lib64", d->target);
        else if (d->type->role == ROLE_UNIT_LINK)
                target = format("/usr/lib/systemd/system/%s", path_basename(d->file));
        else
                target = strdup(d->target);
        if (!target)
                return error_oom(e);
        return plan_link(c->plan, PACKAGE_DRIVER, d->line, d->destination, target, e);
}

static int place_entry(WrapContext *c, const Stage *s, const DriverEntry *d, Error *e) {
        const char *package = d->type->role == ROLE_KERNEL_SOURCE ? PACKAGE_KMOD : PACKAGE_DRIVER;
        Placement *q;
        Member *m;
        int r;

        if (d->target)
                return place_link(c, d, e);
        m = stage_find(s, d->file);
        if (!m)
                return refuse(c, d, "is not in the archive", e);
        if (m->kind != ARCHIVE_FILE)
                return refuse(c, d, "is a link in the archive, not a file", e);
        if (d->type->role == ROLE_DESKTOP)
                return desktop(c, d, m, e);
        if (!m->stored)
                return refuse(c, d, "was not read", e);
        r = plan_member(c->plan, package, d->line, d->destination, final_mode(d->mode), m, &q, e);
        if (r >= 0)
                q->documentation = startswith(q->path, "/usr/share/doc/") || startswith(q->path, "/usr/share/man/");
        return r;
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* ldconfig would make these links on the instance, where no package would own them. */
static int soname_links(WrapContext *c, const DriverManifest *m, const Stage *s, Error *e) {
        Plan *p = c->plan;
        size_t n = p->n;
        _cleanup_free_ char **paths = calloc(n + 1, sizeof(char *));
        _cleanup_strv_ char **made = NULL;
        int r;

        if (!paths)
                return error_oom(e);
        for (size_t i = 0; i < n; i++)
                paths[i] = p->v[i].path;
        qsort(paths, n, sizeof(char *), compare_strings);
        for (size_t i = 0; i < m->n_entries; i++) {
                const DriverEntry *d = &m->entries[i];
                _cleanup_free_ char *path = NULL;
                const Member *library;
                const char *slash;

                if ((d->type->role != ROLE_LIBRARY && d->type->role != ROLE_GLVND) || !is_placed(c, d) ||
                    !(library = stage_find(s, d->file)) || !library->soname || streq(library->soname, path_basename(d->file)))
                        continue;
                slash = strrchr(d->destination, '/');
                path = format("%.*s/%s", (int) (slash - d->destination), d->destination, library->soname);
                if (!path)
                        return error_oom(e);
                if (bsearch(&path, paths, n, sizeof(char *), compare_strings) || strv_contains(made, path))
                        continue;
                if ((r = plan_link(p, PACKAGE_DRIVER, d->line, path, path_basename(d->file), e)) < 0)
                        return r;
                if (strv_append(&made, path) < 0)
                        return error_oom(e);
        }
        return 0;
}

/* The modules of line 4 whose source is there. */
static int modules_present(WrapContext *c, const DriverManifest *m, char ***ret, Error *e) {
        _cleanup_strv_ char **found = NULL;

        STRV_FOREACH(name, m->modules) {
                _cleanup_free_ char *prefix = format(OPEN_SOURCE "%s/", *name);

                if (!prefix)
                        return error_oom(e);
                for (size_t i = 0; i < m->n_entries; i++)
                        if (m->entries[i].type->role == ROLE_KERNEL_SOURCE && startswith(m->entries[i].file, prefix)) {
                                if (strv_append(&found, *name) < 0)
                                        return error_oom(e);
                                break;
                        }
        }
        if (!found)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: lists no source of an open kernel module (" OPEN_SOURCE ")", c->manifest_name);
        *ret = TAKE_PTR(found);
        return 0;
}

static int plan(WrapContext *c, Stage *s, Error *e) {
        const DriverState *state = c->state;
        _cleanup_strv_ char **modules = NULL;
        const DriverManifest *m = state ? state->manifest : NULL;
        Member *licence;
        int r;

        if (!m)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: holds no " DRIVER_MANIFEST ": not NVIDIA's driver archive", c->archive);
        if (!streq(m->version, c->artifact->version))
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s, line 2: version %s, but the release says %s", c->manifest_name,
                                               m->version, c->artifact->version), "give the archive that the release file names");
        for (size_t i = 0; i < m->n_entries; i++) {
                if (!is_placed(c, &m->entries[i]))
                        c->plan->dropped++;
                else if ((r = place_entry(c, s, &m->entries[i], e)) < 0)
                        return r;
        }
        if ((r = soname_links(c, m, s, e)) < 0 || (r = modules_present(c, m, &modules, e)) < 0)
                return r;
        licence = stage_find(s, "LICENSE");
        if (licence && (licence->kind != ARCHIVE_FILE || !licence->stored))
                licence = NULL;
        if ((r = wrap_licence(c, PACKAGE_DRIVER, 0, licence, e)) < 0 || (r = wrap_licence(c, PACKAGE_KMOD, 1, licence, e)) < 0)
                return r;
        if ((r = driver_extras(c, e)) < 0)
                return r;
        return kmod_extras(c, modules, e);
}

static void done(WrapContext *c) {
        DriverState *s = c->state;

        if (!s)
                return;
        driver_manifest_free(s->manifest);
        free(s->by_file);
        free(s);
        c->state = NULL;
}

const WrapFormat wrap_driver = {
        .format = ARCHIVE_TAR,
        .self_extracting = true,
        .manifest = DRIVER_MANIFEST,
        .packages = (const char *const[]){ PACKAGE_DRIVER, PACKAGE_KMOD, NULL },
        .capture = capture,
        .shared_library = shared_library,
        .captured = captured,
        .wanted = wanted,
        .plan = plan,
        .done = done,
};
