/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/build.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#include "basic/fs.h"
#include "basic/process.h"
#include "repo/build-keep.h"
#include "repo/build-record.h"
#include "repo/interrupt.h"
#include "repo/repo-file.h"
#include "repo/rpmbuild.h"
#include "repo/vendor-keys.h"

#define JOBS_MAX 64u

typedef enum JobState { JOB_WAITING, JOB_RUNNING, JOB_DONE } JobState;

typedef struct Pool {
        const BuildOptions *o;
        RpmbuildOptions rpmbuild;
        BuildPlan *plan;
        BuildOutcome *outcomes; /* one a job, in the plan's order */
        JobState *states;
        char *packages, *own_repo;
        unsigned running;
        int result;
        Error *e;
        pthread_mutex_t mutex;
        pthread_cond_t changed;
} Pool;

BuildResult *build_result_free(BuildResult *r) {
        if (!r)
                return NULL;
        for (size_t i = 0; i < r->n_outcomes; i++) {
                free(r->outcomes[i].name);
                strv_free(r->outcomes[i].files);
        }
        free(r->outcomes);
        free(r);
        return NULL;
}

static double now(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

static void tell(Pool *p, BuildEvent event, const BuildJob *job, double seconds) {
        if (p->o->tell)
                p->o->tell(p->o->userdata, event, job, seconds);
}

/* The wrapping packages are built in mock with our own gn8v-tee-repo, from a repository that holds only that. */
static int make_own_repo(Pool *p, char *const *files, Error *e) {
        const char *argv[] = { "createrepo_c", "--quiet", "--no-database", p->own_repo, NULL };
        int r;

        if (mkdir(p->own_repo, 0755) < 0 && errno != EEXIST)
                return error_errno(e, errno, "%s", p->own_repo);
        STRV_FOREACH(file, files) {
                _cleanup_free_ char *from = path_join(p->packages, *file), *to = path_join(p->own_repo, *file);

                if (!from || !to)
                        return error_oom(e);
                if (link(from, to) < 0 && errno != EEXIST)
                        return error_errno(e, errno, "%s", to);
        }
        r = process_check(&(Process){ .argv = argv }, NULL, e);
        return r < 0 ? error_hint(e, r, "install createrepo_c, which mock needs too") : 0;
}

/* The newest gn8v-tee-repo that an earlier run has built: for mock without --source. */
static int find_own(Pool *p, char ***ret, Error *e) {
        _cleanup_free_ char *newest = NULL;
        struct timespec when = {};
        DIR *d = opendir(p->packages);
        struct dirent *entry;

        while (d && (entry = readdir(d))) {
                const char *rest = startswith(entry->d_name, "gn8v-tee-repo-");
                struct stat st;

                if (!rest || rest[0] < '0' || rest[0] > '9' || !endswith(rest, ".rpm") || fstatat(dirfd(d), entry->d_name, &st, 0) < 0 ||
                    (newest && st.st_mtim.tv_sec <= when.tv_sec))
                        continue;
                free(newest);
                newest = strdup(entry->d_name);
                when = st.st_mtim;
        }
        if (d)
                (void) closedir(d);
        if (!newest)
                return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s: has no gn8v-tee-repo package for mock to build with", p->packages),
                                  "name this project's tarball with --source");
        return strv_append(ret, newest) < 0 ? error_oom(e) : 0;
}

static int build_job(Pool *p, size_t i, Error *e) {
        const BuildJob *job = &p->plan->jobs[i];
        BuildOutcome *outcome = &p->outcomes[i];
        RpmbuildOptions options = p->rpmbuild;
        int r;

        options.own_repo = job->kind == BUILD_PROGRAMS || job->kind == BUILD_REPOSITORY ? NULL : p->own_repo;
        r = rpmbuild_run(&options, job, p->packages, &outcome->files, e);
        if (r < 0) {
                build_take_back(p->packages, outcome->files);
                return r;
        }
        if ((r = build_keep(p->packages, job, outcome->files, e)) < 0)
                return r;
        outcome->fresh = true;
        r = build_supersede(p->packages, job, outcome->files, e);
        if (r >= 0 && p->own_repo && job->kind == BUILD_PROGRAMS)
                r = make_own_repo(p, outcome->files, e);
        return r;
}

/* Whether a job's time has come: mock builds the programs before what they build. */
static bool is_ready(const Pool *p, size_t i) {
        BuildKind kind = p->plan->jobs[i].kind;

        if (p->states[i] != JOB_WAITING)
                return false;
        for (size_t k = 0; p->own_repo && k < p->plan->n_jobs; k++)
                if (p->plan->jobs[k].kind == BUILD_PROGRAMS && p->states[k] != JOB_DONE)
                        return kind == BUILD_PROGRAMS || kind == BUILD_REPOSITORY;
        return true;
}

/* 1: room enough; 0: not while others run; -ENOSPC: not even alone. Others have used part of what they were counted for: the check errs
 * towards waiting. */
static int has_room(Pool *p, size_t i) {
        const BuildJob *job = &p->plan->jobs[i];
        uint64_t need = rpmbuild_space(&p->rpmbuild, job), others = 0, available;
        int r = free_space(p->o->workspace, &available);

        if (r < 0)
                return error_errno(p->e, -r, "%s", p->o->workspace);
        for (size_t k = 0; k < p->plan->n_jobs; k++)
                if (p->states[k] == JOB_RUNNING)
                        others += rpmbuild_space(&p->rpmbuild, &p->plan->jobs[k]);
        if (need <= available && available - need >= others)
                return 1;
        if (p->running > 0)
                return 0;
        r = error_set(p->e, ENOSPC, EXIT_NO_SPACE, "%s: building %s may need %llu MiB, %llu MiB are free", p->o->workspace, job->name,
                      (unsigned long long) (need >> 20), (unsigned long long) (available >> 20));
        return error_hint(p->e, r, "make room there, or use another workspace (-C DIR)");
}

/* The next job to run, or plan->n_jobs when there is none to wait for. Called with the mutex held. */
static size_t next_job(Pool *p) {
        for (;;) {
                bool waiting = false;

                if (p->result < 0)
                        return p->plan->n_jobs;
                for (size_t i = 0; i < p->plan->n_jobs; i++) {
                        int r;

                        waiting = waiting || p->states[i] == JOB_WAITING;
                        if (!is_ready(p, i))
                                continue;
                        r = has_room(p, i);
                        if (r > 0)
                                return i;
                        if (r < 0) {
                                p->result = r;
                                return p->plan->n_jobs;
                        }
                }
                if (!waiting || p->running == 0)
                        return p->plan->n_jobs;
                (void) pthread_cond_wait(&p->changed, &p->mutex);
        }
}

static void *work(void *userdata) {
        Pool *p = userdata;
        size_t i;

        (void) pthread_mutex_lock(&p->mutex);
        while ((i = next_job(p)) < p->plan->n_jobs) {
                _cleanup_error_ Error e = ERROR_INIT;
                double started = now();
                int r;

                p->states[i] = JOB_RUNNING;
                p->running++;
                tell(p, BUILD_STARTED, &p->plan->jobs[i], 0);
                (void) pthread_mutex_unlock(&p->mutex);
                r = build_job(p, i, &e);
                (void) pthread_mutex_lock(&p->mutex);
                p->running--;
                p->states[i] = JOB_DONE;
                tell(p, r < 0 ? BUILD_FAILED : BUILD_DONE, &p->plan->jobs[i], now() - started);
                if (r < 0 && p->result >= 0) {
                        p->result = r;
                        if (p->e) {
                                *p->e = e;
                                e = ERROR_INIT;
                        }
                }
                (void) pthread_cond_broadcast(&p->changed);
        }
        (void) pthread_cond_broadcast(&p->changed);
        (void) pthread_mutex_unlock(&p->mutex);
        return NULL;
}

/* No new job begins, and those that run are ended: their workers remove what they have made so far, as after any failure. */
static void interrupted(void *userdata, int signal) {
        Pool *p = userdata;

        (void) pthread_mutex_lock(&p->mutex);
        if (p->result >= 0) {
                p->result = error_set(p->e, EINTR, EXIT_FAILED, "interrupted (%s)", strsignal(signal));
                (void) error_hint(p->e, p->result, "what was built is kept: run it again to go on");
        }
        (void) pthread_cond_broadcast(&p->changed);
        /* Again and again: a worker may have been about to start a child. */
        while (p->running > 0) {
                struct timespec until;

                interrupt_children(SIGTERM);
                (void) clock_gettime(CLOCK_REALTIME, &until);
                until.tv_sec++;
                (void) pthread_cond_timedwait(&p->changed, &p->mutex, &until);
        }
        (void) pthread_mutex_unlock(&p->mutex);
}

static int run_all(Pool *p) {
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        size_t wanted = MIN(p->o->jobs > 0 ? p->o->jobs : cpus > 0 ? (unsigned) cpus : 1, JOBS_MAX), started = 0;
        pthread_t threads[JOBS_MAX];
        Interrupt interrupt;
        int r;

        r = interrupt_begin(&interrupt, interrupted, p, p->e);
        if (r < 0)
                return r;
        wanted = MIN(wanted, p->plan->n_jobs);
        while (started + 1 < wanted && pthread_create(&threads[started], NULL, work, p) == 0)
                started++;
        (void) work(p);
        for (size_t i = 0; i < started; i++)
                (void) pthread_join(threads[i], NULL);
        interrupt_end(&interrupt);
        return p->result;
}

/* What earlier runs have made, if it is still what these inputs give. */
static int skip_finished(Pool *p, Error *e) {
        for (size_t i = 0; i < p->plan->n_jobs; i++) {
                BuildOutcome *outcome = &p->outcomes[i];
                int r;

                outcome->name = strdup(p->plan->jobs[i].name);
                if (!outcome->name)
                        return error_oom(e);
                if (p->o->force)
                        continue;
                r = build_record_find(p->packages, &p->plan->jobs[i], &outcome->files, e);
                if (r < 0)
                        return r;
                if (r == 0)
                        continue;
                p->states[i] = JOB_DONE;
                /* A run that was killed may have made these, and not removed the older ones. */
                if ((r = build_supersede(p->packages, &p->plan->jobs[i], outcome->files, e)) < 0)
                        return r;
                tell(p, BUILD_UP_TO_DATE, &p->plan->jobs[i], 0);
                if (p->own_repo && p->plan->jobs[i].kind == BUILD_PROGRAMS && (r = make_own_repo(p, outcome->files, e)) < 0)
                        return r;
        }
        return 0;
}

/* Leftovers of runs that were killed; the lock is held, so that they are nobody's. */
static int remove_stale(const char *workspace, Error *e) {
        DIR *d = opendir(workspace);
        struct dirent *entry;
        int r = 0;

        while (d && r >= 0 && (entry = readdir(d)))
                if (startswith(entry->d_name, RPMBUILD_DIR_PREFIX) && (r = remove_tree(dirfd(d), entry->d_name)) < 0)
                        r = error_errno(e, -r, "%s/%s: what a run that was killed has left cannot be removed", workspace, entry->d_name);
        if (d)
                (void) closedir(d);
        return r;
}

static int lock_packages(const char *packages, Error *e) {
        _cleanup_free_ char *path = path_join(packages, ".build.lock");
        int fd, r;

        if (!path)
                return error_oom(e);
        r = mkdir_parents(AT_FDCWD, packages, 0755);
        if (r < 0)
                return error_errno(e, -r, "%s", packages);
        fd = lock_file(AT_FDCWD, path);
        if (fd == -EWOULDBLOCK)
                return error_hint(e, error_set(e, EWOULDBLOCK, EXIT_LOCKED, "%s: another build is at work in this workspace", packages),
                                  "wait for it to end (--lock-timeout=SECONDS does), or use another workspace (-C DIR)");
        return fd < 0 ? error_errno(e, -fd, "%s", path) : fd;
}

/* What tells one builder from another: mock's configuration with our version, or the very bytes of the program that the specs call. */
static char *describe_builder(const BuildOptions *o, const char *program) {
        char digest[SHA256_HEX_SIZE];

        if (o->mock)
                return format("mock %s %s", o->mock, GN8V_VERSION);
        return sha256_file(AT_FDCWD, program, digest) < 0 ? NULL : format("native %s", digest);
}

static int make_plan(const BuildOptions *o, const char *program, Release *const *releases, size_t n, BuildPlan **ret, Error *e) {
        _cleanup_free_ char *builder = describe_builder(o, program), *vendor_keys = NULL, *template = NULL, *repo_file = NULL;
        BuildPlanOptions plan = { .workspace = o->workspace, .specs_dir = o->specs_dir, .builder = builder, .source = o->source,
                                  .baseurl = o->baseurl, .revision = o->revision ?: "1" };
        Release **all = NULL;
        bool added;
        int r;

        if (!builder)
                return error_errno(e, ENOENT, "%s", program);
        if (o->key) {
                if ((r = repo_data_path(o->releases_dir, REPO_TEMPLATE, &template, e)) < 0 ||
                    (r = vendor_keys_added(o->workspace, &added, e)) < 0 || (r = vendor_keys_load(o->workspace, releases, n, added, &vendor_keys, e)) < 0 ||
                    (r = repo_file_render(template, o->baseurl, vendor_keys ? REPO_KEY_INSTALLED_URL " " VENDOR_KEY_INSTALLED_URL : REPO_KEY_INSTALLED_URL,
                                          false, &repo_file, e)) < 0)
                        return r;
                plan.vendor_keys = vendor_keys;
                plan.key = o->key;
                plan.key_date = o->key_date;
                plan.repo_file = repo_file;
        }
        if (n > 0) {
                r = release_load_directory(o->releases_dir, &all, &plan.n_all, e);
                if (r < 0)
                        return r;
                plan.all = all;
        }
        r = build_plan_make(&plan, releases, n, ret, e);
        release_free_many(all, plan.n_all);
        return r;
}

static bool rpm_knows_itself(void) {
        static const char *const argv[] = { "rpm", "-q", "rpm-build", NULL };
        _cleanup_free_ char *output = NULL;
        int status;

        return process_run(&(Process){ .argv = argv }, &status, &output, NULL) == 0 && status == 0;
}

static int compare_outcomes(const void *a, const void *b) {
        return strcmp(((const BuildOutcome *) a)->name, ((const BuildOutcome *) b)->name);
}

static int run_plan(const BuildOptions *o, Pool *p, BuildResult **ret, Error *e) {
        _cleanup_(build_result_freep) BuildResult *result = calloc(1, sizeof(BuildResult));
        _cleanup_free_ JobState *states = calloc(p->plan->n_jobs + 1, sizeof(JobState));
        bool programs = false;
        int r;

        if (!result || !states || !(result->outcomes = calloc(p->plan->n_jobs + 1, sizeof(BuildOutcome))))
                return error_oom(e);
        result->n_outcomes = p->plan->n_jobs;
        p->outcomes = result->outcomes;
        p->states = states;
        r = skip_finished(p, e);
        for (size_t i = 0; i < p->plan->n_jobs; i++)
                programs = programs || p->plan->jobs[i].kind == BUILD_PROGRAMS;
        if (r >= 0 && p->own_repo && !programs) {
                _cleanup_strv_ char **own = NULL;

                r = find_own(p, &own, e);
                if (r >= 0)
                        r = make_own_repo(p, own, e);
        }
        if (r < 0)
                return r;
        r = run_all(p);
        if (r < 0)
                return r;
        qsort(result->outcomes, result->n_outcomes, sizeof(BuildOutcome), compare_outcomes);
        *ret = TAKE_PTR(result);
        return 0;
}

int build_run(const BuildOptions *o, Release *const *releases, size_t n, BuildResult **ret, Error *e) {
        _cleanup_free_ char *packages = NULL, *own_repo = NULL, *workspace = NULL, *program = NULL;
        _cleanup_(build_plan_freep) BuildPlan *plan = NULL;
        _cleanup_close_ int lock = -1;
        BuildOptions options = *o;
        Pool pool;
        int r;

        r = mkdir_parents(AT_FDCWD, o->workspace, 0755);
        if (r < 0 || !(workspace = realpath(o->workspace, NULL)))
                return error_errno(e, r < 0 ? -r : errno, "%s", o->workspace);
        program = realpath(o->program ?: "/proc/self/exe", NULL);
        if (!program)
                return error_errno(e, errno, "%s", o->program ?: "/proc/self/exe");
        options.workspace = workspace;
        packages = path_join(workspace, "packages");
        own_repo = format("%s/%sown-packages", workspace, RPMBUILD_DIR_PREFIX);
        if (!packages || !own_repo)
                return error_oom(e);
        r = rpmbuild_check_path(workspace, e);
        if (r < 0)
                return r;
        lock = lock_packages(packages, e);
        if (lock < 0)
                return lock;
        if ((r = remove_stale(workspace, e)) < 0)
                return r;
        if ((r = remove_temporaries(AT_FDCWD, packages, NULL)) < 0)
                return error_errno(e, -r, "%s", packages);
        r = make_plan(&options, program, releases, n, &plan, e);
        if (r < 0)
                return r;
        pool = (Pool){
                .o = &options,
                .rpmbuild = { .workspace = workspace, .program = program, .mock = o->mock, .mock_dir = o->mock_dir,
                              .no_dependencies = !o->mock && !rpm_knows_itself() },
                .plan = plan,
                .packages = packages,
                .own_repo = o->mock ? own_repo : NULL,
                .e = e,
        };
        (void) pthread_mutex_init(&pool.mutex, NULL);
        (void) pthread_cond_init(&pool.changed, NULL);
        r = n > 0 ? build_remove_rims(packages, plan, e) : 0;
        if (r >= 0)
                r = run_plan(&options, &pool, ret, e);
        (void) pthread_cond_destroy(&pool.changed);
        (void) pthread_mutex_destroy(&pool.mutex);
        if (o->mock)
                (void) remove_tree(AT_FDCWD, own_repo);
        return r;
}
