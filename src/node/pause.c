/* SPDX-License-Identifier: Apache-2.0 */
#include "node/pause.h"

#include "node/reboot.h"
#include "node/unit-name.h"
#include "node/units.h"

#define PAUSED "paused until the reboot"
#define RUNNING "running"

/* Until the reboot, nobody starts it: not its watchdog, not a path unit. A mask would not do, as the cloud's own units are in /etc, which
 * comes before /run; a drop-in counts wherever the unit is. */
#define DROP_IN_NAME "50-gn8v-tee-paused.conf"
static const char drop_in_text[] = "# Written by gn8v-tee: paused until the reboot, while the GPU's driver changes.\n"
                                   "[Unit]\n"
                                   "ConditionPathExists=!/run/systemd/system\n";

static char *drop_in_directory(const char *unit) {
        return format("/run/systemd/system/%s.d", unit);
}

static int bar(Node *n, const char *unit, Error *e) {
        _cleanup_free_ char *path = format("/run/systemd/system/%s.d/" DROP_IN_NAME, unit), *directory = drop_in_directory(unit);
        int k;

        if (!path || !directory)
                return error_oom(e);
        k = node_write(n, path, drop_in_text, strlen(drop_in_text), 0644);
        if (k >= 0) /* of a run that was killed here */
                k = node_sweep(n, directory, DROP_IN_NAME);
        return k < 0 ? error_errno(e, -k, "%s: cannot be written", path) : units_reload(n, e);
}

static int unbar(Node *n, const char *unit, Error *e) {
        _cleanup_free_ char *path = format("/run/systemd/system/%s.d/" DROP_IN_NAME, unit), *directory = drop_in_directory(unit);
        int k;

        if (!path || !directory)
                return error_oom(e);
        if (!node_exists(n, path) && !node_exists(n, directory)) /* an empty directory: of a run that was killed here */
                return 0;
        k = node_remove(n, path);
        if (k >= 0)
                k = node_sweep(n, directory, DROP_IN_NAME);
        if (k >= 0)
                k = node_remove_directory(n, directory);
        return k < 0 ? error_errno(e, -k, "%s: cannot be removed", path) : units_reload(n, e);
}

bool pause_is_stop(const Resource *r) {
        return r->wanted && streq(r->wanted, PAUSED);
}

static int pause_list(Node *n, ResourceList *l, Error *e) {
        STRV_FOREACH(unit, n->release->paused)
                if (!resource_list_add(l, &pause_type, *unit))
                        return error_oom(e);
        return 0;
}

static bool same_boot(const Node *n, const JournalEntry *entry) {
        const char *boot = object_string(entry->before, "boot");

        return !boot || !n->boot_id || streq(boot, n->boot_id);
}

static int pause_probe(Node *n, Resource *r, Error *e) {
        const JournalEntry *entry = journal_find(n->journal, r->id);
        _cleanup_free_ char *state = NULL;
        bool waits;
        int k;

        r->action = ACTION_NONE;
        waits = entry && entry->before && same_boot(n, entry) && !session_is_ready(n);
        k = resource_say(&r->wanted, e, "%s", (entry && entry->before && !waits) || session_is_ready(n) ? RUNNING : PAUSED);
        if (k < 0)
                return k;
        if (!n->booted || n->environment != ENVIRONMENT_MACHINE)
                return resource_say(&r->found, e, "systemd does not run here");
        k = unit_active(n, r->name, &state, e);
        if (k >= 0)
                k = resource_say(&r->found, e, "%s", state);
        if (k < 0)
                return k;
        if (entry && entry->before && entry->state == ENTRY_APPLIED)
                r->action = waits ? ACTION_NONE : ACTION_CHANGE;
        else if (pause_is_stop(r) && is_active_word(state))
                r->action = ACTION_CHANGE;
        else if (entry && entry->before && !waits)
                r->action = ACTION_CHANGE;
        return 0;
}

static int pause_remember(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        _cleanup_free_ char *state = NULL;
        Enablement enabled;
        int k;

        if (entry->before)
                return 0;
        k = unit_enablement(n, r->name, &enabled);
        if (k < 0)
                return error_errno(e, -k, "%s: its files cannot be read", r->name);
        k = unit_active(n, r->name, &state, e);
        if (k < 0)
                return k;
        entry->before = json_pack("{s:b, s:s, s:s}", "active", is_active_word(state), "state", enablement_to_string(enabled), "boot",
                                  n->boot_id ? n->boot_id : "");
        return entry->before ? 0 : error_oom(e);
}

static int stop(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        _cleanup_free_ char *state = NULL;
        int k;

        k = bar(n, r->name, e);
        if (k >= 0)
                k = unit_control(n, "stop", NULL, r->name, e);
        if (k >= 0)
                k = unit_active(n, r->name, &state, e);
        if (k >= 0 && is_active_word(state))
                k = error_set(e, EIO, EXIT_FAILED, "%s: is %s again after systemctl stop", r->name, state);
        if (k < 0)
                return error_hint(e, k, "it may open the GPU too early: systemctl stop %s, and reboot soon", r->name);
        json_decref(entry->after);
        entry->after = json_pack("{s:b}", "active", false);
        return entry->after ? 0 : error_oom(e);
}

static int start_again(Node *n, const Resource *r, const JournalEntry *entry, Error *e) {
        _cleanup_free_ char *state = NULL;
        bool here = same_boot(n, entry);
        Enablement enabled;
        int k;

        k = unbar(n, r->name, e);
        if (k < 0)
                return k;
        k = unit_enablement(n, r->name, &enabled);
        if (k < 0)
                return error_errno(e, -k, "%s: its files cannot be read", r->name);
        /* After a reboot systemd starts what is enabled, in order; what was only started by hand is started again by us. */
        if (!n->booted || !object_bool(entry->before, "active") || enabled == UNIT_MASKED || enabled == UNIT_ABSENT ||
            (!here && enabled == UNIT_ENABLED))
                return 0;
        k = unit_active(n, r->name, &state, e);
        if (k < 0 || is_active_word(state))
                return k;
        /* Not waiting: at the first boot it is queued behind ourselves. */
        k = unit_control(n, "start", "--no-block", r->name, e);
        return error_hint(e, k, "systemctl start %s", r->name);
}

static int pause_apply(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        int k;

        if (pause_is_stop(r)) {
                k = stop(n, r, entry, e);
                return k < 0 ? k : resource_say(&r->note, e, "stopped until the reboot");
        }
        k = start_again(n, r, entry, e);
        if (k >= 0)
                k = resource_say(&r->note, e, "not held back any more");
        return k < 0 ? k : 1;
}

static int pause_revert(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        return start_again(n, r, entry, e);
}

static bool pause_check(const char *name, const JournalEntry *entry) {
        const json_t *active = json_object_get(entry->before, "active");

        return unit_name_is_valid(name) && string_or_nothing(json_object_get(entry->before, "boot")) && (!active || json_is_boolean(active));
}

const ResourceType pause_type = {
        .name = "pause",
        .tool = "systemctl stop",
        .check = pause_check,
        .list = pause_list,
        .probe = pause_probe,
        .remember = pause_remember,
        .apply = pause_apply,
        .revert = pause_revert,
};
