/* SPDX-License-Identifier: Apache-2.0 */
/* What one published state has and another has not: packages, their sizes, their files. */
#pragma once

#include "repo/repository.h"

/* One state to compare: a generation of a repository on disk, whose packages can be opened. */
typedef struct PublishedState {
        char *label;            /* as the user wrote it */
        char *path;             /* of the repository */
        int repo_fd;
        Generation **generations;
        size_t n_generations;
        const Generation *generation; /* one of them */
} PublishedState;

/* Digits, "current" or "previous": what names a generation of one repository. */
bool generation_word_is_valid(const char *word);
/* word: a generation's number, "current" or "previous" of the repository at path, or the path of another repository (its current one).
 * -ENOENT names the generations that there are. */
int published_state_open(const char *path, const char *word, PublishedState *ret, Error *e);
void published_state_close(PublishedState *s);
#define _cleanup_published_state_ _cleanup_(published_state_close)

typedef enum DiffKind { DIFF_ADDED, DIFF_REMOVED, DIFF_CHANGED } DiffKind;
const char *diff_kind_to_string(DiffKind k);

typedef struct DiffFile {
        DiffKind kind;
        char *path, *what; /* what: of a changed one, "content, mode"; else NULL */
} DiffFile;

typedef struct DiffPackage {
        DiffKind kind;
        const char *name, *arch, *old_evr, *new_evr; /* of the states; old or new is NULL for one that came or went */
        uint64_t old_size, new_size;                 /* of the package files, bytes */
        bool resigned;                               /* the same package, signed by another key */
        DiffFile *files;
        size_t n_files;
} DiffPackage;

typedef struct Diff {
        DiffPackage *packages; /* sorted by name */
        size_t n;
} Diff;

/* The states must outlive the result. Packages whose headers are the same are not opened. */
int diff_make(const PublishedState *a, const PublishedState *b, Diff *ret, Error *e);
void diff_clear(Diff *d);
