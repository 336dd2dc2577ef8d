/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "basic/log.h"
#include "cmd/node.h"
#include "cmd/output.h"
#include "node/bundle.h"
#include "node/diagnose.h"
#include "node/journal.h"

#define TIMEOUT_SEC 4

typedef struct Options {
        const char *file, *rules, *bundle;
        bool full;
        unsigned timeout_sec;
} Options;

static const char help[] =
        "gn8v-tee diagnose [OPTION...]\n\n"
        "Read the journal and the kernel's log of this boot, and say which known failures\n"
        "are in them, what causes each, and what to do. Changes nothing.\n\n"
        "  -f, --file=FILE      read a saved log instead (text, JSON, a journal's file,\n"
        "                       gzip, a support archive; - is standard input)\n"
        "      --bundle=FILE    also write an archive for support, without secrets\n"
        "      --full           with serial numbers, UUIDs and addresses in it\n"
        "      --rules=FILE     other known failures than the installed ones\n"
        "      --timeout=SECONDS\n"
        "                       for reading the journal (default: 4)\n"
        "      --root=DIR       look at the system below DIR\n"
        "      --json           one JSON document on standard output\n"
        "  -q, --quiet          the exit code only\n"
        "  -h, --help           this text\n\n"
        "Exit codes: 0 no known failure; 1 failed; 3 found one; 6 malformed file; 8 no\n"
        "space; 11 nothing found, but not all could be read.\n";

static json_t *finding_to_json(const Finding *f) {
        json_t *lines = json_array();

        for (size_t i = 0; i < f->n_lines; i++)
                (void) json_array_append_new(lines,
                                            json_pack("{s:s?, s:s?, s:s, s:b}", "time", f->lines[i].time, "origin", f->lines[i].origin,
                                                      "message", f->lines[i].message, "context", f->lines[i].with));
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s?, s:s?, s:o}", "id", f->diagnosis->id, "summary", f->diagnosis->summary,
                         "severity", severity_to_string(f->diagnosis->severity), "meaning", f->meaning, "cause", f->cause, "next", f->next,
                         "count", (json_int_t) f->count, "last", f->last, "explained_by",
                         f->explained_by ? f->explained_by->diagnosis->id : NULL, "lines", lines);
}

static json_t *diagnose_to_json(const Diagnose *d) {
        json_t *findings = json_array(), *sources = json_array();

        for (size_t i = 0; i < d->n_found; i++)
                (void) json_array_append_new(findings, finding_to_json(d->found[i]));
        for (size_t i = 0; i < d->n_sources; i++)
                (void) json_array_append_new(sources, json_pack("{s:s, s:I, s:b, s:s?}", "name", d->sources[i].name, "lines",
                                                                (json_int_t) d->sources[i].lines, "complete", d->sources[i].complete, "note",
                                                                d->sources[i].note));
        return json_pack("{s:o, s:o, s:s?}", "findings", findings, "sources", sources, "next", d->next);
}

static void print_line(const Sighting *s) {
        printf("     %s%s%s%s%s\n", or_empty(s->time), s->time ? " " : "", or_empty(s->origin), s->origin ? ": " : "", s->message);
}

static void print_finding(const Finding *f, unsigned number) {
        const Diagnosis *d = f->diagnosis;

        if (f->explained_by)
                printf("   and, following from that: %s (%s)\n", d->summary, d->id);
        else
                printf("%u. %s (%s, %s)\n   %s\n   Cause: %s\n", number, d->summary, d->id, severity_to_string(d->severity), f->meaning,
                       f->cause);
        for (size_t i = 0; i < f->n_lines; i++)
                print_line(&f->lines[i]);
        if (f->count > f->n_lines - f->n_with) {
                printf("     ... %llu such lines", (unsigned long long) f->count);
                printf(f->last ? ", the last one at %s\n" : "\n", or_empty(f->last));
        }
        if (!f->explained_by && d->severity != SEVERITY_BENIGN)
                printf("   To do: %s\n", f->next);
}

static void print_diagnose(const Diagnose *d) {
        unsigned number = 0;

        for (size_t i = 0; i < d->n_found; i++) {
                if (!d->found[i]->explained_by)
                        printf("%s", number++ > 0 ? "\n" : "");
                print_finding(d->found[i], number);
        }
        if (d->n_found == 0)
                printf("No known failure was found.\n");
        printf("\nRead:");
        for (size_t i = 0; i < d->n_sources; i++)
                printf("%s %s (%llu lines)", i > 0 ? "," : "", d->sources[i].name, (unsigned long long) d->sources[i].lines);
        printf("\n");
        for (size_t i = 0; i < d->n_sources; i++)
                if (d->sources[i].note)
                        printf("Not all of %s: %s\n", d->sources[i].name, d->sources[i].note);
        printf("\nNext: %s\n", d->next ? d->next : d->code == EXIT_UNCHECKED ? "read what could not be read, see above" : "nothing");
}

/* What is configured helps to know where to look; when it is broken, that is no reason to look nowhere. */
static int load(Node *n, Error *e) {
        _cleanup_error_ Error why = ERROR_INIT;

        if (node_load_release(n, &why) < 0)
                log_warning("%s", or_empty(why.message));
        error_clear(&why);
        if (journal_load(n, &n->journal, &why) >= 0)
                return 0;
        if (why.code == EXIT_INVALID)
                log_warning("%s", or_empty(why.message));
        n->journal = journal_new();
        return n->journal ? 0 : error_oom(e);
}

static int diagnose(Command *c, const Options *o, Node *n, Error *e) {
        _cleanup_diagnose_ Diagnose d = {};
        _cleanup_bundle_ Bundle bundle = {};
        int r;

        r = diagnose_open(&d, n, o->rules, e);
        if (r >= 0 && o->bundle)
                r = bundle_open(&bundle, n, &d, o->bundle, o->full, e);
        if (r >= 0)
                r = load(n, e);
        if (r >= 0)
                r = o->file ? diagnose_file(&d, o->file, o->timeout_sec, e) : diagnose_machine(&d, n, o->timeout_sec, e);
        if (r >= 0)
                r = diagnose_conclude(&d, e);
        if (r < 0)
                return r;
        if (o->bundle) {
                r = bundle_write(&bundle, diagnose_to_json(&d), e);
                if (r < 0)
                        return r;
                log_info("%s: written, %zu files; MANIFEST in it lists them", o->bundle, bundle.n_members);
        }
        if (c->json)
                r = print_json(diagnose_to_json(&d), e);
        else if (!c->quiet)
                print_diagnose(&d);
        return r < 0 ? r : (int) d.code;
}

int verb_diagnose(Command *c, int argc, char *argv[], Error *e) {
        enum { ARG_BUNDLE = 256, ARG_FULL, ARG_RULES, ARG_TIMEOUT };
        static const Option options[] = {
                { "file", 'f', "FILE" },
                { "bundle", ARG_BUNDLE, "FILE" },
                { "full", ARG_FULL, NULL },
                { "rules", ARG_RULES, "FILE" },
                { "timeout", ARG_TIMEOUT, "SECONDS" },
                {},
        };
        _cleanup_node_ Node n = { .root_fd = -1 };
        Options o = { .timeout_sec = TIMEOUT_SEC };
        uint64_t seconds;
        int k, r;

        while ((k = option_next(argc, argv, options)) >= 0)
                switch (k) {
                case 'f': o.file = optarg; break;
                case ARG_BUNDLE: o.bundle = optarg; break;
                case ARG_FULL: o.full = true; break;
                case ARG_RULES: o.rules = optarg; break;
                case ARG_TIMEOUT:
                        if (option_number(optarg, 1, 3600, &seconds) != EXIT_OK)
                                return EXIT_USAGE;
                        o.timeout_sec = (unsigned) seconds;
                        break;
                case 'h': fputs(help, stdout); return EXIT_OK;
                default: return option_status();
                }
        if (optind < argc)
                return verb_too_many("diagnose", argv[optind]);
        if (o.full && !o.bundle)
                return verb_usage("diagnose", "--full is for --bundle");
        r = node_open(&n, c->root, e);
        return r < 0 ? r : diagnose(c, &o, &n, e);
}
