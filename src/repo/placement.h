/* SPDX-License-Identifier: Apache-2.0 */
/* A placement: what goes to one path of one package. A plan: all of an archive's, checked against each other. */
#pragma once

#include "repo/stage.h"
#include "repo/wrap.h"

typedef enum PlacementKind {
        PLACE_DIRECTORY, /* only those that the package owns */
        PLACE_MEMBER,    /* bytes of a member of the archive */
        PLACE_TEXT,      /* bytes we made */
        PLACE_ARCHIVE,   /* the vendor's file itself */
        PLACE_LINK,
} PlacementKind;

typedef struct Placement {
        const char *package; /* PACKAGE_* */
        PlacementKind kind;
        mode_t mode;
        char *path;          /* absolute */
        Member *member;
        char *text;
        size_t text_size;
        char *target;
        unsigned line;       /* of the manifest; 0: ours */
        bool licence, documentation, config;
} Placement;

typedef struct Plan {
        const char *origin; /* what an error names: "FILE: .manifest" */
        Placement *v;
        size_t n, allocated;
        char **warnings;
        size_t dropped;
        bool first_wins;    /* of two files at one path the first is taken, with a warning; else that is an error */
} Plan;

void plan_clear(Plan *p);
#define _cleanup_plan_ _cleanup_(plan_clear)

/* Appends; -EBADMSG when path (absolute) would leave the root or is no text. line: see Placement. *ret (may be NULL) is valid until the next call. */
int plan_member(Plan *p, const char *package, unsigned line, const char *path, mode_t mode, Member *m, Placement **ret, Error *e);
int plan_link(Plan *p, const char *package, unsigned line, const char *path, const char *target, Error *e);
/* size bytes are copied. */
int plan_text(Plan *p, const char *package, const char *path, mode_t mode, const char *text, size_t size, Placement **ret, Error *e);
int plan_archive(Plan *p, const char *package, const char *path, Error *e);
int plan_directory(Plan *p, const char *package, unsigned line, const char *path, Error *e);
int plan_warn(Plan *p, const char *fmt, ...) _printf_(2, 3);
/* The placement at that path, before plan_finish(): linear. */
Placement *plan_find(const Plan *p, const char *path);

/* Adds the directories that are ours, sorts by path, and refuses what cannot be: two things at one path (equal links are one), something
 * below a file or a link. */
int plan_finish(Plan *p, Error *e);

/* Whether the directory belongs to the distribution, so that no package of ours lists it. */
/* Whether a package can hold this absolute path: safe, plain text, and one that can stand between quotes. */
bool path_is_packageable(const char *path);
bool is_system_directory(const char *path);
