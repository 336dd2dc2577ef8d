/* SPDX-License-Identifier: Apache-2.0 */
/* One job, by rpmbuild on this machine or by mock, in a private directory. */
#pragma once

#include "repo/build-plan.h"

typedef struct RpmbuildOptions {
        const char *workspace; /* absolute, without characters that rpm takes for its own */
        const char *program;   /* absolute path of gn8v-tee-repo, for the specs */
        const char *mock;      /* configuration's name or path, or NULL: rpmbuild */
        const char *mock_dir;  /* directory of that configuration, or NULL: mock's own */
        const char *own_repo;  /* mock: rpm-md directory with gn8v-tee-repo, or NULL */
        bool no_dependencies;  /* rpm knows nothing of what is installed here (Debian) */
} RpmbuildOptions;

#define RPMBUILD_DIR_PREFIX ".build-"

/* Whether rpmbuild can work below this path: -EINVAL/EXIT_USAGE if not. */
int rpmbuild_check_path(const char *path, Error *e);

/* Builds, and moves the packages to PACKAGES (a directory on the same file system); *ret are their file names, owned by the caller. The
 * private directory is removed in any case; after a failure the log is WORKSPACE/logs/NAME.log, and the error shows its last lines. */
int rpmbuild_run(const RpmbuildOptions *o, const BuildJob *job, const char *packages, char ***ret, Error *e);

/* Bytes that a build may need below the workspace. */
uint64_t rpmbuild_space(const RpmbuildOptions *o, const BuildJob *job);
