/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/strings.h"
#include "repo/merge.h"
#include "repo/modules.h"

#define WARNINGS_MAX 16

typedef struct Item {
        const ModuleDocument *d;
        const char *from; /* which input */
        size_t at;
        char *joined;     /* what is written instead of it; or NULL */
        bool dropped;
} Item;

typedef struct Merging {
        Modules modules;
        Item *items;
        size_t n_warnings;
        char ***warnings;
} Merging;

static void merging_done(Merging *m) {
        for (size_t i = 0; m->items && i < m->modules.n; i++)
                free(m->items[i].joined);
        modules_clear(&m->modules);
        free(m->items);
}

static int by_bytes(const void *x, const void *y) {
        const Item *a = *(Item *const *) x, *b = *(Item *const *) y;
        int c = a->d->size != b->d->size ? (a->d->size > b->d->size) - (a->d->size < b->d->size) : memcmp(a->d->text, b->d->text, a->d->size);

        return c != 0 ? c : (a->at > b->at) - (a->at < b->at);
}

static int compare(const char *a, const char *b) {
        return strcmp(a ? a : "", b ? b : "");
}

/* What a client tells documents of one kind apart by. */
static int compare_keys(const ModuleDocument *a, const ModuleDocument *b) {
        bool is_stream = a->kind == MODULE_STREAM;
        int c = a->kind != b->kind ? (a->kind > b->kind) - (a->kind < b->kind) : compare(a->name, b->name);

        if (c == 0 && is_stream)
                c = compare(a->stream, b->stream);
        if (c == 0 && is_stream)
                c = compare(a->version, b->version);
        if (c == 0 && is_stream)
                c = compare(a->context, b->context);
        return c != 0 || !is_stream ? c : compare(a->arch, b->arch);
}

static int by_key(const void *x, const void *y) {
        const Item *a = *(Item *const *) x, *b = *(Item *const *) y;
        int c = compare_keys(a->d, b->d);

        return c != 0 ? c : (a->at > b->at) - (a->at < b->at);
}

static int warn(Merging *m, char *text) {
        _cleanup_free_ char *s = text;

        if (m->n_warnings++ >= WARNINGS_MAX)
                return s ? 0 : -ENOMEM;
        return s ? strv_append(m->warnings, s) : -ENOMEM;
}

static int warn_contested(Merging *m, const Item *a, const Item *b) {
        return warn(m, format("module %s: its default stream is %s in %s, and %s in %s: there is none in what they are merged to, as dnf has it", a->d->name, a->d->stream, a->from,
                              b->d->stream, b->from));
}

static int warn_different(Merging *m, const Item *a, const Item *b) {
        const ModuleDocument *d = a->d;

        return warn(m, format("module %s:%s:%s:%s:%s: %s describes it otherwise than %s", d->name, d->stream, d->version, d->context ? d->context : "", d->arch ? d->arch : "",
                              b->from, a->from));
}

static uint64_t number(const char *s) {
        uint64_t n;
        return s && parse_u64(s, &n) >= 0 ? n : 0;
}

/* A word of somebody's as a scalar of ours. */
static void append_quoted(Text *t, const char *s) {
        text_append(t, "\"");
        for (; *s; s++)
                if (*s == '"' || *s == '\\')
                        text_printf(t, "\\%c", *s);
                else if ((unsigned char) *s < 0x20 || *s == 0x7f)
                        text_printf(t, "\\x%02x", (unsigned char) *s);
                else
                        text_append_n(t, s, 1);
        text_append(t, "\"");
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* "STREAM\nPROFILE", sorted: each stream with its profiles. */
static void append_profiles(Text *t, char **v, size_t n) {
        if (n > 0)
                qsort(v, n, sizeof(*v), compare_strings);
        if (n > 0)
                text_append(t, "  profiles:\n");
        for (size_t i = 0; i < n; i++) {
                size_t stream = strcspn(v[i], "\n");
                bool again = i > 0 && strcspn(v[i - 1], "\n") == stream && memcmp(v[i - 1], v[i], stream) == 0;

                if (i > 0 && streq(v[i - 1], v[i]))
                        continue;
                if (!again) {
                        _cleanup_free_ char *name = strndup(v[i], stream);

                        t->failed = t->failed || !name;
                        text_append(t, i > 0 ? "]\n    " : "    ");
                        append_quoted(t, name ? name : "");
                }
                text_append(t, again ? ", " : ": [");
                append_quoted(t, v[i] + stream + 1);
        }
        if (n > 0)
                text_append(t, "]\n");
}

/* The defaults of one module that several have otherwise, as dnf makes them of several repositories: what was modified last counts; of equally old ones the
 * profiles of all, and the default stream that they agree on. */
static int join_defaults(Merging *m, Item **v, size_t n) {
        _cleanup_strv_ char **profiles = NULL;
        const Item *streamed = NULL;
        _cleanup_text_ Text t = {};
        bool contested = false;
        uint64_t newest = 0;
        size_t count = 0;

        for (size_t i = 0; i < n; i++)
                newest = MAX(newest, number(v[i]->d->version));
        for (size_t i = 0; i < n; i++) {
                const ModuleDocument *d = v[i]->d;

                v[i]->dropped = number(d->version) != newest || count++ > 0;
                if (number(d->version) != newest)
                        continue;
                STRV_FOREACH(s, d->profiles)
                        if (strv_append(&profiles, *s) < 0)
                                return -ENOMEM;
                if (d->stream && streamed && !streq(d->stream, streamed->d->stream) && !contested) {
                        contested = true;
                        if (warn_contested(m, streamed, v[i]) < 0)
                                return -ENOMEM;
                }
                streamed = d->stream && !streamed ? v[i] : streamed;
        }
        if (count < 2)
                return 0;
        text_append(&t, "---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: ");
        append_quoted(&t, v[0]->d->name);
        if (newest > 0)
                text_printf(&t, "\n  modified: %ju", (uintmax_t) newest);
        if (streamed && !contested) {
                text_append(&t, "\n  stream: ");
                append_quoted(&t, streamed->d->stream);
        }
        text_append(&t, "\n");
        append_profiles(&t, profiles, strv_length(profiles));
        for (size_t i = 0; i < n; i++)
                if (!v[i]->dropped)
                        v[i]->joined = text_take(&t);
        return t.failed ? -ENOMEM : 0;
}

/* All of one key, in the order of the inputs. */
static int judge_group(Merging *m, Item **v, size_t n) {
        int r = 0;

        if (v[0]->d->kind == MODULE_DEFAULTS)
                return join_defaults(m, v, n);
        for (size_t i = 1; r >= 0 && i < n && v[0]->d->kind == MODULE_STREAM; i++)
                r = warn_different(m, v[0], v[i]);
        return r;
}

static int find_repeated(Merging *m) {
        size_t n = m->modules.n, kept = 0;
        _cleanup_free_ Item **sorted = calloc(n + 1, sizeof(*sorted));
        int r = 0;

        if (!sorted)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                sorted[i] = &m->items[i];
        if (n > 0)
                qsort(sorted, n, sizeof(*sorted), by_bytes);
        for (size_t i = 0, first = 0; i < n; i++) {
                sorted[i]->dropped = i > 0 && sorted[i]->d->size == sorted[first]->d->size && memcmp(sorted[i]->d->text, sorted[first]->d->text, sorted[i]->d->size) == 0;
                if (!sorted[i]->dropped)
                        first = i;
        }
        for (size_t i = 0; i < n; i++)
                if (!m->items[i].dropped)
                        sorted[kept++] = &m->items[i];
        if (kept > 0)
                qsort(sorted, kept, sizeof(*sorted), by_key);
        for (size_t i = 0, end; r >= 0 && i < kept; i = end) {
                for (end = i + 1; end < kept && compare_keys(sorted[i]->d, sorted[end]->d) == 0; end++)
                        ;
                if (end > i + 1)
                        r = judge_group(m, &sorted[i], end - i);
        }
        if (r >= 0 && m->n_warnings > WARNINGS_MAX) {
                _cleanup_free_ char *s = format("and %zu more such modules", m->n_warnings - WARNINGS_MAX);

                r = s ? strv_append(m->warnings, s) : -ENOMEM;
        }
        return r;
}

int merge_modules(const MergeInput *v, size_t n, char **ret, char ***warnings, Error *e) {
        _cleanup_(merging_done) Merging m = { .warnings = warnings };
        _cleanup_free_ size_t *ends = calloc(n + 1, sizeof(*ends));
        _cleanup_text_ Text t = {};
        int r;

        if (!ends)
                return error_oom(e);
        for (size_t i = 0; i < n; i++) {
                if ((r = modules_parse(v[i].text, v[i].size, v[i].name, &m.modules, e)) < 0)
                        return r;
                ends[i] = m.modules.n;
        }
        if (!(m.items = calloc(m.modules.n + 1, sizeof(*m.items))))
                return error_oom(e);
        for (size_t i = 0, k = 0; i < m.modules.n; i++) {
                while (i >= ends[k])
                        k++;
                m.items[i] = (Item){ .d = &m.modules.v[i], .from = v[k].source, .at = i };
        }
        if (find_repeated(&m) < 0)
                return error_oom(e);
        for (size_t i = 0; i < m.modules.n; i++)
                if (!m.items[i].dropped) {
                        const Item *x = &m.items[i];

                        text_append_n(&t, x->joined ? x->joined : x->d->text, x->joined ? strlen(x->joined) : x->d->size);
                        text_append(&t, x->joined ? "...\n" : "\n...\n");
                }
        if (!(*ret = text_take(&t)))
                return error_oom(e);
        return 0;
}
