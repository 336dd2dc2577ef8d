/* SPDX-License-Identifier: Apache-2.0 */
#include "node/initramfs.h"

#include "node/boot-entries.h"
#include "node/kernel-modules.h"
#include "node/resource.h"

#define DRACUT_TIMEOUT_SEC (30 * 60)
#define LIST_TIMEOUT_SEC (5 * 60)
#define TEMPORARY_PREFIX ".gn8v-tee-initramfs-"

/* The files whose content goes into the initramfs, and by their names are ours. */
static bool is_ours(const char *name) {
        return endswith(name, ".conf") && (strstr(name, "gn8v-tee") || streq(name, "nvidia-lkca.conf"));
}

typedef struct Configuration {
        size_t n;
        uint64_t digest;         /* FNV-1a of names and contents: tells a changed file from a touched one */
        struct timespec changed; /* when the last of them came or was edited */
} Configuration;

static void add_bytes(uint64_t *digest, const char *data, size_t size) {
        for (size_t i = 0; i < size; i++)
                *digest = (*digest ^ (unsigned char) data[i]) * UINT64_C(0x100000001b3);
}

static bool is_later(struct timespec a, struct timespec b) {
        return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

static int configuration(Node *n, Configuration *ret, Error *e) {
        static const char *const directories[] = {
                "/usr/lib/modprobe.d", "/etc/modprobe.d", "/usr/lib/dracut/dracut.conf.d", "/etc/dracut.conf.d",
        };
        Configuration c = { .digest = UINT64_C(0xcbf29ce484222325) };

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                _cleanup_strv_ char **names = NULL;
                int k = node_list(n, directories[i], &names);

                if (k < 0)
                        return error_errno(e, -k, "%s", directories[i]);
                STRV_FOREACH(name, names) {
                        _cleanup_free_ char *path = NULL, *data = NULL;
                        struct stat st;
                        size_t size;

                        if (!is_ours(*name))
                                continue;
                        path = format("%s/%s", directories[i], *name);
                        if (!path)
                                return error_oom(e);
                        k = node_stat(n, path, &st);
                        if (k >= 0)
                                k = node_read(n, path, NODE_FILE_MAX, &data, &size);
                        if (k < 0)
                                return error_errno(e, -k, "%s", path);
                        add_bytes(&c.digest, path, strlen(path) + 1);
                        add_bytes(&c.digest, data, size);
                        /* rpm sets the modification time back to the build's: when it came here is the change time. */
                        if (is_later(st.st_ctim, c.changed))
                                c.changed = st.st_ctim;
                        c.n++;
                }
        }
        *ret = c;
        return 0;
}

/* The image that the kernel's boot entry names, as a path from the root, owned by the caller; *ret NULL: it has none. */
static int image_path(Node *n, const char *kernel, char **ret, Error *e) {
        _cleanup_boot_entries_ BootEntries b = {};
        int k;

        *ret = NULL;
        k = boot_entries_load(n, &b, e);
        if (k < 0)
                return k;
        for (size_t i = 0; i < b.n; i++) {
                const char *path = b.entries[i].initrd_path, *version = boot_entry_kernel(&b.entries[i]);
                int size;

                if (!path || !version || b.entries[i].rescue || !streq(version, kernel))
                        continue;
                size = (int) strcspn(path, " \t"); /* tuned appends a variable */
                *ret = startswith(path, "/boot/") ? format("%.*s", size, path)
                                                  : format("/boot%s%.*s", path[0] == '/' ? "" : "/", size, path);
                return *ret ? 0 : error_oom(e);
        }
        *ret = format("/boot/initramfs-%s.img", kernel);
        return *ret ? 0 : error_oom(e);
}

static int initramfs_list(Node *n, ResourceList *l, Error *e) {
        _cleanup_boot_entries_ BootEntries b = {};
        Configuration c;
        int k;

        k = configuration(n, &c, e);
        if (k < 0 || c.n == 0)
                return k;
        if (boot_entries_load(n, &b, NULL) < 0)
                return 0; /* the kernel arguments' row says why */
        for (size_t i = 0; i < b.n; i++) {
                const char *kernel = boot_entry_kernel(&b.entries[i]);
                _cleanup_free_ char *modules = NULL, *id = NULL;
                Resource *r;

                if (!kernel || !kernel_name_is_valid(kernel) || b.entries[i].rescue || !b.entries[i].initrd_path)
                        continue;
                modules = format("/lib/modules/%s", kernel);
                id = format("initramfs:%s", kernel);
                if (!modules || !id)
                        return error_oom(e);
                if (!node_exists(n, modules) || resource_list_find(l, id))
                        continue;
                r = resource_list_add(l, &initramfs_type, kernel);
                if (!r || !(r->wanted = strdup("with the present configuration")))
                        return error_oom(e);
        }
        return 0;
}

static int initramfs_probe(Node *n, Resource *r, Error *e) {
        const JournalEntry *entry = journal_find(n->journal, r->id);
        const char *known = entry ? object_string(entry->after, "configuration") : NULL;
        _cleanup_free_ char *path = NULL, *digest = NULL;
        Configuration c;
        struct stat st;
        int k;

        k = configuration(n, &c, e);
        if (k >= 0)
                k = image_path(n, r->name, &path, e);
        if (k < 0)
                return k;
        digest = format("%016llx", (unsigned long long) c.digest);
        if (!digest)
                return error_oom(e);
        k = node_stat(n, path, &st);
        if (k < 0 && k != -ENOENT && k != -ENOTDIR)
                return error_errno(e, -k, "%s", path);
        if (k < 0) {
                r->action = ACTION_CHANGE;
                return resource_say(&r->found, e, "%s is missing", path);
        }
        /* Newer than the files is enough; older is too when it is known to have been built from the same bytes. */
        if ((known && streq(known, digest)) || is_later(st.st_mtim, c.changed)) {
                r->action = ACTION_NONE;
                return resource_say(&r->found, e, "%s", r->wanted);
        }
        r->action = ACTION_CHANGE;
        return resource_say(&r->found, e, "older than the configuration");
}

static int initramfs_remember(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        json_decref(entry->after);
        entry->after = NULL; /* until it is built, nothing is known of it */
        if (!entry->before)
                entry->before = json_object();
        return entry->before ? 0 : error_oom(e);
}

int initramfs_rebuild(Node *n, const char *kernel, Error *e) {
        _cleanup_free_ char *path = NULL, *temporary = NULL;
        struct stat st;
        char *slash;
        int k;

        k = image_path(n, kernel, &path, e);
        if (k < 0)
                return k;
        slash = strrchr(path, '/');
        temporary = format("%.*s/" TEMPORARY_PREFIX "%s", (int) (slash - path), path, slash + 1);
        if (!temporary)
                return error_oom(e);
        const char *const argv[] = { "dracut", "-f", temporary, kernel, NULL };
        k = node_tool(n, argv, DRACUT_TIMEOUT_SEC, NULL, e);
        if (k >= 0 && (node_stat(n, temporary, &st) < 0 || st.st_size == 0))
                k = error_set(e, EIO, EXIT_FAILED, "%s: dracut exited 0, but wrote nothing", temporary);
        if (k >= 0) {
                k = node_sync(n, temporary);
                if (k < 0)
                        k = error_errno(e, -k, "%s: cannot be flushed to the disk", temporary);
        }
        if (k >= 0) {
                k = node_rename(n, temporary, path);
                if (k < 0)
                        k = error_errno(e, -k, "%s: cannot be replaced", path);
        }
        if (k < 0)
                (void) node_remove(n, temporary);
        return error_hint(e, k, "the old one is still in place; see that /boot has room, then run: gn8v-tee apply");
}

void initramfs_sweep(Node *n) {
        _cleanup_strv_ char **names = NULL;

        if (node_list(n, "/boot", &names) < 0)
                return;
        STRV_FOREACH(name, names) {
                _cleanup_free_ char *path = startswith(*name, TEMPORARY_PREFIX) ? format("/boot/%s", *name) : NULL;

                if (path)
                        (void) node_remove(n, path);
        }
}

/* Whether a listing has .../NAME.ko, maybe compressed; '-' and '_' are the same in a module's name. */
static bool listing_has(const char *listing, const char *module) {
        KernelModules lists = { .files = (char *) listing };

        return kernel_modules_find(&lists, module) == MODULE_FILE;
}

/* What dracut put in, by its own tool; without it nothing is recorded. The image is known again by its size and time. */
static json_t *look_into(Node *n, const char *kernel) {
        _cleanup_free_ char *path = NULL, *listing = NULL;
        json_t *seen = NULL, *modules = NULL;
        struct stat st;

        if (image_path(n, kernel, &path, NULL) < 0 || node_stat(n, path, &st) < 0)
                return NULL;
        const char *const argv[] = { "lsinitrd", path, NULL };
        if (!n->release || node_tool(n, argv, LIST_TIMEOUT_SEC, &listing, NULL) < 0)
                return NULL;
        modules = json_array();
        STRV_FOREACH(module, n->release->initramfs_modules)
                if (listing_has(listing, *module))
                        (void) json_array_append_new(modules, json_string(*module));
        seen = json_pack("{s:I, s:I, s:I, s:o}", "size", (json_int_t) st.st_size, "seconds", (json_int_t) st.st_mtim.tv_sec, "nanoseconds",
                         (json_int_t) st.st_mtim.tv_nsec, "modules", modules);
        return seen;
}

int initramfs_seen_modules(Node *n, const char *kernel, char ***ret) {
        _cleanup_free_ char *id = format("initramfs:%s", kernel), *path = NULL;
        const JournalEntry *entry = id ? journal_find(n->journal, id) : NULL;
        const json_t *seen = entry ? json_object_get(entry->after, "image") : NULL, *modules = json_object_get(seen, "modules");
        _cleanup_strv_ char **names = NULL;
        struct stat st;

        if (!id)
                return -ENOMEM;
        if (!json_is_array(modules) || image_path(n, kernel, &path, NULL) < 0 || node_stat(n, path, &st) < 0 ||
            json_integer_value(json_object_get(seen, "size")) != st.st_size ||
            json_integer_value(json_object_get(seen, "seconds")) != st.st_mtim.tv_sec ||
            json_integer_value(json_object_get(seen, "nanoseconds")) != st.st_mtim.tv_nsec)
                return 0;
        for (size_t i = 0; i < json_array_size(modules); i++) {
                const char *name = json_string_value(json_array_get(modules, i));

                if (name && strv_append(&names, name) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(names);
        return 1;
}

static int initramfs_apply(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        Configuration c;
        int k;

        k = initramfs_rebuild(n, r->name, e);
        if (k >= 0)
                k = configuration(n, &c, e);
        if (k < 0)
                return k;
        _cleanup_free_ char *digest = format("%016llx", (unsigned long long) c.digest);
        if (!digest)
                return error_oom(e);
        json_decref(entry->after);
        entry->after = json_pack("{s:s, s:o*}", "configuration", digest, "image", look_into(n, r->name));
        return entry->after ? 0 : error_oom(e);
}

/* Our files are still there, and would be taken in again: rebuilt when they are gone. */
static int initramfs_revert(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        int k = resource_say(&r->note, e, "built anew when the package's files are gone");

        return k < 0 ? k : 1;
}

static bool initramfs_check(const char *name, const JournalEntry *entry) {
        return kernel_name_is_valid(name) && string_or_nothing(json_object_get(entry->after, "configuration"));
}

const ResourceType initramfs_type = {
        .name = "initramfs",
        .tool = "dracut",
        .slow = true,
        .sticky = true,
        .check = initramfs_check,
        .list = initramfs_list,
        .probe = initramfs_probe,
        .remember = initramfs_remember,
        .apply = initramfs_apply,
        .revert = initramfs_revert,
};
