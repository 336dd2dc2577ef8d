/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/modules.h"

#include <yaml.h>

#include "basic/strings.h"

#define DOCUMENTS_MAX 20000
#define DEPTH_MAX     32

void modules_clear(Modules *m) {
        for (size_t i = 0; i < m->n; i++) {
                ModuleDocument *d = &m->v[i];

                free(d->name);
                free(d->stream);
                free(d->version);
                free(d->context);
                free(d->arch);
                strv_free(d->artifacts);
                strv_free(d->profiles);
        }
        free(m->v);
        *m = (Modules){};
}

#define KEY_MAX   64

/* Where an event stands: the keys that lead to it. A key that is no short word is "". */
typedef struct Level {
        bool is_mapping, has_key;
        char key[KEY_MAX];
} Level;

typedef struct Reading {
        const char *name; /* for messages */
        ModuleDocument *d;
        Level levels[DEPTH_MAX];
        size_t depth, allocated_artifacts;
        char *document, *module, *modified;
        Error *e;
} Reading;

static void reading_done(Reading *x) {
        free(x->document);
        free(x->module);
        free(x->modified);
}

static int bad(const Reading *x, const char *what) {
        return error_set(x->e, EBADMSG, EXIT_INVALID, "%s: %s", x->name, what);
}

static bool is_at(const Reading *x, const char *first, const char *second, const char *third) {
        const char *words[] = { first, second, third };
        size_t n = third ? 3 : second ? 2 : 1;

        if (x->depth < n)
                return false;
        for (size_t i = 0; i < n; i++)
                if (!x->levels[i].is_mapping || !streq(x->levels[i].key, words[i]))
                        return false;
        /* A list's items stand one deeper than its key. */
        return third ? x->depth == n + 1 && !x->levels[n].is_mapping : x->depth == n;
}

/* "name-0:1.0-1.noarch" as solvers write it. */
static char *without_zero_epoch(const char *s) {
        const char *zero = strstr(s, "-0:");
        return zero ? format("%.*s-%s", (int) (zero - s), s, zero + 3) : strdup(s);
}

static int take_artifact(Reading *x, const char *value) {
        char *s = without_zero_epoch(value);

        if (!s)
                return error_oom(x->e);
        if (x->d->n_artifacts + 1 >= x->allocated_artifacts) {
                size_t more = x->allocated_artifacts ? 2 * x->allocated_artifacts : 64;
                char **grown = reallocarray(x->d->artifacts, more, sizeof(*grown));

                if (!grown) {
                        free(s);
                        return error_oom(x->e);
                }
                x->d->artifacts = grown;
                x->allocated_artifacts = more;
        }
        x->d->artifacts[x->d->n_artifacts++] = s;
        x->d->artifacts[x->d->n_artifacts] = NULL;
        return 0;
}

static int take_word(Reading *x, char **ret, const char *value) {
        free(*ret);
        *ret = strdup(value);
        return *ret ? 0 : error_oom(x->e);
}

/* data: profiles: STREAM: [PROFILE] */
static int take_profile(Reading *x, const char *value) {
        _cleanup_free_ char *word = format("%s\n%s", x->levels[2].key, value);

        return word && strv_append(&x->d->profiles, word) >= 0 ? 0 : error_oom(x->e);
}

static bool is_profile(const Reading *x) {
        return x->depth == 4 && x->levels[2].is_mapping && !x->levels[3].is_mapping && streq(x->levels[0].key, "data") && streq(x->levels[1].key, "profiles");
}

static int take_value(Reading *x, const char *value) {
        ModuleDocument *d = x->d;
        const struct {
                const char *key;
                char **ret;
        } words[] = { { "name", &d->name }, { "stream", &d->stream }, { "version", &d->version }, { "context", &d->context }, { "arch", &d->arch },
                      { "module", &x->module }, { "modified", &x->modified } };

        if (is_at(x, "document", NULL, NULL))
                return take_word(x, &x->document, value);
        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (is_at(x, "data", words[i].key, NULL))
                        return take_word(x, words[i].ret, value);
        if (is_profile(x))
                return take_profile(x, value);
        return is_at(x, "data", "artifacts", "rpms") ? take_artifact(x, value) : 0;
}

/* A scalar or an alias (value NULL): a key, or what belongs to one. */
static int take_scalar(Reading *x, const char *value) {
        Level *l = x->depth > 0 ? &x->levels[x->depth - 1] : NULL;

        if (!l)
                return 0;
        if (l->is_mapping && !l->has_key) {
                bool is_word = value && strlen(value) < sizeof(l->key);

                memcpy(l->key, is_word ? value : "", is_word ? strlen(value) + 1 : 1);
                l->has_key = true;
                return 0;
        }
        if (l->is_mapping)
                l->has_key = false;
        return value ? take_value(x, value) : 0;
}

static int begin_level(Reading *x, bool is_mapping) {
        /* What is a key itself has no word. */
        if (x->depth > 0 && x->levels[x->depth - 1].is_mapping && !x->levels[x->depth - 1].has_key)
                x->levels[x->depth - 1].key[0] = '\0';
        if (x->depth == DEPTH_MAX)
                return bad(x, "a document is nested too deep");
        x->levels[x->depth++] = (Level){ .is_mapping = is_mapping };
        return 0;
}

static void end_level(Reading *x) {
        if (--x->depth > 0 && x->levels[x->depth - 1].is_mapping)
                x->levels[x->depth - 1].has_key = !x->levels[x->depth - 1].has_key;
}

static int take_event(Reading *x, const yaml_event_t *event, unsigned *n_documents) {
        switch (event->type) {
        case YAML_DOCUMENT_START_EVENT: return ++*n_documents > 1 ? bad(x, "its documents cannot be told apart") : 0;
        case YAML_SCALAR_EVENT: return take_scalar(x, (const char *) event->data.scalar.value);
        case YAML_ALIAS_EVENT: return take_scalar(x, NULL);
        case YAML_MAPPING_START_EVENT: return begin_level(x, true);
        case YAML_SEQUENCE_START_EVENT: return begin_level(x, false);
        case YAML_MAPPING_END_EVENT:
        case YAML_SEQUENCE_END_EVENT: end_level(x); return 0;
        default: return 0;
        }
}

static int read_events(Reading *x, yaml_parser_t *parser) {
        unsigned n_documents = 0;
        bool more = true;
        int r = 0;

        while (r >= 0 && more) {
                yaml_event_t event;

                if (!yaml_parser_parse(parser, &event))
                        return parser->error == YAML_MEMORY_ERROR ? error_oom(x->e) :
                                error_set(x->e, EBADMSG, EXIT_INVALID, "%s: no YAML: %s", x->name, parser->problem ? parser->problem : "malformed");
                more = event.type != YAML_STREAM_END_EVENT;
                r = take_event(x, &event, &n_documents);
                yaml_event_delete(&event);
        }
        return r;
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* What the document says that it is; one that does not say all that a stream has is passed on, and not understood. */
static void judge(Reading *x) {
        ModuleDocument *d = x->d;

        if (d->n_artifacts > 0)
                qsort(d->artifacts, d->n_artifacts, sizeof(char *), compare_strings);
        if (x->document && streq(x->document, "modulemd-defaults") && x->module) {
                d->kind = MODULE_DEFAULTS;
                free(d->name);
                d->name = TAKE_PTR(x->module);
                free(d->version);
                d->version = TAKE_PTR(x->modified);
        } else
                d->kind = x->document && startswith(x->document, "modulemd") && d->name && d->stream && d->version && (d->arch || d->artifacts) ? MODULE_STREAM : MODULE_OTHER;
}

static int read_document(Modules *m, const char *text, size_t size, const char *name, Error *e) {
        _cleanup_(reading_done) Reading x = { .name = name, .e = e };
        yaml_parser_t parser;
        ModuleDocument *grown;
        int r;

        while (size > 0 && strchr(" \t\r\n", text[size - 1]))
                size--;
        if (m->n == DOCUMENTS_MAX)
                return bad(&x, "too many documents");
        if ((m->n & (m->n - 1)) == 0) {
                grown = reallocarray(m->v, m->n ? 2 * m->n : 1, sizeof(*grown));
                if (!grown)
                        return error_oom(e);
                m->v = grown;
        }
        x.d = &m->v[m->n++];
        *x.d = (ModuleDocument){ .text = text, .size = size };
        if (!yaml_parser_initialize(&parser))
                return error_oom(e);
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&parser, (const unsigned char *) text, size);
        r = read_events(&x, &parser);
        yaml_parser_delete(&parser);
        if (r >= 0)
                judge(&x);
        return r;
}

static bool is_marker(const char *line, const char *end, const char *marker) {
        return end - line >= 3 && memcmp(line, marker, 3) == 0 && (end - line == 3 || strchr(" \t\r\n", line[3]));
}

/* Whether a line has something of a document: neither blank, nor a comment, nor a directive. */
static bool has_content(const char *line, const char *end) {
        while (line < end && strchr(" \t\r\n", *line))
                line++;
        return line < end && *line != '#';
}

/* At the beginning of a line "---" and "..." are markers, wherever they are: nothing that is quoted or indented begins there (YAML 1.1, 4.1). */
int modules_parse(const char *text, size_t size, const char *name, Modules *m, Error *e) {
        const char *s = text, *end = text + size, *begin = NULL;
        bool begun = false; /* more than directives */
        int r = 0;

        if (memchr(text, '\0', size))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: no YAML: a byte 0 is in it", name);
        for (const char *next; r >= 0 && s < end; s = next) {
                const char *newline = memchr(s, '\n', (size_t) (end - s));
                bool starts, stops;

                /* Any document may begin with a byte order mark. */
                while (!begin && end - s >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0)
                        s += 3;
                starts = is_marker(s, end, "---");
                stops = is_marker(s, end, "...");
                next = newline ? newline + 1 : end;
                if (begin && begun && (starts || stops)) {
                        r = read_document(m, begin, (size_t) (s - begin), name, e);
                        begin = NULL;
                        begun = false;
                }
                if (stops)
                        begin = NULL;
                else if (starts) {
                        begin = begin ? begin : s;
                        begun = true;
                } else if (has_content(s, next)) {
                        begin = begin ? begin : s;
                        begun = begun || *s != '%';
                }
        }
        return r >= 0 && begin && begun ? read_document(m, begin, (size_t) (end - begin), name, e) : r;
}
