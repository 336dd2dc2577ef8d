/* SPDX-License-Identifier: Apache-2.0 */
/* The group for `dnf group install gn8v-tee`. */
#pragma once

#include "basic/macro.h"

/* comps.xml of the packages that are there (has), owned by the caller: the helper and the metapackages. Metapackages exclude each other: they are optional. */
char *comps_render(bool (*has)(const void *data, const char *name), const void *data, char *const *metapackages) _must_check_;
