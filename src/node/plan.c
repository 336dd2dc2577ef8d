/* SPDX-License-Identifier: Apache-2.0 */
#include "node/plan.h"

#include "node/initramfs.h"
#include "node/pause.h"
#include "node/units.h"

static int load(Node *n, Error *e) {
        int k;

        if (!n->release) {
                k = node_load_release(n, e);
                if (k < 0)
                        return k;
        }
        k = n->journal ? 0 : journal_load(n, &n->journal, e);
        return k < 0 ? k : resource_check_journal(n->journal, e);
}

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

static void probe(Node *n, Resource *r) {
        error_clear(&r->error);
        freep(&r->note);
        freep(&r->hint);
        r->note = r->hint = NULL;
        if (resource_probe(n, r, &r->error) < 0) {
                r->action = n->environment == ENVIRONMENT_MACHINE ? ACTION_CHANGE : ACTION_REFUSE;
                (void) resource_say(&r->found, NULL, "unreadable");
        }
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

        k = load(n, e);
        /* What the administrator has ordered stays wanted without a release, too. */
        for (size_t i = 0; k >= 0 && i < n_resource_types; i++)
                if (n->release || resource_types[i] == &order_type)
                        k = resource_types[i]->list(n, &l, e);
        if (k < 0)
                return k;
        for (size_t i = 0; i < l.n; i++)
                probe(n, l.resources[i]);
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

/* A state with the same words is not written again: an apply that changes nothing writes nothing. */
static int mark_and_save(Node *n, JournalEntry *entry, EntryState state, const char *message, const char *hint, Error *e) {
        if (entry->state == state && state != ENTRY_APPLYING && streq(entry->message ? entry->message : "", message ? message : "") &&
            streq(entry->hint ? entry->hint : "", hint ? hint : "") && entry->time)
                return 0;
        if (journal_mark(entry, state, message, hint) < 0)
                return error_oom(e);
        return journal_save(n, n->journal, e);
}

static JournalEntry *entry_for(Node *n, const char *id) {
        JournalEntry *entry = journal_find(n->journal, id);

        return entry ? entry : journal_add(n->journal, id);
}

/* Where nobody said more: what stood in the way, and the verb again. */
static int hint_again(Error *e, int k, const char *verb) {
        const char *first = k == -ENOSPC || k == -EDQUOT ? "make room, then " : k == -EROFS ? "mount it read-write, then " : "";

        return error_hint(e, k, "%srun: gn8v-tee %s", first, verb);
}

/* 0: changed; -errno with r->error: not, and so it says in the journal. */
static int apply_one(Node *n, Resource *r, PlanReport report, void *userdata) {
        JournalEntry *entry = entry_for(n, r->id);
        Error *e = &r->error;
        int k, done = 0;

        if (!entry)
                return error_oom(e);
        k = r->type->remember(n, r, entry, e);
        if (k >= 0)
                k = journal_mark(entry, ENTRY_APPLYING, NULL, NULL) < 0 ? error_oom(e) : journal_save(n, n->journal, e);
        if (k < 0) { /* without a record of what was there nothing is changed */
                (void) hint_again(e, k, "apply");
                (void) mark_and_save(n, entry, ENTRY_FAILED, e->message, e->hint, NULL);
                return k;
        }
        if (r->type->slow)
                report(r, EVENT_BEGIN, userdata);
        k = done = r->type->apply(n, r, entry, e);
        if (done == 1) {
                journal_drop(n->journal, entry);
                return journal_save(n, n->journal, e);
        }
        if (k >= 0) {
                k = r->type->probe(n, r, e);
                if (k >= 0 && r->action != ACTION_NONE && r->action != ACTION_KEEP)
                        k = error_hint(e, error_set(e, EIO, EXIT_FAILED, "%s exited 0, but had no effect: found %s, wanted %s", r->type->tool,
                                                    r->found, r->wanted),
                                       "run %s by hand to see why, then: gn8v-tee apply", r->type->tool);
        }
        if (k < 0) {
                (void) hint_again(e, k, "apply");
                (void) mark_and_save(n, entry, ENTRY_FAILED, e->message, e->hint, NULL);
                return k;
        }
        return mark_and_save(n, entry, ENTRY_APPLIED, NULL, NULL, e);
}

/* As wanted: what a crash or a failure left open in the journal is closed. */
static int settle(Node *n, Resource *r) {
        JournalEntry *entry = journal_find(n->journal, r->id);

        if (!entry || entry->state == ENTRY_APPLIED || r->type == &pause_type || (r->action == ACTION_KEEP && entry->state == ENTRY_FAILED))
                return 0;
        if (!entry->before) { /* it only waited; somebody else did it */
                journal_drop(n->journal, entry);
                return journal_save(n, n->journal, &r->error);
        }
        return mark_and_save(n, entry, ENTRY_APPLIED, NULL, NULL, &r->error);
}

static int record_wait(Node *n, Resource *r) {
        JournalEntry *entry = entry_for(n, r->id);

        if (!entry)
                return error_oom(&r->error);
        return mark_and_save(n, entry, ENTRY_PENDING, r->note, r->hint, &r->error);
}

static int revert_one(Node *n, Resource *r) {
        JournalEntry *entry = journal_find(n->journal, r->id);
        Error *e = &r->error;
        int k = 0;

        if (!entry)
                return 0;
        if (entry->before)
                k = r->type->revert(n, r, entry, e);
        if (k == 0) {
                journal_drop(n->journal, entry);
                return journal_save(n, n->journal, e);
        }
        if (k > 0)
                return mark_and_save(n, entry, ENTRY_PENDING, "to be done when the package's files are gone", NULL, e);
        (void) hint_again(e, k, "revert");
        (void) mark_and_save(n, entry, ENTRY_FAILED, e->message, e->hint, NULL);
        return k;
}

static void count(PlanResult *c, const Resource *r, Event event, PlanReport report, void *userdata) {
        switch (event) {
        case EVENT_DONE: c->changed++; break;
        case EVENT_FAILED: c->failed++; break;
        case EVENT_WAIT: c->waiting++; break;
        case EVENT_DEFERRED: c->deferred++; break;
        case EVENT_REFUSED: c->refused++; break;
        case EVENT_BEGIN:
        case EVENT_KEPT: break;
        }
        report(r, event, userdata);
}

static void act(Node *n, Resource *r, PlanReport report, void *userdata, PlanResult *c) {
        switch (r->action) {
        case ACTION_NONE:
        case ACTION_KEEP:
                if (settle(n, r) < 0)
                        count(c, r, EVENT_FAILED, report, userdata);
                else if (r->action == ACTION_KEEP)
                        count(c, r, EVENT_KEPT, report, userdata);
                break;
        case ACTION_CHANGE: count(c, r, apply_one(n, r, report, userdata) < 0 ? EVENT_FAILED : EVENT_DONE, report, userdata); break;
        case ACTION_REVERT: count(c, r, revert_one(n, r) < 0 ? EVENT_FAILED : EVENT_DONE, report, userdata); break;
        case ACTION_WAIT: count(c, r, record_wait(n, r) < 0 ? EVENT_FAILED : EVENT_WAIT, report, userdata); break;
        case ACTION_DEFER: count(c, r, EVENT_DEFERRED, report, userdata); break;
        case ACTION_REFUSE: count(c, r, EVENT_REFUSED, report, userdata); break;
        case _ACTION_MAX: break;
        }
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
        int k = load(n, e);

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
                probe(n, r);
                if (r->action == ACTION_CHANGE && !pause_is_stop(r))
                        act(n, r, report, userdata, c);
        }
}

/* What a run that was killed has left half written. */
static void sweep(Node *n) {
        static const char *const directories[] = { NODE_STATE_DIR, "/boot/loader/entries", "/boot/grub2" };
        static const char *const files[][2] = { { "/etc/default", "grub" }, { "/etc/kernel", "cmdline" } };

        for (size_t i = 0; i < ELEMENTSOF(directories); i++)
                (void) node_sweep(n, directories[i], NULL);
        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                (void) node_sweep(n, files[i][0], files[i][1]);
        initramfs_sweep(n);
}

int plan_apply(Node *n, ResourceList *l, PlanReport report, void *userdata, PlanResult *ret, Error *e) {
        PlanResult c = {};
        int k;

        sweep(n);
        /* Backwards for what goes, so that a swap takes off the newest first; then forwards for what comes. */
        for (size_t i = l->n; i-- > 0;)
                if (l->resources[i]->action == ACTION_REVERT)
                        act(n, l->resources[i], report, userdata, &c);
        for (size_t i = 0; i < l->n; i++) {
                Resource *r = l->resources[i];

                if (r->action == ACTION_REVERT || (r->type == &pause_type && !pause_is_stop(r)))
                        continue;
                /* Set in one go, so that the initramfs is looked at after the module was made. */
                if (r->type->sticky && r->action != ACTION_DEFER && r->action != ACTION_REFUSE)
                        probe(n, r);
                act(n, r, report, userdata, &c);
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

        k = load(n, e);
        if (k < 0 || !n->release)
                return k;
        sweep(n);
        k = pause_type.list(n, &l, e);
        if (k < 0)
                return k;
        for (size_t i = 0; i < l.n; i++) {
                probe(n, l.resources[i]);
                if (l.resources[i]->action == ACTION_CHANGE && pause_is_stop(l.resources[i]))
                        act(n, l.resources[i], report, userdata, &c);
        }
        *ret = c;
        return 0;
}

int plan_order(Node *n, char *const *units, bool add, PlanReport report, void *userdata, ResourceList *ret, PlanResult *ret_result, Error *e) {
        _cleanup_resource_list_ ResourceList l = {};
        PlanResult c = {};
        int k;

        k = load(n, e);
        if (k < 0)
                return k;
        STRV_FOREACH(unit, units) {
                Resource *r = resource_list_add(&l, &order_type, *unit);
                const JournalEntry *entry = r ? journal_find(n->journal, r->id) : NULL;

                if (!r || resource_say(&r->wanted, NULL, add ? "after %s" : "as it was before gn8v-tee", PERSISTENCED_UNIT) < 0)
                        return error_oom(e);
                if (add) {
                        probe(n, r);
                        /* Taken away by hand, and now asked for again. */
                        if (r->action == ACTION_KEEP && entry && !order_file_exists(n, *unit))
                                r->action = ACTION_CHANGE;
                } else
                        r->action = entry ? ACTION_REVERT : ACTION_NONE;
                act(n, r, report, userdata, &c);
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

/* An initramfs that was built since, by a new kernel's own installation, has our files in it too. */
static int adopt_initramfs(Node *n, Error *e) {
        _cleanup_resource_list_ ResourceList l = {};
        int k;

        if (!n->release || n->environment != ENVIRONMENT_MACHINE || n->journal->n_entries == 0)
                return 0;
        k = initramfs_type.list(n, &l, e);
        for (size_t i = 0; k >= 0 && i < l.n; i++) {
                JournalEntry *entry = entry_for(n, l.resources[i]->id);

                k = entry ? initramfs_type.remember(n, l.resources[i], entry, e) : error_oom(e);
        }
        return k;
}

int plan_revert(Node *n, PlanReport report, void *userdata, PlanResult *ret, Error *e) {
        _cleanup_resource_list_ ResourceList l = {};
        PlanResult c = {};
        int k;

        k = load(n, e);
        if (k < 0)
                return k;
        sweep(n);
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
                act(n, l.resources[i], report, userdata, &c);
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

        k = load(n, e);
        if (k < 0)
                return k;
        sweep(n);
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
                        count(&c, r, EVENT_FAILED, report, userdata);
                        continue;
                }
                journal_drop(n->journal, entry);
                k = journal_save(n, n->journal, e);
                if (k < 0)
                        return k;
                (void) resource_say(&r->note, NULL, "built anew without gn8v-tee's files");
                count(&c, r, EVENT_DONE, report, userdata);
        }
        *ret = c;
        return 0;
}
