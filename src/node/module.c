/* SPDX-License-Identifier: Apache-2.0 */
#include "node/module.h"

#include <fcntl.h>

#include "basic/fs.h"
#include "node/modinfo.h"
#include "node/reboot.h"
#include "node/resource.h"

#define DKMS_NAME "nvidia"
#define BUILD_TIMEOUT_SEC (2 * 60 * 60) /* the whole driver on two cores: a quarter of an hour */
#define SEARCH_DEPTH 5

static bool is_nvidia_module(const char *name) {
        const char *rest = startswith(name, "nvidia.ko");

        return rest && (!*rest || streq(rest, ".xz") || streq(rest, ".zst") || streq(rest, ".gz"));
}

static int search(Node *n, const char *directory, unsigned depth, char **ret) {
        _cleanup_strv_ char **names = NULL;
        int k;

        k = node_list(n, directory, &names);
        if (k < 0)
                return k;
        STRV_FOREACH(name, names) {
                _cleanup_free_ char *path = format("%s/%s", directory, *name);
                struct stat st;

                if (!path)
                        return -ENOMEM;
                if (node_stat(n, path, &st) < 0)
                        continue; /* a link of weak-updates whose target is gone */
                if (S_ISREG(st.st_mode) && is_nvidia_module(*name)) {
                        *ret = TAKE_PTR(path);
                        return 1;
                }
                if (S_ISDIR(st.st_mode) && depth > 0) {
                        k = search(n, path, depth - 1, ret);
                        if (k != 0)
                                return k;
                }
        }
        return 0;
}

int module_find(Node *n, const char *kernel, char **ret) {
        /* Where depmod's own search order looks first, first. */
        static const char *const places[] = { "updates", "extra", "weak-updates", "kernel/drivers/video", "kernel/drivers/char" };

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                _cleanup_free_ char *directory = format("/lib/modules/%s/%s", kernel, places[i]);
                int k;

                if (!directory)
                        return -ENOMEM;
                k = search(n, directory, SEARCH_DEPTH, ret);
                if (k != 0)
                        return k < 0 ? k : 0;
        }
        *ret = NULL;
        return 0;
}

static const char *machine_of(const char *kernel) {
        return endswith(kernel, "aarch64") || endswith(kernel, "arm64") ? "aarch64" : "x86_64";
}

/* DKMS's link kernel-KERNEL-ARCH -> VERSION/KERNEL/ARCH says which version it has installed. */
static int installed_by_dkms(Node *n, const char *kernel, char **ret) {
        _cleanup_free_ char *path = format("/var/lib/dkms/" DKMS_NAME "/kernel-%s-%s", kernel, machine_of(kernel)), *target = NULL;
        int k;

        if (!path)
                return -ENOMEM;
        k = node_readlink(n, path, &target);
        if (k < 0)
                return k;
        target[strcspn(target, "/")] = '\0';
        *ret = TAKE_PTR(target);
        return 0;
}

static int ask_modinfo(Node *n, const char *path, char **ret) {
        const char *const argv[] = { "modinfo", "-F", "version", path, NULL };
        _cleanup_free_ char *output = NULL;
        int k;

        k = node_tool(n, argv, 60, &output, NULL);
        if (k < 0)
                return k;
        output[strcspn(output, "\n")] = '\0';
        if (!*output)
                return -ENOENT;
        *ret = TAKE_PTR(output);
        return 0;
}

int module_version(Node *n, const char *kernel, char **ret) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;
        int k;

        *ret = NULL;
        k = module_find(n, kernel, &path);
        if (k < 0 || !path)
                return k;
        fd = open_in_root(n->root_fd, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return fd;
        k = modinfo_read(fd, "version", ret);
        if (k == -EBADMSG || k == -ENOENT) /* compressed */
                k = installed_by_dkms(n, kernel, ret);
        if (k < 0 && k != -ENOMEM)
                k = ask_modinfo(n, path, ret);
        return k == -ENOMEM ? k : 0;
}

static int module_list(Node *n, ResourceList *l, Error *e) {
        const Artifact *driver = release_artifact_of_kind(n->release, ARTIFACT_DRIVER);
        _cleanup_free_ char *kernel = driver ? default_kernel(n) : NULL;
        Resource *r;

        if (!kernel)
                return 0;
        r = resource_list_add(l, &module_type, kernel);
        if (!r || !(r->wanted = strdup(driver->version)))
                return error_oom(e);
        return 0;
}

/* Whether a kernel's .config has a symbol built in or as a module. */
static bool has_symbol(const char *config, const char *symbol) {
        size_t n = strlen(symbol);

        for (const char *line = config; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
                const char *name = startswith(line, "CONFIG_");

                if (name && strncmp(name, symbol, n) == 0 && (startswith(name + n, "=y") || startswith(name + n, "=m")))
                        return true;
        }
        return false;
}

/* The CONFIG symbols that the driver's encryption needs at build time, and that the kernel lacks; NULL: none lacks, or not to be seen. */
static int missing_symbols(Node *n, const char *kernel, char **ret, Error *e) {
        static const char *const places[][2] = { { "/lib/modules/", "/build/.config" }, { "/boot/config-", "" }, { "/lib/modules/", "/config" } };
        _cleanup_free_ char *config = NULL;
        _cleanup_text_ Text t = {};

        for (size_t i = 0; i < ELEMENTSOF(places) && !config; i++) {
                _cleanup_free_ char *path = format("%s%s%s", places[i][0], kernel, places[i][1]);

                if (!path)
                        return error_oom(e);
                (void) node_read(n, path, NODE_FILE_MAX, &config, NULL);
        }
        STRV_FOREACH(symbol, config ? n->release->kernel_config : NULL)
                if (!has_symbol(config, *symbol))
                        text_printf(&t, "%sCONFIG_%s", t.size > 0 ? " " : "", *symbol);
        *ret = t.size > 0 ? text_take(&t) : NULL;
        return 0;
}

static bool has_headers(Node *n, const char *kernel) {
        _cleanup_free_ char *makefile = format("/lib/modules/%s/build/Makefile", kernel);

        return makefile && node_exists(n, makefile);
}

/* What must be there before a build can begin. */
static int check_ready(Node *n, Resource *r, Error *e) {
        _cleanup_free_ char *modules = format("/lib/modules/%s", r->name), *source = format("/usr/src/" DKMS_NAME "-%s/dkms.conf", r->wanted);
        int k = 0;

        if (!modules || !source)
                return error_oom(e);
        if (!node_exists(n, modules)) {
                k = resource_say(&r->note, e, "the default boot entry's kernel %s is not installed", r->name);
                if (k >= 0)
                        k = resource_say(&r->hint, e, "install it, or choose another: grubby --set-default /boot/vmlinuz-VERSION");
        } else if (!node_exists(n, source)) {
                k = resource_say(&r->note, e, "%s: the driver's source is not installed", source);
                if (k >= 0)
                        k = resource_say(&r->hint, e, "reinstall the gn8v-tee-kmod package of driver %s, then run: gn8v-tee apply", r->wanted);
        } else if (!has_headers(n, r->name)) {
                k = resource_say(&r->note, e, "the kernel that will boot, %s, has no headers: its NVIDIA module cannot be built", r->name);
                if (k >= 0)
                        k = resource_say(&r->hint, e, "yum install kernel-devel-%s", r->name);
        } else
                return 0;
        r->action = ACTION_WAIT;
        return k;
}

static int module_probe(Node *n, Resource *r, Error *e) {
        _cleanup_free_ char *path = NULL, *version = NULL;
        int k;

        k = module_find(n, r->name, &path);
        if (k >= 0 && path)
                k = module_version(n, r->name, &version);
        if (k < 0)
                return error_errno(e, -k, "/lib/modules/%s", r->name);
        k = resource_say(&r->found, e, "%s", version ? version : path ? "unknown version" : "no module");
        if (k < 0)
                return k;
        if (version && streq(version, r->wanted)) {
                r->action = ACTION_NONE;
                return 0;
        }
        r->action = ACTION_CHANGE;
        return check_ready(n, r, e);
}

static bool is_registered(Node *n, const char *version) {
        _cleanup_free_ char *path = format("/var/lib/dkms/" DKMS_NAME "/%s/source", version);

        return path && node_exists(n, path);
}

/* What is going to be made is remembered too: a run that dies after DKMS has done it must not leave it behind at the revert. */
static int module_remember(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        _cleanup_free_ char *version = NULL;
        int k;

        json_decref(entry->after);
        entry->after = json_pack("{s:s, s:b, s:s}", "version", r->wanted, "added", !is_registered(n, r->wanted), "boot", n->boot_id ? n->boot_id : "");
        if (!entry->after)
                return error_oom(e);
        if (entry->before)
                return 0;
        k = module_version(n, r->name, &version);
        if (k < 0)
                return error_errno(e, -k, "/lib/modules/%s", r->name);
        entry->before = json_pack("{s:s?, s:b}", "version", version, "registered", is_registered(n, r->wanted));
        return entry->before ? 0 : error_oom(e);
}

static int dkms(Node *n, const char *verb, bool force, const char *version, const char *kernel, Error *e) {
        const char *argv[12] = { "dkms", verb, "-m", DKMS_NAME, "-v", version };
        size_t i = 6;
        int k;

        if (kernel) {
                argv[i++] = "-k";
                argv[i++] = kernel;
        }
        if (force)
                argv[i++] = "--force";
        k = node_tool(n, argv, BUILD_TIMEOUT_SEC, NULL, e);
        return error_hint(e, k, "see /var/lib/dkms/" DKMS_NAME "/%s/build/make.log; then run: gn8v-tee apply", version);
}

/* The modules, depmod's tables and DKMS's own record of them. */
static int sync_module(Node *n, const char *kernel, Error *e) {
        _cleanup_free_ char *path = NULL, *top = format("/lib/modules/%s", kernel);
        int k;

        if (!top)
                return error_oom(e);
        k = module_find(n, kernel, &path);
        if (k >= 0 && path) {
                *strrchr(path, '/') = '\0';
                k = node_sync_directory(n, path);
        }
        if (k >= 0)
                k = node_sync_directory(n, top);
        if (k >= 0)
                k = node_sync_directory(n, "/var/lib/dkms/" DKMS_NAME);
        return k < 0 ? error_errno(e, -k, "%s: cannot be flushed to the disk", top) : 0;
}

static int module_apply(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        _cleanup_free_ char *missing = NULL;
        int k;

        k = missing_symbols(n, r->name, &missing, e);
        if (k < 0)
                return k;
        if (missing)
                return error_hint(e, error_set(e, ENOTSUP, EXIT_FAILED, "kernel %s is built without %s: the GPU's encrypted session would fail",
                                               r->name, missing),
                                  "boot an Alibaba Cloud Linux 3 kernel, at least %s: yum install kernel", n->release->minimum_kernel);
        if (!is_registered(n, r->wanted))
                k = dkms(n, "add", false, r->wanted, NULL, e);
        if (k >= 0)
                k = dkms(n, "build", false, r->wanted, r->name, e);
        if (k >= 0)
                k = dkms(n, "install", true, r->wanted, r->name, e);
        if (k >= 0)
                k = sync_module(n, r->name, e);
        return k;
}

static int module_revert(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        const char *version = object_string(entry->after, "version");

        /* Gone already: the package's own removal, or the kernel's, came first. */
        if (!version || !is_registered(n, version))
                return 0;
        return dkms(n, "remove", false, version, r->name, e);
}

/* A version is a part of a path and of a command line, as a kernel's is. */
static bool module_check(const char *name, const JournalEntry *entry) {
        const json_t *version = json_object_get(entry->after, "version");

        return kernel_name_is_valid(name) && (!version || (json_is_string(version) && kernel_name_is_valid(json_string_value(version)))) &&
               string_or_nothing(json_object_get(entry->after, "boot"));
}

const ResourceType module_type = {
        .name = "module",
        .tool = "dkms",
        .slow = true,
        .sticky = true,
        .check = module_check,
        .list = module_list,
        .probe = module_probe,
        .remember = module_remember,
        .apply = module_apply,
        .revert = module_revert,
};
