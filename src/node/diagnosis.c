/* SPDX-License-Identifier: Apache-2.0 */
#include "node/diagnosis.h"

#include <locale.h>

#include "release/ini.h"

#define COUNT_MAX    1000u
#define PATTERNS_MAX 64u /* of one diagnosis */

static const char *const severity_names[_SEVERITY_MAX] = {
        [SEVERITY_BENIGN] = "benign", [SEVERITY_NOTE] = "note", [SEVERITY_WARNING] = "warning", [SEVERITY_ERROR] = "error",
};

const char *severity_to_string(Severity s) {
        return severity_names[s];
}

Diagnoses *diagnoses_free(Diagnoses *d) {
        for (size_t i = 0; i < d->n; i++) {
                Diagnosis *v = &d->v[i];

                free(v->id);
                free(v->summary);
                free(v->meaning);
                free(v->cause);
                free(v->next);
                strv_free(v->where);
                strv_free(v->variables);
                strv_free(v->unless);
                strv_free(v->explains);
        }
        for (size_t i = 0; i < d->n_patterns; i++) {
                if (d->patterns[i].compiled)
                        regfree(&d->patterns[i].regex);
                free(d->patterns[i].text);
        }
        free(d->v);
        free(d->patterns);
        free(d->literal_of);
        if (d->literals)
                literals_free(d->literals);
        free(d);
        return NULL;
}

const Diagnosis *diagnoses_find(const Diagnoses *d, const char *id) {
        for (size_t i = 0; i < d->n; i++)
                if (streq(d->v[i].id, id))
                        return &d->v[i];
        return NULL;
}

typedef struct Parser {
        Diagnoses *d;
        const char *path;
        char *section; /* the last one */
        locale_t bytes; /* expressions see bytes: a log need not be UTF-8, and is read faster so */
} Parser;

static int begin(Parser *p, const char *section, unsigned line, Error *e) {
        const char *id = startswith(section, "Diagnosis ");
        Diagnosis *grown;
        size_t n = id ? strlen(id) : 0;

        if (n == 0 || n > 40 || strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
                return ini_error(e, p->path, line, "[%s]: sections are [Diagnosis ID], an id of small letters, digits and -", section);
        if (diagnoses_find(p->d, id))
                return ini_error(e, p->path, line, "[%s]: a second one of that id", section);
        if (p->d->n >= COUNT_MAX)
                return ini_error(e, p->path, line, "more than %u diagnoses", COUNT_MAX);
        grown = reallocarray(p->d->v, p->d->n + 1, sizeof(Diagnosis));
        if (!grown)
                return error_oom(e);
        p->d->v = grown;
        grown[p->d->n] = (Diagnosis){ .id = strdup(id), .severity = _SEVERITY_MAX, .rank = UINT64_MAX, .line = line };
        if (!grown[p->d->n].id)
                return error_oom(e);
        p->d->n++;
        free(p->section);
        p->section = strdup(section);
        return p->section ? 0 : error_oom(e);
}

static int add_pattern(Parser *p, PatternRole role, const char *value, unsigned line, Error *e) {
        Diagnosis *d = &p->d->v[p->d->n - 1];
        _cleanup_free_ char *literal = NULL;
        const char *reason = NULL;
        Pattern *grown, *pattern;
        locale_t saved;
        size_t mine = 0;
        int k;

        for (size_t i = 0; i < p->d->n_patterns; i++)
                mine += p->d->patterns[i].diagnosis == p->d->n - 1;
        if (mine >= PATTERNS_MAX)
                return ini_error(e, p->path, line, "more than %u patterns of one diagnosis", PATTERNS_MAX);
        k = pattern_literal(value, &literal, &reason);
        if (k < 0)
                return k == -ENOMEM ? error_oom(e) : ini_error(e, p->path, line, "%s: %s", value, reason);
        grown = reallocarray(p->d->patterns, p->d->n_patterns + 1, sizeof(Pattern));
        if (!grown)
                return error_oom(e);
        p->d->patterns = grown;
        pattern = &grown[p->d->n_patterns++];
        *pattern = (Pattern){ .role = role, .text = strdup(value), .diagnosis = p->d->n - 1 };
        if (!pattern->text)
                return error_oom(e);
        saved = uselocale(p->bytes);
        pattern->compiled = regcomp(&pattern->regex, value, REG_EXTENDED) == 0;
        (void) uselocale(saved);
        if (!pattern->compiled)
                return ini_error(e, p->path, line, "%s: not an extended regular expression of POSIX", value);
        if (pattern->regex.re_nsub > GROUPS_MAX)
                return ini_error(e, p->path, line, "%s: more than %d groups", value, GROUPS_MAX);
        if (role == PATTERN_NOT)
                return 0;
        if (role == PATTERN_MATCH)
                pattern->number = d->matches++;
        k = literals_add(p->d->literals, literal);
        if (k < 0)
                return k == -ENOMEM ? error_oom(e) : ini_error(e, p->path, line, "the patterns are too many");
        size_t *literal_of = reallocarray(p->d->literal_of, p->d->n_literals + 1, sizeof(size_t));
        if (!literal_of)
                return error_oom(e);
        p->d->literal_of = literal_of;
        literal_of[p->d->n_literals++] = p->d->n_patterns - 1;
        return 0;
}

static int set_severity(Parser *p, Diagnosis *d, const char *value, unsigned line, Error *e) {
        for (Severity s = 0; s < _SEVERITY_MAX; s++)
                if (streq(value, severity_names[s])) {
                        d->severity = s;
                        return 0;
                }
        return ini_error(e, p->path, line, "Severity=%s: one of benign, note, warning, error", value);
}

static int set_sentence(Parser *p, char **field, const char *key, const char *value, unsigned line, Error *e) {
        if (*field)
                return ini_error(e, p->path, line, "%s= a second time", key);
        if (!*value)
                return ini_error(e, p->path, line, "%s= is empty", key);
        *field = strdup(value);
        return *field ? 0 : error_oom(e);
}

static int on_value(void *userdata, const char *section, const char *key, const char *value, unsigned line, Error *e) {
        Parser *p = userdata;
        Diagnosis *d;
        int k;

        if (!p->section || !streq(p->section, section)) {
                k = begin(p, section, line, e);
                if (k < 0)
                        return k;
        }
        d = &p->d->v[p->d->n - 1];
        const struct { const char *key; char **field; } sentences[] = {
                { "Summary", &d->summary }, { "Meaning", &d->meaning }, { "Cause", &d->cause }, { "Next", &d->next },
        };
        const struct { const char *key; char ***field; } lists[] = {
                { "Where", &d->where }, { "Variables", &d->variables }, { "UnlessFound", &d->unless }, { "Explains", &d->explains },
        };

        for (size_t i = 0; i < ELEMENTSOF(sentences); i++)
                if (streq(key, sentences[i].key))
                        return set_sentence(p, sentences[i].field, key, value, line, e);
        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                if (streq(key, lists[i].key))
                        return strv_append_words(lists[i].field, value) < 0 ? error_oom(e) : 0;
        if (streq(key, "Match"))
                return add_pattern(p, PATTERN_MATCH, value, line, e);
        if (streq(key, "With"))
                return add_pattern(p, PATTERN_WITH, value, line, e);
        if (streq(key, "Not"))
                return add_pattern(p, PATTERN_NOT, value, line, e);
        if (streq(key, "Severity"))
                return set_severity(p, d, value, line, e);
        if (streq(key, "Rank"))
                return parse_u64(value, &d->rank) < 0 ? ini_error(e, p->path, line, "Rank=%s: not a number", value) : 0;
        if (streq(key, "Needs")) {
                d->all = streq(value, "all");
                return d->all || streq(value, "any") ? 0 : ini_error(e, p->path, line, "Needs=%s: all or any", value);
        }
        return ini_error(e, p->path, line, "%s=: there is no such key", key);
}

static int check_ids(const Parser *p, const Diagnosis *d, const char *key, char *const *ids, Error *e) {
        STRV_FOREACH(id, ids) {
                const Diagnosis *other = diagnoses_find(p->d, *id);

                if (!other || other == d)
                        return ini_error(e, p->path, d->line, "[Diagnosis %s] %s=%s: there is no other diagnosis of that id", d->id, key,
                                         *id);
                if (streq(key, "UnlessFound") ? strv_contains(other->unless, d->id) : other->rank <= d->rank)
                        return ini_error(e, p->path, d->line, "[Diagnosis %s] %s=%s: %s", d->id, key, *id,
                                         streq(key, "UnlessFound") ? "that one says the same the other way round"
                                                                   : "that one has no higher Rank=");
        }
        return 0;
}

static int check(const Parser *p, const Diagnosis *d, Error *e) {
        int k;

        if (d->matches == 0 || !d->where || !d->summary || !d->meaning || !d->cause || !d->next || d->severity == _SEVERITY_MAX ||
            d->rank == UINT64_MAX)
                return ini_error(e, p->path, d->line,
                                 "[Diagnosis %s] lacks one of Match, Where, Severity, Rank, Summary, Meaning, Cause, Next", d->id);
        if (strv_length(d->variables) > GROUPS_MAX)
                return ini_error(e, p->path, d->line, "[Diagnosis %s] has more than %d variables", d->id, GROUPS_MAX);
        k = check_ids(p, d, "UnlessFound", d->unless, e);
        return k < 0 ? k : check_ids(p, d, "Explains", d->explains, e);
}

static int parse(Parser *p, const char *data, size_t size, Error *e) {
        int k;

        p->d->literals = literals_new();
        if (!p->d->literals)
                return error_oom(e);
        k = ini_parse(p->path, data, size, on_value, p, e);
        for (size_t i = 0; i < p->d->n && k >= 0; i++)
                k = check(p, &p->d->v[i], e);
        if (k >= 0 && p->d->n == 0)
                k = ini_error(e, p->path, 1, "has no diagnosis");
        if (k >= 0 && literals_finish(p->d->literals) < 0)
                k = error_oom(e);
        return k;
}

int diagnoses_parse(const char *path, const char *data, size_t size, Diagnoses **ret, Error *e) {
        _cleanup_(diagnoses_freep) Diagnoses *d = calloc(1, sizeof(Diagnoses));
        Parser p = { .d = d, .path = path, .bytes = newlocale(LC_ALL_MASK, "C", NULL) };
        int k;

        if (!d || !p.bytes)
                k = error_oom(e);
        else
                k = parse(&p, data, size, e);
        if (p.bytes)
                freelocale(p.bytes);
        free(p.section);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(d);
        return 0;
}
