/* SPDX-License-Identifier: Apache-2.0 */
/* Step "configure the loading behaviour": the crypto modules that the GPU's encrypted session needs. */
#include "node/initramfs.h"
#include "node/kernel-modules.h"
#include "node/reboot.h"
#include "node/status-rows.h"

/* By their own names: what LoadBefore= has may be an alias ("ecdh" is ecdh_generic's), and is not asked for where the others are given. */
static int wanted_modules(const Release *release, char ***ret) {
        char *const *const lists[] = { release->soft_dependencies, release->initramfs_modules,
                                       release->soft_dependencies || release->initramfs_modules ? NULL : release->load_before };

        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                STRV_FOREACH(name, lists[i])
                        if (!strv_contains(*ret, *name) && strv_append(ret, *name) < 0)
                                return -ENOMEM;
        return 0;
}

static void add_present(StatusContext *c, const char *module, const char *where, const char *kernel, KernelModule state, unsigned priority) {
        static const char *const words[] = {
                [MODULE_UNKNOWN] = "no modules.dep", [MODULE_ABSENT] = "missing", [MODULE_FILE] = "a module", [MODULE_BUILTIN] = "built in",
        };
        _cleanup_free_ char *name = format("%s in the %s", module, where);

        row_add(c, state == MODULE_ABSENT ? ROW_FAIL : state == MODULE_UNKNOWN ? ROW_UNKNOWN : ROW_OK, name ? name : module, "a module, or built in",
                "%s (%s)", words[state], kernel);
        if (state == MODULE_ABSENT)
                row_next(c, priority, "yum install kernel-modules-%s: kernel %s has no %s, and the GPU's encrypted session needs it", kernel, kernel, module);
        else if (state == MODULE_UNKNOWN)
                row_next(c, FIRST_NEVER, "depmod %s", kernel);
}

static void add_loaded(StatusContext *c, const char *module, KernelModule state) {
        _cleanup_free_ char *path = format("/sys/module/%s", module), *name = format("%s loaded", module), *driver = loaded_driver(c->node);

        if (!path || !name) {
                c->failed = true;
                return;
        }
        if (state == MODULE_BUILTIN)
                row_add(c, ROW_OK, name, "loaded", "built in");
        else if (node_exists(c->node, path))
                row_add(c, ROW_OK, name, "loaded", "loaded");
        else if (!node_exists(c->node, "/sys/module")) {
                row_add(c, ROW_UNKNOWN, name, "loaded", "no /sys");
                row_next(c, FIRST_NEVER, "boot this system");
        } else if (driver) {
                row_add(c, ROW_FAIL, name, "loaded", "not loaded");
                row_next(c, FIRST_DRIVER, "reboot; if it stays so: modprobe %s, and see /etc/modprobe.d for what hides it", module);
        } else {
                row_add(c, ROW_PENDING, name, "loaded", "not loaded");
                row_next(c, FIRST_NEVER, "nothing to do: it is loaded with the driver");
        }
}

static void add_kernel(StatusContext *c, const char *where, const char *kernel, char *const *modules, bool running, unsigned priority) {
        _cleanup_kernel_modules_ KernelModules lists = {};

        if (kernel_modules_load(c->node, kernel, &lists) < 0) {
                c->failed = true;
                return;
        }
        STRV_FOREACH(module, modules) {
                const KernelModule state = kernel_modules_find(&lists, *module);

                add_present(c, *module, where, kernel, state, priority);
                if (running)
                        add_loaded(c, *module, state);
        }
}

/* In the image that apply had built, or in the kernel itself. */
static void add_in_initramfs(StatusContext *c, const char *kernel) {
        _cleanup_free_ char *wanted = strv_join(c->node->release->initramfs_modules, " "), *lacks = NULL, *name = format("modules in the initramfs of %s", kernel);
        _cleanup_kernel_modules_ KernelModules lists = {};
        _cleanup_strv_ char **seen = NULL, **missing = NULL;
        int k = initramfs_seen_modules(c->node, kernel, &seen);

        if (k < 0 || !wanted || !name || kernel_modules_load(c->node, kernel, &lists) < 0) {
                c->failed = true;
                return;
        }
        STRV_FOREACH(module, c->node->release->initramfs_modules)
                if (!strv_contains(seen, *module) && kernel_modules_find(&lists, *module) != MODULE_BUILTIN && strv_append(&missing, *module) < 0)
                        c->failed = true;
        lacks = strv_join(missing, " ");
        if (!missing)
                row_add(c, ROW_OK, name, wanted, "%s", k == 1 ? "there, or built in" : "built in");
        else if (k == 0) {
                row_add(c, ROW_UNKNOWN, name, wanted, "not looked into since it was built");
                row_next(c, FIRST_NEVER, "lsinitrd --kver %s lists what is in it", kernel);
        } else {
                row_add(c, ROW_FAIL, name, wanted, "without %s", lacks ? lacks : "some");
                row_next(c, FIRST_HEADERS, "yum install kernel-modules-%s, then: dracut -f --kver %s", kernel, kernel);
        }
}

void status_crypto(StatusContext *c) {
        _cleanup_free_ char *running = first_line(c->node, "/proc/sys/kernel/osrelease"), *next = default_kernel(c->node);
        _cleanup_strv_ char **modules = NULL;

        if (c->node->release && wanted_modules(c->node->release, &modules) < 0)
                c->failed = true;
        if (running && modules)
                add_kernel(c, "running kernel", running, modules, true, FIRST_KERNEL);
        if (next && modules && (!running || !streq(running, next)))
                add_kernel(c, "next kernel", next, modules, false, FIRST_HEADERS);
        for (size_t i = 0; i < c->plan.n; i++) {
                const Resource *r = c->plan.resources[i];
                _cleanup_free_ char *name = NULL;

                if (r->type != &initramfs_type || r->action == ACTION_REVERT)
                        continue;
                name = format("initramfs of %s", r->name);
                row_add_resource(c, name ? name : r->name, r, FIRST_APPLY);
                if (r->action == ACTION_NONE && c->node->release->initramfs_modules)
                        add_in_initramfs(c, r->name);
        }
}
