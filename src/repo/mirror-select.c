/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/mirror-select.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/dependency-scan.h"
#include "repo/mirror-modules.h"
#include "repo/solve.h"

typedef struct Selecting {
        const MirrorSource *sources;
        size_t n, n_worlds, n_platforms;
        WorldSource *worlds; /* the sources, then the platforms */
        Platform **platforms;
        char **paths;
} Selecting;

static void selecting_done(Selecting *s) {
        for (size_t i = 0; i < s->n_platforms; i++)
                platform_free(s->platforms[i]);
        free(s->platforms);
        free(s->worlds);
        strv_free(s->paths);
}

/* For libsolv: unpacked, so that it does not matter what its build can unpack. */
static int write_unpacked(const MirrorSource *s, const char *type, const char *dir, Error *e) {
        const MirrorFile *f = mirror_source_find(s, type);
        _cleanup_free_ char *text = NULL, *path = format("%s/repodata/%s.xml", dir, type), *name = NULL;
        DependencyScan scan = {};
        size_t size;
        int r;

        if (!path)
                return error_oom(e);
        if (!f)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: its repomd.xml names no %s", s->url, type);
        if ((r = mirror_file_text(s, f, METADATA_TEXT_MAX, &text, &size, e)) < 0)
                return r;
        /* It is looked for again when that file is read; here the message names whose it is. */
        if (!dependency_scan_xml(&scan, text, size))
                return (name = path_join(s->url, f->f->href)) ? dependency_scan_error(&scan, name, e) : error_oom(e);
        r = write_file_new(AT_FDCWD, path, text, size, 0644);
        return r < 0 ? error_errno(e, -r, "%s", path) : 0;
}

static int write_source(const MirrorSource *s, const char *dir, Error *e) {
        static const char repomd[] = "<repomd xmlns=\"http://linux.duke.edu/metadata/repo\"><data type=\"primary\"><location href=\"repodata/primary.xml\"/></data>"
                                     "<data type=\"filelists\"><location href=\"repodata/filelists.xml\"/></data></repomd>\n";
        _cleanup_free_ char *sub = path_join(dir, "repodata"), *path = sub ? path_join(sub, "repomd.xml") : NULL;
        int r;

        if (!path)
                return error_oom(e);
        if ((r = mkdir_parents(AT_FDCWD, sub, 0755)) < 0 || (r = write_file_new(AT_FDCWD, path, repomd, strlen(repomd), 0644)) < 0)
                return error_errno(e, -r, "%s", path);
        r = write_unpacked(s, "primary", dir, e);
        return r < 0 ? r : write_unpacked(s, "filelists", dir, e);
}

static int add_platforms(Selecting *s, char *const *platforms, Error *e) {
        STRV_FOREACH(p, platforms) {
                WorldSource *w = &s->worlds[s->n_worlds];
                struct stat st;
                int r;

                if (stat(*p, &st) < 0)
                        return error_errno(e, errno, "platform %s", *p);
                *w = (WorldSource){ .role = WORLD_PLATFORM };
                if (S_ISDIR(st.st_mode))
                        w->path = *p;
                else {
                        if ((r = platform_load(*p, &s->platforms[s->n_platforms], e)) < 0)
                                return r;
                        w->list = s->platforms[s->n_platforms++];
                }
                s->n_worlds++;
        }
        return 0;
}

static int make_world(Selecting *s, const MirrorOptions *o, const char *scratch, World **ret, Error *e) {
        size_t n = s->n + strv_length(o->platforms);
        int r;

        s->worlds = calloc(n + 1, sizeof(*s->worlds));
        s->platforms = calloc(n + 1, sizeof(*s->platforms));
        if (!s->worlds || !s->platforms)
                return error_oom(e);
        for (size_t i = 0; i < s->n; i++) {
                _cleanup_free_ char *dir = format("%s/%zu", scratch, i);

                if (!dir || strv_append(&s->paths, dir) < 0)
                        return error_oom(e);
                if ((r = write_source(&s->sources[i], dir, e)) < 0)
                        return r;
                s->worlds[s->n_worlds++] = (WorldSource){ .role = i == 0 ? WORLD_OURS : WORLD_BESIDE };
        }
        for (size_t i = 0; i < s->n; i++)
                s->worlds[i].path = s->paths[i];
        if ((r = add_platforms(s, o->platforms, e)) < 0)
                return r;
        return world_new_for(&world_readers, o->arch, s->worlds, s->n_worlds, ret, e);
}

static int by_place(const void *a, const void *b) {
        const MirrorPick *x = a, *y = b;

        return x->source != y->source ? (x->source > y->source) - (x->source < y->source) : (x->at > y->at) - (x->at < y->at);
}

/* A package of a source, to be found by its checksum. */
typedef struct Place {
        const char *checksum;
        size_t at;
} Place;

static int by_checksum(const void *a, const void *b) {
        return strcmp(((const Place *) a)->checksum, ((const Place *) b)->checksum);
}

static int find_picks(const Selecting *s, size_t source, const WorldChoice *choices, size_t n, MirrorPick *picks, size_t *kept, Error *e) {
        const Primary *p = s->sources[source].primary;
        _cleanup_free_ Place *places = calloc(p->n_packages + 1, sizeof(*places));

        if (!places)
                return error_oom(e);
        for (size_t i = 0; i < p->n_packages; i++)
                places[i] = (Place){ .checksum = p->packages[i]->checksum, .at = i };
        if (p->n_packages > 0)
                qsort(places, p->n_packages, sizeof(*places), by_checksum);
        for (size_t i = 0; i < n; i++) {
                const Place *found;

                if (choices[i].source != source)
                        continue;
                found = p->n_packages > 0 ? bsearch(&(Place){ .checksum = choices[i].checksum }, places, p->n_packages, sizeof(*places), by_checksum) : NULL;
                if (!found)
                        return error_set(e, ENOENT, EXIT_INVALID, "%s: libsolv found a package that its primary.xml does not have", s->sources[source].url);
                picks[(*kept)++] = (MirrorPick){ .source = source, .at = found->at };
        }
        return 0;
}

typedef struct Closing {
        World *world;
        MirrorModules modules;
        WorldHidden hidden;
        WorldChoice *choices;
        size_t n_choices;
} Closing;

static void closing_done(Closing *c) {
        world_choices_free(c->choices, c->n_choices);
        world_free(c->world);
        mirror_modules_clear(&c->modules);
}

/* Which streams a client has to enable for what was chosen behind the filter. */
static int warn_hidden(const Closing *c, const Selecting *s, size_t from, const char *name, char ***warnings, Error *e) {
        _cleanup_strv_ char **streams = NULL;
        _cleanup_free_ char *joined = NULL, *warning = NULL;
        int r = 0;

        for (size_t i = from; r >= 0 && i < c->n_choices; i++) {
                MirrorPick pick;
                size_t one = 0;
                const char *nevra;

                if (c->choices[i].source >= s->n)
                        continue;
                if ((r = find_picks(s, c->choices[i].source, &c->choices[i], 1, &pick, &one, e)) < 0)
                        return r;
                nevra = s->sources[pick.source].primary->packages[pick.at]->nevra;
                if (!names_have(&c->modules.world.active, nevra))
                        r = mirror_modules_streams(&c->modules, nevra, &streams);
        }
        joined = strv_join(streams, " ");
        warning = streams ? format("%s: it, or what it needs, is of modules that are not enabled by default: clients see it after 'dnf module enable %s'", name, joined ? joined : "") :
                format("%s: it, or what it needs, is hidden by an enabled module's package of the same name: clients see it with module_hotfixes=1", name);
        return r < 0 || !joined || !warning || strv_append(warnings, warning) < 0 ? error_oom(e) : 0;
}

/* As a client sees it; what that does not give is taken from everywhere. */
static int close_one(Closing *c, const Selecting *s, const MirrorOptions *o, const char *name, char ***warnings, Error *e) {
        _cleanup_error_ Error why = ERROR_INIT;
        size_t before = c->n_choices;
        int r = world_close(c->world, name, o->weak, &c->choices, &c->n_choices, &why), k;

        if (r >= 0 || !c->hidden.modules || why.code != EXIT_UNSOLVABLE) {
                *e = why;
                why = ERROR_INIT;
                return r;
        }
        if ((k = world_hide(c->world, &(WorldHidden){ .globs = o->excludes }, e)) < 0)
                return k;
        if (world_close(c->world, name, o->weak, &c->choices, &c->n_choices, NULL) < 0) {
                *e = why;
                why = ERROR_INIT;
                return r;
        }
        if ((k = world_hide(c->world, &c->hidden, e)) < 0)
                return k;
        return warn_hidden(c, s, before, name, warnings, e);
}

int mirror_select(const MirrorSource *sources, size_t n, const MirrorOptions *o, const char *scratch, MirrorPick **ret, size_t *ret_n, char ***warnings, Error *e) {
        _cleanup_(selecting_done) Selecting s = { .sources = sources, .n = n };
        _cleanup_(closing_done) Closing c = { .hidden = { .globs = o->excludes } };
        _cleanup_free_ MirrorPick *picks = NULL;
        size_t kept = 0;
        int r;

        if ((r = make_world(&s, o, scratch, &c.world, e)) < 0 || (r = mirror_modules_load(sources, n, o->modules, &c.modules, e)) < 0)
                return r;
        if (!o->module_hotfixes && c.modules.world.all.n > 0)
                c.hidden.modules = &c.modules.world;
        if ((r = world_hide(c.world, &c.hidden, e)) < 0)
                return r;
        /* One after the other: what is named need not fit beside each other on one machine. */
        STRV_FOREACH(name, o->packages)
                if ((r = close_one(&c, &s, o, *name, warnings, e)) < 0)
                        return r;
        if (!(picks = calloc(c.n_choices + 1, sizeof(*picks))))
                return error_oom(e);
        /* The others are the platform's. */
        for (size_t i = 0; i < n; i++)
                if ((r = find_picks(&s, i, c.choices, c.n_choices, picks, &kept, e)) < 0)
                        return r;
        if (kept > 0)
                qsort(picks, kept, sizeof(*picks), by_place);
        *ret = TAKE_PTR(picks);
        *ret_n = kept;
        return 0;
}
