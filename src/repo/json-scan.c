/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/json-scan.h"

#define DEPTH_MAX  16
#define DIGITS_MAX 18

/* What a string may hold; a table, because there are millions. */
static const bool plain[256] = { [' ' ... '!'] = true, ['#' ... '['] = true, [']' ... '~'] = true };

static bool is_plain(unsigned char c) {
        return plain[c];
}

#define EACH(x) (UINT64_C(0x0101010101010101) * (x))

/* Whether some byte of v is c. Of bytes below 128. */
static uint64_t has(uint64_t v, uint64_t c) {
        v ^= EACH(c);
        return (v - EACH(1)) & ~v & EACH(0x80);
}

/* Whether the next eight bytes are: most strings are digests. */
static bool all_plain(const char *s) {
        uint64_t v;

        memcpy(&v, s, sizeof(v));
        if (v & EACH(0x80))
                return false;
        return (((v - EACH(0x20)) & EACH(0x80)) | has(v, '"') | has(v, '\\') | has(v, 0x7f)) == 0;
}

bool scan_is_plain(const char *s) {
        while (is_plain((unsigned char) *s))
                s++;
        return !*s;
}

void scan_blanks(JsonScan *j) {
        while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\t' || *j->p == '\r'))
                j->p++;
}

bool scan_take(JsonScan *j, char c) {
        scan_blanks(j);
        if (j->bad || j->p >= j->end || *j->p != c)
                return false;
        j->p++;
        return true;
}

void scan_expect(JsonScan *j, char c) {
        if (!scan_take(j, c))
                j->bad = true;
}

JsonText scan_text(JsonScan *j) {
        JsonText t;

        scan_expect(j, '"');
        t.s = j->p;
        while (j->end - j->p >= 8 && all_plain(j->p))
                j->p += 8;
        while (j->p < j->end && is_plain((unsigned char) *j->p))
                j->p++;
        t.n = (size_t) (j->p - t.s);
        if (j->bad || j->p >= j->end || *j->p != '"')
                j->bad = true;
        else
                j->p++;
        return j->bad ? (JsonText){ .s = "" } : t;
}

static bool take_word(JsonScan *j, const char *word) {
        size_t n = strlen(word);

        scan_blanks(j);
        if (j->bad || (size_t) (j->end - j->p) < n || memcmp(j->p, word, n) != 0)
                return false;
        j->p += n;
        return true;
}

bool scan_null(JsonScan *j) {
        return take_word(j, "null");
}

bool scan_bool(JsonScan *j) {
        if (take_word(j, "true"))
                return true;
        if (!take_word(j, "false"))
                j->bad = true;
        return false;
}

int64_t scan_integer(JsonScan *j) {
        bool negative = scan_take(j, '-');
        unsigned digits = 0;
        uint64_t v = 0; /* has room for the digit that is one too many */

        for (; j->p < j->end && *j->p >= '0' && *j->p <= '9' && digits <= DIGITS_MAX; digits++)
                v = v * 10 + (uint64_t) (*j->p++ - '0');
        if (digits == 0 || digits > DIGITS_MAX) {
                j->bad = true;
                return 0;
        }
        return negative ? -(int64_t) v : (int64_t) v;
}

static void skip(JsonScan *j, unsigned depth) {
        bool first = true;
        JsonText key;

        if (depth > DEPTH_MAX)
                j->bad = true;
        else if (scan_take(j, '{'))
                while (scan_key(j, &first, &key))
                        skip(j, depth + 1);
        else if (scan_take(j, '['))
                while (scan_item(j, &first))
                        skip(j, depth + 1);
        else if (j->p < j->end && *j->p == '"')
                (void) scan_text(j);
        else if (!take_word(j, "true") && !take_word(j, "false") && !take_word(j, "null"))
                (void) scan_integer(j);
}

void scan_skip(JsonScan *j) {
        skip(j, 0);
}

static bool next(JsonScan *j, bool *first, char close) {
        if (j->bad || scan_take(j, close))
                return false;
        if (!*first)
                scan_expect(j, ',');
        *first = false;
        return !j->bad;
}

bool scan_key(JsonScan *j, bool *first, JsonText *ret) {
        if (!next(j, first, '}'))
                return false;
        *ret = scan_text(j);
        scan_expect(j, ':');
        return !j->bad;
}

bool scan_item(JsonScan *j, bool *first) {
        return next(j, first, ']');
}

bool scan_ends(JsonScan *j) {
        scan_blanks(j);
        return !j->bad && j->p == j->end;
}

bool scan_equals(JsonText t, const char *s) {
        return strlen(s) == t.n && memcmp(t.s, s, t.n) == 0;
}

char *scan_dup(JsonText t) {
        return strndup(t.s, t.n);
}
