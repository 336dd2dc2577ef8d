/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/options.h"

#include <stdlib.h>

#include "basic/strings.h"
#include "cmd/output.h"

#define LIST_OPTIONS "--list-options" /* what completion asks for, alone; not in --help */

static const Program *program;
static const char *verb_now;    /* whose words are read */
static const Option *option_now;
static int status;              /* what option_status() returns */

void program_begin(const Program *p, int argc, char *argv[]) {
        program = p;
        /* Also for what goes wrong before it is read. */
        for (int i = 1; i < argc && !streq(argv[i], "--"); i++)
                if (streq(argv[i], "--json"))
                        output_json();
}

int verb_usage(const char *verb, const char *fmt, ...) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *why = NULL;
        va_list ap;

        va_start(ap, fmt);
        why = format_va(fmt, ap);
        va_end(ap);
        (void) error_set(&e, EINVAL, EXIT_USAGE, "%s%s%s", verb ? verb : "", verb ? ": " : "", why ? why : fmt);
        (void) error_hint(&e, 0, "Try: %s %s%s--help", program->name, verb ? verb : "", verb ? " " : "");
        return output_failed(-EINVAL, &e);
}

int verb_too_many(const char *verb, const char *word) {
        return verb_usage(verb, "%s: one word too many", word);
}

static size_t n_options(const Option *o) {
        size_t n = 0;

        while (o && o[n].name)
                n++;
        return n;
}

/* The i-th option of both tables, which are read as one; NULL behind the last. */
static const Option *option_at(const Option *own, size_t i) {
        size_t n = n_options(own);

        return i < n ? &own[i] : i - n < n_options(program->common) ? &program->common[i - n] : NULL;
}

static const Option *option_of(const Option *own, int id) {
        const Option *o;

        for (size_t i = 0; (o = option_at(own, i)) && o->id != id;)
                i++;
        return o;
}

/* How many characters are to be changed, left out, put in, or swapped with the next one, to make b of a; more than a few are not counted. */
static size_t distance(const char *a, const char *b) {
        size_t n = strlen(a), m = strlen(b);
        size_t row[3][32] = {};

        if (n >= 31 || m >= 31)
                return SIZE_MAX;
        for (size_t j = 0; j <= m; j++)
                row[0][j] = j;
        for (size_t i = 1; i <= n; i++) {
                size_t *before = row[(i + 1) % 3], *last = row[(i + 2) % 3], *next = row[i % 3];

                next[0] = i;
                for (size_t j = 1; j <= m; j++) {
                        next[j] = MIN(MIN(last[j], next[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                next[j] = MIN(next[j], before[j - 2] + 1);
                }
        }
        return row[n % 3][m];
}

/* Whether name is nearer to word than the best so far, and near enough to be meant: two slips in a long word, one in a short one. */
static bool is_nearer(const char *word, const char *name, size_t *best) {
        size_t d = distance(word, name);

        if (d >= *best || d > (strlen(word) > 4 ? 2 : 1))
                return false;
        *best = d;
        return true;
}

int verb_unknown(const char *word, const char *const *names) {
        const char *near = NULL;
        size_t best = SIZE_MAX;

        for (; *names; names++)
                near = is_nearer(word, *names, &best) ? *names : near;
        return near ? verb_usage(NULL, "%s: there is no such verb; did you mean %s?", word, near) : verb_usage(NULL, "%s: there is no such verb", word);
}

/* Unknown, or the beginning of several: getopt_long() tells the two by printing only. */
static int unknown_long(const char *verb, const Option *own, const char *word) {
        _cleanup_free_ char *name = strndup(word, strcspn(word, "="));
        const char *near = NULL;
        _cleanup_text_ Text several = {};
        size_t best = SIZE_MAX, n = 0;
        const Option *o;

        for (size_t i = 0; name && (o = option_at(own, i)); i++) {
                if (startswith(o->name, name))
                        text_printf(&several, "%s--%s", n++ > 0 ? ", " : "", o->name);
                near = is_nearer(name, o->name, &best) ? o->name : near;
        }
        if (n > 1 && !several.failed)
                return verb_usage(verb, "--%s: which of %s?", name, several.data);
        if (near)
                return verb_usage(verb, "--%s: there is no such option; did you mean --%s?", name, near);
        return verb_usage(verb, "--%s: there is no such option", name ? name : word);
}

static int unknown_short(const char *verb, const Option *own, char letter, const char *word) {
        const Option *o;

        for (size_t i = 0; word[0] == '-' && (o = option_at(own, i)); i++)
                if (streq(o->name, word + 1))
                        return verb_usage(verb, "-%c: there is no such option; did you mean --%s?", letter, o->name);
        return verb_usage(verb, "-%c: there is no such option", letter);
}

/* What getopt_long() could not take. */
static int refuse(int argc, char *argv[], const char *verb, const Option *own, bool missing) {
        const char *before = argv[optind - 1], *word = before;
        const Option *o = optopt != 0 ? option_of(own, optopt) : NULL;

        if (o && missing)
                return verb_usage(verb, "--%s wants a value: --%s=%s", o->name, o->name, o->takes);
        if (o)
                return verb_usage(verb, "--%s takes no value", o->name);
        if (optopt == 0)
                return unknown_long(verb, own, before + 2);
        /* In the middle of several letters behind one dash the word is not done with yet. */
        if (optind < argc && argv[optind][0] == '-' && argv[optind][1] != '-' && strchr(argv[optind], optopt))
                word = argv[optind];
        return unknown_short(verb, own, (char) optopt, word);
}

static void list_options(const Option *own) {
        const Option *o;

        for (size_t i = 0; (o = option_at(own, i)); i++) {
                if (o->id < 128)
                        printf("-%c, ", o->id);
                printf("--%s%s%s\n", o->name, o->takes && *o->takes != '[' ? "=" : "", or_empty(o->takes));
        }
}

/* One of the common options: true when there is nothing more to do. */
static bool take_common(int id, const char *value) {
        if (id == ARG_COMMON_VERSION) {
                printf("%s " GN8V_VERSION "\n", program->name);
                return true;
        }
        if (id == ARG_COMMON_JSON)
                output_json();
        status = program->take(program->userdata, id, value);
        return status != EXIT_OK;
}

/* getopt_long() with the two tables; it keeps nothing of what it is given. */
static int next(int argc, char *argv[], const Option *own, bool before_verb) {
        size_t n = n_options(own) + n_options(program->common);
        _cleanup_free_ struct option *v = calloc(n + 1, sizeof(struct option));
        _cleanup_text_ Text letters = {};

        if (!v)
                return -ENOMEM;
        text_append(&letters, before_verb ? "+:" : ":");
        for (size_t i = 0; i < n; i++) {
                const Option *o = option_at(own, i);

                v[i] = (struct option){ o->name, !o->takes ? no_argument : *o->takes == '[' ? optional_argument : required_argument, NULL, o->id };
                if (o->id < 128)
                        text_printf(&letters, "%c%s", o->id, o->takes ? ":" : "");
        }
        if (letters.failed)
                return -ENOMEM;
        opterr = 0;
        return getopt_long(argc, argv, letters.data, v, NULL);
}

static bool is_own(const Option *own, int id) {
        for (; own && own->name; own++)
                if (own->id == id)
                        return true;
        return false;
}

static int read_option(int argc, char *argv[], const char *verb, const Option *own) {
        status = EXIT_OK;
        verb_now = verb;
        if (argc == 2 && streq(argv[1], LIST_OPTIONS)) {
                list_options(own);
                return '?';
        }
        for (;;) {
                int c = next(argc, argv, own, !verb);
                const Option *o = option_now = option_of(own, c);

                if (c == -1)
                        return -1;
                if (c == -ENOMEM || c == '?' || c == ':') {
                        status = c == -ENOMEM ? verb_usage(verb, "out of memory") : refuse(argc, argv, verb, own, c == ':');
                        return '?';
                }
                if (o && optarg && !*optarg) {
                        status = verb_usage(verb, "--%s: its value is empty: --%s%s%s", o->name, o->name, *o->takes == '[' ? "" : "=", o->takes);
                        return '?';
                }
                if (c == 'h' || is_own(own, c))
                        return c;
                if (take_common(c, optarg))
                        return '?';
        }
}

int options_before_verb(int argc, char *argv[], void (*help)(void)) {
        int c = read_option(argc, argv, NULL, NULL);

        if (c == 'h')
                help();
        return c < 0 ? -1 : c == 'h' ? EXIT_OK : status;
}

int option_next(int argc, char *argv[], const Option *options) {
        int c = read_option(argc, argv, argv[0], options);

        for (int i = optind; c < 0 && i < argc; i++)
                if (!*argv[i]) {
                        status = verb_usage(argv[0], "one of its words is empty");
                        return '?';
                }
        return c;
}

int option_status(void) {
        return status;
}

int options_none(int argc, char *argv[], const char *help, int words) {
        static const Option none[] = { {} };
        int c = option_next(argc, argv, none);

        if (c == 'h')
                fputs(help, stdout);
        if (c >= 0)
                return c == 'h' ? EXIT_OK : status;
        return optind + words < argc ? verb_too_many(argv[0], argv[optind + words]) : -1;
}

int option_number(const char *value, uint64_t min, uint64_t max, uint64_t *ret) {
        uint64_t n;

        if (parse_u64(value, &n) < 0 || n < min || n > max)
                return status = verb_usage(verb_now, "--%s=%s: not a number from %ju to %ju", option_now->name, value, (uintmax_t) min, (uintmax_t) max);
        *ret = n;
        return EXIT_OK;
}

int option_refuse(const char *why) {
        return status = verb_usage(verb_now, "--%s=%s: %s", option_now->name, optarg, why);
}
