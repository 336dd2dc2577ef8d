/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "basic/log.h"
#include "cmd/node.h"
#include "cmd/output.h"

static const char help[] =
        "gn8v-tee plan [OPTION...]\n\n"
        "Show what apply would change. Changes nothing.\n\n"
        "      --root=DIR       look at the system below DIR\n"
        "      --json           one JSON document on standard output\n"
        "  -q, --quiet          the exit code only\n"
        "  -h, --help           this text\n\n"
        "Exit codes: 0 nothing to do; 1 failed; 3 apply would change something; 6\n"
        "malformed file.\n";

const char *resource_note(const Resource *r) {
        return r->error.message ? r->error.message : r->note;
}

const char *resource_hint(const Resource *r) {
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

                if (resource_note(r) || resource_hint(r))
                        printf("\n%s: %s%s%s\n", r->id, or_empty(resource_note(r)), resource_note(r) && resource_hint(r) ? "\n  " : "", or_empty(resource_hint(r)));
        }
}

static json_t *plan_to_json(const Node *n, const ResourceList *l) {
        _cleanup_free_ char *name = n->release ? release_name(n->release) : NULL;
        json_t *array = json_array();

        for (size_t i = 0; i < l->n; i++) {
                const Resource *r = l->resources[i];
                json_t *o = json_pack("{s:s, s:s?, s:s?, s:s, s:s?, s:s?}", "id", r->id, "found", r->found, "wanted", r->wanted, "action",
                                      action_to_string(r->action), "note", resource_note(r), "hint", resource_hint(r));

                if (json_array_append_new(array, o) < 0)
                        break;
        }
        return json_pack("{s:s?, s:s, s:o}", "release", name, "environment", environment_to_string(n->environment), "resources", array);
}

int show_plan(Command *c, Node *n, const ResourceList *l, Error *e) {
        int r = 0;

        if (c->json)
                r = print_json(plan_to_json(n, l), e);
        else if (!c->quiet)
                print_plan(n, l);
        return r < 0 ? r : plan_has_work(l) ? EXIT_DIFFERS : EXIT_OK;
}

void report_event(const Resource *r, Event event, void *userdata) {
        const char *note = resource_note(r), *hint = resource_hint(r);

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

int plan_result_code(const PlanResult *c) {
        return c->failed > 0 ? EXIT_FAILED : c->waiting > 0 ? EXIT_DIFFERS : EXIT_OK;
}

int verb_plan(Command *c, int argc, char *argv[], Error *e) {
        _cleanup_node_ Node n = { .root_fd = -1 };
        _cleanup_resource_list_ ResourceList l = {};
        int r;

        r = options_none(argc, argv, help, 0);
        if (r >= 0)
                return r;
        r = node_open(&n, c->root, e);
        if (r >= 0)
                r = plan_make(&n, &l, e);
        return r < 0 ? r : show_plan(c, &n, &l, e);
}
