/* SPDX-License-Identifier: Apache-2.0 */
/* What every program prints alike: tables for people, JSON for scripts. */
#pragma once

#include <jansson.h>

#include "basic/error.h"

/* Rows of cells, by rows: left-aligned columns (at most 8), as wide as their widest cell; on a terminal no wider than it, with cells of
 * several lines. */
void print_table(const char *const *cells, size_t rows, size_t columns);
/* Prints document (NULL: out of memory) on standard output, sorted, and drops the reference. */
int print_json(json_t *document, Error *e);

/* For a document: what is no UTF-8, as a path may be, is replaced. NULL: out of memory. */
json_t *json_text(const char *s);

static inline const char *or_empty(const char *s) {
        return s ? s : "";
}

static inline const char *or_dash(const char *s) {
        return s && *s ? s : "-";
}
