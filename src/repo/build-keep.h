/* SPDX-License-Identifier: Apache-2.0 */
/* The packages that a build has made, in the workspace's packages/: each with its record, and no older one beside it. */
#pragma once

#include "repo/build-plan.h"

/* Writes the records of a job's packages, which are in place; when one cannot be written, all of them are taken back. */
int build_keep(const char *packages, const BuildJob *job, char **files, Error *e);
/* Removes them again: without its record a package is nobody's. */
void build_take_back(const char *packages, char *const *files);
/* Removes the packages that files replace. The same version that another way of building has made under another file name (a distribution's tag, or none)
 * must not be published beside this one; and of manifests there is one package in a workspace. A record goes first: without it a package counts for nothing. */
int build_supersede(const char *packages, const BuildJob *job, char *const *files, Error *e);
/* When no release of the plan wants manifests any more, or they were locked without: what an earlier run has built is not published. */
int build_remove_rims(const char *packages, const BuildPlan *plan, Error *e);
