/* SPDX-License-Identifier: Apache-2.0 */
/* Dependencies that libsolv must not see. It reads rich dependencies ("(a if (b or c))") with a call for each part, and multiplies them out when it
 * solves: one hostile name ends the process, or never ends. Seen before it: nesting, mixed operators, lengths. */
#pragma once

#include <stdio.h>

#include "basic/error.h"

typedef struct DependencyScan {
        uint64_t weight;      /* of all that was seen: about as many clauses as they make */
        /* Of the present name. */
        size_t length, depth, operators;
        unsigned kinds;
        char word[8];
        size_t word_length;
        bool is_rich, is_bad; /* bad: once set, it stays */
        bool is_markup;       /* bad because of what no metadata have */
        /* Of XML. */
        enum { SCAN_TEXT, SCAN_OPENED, SCAN_TAG, SCAN_VALUE } state;
        bool has_begun, is_declaration;
        char quote;
        unsigned reference_length;
        char reference[8];
} DependencyScan;

/* One name, as a package's header has it: false when it, or all together, are too much. */
bool dependency_scan_name(DependencyScan *s, const char *name);
/* The next bytes of rpm-md XML; also refuses comments, CDATA, document types and encodings but UTF-8, in which something could hide. */
bool dependency_scan_xml(DependencyScan *s, const char *data, size_t size);

/* A stream that ends with an error where the scan refuses; it takes f, and closes it. s outlives it. NULL: out of memory, and f is closed. */
FILE *dependency_scan_open(DependencyScan *s, FILE *f) _must_check_;

/* Why it refused: -EBADMSG/EXIT_INVALID; name is the file's. */
int dependency_scan_error(const DependencyScan *s, const char *name, Error *e);
