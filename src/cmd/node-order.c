/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "basic/log.h"
#include "cmd/node.h"
#include "cmd/output.h"
#include "node/clients.h"
#include "node/order.h"
#include "node/journal.h"

static const char help[] =
        "gn8v-tee order add UNIT...\n"
        "gn8v-tee order remove UNIT...\n"
        "gn8v-tee order list\n\n"
        "In confidential computing the persistence daemon must be the first process that\n"
        "opens a GPU. add lets units start after it, by a drop-in of systemd; nothing is\n"
        "started or stopped. remove, or revert, takes that back. list shows the enabled\n"
        "units that look like users of a GPU, why, and whether they are ordered.\n\n"
        "  add                  order units; ones that do not exist yet, too\n"
        "  remove               take back what add did\n"
        "  list                 show what uses a GPU\n\n"
        "      --lock-timeout=SECONDS\n"
        "                       wait that long for another run to end\n"
        "      --root=DIR       act on the system below DIR\n"
        "      --json           one JSON document on standard output\n"
        "  -q, --quiet          warnings and errors only\n"
        "  -v, --verbose        say more\n"
        "  -h, --help           this text\n\n"
        "Exit codes: 0 done, or all ordered; 1 failed, or it would be a loop; 2 no name\n"
        "of a unit; 3 a unit is not ordered; 6 malformed file; 8 no space; 9 another run\n"
        "is at work.\n";

/* What list says at the end: the units that nobody has ordered, in one command. NULL: there are none. */
static char *next_action(const Clients *clients) {
        _cleanup_text_ Text t = {};

        for (size_t i = 0; i < clients->n; i++)
                if (!clients->v[i].ordered && clients->v[i].enablement != UNIT_MASKED)
                        text_printf(&t, "%s %s", t.size == 0 ? "gn8v-tee order add" : "", clients->v[i].unit);
        return t.size > 0 ? text_take(&t) : NULL;
}

static json_t *clients_to_json(const Clients *clients, const char *next) {
        json_t *array = json_array();

        for (size_t i = 0; i < clients->n; i++) {
                const Client *c = &clients->v[i];
                json_t *why = json_array();

                STRV_FOREACH(s, c->why)
                        (void) json_array_append_new(why, json_string(*s));
                (void) json_array_append_new(array, json_pack("{s:s, s:s, s:b, s:s?, s:o}", "unit", c->unit, "state",
                                                              enablement_to_string(c->enablement), "ordered", c->ordered, "by", c->by,
                                                              "why", why));
        }
        return json_pack("{s:o, s:b, s:s?}", "units", array, "all_processes_seen", !clients->hidden, "next", next);
}

static int print_clients(const Clients *clients, const char *next, Error *e) {
        static const char *const head[] = { "UNIT", "STATE", "ORDERED", "WHY IT LOOKS LIKE A USER OF A GPU" };
        const char **cells = calloc((clients->n + 1) * 4, sizeof(char *));
        _cleanup_strv_ char **why = NULL;
        int k = cells ? 0 : error_oom(e);

        if (k >= 0)
                memcpy(cells, head, sizeof(head));
        for (size_t i = 0; i < clients->n && k >= 0; i++) {
                _cleanup_free_ char *reasons = strv_join(clients->v[i].why, "; ");

                if (!reasons || strv_append(&why, *reasons ? reasons : "ordered by hand") < 0) {
                        k = error_oom(e);
                        break;
                }
        }
        for (size_t i = 0; i < clients->n && k >= 0; i++) {
                const Client *c = &clients->v[i];

                cells[4 * i + 4] = c->unit;
                cells[4 * i + 5] = enablement_to_string(c->enablement);
                cells[4 * i + 6] = c->ordered ? c->by : "no";
                cells[4 * i + 7] = why[i];
        }
        if (k >= 0 && clients->n > 0) {
                print_table(cells, clients->n + 1, 4);
                printf("\n");
        }
        if (k >= 0 && clients->hidden)
                printf("Some processes could not be looked at%s.\n", geteuid() == 0 ? "" : ": run as root to see which have a GPU open");
        if (k >= 0)
                printf("Next: %s\n", next             ? next
                                     : clients->n > 0 ? "nothing, every unit is ordered"
                                                      : "nothing, no unit looks like a user of a GPU");
        free(cells);
        return k;
}

static int list(Command *c, Node *n, Error *e) {
        _cleanup_clients_ Clients clients = {};
        _cleanup_free_ char *next = NULL;
        int r;

        r = node_load_release(n, e);
        if (r >= 0)
                r = journal_load(n, &n->journal, e);
        if (r == -EACCES) { /* not root: everything else can still be told */
                error_clear(e);
                n->journal = journal_new();
                r = n->journal ? 0 : error_oom(e);
        }
        if (r >= 0)
                r = clients_find(n, &clients, e);
        if (r < 0)
                return r;
        next = next_action(&clients);
        if (c->json)
                r = print_json(clients_to_json(&clients, next), e);
        else if (!c->quiet)
                r = print_clients(&clients, next, e);
        return r < 0 ? r : next ? EXIT_DIFFERS : EXIT_OK;
}

static json_t *resources_to_json(const ResourceList *l) {
        json_t *array = json_array();

        for (size_t i = 0; i < l->n; i++) {
                const Resource *r = l->resources[i];
                bool kept = r->action == ACTION_KEEP || r->action == ACTION_REFUSE || r->error.message;

                (void) json_array_append_new(array, json_pack("{s:s, s:b, s:s?, s:s?}", "unit", r->name, "done", !kept, "note",
                                                             resource_note(r), "hint", resource_hint(r)));
        }
        return json_pack("{s:o}", "units", array);
}

/* All names are right, or nothing is touched. */
static int resolve_all(Node *n, char *words[], bool add, char ***ret, Error *e) {
        _cleanup_unit_graph_ UnitGraph graph = {};
        _cleanup_strv_ char **units = NULL;
        int r;

        r = add ? unit_graph_load(n, &graph, e) : 0;
        for (; *words && r >= 0; words++) {
                _cleanup_free_ char *unit = NULL, *note = NULL, *id = format("order:%s", *words);

                /* One whose file is gone by now is still called what it was called. */
                if (!add && id && journal_find(n->journal, id))
                        unit = strdup(*words);
                else
                        r = order_resolve(n, add ? &graph : NULL, *words, &unit, &note, e);
                if (r < 0)
                        return r;
                if (note && add)
                        log_warning("%s", note);
                if (!unit || (!strv_contains(units, unit) && strv_append(&units, unit) < 0))
                        return error_oom(e);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(units);
        return 0;
}

static int change(Command *c, Node *n, bool add, char *words[], Error *e) {
        _cleanup_resource_list_ ResourceList l = {};
        _cleanup_strv_ char **units = NULL;
        _cleanup_close_ int lock = -1;
        PlanResult result = {};
        bool kept = false;
        int r;

        lock = node_lock(n, c->lock_timeout, e);
        r = lock < 0 ? lock : journal_load(n, &n->journal, e);
        if (r >= 0)
                r = resolve_all(n, words, add, &units, e);
        if (r >= 0)
                r = plan_order(n, units, add, report_event, NULL, &l, &result, e);
        if (r < 0)
                return r;
        for (size_t i = 0; i < l.n; i++) {
                const Resource *resource = l.resources[i];

                if (resource->action == ACTION_KEEP) {
                        log_warning("%s: %s\n  %s", resource->name, or_empty(resource->note), or_empty(resource->hint));
                        kept = true;
                } else if (resource->action == ACTION_NONE && !add)
                        log_info("%s: not ordered by 'gn8v-tee order': nothing to take back", resource->name);
                else if (resource->action == ACTION_NONE && !journal_find(n->journal, resource->id))
                        log_info("%s: starts after " PERSISTENCED_UNIT " already", resource->name);
        }
        if (c->json) {
                r = print_json(resources_to_json(&l), e);
                if (r < 0)
                        return r;
        }
        r = plan_result_code(&result);
        return r == EXIT_OK && kept ? EXIT_DIFFERS : r;
}

int verb_order(Command *c, int argc, char *argv[], Error *e) {
        _cleanup_node_ Node n = { .root_fd = -1 };
        const char *word;
        int r;

        r = options_none(argc, argv, help, argc);
        if (r >= 0)
                return r;
        word = optind < argc ? argv[optind++] : NULL;
        if (!word)
                return verb_usage("order", "one of add, remove, list is missing");
        if (!streq(word, "add") && !streq(word, "remove") && !streq(word, "list"))
                return verb_usage("order", "%s: neither add, remove nor list", word);
        if (streq(word, "list") != (optind >= argc))
                return optind < argc ? verb_too_many("order", argv[optind])
                                     : verb_usage("order", "%s: which units?", word);
        r = node_open(&n, c->root, e);
        if (r < 0)
                return r;
        return streq(word, "list") ? list(c, &n, e) : change(c, &n, streq(word, "add"), argv + optind, e);
}
