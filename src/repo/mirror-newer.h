/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a source is newer than what a copy has. */
#pragma once

#include "repo/mirror-source.h"

/* What it says to be, in seconds or whatever its publisher counts; 0: nothing. */
int64_t mirror_revision(const Repomd *r);

/* Somebody who cannot sign can still serve again what was signed once: -ESTALE/EXIT_DIFFERS for a serial or a revision that is lower than what repo has, and
 * for what has expired, unless o->allow_older. selection: the copy is to have metadata of its own. */
int mirror_check_newer(const MirrorOptions *o, const Repository *repo, const MirrorKeys *keys, const MirrorSource *s, bool selection, Error *e);
