/* SPDX-License-Identifier: Apache-2.0 */
#include "node/plan.h"

#include "node/pause.h"
#include "node/plan-act.h"
#include "node/units.h"

/* What the journal has and the release does not want: to be reverted, unless it belongs to a kernel rather than to a release. */
static int list_leftovers(Node *n, ResourceList *l, Error *e) {
        for (size_t i = 0; i < n->journal->n_entries; i++) {
                const JournalEntry *entry = n->journal->entries[i];
                const char *name;
                const ResourceType *type = resource_type_of(entry->id, &name);
                Resource *r;

                if (type->sticky || resource_list_find(l, entry->id))
                        continue;
                r = resource_list_add(l, type, name);
                if (!r || resource_say(&r->wanted, NULL, "as it was before gn8v-tee") < 0 || resource_say(&r->found, NULL, "ours") < 0)
                        return error_oom(e);
                r->action = n->environment == ENVIRONMENT_MACHINE || type->offline ? ACTION_REVERT
                            : n->environment == ENVIRONMENT_OSTREE                 ? ACTION_REFUSE
                                                                                   : ACTION_DEFER;
        }
        return 0;
}

/* Nothing is stopped for its own sake: a client is paused only when something else is about to change. */
static void drop_idle_pauses(ResourceList *l) {
        bool work = false;

        for (size_t i = 0; i < l->n; i++)
                work = work || (l->resources[i]->type != &pause_type &&
                                (l->resources[i]->action == ACTION_CHANGE || l->resources[i]->action == ACTION_REVERT));
        for (size_t i = 0; i < l->n && !work; i++)
                if (l->resources[i]->type == &pause_type && l->resources[i]->action == ACTION_CHANGE && pause_is_stop(l->resources[i]))
                        l->resources[i]->action = ACTION_NONE;
}

int plan_make(Node *n, ResourceList *ret, Error *e) {
        _cleanup_resource_list_ ResourceList l = {};
        int k;

        k = plan_load(n, e);
        /* What the administrator has ordered stays wanted without a release, too. */
        for (size_t i = 0; k >= 0 && i < n_resource_types; i++)
                if (n->release || resource_types[i] == &order_type)
                        k = resource_types[i]->list(n, &l, e);
        if (k < 0)
                return k;
        for (size_t i = 0; i < l.n; i++)
                plan_probe(n, l.resources[i]);
        k = list_leftovers(n, &l, e);
        if (k < 0)
                return k;
        drop_idle_pauses(&l);
        *ret = l;
        l = (ResourceList){};
        return 0;
}

bool plan_has_work(const ResourceList *l) {
        for (size_t i = 0; i < l->n; i++)
                if (l->resources[i]->action != ACTION_NONE && l->resources[i]->action != ACTION_KEEP)
                        return true;
        return false;
}

/* A kernel that is gone has taken along what we did for it. */
static int forget_removed_kernels(Node *n, Error *e) {
        bool changed = false;

        for (size_t i = n->journal->n_entries; i-- > 0;) {
                _cleanup_free_ char *modules = NULL;
                const char *name;
                const ResourceType *type = resource_type_of(n->journal->entries[i]->id, &name);

                if (!type || !type->sticky)
                        continue;
                modules = format("/lib/modules/%s", name);
                if (!modules)
                        return error_oom(e);
                if (!node_exists(n, modules)) {
                        journal_drop(n->journal, n->journal->entries[i]);
                        changed = true;
                }
        }
        return changed ? journal_save(n, n->journal, e) : 0;
}

int plan_forget_kernel(Node *n, const char *kernel, Error *e) {
        bool changed = false;
        int k = plan_load(n, e);

        for (size_t i = k < 0 ? 0 : n->journal->n_entries; i-- > 0;) {
                const char *name;
                const ResourceType *type = resource_type_of(n->journal->entries[i]->id, &name);

                if (!type->sticky || !streq(name, kernel))
                        continue;
                journal_drop(n->journal, n->journal->entries[i]);
                changed = true;
        }
        return k < 0 || !changed ? k : journal_save(n, n->journal, e);
}

/* The list of what is left for the first boot, and for every boot until nothing is: the unit's condition is this file. */
static int write_pending(Node *n, const ResourceList *l, Error *e) {
        _cleanup_text_ Text t = {};
        _cleanup_free_ char *text = NULL, *found = NULL;
        int k;

        for (size_t i = 0; i < l->n; i++) {
                const Resource *r = l->resources[i];
                const JournalEntry *entry = journal_find(n->journal, r->id);
                bool failed = entry && entry->state != ENTRY_APPLIED && r->action != ACTION_KEEP;

                if (r->action == ACTION_DEFER || r->action == ACTION_WAIT || failed || (r->type == &pause_type && entry))
                        text_printf(&t, "%s\n", r->id);
        }
        text = text_take(&t);
        if (!text)
                return error_oom(e);
        if (!*text || n->environment == ENVIRONMENT_OSTREE)
                k = node_remove(n, NODE_PENDING_PATH);
        else if (node_read(n, NODE_PENDING_PATH, NODE_FILE_MAX, &found, NULL) >= 0 && streq(found, text))
                return 0;
        else
                k = node_write(n, NODE_PENDING_PATH, text, strlen(text), 0644);
        return k < 0 ? error_errno(e, -k, "%s", NODE_PENDING_PATH) : 0;
}

static int remember_release(Node *n, Error *e) {
        _cleanup_free_ char *name = n->release ? release_name(n->release) : NULL;

        if (!name || n->journal->n_entries == 0 || (n->journal->release && streq(n->journal->release, name)))
                return 0;
        free(n->journal->release);
        n->journal->release = TAKE_PTR(name);
        return journal_save(n, n->journal, e);
}

/* What ran before us runs again as soon as nothing more is to happen: at once, or after the reboot. */
static void resume(Node *n, ResourceList *l, PlanReport report, void *userdata, PlanResult *c) {
        for (size_t i = 0; i < l->n; i++) {
                Resource *r = l->resources[i];

                if (r->type != &pause_type || r->action == ACTION_REVERT || !journal_find(n->journal, r->id))
                        continue;
                plan_probe(n, r);
                if (r->action == ACTION_CHANGE && !pause_is_stop(r))
                        plan_act(n, r, report, userdata, c);
        }
}

int plan_apply(Node *n, ResourceList *l, PlanReport report, void *userdata, PlanResult *ret, Error *e) {
        PlanResult c = {};
        int k;

        plan_sweep(n);
        /* Backwards for what goes, so that a swap takes off the newest first; then forwards for what comes. */
        for (size_t i = l->n; i-- > 0;)
                if (l->resources[i]->action == ACTION_REVERT)
                        plan_act(n, l->resources[i], report, userdata, &c);
        for (size_t i = 0; i < l->n; i++) {
                Resource *r = l->resources[i];

                if (r->action == ACTION_REVERT || (r->type == &pause_type && !pause_is_stop(r)))
                        continue;
                /* Set in one go, so that the initramfs is looked at after the module was made. */
                if (r->type->sticky && r->action != ACTION_DEFER && r->action != ACTION_REFUSE)
                        plan_probe(n, r);
                plan_act(n, r, report, userdata, &c);
        }
        if (n->booted && n->environment == ENVIRONMENT_MACHINE && c.changed > 0)
                (void) units_reload(n, NULL);
        resume(n, l, report, userdata, &c);
        k = forget_removed_kernels(n, e);
        if (k >= 0)
                k = remember_release(n, e);
        if (k >= 0)
                k = write_pending(n, l, e);
        if (k < 0)
                return k;
        *ret = c;
        return 0;
}

int plan_pause(Node *n, PlanReport report, void *userdata, PlanResult *ret, Error *e) {
        _cleanup_resource_list_ ResourceList l = {};
        PlanResult c = {};
        int k;

        k = plan_load(n, e);
        if (k < 0 || !n->release)
                return k;
        plan_sweep(n);
        k = pause_type.list(n, &l, e);
        if (k < 0)
                return k;
        for (size_t i = 0; i < l.n; i++) {
                plan_probe(n, l.resources[i]);
                if (l.resources[i]->action == ACTION_CHANGE && pause_is_stop(l.resources[i]))
                        plan_act(n, l.resources[i], report, userdata, &c);
        }
        *ret = c;
        return 0;
}

int plan_order(Node *n, char *const *units, bool add, PlanReport report, void *userdata, ResourceList *ret, PlanResult *ret_result, Error *e) {
        _cleanup_resource_list_ ResourceList l = {};
        PlanResult c = {};
        int k;

        k = plan_load(n, e);
        if (k < 0)
                return k;
        STRV_FOREACH(unit, units) {
                Resource *r = resource_list_add(&l, &order_type, *unit);
                const JournalEntry *entry = r ? journal_find(n->journal, r->id) : NULL;

                if (!r || resource_say(&r->wanted, NULL, add ? "after %s" : "as it was before gn8v-tee", PERSISTENCED_UNIT) < 0)
                        return error_oom(e);
                if (add) {
                        plan_probe(n, r);
                        /* Taken away by hand, and now asked for again. */
                        if (r->action == ACTION_KEEP && entry && !order_file_exists(n, *unit))
                                r->action = ACTION_CHANGE;
                } else
                        r->action = entry ? ACTION_REVERT : ACTION_NONE;
                plan_act(n, r, report, userdata, &c);
        }
        if (n->booted && n->environment == ENVIRONMENT_MACHINE && c.changed > 0) {
                k = units_reload(n, e);
                if (k < 0)
                        return error_hint(e, k, "the files are as wanted; run: systemctl daemon-reload");
        }
        *ret = l;
        l = (ResourceList){};
        *ret_result = c;
        return 0;
}
