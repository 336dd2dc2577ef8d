/* SPDX-License-Identifier: Apache-2.0 */
#include "node/diagnosis.h"

#include <ctype.h>

#define LITERAL_MIN 3

/* Behind the bracket expression that begins at p: POSIX has the first ] of []x] and [^]x] for itself. */
static const char *skip_bracket(const char *p) {
        p++;
        if (*p == '^')
                p++;
        if (*p == ']')
                p++;
        while (*p && *p != ']') {
                if (p[0] == '[' && (p[1] == ':' || p[1] == '.' || p[1] == '=')) {
                        const char *end = strchr(p + 2, ']');

                        if (!end)
                                return NULL;
                        p = end;
                }
                p++;
        }
        return *p ? p + 1 : NULL;
}

typedef struct Run {
        char bytes[512], longest[512];
        size_t n, n_longest;
} Run;

static void end_run(Run *r) {
        if (r->n > r->n_longest) {
                memcpy(r->longest, r->bytes, r->n);
                r->n_longest = r->n;
        }
        r->n = 0;
}

/* One step at p, outside brackets: where to go on, or NULL with the reason. */
static const char *step(Run *r, const char *p, unsigned *depth, const char **reason) {
        switch (*p) {
        case '(': end_run(r); ++*depth; return p + 1;
        case ')':
                if (*depth == 0)
                        return *reason = "a ) without its (", NULL;
                if (p[1] == '*' || p[1] == '+')
                        return *reason = "a repeated group takes unbounded time", NULL;
                --*depth;
                return p + 1;
        case '|':
                if (*depth == 0)
                        return *reason = "a | outside of parentheses: write two lines", NULL;
                return p + 1;
        case '{': return *reason = "{ is a repetition that is not taken: write \\{ for the character", NULL;
        case '*':
        case '?':
                if (r->n > 0)
                        r->n--;
                /* fall through */
        case '+':
                if (p[1] && strchr("*+?", p[1]))
                        return *reason = "a repetition of a repetition takes unbounded time", NULL;
                end_run(r);
                return p + 1;
        case '.':
        case '^':
        case '$': end_run(r); return p + 1;
        case '[':
                end_run(r);
                p = skip_bracket(p);
                return p ? p : (*reason = "a [ without its ]", NULL);
        case '\\':
                if (!p[1] || isalnum((unsigned char) p[1]) || strchr("<>`'", p[1]))
                        return *reason = "a \\ stands before a character that has no meaning there in POSIX", NULL;
                p++;
                break;
        }
        if (*depth == 0)
                r->bytes[r->n++] = *p;
        return p + 1;
}

int pattern_literal(const char *pattern, char **ret, const char **ret_reason) {
        Run r = { .n = 0 };
        unsigned depth = 0;

        if (strlen(pattern) >= sizeof(r.bytes)) {
                *ret_reason = "longer than 511 bytes";
                return -EINVAL;
        }
        for (const char *p = pattern; *p;) {
                p = step(&r, p, &depth, ret_reason);
                if (!p)
                        return -EINVAL;
        }
        end_run(&r);
        if (depth > 0 || r.n_longest < LITERAL_MIN) {
                *ret_reason = depth > 0 ? "a ( without its )" : "it needs three characters in a row that every match has";
                return -EINVAL;
        }
        *ret = strndup(r.longest, r.n_longest);
        return *ret ? 0 : -ENOMEM;
}

static const char *value_of(const Diagnosis *d, const char *name, size_t size, char *const values[GROUPS_MAX]) {
        for (size_t i = 0; d->variables && d->variables[i] && i < GROUPS_MAX; i++)
                if (strlen(d->variables[i]) == size && strncmp(d->variables[i], name, size) == 0)
                        return values[i] ? values[i] : "?";
        return NULL;
}

char *diagnosis_fill(const Diagnosis *d, const char *text, char *const values[GROUPS_MAX]) {
        _cleanup_text_ Text t = {};

        for (const char *open; (open = strchr(text, '{')); ) {
                const char *close = strchr(open, '}'), *colon = close ? memchr(open, ':', (size_t) (close - open)) : NULL;
                const char *value = close ? value_of(d, open + 1, (size_t) ((colon ? colon : close) - open - 1), values) : NULL;
                uint64_t slots;

                text_append_n(&t, text, (size_t) (open - text));
                if (!value) { /* no variable */
                        text_append(&t, "{");
                        text = open + 1;
                        continue;
                }
                if (colon && parse_u64(value, &slots) >= 0)
                        text_printf(&t, "%llu MiB", (unsigned long long) (slots / 512));
                else
                        text_append(&t, value);
                text = close + 1;
        }
        text_append(&t, text);
        return text_take(&t);
}
