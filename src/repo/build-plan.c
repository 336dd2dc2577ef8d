/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/build-plan.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "basic/fs.h"
#include "repo/repo-file.h"
#include "repo/workspace-lock.h"
#include "repo/rims-package.h"
#include "repo/vendor-keys.h"
#include "repo/spec.h"

static const char *const spec_names[_BUILD_KIND_MAX] = {
        [BUILD_PROGRAMS] = "gn8v-tee", [BUILD_REPOSITORY] = "release", [BUILD_DRIVER] = "driver",
        [BUILD_CUDA] = "cuda",         [BUILD_CUBLAS] = "cublas",      [BUILD_META] = "meta",
        [BUILD_RIMS] = "rims",
};

static void job_clear(BuildJob *j) {
        for (size_t i = 0; i < j->n_sources; i++) {
                free(j->sources[i].name);
                free(j->sources[i].path);
                free(j->sources[i].text);
        }
        free(j->sources);
        free(j->name);
        free(j->spec);
        free(j->artifact);
        strv_free(j->packages);
        strv_free(j->releases);
}

BuildPlan *build_plan_free(BuildPlan *p) {
        if (!p)
                return NULL;
        for (size_t i = 0; i < p->n_jobs; i++)
                job_clear(&p->jobs[i]);
        free(p->jobs);
        free(p);
        return NULL;
}

/* An empty job at the end; it belongs to the plan. */
static BuildJob *add_job(BuildPlan *p, BuildKind kind) {
        BuildJob *jobs = reallocarray(p->jobs, p->n_jobs + 1, sizeof(BuildJob));

        if (!jobs)
                return NULL;
        p->jobs = jobs;
        jobs[p->n_jobs] = (BuildJob){ .kind = kind };
        return &jobs[p->n_jobs++];
}

/* The next free source of a job. */
static BuildSource *add_source(BuildJob *j, Error *e) {
        BuildSource *grown = reallocarray(j->sources, j->n_sources + 1, sizeof(BuildSource));

        if (!grown) {
                (void) error_oom(e);
                return NULL;
        }
        j->sources = grown;
        grown[j->n_sources] = (BuildSource){};
        return &grown[j->n_sources++];
}

static int add_file(BuildJob *j, const char *name, const char *path, const char *sha256, Error *e) {
        BuildSource *s = add_source(j, e);
        struct stat st;
        int r;

        if (!s)
                return -ENOMEM;
        if (stat(path, &st) < 0)
                return error_errno(e, errno, "%s", path);
        if (!S_ISREG(st.st_mode))
                return error_set(e, EINVAL, EXIT_INVALID, "%s: is not a regular file", path);
        if (sha256)
                memcpy(s->sha256, sha256, SHA256_HEX_SIZE);
        else if ((r = sha256_file(AT_FDCWD, path, s->sha256)) < 0)
                return error_errno(e, -r, "%s", path);
        s->size = (uint64_t) st.st_size;
        s->name = strdup(name);
        s->path = realpath(path, NULL);
        return s->name && s->path ? 0 : error_oom(e);
}

static int add_text(BuildJob *j, const char *name, const char *text, Error *e) {
        BuildSource *s = add_source(j, e);

        if (!s)
                return -ENOMEM;
        s->name = strdup(name);
        s->text = strdup(text);
        s->size = strlen(text);
        if (!s->name || !s->text || sha256_buffer(text, s->size, s->sha256) < 0)
                return error_oom(e);
        return 0;
}

static int add_release_file(BuildJob *j, const Release *r, Error *e) {
        _cleanup_free_ char *name = release_name(r), *file = name ? format("%s.conf", name) : NULL;

        return file ? add_file(j, file, r->path, NULL, e) : error_oom(e);
}

/* The project's own licence, for packages that hold nothing of a vendor's: beside the specs' folder, in the sources and installed. */
static int add_licence(const BuildPlanOptions *o, BuildJob *j, Error *e) {
        _cleanup_free_ char *path = format("%s/../LICENSE", o->specs_dir);

        return path ? add_file(j, "LICENSE", path, NULL, e) : error_oom(e);
}

/* The spec from its definitions, and the digest of everything that the packages' bytes depend on. */
static int finish_job(const BuildPlanOptions *o, BuildJob *j, Text *definitions, const char *change, Error *e) {
        _cleanup_free_ char *text = text_take(definitions), *all = NULL;
        _cleanup_text_ Text t = {};
        int r;

        if (!text)
                return error_oom(e);
        r = spec_generate(o->specs_dir, spec_names[j->kind], text, j->date, change, &j->spec, e);
        if (r < 0)
                return r;
        text_printf(&t, "builder %s\n", o->builder);
        for (size_t i = 0; i < j->n_sources; i++)
                text_printf(&t, "source %s %s\n", j->sources[i].sha256, j->sources[i].name);
        text_append(&t, j->spec);
        all = text_take(&t);
        return all && sha256_buffer(all, strlen(all), j->inputs) == 0 ? 0 : error_oom(e);
}

static int plan_programs(const BuildPlanOptions *o, BuildPlan *p, Error *e) {
        _cleanup_free_ char *version = NULL, *file = NULL;
        _cleanup_text_ Text t = {};
        BuildJob *j = add_job(p, BUILD_PROGRAMS);
        int r;

        if (!j)
                return error_oom(e);
        r = build_source_inspect(o->source, &version, &j->date, e);
        if (r < 0)
                return r;
        j->name = format("gn8v-tee-%s-1", version);
        file = format("gn8v-tee-%s.tar.gz", version);
        if (!j->name || !file || strv_append_words(&j->packages, "gn8v-tee gn8v-tee-repo gn8v-tee-attest") < 0)
                return error_oom(e);
        if ((r = add_file(j, file, o->source, NULL, e)) < 0 || (r = spec_define(&t, o->source, "gn8v_version", version, e)) < 0 ||
            (r = spec_define(&t, o->source, "gn8v_revision", "1", e)) < 0)
                return r;
        return finish_job(o, j, &t, "Built from the project's tarball", e);
}

/* The repository's package has the project's version; its release begins with the key's date, so that a new key is a newer package. */
static int plan_repository(const BuildPlanOptions *o, BuildPlan *p, Error *e) {
        _cleanup_free_ char *revision = NULL;
        _cleanup_text_ Text t = {};
        time_t seconds = (time_t) o->key_date;
        BuildJob *j = add_job(p, BUILD_REPOSITORY);
        char day[32];
        struct tm tm;
        int r;

        if (!gmtime_r(&seconds, &tm) || strftime(day, sizeof day, "%Y%m%d", &tm) == 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "the key has no usable date");
        if (!j || !(revision = format("%s.%s", day, o->revision)) || !(j->name = format("gn8v-tee-release-%s-%s", GN8V_VERSION, revision)) ||
            strv_append(&j->packages, "gn8v-tee-release") < 0)
                return error_oom(e);
        /* The day's beginning, which is what rpm makes of a changelog in a build root that does not hear of our date. */
        j->date = o->key_date - o->key_date % 86400;
        if ((r = add_licence(o, j, e)) < 0 || (r = add_text(j, REPO_FILE, o->repo_file, e)) < 0 || (r = add_text(j, REPO_KEY_FILE, o->key, e)) < 0 ||
            (o->vendor_keys && ((r = add_text(j, VENDOR_KEY_FILE, o->vendor_keys, e)) < 0 ||
                                (r = spec_define(&t, "gn8v-tee-repo", "gn8v_vendor_keys", VENDOR_KEY_FILE, e)) < 0)) ||
            (r = spec_define(&t, "gn8v-tee-repo", "gn8v_version", GN8V_VERSION, e)) < 0 ||
            (r = spec_define(&t, "gn8v-tee-repo", "gn8v_revision", revision, e)) < 0 ||
            (r = spec_define(&t, "--baseurl", "gn8v_baseurl", o->baseurl, e)) < 0)
                return r;
        return finish_job(o, j, &t, "Repository configuration and key", e);
}

static int plan_release(const BuildPlanOptions *o, BuildPlan *p, const Release *release, Error *e) {
        _cleanup_free_ char *name = release_name(release), *package = release_metapackage(release);
        _cleanup_text_ Text t = {};
        BuildJob *j = add_job(p, BUILD_META);
        int r;

        if (!j || !name || !package || !(j->name = format("%s-%s-%s", package, release->version, release->revision)) ||
            strv_append(&j->packages, package) < 0 || strv_append(&j->releases, name) < 0)
                return error_oom(e);
        j->date = release->date;
        if ((r = add_release_file(j, release, e)) < 0 || (r = add_licence(o, j, e)) < 0 || (r = spec_define_release(&t, release, e)) < 0)
                return r;
        return finish_job(o, j, &t, "As the release file says", e);
}

static int artifact_build_kind(ArtifactKind kind) {
        return kind == ARTIFACT_DRIVER ? BUILD_DRIVER : kind == ARTIFACT_CUDA ? BUILD_CUDA : kind == ARTIFACT_CUBLAS ? BUILD_CUBLAS : -1;
}

/* The artifact of a release that makes the package NAME-VERSION-REVISION, or NULL. */
static const Artifact *maker_of(const Release *release, const char *package) {
        for (size_t i = 0; i < release->n_artifacts; i++) {
                const Artifact *a = release->artifacts[i];
                _cleanup_strv_ char **names = NULL;
                _cleanup_free_ char *name = NULL;

                if (artifact_build_kind(a->kind) < 0 || artifact_packages(a, &names) < 0)
                        continue;
                name = format("%s-%s-%s", names[0], a->version, a->revision);
                if (name && streq(name, package))
                        return a;
        }
        return NULL;
}

static int different(const Release *x, const char *digest, const Release *y, const char *other, const char *package, Error *e) {
        int r = error_set(e, EBADMSG, EXIT_INVALID, "%s and %s both make %s, from different files (%s, %s)", x->path, y->path, package, digest,
                          other);
        return error_hint(e, r, "give one of the two artifacts another Revision=");
}

/* Every release that has the package; the first of them, which is the oldest, gives the job its name, date and file. */
static int find_owner(const BuildPlanOptions *o, BuildJob *j, const Release *release, const Release **ret, Error *e) {
        const Release *owner = NULL;

        for (size_t i = 0; i < o->n_all; i++) {
                const Artifact *a = maker_of(o->all[i], j->name);
                _cleanup_free_ char *name = NULL;

                if (!a)
                        continue;
                if (a->sha256 && !streq(a->sha256, j->artifact_sha256))
                        return different(release, j->artifact_sha256, o->all[i], a->sha256, j->name, e);
                owner = owner ?: o->all[i];
                name = release_name(o->all[i]);
                if (!name || strv_append(&j->releases, name) < 0)
                        return error_oom(e);
        }
        if (!owner)
                return error_set(e, EINVAL, EXIT_FAILED, "%s: is not among all releases", release->path);
        *ret = owner;
        return 0;
}

/* The job that already makes this package: *ret is NULL when there is none. */
static int find_same(BuildPlan *p, const Release *release, const char *name, const char *sha256, BuildJob **ret, Error *e) {
        *ret = NULL;
        for (size_t i = 0; i < p->n_jobs; i++) {
                BuildJob *j = &p->jobs[i];

                if (!streq(j->name, name))
                        continue;
                if (!streq(j->artifact_sha256, sha256))
                        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s and %s both make %s, from different files (%s, %s)",
                                                       release->path, j->releases[0], name, sha256, j->artifact_sha256),
                                          "give one of the two artifacts another Revision=");
                *ret = j;
        }
        return 0;
}

static int plan_artifact(const BuildPlanOptions *o, BuildPlan *p, Store *store, const Release *release, const Artifact *a,
                         const LockedArtifact *locked, Error *e) {
        _cleanup_free_ char *release_label = release_name(release), *path = store_path(store, locked->sha256), *name = NULL;
        _cleanup_strv_ char **names = NULL;
        _cleanup_text_ Text t = {};
        const Release *owner = NULL;
        const Artifact *owned;
        BuildJob *j;
        int r;

        if (!release_label || !path || artifact_packages(a, &names) < 0 || !(name = format("%s-%s-%s", names[0], a->version, a->revision)))
                return error_oom(e);
        r = find_same(p, release, name, locked->sha256, &j, e);
        if (r < 0 || j)
                return r;
        if (!store_has(store, locked->sha256))
                return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s: artifact %s (%s) is not in the store", release_label, a->name, a->filename),
                                  "run 'gn8v-tee-repo fetch %s'", release_label);
        j = add_job(p, (BuildKind) artifact_build_kind(a->kind));
        if (!j)
                return error_oom(e);
        j->packages = TAKE_PTR(names);
        j->name = TAKE_PTR(name);
        memcpy(j->artifact_sha256, locked->sha256, SHA256_HEX_SIZE);
        r = find_owner(o, j, release, &owner, e);
        if (r < 0)
                return r;
        owned = maker_of(owner, j->name);
        if (!owned || !(j->artifact = strdup(owned->name)))
                return error_oom(e);
        j->date = owned->date;
        if ((r = add_file(j, owned->filename, path, locked->sha256, e)) < 0 || (r = add_release_file(j, owner, e)) < 0 ||
            (r = spec_define_artifact(&t, owner, owned, e)) < 0)
                return r;
        return finish_job(o, j, &t, "The files of the vendor's archive, as it places them", e);
}

static int plan_one(const BuildPlanOptions *o, BuildPlan *p, Store *store, const Release *release, Error *e) {
        _cleanup_(lock_freep) Lock *lock = NULL;
        int r;

        r = workspace_lock_load(o->workspace, release, &lock, e);
        if (r < 0)
                return r;
        for (size_t i = 0; i < release->n_artifacts; i++) {
                const Artifact *a = release->artifacts[i];
                const LockedArtifact *locked = lock_find(lock, a->name);

                if (artifact_build_kind(a->kind) < 0)
                        continue;
                if (!locked)
                        return error_set(e, ESTALE, EXIT_INVALID, "%s: artifact %s is missing", lock->path, a->name);
                r = plan_artifact(o, p, store, release, a, locked, e);
                if (r < 0)
                        return r;
        }
        return plan_release(o, p, release, e);
}

static bool is_among(Release *const *releases, size_t n, const Release *release) {
        for (size_t i = 0; i < n; i++)
                if (streq(releases[i]->profile, release->profile) && streq(releases[i]->version, release->version))
                        return true;
        return false;
}

/* Whether all manifests of a lock are in the store; the first that is not in *ret_missing. */
static bool rims_stored(const Store *store, const Lock *lock, const LockedArtifact **ret_missing) {
        for (size_t i = 0; i < lock->n_artifacts; i++)
                if (locked_is_rim(lock->artifacts[i]) && !store_has(store, lock->artifacts[i]->sha256)) {
                        *ret_missing = lock->artifacts[i];
                        return false;
                }
        return true;
}

/* The locks whose manifests are taken, one a release of o->all, NULL where there is nothing to take. What is not built now need not be complete. */
static int rims_locks(const BuildPlanOptions *o, const Store *store, Release *const *releases, size_t n, Lock **locks, Error *e) {
        for (size_t i = 0; i < o->n_all; i++) {
                bool built = is_among(releases, n, o->all[i]);
                _cleanup_error_ Error ignored = ERROR_INIT;
                const LockedArtifact *missing = NULL;
                int r = workspace_lock_load(o->workspace, o->all[i], &locks[i], built ? e : &ignored);

                if (r < 0 && (built || r == -ENOMEM))
                        return r;
                if (r < 0 || rims_stored(store, locks[i], &missing))
                        continue;
                if (built)
                        return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s: reference manifest %s is not in the store", locks[i]->release, missing->name),
                                          "run 'gn8v-tee-repo fetch %s'", locks[i]->release);
                locks[i] = lock_free(locks[i]);
        }
        return 0;
}

/* What the spec needs of them: sources, their names, what the package provides. */
static int define_rims(BuildJob *j, Text *t, const Store *store, const LockedArtifact *const *rims, size_t n, Error *e) {
        _cleanup_text_ Text names = {}, provides = {};
        _cleanup_free_ char *all = NULL, *provided = NULL;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n; i++) {
                _cleanup_free_ char *path = store_path(store, rims[i]->sha256);

                if (!path)
                        return error_oom(e);
                r = add_file(j, rims[i]->filename, path, rims[i]->sha256, e);
                text_printf(t, "Source%zu: %s\n", i, rims[i]->filename);
                text_printf(&names, "%s%s", i > 0 ? " " : "", rims[i]->filename);
                text_printf(&provides, "%sgn8v-tee-rim(%s)", i > 0 ? ", " : "", rims[i]->name);
        }
        if (r < 0)
                return r;
        all = text_take(&names);
        provided = text_take(&provides);
        if (!all || !provided)
                return error_oom(e);
        if ((r = spec_define(t, "reference manifests", "gn8v_rims", all, e)) < 0 ||
            (r = spec_define(t, "reference manifests", "gn8v_provides", provided, e)) < 0)
                return r;
        return spec_define(t, rims[0]->name, "gn8v_licence", rims[0]->licence, e);
}

/* Its version is the day on which the newest was locked. */
static int name_rims(BuildJob *j, Text *t, const LockedArtifact *const *rims, size_t n, Error *e) {
        const char *newest = rims[0]->date;
        _cleanup_free_ char *version = NULL, *revision = format("%zu", n);
        int r;

        for (size_t i = 1; i < n; i++)
                newest = strcmp(rims[i]->date, newest) > 0 ? rims[i]->date : newest;
        if (parse_date(newest, &j->date) < 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: its lock has no date, but '%s'", rims[0]->name, newest);
        version = format("%.4s%.2s%.2s", newest, newest + 5, newest + 8);
        if (!version || !revision || !(j->name = format(RIMS_PACKAGE "-%s-%s", version, revision)) || strv_append(&j->packages, RIMS_PACKAGE) < 0)
                return error_oom(e);
        r = spec_define(t, rims[0]->name, "gn8v_version", version, e);
        return r < 0 ? r : spec_define(t, rims[0]->name, "gn8v_revision", revision, e);
}

static int plan_rims_of(const BuildPlanOptions *o, BuildPlan *p, const Store *store, Lock *const *locks, Error *e) {
        _cleanup_free_ const LockedArtifact **rims = NULL;
        _cleanup_text_ Text t = {};
        size_t n_rims = 0;
        BuildJob *j;
        int r;

        if (rims_select((const Lock *const *) locks, o->n_all, &rims, &n_rims) < 0)
                return error_oom(e);
        if (n_rims == 0)
                return 0;
        j = add_job(p, BUILD_RIMS);
        if (!j)
                return error_oom(e);
        for (size_t i = 0; i < o->n_all; i++)
                for (size_t k = 0; locks[i] && k < locks[i]->n_artifacts; k++)
                        if (locked_is_rim(locks[i]->artifacts[k])) {
                                if (strv_append(&j->releases, locks[i]->release) < 0)
                                        return error_oom(e);
                                break;
                        }
        if ((r = name_rims(j, &t, rims, n_rims, e)) < 0 || (r = define_rims(j, &t, store, rims, n_rims, e)) < 0)
                return r;
        return finish_job(o, j, &t, "The manifests as they were locked", e);
}

static int plan_rims(const BuildPlanOptions *o, BuildPlan *p, const Store *store, Release *const *releases, size_t n, Error *e) {
        _cleanup_free_ Lock **locks = calloc(o->n_all + 1, sizeof(Lock *));
        int r;

        if (!locks)
                return error_oom(e);
        r = rims_locks(o, store, releases, n, locks, e);
        if (r >= 0)
                r = plan_rims_of(o, p, store, locks, e);
        for (size_t i = 0; i < o->n_all; i++)
                (void) lock_free(locks[i]);
        return r;
}

static int compare_dates(const void *a, const void *b) {
        const Release *x = *(Release *const *) a, *y = *(Release *const *) b;

        if (x->date != y->date)
                return x->date < y->date ? -1 : 1;
        return strcmp(x->path, y->path);
}

static int compare_sizes(const void *a, const void *b) {
        const BuildJob *x = a, *y = b;

        if (x->sources[0].size != y->sources[0].size)
                return x->sources[0].size > y->sources[0].size ? -1 : 1;
        return strcmp(x->name, y->name);
}

/* The same releases, the oldest first; owned by the caller, the releases are not. */
static Release **sorted_by_date(Release *const *releases, size_t n) {
        Release **sorted = calloc(n + 1, sizeof(Release *));

        if (!sorted)
                return NULL;
        for (size_t i = 0; i < n; i++)
                sorted[i] = releases[i];
        qsort(sorted, n, sizeof(Release *), compare_dates);
        return sorted;
}

int build_plan_make(const BuildPlanOptions *options, Release *const *releases, size_t n, BuildPlan **ret, Error *e) {
        _cleanup_free_ Release **sorted = sorted_by_date(releases, n), **all = sorted_by_date(options->all, options->n_all);
        _cleanup_(build_plan_freep) BuildPlan *p = calloc(1, sizeof(BuildPlan));
        _cleanup_(store_freep) Store *store = NULL;
        BuildPlanOptions with_all = *options, *o = &with_all;
        int r;

        if (!p || !sorted || !all)
                return error_oom(e);
        o->all = all;
        if (n > 0 && (r = store_open(o->workspace, false, &store, e)) < 0)
                return r;
        if (o->source && (r = plan_programs(o, p, e)) < 0)
                return r;
        if (o->repo_file && (r = plan_repository(o, p, e)) < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                r = plan_one(o, p, store, sorted[i], e);
                if (r < 0)
                        return r;
        }
        if (n > 0 && (r = plan_rims(o, p, store, sorted, n, e)) < 0)
                return r;
        qsort(p->jobs, p->n_jobs, sizeof(BuildJob), compare_sizes);
        *ret = TAKE_PTR(p);
        return 0;
}
