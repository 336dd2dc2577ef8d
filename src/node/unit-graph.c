/* SPDX-License-Identifier: Apache-2.0 */
#include "node/unit-graph.h"

#include "node/unit-name.h"
#include "node/units.h"

#define UNITS_MAX ((size_t) 20000)

/* The beginning of every boot, also where a root does not have the files (bootup(7)). */
static const char *const early[][2] = {
        { "basic.target", "sysinit.target" }, { "basic.target", "sockets.target" },  { "basic.target", "timers.target" },
        { "basic.target", "paths.target" },   { "basic.target", "slices.target" },   { "sysinit.target", "local-fs.target" },
        { "sysinit.target", "swap.target" },  { "local-fs.target", "local-fs-pre.target" },
};

static void add_edge(UnitGraph *g, const char *unit, const char *after) {
        if (g->failed || streq(unit, after))
                return;
        if (g->n == g->allocated) {
                size_t more = g->allocated ? g->allocated * 2 : 1024;
                UnitEdge *grown = reallocarray(g->edges, more, sizeof(UnitEdge));

                g->failed = !grown;
                if (!grown)
                        return;
                g->edges = grown;
                g->allocated = more;
        }
        g->edges[g->n] = (UnitEdge){ .unit = strdup(unit), .after = strdup(after) };
        g->failed = !g->edges[g->n].unit || !g->edges[g->n].after;
        g->n++;
}

void unit_graph_free(UnitGraph *g) {
        for (size_t i = 0; i < g->n; i++) {
                free(g->edges[i].unit);
                free(g->edges[i].after);
        }
        free(g->edges);
        *g = (UnitGraph){};
}

typedef struct Reading {
        UnitGraph *graph;
        const char *unit;
        bool alone;    /* DefaultDependencies=no */
        char **wanted; /* of a target */
        char **after;
        char *triggers; /* Unit= or Service= of what starts another unit */
} Reading;

static int on_assignment(const char *section, const char *key, char *value, void *userdata) {
        bool after = streq(key, "After"), before = streq(key, "Before");
        bool wants = streq(key, "Wants") || streq(key, "Requires") || streq(key, "BindsTo");
        Reading *r = userdata;
        char *save = NULL;

        if ((streq(key, "Unit") || streq(key, "Service")) && (streq(section, "Timer") || streq(section, "Path") || streq(section, "Socket"))) {
                free(r->triggers);
                r->triggers = strdup(value);
                return r->triggers ? 0 : -ENOMEM;
        }
        if (!streq(section, "Unit"))
                return 0;
        if (streq(key, "DefaultDependencies"))
                r->alone = streq(value, "no") || streq(value, "false") || streq(value, "0") || streq(value, "off");
        if (!after && !before && !wants)
                return 0;
        for (char *w = strtok_r(value, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
                if (before)
                        add_edge(r->graph, w, r->unit);
                else if (after)
                        add_edge(r->graph, r->unit, w);
                if ((after && strv_append(&r->after, w) < 0) || (wants && strv_append(&r->wanted, w) < 0))
                        return -ENOMEM;
        }
        return 0;
}

/* What .wants and .requires directories add to a target. */
static int wanted_by_links(Node *n, const char *target, char ***wanted) {
        for (size_t i = 0; i < n_unit_dirs; i++)
                for (size_t j = 0; j < 2; j++) {
                        _cleanup_free_ char *directory = format("%s/%s.%s", unit_dirs[i], target, j == 0 ? "wants" : "requires");
                        _cleanup_strv_ char **names = NULL;
                        int k = directory ? node_list(n, directory, &names) : -ENOMEM;

                        STRV_FOREACH(name, names)
                                if (k >= 0)
                                        k = strv_append(wanted, *name);
                        if (k < 0)
                                return k;
                }
        return 0;
}

static void add_implied(const Reading *r) {
        static const char *const collected[][2] = { { ".socket", "sockets.target" }, { ".timer", "timers.target" }, { ".path", "paths.target" } };
        const char *suffix = unit_name_suffix(r->unit);

        STRV_FOREACH(w, r->wanted)
                /* A target waits for what it wants, unless that one waits for the target: see its own edges. */
                if (streq(suffix, ".target") && !r->alone && !strv_contains(r->after, *w))
                        add_edge(r->graph, r->unit, *w);
        for (size_t i = 0; i < ELEMENTSOF(collected); i++)
                if (streq(suffix, collected[i][0])) {
                        _cleanup_free_ char *service = r->triggers ? strdup(r->triggers) : unit_name_with_suffix(r->unit, ".service");

                        if (!service)
                                r->graph->failed = true;
                        else
                                add_edge(r->graph, service, r->unit);
                        if (!r->alone)
                                add_edge(r->graph, collected[i][1], r->unit);
                }
        if (r->alone || streq(suffix, ".target") || streq(suffix, ".slice") || streq(suffix, ".mount"))
                return;
        add_edge(r->graph, r->unit, "sysinit.target");
        if (streq(suffix, ".service"))
                add_edge(r->graph, r->unit, "basic.target");
}

static int read_unit(Node *n, UnitGraph *g, const char *unit) {
        Reading r = { .graph = g, .unit = unit };
        int k = unit_read(n, unit, on_assignment, &r);

        if (k >= 0 && endswith(unit, ".target"))
                k = wanted_by_links(n, unit, &r.wanted);
        if (k >= 0)
                add_implied(&r);
        strv_free(r.wanted);
        strv_free(r.after);
        free(r.triggers);
        return k;
}

/* A target's implied order gives way to an order in the other direction (unit_add_default_target_dependency() of systemd). */
static void drop_overruled(UnitGraph *g) {
        for (size_t i = 0; i < g->n; i++)
                for (size_t j = 0; endswith(g->edges[i].unit, ".target") && j < g->n; j++)
                        if (streq(g->edges[j].unit, g->edges[i].after) && streq(g->edges[j].after, g->edges[i].unit)) {
                                free(g->edges[i].unit);
                                free(g->edges[i].after);
                                g->edges[i] = g->edges[--g->n];
                                i--;
                                break;
                        }
}

static int compare(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Every name that has a file, a directory of drop-ins, or a link that wants it; sorted, perhaps more than once. */
static int list_units(Node *n, char ***ret) {
        _cleanup_strv_ char **all = NULL;
        size_t count = 0, allocated = 0;
        int k;

        for (size_t i = 0; i <= n_unit_dirs; i++) {
                _cleanup_strv_ char **names = NULL;

                k = i < n_unit_dirs ? node_list(n, unit_dirs[i], &names) : units_wanted(n, &names);
                if (k < 0)
                        return k;
                STRV_FOREACH(name, names) {
                        if (endswith(*name, ".d"))
                                (*name)[strlen(*name) - 2] = '\0';
                        if (!unit_name_is_valid(*name) || count >= UNITS_MAX)
                                continue;
                        if (count + 1 >= allocated) {
                                char **grown = reallocarray(all, (allocated = allocated ? allocated * 2 : 512), sizeof(char *));

                                if (!grown)
                                        return -ENOMEM;
                                all = grown;
                        }
                        all[count + 1] = NULL;
                        all[count] = strdup(*name);
                        if (!all[count++])
                                return -ENOMEM;
                }
        }
        if (count > 0)
                qsort(all, count, sizeof(char *), compare);
        *ret = TAKE_PTR(all);
        return 0;
}

int unit_graph_load(Node *n, UnitGraph *ret, Error *e) {
        _cleanup_unit_graph_ UnitGraph g = {};
        _cleanup_strv_ char **units = NULL;
        int k;

        k = list_units(n, &units);
        if (k < 0)
                return error_errno(e, -k, "the unit files cannot be read");
        STRV_FOREACH(unit, units) {
                if (unit != units && streq(unit[0], unit[-1]))
                        continue;
                k = read_unit(n, &g, *unit);
                if (k < 0 && k != -EACCES) /* one that only root reads orders nothing for us */
                        return error_errno(e, -k, "%s: its files cannot be read", *unit);
        }
        for (size_t i = 0; i < ELEMENTSOF(early); i++)
                add_edge(&g, early[i][0], early[i][1]);
        /* Also of one that has no file (yet). */
        add_edge(&g, PERSISTENCED_UNIT, "basic.target");
        if (g.failed)
                return error_oom(e);
        drop_overruled(&g);
        *ret = g;
        g = (UnitGraph){};
        return 0;
}

int unit_graph_chain(const UnitGraph *g, const char *unit, const char *after, char ***ret) {
        size_t *from = calloc(g->n + 1, sizeof(size_t)), head = 0, tail = 0; /* from[i]: the edge before the i-th of the queue */
        const UnitEdge **queue = calloc(g->n + 1, sizeof(UnitEdge *));
        bool *seen = calloc(g->n + 1, sizeof(bool));
        _cleanup_strv_ char **chain = NULL;
        int k = from && queue && seen ? 0 : -ENOMEM;
        size_t found = SIZE_MAX;

        for (size_t i = 0; k >= 0 && i < g->n; i++)
                if (streq(g->edges[i].unit, unit)) {
                        seen[i] = true;
                        from[tail] = SIZE_MAX;
                        queue[tail++] = &g->edges[i];
                }
        for (; k >= 0 && head < tail && found == SIZE_MAX; head++) {
                if (streq(queue[head]->after, after)) {
                        found = head;
                        break;
                }
                for (size_t i = 0; i < g->n; i++)
                        if (!seen[i] && streq(g->edges[i].unit, queue[head]->after)) {
                                seen[i] = true;
                                from[tail] = head;
                                queue[tail++] = &g->edges[i];
                        }
        }
        for (size_t i = found; k >= 0 && i != SIZE_MAX; i = from[i]) /* backwards */
                k = strv_append(&chain, queue[i]->after);
        if (k >= 0 && chain)
                k = strv_append(&chain, unit);
        for (size_t i = 0, count = strv_length(chain); i < count / 2; i++) {
                char *swap = chain[i];

                chain[i] = chain[count - 1 - i];
                chain[count - 1 - i] = swap;
        }
        free(from);
        free(queue);
        free(seen);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(chain);
        return 0;
}
