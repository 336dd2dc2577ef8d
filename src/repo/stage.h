/* SPDX-License-Identifier: Apache-2.0 */
/* The stage: what an archive held, by name. Bytes go to numbered files of a private directory, to a digest, or both, while the archive
 * streams by once; which of them are wanted may only be known later, because a manifest may come last. */
#pragma once

#include "basic/digest.h"
#include "repo/archive.h"

#define STAGE_CAPTURE_MAX (16u * 1024 * 1024) /* bytes of one captured member */

typedef struct Member {
        char *name;
        ArchiveKind kind;
        mode_t mode;
        uint64_t size;
        char *target;        /* of a symbolic link */
        struct Member *same; /* of a hard link: the member it is another name of */
        char sha256[SHA256_HEX_SIZE]; /* "" when not digested */
        char *soname;        /* of a shared library, when asked for */
        char *content;       /* captured bytes, NUL-terminated, or NULL */
        size_t number;       /* its file in the directory */
        unsigned line;       /* of a manifest that refers to it: the caller's */
        unsigned uses;       /* placements that need its bytes: the caller's */
        bool stored;         /* its bytes were taken (to the directory or the digest) */
} Member;

typedef struct StageOptions {
        const char *directory; /* private, on the file system of the build root; NULL: digest only */
        bool digest;
        bool (*capture)(const char *name);    /* keep these in memory, too; may be NULL */
        bool (*shared_library)(const char *name); /* read these members' SONAME; may be NULL */
        /* Told of each captured member, whose bytes are complete. May be NULL. */
        int (*captured)(void *userdata, Member *m, Error *e);
        /* Whether a member's bytes may be needed; asked as each begins. NULL: all are. */
        bool (*wanted)(void *userdata, const char *name);
        void *userdata;
        Progress *progress;
} StageOptions;

typedef struct Stage Stage;

/* Streams the archive onto a new stage. Two members of one name, or a hard link to no earlier file, are errors. */
int stage_read(const char *name, int fd, uint64_t offset, uint64_t size, ArchiveFormat format, const StageOptions *o, Stage **ret, Error *e);
/* Closes the directory; removing it is the caller's. */
Stage *stage_free(Stage *s);
DEFINE_CLEANUP(Stage, stage_free);

/* The member of that name, hard links followed; NULL when there is none. */
Member *stage_find(const Stage *s, const char *name);
/* All members, sorted by name. */
Member **stage_members(const Stage *s, size_t *ret_n);
/* The staged bytes' descriptor-relative name, owned by the caller, and the directory's descriptor. */
char *stage_file(const Member *m) _must_check_;
int stage_directory(const Stage *s);
