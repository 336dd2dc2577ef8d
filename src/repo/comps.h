/* SPDX-License-Identifier: Apache-2.0 */
/* The group for `dnf group install gn8v-tee`. */
#pragma once

#include "repo/generation.h"

/* comps.xml for these packages, owned by the caller: the helper and the metapackages. Metapackages exclude each other: they are optional. */
char *comps_render(const Generation *g, char *const *metapackages) _must_check_;
