/* SPDX-License-Identifier: Apache-2.0 */
/* What a selection passes on of its sources' metadata: modules, advisories, groups and whatever else there is. */
#pragma once

#include "repo/mirror-source.h"

/* Puts it into the staged repodata/, adds it to repomd and its names to g->metadata. What only one source has, or all have alike, is passed on byte for
 * byte; modules, advisories and groups of several are merged (merge.h); of another kind the first source's is taken. *warnings tells what was left out,
 * or what contradicts itself. */
int mirror_pass_on(Repository *r, Generation *g, const MirrorSource *sources, size_t n, Repomd *repomd, char ***warnings, Error *e);
