/* SPDX-License-Identifier: Apache-2.0 */
/* A world for libsolv: what is installed, what the repositories offer, and what dnf would make of a request. */
#pragma once

#include "basic/error.h"
#include "repo/platform.h"

typedef struct World World;

typedef enum WorldRole {
        WORLD_OURS,     /* the repository to prove: priority 10, as its .repo file says */
        WORLD_PLATFORM, /* the distribution's: dnf's default priority */
        WORLD_BESIDE,   /* enabled beside ours: the same */
} WorldRole;

/* What is known of a repository from the last time: most of it, as libsolv's own file, and what is new since. */
typedef struct WorldKnown {
        const char *solv;        /* the file */
        size_t n;                /* packages in it */
        const bool *gone;        /* one of each of these: it is not in the repository any more */
        const char *primary;     /* the XML of those that are not in it; NULL: none */
        char *const *nevras;     /* what has to come out: all packages, sorted */
        size_t n_nevras;
} WorldKnown;

/* Where packages come from. */
typedef struct WorldSource {
        WorldRole role;
        const char *path;        /* a directory with repodata/; NULL: rpms or list */
        char *const *rpms;       /* package files */
        const WorldKnown *known; /* of path; NULL: its metadata is read; without path and rpms it is all there is */
        const Platform *list;    /* what is there without being a package that we know */
} WorldSource;

/* libsolv's readers, for all that is not a repository's metadata in plain form (primary-solv.h). A program that does without them (NULL) loads only few
 * libraries, and gets -EOPNOTSUPP where they are needed. */
typedef struct WorldReaders WorldReaders;
extern const WorldReaders world_readers;

/* Loads every source. Nothing is installed but what the lists say. EXIT_INVALID for unreadable metadata. */
int world_new(const WorldReaders *readers, const WorldSource *sources, size_t n, World **ret, Error *e);
/* The same for another architecture than x86_64. */
int world_new_for(const WorldReaders *readers, const char *arch, const WorldSource *sources, size_t n, World **ret, Error *e);
World *world_free(World *w);
DEFINE_CLEANUP(World, world_free);

/* From now on these are installed, of whatever source, by NAME-[EPOCH:]VERSION-RELEASE.ARCH, and no others; NULL: none. */
int world_set_installed(World *w, char *const *nevras, Error *e);

/* Whether our repository came out of what was known. */
bool world_was_known(const World *w);
/* Writes our repository as libsolv's file: known packages first, then the others, in their orders. False when it cannot be, or has to be read
 * with its file lists. */
bool world_write(World *w, const char *path);

/* How many packages our repository has. */
size_t world_count(const World *w);
/* Of the package `name` with VERSION-REVISION (a dist tag may follow): its NEVRA, owned by the world, or NULL. */
const char *world_find(World *w, const char *name, const char *version, const char *revision);

/* Whether a NEVRA is that of a package name with VERSION-REVISION (a dist tag may follow). */
bool nevra_is(const char *nevra, const char *name, const char *version, const char *revision);

/* What dnf would have installed after `dnf install` of these (all must be of our repository), or with NULL after `dnf upgrade`; best=True.
 * *ret_result: NEVRAs, sorted; *ret_problems: libsolv's words, none when it solves. Both may be NULL, and are owned by the caller. */
int world_solve(World *w, char *const *install, char ***ret_result, char ***ret_problems, Error *e);

/* Whether each package of our repository that is for this architecture, and no source package, can be installed, alone or beside others: how many
 * were tried; *ret_problems has libsolv's words, none when all can, and is owned by the caller. */
int world_install_each(World *w, size_t *ret_tried, char ***ret_problems, Error *e);

/* Whether one of the two packages says that it conflicts with the other. */
bool world_conflict(World *w, const char *nevra_a, const char *nevra_b);

/* < 0, 0, > 0, as rpm compares versions. */
int world_compare(World *w, const char *evr_a, const char *evr_b);

/* Sorted, and borrowed. */
typedef struct Names {
        char **v;
        size_t n;
} Names;
bool names_have(const Names *names, const char *s);

/* What modular filtering, as dnf does it, knows: packages of streams (NEVRAs), those of active ones, and the names of these. */
typedef struct WorldModules {
        Names all, active, names;
} WorldModules;

/* What is not chosen: by name or NEVRA, and because of modules; NULL: none. */
typedef struct WorldHidden {
        char *const *globs;
        const WorldModules *modules;
} WorldHidden;
/* Whether one of the globs fits a package's name or NEVRA. */
bool excluded(char *const *globs, const char *name, const char *nevra);
/* Hides these, and nothing else, from world_close(). */
int world_hide(World *w, const WorldHidden *h, Error *e);

/* A package of some source, by its place among the sources and the checksum that its metadata say. */
typedef struct WorldChoice {
        size_t source;
        char *checksum;
} WorldChoice;
void world_choices_free(WorldChoice *v, size_t n);

/* What `dnf install` of this name (or NAME-VERSION, or a capability) would install on the platform, from all sources but lists; weak dependencies
 * too, or not. Appends to *v, owned by the caller. -ENOTSUP/EXIT_UNSOLVABLE has libsolv's reasons. */
int world_close(World *w, const char *name, bool weak, WorldChoice **v, size_t *n, Error *e);
