/* SPDX-License-Identifier: Apache-2.0 */
/* Step "start and enable the services": Fabric Manager, persistenced, and every GPU client after them. */
#include "node/status-rows.h"
#include "node/units.h"

/* Whether the service runs; only systemd knows, and only here. */
static void add_activity(StatusContext *c, const char *unit) {
        _cleanup_free_ char *state = NULL, *name = format("%s running", unit);

        if (!name) {
                c->failed = true;
                return;
        }
        if (!c->node->booted || c->node->root || unit_active(c->node, unit, &state, NULL) < 0)
                row_add(c, ROW_UNKNOWN, name, "active", "systemd does not run here");
        else if (streq(state, "active"))
                row_add(c, ROW_OK, name, "active", "%s", state);
        else if (streq(state, "activating")) {
                row_add(c, ROW_PENDING, name, "active", "%s", state);
                row_next(c, FIRST_WAIT, "wait: attaching the GPUs takes minutes; use none of them before it is active");
        } else {
                row_add(c, c->reboot ? ROW_PENDING : ROW_FAIL, name, "active", "%s", state);
                if (c->reboot)
                        row_next_reboot(c);
                else
                        row_next(c, FIRST_SERVICE, "systemctl start %s; it says why not in: journalctl -b -u %s", unit, unit);
        }
}

void status_services(StatusContext *c) {
        for (size_t i = 0; i < c->plan.n; i++) {
                const Resource *r = c->plan.resources[i];

                if (r->type != &enable_type || r->action == ACTION_REVERT)
                        continue;
                row_add_resource(c, r->name, r, FIRST_APPLY);
                add_activity(c, r->name);
        }
}

void status_clients(StatusContext *c) {
        const Journal *journal = c->node->journal;

        for (size_t i = 0; i < c->plan.n; i++)
                if (c->plan.resources[i]->type == &drop_in_type && c->plan.resources[i]->action != ACTION_REVERT)
                        row_add_resource(c, c->plan.resources[i]->name, c->plan.resources[i], FIRST_APPLY);
        for (size_t i = 0; i < journal->n_entries; i++) {
                const char *unit = startswith(journal->entries[i]->id, "pause:");

                if (!unit || journal->entries[i]->state != ENTRY_APPLIED)
                        continue;
                row_add(c, ROW_PENDING, unit, "running", "paused");
                row_next(c, FIRST_REBOOT, "reboot: it runs again after that");
        }
}
