/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a package holds what its vendor archive holds: paths, kinds, modes, links, sizes, digests, nothing missing and nothing more. */
#pragma once

#include "repo/rpm-file.h"
#include "repo/wrap.h"

/* Compares the signed header's file list with a description of PACKAGE_*. -EKEYREJECTED/EXIT_UNTRUSTED names the file that differs. */
int payload_compare(const RpmFile *f, const WrapList *list, const char *package, Error *e);
