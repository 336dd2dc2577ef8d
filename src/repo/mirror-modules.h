/* SPDX-License-Identifier: Apache-2.0 */
/* What a client sees of sources that have modules: the packages of the streams that are enabled, by name or by default, and of no others. */
#pragma once

#include "repo/mirror-source.h"
#include "repo/modules.h"
#include "repo/solve.h"

typedef struct MirrorModules {
        Modules documents;
        char **texts;
        bool *active, *is_latest; /* as documents.v: a stream that is enabled; the highest version of a stream */
        WorldModules world;
        Names latest;             /* the packages of these */
} MirrorModules;
void mirror_modules_clear(MirrorModules *m);

/* Reads the modules of all sources. enabled: "NAME:STREAM", which must be there; of other modules the default stream is enabled, unless the sources'
 * defaults contradict each other. */
int mirror_modules_load(const MirrorSource *sources, size_t n, char *const *enabled, MirrorModules *ret, Error *e);

/* "NAME:STREAM" of the streams that have this package; appends to *streams those that are not there yet. */
int mirror_modules_streams(const MirrorModules *m, const char *nevra, char ***streams);
