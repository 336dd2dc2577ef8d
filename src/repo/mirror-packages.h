/* SPDX-License-Identifier: Apache-2.0 */
/* The packages of a copy: which are here, which have to be fetched, and whose signatures they have. */
#pragma once

#include "repo/mirror-select.h"

typedef struct MirrorPackage {
        const PrimaryPackage *p;
        const MirrorSource *source;
        const PublishedPackage *old; /* it is here already */
        char *path;                  /* else: what was fetched */
        PublishedPackage *published;
} MirrorPackage;

typedef struct MirrorPackages {
        const MirrorOptions *o;
        Repository *repo;
        Store *store;
        const MirrorKeys *keys;
        MirrorPackage *v;
        size_t n, n_new;
        uint64_t new_bytes, need; /* need: what is neither here nor in the store */
} MirrorPackages;
/* Forgets the packages only. */
void mirror_packages_clear(MirrorPackages *p);

/* Looks each of them up, and whether there is room for the others: -ENOSPC/EXIT_NO_SPACE. The sources must outlive p. */
int mirror_packages_plan(MirrorPackages *p, const MirrorSource *sources, const MirrorPick *picks, size_t n, Error *e);
int mirror_packages_fetch(MirrorPackages *p, Error *e);
/* Checks every one, and puts the new ones into the staged packages/: p->v[i].published. */
int mirror_packages_stage(MirrorPackages *p, Error *e);
