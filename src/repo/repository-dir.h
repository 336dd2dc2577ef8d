/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of repository.h share: repository-dir.c opens, repository.c switches and cleans. */
#pragma once

#include <dirent.h>

#include "repo/repository.h"

/* Whoever serves the repository must be able to read it, whatever our umask is; a directory that was there keeps its mode. */
int repository_make_dir(Repository *r, const char *path, Error *e);
/* Moves a generation to the staging area, from where it goes with all the rest: one without its manifest would never go. */
int repository_retire(Repository *r, uint64_t number, Error *e);
bool repository_is_directory(int fd, const struct dirent *d);
