/* SPDX-License-Identifier: Apache-2.0 */
#include "node/initramfs.h"
#include "node/plan-act.h"
#include "node/units.h"

/* An initramfs that was built since, by a new kernel's own installation, has our files in it too. */
static int adopt_initramfs(Node *n, Error *e) {
        _cleanup_resource_list_ ResourceList l = {};
        int k;

        if (!n->release || n->environment != ENVIRONMENT_MACHINE || n->journal->n_entries == 0)
                return 0;
        k = initramfs_type.list(n, &l, e);
        for (size_t i = 0; k >= 0 && i < l.n; i++) {
                JournalEntry *entry = plan_entry(n, l.resources[i]->id);

                k = entry ? initramfs_type.remember(n, l.resources[i], entry, e) : error_oom(e);
        }
        return k;
}

int plan_revert(Node *n, PlanReport report, void *userdata, PlanResult *ret, Error *e) {
        _cleanup_resource_list_ ResourceList l = {};
        PlanResult c = {};
        int k;

        k = plan_load(n, e);
        if (k < 0)
                return k;
        plan_sweep(n);
        k = adopt_initramfs(n, e);
        /* Without a release nothing is wanted, so that all of the journal is to be reverted. */
        for (size_t i = 0; i < n_resource_types && k >= 0; i++)
                for (size_t j = 0; j < n->journal->n_entries && k >= 0; j++) {
                        const char *name;
                        const ResourceType *type = resource_type_of(n->journal->entries[j]->id, &name);
                        Resource *r;

                        if (type != resource_types[i])
                                continue;
                        r = resource_list_add(&l, type, name);
                        if (!r || resource_say(&r->wanted, NULL, "as it was before gn8v-tee") < 0 ||
                            resource_say(&r->hint, NULL, "do it on the booted machine: gn8v-tee revert") < 0)
                                k = error_oom(e);
                        else
                                r->action = n->environment == ENVIRONMENT_MACHINE || type->offline ? ACTION_REVERT : ACTION_REFUSE;
                }
        for (size_t i = l.n; i-- > 0 && k >= 0;)
                plan_act(n, l.resources[i], report, userdata, &c);
        if (k >= 0 && n->booted && n->environment == ENVIRONMENT_MACHINE && c.changed > 0)
                (void) units_reload(n, NULL);
        if (k >= 0 && c.failed == 0) {
                k = node_remove(n, NODE_PENDING_PATH);
                if (k < 0)
                        k = error_errno(e, -k, "%s", NODE_PENDING_PATH);
        }
        if (k < 0)
                return k;
        *ret = c;
        return 0;
}

int plan_finish(Node *n, PlanReport report, void *userdata, PlanResult *ret, Error *e) {
        PlanResult c = {};
        int k;

        k = plan_load(n, e);
        if (k < 0)
                return k;
        plan_sweep(n);
        for (size_t i = n->journal->n_entries; i-- > 0 && !n->release;) {
                _cleanup_(resource_freep) Resource *r = NULL;
                JournalEntry *entry = n->journal->entries[i];
                const char *name;
                const ResourceType *type = resource_type_of(entry->id, &name);

                if (type != &initramfs_type || entry->state != ENTRY_PENDING)
                        continue;
                r = resource_new(type, name);
                if (!r)
                        return error_oom(e);
                report(r, EVENT_BEGIN, userdata);
                if (initramfs_rebuild(n, r->name, &r->error) < 0) {
                        (void) error_hint(&r->error, -EIO, "run: dracut -f /boot/initramfs-%s.img %s", r->name, r->name);
                        plan_count(&c, r, EVENT_FAILED, report, userdata);
                        continue;
                }
                journal_drop(n->journal, entry);
                k = journal_save(n, n->journal, e);
                if (k < 0)
                        return k;
                (void) resource_say(&r->note, NULL, "built anew without gn8v-tee's files");
                plan_count(&c, r, EVENT_DONE, report, userdata);
        }
        *ret = c;
        return 0;
}
