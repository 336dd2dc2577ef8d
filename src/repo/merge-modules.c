/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/strings.h"
#include "repo/merge.h"
#include "repo/modules.h"

#define WARNINGS_MAX 16

typedef struct Item {
        const ModuleDocument *d;
        const char *from; /* which input */
        size_t at;
        bool dropped;
} Item;

typedef struct Merging {
        Modules modules;
        Item *items;
        size_t n_warnings;
        char ***warnings;
} Merging;

static void merging_done(Merging *m) {
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

/* Two of one key, in the order of the inputs. */
static int judge_pair(Merging *m, const Item *a, const Item *b) {
        const ModuleDocument *x = a->d, *y = b->d;

        if (x->kind == MODULE_DEFAULTS && compare(x->stream, y->stream) != 0)
                return warn(m, format("module %s: its default stream is %s in %s, and %s in %s: both are kept, and dnf takes the one that was modified last, else none",
                                      x->name, x->stream ? x->stream : "none", a->from, y->stream ? y->stream : "none", b->from));
        if (x->kind == MODULE_STREAM)
                return warn(m, format("module %s:%s:%s:%s:%s: %s describes it otherwise than %s: both are kept, and dnf takes one of them", x->name, x->stream, x->version,
                                      x->context ? x->context : "", x->arch ? x->arch : "", b->from, a->from));
        return 0;
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
        for (size_t i = 1; r >= 0 && i < kept; i++)
                if (compare_keys(sorted[i - 1]->d, sorted[i]->d) == 0 && !streq(sorted[i - 1]->from, sorted[i]->from))
                        r = judge_pair(m, sorted[i - 1], sorted[i]);
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
                        text_append_n(&t, m.items[i].d->text, m.items[i].d->size);
                        text_append(&t, "\n...\n");
                }
        if (!(*ret = text_take(&t)))
                return error_oom(e);
        return 0;
}
