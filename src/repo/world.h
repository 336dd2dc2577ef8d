/* SPDX-License-Identifier: Apache-2.0 */
/* What a world is made of: for world.c, which loads it, and solve.c, which asks. */
#pragma once

#include <solv/pool.h>
#include <solv/repo.h>

#include "repo/solve.h"

/* A package of our repository. */
typedef struct WorldPackage {
        char *nevra;
        Id id;
} WorldPackage;

struct World {
        Pool *pool;
        Repo *ours, *installed;
        WorldPackage *packages; /* sorted */
        size_t n_packages;
        Queue extra; /* those of `installed` that world_set_installed() put there */
        bool known, filelists;
};

/* Of a package of our repository; 0: it is not there. */
Id world_find_id(const World *w, const char *nevra);
