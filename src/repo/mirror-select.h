/* SPDX-License-Identifier: Apache-2.0 */
/* A part of some repositories: which packages it has, and metadata that say so. */
#pragma once

#include "repo/mirror-source.h"

/* One package of a source. */
typedef struct MirrorPick {
        size_t source, at; /* sources[source].primary->packages[at] */
} MirrorPick;

/* The closure of o->packages over the sources, as a client sees them whose modules' streams are the default ones and o->modules; what only others have
 * is taken, too, and *warnings tells which. *ret is owned by the caller, sorted by source and place. scratch is a directory that may be filled, its path for
 * messages and libsolv. */
int mirror_select(const MirrorSource *sources, size_t n, const MirrorOptions *o, const char *scratch, MirrorPick **ret, size_t *ret_n, char ***warnings, Error *e);

/* All packages of the sources but what o leaves out. One that several have is the first one's. */
int mirror_pick(const MirrorSource *sources, size_t n, const MirrorOptions *o, MirrorPick **ret, size_t *ret_n, Error *e);

/* Writes primary, filelists and other with the picked packages' own XML, and what is passed on whole, to the staged repodata/, and repomd.xml; adds
 * their names to g->metadata, and signs it if there is a signer. What could not be kept is added to *warnings. */
int mirror_write_selection(Repository *r, Generation *g, const MirrorSource *sources, size_t n, const MirrorPick *picks, size_t n_picks, const Signers *signers,
                           char **ret_repomd, char ***warnings, Error *e);
