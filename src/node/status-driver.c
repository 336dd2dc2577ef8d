/* SPDX-License-Identifier: Apache-2.0 */
/* Step "install the NVIDIA driver": the module of the kernel that boots, and the one that is loaded. */
#include "node/reboot.h"
#include "node/status-rows.h"

static void add_flavour(StatusContext *c) {
        _cleanup_free_ char *version = first_line(c->node, "/proc/driver/nvidia/version");
        bool open = version && strstr(version, "Open Kernel Module");

        if (!version)
                return;
        row_add(c, open ? ROW_OK : ROW_FAIL, "kernel modules", "open", "%s", open ? "open" : "proprietary");
        if (!open)
                row_next(c, FIRST_DRIVER, "remove the other driver; confidential computing needs the open modules: gn8v-tee apply && reboot");
}

static void add_loaded(StatusContext *c) {
        const Artifact *driver = c->node->release ? release_artifact_of_kind(c->node->release, ARTIFACT_DRIVER) : NULL;
        _cleanup_free_ char *loaded = loaded_driver(c->node);

        if (!driver)
                return;
        if (!loaded && !node_exists(c->node, "/sys/module"))
                row_add(c, ROW_UNKNOWN, "driver loaded", driver->version, "no /sys");
        else if (!loaded) {
                row_add(c, c->reboot ? ROW_PENDING : ROW_FAIL, "driver loaded", driver->version, "not loaded");
                if (c->reboot)
                        row_next_reboot(c);
                else
                        row_next(c, FIRST_DRIVER, "modprobe nvidia, and read its reasons: journalctl -k -b -g 'NVRM|nvidia'");
        } else if (!streq(loaded, driver->version)) {
                row_add(c, ROW_PENDING, "driver loaded", driver->version, "%s", loaded);
                row_next_reboot(c);
        } else {
                row_add(c, ROW_OK, "driver loaded", driver->version, "%s", loaded);
                add_flavour(c);
        }
}

void status_driver(StatusContext *c) {
        for (size_t i = 0; i < c->plan.n; i++) {
                const Resource *r = c->plan.resources[i];
                _cleanup_free_ char *name = NULL;

                if (r->type != &module_type || r->action == ACTION_REVERT)
                        continue;
                name = format("module of %s", r->name);
                row_add_resource(c, name ? name : r->name, r, FIRST_APPLY);
        }
        add_loaded(c);
}
