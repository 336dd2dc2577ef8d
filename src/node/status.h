/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that matters on this instance, in one table with one next action. Reads files, changes nothing. */
#pragma once

#include "node/gpu.h"

typedef enum RowState { ROW_OK, ROW_UNKNOWN, ROW_WARN, ROW_PENDING, ROW_FAIL, _ROW_STATE_MAX } RowState;
const char *row_state_to_string(RowState s);

typedef struct StatusRow {
        const char *group;      /* static: a name of the table in status.c */
        char *name;
        char *expected, *found; /* or NULL */
        RowState state;
        char *next;             /* one sentence, for anything not ok; or NULL */
        unsigned priority;      /* among what is not ok, the lowest is the machine's next action */
} StatusRow;

typedef struct Status {
        char *release; /* PROFILE-VERSION, or NULL */
        const char *environment;
        StatusRow *rows; /* by group, in the order of the seeds' steps */
        size_t n;
        RowState state; /* the worst */
        char *next;     /* NULL: nothing to do */
        ExitCode code;  /* EXIT_OK, EXIT_DIFFERS, EXIT_REBOOT */
        GpuFacts gpu;   /* what the rows of group gpu were made of */
} Status;

int status_make(Node *n, Status *ret, Error *e);
void status_free(Status *s);
#define _cleanup_status_ _cleanup_(status_free)
