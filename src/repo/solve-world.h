/* SPDX-License-Identifier: Apache-2.0 */
/* What the solve-*.c share of a world; for them only. */
#pragma once

#include <solv/pool.h>
#include <solv/repo.h>
#include <solv/solver.h>

#include "repo/solve.h"

/* A package of our repository. */
typedef struct WorldPackage {
        char *nevra;
        Id id;
} WorldPackage;

/* path's metadata of a type into a repository; and package files. */
struct WorldReaders {
        int (*metadata)(Repo *repo, const char *dir, const char *type, int flags, bool required, Error *e);
        int (*rpms)(Repo *repo, char *const *rpms, Error *e);
};

/* That a file, from where it is open to its end, has the digest (libsolv's name: "sha256") which repomd says; then it is at its beginning. path and repomd are
 * for messages. -EKEYREJECTED/EXIT_UNTRUSTED if not. */
int world_check_digest(int fd, const char *path, const char *repomd, const char *digest, const char *hex, Error *e);

struct World {
        const WorldReaders *readers;
        Pool *pool;
        Repo *ours, *installed;
        WorldPackage *packages; /* sorted */
        size_t n_packages;
        Queue extra; /* those of `installed` that world_set_installed() put there */
        bool known, filelists;
};

/* A solver that is set as libdnf sets its own for best=True; the caller's to free. */
Solver *world_solver(World *w);
/* One problem in libsolv's words: the rules about packages first; a rule about the request only if there is no other. Appends to *problems. */
int world_describe_problem(Solver *solver, Id problem, char ***problems, Error *e);

/* Of a package of our repository; 0: it is not there. */
Id world_find_id(const World *w, const char *nevra);
