/* SPDX-License-Identifier: Apache-2.0 */
/* Step "start and enable the services": Fabric Manager, persistenced, and every GPU client after them. */
#include "node/gpu.h"
#include "node/status-rows.h"
#include "node/units.h"

/* The daemon does not run, and it or another has had the GPUs: in a confidential virtual machine they can be attached once for each of their resets. */
static bool session_is_spent(StatusContext *c, const char *unit) {
        _cleanup_free_ char *cpuinfo = NULL;
        _cleanup_strv_ char **attached = NULL;

        return streq(unit, PERSISTENCED_UNIT) && node_read_head(c->node, "/proc/cpuinfo", CPUINFO_HEAD, &cpuinfo, NULL) >= 0 && is_tdx_guest(cpuinfo) &&
               node_list(c->node, "/proc/driver/nvidia/gpus", &attached) >= 0 && attached;
}

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
        else if (unit_is_starting(c->node, unit)) {
                row_add(c, ROW_PENDING, name, "active", "%s", streq(state, "activating") ? state : "waits to be started");
                row_next_wait(c);
        } else {
                row_add(c, c->reboot ? ROW_PENDING : ROW_FAIL, name, "active", "%s", state);
                if (c->reboot)
                        row_next_reboot(c);
                else if (session_is_spent(c, unit))
                        row_next(c, FIRST_SERVICE, "journalctl -b -u %s says why; then reboot: the GPUs' one session of this boot is spent", unit);
                else
                        row_next(c, FIRST_SERVICE, "systemctl start %s; it says why not in: journalctl -b -u %s", unit, unit);
        }
}

/* Fabric Manager before persistenced, where the release has both: NVLink must be routed before the GPUs attach. */
static void add_order(StatusContext *c) {
        const Release *release = c->node->release;

        STRV_FOREACH(unit, release ? release->persistenced_after : NULL) {
                _cleanup_free_ char *name = format("%s after %s", PERSISTENCED_UNIT, *unit);
                bool ordered;

                if (!name || unit_is_ordered(c->node, PERSISTENCED_UNIT, *unit, &ordered) < 0)
                        continue;
                row_add(c, ordered ? ROW_OK : ROW_FAIL, name, "ordered", "%s", ordered ? "ordered" : "not ordered");
                if (!ordered)
                        row_next(c, FIRST_APPLY, "yum reinstall gn8v-tee-%s: its drop-in for %s is missing", release->profile, PERSISTENCED_UNIT);
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
        add_order(c);
}

void status_clients(StatusContext *c) {
        const Journal *journal = c->node->journal;

        for (size_t i = 0; i < c->plan.n; i++)
                if ((c->plan.resources[i]->type == &drop_in_type || c->plan.resources[i]->type == &order_type) &&
                    c->plan.resources[i]->action != ACTION_REVERT)
                        row_add_resource(c, c->plan.resources[i]->name, c->plan.resources[i], FIRST_APPLY);
        for (size_t i = 0; i < journal->n_entries; i++) {
                const char *unit = startswith(journal->entries[i]->id, "pause:");
                _cleanup_free_ char *name = unit ? format("%s running", unit) : NULL;

                if (!name || journal->entries[i]->state != ENTRY_APPLIED)
                        continue;
                row_add(c, ROW_PENDING, name, "active", "paused");
                row_next(c, FIRST_REBOOT, "reboot: it runs again after that");
        }
}
