/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/solve-world.h"

#include <solv/evr.h>
#include <solv/transaction.h>

#include "basic/strings.h"

int world_compare(World *w, const char *evr_a, const char *evr_b) {
        return pool_evrcmp_str(w->pool, evr_a, evr_b, EVRCMP_COMPARE);
}

int world_describe_problem(Solver *solver, Id problem, char ***problems, Error *e) {
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

Solver *world_solver(World *w) {
        static const int flags[] = { SOLVER_FLAG_ALLOW_VENDORCHANGE, SOLVER_FLAG_KEEP_ORPHANS, SOLVER_FLAG_BEST_OBEY_POLICY,
                                     SOLVER_FLAG_YUM_OBSOLETES, SOLVER_FLAG_KEEP_EXPLICIT_OBSOLETES };
        Solver *solver = solver_create(w->pool);

        for (size_t i = 0; i < ELEMENTSOF(flags); i++)
                solver_set_flag(solver, flags[i], 1);
        return solver;
}

static int run(World *w, Queue *job, char ***ret_result, char ***ret_problems, Error *e) {
        _cleanup_strv_ char **problems = NULL, **result = NULL;
        Solver *solver = world_solver(w);
        int r = 0, n = solver_solve(solver, job);

        for (Id p = 1; r >= 0 && p <= n; p++)
                r = world_describe_problem(solver, p, &problems, e);
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
        Solver *solver = world_solver(w);
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

/* A source package, or one for other machines, is not for installing on this one. */
static bool is_for_others(World *w, Id p) {
        Id arch = pool_id2solvable(w->pool, p)->arch;

        return arch == ARCH_SRC || arch == ARCH_NOSRC || (w->pool->id2arch && pool_arch2score(w->pool, arch) == 0);
}

int world_install_each(World *w, size_t *ret_tried, char ***ret_problems, Error *e) {
        _cleanup_strv_ char **problems = NULL;
        Queue wanted, job;
        int r = 0;

        queue_init(&wanted);
        queue_init(&job);
        for (size_t i = 0; i < w->n_packages; i++)
                if (!is_for_others(w, w->packages[i].id))
                        queue_push(&wanted, w->packages[i].id);
        *ret_tried = (size_t) wanted.count;
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
