/* SPDX-License-Identifier: Apache-2.0 */
/* What there is to build: one job a spec, each with everything that goes into it, so that the same inputs are recognised. */
#pragma once

#include "basic/digest.h"
#include "basic/strings.h"
#include "release/lock.h"
#include "repo/store.h"

typedef enum BuildKind { BUILD_PROGRAMS, BUILD_REPOSITORY, BUILD_DRIVER, BUILD_CUDA, BUILD_CUBLAS, BUILD_META, BUILD_RIMS, _BUILD_KIND_MAX } BuildKind;

typedef struct BuildSource {
        char *name;                   /* of the file in rpmbuild's SOURCES */
        char *path;                   /* where its bytes are, or NULL: */
        char *text;                   /* these are its bytes */
        uint64_t size;
        char sha256[SHA256_HEX_SIZE];
} BuildSource;

typedef struct BuildJob {
        BuildKind kind;
        char *name;     /* for people: the main package's NAME-VERSION-REVISION */
        char *spec;     /* the concrete spec's text */
        int64_t date;   /* SOURCE_DATE_EPOCH */
        BuildSource *sources;
        size_t n_sources;
        char **packages;                     /* names of the RPMs that must come out; others may (debuginfo) */
        char *artifact;                      /* its name in releases[0], or NULL */
        char artifact_sha256[SHA256_HEX_SIZE];
        char **releases;                     /* PROFILE-VERSION of each release that has the packages, the oldest first */
        char inputs[SHA256_HEX_SIZE];        /* one digest of all of the above that the bytes depend on */
} BuildJob;

typedef struct BuildPlan {
        BuildJob *jobs; /* the largest first, so that the last to run are short */
        size_t n_jobs;
} BuildPlan;

BuildPlan *build_plan_free(BuildPlan *p);
DEFINE_CLEANUP(BuildPlan, build_plan_free);

typedef struct BuildPlanOptions {
        const char *workspace, *specs_dir;
        const char *builder;     /* digest or words that tell one builder from another: part of every job's inputs */
        const char *source;      /* tarball of this project, or NULL: its packages are not built */
        const char *key;         /* armored public key and its creation date, and where instances find the repository: */
        int64_t key_date;
        const char *vendor_keys; /* armored keys of vendor RPMs, or NULL */
        const char *repo_file;   /* text of the .repo file, or NULL: no release package */
        const char *baseurl;
        const char *revision;    /* of the release package */
        Release *const *all;     /* every release there is, also those that are not built now */
        size_t n_all;
} BuildPlanOptions;

/* Makes the plan from releases and their locks (-ESTALE or -ENOENT with an error that says to run lock, or fetch). An artifact that several
 * releases share is one job, with the name, date and file of the oldest release that has it: a package has the same bytes whichever
 * releases are asked for, and a newer release changes none. Two artifacts that would make one package from different bytes are an error.
 * Reference manifests are one package: those of the releases to build, and of all others that are locked and fetched. */
int build_plan_make(const BuildPlanOptions *o, Release *const *releases, size_t n, BuildPlan **ret, Error *e);

/* Name, version and date (its newest member's) of a tarball whose files are all below NAME-VERSION/. For unit tests and the plan. */
int build_source_inspect(const char *path, char **ret_version, int64_t *ret_date, Error *e);
