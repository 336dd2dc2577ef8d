/* SPDX-License-Identifier: Apache-2.0 */
/* The published repository's directory: its lock, its staging area, and the one step that switches from one state to the next.
 *
 *     .lock                  held by whoever publishes
 *     .stage/                the next state while it is made; what a killed run left is removed by the next one
 *     packages/ repodata/ generations/ gn8v-tee.repo RPM-GPG-KEY-gn8v-tee */
#pragma once

#include "repo/generation.h"
#include "repo/readers.h"

#define STAGE ".stage"

typedef struct Repository {
        char *path; /* as given */
        int fd, lock_fd, stage_fd;
        Readers readers;
        char *made;               /* the first directory of path that was not there before; NULL: all were */
        bool made_lock;           /* there was no .lock before */
        bool staged;              /* the staging area is ours, and to be removed */
        Generation **generations; /* that are on disk and count, by number */
        size_t n_generations;
        bool unclean;             /* a run that was killed left something: package files may be there that no generation names */
        bool unknown;             /* something is published there, and no generation is left that could tell by whom */
        char *cut;                /* digest of the repomd.xml that a killed run had staged; NULL: none */
        bool cleaning;            /* this one is about to */
        Generation *current;      /* one of them: the published one; NULL: nothing is published */
        bool broken;              /* whose metadata are not whole: it is not kept when it has a successor */
        uint64_t freed;           /* bytes of the package files that repository_clean() has removed */
        char **beside;            /* files that no state names (gn8v-tee.repo, keys, the metalink) which this run has changed or removed: see seal_top() */
} Repository;

Repository *repository_free(Repository *r);
DEFINE_CLEANUP(Repository, repository_free);

/* Opens (and makes) a repository to publish to: takes the lock (-EWOULDBLOCK/EXIT_LOCKED), clears the staging area, forgets generations
 * that were never switched to. Refuses a directory with metadata that was not published by this program. Of a run that publishes nothing where
 * nothing was published before, repository_free() leaves nothing. */
int repository_open(const char *path, Repository **ret, Error *e);
/* The two halves of it, for who has something else to do at the same time: the lock, and what is there. */
int repository_begin(const char *path, Repository **ret, Error *e);
int repository_read(Repository *r, Error *e);
/* The second half for who can tell by its signature whether what is published there is its own: r->unknown says that it has to, or repository_refuse_unknown(). */
int repository_read_any(Repository *r, Error *e);
int repository_refuse_unknown(const Repository *r, Error *e);
/* The same where something is published, and repomd.xml is there as it was: else -ENOENT/EXIT_FAILED, and nothing is written there. */
int repository_open_published(const char *path, Repository **ret, Error *e);
/* Says so: -ENOENT/EXIT_FAILED. */
int repository_is_empty(const char *path, Error *e);
/* In a directory where nothing was published yet: refuses package files of somebody else, which a first run would take for those that a killed run
 * left, and remove; repository_open() does so below packages/, where everything is ours (a mirror) it is for all of it. */
int repository_refuse_foreign(const Repository *r, bool everything, Error *e);

/* Hard links of the metadata that the newest `keep` - 1 generations have, into the staged repodata/: for clients in flight. */
int repository_link_metadata(Repository *r, unsigned keep, Error *e);

/* Puts everything that is staged on the disk, all at once instead of file by file: to be called before repository_link_metadata(). */
int repository_sync(Repository *r, Error *e);

/* Whether a package that an older generation names is still what its manifest says, by its size and signed header, and that nobody wrote to it since publish
 * has sealed it. Without its seal, as a copy may be, its digest tells, and it is sealed again. */
bool repository_has_sealed(const Repository *r, const PublishedPackage *p, int64_t build_time);

/* From here on clients are watched, see readers.h: repository_open() does so already, and who has read repomd.xml since begins anew. */
void repository_watch_readers(Repository *r);

/* Makes the staged state the published one: g's staged packages to their places, .stage/generation to generations/N, and then, in one
 * step that cannot be seen half done, .stage/repodata to repodata. Everything is on disk before. After an error the old state stands. */
int repository_switch(Repository *r, const Generation *g, Error *e);

/* Removes generations but the newest `keep` (the published one counts, and stays), package files that none of them names, the staging
 * area. *ret_removed is how many package files went. */
int repository_clean(Repository *r, const Generation *published, unsigned keep, size_t *ret_removed, Error *e);
