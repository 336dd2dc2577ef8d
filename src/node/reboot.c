/* SPDX-License-Identifier: Apache-2.0 */
#include "node/reboot.h"

#include "node/boot-entries.h"
#include "node/journal.h"
#include "node/kernel-argument.h"
#include "node/resource.h"

/* The first wanted argument that the running kernel was not given, owned by the caller. */
static char *missing_argument(Node *n, bool *ret_known) {
        _cleanup_free_ char *cmdline = NULL;

        *ret_known = node_read(n, "/proc/cmdline", (size_t) 64 * 1024, &cmdline, NULL) >= 0;
        if (!*ret_known || !n->release)
                return NULL;
        STRV_FOREACH(argument, n->release->kernel_arguments) {
                _cleanup_free_ char *key = argument_key(*argument), *found = NULL, *merged = NULL;

                if (!key)
                        return NULL;
                found = cmdline_find(cmdline, key);
                merged = argument_merge(found, *argument);
                if (merged && (!found || !streq(found, merged)))
                        return strdup(*argument);
        }
        return NULL;
}

char *loaded_driver(Node *n) {
        char *version = NULL;

        if (node_read(n, "/sys/module/nvidia/version", 256, &version, NULL) < 0)
                return NULL;
        version[strcspn(version, "\n")] = '\0';
        return version;
}

static const char *pinned_driver(const Node *n) {
        const Artifact *driver = n->release ? release_artifact_of_kind(n->release, ARTIFACT_DRIVER) : NULL;

        return driver ? driver->version : NULL;
}

bool session_is_ready(Node *n) {
        const char *pinned = pinned_driver(n);
        _cleanup_free_ char *missing = NULL, *loaded = NULL;
        bool known;

        missing = missing_argument(n, &known);
        loaded = loaded_driver(n);
        return known && !missing && (!pinned || (loaded && streq(loaded, pinned)));
}

char *reboot_reason(Node *n) {
        const char *pinned = pinned_driver(n);
        _cleanup_free_ char *missing = NULL, *loaded = NULL;
        bool known;

        missing = missing_argument(n, &known);
        if (missing)
                return format("the running kernel was not given %s", missing);
        loaded = loaded_driver(n);
        if (pinned && loaded && !streq(pinned, loaded))
                return format("driver %s is loaded, %s is installed", loaded, pinned);
        for (size_t i = 0; pinned && !loaded && n->journal && n->boot_id && i < n->journal->n_entries; i++) {
                const JournalEntry *entry = n->journal->entries[i];
                const char *boot = object_string(entry->after, "boot");

                if (startswith(entry->id, "module:") && entry->state == ENTRY_APPLIED && boot && streq(boot, n->boot_id))
                        return format("driver %s was installed since this boot", pinned);
        }
        return NULL;
}

char *default_kernel(Node *n) {
        _cleanup_boot_entries_ BootEntries b = {};
        const BootEntry *entry;
        const char *kernel;
        char *running = NULL;

        if (boot_entries_load(n, &b, NULL) >= 0 && b.n > 0) {
                entry = boot_entries_default(&b);
                kernel = entry && !entry->rescue ? boot_entry_kernel(entry) : NULL;
                return kernel && kernel_name_is_valid(kernel) ? strdup(kernel) : NULL;
        }
        if (node_read(n, "/proc/sys/kernel/osrelease", 256, &running, NULL) < 0)
                return NULL;
        running[strcspn(running, "\n")] = '\0';
        return running;
}
