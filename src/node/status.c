/* SPDX-License-Identifier: Apache-2.0 */
#include "node/status.h"

#include <stdarg.h>

#include "node/boot-entries.h"
#include "node/kernel-argument.h"
#include "node/module.h"
#include "node/plan.h"
#include "node/reboot.h"
#include "node/units.h"

/* What is to be done first stands first: the machine's next action is the first one that is needed. */
enum {
        FIRST_RELEASE,
        FIRST_INSTANCE,
        FIRST_HEADERS, /* before any reboot: the kernel that boots must have its module */
        FIRST_JOURNAL,
        FIRST_APPLY,
        FIRST_KERNEL,
        FIRST_REBOOT,
        FIRST_DRIVER,
        FIRST_WAIT,
        FIRST_SERVICE,
        FIRST_GPUS,
        FIRST_LAST,
};

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
        *s = (Status){};
}

/* Appends a row with copies of these; expected and found may be NULL. NULL: out of memory. */
static StatusRow *add(Status *s, const char *group, const char *name, const char *expected, const char *found, RowState state) {
        StatusRow *grown = reallocarray(s->rows, s->n + 1, sizeof(StatusRow)), *row;

        if (!grown)
                return NULL;
        s->rows = grown;
        row = &s->rows[s->n++];
        *row = (StatusRow){ .group = group, .name = strdup(name), .expected = expected ? strdup(expected) : NULL,
                            .found = found ? strdup(found) : NULL, .state = state, .priority = FIRST_LAST };
        return row->name && (row->expected || !expected) && (row->found || !found) ? row : NULL;
}

static StatusRow *next(StatusRow *row, unsigned priority, const char *fmt, ...) _printf_(3, 4);
static StatusRow *next(StatusRow *row, unsigned priority, const char *fmt, ...) {
        va_list ap;

        if (!row || row->next)
                return row;
        va_start(ap, fmt);
        row->next = format_va(fmt, ap);
        va_end(ap);
        row->priority = priority;
        return row->next ? row : NULL;
}

static StatusRow *next_reboot(StatusRow *row) {
        return next(row, FIRST_REBOOT, "reboot");
}

static bool add_release(Node *n, Status *s) {
        StatusRow *row = add(s, "release", "release", "installed", s->release ? s->release : "none", s->release ? ROW_OK : ROW_FAIL);

        return s->release ? row : next(row, FIRST_RELEASE, "yum install gn8v-tee-single (1 GPU) or gn8v-tee-multi (8 GPUs)");
}

static char *first_line(Node *n, const char *path) {
        char *text = NULL;

        if (node_read(n, path, (size_t) 64 * 1024, &text, NULL) < 0)
                return NULL;
        text[strcspn(text, "\n")] = '\0';
        return text;
}

static bool add_kernel(Node *n, Status *s) {
        _cleanup_free_ char *running = first_line(n, "/proc/sys/kernel/osrelease"), *wanted = NULL;
        StatusRow *row;

        if (!n->release || !n->release->minimum_kernel)
                return true;
        wanted = format(">= %s", n->release->minimum_kernel);
        if (!wanted)
                return false;
        if (!running)
                return add(s, "platform", "kernel running", wanted, "no /proc", ROW_UNKNOWN);
        if (version_compare(running, n->release->minimum_kernel) >= 0)
                return add(s, "platform", "kernel running", wanted, running, ROW_OK);
        row = add(s, "platform", "kernel running", wanted, running, ROW_FAIL);
        return next(row, FIRST_KERNEL, "yum update kernel && reboot");
}

static bool has_tdx_flag(const char *cpuinfo) {
        for (const char *p = cpuinfo; (p = strstr(p, "tdx_guest")); p += strlen("tdx_guest"))
                if (p > cpuinfo && strchr(" \t", p[-1]) && strchr(" \t\n", p[9]))
                        return true;
        return false;
}

static bool add_tdx(Node *n, Status *s) {
        _cleanup_free_ char *cpuinfo = NULL, *types = n->release ? strv_join(n->release->instance_types, " ") : NULL;
        bool device = node_exists(n, "/dev/tdx_guest");
        StatusRow *row;

        if (node_read(n, "/proc/cpuinfo", NODE_FILE_MAX, &cpuinfo, NULL) < 0)
                return add(s, "platform", "TDX guest", "tdx_guest", "no /proc", ROW_UNKNOWN);
        if (!has_tdx_flag(cpuinfo)) {
                row = add(s, "platform", "TDX guest", "tdx_guest", "no such CPU flag", ROW_FAIL);
                return next(row, FIRST_INSTANCE, "this is no confidential virtual machine: create an instance of type %s",
                            types && *types ? types : "ecs.gn8v-tee");
        }
        row = add(s, "platform", "TDX guest", "tdx_guest", "tdx_guest", ROW_OK);
        if (!row)
                return false;
        row = add(s, "platform", "/dev/tdx_guest", "present", device ? "present" : "absent", device ? ROW_OK : ROW_WARN);
        return device ? row : next(row, FIRST_LAST, "modprobe tdx_guest");
}

/* A row for a resource as plan sees it; what the last apply said about it is in the journal. */
static StatusRow *add_resource(Node *n, Status *s, const char *group, const char *name, const Resource *r, unsigned priority) {
        const JournalEntry *entry = journal_find(n->journal, r->id);
        StatusRow *row;

        switch (r->action) {
        case ACTION_NONE: return add(s, group, name, r->wanted, r->found, ROW_OK);
        case ACTION_KEEP:
                row = add(s, group, name, r->wanted, r->found, r->hint ? ROW_WARN : ROW_OK);
                return r->hint ? next(row, FIRST_LAST, "%s", r->hint) : row;
        case ACTION_WAIT:
                row = add(s, group, name, r->wanted, r->found, ROW_FAIL);
                return next(row, FIRST_HEADERS, "%s%s%s", r->note ? r->note : "", r->note && r->hint ? ": " : "",
                            r->hint ? r->hint : "gn8v-tee apply");
        case ACTION_DEFER:
                row = add(s, group, name, r->wanted, r->found, ROW_PENDING);
                return next(row, FIRST_REBOOT, "boot this system: gn8v-tee-apply.service does the rest");
        case ACTION_REFUSE:
                row = add(s, group, name, r->wanted, r->found, ROW_WARN);
                return next(row, FIRST_LAST, "%s", r->hint ? r->hint : "do it where the boot entries are kept");
        default:
                if (r->error.message && geteuid() != 0)
                        return add(s, group, name, r->wanted, "not readable: run as root", ROW_UNKNOWN);
                row = add(s, group, name, r->wanted, r->found, ROW_FAIL);
                if (r->error.message)
                        return next(row, FIRST_JOURNAL, "%s%s%s", r->error.message, r->error.hint ? ": " : "", r->error.hint ? r->error.hint : "");
                if (entry && entry->state == ENTRY_FAILED && entry->message)
                        return next(row, r->type == &module_type ? FIRST_HEADERS : FIRST_JOURNAL, "%s%s%s", entry->message,
                                    entry->hint ? "; " : "", entry->hint ? entry->hint : "");
                return next(row, priority, "gn8v-tee apply");
        }
}

static bool add_running_argument(Node *n, Status *s, const Resource *r) {
        _cleanup_free_ char *cmdline = NULL, *found = NULL, *merged = NULL, *name = format("%s running", r->name);
        StatusRow *row;

        if (!name)
                return false;
        if (node_read(n, "/proc/cmdline", (size_t) 64 * 1024, &cmdline, NULL) < 0)
                return add(s, "kernel", name, r->wanted, "no /proc", ROW_UNKNOWN);
        found = cmdline_find(cmdline, r->name);
        merged = argument_merge(found, r->wanted);
        if (!merged)
                return false;
        if (found && streq(found, merged))
                return add(s, "kernel", name, r->wanted, found, ROW_OK);
        row = add(s, "kernel", name, r->wanted, found ? found : "absent", ROW_PENDING);
        return next_reboot(row);
}

/* What the kernel made of it: upstream kernels do not know "any", and give a much smaller pool. */
static bool add_swiotlb_effect(Node *n, Status *s, const Resource *r) {
        _cleanup_free_ char *slabs = first_line(n, "/sys/kernel/debug/swiotlb/io_tlb_nslabs"), *expected = NULL, *found = NULL;
        const char *value = startswith(r->wanted, "swiotlb=");
        uint64_t have, want;
        char *words;
        StatusRow *row;

        if (!value || !slabs || !(words = strndup(value, strcspn(value, ","))))
                return true;
        have = want = 0;
        if (parse_u64(words, &want) < 0 || parse_u64(slabs, &have) < 0) {
                free(words);
                return true;
        }
        free(words);
        expected = format("%llu MiB", (unsigned long long) (want / 512));
        found = format("%llu MiB", (unsigned long long) (have / 512));
        if (!expected || !found)
                return false;
        if (have >= want)
                return add(s, "kernel", "swiotlb pool", expected, found, ROW_OK);
        row = add(s, "kernel", "swiotlb pool", expected, found, ROW_FAIL);
        return next(row, FIRST_DRIVER, "reboot; if it stays so, this kernel does not know the argument: yum update kernel && reboot");
}

static bool add_loaded(Node *n, Status *s) {
        const Artifact *driver = n->release ? release_artifact_of_kind(n->release, ARTIFACT_DRIVER) : NULL;
        _cleanup_free_ char *loaded = loaded_driver(n), *reason = NULL, *flavour = NULL;
        StatusRow *row;

        if (!driver)
                return true;
        if (!loaded) {
                reason = reboot_reason(n);
                if (!node_exists(n, "/sys/module"))
                        return add(s, "driver", "driver loaded", driver->version, "no /sys", ROW_UNKNOWN);
                row = add(s, "driver", "driver loaded", driver->version, "not loaded", reason ? ROW_PENDING : ROW_FAIL);
                return reason ? next_reboot(row)
                              : next(row, FIRST_DRIVER, "modprobe nvidia, and read its reasons: journalctl -k -b -g 'NVRM|nvidia'");
        }
        if (!streq(loaded, driver->version))
                return next_reboot(add(s, "driver", "driver loaded", driver->version, loaded, ROW_PENDING));
        if (!add(s, "driver", "driver loaded", driver->version, loaded, ROW_OK))
                return false;
        flavour = first_line(n, "/proc/driver/nvidia/version");
        if (!flavour)
                return true;
        if (strstr(flavour, "Open Kernel Module"))
                return add(s, "driver", "kernel modules", "open", "open", ROW_OK);
        row = add(s, "driver", "kernel modules", "open", "proprietary", ROW_FAIL);
        return next(row, FIRST_DRIVER, "remove the other driver; confidential computing needs the open modules: gn8v-tee apply && reboot");
}

static bool add_gpus(Node *n, Status *s) {
        _cleanup_free_ char *loaded = loaded_driver(n), *expected = NULL, *found = NULL;
        _cleanup_strv_ char **gpus = NULL;
        StatusRow *row;

        if (!loaded || !n->release)
                return true;
        if (node_list(n, "/proc/driver/nvidia/gpus", &gpus) < 0)
                return true;
        expected = format("%u", n->release->gpus);
        found = format("%zu", strv_length(gpus));
        if (!expected || !found)
                return false;
        if (strv_length(gpus) == n->release->gpus)
                return add(s, "driver", "GPUs", expected, found, ROW_OK);
        row = add(s, "driver", "GPUs", expected, found, ROW_FAIL);
        return next(row, FIRST_GPUS, "check that the instance type has %u GPU(s); if it has, open a ticket: a GPU does not attach",
                    n->release->gpus);
}

/* Whether the service runs; only systemd knows, and only here. */
static bool add_activity(Node *n, Status *s, const Resource *r) {
        _cleanup_free_ char *state = NULL, *name = format("%s running", r->name), *reason = NULL;
        StatusRow *row;

        if (!name)
                return false;
        if (!n->booted || n->root || unit_active(n, r->name, &state, NULL) < 0)
                return add(s, "services", name, "active", "systemd does not run here", ROW_UNKNOWN);
        if (streq(state, "active"))
                return add(s, "services", name, "active", state, ROW_OK);
        if (streq(state, "activating")) {
                row = add(s, "services", name, "active", state, ROW_PENDING);
                return next(row, FIRST_WAIT, "wait: attaching the GPUs takes minutes; use none of them before it is active");
        }
        reason = reboot_reason(n);
        row = add(s, "services", name, "active", state, reason ? ROW_PENDING : ROW_FAIL);
        return reason ? next_reboot(row) : next(row, FIRST_SERVICE, "systemctl start %s; it says why not in: journalctl -b -u %s", r->name, r->name);
}

static bool add_planned(Node *n, Status *s, const ResourceList *l) {
        for (size_t i = 0; i < l->n; i++) {
                const Resource *r = l->resources[i];
                _cleanup_free_ char *name = NULL;
                bool done = true;

                if (r->action == ACTION_REVERT)
                        done = next(add(s, "journal", r->id, r->wanted, r->found, ROW_FAIL), FIRST_APPLY, "gn8v-tee apply");
                else if (r->type == &kernel_argument_type) {
                        name = format("%s configured", r->name);
                        done = name && add_resource(n, s, "kernel", name, r, FIRST_APPLY) && add_running_argument(n, s, r) &&
                               add_swiotlb_effect(n, s, r);
                } else if (r->type == &module_type) {
                        name = format("module of %s", r->name);
                        done = name && add_resource(n, s, "driver", name, r, FIRST_APPLY);
                } else if (r->type == &initramfs_type) {
                        name = format("initramfs of %s", r->name);
                        done = name && add_resource(n, s, "driver", name, r, FIRST_APPLY);
                } else if (r->type == &enable_type)
                        done = add_resource(n, s, "services", r->name, r, FIRST_APPLY) && add_activity(n, s, r);
                else if (r->type == &drop_in_type || r->type == &order_type)
                        done = add_resource(n, s, "clients", r->name, r, FIRST_APPLY);
                if (!done)
                        return false;
        }
        return true;
}

static bool add_journal(Node *n, Status *s, const ResourceList *l, bool readable) {
        size_t open = 0;

        if (!readable)
                return add(s, "journal", "journal", NULL, "not readable: run as root", ROW_UNKNOWN);
        for (size_t i = 0; i < n->journal->n_entries; i++) {
                const JournalEntry *entry = n->journal->entries[i];
                const char *unit = startswith(entry->id, "pause:");
                StatusRow *row;

                if (unit && entry->state == ENTRY_APPLIED) {
                        row = add(s, "clients", unit, "running", "paused", ROW_PENDING);
                        row = next(row, FIRST_REBOOT, "reboot: it runs again after that");
                } else if (entry->state == ENTRY_APPLIED || (!unit && resource_list_find(l, entry->id)))
                        continue;
                else {
                        row = add(s, "journal", entry->id, "applied", entry_state_to_string(entry->state),
                                  entry->state == ENTRY_PENDING ? ROW_PENDING : ROW_FAIL);
                        row = next(row, entry->state == ENTRY_PENDING ? FIRST_LAST : FIRST_JOURNAL, "%s%s%s",
                                   entry->message ? entry->message : "interrupted", entry->hint ? ": " : "", entry->hint ? entry->hint : ": gn8v-tee apply");
                }
                if (!row)
                        return false;
                open++;
        }
        if (open > 0)
                return true;
        return add(s, "journal", "journal", NULL, n->journal->n_entries > 0 ? "all applied" : "empty", ROW_OK);
}

static int compare_rows(const void *a, const void *b) {
        static const char *const groups[] = { "release", "platform", "kernel", "driver", "services", "clients", "journal" };
        const StatusRow *x = a, *y = b;
        size_t i = 0, k = 0;

        while (i < ELEMENTSOF(groups) && !streq(groups[i], x->group))
                i++;
        while (k < ELEMENTSOF(groups) && !streq(groups[k], y->group))
                k++;
        return i != k ? (i > k) - (i < k) : (x->order > y->order) - (x->order < y->order);
}

/* The worst state, the first of the next actions, the exit code. */
static int conclude(Status *s, Error *e) {
        const StatusRow *first = NULL;

        for (size_t i = 0; i < s->n; i++) {
                const StatusRow *row = &s->rows[i];

                s->state = MAX(s->state, row->state);
                if (row->next && (!first || row->priority < first->priority))
                        first = row;
        }
        s->code = s->state == ROW_FAIL ? EXIT_DIFFERS : s->state == ROW_PENDING ? EXIT_REBOOT : EXIT_OK;
        if (!first)
                return 0;
        /* A sentence about one thing has to say about which. */
        s->next = first->priority == FIRST_JOURNAL || first->priority == FIRST_HEADERS ? format("%s: %s", first->name, first->next) : strdup(first->next);
        return s->next ? 0 : error_oom(e);
}

int status_make(Node *n, Status *ret, Error *e) {
        _cleanup_resource_list_ ResourceList l = {};
        _cleanup_status_ Status s = {};
        bool readable = true;
        int k;

        k = node_load_release(n, e);
        if (k < 0)
                return k;
        k = journal_load(n, &n->journal, e);
        if (k == -EACCES) {
                /* Not root: everything else can still be told. */
                error_clear(e);
                readable = false;
                n->journal = journal_new();
                k = n->journal ? 0 : error_oom(e);
        }
        if (k >= 0)
                k = plan_make(n, &l, e);
        if (k < 0)
                return k;
        s.environment = environment_to_string(n->environment);
        s.release = n->release ? release_name(n->release) : NULL;
        if (!add_release(n, &s) || !add_kernel(n, &s) || !add_tdx(n, &s) || !add_planned(n, &s, &l) || !add_loaded(n, &s) ||
            !add_gpus(n, &s) || !add_journal(n, &s, &l, readable))
                return error_oom(e);
        for (size_t i = 0; i < s.n; i++)
                s.rows[i].order = i;
        qsort(s.rows, s.n, sizeof(StatusRow), compare_rows);
        k = conclude(&s, e);
        if (k < 0)
                return k;
        *ret = s;
        s = (Status){};
        return 0;
}
