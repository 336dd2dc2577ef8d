/* SPDX-License-Identifier: Apache-2.0 */
#include "node/module.h"

#include <fcntl.h>

#include "basic/fs.h"
#include "node/boot-entries.h"
#include "node/modinfo.h"
#include "node/reboot.h"
#include "node/resource.h"

#define DKMS_NAME "nvidia"
#define BUILD_TIMEOUT_SEC (2 * 60 * 60) /* the whole driver on two cores: a quarter of an hour */
#define SEARCH_DEPTH 5

static const char *or_nothing(const char *s) {
        return s ? s : "";
}

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

static int list_kernel(ResourceList *l, const char *kernel, const char *version, Error *e) {
        _cleanup_free_ char *id = format("module:%s", kernel);
        Resource *r;

        if (!id)
                return error_oom(e);
        if (resource_list_find(l, id))
                return 0;
        r = resource_list_add(l, &module_type, kernel);
        return r && (r->wanted = strdup(version)) ? 0 : error_oom(e);
}

/* The kernel that boots by default, each newer one (it will boot by default some day), and the one that was installed just now. */
static int module_list(Node *n, ResourceList *l, Error *e) {
        const Artifact *driver = release_artifact_of_kind(n->release, ARTIFACT_DRIVER);
        _cleanup_free_ char *kernel = driver ? default_kernel(n) : NULL;
        _cleanup_boot_entries_ BootEntries b = {};
        int k;

        if (!kernel)
                return 0;
        k = list_kernel(l, kernel, driver->version, e);
        if (k < 0 || boot_entries_load(n, &b, NULL) < 0)
                return k; /* the kernel arguments' row says why */
        for (size_t i = 0; i < b.n && k >= 0; i++) {
                const char *other = b.entries[i].rescue ? NULL : boot_entry_kernel(&b.entries[i]);
                _cleanup_free_ char *modules = other && kernel_name_is_valid(other) ? format("/lib/modules/%s", other) : NULL;

                if (modules && node_exists(n, modules) &&
                    (version_compare(other, kernel) > 0 || (n->kernel && streq(other, n->kernel))))
                        k = list_kernel(l, other, driver->version, e);
        }
        return k;
}

bool module_is_for_next_boot(Node *n, const Resource *r) {
        _cleanup_free_ char *kernel = default_kernel(n);

        return kernel && streq(r->name, kernel);
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

/* The CONFIG symbols that the driver's encryption needs at build time, and that one of the kernel's configurations lacks: its own, or that
 * of its headers. NULL: none lacks, or none is to be seen. */
static int missing_symbols(Node *n, const char *kernel, char **ret, Error *e) {
        static const char *const places[][2] = {
                { "/lib/modules/", "/config" }, { "/boot/config-", "" }, { "/lib/modules/", "/build/.config" }, { "/usr/src/kernels/", "/.config" },
        };
        _cleanup_strv_ char **missing = NULL;

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                _cleanup_free_ char *path = format("%s%s%s", places[i][0], kernel, places[i][1]), *config = NULL;

                if (!path)
                        return error_oom(e);
                if (node_read(n, path, NODE_FILE_MAX, &config, NULL) < 0)
                        continue;
                STRV_FOREACH(symbol, n->release->kernel_config) {
                        _cleanup_free_ char *name = format("CONFIG_%s", *symbol);

                        if (!name || (!has_symbol(config, *symbol) && !strv_contains(missing, name) && strv_append(&missing, name) < 0))
                                return error_oom(e);
                }
        }
        *ret = missing ? strv_join(missing, " ") : NULL;
        return missing && !*ret ? error_oom(e) : 0;
}

/* Another kernel that is ready to boot: its image, owned by the caller; NULL: there is none. */
static char *other_kernel(Node *n, const char *than, const char *version) {
        _cleanup_boot_entries_ BootEntries b = {};

        if (boot_entries_load(n, &b, NULL) < 0)
                return NULL;
        for (size_t i = 0; i < b.n; i++) {
                const char *kernel = b.entries[i].rescue ? NULL : boot_entry_kernel(&b.entries[i]), *image = b.entries[i].linux_path;
                _cleanup_free_ char *found = NULL, *missing = NULL;

                if (!kernel || !kernel_name_is_valid(kernel) || streq(kernel, than) || !image || module_version(n, kernel, &found) < 0 || !found ||
                    !streq(found, version) || missing_symbols(n, kernel, &missing, NULL) < 0 || missing)
                        continue;
                return startswith(image, "/boot/") ? strdup(image) : format("/boot%s%s", *image == '/' ? "" : "/", image);
        }
        return NULL;
}

static bool has_headers(Node *n, const char *kernel) {
        _cleanup_free_ char *makefile = format("/lib/modules/%s/build/Makefile", kernel);

        return makefile && node_exists(n, makefile);
}

/* What must be there before a build can begin. missing: what the kernel lacks, or NULL. */
static int check_ready(Node *n, Resource *r, const char *missing, Error *e) {
        _cleanup_free_ char *modules = format("/lib/modules/%s", r->name), *source = format("/usr/src/" DKMS_NAME "-%s/dkms.conf", r->wanted);
        _cleanup_free_ char *other = missing ? other_kernel(n, r->name, r->wanted) : NULL;
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
        } else if (missing) {
                k = resource_say(&r->note, e, "kernel %s is built without %s: the GPU's encrypted session would fail", r->name, missing);
                if (k >= 0 && other)
                        k = resource_say(&r->hint, e, "boot the other kernel: grubby --set-default %s", other);
                else if (k >= 0)
                        k = resource_say(&r->hint, e, "boot an Alibaba Cloud Linux 3 kernel, at least %s: yum install kernel", n->release->minimum_kernel);
        } else if (!has_headers(n, r->name)) {
                k = resource_say(&r->note, e, "the kernel that will boot, %s, has no headers: its NVIDIA module cannot be built", r->name);
                if (k >= 0)
                        k = resource_say(&r->hint, e, "yum install kernel-devel-%s", r->name);
        } else
                return 0;
        r->action = ACTION_WAIT;
        return k;
}

/* A kernel that does not boot by default must not keep the machine from being ready; that it must not be booted is worth saying. */
static int keep_for_later(Node *n, Resource *r, Error *e) {
        const JournalEntry *entry = journal_find(n->journal, r->id);
        bool failed = entry && entry->state == ENTRY_FAILED && entry->message && !r->note;
        _cleanup_free_ char *note = TAKE_PTR(r->note), *hint = TAKE_PTR(r->hint);
        int k = 0;

        if (r->action == ACTION_CHANGE && (!failed || (n->kernel && streq(r->name, n->kernel)))) {
                r->note = TAKE_PTR(note);
                r->hint = TAKE_PTR(hint);
                return 0;
        }
        r->action = ACTION_KEEP;
        k = resource_say(&r->note, e, "kernel %s does not boot by default, and must not: %s", r->name, failed ? entry->message : or_nothing(note));
        if (k >= 0)
                k = failed ? resource_say(&r->hint, e, "do not boot kernel %s: its module cannot be built; gn8v-tee apply --kernel=%s tries again", r->name, r->name)
                           : resource_say(&r->hint, e, "do not boot kernel %s: %s", r->name, or_nothing(note));
        return k;
}

static int module_probe(Node *n, Resource *r, Error *e) {
        _cleanup_free_ char *path = NULL, *version = NULL, *missing = NULL;
        int k;

        k = module_find(n, r->name, &path);
        if (k >= 0 && path)
                k = module_version(n, r->name, &version);
        if (k < 0)
                return error_errno(e, -k, "/lib/modules/%s", r->name);
        k = missing_symbols(n, r->name, &missing, e);
        if (k >= 0)
                k = resource_say(&r->found, e, "%s", version ? version : path ? "unknown version" : "no module");
        if (k < 0)
                return k;
        /* DKMS may have built one all the same: it loads, and then the GPU does not answer. */
        if (!missing && version && streq(version, r->wanted)) {
                r->action = ACTION_NONE;
                return 0;
        }
        r->action = ACTION_CHANGE;
        k = check_ready(n, r, missing, e);
        return k < 0 || module_is_for_next_boot(n, r) ? k : keep_for_later(n, r, e);
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

        if (kernel) {
                argv[i++] = "-k";
                argv[i++] = kernel;
        }
        if (force)
                argv[i++] = "--force";
        return node_tool(n, argv, BUILD_TIMEOUT_SEC, NULL, e);
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
        _cleanup_free_ char *other = NULL;
        int k = 0;

        if (!is_registered(n, r->wanted))
                k = dkms(n, "add", false, r->wanted, NULL, e);
        if (k >= 0)
                k = dkms(n, "build", false, r->wanted, r->name, e);
        if (k >= 0)
                k = dkms(n, "install", true, r->wanted, r->name, e);
        if (k >= 0)
                return sync_module(n, r->name, e);
        other = module_is_for_next_boot(n, r) ? other_kernel(n, r->name, r->wanted) : NULL;
        return error_hint(e, k, "see /var/lib/dkms/" DKMS_NAME "/%s/build/make.log%s%s; then run: gn8v-tee apply", r->wanted,
                          other ? "; until it is solved boot the other kernel: grubby --set-default " : "", or_nothing(other));
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
