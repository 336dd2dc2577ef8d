/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/solve-world.h"

#include <fcntl.h>
#include <solv/pool.h>
#include <solv/repo.h>
#include <solv/evr.h>
#include <solv/repo_repomdxml.h>
#include <solv/repo_rpmdb.h>
#include <solv/repo_rpmmd.h>
#include <solv/repo_solv.h>
#include <solv/repo_write.h>
#include <solv/solv_xfopen.h>
#include <solv/solver.h>
#include <solv/transaction.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/dependency-scan.h"
#include "repo/rpm-file.h"

/* libsolv: the greater wins; dnf: the smaller. */
#define PRIORITY_OURS    (-10)
#define PRIORITY_DEFAULT (-99)

#define ARCHITECTURE "x86_64"

World *world_free(World *w) {
        if (!w)
                return NULL;
        if (w->pool) {
                if (w->pool->considered)
                        map_free(w->pool->considered);
                w->pool->considered = solv_free(w->pool->considered); /* it is ours, not the library's */
                pool_free(w->pool);
        }
        for (size_t i = 0; i < w->n_packages; i++)
                free(w->packages[i].nevra);
        free(w->packages);
        free(w);
        return NULL;
}

/* The file of a type ("primary") that repodata/repomd.xml names; an empty string when it names none. */
static int metadata_path(Pool *pool, const char *dir, const char *type, char **ret, Error *e) {
        _cleanup_free_ char *repomd = path_join(dir, "repodata/repomd.xml");
        _cleanup_fclose_ FILE *f = NULL;
        Dataiterator di;
        Repo *scratch;
        int r = 0;

        if (!repomd)
                return error_oom(e);
        f = fopen(repomd, "re");
        if (!f)
                return error_errno(e, errno, "%s", repomd);
        scratch = repo_create(pool, "repomd");
        if (repo_add_repomdxml(scratch, f, 0) != 0)
                r = error_set(e, EBADMSG, EXIT_INVALID, "%s: malformed", repomd);
        *ret = strdup("");
        dataiterator_init(&di, pool, scratch, SOLVID_META, REPOSITORY_REPOMD_TYPE, type, SEARCH_STRING);
        dataiterator_prepend_keyname(&di, REPOSITORY_REPOMD);
        while (r >= 0 && dataiterator_step(&di)) {
                const char *href;

                dataiterator_setpos_parent(&di);
                href = pool_lookup_str(pool, SOLVID_POS, REPOSITORY_REPOMD_LOCATION);
                if (!href || !path_is_safe(href)) {
                        r = error_set(e, EBADMSG, EXIT_INVALID, "%s: %s has no usable location", repomd, type);
                        break;
                }
                free(*ret);
                *ret = path_join(dir, href);
                break;
        }
        dataiterator_free(&di);
        repo_free(scratch, 1);
        if (!*ret)
                return error_oom(e);
        if (r < 0) {
                free(*ret);
                *ret = NULL;
        }
        return r;
}

static int add_metadata(Repo *repo, const char *dir, const char *type, int flags, bool required, Error *e) {
        _cleanup_free_ char *path = NULL;
        DependencyScan scan;
        FILE *f;
        int r;

        r = metadata_path(repo->pool, dir, type, &path, e);
        if (r < 0)
                return r;
        if (!*path)
                return required ? error_set(e, EBADMSG, EXIT_INVALID, "%s/repodata/repomd.xml: it names no %s", dir, type) : 0;
        f = solv_xfopen(path, "r");
        if (!f)
                return error_errno(e, errno ? errno : EIO, "%s", path);
        f = dependency_scan_open(&scan, f);
        if (!f)
                return error_oom(e);
        if (repo_add_rpmmd(repo, f, NULL, flags) != 0 || scan.is_bad)
                r = scan.is_bad ? dependency_scan_error(path, e) :
                    error_set(e, EBADMSG, EXIT_INVALID, "%s: malformed: %s", path, pool_errstr(repo->pool));
        (void) fclose(f);
        return r;
}

/* Whether primary.xml has every file of that name: programs and configuration, as createrepo_c and dnf agree. */
static bool is_in_primary(const char *path) {
        return startswith(path, "/etc/") || strstr(path, "bin/") || streq(path, "/usr/lib/sendmail");
}

/* Whether some dependency names a file that only a list of all files has: mostly none does, and they are long. */
static bool needs_filelists(const Pool *pool) {
        for (Id id = 2; id < pool->ss.nstrings; id++) {
                const char *s = pool->ss.stringspace + pool->ss.strings[id];

                if (s[0] == '/' && s[1] && !is_in_primary(s))
                        return true;
        }
        return false;
}

static int add_rpms(Repo *repo, char *const *rpms, Error *e) {
        STRV_FOREACH(s, rpms) {
                _cleanup_(rpm_file_freep) RpmFile *f = NULL;
                int r = rpm_file_open(AT_FDCWD, *s, &f, e); /* refuses what must not be read further */

                if (r < 0)
                        return r;
                if (repo_add_rpm(repo, *s, REPO_REUSE_REPODATA | REPO_NO_INTERNALIZE) == 0)
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: not a package: %s", *s, pool_errstr(repo->pool));
        }
        return 0;
}

static int add_source(Repo *repo, const WorldSource *s, Error *e) {
        return s->path ? add_metadata(repo, s->path, "primary", 0, true, e) : add_rpms(repo, s->rpms, e);
}

/* What a list says is there, as one installed package that nothing replaces. */
static void install_list(World *w, const Platform *p) {
        Pool *pool = w->pool;
        Solvable *s;

        s = pool_id2solvable(pool, repo_add_solvable(w->installed));
        s->name = pool_str2id(pool, "the-platform", 1);
        s->evr = pool_str2id(pool, "0-0", 1);
        s->arch = ARCH_NOARCH;
        solvable_add_deparray(s, SOLVABLE_PROVIDES, pool_rel2id(pool, s->name, s->evr, REL_EQ, 1), 0);
        for (size_t i = 0; i < p->n_capabilities; i++) {
                Id name = pool_str2id(pool, p->capabilities[i].name, 1);

                if (p->capabilities[i].evr)
                        name = pool_rel2id(pool, name, pool_str2id(pool, p->capabilities[i].evr, 1), REL_EQ, 1);
                solvable_add_deparray(s, SOLVABLE_PROVIDES, name, 0);
        }
}

/* Everything is loaded once more, as installed, and what is not installed is dropped. */
static int load_installed(World *w, const WorldSource *sources, size_t n, Error *e) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n; i++)
                if (!sources[i].list)
                        r = add_source(w->installed, &sources[i], e);
        return r;
}

static int drop_the_others(World *w, char *const *installed, Error *e) {
        _cleanup_strv_ char **seen = NULL;
        Solvable *s;
        Id p;

        FOR_REPO_SOLVABLES(w->installed, p, s) {
                const char *nevra = pool_solvid2str(w->pool, p);

                if (!strv_contains(installed, nevra) || strv_contains(seen, nevra))
                        repo_free_solvable(w->installed, p, 0);
                else if (strv_append(&seen, nevra) < 0)
                        return error_oom(e);
        }
        if (strv_length(seen) != strv_length(installed))
                return error_set(e, ENOENT, EXIT_FAILED, "packages that were to be installed are not in the repositories");
        return 0;
}

static int add_filelists(Repo *const *repos, Repo *installed, const WorldSource *sources, size_t n, Error *e) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n; i++) {
                if (!sources[i].path)
                        continue;
                r = add_metadata(repos[i], sources[i].path, "filelists", REPO_EXTEND_SOLVABLES, false, e);
                if (r >= 0 && installed)
                        r = add_metadata(installed, sources[i].path, "filelists", REPO_EXTEND_SOLVABLES, false, e);
        }
        return r;
}

static int compare_packages(const void *a, const void *b) {
        const WorldPackage *x = a, *y = b;
        int c = strcmp(x->nevra, y->nevra);

        return c != 0 ? c : x->id - y->id;
}

static int list_packages(World *w, Error *e) {
        Solvable *s;
        Id p;

        w->packages = calloc((size_t) w->ours->nsolvables + 1, sizeof(*w->packages));
        if (!w->packages)
                return error_oom(e);
        FOR_REPO_SOLVABLES(w->ours, p, s) {
                char *nevra = strdup(pool_solvid2str(w->pool, p));

                if (!nevra)
                        return error_oom(e);
                w->packages[w->n_packages++] = (WorldPackage){ .nevra = nevra, .id = p };
        }
        if (w->n_packages > 0)
                qsort(w->packages, w->n_packages, sizeof(*w->packages), compare_packages);
        return 0;
}

/* The file, less what is gone, and what is new. False if it does not fit: then the metadata is read. */
static bool add_known(Repo *repo, const WorldKnown *known) {
        _cleanup_fclose_ FILE *f = fopen(known->solv, "re"), *xml = NULL;
        Id first = repo->pool->nsolvables;

        if (!f || repo_add_solv(repo, f, 0) != 0 || (size_t) repo->nsolvables != known->n || (size_t) (repo->pool->nsolvables - first) != known->n)
                return false;
        for (size_t i = 0; i < known->n; i++)
                if (known->gone[i])
                        repo_free_solvable(repo, first + (Id) i, 0);
        if (!known->primary)
                return true;
        xml = fmemopen((void *) known->primary, strlen(known->primary), "r");
        return xml && repo_add_rpmmd(repo, xml, NULL, 0) == 0;
}

static void drop_packages(World *w) {
        for (size_t i = 0; i < w->n_packages; i++)
                free(w->packages[i].nevra);
        free(w->packages);
        w->packages = NULL;
        w->n_packages = 0;
}

/* 1: it is loaded, and is what it has to be. */
static int load_known(World *w, const WorldKnown *known, Error *e) {
        bool good = add_known(w->ours, known);
        int r;

        if (good) {
                repo_internalize(w->ours);
                if ((r = list_packages(w, e)) < 0)
                        return r;
                good = w->n_packages == known->n_nevras;
                for (size_t i = 0; good && i < w->n_packages; i++)
                        good = streq(w->packages[i].nevra, known->nevras[i]);
                drop_packages(w);
        }
        if (!good)
                repo_empty(w->ours, 1);
        return good;
}

static int load_sources(World *w, const WorldSource *sources, size_t n, Repo **repos, Error *e) {
        int r = 0;

        for (size_t k = 0; r >= 0 && k < n; k++) {
                bool ours = sources[k].role == WORLD_OURS;

                if (sources[k].list)
                        continue;
                repos[k] = ours ? w->ours : repo_create(w->pool, sources[k].path ? sources[k].path : "files");
                repos[k]->appdata = (void *) (uintptr_t) (k + 1);
                repos[k]->priority = ours ? PRIORITY_OURS : PRIORITY_DEFAULT;
                r = ours && sources[k].known ? load_known(w, sources[k].known, e) : 0;
                w->known = w->known || r > 0;
                if (r == 0)
                        r = add_source(repos[k], &sources[k], e);
        }
        return r;
}

/* What was known has no file lists: read anew when they matter. */
static int load_filelists(World *w, Repo *const *repos, const WorldSource *sources, size_t n, bool installed, Error *e) {
        int r = 0;

        w->filelists = true;
        for (size_t k = 0; r >= 0 && w->known && k < n; k++)
                if (sources[k].known) {
                        repo_empty(w->ours, 1);
                        r = add_source(w->ours, &sources[k], e);
                }
        w->known = false;
        return r < 0 ? r : add_filelists(repos, installed ? w->installed : NULL, sources, n, e);
}

static int load(World *w, const WorldSource *sources, size_t n, char *const *installed, Error *e) {
        _cleanup_free_ Repo **repos = calloc(n + 1, sizeof(*repos));
        Pool *pool = w->pool; /* FOR_REPOS wants it by this name */
        Repo *repo;
        int i, r;

        if (!repos)
                return error_oom(e);
        if ((r = load_sources(w, sources, n, repos, e)) < 0 || (installed && (r = load_installed(w, sources, n, e)) < 0))
                return r;
        if (needs_filelists(pool) && (r = load_filelists(w, repos, sources, n, installed, e)) < 0)
                return r;
        FOR_REPOS(i, repo)
                repo_internalize(repo);
        if (installed && (r = drop_the_others(w, installed, e)) < 0)
                return r;
        for (size_t k = 0; k < n; k++)
                if (sources[k].list)
                        install_list(w, sources[k].list);
        if ((r = list_packages(w, e)) < 0)
                return r;
        pool_set_installed(pool, w->installed);
        pool_addfileprovides(pool);
        pool_createwhatprovides(pool);
        return 0;
}

bool world_was_known(const World *w) {
        return w->known;
}

bool world_write(World *w, const char *path) {
        _cleanup_fclose_ FILE *f = w->filelists ? NULL : fopen(path, "we");
        return f && repo_write(w->ours, f) == 0 && fflush(f) == 0;
}

int world_new(const WorldSource *sources, size_t n, char *const *installed, World **ret, Error *e) {
        return world_new_for(ARCHITECTURE, sources, n, installed, ret, e);
}

int world_new_for(const char *arch, const WorldSource *sources, size_t n, char *const *installed, World **ret, Error *e) {
        _cleanup_(world_freep) World *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return error_oom(e);
        w->pool = pool_create();
        /* On Debian the library would compare versions as dpkg does. */
        (void) pool_setdisttype(w->pool, DISTTYPE_RPM);
        pool_setarch(w->pool, arch);
        w->ours = repo_create(w->pool, "gn8v-tee");
        w->installed = repo_create(w->pool, "@System");
        r = load(w, sources, n, installed, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(w);
        return 0;
}

size_t world_count(const World *w) {
        return w->n_packages;
}

/* "NAME-[EPOCH:]VERSION-REVISION[.DIST].ARCH"; the epoch is not part of a pin. */
bool nevra_is(const char *nevra, const char *name, const char *version, const char *revision) {
        const char *s = startswith(nevra, name), *end;

        if (!s || *s++ != '-')
                return false;
        end = s + strspn(s, "0123456789");
        if (*end == ':')
                s = end + 1;
        if (!(s = startswith(s, version)) || *s++ != '-' || !(s = startswith(s, revision)) || *s != '.')
                return false;
        return !strchr(s, '-') && !strchr(s, ':');
}

const char *world_find(World *w, const char *name, const char *version, const char *revision) {
        for (size_t i = 0; i < w->n_packages; i++)
                if (nevra_is(w->packages[i].nevra, name, version, revision))
                        return w->packages[i].nevra;
        return NULL;
}

static Id find_id(const World *w, const char *nevra) {
        size_t low = 0, high = w->n_packages;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(w->packages[middle].nevra, nevra) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < w->n_packages && streq(w->packages[low].nevra, nevra) ? w->packages[low].id : 0;
}

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
                Id p = find_id(w, *s);

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
        Id a = find_id(w, nevra_a), b = find_id(w, nevra_b);
        return a > 0 && b > 0 && (conflicts_with(w, a, b) || conflicts_with(w, b, a));
}
