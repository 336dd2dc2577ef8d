/* SPDX-License-Identifier: Apache-2.0 */
/* From stored artifacts to packages: what is missing or out of date is built, side by side, with rpmbuild or mock. */
#pragma once

#include "repo/build-plan.h"

typedef enum BuildEvent { BUILD_UP_TO_DATE, BUILD_STARTED, BUILD_DONE, BUILD_FAILED } BuildEvent;

typedef struct BuildOptions {
        const char *workspace;    /* made if missing */
        const char *specs_dir;
        const char *releases_dir; /* all releases, and the .repo template beside it */
        const char *program;      /* gn8v-tee-repo for the specs, or NULL: this very program */
        const char *source;       /* the project's tarball, or NULL */
        const char *mock;         /* mock configuration (name or path), or NULL: rpmbuild on this machine */
        const char *mock_dir;     /* where our own mock configurations are, or NULL */
        const char *key;          /* armored public key, with baseurl: makes gn8v-tee-release; or NULL */
        int64_t key_date;         /* when the key was made: seconds, UTC */
        const char *baseurl, *revision;
        bool force;               /* builds what is up to date, too */
        unsigned jobs;            /* at once; 0: as many as CPUs */
        void (*tell)(void *userdata, BuildEvent event, const BuildJob *job, double seconds); /* one call at a time, from any thread; or NULL */
        void *userdata;
} BuildOptions;

typedef struct BuildOutcome {
        char *name;   /* BuildJob.name */
        char **files; /* names in packages/ */
        bool fresh;   /* built by this run */
} BuildOutcome;

typedef struct BuildResult {
        BuildOutcome *outcomes; /* in the order of their names */
        size_t n_outcomes;
} BuildResult;

BuildResult *build_result_free(BuildResult *r);
DEFINE_CLEANUP(BuildResult, build_result_free);

/* Builds the packages of these releases (what they share with others of releases_dir is one package), and of the project itself. Stops at the first failure, when what runs has ended; what was built is
 * kept, with its record, so that the next run goes on from there. -EWOULDBLOCK/EXIT_LOCKED, -ENOSPC/EXIT_NO_SPACE (before a build begins). */
int build_run(const BuildOptions *o, Release *const *releases, size_t n, BuildResult **ret, Error *e);
