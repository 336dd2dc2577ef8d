/* SPDX-License-Identifier: Apache-2.0 */
/* What gn8v-tee itself still has to do, or could not do. */
#include "node/status-rows.h"

static bool is_open(const StatusContext *c, const JournalEntry *entry) {
        const bool pause = startswith(entry->id, "pause:");

        return entry->state != ENTRY_APPLIED && (pause || !resource_list_find(&c->plan, entry->id));
}

void status_journal(StatusContext *c) {
        const Journal *journal = c->node->journal;
        size_t before = c->status.n;

        for (size_t i = 0; i < c->plan.n; i++) {
                const Resource *r = c->plan.resources[i];

                if (r->action != ACTION_REVERT)
                        continue;
                row_add(c, ROW_FAIL, r->id, r->wanted, "%s", r->found);
                row_next(c, FIRST_APPLY, "gn8v-tee apply");
        }
        if (c->journal_hidden) {
                row_add(c, ROW_UNKNOWN, "journal", "all applied", "not readable");
                row_next(c, FIRST_NEVER, "run as root: gn8v-tee status");
                return;
        }
        for (size_t i = 0; i < journal->n_entries; i++) {
                const JournalEntry *entry = journal->entries[i];
                bool pending = entry->state == ENTRY_PENDING;

                if (!is_open(c, entry))
                        continue;
                row_add(c, pending ? ROW_PENDING : ROW_FAIL, entry->id, "applied", "%s", entry_state_to_string(entry->state));
                row_next(c, pending ? FIRST_LAST : FIRST_JOURNAL, "%s%s%s", entry->message ? entry->message : "interrupted",
                         entry->hint ? ": " : "", entry->hint ? entry->hint : ": gn8v-tee apply");
        }
        if (c->status.n == before)
                row_add(c, ROW_OK, "journal", NULL, "%s", journal->n_entries > 0 ? "all applied" : "empty");
}
