/* SPDX-License-Identifier: Apache-2.0 */
/* gn8v-tee-rims: which of the locked reference manifests it holds, and where. */
#pragma once

#include "release/lock.h"
#include "repo/wrap.h"

#define RIMS_PACKAGE "gn8v-tee-rims"

/* The manifests of n locks (NULL among them: none), each id once, sorted by it; of two, what was locked last. *ret is owned by the caller, what it
 * points to are the locks'. -ENOMEM. */
int rims_select(const Lock *const *locks, size_t n, const LockedArtifact ***ret, size_t *ret_n);
/* The files of the package that holds these. */
int rims_describe(const LockedArtifact *const *rims, size_t n, WrapList **ret, Error *e);
