/* SPDX-License-Identifier: Apache-2.0 */
/* Step "install the NVIDIA driver": the module of the kernel that boots, the libraries, and what is loaded. */
#include "node/installed.h"
#include "node/module.h"
#include "node/reboot.h"
#include "node/status-rows.h"

#define DRIVER_VERSION_PATH "/proc/driver/nvidia/version"
#define DRIVER_PARAMETERS_PATH "/proc/driver/nvidia/params"

static void add_libraries(StatusContext *c, const Artifact *driver) {
        static const char *const links[] = { "libcuda.so.1", "libnvidia-ml.so.1" };
        _cleanup_free_ char *branch = version_branch(driver->version);

        for (size_t i = 0; i < ELEMENTSOF(links); i++) {
                _cleanup_free_ char *version = library_version(c->node, links[i]), *name = format("%.*s", (int) strcspn(links[i], "."), links[i]);
                const bool same = version && streq(version, driver->version);

                if (!name || !branch) {
                        c->failed = true;
                        return;
                }
                row_add(c, same ? ROW_OK : ROW_FAIL, name, driver->version, "%s", version ? version : "not installed");
                if (!same)
                        row_next(c, FIRST_HEADERS, "yum reinstall gn8v-tee-driver-%s%s", branch, version ? ": another driver's installer replaced it" : "");
        }
}

static void add_loaded(StatusContext *c, const Artifact *driver, const char *loaded) {
        if (!loaded && !node_exists(c->node, "/sys/module")) {
                row_add(c, ROW_UNKNOWN, "driver loaded", driver->version, "no /sys");
                row_next(c, FIRST_NEVER, "boot this system");
        } else if (!loaded) {
                row_add(c, c->reboot || c->starting ? ROW_PENDING : ROW_FAIL, "driver loaded", driver->version, "not loaded");
                if (c->reboot)
                        row_next_reboot(c);
                else if (c->starting)
                        row_next_wait(c);
                else
                        row_next(c, FIRST_DRIVER, "modprobe nvidia, and read its reasons: journalctl -k -b -g 'NVRM|nvidia'");
        } else {
                const bool same = streq(loaded, driver->version);

                row_add(c, same ? ROW_OK : ROW_PENDING, "driver loaded", driver->version, "%s", loaded);
                if (!same)
                        row_next_reboot(c);
        }
}

/* What NVML calls "Driver/library version mismatch": every tool fails until both are the same again. */
static void add_match(StatusContext *c, const char *loaded) {
        _cleanup_free_ char *library = library_version(c->node, "libnvidia-ml.so.1");
        bool same;

        if (!loaded || !library)
                return;
        same = streq(loaded, library);
        row_add(c, same ? ROW_OK : ROW_PENDING, "driver and libraries", "the same version", same ? "%s" : "Driver/library version mismatch: %s loaded, %s installed",
                loaded, library);
        if (!same)
                row_next_reboot(c);
}

static void add_flavour(StatusContext *c) {
        _cleanup_free_ char *version = first_line(c->node, DRIVER_VERSION_PATH);
        bool open = version && strstr(version, "Open Kernel Module");

        if (!version)
                return;
        row_add(c, open ? ROW_OK : ROW_FAIL, "kernel modules", "open", "%s", open ? "open" : "proprietary");
        if (!open)
                row_next(c, FIRST_DRIVER, "remove the other driver; confidential computing needs the open modules: gn8v-tee apply && reboot");
}

/* Values as modprobe.d and the driver write them: a text may stand in quotes, a number may be hexadecimal. */
static bool same_value(const char *a, const char *b) {
        const size_t n = strlen(a), m = strlen(b);
        unsigned long long x, y;
        char *x_end, *y_end;

        if (n >= 2 && a[0] == '"' && a[n - 1] == '"' && b[0] != '"')
                return m == n - 2 && memcmp(a + 1, b, m) == 0;
        if (m >= 2 && b[0] == '"' && b[m - 1] == '"' && a[0] != '"')
                return same_value(b, a);
        x = strtoull(a, &x_end, 0);
        y = strtoull(b, &y_end, 0);
        return streq(a, b) || (*a && *b && !*x_end && !*y_end && x == y);
}

/* An option of modprobe.d, NVreg_NAME=VALUE, as the loaded module has it: a line "NAME: VALUE" of its parameters. */
static void add_option(StatusContext *c, const char *option, const char *parameters) {
        const char *name = startswith(option, "NVreg_"), *equals = strchr(option, '=');
        _cleanup_free_ char *key = name && equals ? strndup(option, (size_t) (equals - option)) : NULL,
                            *start = key ? format("%s: ", key + strlen("NVreg_")) : NULL, *found = NULL;
        bool same;

        if (!start)
                return;
        for (const char *line = parameters; line && !found; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
                if (startswith(line, start))
                        found = strndup(line + strlen(start), strcspn(line + strlen(start), "\n"));
        if (!found) {
                row_add(c, ROW_UNKNOWN, key, equals + 1, "the driver does not show it");
                row_next(c, FIRST_NEVER, "modprobe --showconfig shows what is configured: its lines with %s", key);
                return;
        }
        same = same_value(found, equals + 1);
        row_add(c, same ? ROW_OK : ROW_PENDING, key, equals + 1, "%s", found);
        if (!same)
                row_next(c, FIRST_REBOOT, "reboot; if it stays so, the initramfs loads the driver without it: gn8v-tee apply");
}

static void add_options(StatusContext *c) {
        _cleanup_free_ char *parameters = NULL;

        if (node_read(c->node, DRIVER_PARAMETERS_PATH, (size_t) 64 * 1024, &parameters, NULL) >= 0)
                STRV_FOREACH(option, c->node->release->module_options)
                        add_option(c, *option, parameters);
}

static void add_blacklisted(StatusContext *c) {
        if (node_exists(c->node, "/sys/module"))
                STRV_FOREACH(module, c->node->release->blacklist) {
                        _cleanup_free_ char *path = format("/sys/module/%s", *module);
                        const bool there = path && node_exists(c->node, path);

                        row_add(c, there ? ROW_PENDING : ROW_OK, *module, "not loaded", "%s", there ? "loaded" : "not loaded");
                        if (there)
                                row_next(c, FIRST_REBOOT, "reboot: the new initramfs leaves it out");
                }
}

/* The packages have gone, the driver that runs has not: it answers nobody who is newer than it, and cannot be loaded again. */
static void add_removed(StatusContext *c, const char *loaded) {
        _cleanup_free_ char *kernel = default_kernel(c->node), *path = NULL;

        if (!kernel || module_find(c->node, kernel, &path) < 0 || path)
                return; /* somebody else's driver */
        row_add(c, ROW_PENDING, "driver loaded", "not installed", "%s, until the reboot", loaded);
        row_next(c, FIRST_REBOOT, "reboot: its packages were removed");
}

void status_driver(StatusContext *c) {
        const Release *release = c->node->release;
        const Artifact *driver = release ? release_artifact_of_kind(release, ARTIFACT_DRIVER) : NULL;
        _cleanup_free_ char *loaded = loaded_driver(c->node);

        for (size_t i = 0; i < c->plan.n; i++) {
                const Resource *r = c->plan.resources[i];
                _cleanup_free_ char *name = NULL;

                if (r->type != &module_type || r->action == ACTION_REVERT)
                        continue;
                name = format("module of %s", r->name);
                row_add_resource(c, name ? name : r->name, r, FIRST_APPLY);
        }
        if (!driver) {
                if (loaded)
                        add_removed(c, loaded);
                return;
        }
        add_libraries(c, driver);
        add_loaded(c, driver, loaded);
        add_match(c, loaded);
        if (loaded) {
                add_flavour(c);
                add_options(c);
        }
        add_blacklisted(c);
}
