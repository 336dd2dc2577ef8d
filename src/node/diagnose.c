/* SPDX-License-Identifier: Apache-2.0 */
#include "node/diagnose.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <stdarg.h>

#include "basic/fs.h"

static void forget(Finding *f) {
        const Diagnosis *diagnosis = f->diagnosis;

        for (size_t i = 0; i < f->n_lines; i++) {
                free(f->lines[i].time);
                free(f->lines[i].origin);
                free(f->lines[i].message);
        }
        for (size_t i = 0; i < GROUPS_MAX; i++)
                free(f->values[i]);
        free(f->last);
        free(f->meaning);
        free(f->cause);
        free(f->next);
        *f = (Finding){ .diagnosis = diagnosis };
}

void diagnose_reset(Diagnose *d) {
        for (size_t i = 0; i < d->known->n; i++)
                forget(&d->findings[i]);
}

void diagnose_close(Diagnose *d) {
        if (d->known && d->findings)
                diagnose_reset(d);
        if (d->known)
                diagnoses_free(d->known);
        for (size_t i = 0; i < d->n_sources; i++) {
                free(d->sources[i].name);
                free(d->sources[i].note);
        }
        strv_free(d->already);
        free(d->findings);
        free(d->hits);
        free(d->sources);
        free(d->found);
        free(d->next);
        *d = (Diagnose){};
}

static int read_rules(Node *n, const char *rules, char **ret, size_t *ret_size) {
        int k;

        if (rules)
                return read_file(AT_FDCWD, rules, DIAGNOSES_MAX, ret, ret_size);
        k = node_read(n, DIAGNOSES_PATH, DIAGNOSES_MAX, ret, ret_size);
        /* Another root may lack the package. */
        return k == -ENOENT || k == -ENOTDIR ? read_file(AT_FDCWD, DIAGNOSES_PATH, DIAGNOSES_MAX, ret, ret_size) : k;
}

int diagnose_open(Diagnose *d, Node *n, const char *rules, Error *e) {
        const char *path = rules ? rules : DIAGNOSES_PATH;
        _cleanup_free_ char *data = NULL;
        size_t size;
        int k;

        *d = (Diagnose){};
        k = read_rules(n, rules, &data, &size);
        if (k < 0)
                return error_hint(e, error_unreadable(e, -k, path),
                                  rules ? "give a file like " DIAGNOSES_PATH : "reinstall the package: yum reinstall gn8v-tee");
        k = diagnoses_parse(path, data, size, &d->known, e);
        if (k < 0)
                return error_hint(e, k, "correct that line, or reinstall the package: yum reinstall gn8v-tee");
        d->findings = calloc(d->known->n, sizeof(Finding));
        d->hits = calloc(d->known->n_literals + 1, sizeof(bool));
        if (!d->findings || !d->hits)
                return error_oom(e);
        for (size_t i = 0; i < d->known->n; i++)
                d->findings[i].diagnosis = &d->known->v[i];
        return 0;
}

LogSource *diagnose_source(Diagnose *d, const char *name) {
        LogSource *grown = reallocarray(d->sources, d->n_sources + 1, sizeof(LogSource));

        if (!grown)
                return NULL;
        d->sources = grown;
        grown[d->n_sources] = (LogSource){ .name = printable(name, strlen(name)), .complete = true };
        return grown[d->n_sources].name ? &grown[d->n_sources++] : NULL;
}

int source_note(LogSource *s, const char *fmt, ...) {
        va_list ap;

        va_start(ap, fmt);
        free(s->note);
        s->note = format_va(fmt, ap);
        va_end(ap);
        s->complete = false;
        return s->note ? 0 : -ENOMEM;
}

/* Whether a program's name stands for that unit. */
static bool is_unit_of(const char *unit, const char *program) {
        const char *rest = startswith(unit, program);

        return rest && (*rest == '\0' || streq(rest, ".service"));
}

static bool where_fits(const Diagnosis *d, const LogLine *l, const char *origin) {
        if (!origin) /* a copied line: only its words tell */
                return true;
        STRV_FOREACH(w, d->where)
                if (streq(*w, "any") || (streq(*w, "kernel") && l->kernel) || (streq(*w, "clients") && !l->kernel) ||
                    (**w == '/' && fnmatch(*w, origin, FNM_PATHNAME) == 0) || (!l->kernel && is_unit_of(*w, origin)) ||
                    (l->program && is_unit_of(*w, l->program)) ||
                    (l->about && streq(*w, l->about)))
                        return true;
        return false;
}

static bool is_false_friend(const Diagnoses *known, size_t diagnosis, const char *message) {
        for (size_t i = 0; i < known->n_patterns; i++)
                if (known->patterns[i].diagnosis == diagnosis && known->patterns[i].role == PATTERN_NOT &&
                    regexec(&known->patterns[i].regex, message, 0, NULL, 0) == 0)
                        return true;
        return false;
}

static int copy(char **to, const char *from) {
        *to = from ? strdup(from) : NULL;
        return from && !*to ? -ENOMEM : 0;
}

static int remember_line(Finding *f, const LogLine *l, const char *origin, bool with) {
        Sighting *s = &f->lines[f->n_lines];

        /* A line that several patterns match is shown once. */
        if ((with ? f->n_with : f->n_lines - f->n_with) >= SIGHTINGS_MAX ||
            (f->n_lines > 0 && streq(s[-1].message, l->message) && streq(s[-1].time ? s[-1].time : "", l->time ? l->time : "")))
                return 0;
        *s = (Sighting){ .with = with };
        f->n_lines++;
        f->n_with += with;
        return copy(&s->time, l->time) < 0 || copy(&s->origin, origin) < 0 || copy(&s->message, l->message) < 0 ? -ENOMEM : 0;
}

/* One line counts once, however many of the patterns match it. */
static int record(Finding *f, const Pattern *p, const LogLine *l, const char *origin, const regmatch_t *groups, bool counted) {
        if (p->role == PATTERN_MATCH) {
                f->seen |= (uint64_t) 1 << p->number;
                f->count += !counted;
                for (size_t i = 0; i < p->regex.re_nsub && i < GROUPS_MAX; i++)
                        if (!f->values[i] && groups[i + 1].rm_so >= 0) {
                                f->values[i] =
                                        strndup(l->message + groups[i + 1].rm_so, (size_t)(groups[i + 1].rm_eo - groups[i + 1].rm_so));
                                if (!f->values[i])
                                        return -ENOMEM;
                        }
                free(f->last);
                if (copy(&f->last, l->time) < 0)
                        return -ENOMEM;
        }
        return remember_line(f, l, origin, p->role == PATTERN_WITH);
}

/* 1: some pattern matches. */
static int match(Diagnose *d, const LogLine *l, const char *origin) {
        const Finding *last = NULL; /* patterns of one diagnosis follow one another */
        int matched = 0;

        memset(d->hits, 0, d->known->n_literals * sizeof(bool));
        if (!literals_scan(d->known->literals, l->message, strlen(l->message), d->hits))
                return 0;
        for (size_t i = 0; i < d->known->n_literals; i++) {
                const Pattern *p = &d->known->patterns[d->known->literal_of[i]];
                Finding *f = &d->findings[p->diagnosis];
                regmatch_t groups[GROUPS_MAX + 1];

                if (!d->hits[i] || !where_fits(f->diagnosis, l, origin) || regexec(&p->regex, l->message, GROUPS_MAX + 1, groups, 0) != 0 ||
                    is_false_friend(d->known, p->diagnosis, l->message))
                        continue;
                if (record(f, p, l, origin, groups, f == last) < 0)
                        return -ENOMEM;
                if (p->role == PATTERN_MATCH)
                        last = f;
                matched = 1;
        }
        return matched;
}

/* Whether the words of a raw line may be hidden by the way it is written. */
static bool is_escaped(const char *line, size_t size) {
        static const char *const signs[] = { "\\u", "\"MESSAGE\":[", "\"MESSAGE\": [", "\"MESSAGE\" : [" };

        if (size == 0 || *line != '{') /* else the \xNN of /dev/kmsg */
                return size > 0 && *line >= '0' && *line <= '9' && memmem(line, size, "\\x", 2);
        for (size_t i = 0; i < ELEMENTSOF(signs); i++)
                if (memmem(line, size, signs[i], strlen(signs[i])))
                        return true;
        return false;
}

static bool was_read(const Diagnose *d, const LogLine *l) {
        const char *const names[] = { l->origin, l->program, l->about };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (names[i] && strv_contains(d->already, names[i]))
                        return true;
        return l->kernel;
}

/* Programs that write down the commands of others, and our own words, are about failures and none themselves. */
static bool only_quotes(const char *program) {
        static const char *const names[] = { "sudo", "su", "audit", "auditd", "cron", "CRON", "crond", "CROND" };

        for (size_t i = 0; program && i < ELEMENTSOF(names); i++)
                if (is_unit_of(names[i], program) || is_unit_of(program, names[i]))
                        return true;
        return program && startswith(program, "gn8v-tee");
}

int diagnose_line(Diagnose *d, const char *line, size_t size, const char *origin) {
        _cleanup_log_line_ LogLine l = {};
        int k;

        if (!d->keep && !literals_scan(d->known->literals, line, size, d->hits) && !is_escaped(line, size))
                return 0;
        k = log_line_parse(line, size, &l);
        if (k == -ENODATA)
                return 0;
        if (k < 0)
                return k;
        if (!origin)
                origin = l.origin;
        if (only_quotes(origin) || only_quotes(l.program) || (d->already && was_read(d, &l)))
                return 0;
        k = match(d, &l, origin);
        if (k >= 0 && d->keep)
                k = d->keep(&l, k > 0, d->userdata);
        return MIN(k, 0);
}

static bool is_seen(const Finding *f) {
        uint64_t every = f->diagnosis->matches >= 64 ? UINT64_MAX : ((uint64_t) 1 << f->diagnosis->matches) - 1;

        return f->count > 0 && (!f->diagnosis->all || f->seen == every);
}

static bool is_found(const Diagnose *d, const Finding *f) {
        if (!is_seen(f))
                return false;
        for (size_t i = 0; i < d->known->n; i++)
                if (is_seen(&d->findings[i]) && strv_contains(f->diagnosis->unless, d->findings[i].diagnosis->id))
                        return false;
        return true;
}

static bool matters(const Finding *f) {
        return f->diagnosis->severity >= SEVERITY_WARNING;
}

/* What matters before what does not, then the most fundamental. */
static int compare(const void *a, const void *b) {
        const Finding *x = *(const Finding *const *) a, *y = *(const Finding *const *) b;

        if (matters(x) != matters(y))
                return matters(x) ? -1 : 1;
        if (x->diagnosis->rank != y->diagnosis->rank)
                return x->diagnosis->rank < y->diagnosis->rank ? -1 : 1;
        return strcmp(x->diagnosis->id, y->diagnosis->id);
}

static int fill(Finding *f) {
        const Diagnosis *d = f->diagnosis;

        free(f->meaning);
        free(f->cause);
        free(f->next);
        f->meaning = diagnosis_fill(d, d->meaning, f->values);
        f->cause = diagnosis_fill(d, d->cause, f->values);
        f->next = diagnosis_fill(d, d->next, f->values);
        return f->meaning && f->cause && f->next ? 0 : -ENOMEM;
}

/* Behind each finding come those that follow from it. */
static void group(const Finding **found, size_t n) {
        for (size_t i = 0; i < n; i++)
                for (size_t j = i + 1, at = i + 1; j < n && !found[i]->explained_by; j++)
                        if (found[j]->explained_by == found[i]) {
                                const Finding *f = found[j];

                                memmove(found + at + 1, found + at, (j - at) * sizeof(*found));
                                found[at++] = f;
                        }
}

/* The most fundamental one that leads to f. */
static const Finding *explanation(const Diagnose *d, const Finding *f) {
        for (size_t i = 0; i < d->n_found; i++)
                if (d->found[i] != f && strv_contains(d->found[i]->diagnosis->explains, f->diagnosis->id))
                        return d->found[i]->explained_by ? d->found[i]->explained_by : d->found[i];
        return NULL;
}

int diagnose_conclude(Diagnose *d, Error *e) {
        bool incomplete = false;

        free(d->found);
        free(d->next);
        d->next = NULL;
        d->n_found = 0;
        d->found = calloc(d->known->n, sizeof(*d->found));
        if (!d->found)
                return error_oom(e);
        for (size_t i = 0; i < d->known->n; i++) {
                if (!is_found(d, &d->findings[i]))
                        continue;
                if (fill(&d->findings[i]) < 0)
                        return error_oom(e);
                d->found[d->n_found++] = &d->findings[i];
        }
        qsort(d->found, d->n_found, sizeof(*d->found), compare);
        /* Who explains has a lower rank: by now it is settled what explains that one. */
        for (size_t i = 0; i < d->n_found; i++)
                d->findings[d->found[i]->diagnosis - d->known->v].explained_by = explanation(d, d->found[i]);
        group(d->found, d->n_found);
        for (size_t i = 0; i < d->n_sources; i++)
                incomplete = incomplete || !d->sources[i].complete;
        d->code = incomplete ? EXIT_UNCHECKED : EXIT_OK;
        if (d->n_found > 0 && matters(d->found[0])) {
                d->code = EXIT_DIFFERS;
                d->next = strdup(d->found[0]->next);
                return d->next ? 0 : error_oom(e);
        }
        return 0;
}
