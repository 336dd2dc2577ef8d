/* SPDX-License-Identifier: Apache-2.0 */
/* What a package needs, of everything that may be chosen. */
#include <fnmatch.h>
#include <solv/bitmap.h>
#include <solv/selection.h>
#include <solv/transaction.h>

#include "basic/strings.h"
#include "repo/solve-world.h"

bool names_have(const Names *names, const char *s) {
        size_t low = 0, high = names->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int c = strcmp(names->v[middle], s);

                if (c == 0)
                        return true;
                if (c < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return false;
}

static bool provides_one(Solvable *s, const Names *names) {
        Pool *pool = s->repo->pool;

        if (names_have(names, pool_id2str(pool, s->name)))
                return true;
        for (const Id *p = s->provides ? s->repo->idarraydata + s->provides : NULL; p && *p; p++) {
                Id id = *p;

                while (ISRELDEP(id))
                        id = GETRELDEP(pool, id)->name;
                if (names_have(names, pool_id2str(pool, id)))
                        return true;
        }
        return false;
}

bool excluded(char *const *globs, const char *name, const char *nevra) {
        STRV_FOREACH(g, globs)
                if (fnmatch(*g, name, 0) == 0 || fnmatch(*g, nevra, 0) == 0)
                        return true;
        return false;
}

static bool is_hidden(Pool *pool, Id p, const WorldHidden *h) {
        Solvable *s = pool_id2solvable(pool, p);
        const char *nevra = pool_solvid2str(pool, p);

        if (excluded(h->globs, pool_id2str(pool, s->name), nevra))
                return true;
        return h->modules && !names_have(&h->modules->active, nevra) && (names_have(&h->modules->all, nevra) || provides_one(s, &h->modules->names));
}

int world_hide(World *w, const WorldHidden *h, Error *e) {
        Pool *pool = w->pool; /* FOR_POOL_SOLVABLES wants it by this name */
        Map *seen;
        Id p;

        if (pool->considered) {
                map_free(pool->considered);
                pool->considered = solv_free(pool->considered);
        }
        if (!h->modules && !h->globs)
                return 0;
        if (!(seen = calloc(1, sizeof(*seen))))
                return error_oom(e);
        map_init(seen, pool->nsolvables);
        map_setall(seen);
        FOR_POOL_SOLVABLES(p)
                if (pool_id2solvable(pool, p)->repo != w->installed && is_hidden(pool, p, h))
                        MAPCLR(seen, p);
        pool->considered = seen;
        return 0;
}

void world_choices_free(WorldChoice *v, size_t n) {
        for (size_t i = 0; i < n; i++)
                free(v[i].checksum);
        free(v);
}

static int choose(World *w, Id p, WorldChoice **v, size_t *n, Error *e) {
        Solvable *s = pool_id2solvable(w->pool, p);
        WorldChoice *grown;
        const char *checksum;
        Id type;

        if (s->repo == w->installed)
                return 0;
        checksum = solvable_lookup_checksum(s, SOLVABLE_CHECKSUM, &type);
        if (!checksum)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: its metadata have no checksum", pool_solvid2str(w->pool, p));
        for (size_t i = 0; i < *n; i++)
                if ((*v)[i].source == (size_t) (uintptr_t) s->repo->appdata - 1 && streq((*v)[i].checksum, checksum))
                        return 0;
        grown = reallocarray(*v, *n + 1, sizeof(*grown));
        if (!grown)
                return error_oom(e);
        *v = grown;
        grown[*n] = (WorldChoice){ .source = (size_t) (uintptr_t) s->repo->appdata - 1, .checksum = strdup(checksum) };
        return grown[(*n)++].checksum ? 0 : error_oom(e);
}

static int take_choices(World *w, Solver *solver, WorldChoice **v, size_t *n, Error *e) {
        Transaction *t = solver_create_transaction(solver);
        Queue q;
        int r = 0;

        queue_init(&q);
        (void) transaction_installedresult(t, &q);
        for (int i = 0; r >= 0 && i < q.count; i++)
                r = choose(w, q.elements[i], v, n, e);
        queue_free(&q);
        transaction_free(t);
        return r;
}

static int no_closure(Solver *solver, const char *name, int problems, Error *e) {
        _cleanup_strv_ char **reasons = NULL;
        _cleanup_free_ char *text = NULL;
        int r = 0;

        for (Id p = 1; r >= 0 && p <= problems; p++)
                r = world_describe_problem(solver, p, &reasons, e);
        if (r < 0 || !(text = strv_join(reasons, "\n  ")))
                return r < 0 ? r : error_oom(e);
        return error_hint(e, error_set(e, ENOTSUP, EXIT_UNSOLVABLE, "%s: what it needs is not there:\n  %s", name, text),
                          "name the repositories that have it (--also), or what the machines have already (--platform)");
}

int world_close(World *w, const char *name, bool weak, WorldChoice **v, size_t *n, Error *e) {
        Solver *solver = NULL;
        int r = 0, problems;
        Queue job;

        queue_init(&job);
        if (selection_make(w->pool, &job, name, SELECTION_NAME | SELECTION_PROVIDES | SELECTION_CANON | SELECTION_DOTARCH | SELECTION_REL) == 0 || job.count == 0)
                r = error_set(e, ENOENT, EXIT_UNSOLVABLE, "%s: no package of this name is in the repositories", name);
        for (int i = 0; i < job.count; i += 2)
                job.elements[i] |= SOLVER_INSTALL;
        if (r >= 0) {
                solver = world_solver(w);
                (void) solver_set_flag(solver, SOLVER_FLAG_IGNORE_RECOMMENDED, !weak);
                problems = solver_solve(solver, &job);
                r = problems > 0 ? no_closure(solver, name, problems, e) : take_choices(w, solver, v, n, e);
                solver_free(solver);
        }
        queue_free(&job);
        return r;
}
