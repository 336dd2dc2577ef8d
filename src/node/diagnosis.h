/* SPDX-License-Identifier: Apache-2.0 */
/* What is known about failures: one entry each in /usr/share/gn8v-tee/diagnoses.conf. Format: gn8v-tee-diagnoses(5). */
#pragma once

#include <regex.h>

#include "basic/error.h"
#include "basic/strings.h"
#include "node/literals.h"

#define DIAGNOSES_PATH "/usr/share/gn8v-tee/diagnoses.conf"
#define DIAGNOSES_MAX ((size_t) 1024 * 1024) /* bytes of the file */
#define GROUPS_MAX 9

typedef enum Severity { SEVERITY_BENIGN, SEVERITY_NOTE, SEVERITY_WARNING, SEVERITY_ERROR, _SEVERITY_MAX } Severity;
const char *severity_to_string(Severity s);

typedef enum PatternRole {
        PATTERN_MATCH, /* Match=: says that it happened */
        PATTERN_WITH,  /* With=: belongs to it, and says nothing alone */
        PATTERN_NOT,   /* Not=: a line that only looks like one */
} PatternRole;

typedef struct Pattern {
        PatternRole role;
        char *text;
        regex_t regex;
        bool compiled;
        size_t diagnosis; /* index */
        size_t number;    /* among the Match= of its diagnosis, at most 63 */
} Pattern;

typedef struct Diagnosis {
        char *id, *summary, *meaning, *cause, *next;
        Severity severity;
        uint64_t rank; /* among what was found, the lowest is the most fundamental */
        bool all;      /* Needs=all: each Match= must be seen */
        unsigned matches;
        char **where;
        char **variables;
        char **unless;   /* ids: when one of them was found, this is none */
        char **explains; /* ids that follow from this */
        unsigned line;
} Diagnosis;

typedef struct Diagnoses {
        Diagnosis *v;
        size_t n;
        Pattern *patterns;
        size_t n_patterns;
        size_t *literal_of; /* number of a literal to index of a pattern */
        size_t n_literals;
        Literals *literals;
} Diagnoses;

/* Reads and checks the entries; path is for messages, which name the line. -EBADMSG/EXIT_INVALID. */
int diagnoses_parse(const char *path, const char *data, size_t size, Diagnoses **ret, Error *e);
Diagnoses *diagnoses_free(Diagnoses *d);
DEFINE_CLEANUP(Diagnoses, diagnoses_free);
const Diagnosis *diagnoses_find(const Diagnoses *d, const char *id);

/* The longest string that every match of the extended regular expression must have, owned by the caller. -EINVAL, with what is wrong in
 * *ret_reason (static), for what takes unbounded time or is not POSIX, or has no such string of at least 3 bytes. */
int pattern_literal(const char *pattern, char **ret, const char **ret_reason);

/* text with each {NAME} replaced by the value of that variable, {NAME:slots} by that many 2 KiB slots in MiB; owned by the caller. */
char *diagnosis_fill(const Diagnosis *d, const char *text, char *const values[GROUPS_MAX]) _must_check_;
