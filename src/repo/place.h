/* SPDX-License-Identifier: Apache-2.0 */
/* A finished plan's two sinks: a build root with its file lists, and a description. */
#pragma once

#include "repo/placement.h"

/* Writes everything below the directory root_fd. A staged file that is needed once is moved, else copied. archive_fd: the vendor's file,
 * for PLACE_ARCHIVE, or -1. */
int place_write(const Plan *p, const Stage *s, int root_fd, const char *root, int archive_fd, Error *e);

/* Writes NAME.list, in rpm's %files syntax, for each of the packages (NULL-terminated) below the directory lists (made if missing). */
int place_lists(const Plan *p, const char *const *packages, const char *lists, Error *e);
/* One package's list as text, owned by the caller. */
char *place_list(const Plan *p, const char *package) _must_check_;

/* Members must have been digested. */
int place_describe(const Plan *p, int archive_fd, WrapList **ret, Error *e);

/* Fills the counts; takes the plan's warnings. */
void place_summary(Plan *p, int archive_fd, WrapSummary *ret);
