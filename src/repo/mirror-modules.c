/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/mirror-modules.h"

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/merge.h"

static void names_free(Names *x) {
        for (size_t i = 0; i < x->n; i++)
                free(x->v[i]);
        free(x->v);
}

void mirror_modules_clear(MirrorModules *m) {
        modules_clear(&m->documents);
        strv_free(m->texts);
        free(m->active);
        free(m->is_latest);
        free(m->latest.v);
        /* The strings of the others are the documents'. */
        free(m->world.all.v);
        free(m->world.active.v);
        names_free(&m->world.names);
        *m = (MirrorModules){};
}

static int load_texts(const MirrorSource *sources, size_t n, MirrorModules *m, Error *e) {
        uint64_t left = MERGE_MAX;
        int r;

        for (size_t i = 0; i < n; i++) {
                const MirrorFile *f = mirror_source_find(&sources[i], "modules");
                _cleanup_free_ char *name = f ? path_join(sources[i].url, f->f->href) : NULL;
                size_t size, at = strv_length(m->texts);
                char **grown = reallocarray(m->texts, at + 2, sizeof(*grown)), *text;

                if (!grown || (f && !name))
                        return error_oom(e);
                m->texts = grown;
                m->texts[at] = NULL;
                if (!f)
                        continue;
                if ((r = mirror_file_text(&sources[i], f, left, &text, &size, e)) < 0)
                        return r;
                m->texts[at] = text;
                m->texts[at + 1] = NULL;
                left -= size;
                if ((r = modules_parse(text, size, name, &m->documents, e)) < 0)
                        return r;
        }
        return 0;
}

static uint64_t number(const char *s) {
        uint64_t n;
        return s && parse_u64(s, &n) >= 0 ? n : 0;
}

/* The default stream: of what was modified last; NULL: there is none, or not one. */
static const char *default_stream(const MirrorModules *m, const char *module) {
        const ModuleDocument *best = NULL;
        bool contested = false;

        for (size_t i = 0; i < m->documents.n; i++) {
                const ModuleDocument *d = &m->documents.v[i];

                if (d->kind != MODULE_DEFAULTS || !d->stream || !streq(d->name, module))
                        continue;
                if (!best || number(d->version) > number(best->version)) {
                        best = d;
                        contested = false;
                } else if (number(d->version) == number(best->version) && !streq(d->stream, best->stream))
                        contested = true;
        }
        return best && !contested ? best->stream : NULL;
}

/* Whether a word is "NAME:STREAM" of this module, whatever the stream. */
static const char *stream_in(const char *word, const char *module) {
        const char *rest = startswith(word, module);
        return rest && *rest == ':' ? rest + 1 : NULL;
}

static bool is_enabled(const MirrorModules *m, const ModuleDocument *d, char *const *enabled) {
        const char *stream;
        bool named = false;

        STRV_FOREACH(word, enabled) {
                stream = stream_in(*word, d->name);
                named = named || stream;
                if (stream && streq(stream, d->stream))
                        return true;
        }
        stream = named ? NULL : default_stream(m, d->name);
        return stream && streq(stream, d->stream);
}

static int check_enabled(const MirrorModules *m, char *const *enabled, Error *e) {
        STRV_FOREACH(word, enabled) {
                bool found = false;

                for (size_t i = 0; i < m->documents.n && !found; i++) {
                        const ModuleDocument *d = &m->documents.v[i];
                        const char *stream = d->kind == MODULE_STREAM ? stream_in(*word, d->name) : NULL;

                        found = stream && streq(stream, d->stream);
                }
                if (!found)
                        return error_set(e, ENOENT, EXIT_UNSOLVABLE, "--module %s: no source has this stream", *word);
        }
        return 0;
}

static int by_stream(const void *x, const void *y) {
        const ModuleDocument *a = *(ModuleDocument *const *) x, *b = *(ModuleDocument *const *) y;
        int c = strcmp(a->name, b->name);

        if (c == 0)
                c = strcmp(a->stream, b->stream);
        if (c == 0)
                c = strcmp(a->arch ? a->arch : "", b->arch ? b->arch : "");
        return c != 0 ? c : (number(a->version) < number(b->version)) - (number(a->version) > number(b->version));
}

static bool same_stream(const ModuleDocument *a, const ModuleDocument *b) {
        return streq(a->name, b->name) && streq(a->stream, b->stream) && streq(a->arch ? a->arch : "", b->arch ? b->arch : "");
}

/* By module and stream, the highest version first; default_stream() is asked once a module, for there may be thousands of documents. */
static int mark(MirrorModules *m, char *const *enabled, Error *e) {
        _cleanup_free_ ModuleDocument **sorted = calloc(m->documents.n + 1, sizeof(*sorted));
        size_t n = 0;

        m->active = calloc(m->documents.n + 1, sizeof(*m->active));
        m->is_latest = calloc(m->documents.n + 1, sizeof(*m->is_latest));
        if (!sorted || !m->active || !m->is_latest)
                return error_oom(e);
        for (size_t i = 0; i < m->documents.n; i++)
                if (m->documents.v[i].kind == MODULE_STREAM)
                        sorted[n++] = &m->documents.v[i];
        if (n > 0)
                qsort(sorted, n, sizeof(*sorted), by_stream);
        for (size_t i = 0, first = 0; i < n; i++) {
                size_t at = (size_t) (sorted[i] - m->documents.v), before = i > 0 ? (size_t) (sorted[i - 1] - m->documents.v) : 0;
                bool same = i > 0 && same_stream(sorted[i - 1], sorted[i]);

                if (!same)
                        first = i;
                m->active[at] = same ? m->active[before] : is_enabled(m, sorted[i], enabled);
                m->is_latest[at] = number(sorted[i]->version) == number(sorted[first]->version);
        }
        return 0;
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static void sort(Names *x) {
        if (x->n > 0)
                qsort(x->v, x->n, sizeof(char *), compare_strings);
}

/* NAME of NAME-VERSION-RELEASE.ARCH, owned by the caller; NULL: out of memory. */
static char *name_of(const char *nevra) {
        const char *end = strrchr(nevra, '-');
        size_t n = end ? (size_t) (end - nevra) : 0;

        while (n > 0 && nevra[n - 1] != '-')
                n--;
        return strndup(nevra, n > 0 ? n - 1 : strlen(nevra));
}

static int make_names(MirrorModules *m, Error *e) {
        WorldModules *w = &m->world;
        size_t n = 0;

        for (size_t i = 0; i < m->documents.n; i++)
                n += m->documents.v[i].n_artifacts;
        w->all.v = calloc(n + 1, sizeof(char *));
        w->active.v = calloc(n + 1, sizeof(char *));
        w->names.v = calloc(n + 1, sizeof(char *));
        m->latest.v = calloc(n + 1, sizeof(char *));
        if (!w->all.v || !w->active.v || !w->names.v || !m->latest.v)
                return error_oom(e);
        for (size_t i = 0; i < m->documents.n; i++)
                STRV_FOREACH(s, m->documents.v[i].artifacts) {
                        w->all.v[w->all.n++] = *s;
                        if (m->is_latest[i])
                                m->latest.v[m->latest.n++] = *s;
                        if (!m->active[i])
                                continue;
                        w->active.v[w->active.n++] = *s;
                        if (endswith(*s, ".src") || endswith(*s, ".nosrc"))
                                continue;
                        if (!(w->names.v[w->names.n] = name_of(*s)))
                                return error_oom(e);
                        w->names.n++;
                }
        sort(&m->latest);
        sort(&w->all);
        sort(&w->active);
        sort(&w->names);
        return 0;
}

int mirror_modules_load(const MirrorSource *sources, size_t n, char *const *enabled, MirrorModules *ret, Error *e) {
        int r;

        if ((r = load_texts(sources, n, ret, e)) < 0 || (r = check_enabled(ret, enabled, e)) < 0 || (r = mark(ret, enabled, e)) < 0)
                return r;
        return make_names(ret, e);
}

/* Artifacts are sorted. */
static bool has_artifact(const ModuleDocument *d, const char *nevra) {
        const Names artifacts = { .v = d->artifacts, .n = d->n_artifacts };

        return d->kind == MODULE_STREAM && names_have(&artifacts, nevra);
}

int mirror_modules_streams(const MirrorModules *m, const char *nevra, char ***streams) {
        for (size_t i = 0; i < m->documents.n; i++) {
                const ModuleDocument *d = &m->documents.v[i];
                _cleanup_free_ char *word = NULL;

                if (!has_artifact(d, nevra))
                        continue;
                word = format("%s:%s", d->name, d->stream);
                if (!word || (!strv_contains(*streams, word) && strv_append(streams, word) < 0))
                        return -ENOMEM;
        }
        return 0;
}
