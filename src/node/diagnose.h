/* SPDX-License-Identifier: Apache-2.0 */
/* What the logs of this boot say about the GPUs: known failures, the most fundamental first. Reads, changes nothing. */
#pragma once

#include "node/diagnosis.h"
#include "node/log-line.h"
#include "node/node.h"

#define SIGHTINGS_MAX 4 /* lines shown of a finding, and as many that go with it */

typedef struct Sighting {
        char *time, *origin; /* or NULL */
        char *message;
        bool with; /* matched by With= */
} Sighting;

typedef struct Finding {
        const Diagnosis *diagnosis;
        uint64_t count; /* lines that match */
        uint64_t seen;  /* bit N: the N-th Match= was */
        Sighting lines[2 * SIGHTINGS_MAX];
        size_t n_lines, n_with;
        char *last; /* time of the last one */
        char *values[GROUPS_MAX];
        char *meaning, *cause, *next; /* with their variables filled in */
        const struct Finding *explained_by; /* the finding that this one follows from, or NULL */
} Finding;

typedef struct LogSource {
        char *name;
        uint64_t lines;
        bool complete;
        char *note; /* why it is not complete; or NULL */
} LogSource;

typedef struct Diagnose Diagnose;
typedef int (*OnKept)(const LogLine *line, bool matched, void *userdata);

struct Diagnose {
        Diagnoses *known;
        Finding *findings; /* one for each of known */
        bool *hits;
        LogSource *sources;
        size_t n_sources;
        char **already; /* units and programs whose lines (and the kernel's) were read before, and are not counted again; or NULL */
        OnKept keep; /* gets every line that is read; or NULL */
        void *userdata;
        /* By diagnose_conclude(): */
        const Finding **found; /* those that explain others before what they explain */
        size_t n_found;
        char *next; /* NULL: nothing to do */
        ExitCode code; /* EXIT_OK, EXIT_DIFFERS, EXIT_UNCHECKED */
};

/* Loads what is known: the file rules (NULL: that of the root, or else of this system). */
int diagnose_open(Diagnose *d, Node *n, const char *rules, Error *e);
void diagnose_close(Diagnose *d);
#define _cleanup_diagnose_ _cleanup_(diagnose_close)

/* Looks at one line of a log. origin: where it comes from if it does not say so itself, or NULL. */
int diagnose_line(Diagnose *d, const char *line, size_t size, const char *origin);
/* Forgets what was found: a new boot begins in this log. */
void diagnose_reset(Diagnose *d);
/* Ranks what was found. */
int diagnose_conclude(Diagnose *d, Error *e);

/* Appends a source; NULL when out of memory. */
LogSource *diagnose_source(Diagnose *d, const char *name);
int source_note(LogSource *s, const char *fmt, ...) _printf_(2, 3);

/* Reads the logs of this boot: the journal, or else the kernel's buffer and /var/log; at most about timeout_sec. What cannot be read is
 * noted in the sources. */
int diagnose_machine(Diagnose *d, Node *n, unsigned timeout_sec, Error *e);
/* Reads a saved log ("-": standard input): text, JSON, a journal's own file, each also compressed by gzip, or a tar archive of such. */
int diagnose_file(Diagnose *d, const char *path, unsigned timeout_sec, Error *e);
