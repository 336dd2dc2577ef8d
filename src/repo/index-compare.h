/* SPDX-License-Identifier: Apache-2.0 */
/* What the metadata say of a package, held against what its header says. */
#pragma once

#include "repo/index.h"
#include "repo/rpmmd.h"

/* expected is what index_describe() makes of the header. 1 and *ret_what ("primary.xml has another rpm:requires", owned by the caller) when
 * got says something else; another way of writing the same, and the package file's time, do not count. 0: they say the same. */
int index_compare(const IndexEntry *expected, const XmlFragment got[static INDEX_STREAMS], char **ret_what, Error *e);
