/* SPDX-License-Identifier: Apache-2.0 */
#include "node/argument-files.h"

#include "node/boot-entries.h"
#include "node/kernel-argument.h"
#include "node/resource.h"

/* Beside the entries, what EL8's grubby may edit. */
static const char *const other_files[] = { BOOT_GRUBENV_PATH, "/etc/default/grub", "/etc/kernel/cmdline" };

int tracked_files(Node *n, const JournalEntry *entry, char ***ret, Error *e) {
        static const char *const sections[] = { "before", "after" };
        _cleanup_strv_ char **names = NULL, **paths = NULL;
        const char *key;
        json_t *value;
        int k;

        k = node_list(n, BOOT_ENTRIES_DIR, &names);
        if (k < 0)
                return error_errno(e, -k, "%s", BOOT_ENTRIES_DIR);
        STRV_FOREACH(name, names) {
                _cleanup_free_ char *path = format("%s/%s", BOOT_ENTRIES_DIR, *name);

                if (!path)
                        return error_oom(e);
                if (endswith(path, ".conf") && (*name)[0] != '.' && strv_append(&paths, path) < 0)
                        return error_oom(e);
        }
        for (size_t i = 0; i < ELEMENTSOF(other_files); i++)
                if (strv_append(&paths, other_files[i]) < 0)
                        return error_oom(e);
        for (size_t i = 0; i < ELEMENTSOF(sections); i++)
                json_object_foreach(json_object_get(i == 0 ? entry->before : entry->after, "files"), key, value)
                        if (key[0] == '/' && !strv_contains(paths, key) && strv_append(&paths, key) < 0)
                                return error_oom(e);
        *ret = TAKE_PTR(paths);
        return 0;
}

void image_free(Image *i) {
        free(i->data);
}

int image_read(Node *n, const char *path, Image *ret, Error *e) {
        int k = node_read(n, path, NODE_FILE_MAX, &ret->data, &ret->size);

        if (k == -ENOENT || k == -ENOTDIR)
                return 0;
        return k < 0 ? error_errno(e, -k, "%s", path) : 0;
}

static int image_remembered(const json_t *section, const char *path, Image *ret, bool *ret_known, Error *e) {
        const json_t *value = json_object_get(json_object_get(section, "files"), path);

        *ret_known = value != NULL;
        if (value && bytes_from_json(value, &ret->data, &ret->size) < 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: kernel-argument: malformed bytes of %s", NODE_JOURNAL_PATH, path);
        return 0;
}

int image_without_us(Node *n, const JournalEntry *entry, const char *key, char *const *ours, const char *path, const Image *current,
                            Image *ret, bool *ret_edited, Error *e) {
        _cleanup_(image_free) Image before = {}, after = {}, grubenv = {};
        bool known_before, known_after, known_grubenv;
        int k;

        *ret_edited = false;
        if (!current->data)
                return 0;
        k = image_remembered(entry->before, path, &before, &known_before, e);
        if (k >= 0)
                k = image_remembered(entry->after, path, &after, &known_after, e);
        if (k >= 0)
                k = image_remembered(entry->before, BOOT_GRUBENV_PATH, &grubenv, &known_grubenv, e);
        if (k >= 0 && !known_grubenv) /* not changed by us */
                k = image_read(n, BOOT_GRUBENV_PATH, &grubenv, e);
        if (k < 0)
                return k;
        k = argument_revert_text(path, key, ours, grubenv.data, before.data, before.size, after.data, after.size, current->data, current->size,
                                 &ret->data, &ret->size, ret_edited);
        return k < 0 ? error_errno(e, -k, "%s", path) : 0;
}

int put_back(Node *n, char *const *paths, const Image *images, Error *e) {
        int k = 0;

        for (size_t i = 0; paths && paths[i]; i++) {
                _cleanup_(image_free) Image now = {};
                int r;

                if (image_read(n, paths[i], &now, e) < 0)
                        continue;
                if (!images[i].data && now.data)
                        r = node_remove(n, paths[i]);
                else if (images[i].data && (!now.data || now.size != images[i].size || memcmp(now.data, images[i].data, now.size) != 0))
                        r = node_write(n, paths[i], images[i].data, images[i].size, 0644);
                else
                        r = 0;
                if (r < 0)
                        k = error_errno(e, -r, "%s: cannot be put back", paths[i]);
        }
        return k;
}

/* The files that grubby may write, and no other. */
static bool is_tracked(const char *path) {
        const char *name = startswith(path, BOOT_ENTRIES_DIR "/");

        for (size_t i = 0; i < ELEMENTSOF(other_files); i++)
                if (streq(path, other_files[i]))
                        return true;
        return name && *name != '.' && !strchr(name, '/') && endswith(name, ".conf");
}

bool files_are_valid(const json_t *section) {
        json_t *files = json_object_get(section, "files"), *value;
        const char *path;

        if (files && !json_is_object(files))
                return false;
        json_object_foreach(files, path, value)
                if (!is_tracked(path) || !bytes_are_valid(value))
                        return false;
        return true;
}
