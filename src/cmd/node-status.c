/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "cmd/gpu-json.h"
#include "cmd/node.h"
#include "cmd/output.h"
#include "node/status.h"

static const char help[] =
        "gn8v-tee status [OPTION...]\n\n"
        "Everything that matters on this instance, in one table with one next action.\n"
        "Changes nothing.\n\n"
        "      --root=DIR       look at the system below DIR\n"
        "      --wait[=SECONDS] wait first, until the GPU services are active, or will\n"
        "                       not become so; at most SECONDS, or as long as systemd\n"
        "                       gives them to start\n"
        "      --json           one JSON document on standard output\n"
        "      --prometheus     metrics for node_exporter's textfile collector\n"
        "  -q, --quiet          the exit code only\n"
        "  -h, --help           this text\n\n"
        "Exit codes: 0 as wanted; 1 failed; 3 something is not right; 4 reboot or wait\n"
        "first; 6 malformed file.\n";

static json_t *status_to_json(const Status *s) {
        json_t *array = json_array();

        for (size_t i = 0; i < s->n; i++) {
                const StatusRow *row = &s->rows[i];
                json_t *o = json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:s?}", "group", row->group, "name", row->name, "expected", row->expected,
                                      "found", row->found, "state", row_state_to_string(row->state), "next", row->next);

                if (json_array_append_new(array, o) < 0) {
                        json_decref(array);
                        return NULL;
                }
        }
        return json_pack("{s:s?, s:s, s:s, s:s?, s:o, s:o}", "release", s->release, "environment", s->environment, "state",
                         row_state_to_string(s->state), "next", s->next, "rows", array, "gpu", gpu_to_json(&s->gpu));
}

/* A label's value, as Prometheus' text format escapes it. */
static void print_label(const char *name, const char *value, const char *end) {
        printf("%s=\"", name);
        for (; *value; value++)
                if (*value == '\n')
                        fputs("\\n", stdout);
                else {
                        if (*value == '\\' || *value == '"')
                                putchar('\\');
                        putchar(*value);
                }
        printf("\"%s", end);
}

/* Values in the order in which an alert would sort them; what was found is left out, for every new value would be a new series. */
static unsigned metric_value(RowState state) {
        static const unsigned values[_ROW_STATE_MAX] = { [ROW_OK] = 0, [ROW_UNKNOWN] = 1, [ROW_WARN] = 2, [ROW_PENDING] = 3, [ROW_FAIL] = 4 };

        return values[state];
}

/* No two samples of a metric may have the same labels: of rows of one name the first is counted, with the worst of their states. */
static bool worst_of_name(const Status *s, size_t i, RowState *ret) {
        *ret = s->rows[i].state;
        for (size_t k = 0; k < s->n; k++) {
                if (!streq(s->rows[k].group, s->rows[i].group) || !streq(s->rows[k].name, s->rows[i].name))
                        continue;
                if (k < i)
                        return false;
                *ret = MAX(*ret, s->rows[k].state);
        }
        return true;
}

/* https://prometheus.io/docs/instrumenting/exposition_formats/ */
static void print_metrics(const Status *s) {
        static const char states[] = "0 ok, 1 unknown, 2 warn, 3 pending, 4 fail";

        printf("# HELP gn8v_tee_check State of one check: %s.\n# TYPE gn8v_tee_check gauge\n", states);
        for (size_t i = 0; i < s->n; i++) {
                RowState state;

                if (!worst_of_name(s, i, &state))
                        continue;
                print_label("gn8v_tee_check{group", s->rows[i].group, ",");
                print_label("name", s->rows[i].name, "}");
                printf(" %u\n", metric_value(state));
        }
        printf("# HELP gn8v_tee_state The worst state of all checks: %s.\n# TYPE gn8v_tee_state gauge\ngn8v_tee_state %u\n", states,
               metric_value(s->state));
        printf("# HELP gn8v_tee_reboot_pending Whether a reboot, or waiting, is all that is missing.\n# TYPE gn8v_tee_reboot_pending gauge\n"
               "gn8v_tee_reboot_pending %d\n",
               s->code == EXIT_REBOOT);
        printf("# HELP gn8v_tee_release_info The installed release, and where it is.\n# TYPE gn8v_tee_release_info gauge\n");
        print_label("gn8v_tee_release_info{release", s->release ? s->release : "", ",");
        print_label("environment", s->environment, "} 1\n");
}

/* The last line, of which operators read no other. */
static void print_next(const Status *s) {
        size_t unknown = 0;

        for (size_t i = 0; i < s->n; i++)
                unknown += s->rows[i].state == ROW_UNKNOWN;
        printf("%sNext: ", s->next || unknown ? "\n" : "");
        if (s->next)
                printf("%s\n", s->next);
        else if (unknown)
                printf("nothing; what could be looked at is as wanted, and %zu of the checks are unknown\n", unknown);
        else
                printf("nothing, everything is as wanted\n");
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
        print_next(s);
}

int verb_status(Command *c, int argc, char *argv[], Error *e) {
        enum { ARG_PROMETHEUS = 256, ARG_WAIT };
        static const Option options[] = { { "prometheus", ARG_PROMETHEUS, NULL }, { "wait", ARG_WAIT, "[=SECONDS]" }, {} };
        _cleanup_node_ Node n = { .root_fd = -1 };
        _cleanup_status_ Status s = {};
        bool prometheus = false, wait = false;
        unsigned limit = 0;
        int k, r = 0;

        while ((k = option_next(argc, argv, options)) >= 0) {
                switch (k) {
                case ARG_PROMETHEUS: prometheus = true; break;
                case ARG_WAIT: wait = true; r = parse_wait(optarg, &limit); break;
                case 'h': fputs(help, stdout); return EXIT_OK;
                default: return option_status();
                }
                if (r != 0)
                        return r;
        }
        if (optind < argc)
                return verb_too_many(argv[0], argv[optind]);
        if (prometheus && c->json)
                return verb_usage(argv[0], "--json and --prometheus: only one of them");
        if (wait && (r = wait_verbosely(c, limit, e)) != 0) {
                if (r > 0)
                        raise_again(r);
                return r;
        }
        r = node_open(&n, c->root, e);
        if (r >= 0)
                r = status_make(&n, &s, e);
        if (r < 0)
                return r;
        if (prometheus)
                print_metrics(&s);
        else if (c->json)
                r = print_json(status_to_json(&s), e);
        else if (!c->quiet)
                print_status(&s);
        return r < 0 ? r : (int) s.code;
}
