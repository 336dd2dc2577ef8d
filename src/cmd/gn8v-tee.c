/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <jansson.h>
#include <locale.h>

#include "basic/log.h"
#include "basic/process.h"
#include "node/plan.h"
#include "node/reboot.h"
#include "node/status.h"

static const char *arg_root, *arg_package;
static bool arg_json, arg_quiet, arg_dry_run, arg_boot, arg_finish;
static unsigned arg_wait;

/* Left-aligned columns, as wide as their widest cell; the last one is not filled up. */
static void print_table(const char *const *cells, size_t rows, size_t columns) {
        size_t width[8] = {};

        for (size_t i = 0; i < rows * columns; i++)
                width[i % columns] = MAX(width[i % columns], strlen(cells[i]));
        for (size_t i = 0; i < rows * columns; i++) {
                bool last = i % columns == columns - 1;

                printf("%-*s%s", last ? 0 : (int) width[i % columns], cells[i], last ? "\n" : "  ");
        }
}

static int print_json(json_t *document, Error *e) {
        int r = document ? json_dumpf(document, stdout, JSON_INDENT(2) | JSON_SORT_KEYS) : -1;

        json_decref(document);
        if (r < 0)
                return error_oom(e);
        putchar('\n');
        return 0;
}

static const char *or_empty(const char *s) {
        return s ? s : "";
}

static const char *or_dash(const char *s) {
        return s && *s ? s : "-";
}

/* What is said about a resource, and what to do: its error's words, or its own. */
static const char *note_of(const Resource *r) {
        return r->error.message ? r->error.message : r->note;
}

static const char *hint_of(const Resource *r) {
        return r->error.message ? r->error.hint : r->hint;
}

static void print_plan(const Node *n, const ResourceList *l) {
        const char **cells = calloc((l->n + 1) * 4, sizeof(char *));
        static const char *const head[] = { "RESOURCE", "FOUND", "WANTED", "ACTION" };
        _cleanup_free_ char *name = n->release ? release_name(n->release) : NULL;

        if (!cells)
                return;
        printf("Release %s, here: %s\n\n", name ? name : "none installed", environment_to_string(n->environment));
        memcpy(cells, head, sizeof(head));
        for (size_t i = 0; i < l->n; i++) {
                const Resource *r = l->resources[i];

                cells[4 * i + 4] = r->id;
                cells[4 * i + 5] = or_dash(r->found);
                cells[4 * i + 6] = or_dash(r->wanted);
                cells[4 * i + 7] = action_to_string(r->action);
        }
        print_table(cells, l->n + 1, 4);
        free(cells);
        for (size_t i = 0; i < l->n; i++) {
                const Resource *r = l->resources[i];

                if (note_of(r) || hint_of(r))
                        printf("\n%s: %s%s%s\n", r->id, or_empty(note_of(r)), note_of(r) && hint_of(r) ? "\n  " : "", or_empty(hint_of(r)));
        }
}

static json_t *plan_to_json(const Node *n, const ResourceList *l) {
        _cleanup_free_ char *name = n->release ? release_name(n->release) : NULL;
        json_t *array = json_array();

        for (size_t i = 0; i < l->n; i++) {
                const Resource *r = l->resources[i];
                json_t *o = json_pack("{s:s, s:s?, s:s?, s:s, s:s?, s:s?}", "id", r->id, "found", r->found, "wanted", r->wanted, "action",
                                      action_to_string(r->action), "note", note_of(r), "hint", hint_of(r));

                if (json_array_append_new(array, o) < 0)
                        break;
        }
        return json_pack("{s:s?, s:s, s:o}", "release", name, "environment", environment_to_string(n->environment), "resources", array);
}

static int show_plan(Node *n, Error *e) {
        _cleanup_resource_list_ ResourceList l = {};
        int r;

        r = plan_make(n, &l, e);
        if (r < 0)
                return r;
        if (arg_json)
                r = print_json(plan_to_json(n, &l), e);
        else
                print_plan(n, &l);
        return r < 0 ? r : plan_has_work(&l) ? EXIT_DIFFERS : EXIT_OK;
}

/* What happens, as it happens, on standard error. */
static void report(const Resource *r, Event event, void *userdata) {
        const char *note = note_of(r), *hint = hint_of(r);

        switch (event) {
        case EVENT_BEGIN: log_info("%s: being made, this can take minutes", r->id); return;
        case EVENT_DONE: log_info("%s: %s", r->id, note ? note : r->found && r->action != ACTION_REVERT ? r->found : r->wanted ? r->wanted : "done"); return;
        case EVENT_KEPT: log_debug("%s: kept: %s", r->id, note ? note : or_empty(r->found)); return;
        case EVENT_DEFERRED: log_info("%s: left for the first boot", r->id); return;
        case EVENT_REFUSED: log_warning("%s: not changed here%s%s", r->id, hint ? ": " : "", or_empty(hint)); return;
        case EVENT_WAIT: log_warning("%s: %s%s%s", r->id, or_empty(note), hint ? "; next: " : "", or_empty(hint)); return;
        case EVENT_FAILED: log_warning("%s: failed: %s%s%s", r->id, or_empty(note), hint ? "; next: " : "", or_empty(hint)); return;
        }
}

static int result_code(const PlanResult *c) {
        return c->failed > 0 ? EXIT_FAILED : c->waiting > 0 ? EXIT_DIFFERS : EXIT_OK;
}

/* The one thing that must not be overlooked: the next boot's kernel has no driver. */
static bool warn_about_module(const ResourceList *l) {
        bool warned = false;

        for (size_t i = 0; i < l->n; i++) {
                const Resource *r = l->resources[i];

                if (r->type != &module_type || (r->action != ACTION_WAIT && !r->error.message))
                        continue;
                log_warning("DO NOT REBOOT YET: kernel %s, which boots next, has no NVIDIA module %s%s%s", r->name, or_empty(r->wanted),
                            hint_of(r) ? "; first: " : "", or_empty(hint_of(r)));
                warned = true;
        }
        return warned;
}

static int verb_plan(Node *n, Error *e) {
        return show_plan(n, e);
}

static int verb_apply(Node *n, Error *e) {
        _cleanup_resource_list_ ResourceList l = {};
        _cleanup_close_ int lock = -1;
        _cleanup_free_ char *reason = NULL;
        PlanResult c = {};
        int r;

        if (arg_dry_run)
                return show_plan(n, e);
        lock = node_lock(n, arg_wait, e);
        if (lock < 0)
                return lock;
        r = plan_make(n, &l, e);
        if (r >= 0 && !n->release && n->journal->n_entries == 0 && arg_quiet)
                return EXIT_OK; /* triggers of kernels and headers: here nobody asked for anything */
        if (r >= 0 && !n->release && n->journal->n_entries == 0)
                return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s: no release is installed", RELEASE_INSTALLED_PATH),
                                  "yum install gn8v-tee-single (1 GPU) or gn8v-tee-multi (8 GPUs)");
        if (r >= 0)
                r = plan_apply(n, &l, report, NULL, &c, e);
        if (r < 0)
                return r;
        reason = n->environment == ENVIRONMENT_MACHINE ? reboot_reason(n) : NULL;
        if (!warn_about_module(&l) && reason && (c.changed > 0 || arg_boot))
                log_info("reboot needed: %s", reason);
        if (c.deferred > 0)
                log_info("the rest is done at the first boot by gn8v-tee-apply.service; see " NODE_PENDING_PATH);
        if (arg_json) {
                r = print_json(plan_to_json(n, &l), e);
                if (r < 0)
                        return r;
        }
        return result_code(&c);
}

static int verb_revert(Node *n, Error *e) {
        _cleanup_close_ int lock = -1;
        PlanResult c = {};
        int r;

        if (arg_dry_run) {
                _cleanup_resource_list_ ResourceList l = {};

                r = plan_make(n, &l, e);
                for (size_t i = 0; r >= 0 && i < n->journal->n_entries; i++)
                        printf("%s\n", n->journal->entries[i]->id);
                return r;
        }
        lock = node_lock(n, arg_wait, e);
        if (lock < 0)
                return lock;
        if (arg_package) {
                _cleanup_free_ char *owner = NULL;

                r = node_load_release(n, e);
                if (r < 0)
                        return r;
                /* In a swap the new package's %post comes before the old one's %preun: what it set is not ours to undo. */
                owner = n->release ? release_metapackage(n->release) : NULL;
                if (owner && !streq(owner, arg_package)) {
                        log_debug("%s now belongs to %s: nothing to revert", RELEASE_INSTALLED_PATH, owner);
                        return EXIT_OK;
                }
        }
        r = arg_finish ? plan_finish(n, report, NULL, &c, e) : plan_revert(n, report, NULL, &c, e);
        return r < 0 ? r : result_code(&c);
}

static int verb_pause(Node *n, Error *e) {
        _cleanup_close_ int lock = -1;
        PlanResult c = {};
        int r;

        if (n->environment != ENVIRONMENT_MACHINE || !n->booted)
                return EXIT_OK;
        lock = node_lock(n, arg_wait, e);
        r = lock < 0 ? lock : plan_pause(n, report, NULL, &c, e);
        return r < 0 ? r : result_code(&c);
}

static json_t *status_to_json(const Status *s) {
        json_t *array = json_array();

        for (size_t i = 0; i < s->n; i++) {
                const StatusRow *row = &s->rows[i];
                json_t *o = json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:s?}", "group", row->group, "name", row->name, "expected", row->expected,
                                      "found", row->found, "state", row_state_to_string(row->state), "next", row->next);

                if (json_array_append_new(array, o) < 0)
                        break;
        }
        return json_pack("{s:s?, s:s, s:s, s:s?, s:o}", "release", s->release, "environment", s->environment, "state",
                         row_state_to_string(s->state), "next", s->next, "rows", array);
}

static void print_status(const Status *s) {
        const char **cells = calloc((s->n + 1) * 5, sizeof(char *));
        static const char *const head[] = { "", "CHECK", "EXPECTED", "FOUND", "STATE" };

        if (!cells)
                return;
        memcpy(cells, head, sizeof(head));
        for (size_t i = 0; i < s->n; i++) {
                const StatusRow *row = &s->rows[i];
                const char *const line[] = { i > 0 && streq(row->group, s->rows[i - 1].group) ? "" : row->group, row->name,
                                             or_dash(row->expected), or_dash(row->found), row_state_to_string(row->state) };

                memcpy(cells + 5 * (i + 1), line, sizeof(line));
        }
        print_table(cells, s->n + 1, 5);
        free(cells);
        printf("\n");
        for (size_t i = 0; i < s->n; i++)
                if (s->rows[i].next)
                        printf("%s: %s\n", s->rows[i].name, s->rows[i].next);
        printf("%sNext: %s\n", s->next ? "\n" : "", s->next ? s->next : "nothing, everything is as wanted");
}

static int verb_status(Node *n, Error *e) {
        _cleanup_status_ Status s = {};
        int r;

        r = status_make(n, &s, e);
        if (r < 0)
                return r;
        if (arg_json)
                r = print_json(status_to_json(&s), e);
        else if (!arg_quiet)
                print_status(&s);
        return r < 0 ? r : (int) s.code;
}

static const struct {
        const char *name, *summary;
        int (*run)(Node *n, Error *e);
} verbs[] = {
        { "plan", "show what apply would change", verb_plan },
        { "apply", "make this machine as the installed release wants it", verb_apply },
        { "revert", "put back what was there before apply", verb_revert },
        { "pause", "stop what would open the GPU during a transaction", verb_pause },
        { "status", "everything in one table, with one next action", verb_status },
};

static void help(void) {
        printf("gn8v-tee [OPTION...] VERB [OPTION...]\n\n"
               "Keep a gn8v-tee instance as its installed release wants it.\n\n"
               "Verbs:\n");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                printf("  %-8s %s\n", verbs[i].name, verbs[i].summary);
        printf("\nOptions:\n"
               "      --root=DIR       act on the system below DIR (tools run chrooted)\n"
               "      --json           plan, apply, status: one JSON document\n"
               "  -n, --dry-run        apply, revert: only show what would be done\n"
               "      --boot           apply: at the first boot (gn8v-tee-apply.service)\n"
               "      --package=NAME   revert: only while the release is NAME's\n"
               "      --finish         revert: the rest, when our files are gone\n"
               "      --wait=SECONDS   wait that long for another run to end\n"
               "  -q, --quiet          warnings and errors only\n"
               "  -v, --verbose        say more\n"
               "      --version        print the version\n"
               "  -h, --help           this text\n\n"
               "Exit codes: 0 as wanted, 1 failed, 2 usage, 3 differs, 4 reboot needed,\n"
               "6 malformed file, 8 no space, 9 locked. More: gn8v-tee(8).\n");
}

static int usage(const char *fmt, ...) _printf_(1, 2);
static int usage(const char *fmt, ...) {
        va_list ap;

        fprintf(stderr, "gn8v-tee: ");
        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fprintf(stderr, "\nTry: gn8v-tee --help\n");
        return EXIT_USAGE;
}

static int run_verb(const char *verb) {
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (streq(verb, verbs[i].name)) {
                        _cleanup_error_ Error e = ERROR_INIT;
                        _cleanup_node_ Node n = { .root_fd = -1 };
                        int r;

                        r = node_open(&n, arg_root, &e);
                        if (r >= 0)
                                r = verbs[i].run(&n, &e);
                        if (fflush(stdout) != 0 || ferror(stdout))
                                r = error_errno(&e, errno ? errno : EIO, "standard output");
                        return r < 0 ? (int) log_error(&e, r) : r;
                }
        return usage("%s: there is no such verb", verb);
}

int main(int argc, char *argv[]) {
        enum { ARG_ROOT = 256, ARG_JSON, ARG_BOOT, ARG_PACKAGE, ARG_FINISH, ARG_WAIT, ARG_VERSION };
        static const struct option options[] = {
                { "root", required_argument, NULL, ARG_ROOT },       { "json", no_argument, NULL, ARG_JSON },
                { "dry-run", no_argument, NULL, 'n' },               { "boot", no_argument, NULL, ARG_BOOT },
                { "package", required_argument, NULL, ARG_PACKAGE }, { "finish", no_argument, NULL, ARG_FINISH },
                { "wait", required_argument, NULL, ARG_WAIT },       { "quiet", no_argument, NULL, 'q' },
                { "verbose", no_argument, NULL, 'v' },               { "version", no_argument, NULL, ARG_VERSION },
                { "help", no_argument, NULL, 'h' },                  {}
        };
        LogLevel level = LOG_NORMAL;
        uint64_t seconds;
        int c;

        open_standard_streams();
        (void) setlocale(LC_CTYPE, "");
        while ((c = getopt_long(argc, argv, "nqvh", options, NULL)) >= 0)
                switch (c) {
                case ARG_ROOT: arg_root = optarg; break;
                case ARG_JSON: arg_json = true; break;
                case 'n': arg_dry_run = true; break;
                case ARG_BOOT: arg_boot = true; break;
                case ARG_PACKAGE: arg_package = optarg; break;
                case ARG_FINISH: arg_finish = true; break;
                case ARG_WAIT:
                        if (parse_u64(optarg, &seconds) < 0 || seconds > 24 * 60 * 60)
                                return usage("--wait=%s: not a number of seconds (at most a day)", optarg);
                        arg_wait = (unsigned) seconds;
                        break;
                case 'q': level = LOG_QUIET; arg_quiet = true; break;
                case 'v': level = LOG_VERBOSE; break;
                case ARG_VERSION: puts("gn8v-tee " GN8V_VERSION); return EXIT_OK;
                case 'h': help(); return EXIT_OK;
                default: fprintf(stderr, "Try: gn8v-tee --help\n"); return EXIT_USAGE;
                }
        log_setup("gn8v-tee", level);
        if (optind >= argc)
                return usage("a verb is missing");
        if (optind + 1 < argc)
                return usage("%s: one word too many", argv[optind + 1]);
        return run_verb(argv[optind]);
}
