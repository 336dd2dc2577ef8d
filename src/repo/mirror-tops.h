/* SPDX-License-Identifier: Apache-2.0 */
/* What a copy has beside its metadata, so that it can be used, verified and copied as what it is a copy of. Whatever lies beside the source is not trusted:
 * the keys are those that were pinned, and the .repo file is made from our template. */
#pragma once

#include "repo/mirror-source.h"

typedef struct MirrorTops {
        const MirrorOptions *o;
        Repository *repo;
        const MirrorKeys *keys;
        const MirrorSource *source; /* of a whole copy; NULL: the metadata are our own */
        char *key;                  /* keys of those that signed the metadata, armored; NULL: nobody did */
} MirrorTops;
void mirror_tops_clear(MirrorTops *t);

/* Sets key. */
int mirror_tops_prepare(MirrorTops *t, Error *e);
/* For the state that is published now: RPM-GPG-KEY-gn8v-tee, RPM-GPG-KEY-gn8v-tee-vendor (of those that signed packages, but not the metadata) and, of what has
 * one, gn8v-tee.repo. */
int mirror_tops_write(const MirrorTops *t, const Generation *g, char ***warnings, Error *e);
