/* SPDX-License-Identifier: Apache-2.0 */
/* drop-in:UNIT (a GPU client of the release starts after persistenced), order:UNIT (one that the administrator named), and enable:UNIT.
 * Files only, so that all can be done in an image. */
#include "node/resource.h"
#include "node/unit-name.h"
#include "node/units.h"

#define DROP_IN_NAME "50-gn8v-tee-order.conf"

static const char drop_in_text[] = "# Written by gn8v-tee; 'gn8v-tee revert' removes it.\n"
                                   "[Unit]\n"
                                   "After=" PERSISTENCED_UNIT "\n"
                                   "After=" RELEASE_GATE_UNIT "\n";

static char *drop_in_path(const char *unit) {
        return format("/etc/systemd/system/%s.d/" DROP_IN_NAME, unit);
}

static int drop_in_list(Node *n, ResourceList *l, Error *e) {
        STRV_FOREACH(unit, n->release->clients) {
                Resource *r = resource_list_add(l, &drop_in_type, *unit);

                if (!r || resource_say(&r->wanted, NULL, "after %s", PERSISTENCED_UNIT) < 0)
                        return error_oom(e);
        }
        return 0;
}

static int drop_in_probe(Node *n, Resource *r, Error *e) {
        bool ordered;
        int k;

        k = unit_is_ordered(n, r->name, PERSISTENCED_UNIT, &ordered);
        if (k < 0)
                return error_errno(e, -k, "%s: its files cannot be read", r->name);
        r->action = ordered ? ACTION_NONE : ACTION_CHANGE;
        return resource_say(&r->found, e, "%s", ordered ? r->wanted : "not ordered");
}

static int drop_in_remember(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        _cleanup_free_ char *path = drop_in_path(r->name), *directory = NULL, *data = NULL;
        size_t size = 0;
        int k;

        if (entry->before)
                return 0;
        if (!path || !(directory = strndup(path, strlen(path) - strlen("/" DROP_IN_NAME))))
                return error_oom(e);
        k = node_read(n, path, NODE_FILE_MAX, &data, &size);
        if (k < 0 && k != -ENOENT && k != -ENOTDIR)
                return error_errno(e, -k, "%s", path);
        entry->before = json_pack("{s:o, s:b}", "file", bytes_to_json(data, size), "directory", node_exists(n, directory));
        return entry->before ? 0 : error_oom(e);
}

static int drop_in_apply(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        _cleanup_free_ char *path = drop_in_path(r->name);
        int k;

        if (!path)
                return error_oom(e);
        k = node_write(n, path, drop_in_text, strlen(drop_in_text), 0644);
        if (k >= 0) { /* of a run that was killed here */
                _cleanup_free_ char *directory = strndup(path, strlen(path) - strlen("/" DROP_IN_NAME));

                k = directory ? node_sweep(n, directory, DROP_IN_NAME) : -ENOMEM;
        }
        if (k < 0)
                return error_errno(e, -k, "%s: cannot be written", path);
        json_decref(entry->after);
        entry->after = json_pack("{s:o}", "file", bytes_to_json(drop_in_text, strlen(drop_in_text)));
        return entry->after ? 0 : error_oom(e);
}

static int drop_in_revert(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        _cleanup_free_ char *path = drop_in_path(r->name), *directory = NULL, *before = NULL, *now = NULL;
        size_t before_size, now_size = 0;
        int k;

        if (!path || !(directory = strndup(path, strlen(path) - strlen("/" DROP_IN_NAME))))
                return error_oom(e);
        if (bytes_from_json(json_object_get(entry->before, "file"), &before, &before_size) < 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: %s: malformed bytes", NODE_JOURNAL_PATH, r->id);
        k = node_read(n, path, NODE_FILE_MAX, &now, &now_size);
        if (k < 0 && k != -ENOENT && k != -ENOTDIR)
                return error_errno(e, -k, "%s", path);
        if (k < 0) /* never written, or taken away by somebody since: it stays so */
                k = 0;
        else if (!streq(now, drop_in_text) && !(before && streq(now, before)))
                return resource_say(&r->note, e, "%s was edited since: kept", path);
        else
                k = before ? node_write(n, path, before, before_size, 0644) : node_remove(n, path);
        if (k >= 0)
                k = node_sweep(n, directory, DROP_IN_NAME);
        if (k >= 0 && !object_bool(entry->before, "directory"))
                k = node_remove_directory(n, directory);
        if (k == -ENOTDIR) /* somebody has something else of that name: not ours */
                k = 0;
        return k < 0 ? error_errno(e, -k, "%s", path) : 0;
}

static bool drop_in_check(const char *name, const JournalEntry *entry) {
        return unit_name_is_valid(name) && bytes_are_valid(json_object_get(entry->before, "file"));
}

const ResourceType drop_in_type = {
        .name = "drop-in",
        .tool = "writing the drop-in",
        .offline = true,
        .check = drop_in_check,
        .list = drop_in_list,
        .probe = drop_in_probe,
        .remember = drop_in_remember,
        .apply = drop_in_apply,
        .revert = drop_in_revert,
};

/* What was asked for is in the journal, and nowhere else. */
static int order_list(Node *n, ResourceList *l, Error *e) {
        for (size_t i = 0; i < n->journal->n_entries; i++) {
                const char *name;
                Resource *r;

                if (resource_type_of(n->journal->entries[i]->id, &name) != &order_type)
                        continue;
                r = resource_list_add(l, &order_type, name);
                if (!r || resource_say(&r->wanted, NULL, "after %s", PERSISTENCED_UNIT) < 0)
                        return error_oom(e);
        }
        return 0;
}

bool order_file_exists(Node *n, const char *unit) {
        _cleanup_free_ char *path = drop_in_path(unit);

        return path && node_exists(n, path);
}

/* A file of that name that is not as we write it is somebody's own, and so is the decision to take ours away. */
static int order_probe(Node *n, Resource *r, Error *e) {
        const JournalEntry *entry = journal_find(n->journal, r->id);
        _cleanup_free_ char *path = drop_in_path(r->name), *now = NULL;
        int k;

        k = path ? drop_in_probe(n, r, e) : error_oom(e);
        if (k < 0 || r->action == ACTION_NONE)
                return k;
        k = node_read(n, path, NODE_FILE_MAX, &now, NULL);
        if (k < 0 && k != -ENOENT && k != -ENOTDIR)
                return error_errno(e, -k, "%s", path);
        if (k < 0 && !(entry && entry->state == ENTRY_APPLIED))
                return 0;
        if (k >= 0 && streq(now, drop_in_text)) /* there, and hidden: the unit has no use for it */
                return 0;
        r->action = ACTION_KEEP;
        if (k < 0) {
                k = resource_say(&r->note, e, "%s was taken away since: left so", path);
                return k < 0 ? k : resource_say(&r->hint, e, "gn8v-tee order add %s, or: gn8v-tee order remove %s", r->name, r->name);
        }
        k = resource_say(&r->note, e, "%s is not as gn8v-tee writes it: kept", path);
        return k < 0 ? k
                     : resource_say(&r->hint, e, "write After=%s into it, or move it away and run: gn8v-tee order add %s",
                                    PERSISTENCED_UNIT, r->name);
}

const ResourceType order_type = {
        .name = "order",
        .tool = "writing the drop-in",
        .offline = true,
        .check = drop_in_check,
        .list = order_list,
        .probe = order_probe,
        .remember = drop_in_remember,
        .apply = drop_in_apply,
        .revert = drop_in_revert,
};

static bool has_package(const Release *release, const char *package) {
        for (size_t i = 0; i < release->n_artifacts; i++)
                if (release->artifacts[i]->kind == ARTIFACT_RPM && release->artifacts[i]->package &&
                    streq(release->artifacts[i]->package, package))
                        return true;
        return false;
}

static int enable_list(Node *n, ResourceList *l, Error *e) {
        const char *const units[] = { has_package(n->release, "nvidia-fabric-manager") ? FABRICMANAGER_UNIT : NULL,
                                      release_artifact_of_kind(n->release, ARTIFACT_DRIVER) ? PERSISTENCED_UNIT : NULL };

        for (size_t i = 0; i < ELEMENTSOF(units); i++) {
                Resource *r;

                if (!units[i])
                        continue;
                r = resource_list_add(l, &enable_type, units[i]);
                if (!r || !(r->wanted = strdup("enabled")))
                        return error_oom(e);
        }
        return 0;
}

static int enable_probe(Node *n, Resource *r, Error *e) {
        Enablement state;
        int k;

        k = unit_enablement(n, r->name, &state);
        if (k < 0)
                return error_errno(e, -k, "%s: its files cannot be read", r->name);
        k = resource_say(&r->found, e, "%s", enablement_to_string(state));
        if (k < 0)
                return k;
        switch (state) {
        case UNIT_ENABLED: r->action = ACTION_NONE; break;
        case UNIT_MASKED:
                r->action = ACTION_KEEP;
                k = resource_say(&r->note, e, "masked by the administrator: left so");
                if (k >= 0)
                        k = resource_say(&r->hint, e, "systemctl unmask %s && gn8v-tee apply", r->name);
                break;
        case UNIT_STATIC:
                r->action = ACTION_KEEP;
                k = resource_say(&r->note, e, "has no [Install] section: something else must start it");
                break;
        case UNIT_ABSENT:
                r->action = ACTION_WAIT;
                k = resource_say(&r->note, e, "the unit is not installed");
                if (k >= 0)
                        k = resource_say(&r->hint, e, "reinstall its package, then run: gn8v-tee apply");
                break;
        default: r->action = ACTION_CHANGE;
        }
        return k;
}

static int enable_remember(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        Enablement state;
        int k;

        if (entry->before)
                return 0;
        k = unit_enablement(n, r->name, &state);
        if (k < 0)
                return error_errno(e, -k, "%s: its files cannot be read", r->name);
        entry->before = json_pack("{s:s}", "state", enablement_to_string(state));
        return entry->before ? 0 : error_oom(e);
}

static int enable_apply(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        int k;

        /* Never --now: who starts persistenced a second time loses the session of the GPUs. */
        k = unit_control(n, "enable", NULL, r->name, e);
        if (k >= 0)
                k = units_sync(n, e);
        if (k < 0)
                return error_hint(e, k, "see what systemctl enable %s says; then run: gn8v-tee apply", r->name);
        json_decref(entry->after);
        entry->after = json_pack("{s:s}", "state", "enabled");
        return entry->after ? 0 : error_oom(e);
}

static int enable_revert(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        const char *before = object_string(entry->before, "state");
        Enablement state;
        int k;

        k = unit_enablement(n, r->name, &state);
        if (k < 0)
                return error_errno(e, -k, "%s: its files cannot be read", r->name);
        if (!before || streq(before, "enabled"))
                return 0;
        if (state != UNIT_ENABLED)
                return state == UNIT_MASKED ? resource_say(&r->note, e, "masked since by the administrator: left so") : 0;
        k = unit_control(n, "disable", NULL, r->name, e);
        if (k < 0)
                return error_hint(e, k, "systemctl disable %s", r->name);
        k = unit_enablement(n, r->name, &state);
        if (k >= 0 && state == UNIT_ENABLED)
                return error_set(e, EIO, EXIT_FAILED, "%s: systemctl disable exited 0, but it is still enabled", r->name);
        return units_sync(n, e);
}

static bool enable_check(const char *name, const JournalEntry *entry) {
        return unit_name_is_valid(name) && (!entry->before || enablement_is_valid(object_string(entry->before, "state")));
}

const ResourceType enable_type = {
        .name = "enable",
        .tool = "systemctl enable",
        .offline = true,
        .check = enable_check,
        .list = enable_list,
        .probe = enable_probe,
        .remember = enable_remember,
        .apply = enable_apply,
        .revert = enable_revert,
};
