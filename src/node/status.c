/* SPDX-License-Identifier: Apache-2.0 */
#include "node/status-rows.h"

#include <inttypes.h>
#include <stdarg.h>

#include "node/module.h"
#include "node/plan.h"
#include "node/reboot.h"
#include "node/repository.h"
#include "node/units.h"

#define WORDS_MAX 1024 /* bytes of one cell */

const char *row_state_to_string(RowState s) {
        static const char *const names[_ROW_STATE_MAX] = {
                [ROW_OK] = "ok", [ROW_UNKNOWN] = "unknown", [ROW_WARN] = "warn", [ROW_PENDING] = "pending", [ROW_FAIL] = "fail",
        };
        return names[s];
}

void status_free(Status *s) {
        for (size_t i = 0; i < s->n; i++) {
                free(s->rows[i].name);
                free(s->rows[i].expected);
                free(s->rows[i].found);
                free(s->rows[i].next);
        }
        free(s->rows);
        free(s->release);
        free(s->next);
        gpu_facts_free(&s->gpu);
        *s = (Status){};
}

void row_add(StatusContext *c, RowState state, const char *name, const char *expected, const char *found, ...) {
        StatusRow *grown = reallocarray(c->status.rows, c->status.n + 1, sizeof(StatusRow)), *row;
        va_list ap;

        if (!grown) {
                c->failed = true;
                return;
        }
        c->status.rows = grown;
        row = &grown[c->status.n++];
        *row = (StatusRow){ .group = c->group, .name = strdup(name), .expected = expected ? strdup(expected) : NULL, .state = state,
                            .priority = FIRST_NEVER };
        if (found) {
                va_start(ap, found);
                row->found = format_va(found, ap);
                va_end(ap);
        }
        if (row->name)
                text_clean(row->name, WORDS_MAX);
        if (row->expected)
                text_clean(row->expected, WORDS_MAX);
        if (row->found)
                text_clean(row->found, WORDS_MAX);
        if (!row->name || (expected && !row->expected) || (found && !row->found))
                c->failed = true;
}

void row_next(StatusContext *c, unsigned priority, const char *fmt, ...) {
        StatusRow *row = c->status.n > 0 ? &c->status.rows[c->status.n - 1] : NULL;
        va_list ap;

        if (!row || row->next)
                return;
        va_start(ap, fmt);
        row->next = format_va(fmt, ap);
        va_end(ap);
        row->priority = priority;
        if (row->next)
                text_clean(row->next, WORDS_MAX);
        else
                c->failed = true;
}

char *first_line(Node *n, const char *path) {
        char *text = NULL;

        if (node_read(n, path, (size_t) 64 * 1024, &text, NULL) < 0)
                return NULL;
        text[strcspn(text, "\n")] = '\0';
        return text;
}

void row_add_resource(StatusContext *c, const char *name, const Resource *r, unsigned priority) {
        const JournalEntry *entry = journal_find(c->node->journal, r->id);

        switch (r->action) {
        case ACTION_NONE: row_add(c, ROW_OK, name, r->wanted, "%s", r->found); return;
        case ACTION_KEEP:
                row_add(c, r->hint ? ROW_WARN : ROW_OK, name, r->wanted, "%s", r->found);
                if (r->hint)
                        row_next(c, FIRST_LAST, "%s", r->hint);
                return;
        case ACTION_WAIT:
                row_add(c, ROW_FAIL, name, r->wanted, "%s", r->found);
                row_next(c, FIRST_HEADERS, "%s%s%s", r->note ? r->note : "", r->note ? ": " : "", r->hint ? r->hint : "gn8v-tee apply");
                return;
        case ACTION_DEFER:
                row_add(c, ROW_PENDING, name, r->wanted, "%s", r->found);
                row_next(c, FIRST_REBOOT, "boot this system: gn8v-tee-apply.service does the rest");
                return;
        case ACTION_REFUSE:
                row_add(c, ROW_WARN, name, r->wanted, "%s", r->found);
                row_next(c, FIRST_LAST, "%s", r->hint ? r->hint : "do it where the boot entries are kept");
                return;
        default:
                if (r->error.message && geteuid() != 0) {
                        row_add(c, ROW_UNKNOWN, name, r->wanted, "not readable");
                        row_next(c, FIRST_NEVER, "run as root: gn8v-tee status");
                        return;
                }
                row_add(c, ROW_FAIL, name, r->wanted, "%s", r->found);
                if (r->error.message)
                        row_next(c, FIRST_JOURNAL, "%s%s%s", r->error.message, r->error.hint ? ": " : "", r->error.hint ? r->error.hint : "");
                else if (entry && entry->state == ENTRY_FAILED && entry->message)
                        row_next(c, r->type == &module_type ? FIRST_HEADERS : FIRST_JOURNAL, "%s%s%s", entry->message,
                                 entry->hint ? "; " : "", entry->hint ? entry->hint : "");
                else
                        row_next(c, priority, "gn8v-tee apply");
        }
}

/* Whether the repository that packages come from is no older state than what was seen before, and has not expired. */
static void add_repository(StatusContext *c) {
        _cleanup_free_ char *date = NULL, *expected = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        uint64_t known = repository_known(c->node);
        Freshness f;
        int64_t now;

        if (repository_freshness(c->node, &f, &e) < 0) {
                row_add(c, ROW_UNKNOWN, "repository", "fresh", "%s", e.message ? e.message : "not readable");
                row_next(c, FIRST_NEVER, "%s", e.hint ? e.hint : "run as root: gn8v-tee status");
                return;
        }
        if (f.serial == 0)
                return; /* nothing was loaded from it here, or its builder is an older one */
        date = f.expires > 0 ? freshness_date(f.expires) : NULL;
        expected = format("serial >= %" PRIu64 ", not expired", known);
        if (!expected || (f.expires > 0 && !date)) {
                c->failed = true;
                return;
        }
        if (freshness_clock(&now, NULL) >= 0 && freshness_check(&f, known, now, "the repository's metadata", &e) >= 0)
                row_add(c, ROW_OK, "repository", expected, "serial %" PRIu64 "%s%s", f.serial, date ? ", expires " : "", date ? date : "");
        else {
                row_add(c, ROW_WARN, "repository", expected, "serial %" PRIu64 "%s%s", f.serial, date ? ", expires " : "", date ? date : "");
                row_next(c, FIRST_LAST, "%s: yum clean metadata && yum makecache; if it stays so, ask who runs the mirror", e.message ? e.message : "");
        }
}

static void add_release(StatusContext *c) {
        const char *release = c->status.release;

        row_add(c, release ? ROW_OK : ROW_FAIL, "release", "installed", "%s", release ? release : "none");
        if (!release)
                row_next(c, FIRST_RELEASE, "yum install gn8v-tee-single (1 GPU) or gn8v-tee-multi (8 GPUs)");
        else
                add_repository(c);
}

/* Nothing that is not ok is without a sentence. */
static void explain(StatusContext *c) {
        for (size_t i = 0; i < c->status.n; i++) {
                StatusRow *row = &c->status.rows[i];

                if (row->state == ROW_OK || row->next)
                        continue;
                row->next = strdup(c->node->root || !c->node->booted ? "boot this system" : "run as root: gn8v-tee status");
                c->failed = c->failed || !row->next;
        }
}

/* Whether one of the services that hold the GPUs starts, or waits for its turn. */
static bool is_starting(StatusContext *c) {
        for (size_t i = 0; i < c->plan.n; i++)
                if (c->plan.resources[i]->type == &enable_type && c->plan.resources[i]->action != ACTION_REVERT &&
                    unit_is_starting(c->node, c->plan.resources[i]->name))
                        return true;
        return false;
}

/* The worst state, the first of the next actions, the exit code. */
static void conclude(StatusContext *c) {
        Status *s = &c->status;
        const StatusRow *first = NULL;

        for (size_t i = 0; i < s->n; i++) {
                const StatusRow *row = &s->rows[i];

                s->state = MAX(s->state, row->state);
                if (row->next && row->priority < FIRST_NEVER && (!first || row->priority < first->priority))
                        first = row;
        }
        s->code = s->state == ROW_FAIL ? EXIT_DIFFERS : s->state == ROW_PENDING ? EXIT_REBOOT : EXIT_OK;
        if (!first)
                return;
        /* A sentence about one thing has to say about which. */
        s->next = first->priority == FIRST_JOURNAL || first->priority == FIRST_HEADERS ? format("%s: %s", first->name, first->next)
                                                                                       : strdup(first->next);
        if (!s->next)
                c->failed = true;
}

static int load(StatusContext *c, Error *e) {
        Node *n = c->node;
        int k;

        k = node_load_release(n, e);
        if (k < 0)
                return k;
        k = journal_load(n, &n->journal, e);
        if (k == -EACCES) {
                /* Not root: everything else can still be told. */
                error_clear(e);
                c->journal_hidden = true;
                n->journal = journal_new();
                k = n->journal ? 0 : error_oom(e);
        }
        if (k >= 0)
                k = plan_make(n, &c->plan, e);
        if (k >= 0 && n->release)
                k = metadata_load(n, &c->metadata) < 0 ? error_oom(e) : 0;
        return k;
}

int status_make(Node *n, Status *ret, Error *e) {
        /* In the order of the seeds' steps. */
        static const struct {
                const char *name;
                void (*add)(StatusContext *c);
        } groups[] = {
                { "release", add_release },       { "instance", status_instance }, { "tdx", status_tdx },
                { "kernel", status_kernel },      { "crypto", status_crypto },     { "driver", status_driver },
                { "software", status_software },  { "services", status_services }, { "clients", status_clients },
                { "gpu", status_gpu },            { "gpu", status_attest },      { "system", status_system },
                { "journal", status_journal },
        };
        StatusContext c = { .node = n };
        int k;

        k = load(&c, e);
        if (k >= 0) {
                c.status.environment = environment_to_string(n->environment);
                c.status.release = n->release ? release_name(n->release) : NULL;
                c.failed = n->release && !c.status.release;
                c.reboot = reboot_reason(n);
                c.starting = is_starting(&c);
                for (size_t i = 0; i < ELEMENTSOF(groups); i++) {
                        c.group = groups[i].name;
                        groups[i].add(&c);
                }
                explain(&c);
                conclude(&c);
                k = c.failed ? error_oom(e) : 0;
        }
        resource_list_free(&c.plan);
        metadata_free(&c.metadata);
        free(c.reboot);
        if (k < 0)
                status_free(&c.status);
        else
                *ret = c.status;
        return k;
}
