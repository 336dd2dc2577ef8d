/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a log into lines, and these into diagnose_line(). Memory is bounded, whatever the size of the log: nothing is kept but the beginning
 * of a line that is not complete yet. */
#pragma once

#include "node/diagnose.h"

typedef struct LogLines {
        Diagnose *diagnose;
        size_t source;      /* its index: the array moves */
        const char *origin; /* of lines that do not say it themselves; or NULL */
        bool boots;         /* the log holds earlier boots, too */
        bool json_only;     /* other lines are the reading program's own words */
        char *words;        /* the last of those */
        Text partial;
        bool skipping; /* the rest of a line that was too long */
} LogLines;

void log_lines_free(LogLines *l);
#define _cleanup_log_lines_ _cleanup_(log_lines_free)

/* Takes the next bytes; userdata is a LogLines (of Process, or of an archive). 0, or -errno. */
int log_feed(const char *data, size_t size, void *userdata);
/* The last line may lack its newline. */
int log_feed_end(LogLines *l);
/* All of an open file. */
int log_feed_all(int fd, LogLines *l);

/* Runs journalctl with these words and reads what it gives, as that source; what went wrong is noted there. */
int journal_run(Diagnose *d, Node *n, char *const *argv, unsigned timeout_sec, size_t source, Error *e);
