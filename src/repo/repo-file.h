/* SPDX-License-Identifier: Apache-2.0 */
/* The .repo file, made from its template; and where the builder's own data files are. */
#pragma once

#include "release/repo-file.h"

#define REPO_TEMPLATE  "gn8v-tee.repo.in"
#define REPO_DATA_DIR  "/usr/share/gn8v-tee-repo"

/* repo_file_fill() of a file. */
int repo_file_render(const char *template_path, const char *baseurl, const char *gpgkey, bool vendor_keys, char **ret, Error *e);

/* Where clients find a repository: wanted or, if that is NULL, what the gn8v-tee.repo says that is there, unless it is a directory that is gone; else (or if it is
 * empty) file:// and path. *ret is owned by the caller. */
int repo_file_place(int repo_fd, const char *path, const char *wanted, char **ret, Error *e);

/* Finds a data file of the builder ("gn8v-tee.repo.in", "platform/el8.provides"): beside the releases directory, in ./repo, in
 * /usr/share/gn8v-tee-repo, and for a program that was not installed beside its build folder. *ret is owned by the caller; -ENOENT with an
 * error that names the places. */
int repo_data_path(const char *releases_dir, const char *name, char **ret, Error *e);
