/* SPDX-License-Identifier: Apache-2.0 */
#include "node/plan-act.h"

#include "node/initramfs.h"
#include "node/pause.h"

int plan_load(Node *n, Error *e) {
        int k;

        if (!n->release) {
                k = node_load_release(n, e);
                if (k < 0)
                        return k;
        }
        k = n->journal ? 0 : journal_load(n, &n->journal, e);
        return k < 0 ? k : resource_check_journal(n->journal, e);
}

void plan_probe(Node *n, Resource *r) {
        error_clear(&r->error);
        freep(&r->note);
        freep(&r->hint);
        r->note = r->hint = NULL;
        if (resource_probe(n, r, &r->error) < 0) {
                r->action = n->environment == ENVIRONMENT_MACHINE ? ACTION_CHANGE : ACTION_REFUSE;
                (void) resource_say(&r->found, NULL, "unreadable");
        }
}

/* What a run that was killed has left half written. */
void plan_sweep(Node *n) {
        static const char *const directories[] = { NODE_STATE_DIR, "/boot/loader/entries", "/boot/grub2" };
        static const char *const files[][2] = { { "/etc/default", "grub" }, { "/etc/kernel", "cmdline" } };

        for (size_t i = 0; i < ELEMENTSOF(directories); i++)
                (void) node_sweep(n, directories[i], NULL);
        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                (void) node_sweep(n, files[i][0], files[i][1]);
        initramfs_sweep(n);
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

JournalEntry *plan_entry(Node *n, const char *id) {
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
        JournalEntry *entry = plan_entry(n, r->id);
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
        JournalEntry *entry = plan_entry(n, r->id);

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

void plan_count(PlanResult *c, const Resource *r, Event event, PlanReport report, void *userdata) {
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

void plan_act(Node *n, Resource *r, PlanReport report, void *userdata, PlanResult *c) {
        switch (r->action) {
        case ACTION_NONE:
        case ACTION_KEEP:
                if (settle(n, r) < 0)
                        plan_count(c, r, EVENT_FAILED, report, userdata);
                else if (r->action == ACTION_KEEP)
                        plan_count(c, r, EVENT_KEPT, report, userdata);
                break;
        case ACTION_CHANGE: plan_count(c, r, apply_one(n, r, report, userdata) < 0 ? EVENT_FAILED : EVENT_DONE, report, userdata); break;
        case ACTION_REVERT: plan_count(c, r, revert_one(n, r) < 0 ? EVENT_FAILED : EVENT_DONE, report, userdata); break;
        case ACTION_WAIT: plan_count(c, r, record_wait(n, r) < 0 ? EVENT_FAILED : EVENT_WAIT, report, userdata); break;
        case ACTION_DEFER: plan_count(c, r, EVENT_DEFERRED, report, userdata); break;
        case ACTION_REFUSE: plan_count(c, r, EVENT_REFUSED, report, userdata); break;
        case _ACTION_MAX: break;
        }
}
