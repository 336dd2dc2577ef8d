/* SPDX-License-Identifier: Apache-2.0 */
/* What every program prints alike: tables for people, JSON for scripts. */
#pragma once

#include <jansson.h>

#include "basic/error.h"

/* Under --json standard output gets one JSON document: what the verb has to say, by print_json() or with output_told(); else, when it failed, the error. */
void output_json(void);
void output_told(void);
/* Tells an error, on standard error and, as said, on standard output: {"error": {"message", "hint", "exit_code"}}. Returns the exit code. */
int output_failed(int r, const Error *e);
/* The exit code of a verb that returned r: all that it printed has arrived, or that is the error. */
int output_done(int r, Error *e);

/* Rows of cells, by rows: left-aligned columns (at most 8), as wide as their widest cell; on a terminal no wider than it, with cells of
 * several lines. */
void print_table(const char *const *cells, size_t rows, size_t columns);
/* Writes a file that --output or --token names, atomically. What is there and is no file is not replaced: EXIT_USAGE. */
int write_output(const char *path, const char *text, Error *e);

/* Prints document (NULL: out of memory) on standard output, sorted, and drops the reference. */
int print_json(json_t *document, Error *e);

/* A JSON string of foreign words: what is not UTF-8 becomes '?'; null for NULL. And a list of those. */
json_t *json_text(const char *s);
json_t *json_texts(char *const *v);

static inline const char *or_empty(const char *s) {
        return s ? s : "";
}

static inline const char *or_dash(const char *s) {
        return s && *s ? s : "-";
}
