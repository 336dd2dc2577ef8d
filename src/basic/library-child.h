/* SPDX-License-Identifier: Apache-2.0 */
/* A vendor's library is asked in a child of this program, within a time limit: one that hangs, crashes or answers nonsense is an outcome. The child
 * writes lines, "KEY VALUE" of printable ASCII: a greeting first, "at CALL" before each call, "missing WHY" when there is no library, "end" last. */
#pragma once

#include <stddef.h>

#include "basic/error.h"

typedef enum LibraryOutcome {
        LIBRARY_ANSWERED,
        LIBRARY_REFUSED, /* a call failed without which nothing can be asked */
        LIBRARY_MISSING, /* it cannot be loaded */
        LIBRARY_CRASHED, /* the child died in it */
        LIBRARY_HUNG,    /* no answer within the limit: killed */
        LIBRARY_GARBAGE, /* what came back is no answer */
        _LIBRARY_OUTCOME_MAX,
} LibraryOutcome;
const char *library_outcome_to_string(LibraryOutcome o);

#define LIBRARY_UNTOLD (-1) /* of a number: the library does not know it, or did not say it */

/* What every answer has: its first member. */
typedef struct LibraryAnswer {
        LibraryOutcome outcome;
        char *reason; /* what went wrong, unless answered */
        char *at;     /* the call that was last begun, or NULL */
} LibraryAnswer;
void library_answer_free(LibraryAnswer *a);

/* A line's key and where its value goes: char * (replaced), or int64_t up to max. */
typedef struct LibraryKey {
        const char *name;
        size_t offset;
        int64_t max;                      /* of a number; 0: it is a text */
        int (*check)(const char *value);  /* of a text; may be NULL */
} LibraryKey;
/* 1: it is one of these keys, and was taken; 0: it is not; -EBADMSG, -ENOMEM. */
int library_take(const LibraryKey *keys, size_t n, void *into, const char *key, const char *value);
/* Replaces a text. -ENOMEM. */
int library_put(char **where, const char *value);

typedef struct LibraryFormat {
        const char *greeting;
        size_t line_max, answer_max; /* bytes */
        unsigned timeout_sec;
        /* One line of the answer that is none of those above; value may be changed. 0, -EBADMSG, -ENOMEM. */
        int (*take)(LibraryAnswer *a, const char *key, char *value);
} LibraryFormat;

/* Reads such lines (hostile: bounded, checked); 1: they were complete, 0: they break off, -EBADMSG: they are something else, -ENOMEM. What was told
 * before that is kept. */
int library_parse(const LibraryFormat *f, const char *answer, size_t size, LibraryAnswer *a);
/* Runs the child (argv[0] NULL: this program). Always an outcome; -errno only when out of memory or when no child can be made. */
int library_ask(const LibraryFormat *f, const char **argv, LibraryAnswer *a, Error *e);

/* Within the child, which must end by _exit(): the library is still loaded. Each line is out before the next call is begun, so that nothing is lost. */
typedef struct LibraryChild {
        void *library;
        int fd;
} LibraryChild;
/* Loads the library by the first of its names (NULL-terminated) that is there; says it if none is. */
bool library_load(LibraryChild *c, const char *const *names);
/* The last of these symbols (NULL-terminated, the newest last) that there is; NULL: none. Says where we are by the first name. */
void *library_symbol(LibraryChild *c, const char *const *names);
void library_say(LibraryChild *c, const char *fmt, ...) _printf_(2, 3);
/* Bytes that are no printable ASCII become '?': the other side takes nothing else. */
void library_say_text(LibraryChild *c, const char *key, const char *text);
