/* SPDX-License-Identifier: Apache-2.0 */
/* A reader for long JSON that this program wrote itself: nothing is built in memory, strings are plain ASCII without escapes. What is not
 * so is refused, hostile or not. (Not json_: those names are jansson's.) */
#pragma once

#include "basic/macro.h"

typedef struct JsonScan {
        const char *p, *end;
        bool bad; /* once set, all that follows fails */
} JsonScan;

/* A string, in place: not NUL-terminated. */
typedef struct JsonText {
        const char *s;
        size_t n;
} JsonText;

/* Whether a string could be read back. */
bool scan_is_plain(const char *s);

void scan_blanks(JsonScan *j);           /* skipped, if there are any */
bool scan_take(JsonScan *j, char c);     /* this character, blanks before it skipped; else nothing is taken */
void scan_expect(JsonScan *j, char c);   /* or it is bad */
JsonText scan_text(JsonScan *j);
bool scan_null(JsonScan *j);             /* takes a null, if there is one */
bool scan_bool(JsonScan *j);
int64_t scan_integer(JsonScan *j);
void scan_skip(JsonScan *j);             /* any value */
/* Of an object, behind its '{': the next key, its colon taken; false at the '}', which is taken, too. *first is true to begin with. */
bool scan_key(JsonScan *j, bool *first, JsonText *ret);
/* Of an array, behind its '[': whether another item follows. */
bool scan_item(JsonScan *j, bool *first);
bool scan_ends(JsonScan *j);             /* nothing but blanks left, and nothing was bad */

bool scan_equals(JsonText t, const char *s);
char *scan_dup(JsonText t) _must_check_; /* NULL: out of memory */
