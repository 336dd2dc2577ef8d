/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/dependency-scan.h"

#include "basic/strings.h"

/* Real ones have a handful of operators; the longest names are paths of 4096 bytes. */
#define VALUE_MAX     65536
#define RICH_MAX      16384
#define DEPTH_MAX     16
#define OPERATORS_MAX 500 /* all of one kind: a list */
#define MIXED_MAX     20
#define WEIGHT_MAX    4000000

static void begin(DependencyScan *s) {
        s->length = s->depth = s->operators = s->word_length = 0;
        s->kinds = 0;
        s->is_rich = false;
}

/* rpm's words for rich dependencies, between blanks. */
static void end_word(DependencyScan *s) {
        static const char *const words[] = { "and", "or", "if", "unless", "else", "with", "without" };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (s->word_length == strlen(words[i]) && memcmp(s->word, words[i], s->word_length) == 0) {
                        s->operators++;
                        s->kinds |= 1u << i;
                }
        s->word_length = 0;
}

static void take(DependencyScan *s, char c) {
        if (++s->length == 1)
                s->is_rich = c == '(';
        if (s->length > VALUE_MAX || (s->is_rich && s->length > RICH_MAX))
                s->is_bad = true;
        if (s->is_declaration && s->word_length < sizeof(s->word))
                s->word[s->word_length++] = c;
        if (!s->is_rich)
                return;
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '(' || c == ')')
                end_word(s);
        else if (s->word_length < sizeof(s->word))
                s->word[s->word_length++] = c;
        if (c == '(' && ++s->depth > DEPTH_MAX)
                s->is_bad = true;
        if (c == ')' && s->depth > 0)
                s->depth--;
}

/* <?xml version="1.0" encoding="UTF-8" standalone="yes"?> */
static bool is_plain_declaration(const DependencyScan *s) {
        static const char *const words[] = { "1.0", "UTF-8", "utf-8", "yes", "no" };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (s->word_length == strlen(words[i]) && memcmp(s->word, words[i], s->word_length) == 0)
                        return true;
        return false;
}

static void end(DependencyScan *s) {
        bool mixed = s->kinds & (s->kinds - 1);

        if (s->is_declaration && !is_plain_declaration(s))
                s->is_bad = s->is_markup = true;
        if (!s->is_rich)
                return;
        end_word(s);
        if (s->operators > (mixed ? MIXED_MAX : OPERATORS_MAX))
                s->is_bad = true;
        else
                s->weight += mixed ? UINT64_C(1) << (s->operators / 2 + 1) : s->operators + 1;
        s->is_bad = s->is_bad || s->weight > WEIGHT_MAX;
}

bool dependency_scan_name(DependencyScan *s, const char *name) {
        begin(s);
        for (; *name && !s->is_bad; name++)
                take(s, *name);
        end(s);
        return !s->is_bad;
}

/* "&#40;" and "&#x28;" are parentheses, too; no other reference matters. */
static void end_reference(DependencyScan *s) {
        unsigned long code = 0;

        s->reference[MIN(s->reference_length, sizeof(s->reference) - 1)] = '\0';
        if (s->reference[0] == '#')
                code = s->reference[1] == 'x' ? strtoul(s->reference + 2, NULL, 16) : strtoul(s->reference + 1, NULL, 10);
        s->reference_length = 0;
        take(s, code > ' ' && code < 0x7f ? (char) code : code > 0 && code <= ' ' ? ' ' : '&');
}

static void take_value(DependencyScan *s, char c) {
        if (c == s->quote) {
                end(s);
                s->state = SCAN_TAG;
        } else if (s->reference_length > 0 && c == ';') {
                s->reference_length--; /* it counts the '&' */
                end_reference(s);
        } else if (s->reference_length > 0) {
                /* Longer than any that means something: zeros in front of it. */
                if (s->reference_length > sizeof(s->reference) - 1)
                        s->is_bad = true;
                else
                        s->reference[s->reference_length++ - 1] = c;
        } else if (c == '&')
                s->reference_length = 1;
        else
                take(s, c);
}

static void take_markup(DependencyScan *s, char c) {
        switch (s->state) {
        case SCAN_TEXT:
                if (c == '<')
                        s->state = SCAN_OPENED;
                /* A byte order mark of UTF-8 is fine; in another encoding nothing here would be what it looks like. */
                else if (!s->has_begun && !strchr(" \t\r\n\xef\xbb\xbf", c))
                        s->is_bad = true;
                s->has_begun = s->has_begun || c == '<';
                break;
        case SCAN_OPENED:
                s->is_bad = s->is_markup = c == '!';
                s->is_declaration = c == '?';
                s->state = c == '>' ? SCAN_TEXT : SCAN_TAG;
                break;
        case SCAN_TAG:
                if (c == '"' || c == '\'') {
                        begin(s);
                        s->quote = c;
                        s->reference_length = 0;
                        s->state = SCAN_VALUE;
                } else if (c == '>')
                        s->state = SCAN_TEXT;
                break;
        case SCAN_VALUE:
                take_value(s, c);
                break;
        }
}

bool dependency_scan_xml(DependencyScan *s, const char *data, size_t size) {
        for (size_t i = 0; i < size && !s->is_bad; i++)
                if (data[i] == '\0')
                        s->is_bad = true;
                else
                        take_markup(s, data[i]);
        return !s->is_bad;
}

typedef struct Stream {
        DependencyScan *scan;
        FILE *f;
} Stream;

static ssize_t stream_read(void *cookie, char *data, size_t size) {
        Stream *x = cookie;
        size_t n = fread(data, 1, size, x->f);

        if ((n == 0 && ferror(x->f)) || !dependency_scan_xml(x->scan, data, n)) {
                errno = EBADMSG;
                return -1;
        }
        return (ssize_t) n;
}

static int stream_close(void *cookie) {
        Stream *x = cookie;
        int r = fclose(x->f);

        free(x);
        return r;
}

FILE *dependency_scan_open(DependencyScan *s, FILE *f) {
        static const cookie_io_functions_t functions = { .read = stream_read, .close = stream_close };
        Stream *x = malloc(sizeof(*x));
        FILE *stream;

        *s = (DependencyScan){};
        if (x)
                *x = (Stream){ .scan = s, .f = f };
        stream = x ? fopencookie(x, "r", functions) : NULL;
        if (!stream) {
                free(x);
                (void) fclose(f);
        }
        return stream;
}

int dependency_scan_error(const DependencyScan *s, const char *name, Error *e) {
        if (s->is_markup)
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: it has a comment, a CDATA section, a document type, a processing instruction, or an encoding but UTF-8", name),
                                  "metadata have no such, by whichever tool they were made: find out who made it");
        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: a dependency in it is too long, too deep or too complex to be solved", name),
                          "no package of a distribution has such: find out who made it");
}
