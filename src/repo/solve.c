/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/solve.h"

#include <solv/evr.h>
#include <solv/selection.h>
#include <solv/solver.h>
#include <solv/transaction.h>

#include "basic/strings.h"
#include "repo/world.h"

int world_compare(World *w, const char *evr_a, const char *evr_b) {
        return pool_evrcmp_str(w->pool, evr_a, evr_b, EVRCMP_COMPARE);
}

/* One problem in libsolv's words: the rules about packages first; a rule about the request only if there is no other. */
static int describe(Solver *solver, Id problem, char ***problems, Error *e) {
        size_t before = strv_length(*problems);
        Queue rules;
        int r = 0;

        queue_init(&rules);
        solver_findallproblemrules(solver, problem, &rules);
        for (int pass = 0; r >= 0 && pass < 2 && strv_length(*problems) == before; pass++)
                for (int i = 0; r >= 0 && i < rules.count; i++) {
                        Id source, target, dep;
                        SolverRuleinfo type = solver_ruleinfo(solver, rules.elements[i], &source, &target, &dep);
                        const char *text;

                        if (pass == 0 && (type & SOLVER_RULE_TYPEMASK) != SOLVER_RULE_PKG)
                                continue;
                        text = solver_problemruleinfo2str(solver, type, source, target, dep);
                        if (!strv_contains(*problems, text) && strv_append(problems, text) < 0)
                                r = error_oom(e);
                }
        queue_free(&rules);
        return r;
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static int take_result(World *w, Solver *solver, char ***ret, Error *e) {
        Transaction *t = solver_create_transaction(solver);
        _cleanup_strv_ char **result = NULL;
        Queue q;
        int r = 0;

        queue_init(&q);
        (void) transaction_installedresult(t, &q);
        for (int i = 0; r >= 0 && i < q.count; i++) {
                const char *nevra = pool_solvid2str(w->pool, q.elements[i]);

                if (!startswith(nevra, "the-platform-") && strv_append(&result, nevra) < 0)
                        r = error_oom(e);
        }
        queue_free(&q);
        transaction_free(t);
        if (r < 0)
                return r;
        if (result)
                qsort(result, strv_length(result), sizeof(char *), compare_strings);
        *ret = TAKE_PTR(result);
        return 0;
}

/* As libdnf sets them for best=True. */
static Solver *make_solver(World *w) {
        static const int flags[] = { SOLVER_FLAG_ALLOW_VENDORCHANGE, SOLVER_FLAG_KEEP_ORPHANS, SOLVER_FLAG_BEST_OBEY_POLICY,
                                     SOLVER_FLAG_YUM_OBSOLETES, SOLVER_FLAG_KEEP_EXPLICIT_OBSOLETES };
        Solver *solver = solver_create(w->pool);

        for (size_t i = 0; i < ELEMENTSOF(flags); i++)
                solver_set_flag(solver, flags[i], 1);
        return solver;
}

static int run(World *w, Queue *job, char ***ret_result, char ***ret_problems, Error *e) {
        _cleanup_strv_ char **problems = NULL, **result = NULL;
        Solver *solver = make_solver(w);
        int r = 0, n = solver_solve(solver, job);

        for (Id p = 1; r >= 0 && p <= n; p++)
                r = describe(solver, p, &problems, e);
        if (r >= 0 && n == 0 && ret_result)
                r = take_result(w, solver, &result, e);
        solver_free(solver);
        if (r < 0)
                return r;
        if (ret_result)
                *ret_result = TAKE_PTR(result);
        if (ret_problems)
                *ret_problems = TAKE_PTR(problems);
        return 0;
}

int world_solve(World *w, char *const *install, char ***ret_result, char ***ret_problems, Error *e) {
        Queue job;
        int r = 0;

        queue_init(&job);
        STRV_FOREACH(s, install) {
                Id p = world_find_id(w, *s);

                if (p == 0)
                        r = error_set(e, ENOENT, EXIT_FAILED, "%s: not in the repository", *s);
                queue_push2(&job, SOLVER_INSTALL | SOLVER_SOLVABLE, p);
        }
        if (!install)
                queue_push2(&job, SOLVER_UPDATE | SOLVER_SOLVABLE_ALL | SOLVER_FORCEBEST, 0);
        if (r >= 0)
                r = run(w, &job, ret_result, ret_problems, e);
        queue_free(&job);
        return r;
}

/* Asks for all of them at once, as wishes: what gets installed is thereby proven to install, and leaves the queue. */
static bool install_what_goes(World *w, Queue *wanted) {
        Solver *solver = make_solver(w);
        int before = wanted->count, kept = 0;
        Queue job;

        queue_init(&job);
        for (int i = 0; i < wanted->count; i++)
                queue_push2(&job, SOLVER_INSTALL | SOLVER_SOLVABLE | SOLVER_WEAK, wanted->elements[i]);
        if (solver_solve(solver, &job) == 0) {
                for (int i = 0; i < wanted->count; i++)
                        if (solver_get_decisionlevel(solver, wanted->elements[i]) <= 0)
                                wanted->elements[kept++] = wanted->elements[i];
                queue_truncate(wanted, kept);
        }
        queue_free(&job);
        solver_free(solver);
        return wanted->count < before;
}

int world_install_each(World *w, char ***ret_problems, Error *e) {
        _cleanup_strv_ char **problems = NULL;
        Queue wanted, job;
        int r = 0;

        queue_init(&wanted);
        queue_init(&job);
        for (size_t i = 0; i < w->n_packages; i++)
                queue_push(&wanted, w->packages[i].id);
        while (wanted.count > 1 && install_what_goes(w, &wanted))
                ;
        /* Whatever is left, alone: and if it does not go, why. */
        for (int i = 0; r >= 0 && i < wanted.count; i++) {
                _cleanup_strv_ char **found = NULL;

                queue_empty(&job);
                queue_push2(&job, SOLVER_INSTALL | SOLVER_SOLVABLE, wanted.elements[i]);
                r = run(w, &job, NULL, &found, e);
                STRV_FOREACH(s, found)
                        if (r >= 0 && !strv_contains(problems, *s) && strv_append(&problems, *s) < 0)
                                r = error_oom(e);
        }
        queue_free(&wanted);
        queue_free(&job);
        if (r >= 0)
                *ret_problems = TAKE_PTR(problems);
        return r < 0 ? r : 0;
}

static bool conflicts_with(World *w, Id a, Id b) {
        Pool *pool = w->pool; /* FOR_PROVIDES wants it by this name */
        bool found = false;
        Queue q;

        queue_init(&q);
        (void) solvable_lookup_deparray(pool_id2solvable(pool, a), SOLVABLE_CONFLICTS, &q, 0);
        for (int i = 0; i < q.count && !found; i++) {
                Id p, pp;

                FOR_PROVIDES(p, pp, q.elements[i])
                        found = found || p == b;
        }
        queue_free(&q);
        return found;
}

bool world_conflict(World *w, const char *nevra_a, const char *nevra_b) {
        Id a = world_find_id(w, nevra_a), b = world_find_id(w, nevra_b);
        return a > 0 && b > 0 && (conflicts_with(w, a, b) || conflicts_with(w, b, a));
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
                r = describe(solver, p, &reasons, e);
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
                solver = make_solver(w);
                (void) solver_set_flag(solver, SOLVER_FLAG_IGNORE_RECOMMENDED, !weak);
                problems = solver_solve(solver, &job);
                r = problems > 0 ? no_closure(solver, name, problems, e) : take_choices(w, solver, v, n, e);
                solver_free(solver);
        }
        queue_free(&job);
        return r;
}
