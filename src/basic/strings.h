/* SPDX-License-Identifier: Apache-2.0 */
/* Strings, string lists and growing text. */
#pragma once

#include <stdarg.h>

#include "basic/macro.h"

static inline bool streq(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

/* Behind the prefix, or NULL. */
static inline const char *startswith(const char *s, const char *prefix) {
        size_t n = strlen(prefix);
        return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

bool endswith(const char *s, const char *suffix);

/* Printf into new memory; NULL when out of memory. */
char *format(const char *fmt, ...) _printf_(1, 2) _must_check_;
char *format_va(const char *fmt, va_list ap) _printf_(1, 0) _must_check_;

/* Bytes of the UTF-8 character (RFC 3629) at s that may be shown; 0: none begins here, or it is a control character. */
size_t utf8_length(const char *s);
/* Whether s is UTF-8 without control characters. */
bool text_is_printable(const char *s);
/* Makes foreign words fit for a table, a terminal and JSON: what is not UTF-8, or is a control character, becomes '?'; at most max bytes. */
void text_clean(char *s, size_t max);

/* Whole-string, base-10, no sign, no blanks: 0, or -EINVAL, -ERANGE. */
int parse_u64(const char *s, uint64_t *ret);
/* "YYYY-MM-DD" as seconds since the epoch, UTC: 0 or -EINVAL. */
int parse_date(const char *s, int64_t *ret);
/* "YYYY-MM-DDTHH:MM:SS" with "Z" or "+HH:MM" (RFC 3339; a fraction is passed over) as seconds since the epoch: 0 or -EINVAL. */
int parse_time(const char *s, int64_t *ret);
/* The same in the other direction, in UTC, owned by the caller; NULL when out of memory. */
char *time_to_text(int64_t t) _must_check_;

/* A NULL-terminated list of owned strings; NULL is the empty list. */
char **strv_free(char **v);
DEFINE_CLEANUP(char *, strv_free);
#define _cleanup_strv_ _cleanup_(strv_freep)
size_t strv_length(char *const *v);
bool strv_equal(char *const *a, char *const *b); /* the same strings in the same order; NULL is an empty one */
bool strv_contains(char *const *v, const char *s);
/* Appends a copy: 0 or -ENOMEM, *v untouched on failure. */
int strv_append(char ***v, const char *s);
/* Appends every word of s, cut at blanks. */
int strv_append_words(char ***v, const char *s);
char *strv_join(char *const *v, const char *separator) _must_check_;
#define STRV_FOREACH(s, v) for (char *const *s = (v); s && *s; s++)

/* Text that grows. A failed allocation is remembered: check once, at the end, with text_take(). */
typedef struct Text {
        char *data;
        size_t size, allocated;
        bool failed;
} Text;
void text_free(Text *t);
#define _cleanup_text_ _cleanup_(text_free)
void text_append(Text *t, const char *s);
void text_append_n(Text *t, const void *data, size_t size);
void text_printf(Text *t, const char *fmt, ...) _printf_(2, 3);
/* The finished, NUL-terminated text, owned by the caller; NULL when out of memory. */
char *text_take(Text *t) _must_check_;
