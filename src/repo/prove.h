/* SPDX-License-Identifier: Apache-2.0 */
/* The proof that a repository installs, by libsolv, as dnf with best=True would do it, on a platform that has what it says it has:
 * every package installs; every metapackage brings every pin of its release; metapackages of different profiles exclude each other; each older
 * release of a profile upgrades to the newest with every pin moved; and the newest stays as it is beside other repositories. */
#pragma once

#include "release/release.h"
#include "repo/solve.h"

typedef struct ProveOptions {
        const WorldReaders *readers; /* solve.h */
        const char *repo;       /* directory with repodata/: the packages to prove */
        char *const *rpms;      /* or package files, when repo is NULL */
        char *const *platforms; /* each: a list of capabilities (platform.h), or a directory with repodata/ */
        char *const *beside;    /* directories with repodata/: repositories that are enabled beside ours, with dnf's default priority */
        Release *const *releases;
        size_t n_releases;
        const WorldKnown *known; /* of repo, see solve.h; NULL: nothing is. Without repo and rpms it is all there is: -ESTALE if it does not fit */
        const char *write;       /* write the repository as libsolv's file here, if that is worth it; NULL: no */
} ProveOptions;

typedef struct ProveCheck {
        const char *kind; /* "installable", "release", "exclusive", "upgrade", "beside"; static */
        char *subject;    /* what was tried */
        char **problems;  /* none: proven */
} ProveCheck;

typedef struct ProveReport {
        ProveCheck *checks;
        size_t n_checks, n_failed;
        size_t n_packages;
        bool known;   /* what was known was used */
        bool written; /* see ProveOptions.write */
} ProveReport;
ProveReport *prove_report_free(ProveReport *r);
DEFINE_CLEANUP(ProveReport, prove_report_free);

/* 0 when everything could be tried: see n_failed. -errno when something could not be read. */
int prove(const ProveOptions *o, ProveReport **ret, Error *e);

/* The failures as an error: EXIT_UNSOLVABLE, each problem on a line of its own. 0: there is none. */
int prove_report_error(const ProveReport *r, Error *e);
