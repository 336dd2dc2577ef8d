/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "cmd/node.h"
#include "cmd/output.h"
#include "node/status.h"

static const char help[] =
        "gn8v-tee status [OPTION...]\n\n"
        "Everything that matters on this instance, in one table with one next action.\n"
        "Changes nothing.\n\n"
        "      --root=DIR       look at the system below DIR\n"
        "      --json           one JSON document on standard output\n"
        "  -q, --quiet          the exit code only\n"
        "  -h, --help           this text\n\n"
        "Exit codes: 0 as wanted, 3 something is not right, 4 reboot or wait first,\n"
        "6 malformed file.\n";

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

int verb_status(Command *c, int argc, char *argv[], Error *e) {
        _cleanup_node_ Node n = { .root_fd = -1 };
        _cleanup_status_ Status s = {};
        int r;

        r = common_only(c, argc, argv, help);
        if (r >= 0)
                return r;
        r = node_open(&n, c->root, e);
        if (r >= 0)
                r = status_make(&n, &s, e);
        if (r < 0)
                return r;
        if (c->json)
                r = print_json(status_to_json(&s), e);
        else if (!c->quiet)
                print_status(&s);
        return r < 0 ? r : (int) s.code;
}
