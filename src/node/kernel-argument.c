/* SPDX-License-Identifier: Apache-2.0 */
/* kernel-argument:KEY. Set through grubby; what was there before is kept byte by byte, and put back by ourselves. */
#include "node/kernel-argument.h"

#include "node/argument-files.h"
#include "node/boot-entries.h"
#include "node/resource.h"

#define GRUBBY_TIMEOUT_SEC 300

static int argument_list(Node *n, ResourceList *l, Error *e) {
        STRV_FOREACH(argument, n->release->kernel_arguments) {
                _cleanup_free_ char *key = argument_key(*argument);
                Resource *r;

                r = key ? resource_list_add(l, &kernel_argument_type, key) : NULL;
                if (!r || !(r->wanted = strdup(*argument)))
                        return error_oom(e);
        }
        return 0;
}

static int strings_from_json(const json_t *array, char ***ret) {
        _cleanup_strv_ char **v = NULL;
        json_t *value;
        size_t i;

        json_array_foreach(array, i, value) {
                if (!json_is_string(value))
                        return -EBADMSG;
                if (strv_append(&v, json_string_value(value)) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(v);
        return 0;
}

static int ours_of(const JournalEntry *entry, char ***ret) {
        return strings_from_json(entry ? json_object_get(entry->after, "values") : NULL, ret);
}

/* What the entry would have without us: found, or, when that is ours, what the journal remembers. NULL: nothing. */
static const char *theirs(const JournalEntry *entry, char *const *ours, const BootEntry *boot, const char *found) {
        if (!found || !strv_contains(ours, found))
                return found;
        return object_string(json_object_get(entry->before, "arguments"), boot->id);
}

typedef struct Target {
        char *found, *wanted; /* found NULL: nothing */
        const char *theirs;   /* NULL: nothing; a part of found or of the journal */
} Target;

static void targets_free(Target **v) {
        /* Ended by one without wanted. */
        for (Target *t = *v; t && t->wanted; t++) {
                free(t->found);
                free(t->wanted);
        }
        free(*v);
}

/* For every boot entry, what it has and what it must get. */
static int targets_make(const JournalEntry *entry, const Resource *r, const BootEntries *b, Target **ret) {
        _cleanup_(targets_free) Target *v = calloc(b->n + 1, sizeof(Target));
        _cleanup_strv_ char **ours = NULL;
        int k;

        if (!v)
                return -ENOMEM;
        k = ours_of(entry, &ours);
        if (k < 0)
                return k;
        for (size_t i = 0; i < b->n; i++) {
                _cleanup_free_ char *found = cmdline_find(b->entries[i].options, r->name);

                v[i].theirs = theirs(entry, ours, &b->entries[i], found);
                v[i].wanted = argument_merge(v[i].theirs, r->wanted);
                if (!v[i].wanted)
                        return -ENOMEM;
                v[i].found = TAKE_PTR(found);
        }
        *ret = TAKE_PTR(v);
        return 0;
}

static bool is_met(const Target *t) {
        return t->found && streq(t->found, t->wanted);
}

static int describe(Resource *r, const BootEntries *b, const Target *v, Error *e) {
        const char *kept = NULL, *where = NULL;
        size_t differing = 0, met = 0;
        int k;

        for (size_t i = 0; i < b->n; i++) {
                met += is_met(&v[i]);
                differing += !streq(v[i].found ? v[i].found : "", v[0].found ? v[0].found : "");
                if (!streq(v[i].wanted, r->wanted) && !kept) {
                        kept = v[i].wanted;
                        where = b->entries[i].id;
                }
        }
        if (b->n == 0)
                k = resource_say(&r->found, e, "no boot entry");
        else if (differing == 0)
                k = resource_say(&r->found, e, "%s", v[0].found ? v[0].found : "absent");
        else
                k = resource_say(&r->found, e, "as wanted in %zu of %zu boot entries", met, b->n);
        if (k < 0)
                return k;
        r->action = b->n > 0 && met == b->n ? (kept ? ACTION_KEEP : ACTION_NONE) : ACTION_CHANGE;
        if (!kept)
                return 0;
        k = resource_say(&r->note, e, "%s of boot entry %s is the administrator's: not lowered", kept, where);
        if (k >= 0 && argument_lacks(kept, r->wanted))
                k = resource_say(&r->hint, e, "it lacks a flag of %s: grubby --update-kernel=ALL --args %s%s", r->wanted, kept,
                                 strchrnul(r->wanted, ','));
        return k;
}

static int argument_probe(Node *n, Resource *r, Error *e) {
        _cleanup_boot_entries_ BootEntries b = {};
        _cleanup_(targets_free) Target *v = NULL;
        int k;

        k = boot_entries_load(n, &b, e);
        if (k < 0)
                return k;
        k = targets_make(journal_find(n->journal, r->id), r, &b, &v);
        if (k < 0)
                return error_errno(e, -k, "%s: %s", NODE_JOURNAL_PATH, r->id);
        return describe(r, &b, v, e);
}

static int set_values(JournalEntry *entry, char *const *ours, const Target *v) {
        json_t *values = json_array(), *after = json_object();
        int k = values && after ? 0 : -1;

        STRV_FOREACH(s, ours)
                k = k < 0 ? k : json_array_append_new(values, json_string(*s));
        for (; k >= 0 && v->wanted; v++)
                if (!strv_contains(ours, v->wanted) && !is_met(v)) {
                        bool have = false;
                        json_t *value;
                        size_t i;

                        json_array_foreach(values, i, value)
                                have = have || streq(json_string_value(value), v->wanted);
                        if (!have)
                                k = json_array_append_new(values, json_string(v->wanted));
                }
        if (k < 0 || json_object_set(after, "values", values) < 0 ||
            (json_object_get(entry->after, "files") && json_object_set(after, "files", json_object_get(entry->after, "files")) < 0)) {
                json_decref(values);
                json_decref(after);
                return -ENOMEM;
        }
        json_decref(values);
        json_decref(entry->after);
        entry->after = after;
        return 0;
}

/* Also on a later change: what was edited in between is the administrator's, and belongs to what was there before us. */
static int argument_remember(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        _cleanup_strv_ char **paths = NULL, **ours = NULL;
        _cleanup_(targets_free) Target *v = NULL;
        _cleanup_boot_entries_ BootEntries b = {};
        json_t *before, *files, *arguments;
        int k;

        if ((k = boot_entries_load(n, &b, e)) < 0 || (k = tracked_files(n, entry, &paths, e)) < 0)
                return k;
        if ((k = ours_of(entry, &ours)) < 0 || (k = targets_make(entry, r, &b, &v)) < 0)
                return error_errno(e, -k, "%s: %s", NODE_JOURNAL_PATH, r->id);
        before = json_pack("{s:o, s:o}", "files", files = json_object(), "arguments", arguments = json_object());
        if (!before)
                return error_oom(e);
        for (size_t i = 0; i < b.n && k >= 0; i++)
                if (json_object_set_new(arguments, b.entries[i].id, v[i].theirs ? json_string(v[i].theirs) : json_null()) < 0)
                        k = error_oom(e);
        for (char **path = paths; k >= 0 && path && *path; path++) {
                _cleanup_(image_free) Image current = {}, clean = {};
                bool edited;

                k = image_read(n, *path, &current, e);
                if (k >= 0)
                        k = image_without_us(n, entry, r->name, ours, *path, &current, &clean, &edited, e);
                if (k >= 0 && json_object_set_new(files, *path, bytes_to_json(clean.data, clean.size)) < 0)
                        k = error_oom(e);
        }
        if (k >= 0 && set_values(entry, ours, v) < 0)
                k = error_oom(e);
        if (k < 0) {
                json_decref(before);
                return k;
        }
        json_decref(entry->before);
        entry->before = before;
        return 0;
}

static int grubby(Node *n, const char *kernel, const char *argument, Error *e) {
        _cleanup_free_ char *update = format("--update-kernel=%s", kernel);
        const char *const argv[] = { "grubby", update, "--args", argument, NULL };
        int k;

        if (!update)
                return error_oom(e);
        k = node_tool(n, argv, GRUBBY_TIMEOUT_SEC, NULL, e);
        return error_hint(e, k, "check it with: grubby --info=ALL; then run: gn8v-tee apply");
}

/* All entries at once when they need the same (that also covers what new entries are made from), else one by one. */
static int set_arguments(Node *n, const BootEntries *b, const Target *v, Error *e) {
        bool all = true;

        for (size_t i = 0; i < b->n; i++)
                all = all && !is_met(&v[i]) && streq(v[i].wanted, v[0].wanted);
        if (all)
                return grubby(n, "ALL", v[0].wanted, e);
        for (size_t i = 0; i < b->n; i++) {
                _cleanup_free_ char *kernel = NULL;
                const char *path = b->entries[i].linux_path;
                int k;

                if (is_met(&v[i]))
                        continue;
                if (!path)
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: has no linux line", b->entries[i].path);
                /* With a /boot of its own, paths in entries begin there; grubby wants them as seen from the root. */
                kernel = startswith(path, "/boot/") ? strdup(path) : format("/boot%s%s", path[0] == '/' ? "" : "/", path);
                if (!kernel)
                        return error_oom(e);
                k = grubby(n, kernel, v[i].wanted, e);
                if (k < 0)
                        return k;
        }
        return 0;
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The arguments with another key, sorted, as one string: what no change of ours may alter. */
static char *others(const char *options, const char *key) {
        _cleanup_strv_ char **words = NULL;
        _cleanup_free_ char *copy = strdup(options);
        char *save = NULL;

        for (char *w = copy ? strtok_r(copy, " \t", &save) : NULL; w; w = strtok_r(NULL, " \t", &save)) {
                const char *rest = startswith(w, key);

                if ((!rest || (*rest && *rest != '=')) && strv_append(&words, w) < 0)
                        return NULL;
        }
        if (!copy)
                return NULL;
        if (words)
                qsort(words, strv_length(words), sizeof(char *), compare_strings);
        return strv_join(words, " ");
}

/* That each entry has what it must, and that nothing else of it changed. */
static int check_result(const Resource *r, const BootEntries *was, const BootEntries *is, const Target *v, Error *e) {
        for (size_t i = 0; i < was->n; i++) {
                _cleanup_free_ char *found = NULL, *a = NULL, *b = NULL;
                const BootEntry *now = NULL;

                for (size_t k = 0; k < is->n; k++)
                        if (streq(is->entries[k].id, was->entries[i].id))
                                now = &is->entries[k];
                if (!now)
                        return error_set(e, EIO, EXIT_FAILED, "%s: grubby has removed this boot entry", was->entries[i].path);
                found = cmdline_find(now->options, r->name);
                if (!found || !streq(found, v[i].wanted))
                        return error_hint(e, error_set(e, EIO, EXIT_FAILED, "%s: grubby exited 0, but %s is not in it", now->path, v[i].wanted),
                                          "see that /boot can be written, and that grubby has the rpm-sort it needs (yum install grubby rpm); then run: gn8v-tee apply");
                a = others(was->entries[i].options, r->name);
                b = others(now->options, r->name);
                if (!a || !b)
                        return error_oom(e);
                if (!streq(a, b))
                        return error_hint(e, error_set(e, EIO, EXIT_FAILED, "%s: grubby has changed other arguments too, undone", now->path),
                                          "compare 'grubby --info=ALL' with that entry and grubenv; then run: gn8v-tee apply");
        }
        return 0;
}

static bool has_one_of(const Image *image, char *const *ours) {
        STRV_FOREACH(s, ours)
                if (image->data && memmem(image->data, image->size, *s, strlen(*s)))
                        return true;
        return false;
}

/* Keeps in before and after only the files that differ now from what they would be without us; and in before those that had the same
 * argument already, without us: it stays there. */
static int record_after(Node *n, JournalEntry *entry, char *const *paths, Error *e) {
        _cleanup_strv_ char **ours = NULL;
        json_t *before = json_object_get(entry->before, "files"), *files = json_object();
        int k = files && ours_of(entry, &ours) >= 0 ? 0 : error_oom(e);

        STRV_FOREACH(path, paths) {
                _cleanup_(image_free) Image now = {};
                json_t *value, *was = json_object_get(before, *path);

                if (k < 0)
                        break;
                k = image_read(n, *path, &now, e);
                if (k < 0)
                        break;
                value = bytes_to_json(now.data, now.size);
                if (!value || (was && json_equal(value, was))) {
                        json_decref(value);
                        if (!has_one_of(&now, ours))
                                (void) json_object_del(before, *path);
                } else if (json_object_set_new(files, *path, value) < 0)
                        k = error_oom(e);
        }
        if (k >= 0 && json_object_set(entry->after, "files", files) < 0)
                k = error_oom(e);
        json_decref(files);
        return k;
}

static int argument_apply(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        _cleanup_boot_entries_ BootEntries was = {}, is = {};
        _cleanup_(targets_free) Target *v = NULL;
        _cleanup_strv_ char **paths = NULL;
        Image *images;
        int k;

        if ((k = boot_entries_load(n, &was, e)) < 0 || (k = tracked_files(n, entry, &paths, e)) < 0)
                return k;
        if (was.n == 0)
                return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s: no boot entry", BOOT_ENTRIES_DIR),
                                  "give the kernel the argument %s by hand, or make entries with kernel-install and run: gn8v-tee apply",
                                  r->wanted);
        if (was.grubenv_broken)
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not an environment block of GRUB", BOOT_GRUBENV_PATH),
                                  BOOT_GRUBENV_REPAIR);
        if (was.missing_variable)
                return error_hint(e, error_set(e, EBADMSG, EXIT_FAILED, "%s: uses $%s, which %s does not have", was.missing_in,
                                               was.missing_variable, BOOT_GRUBENV_PATH),
                                  "grubby would drop the other arguments: run grub2-mkconfig -o /boot/grub2/grub.cfg, then: gn8v-tee apply");
        k = targets_make(entry, r, &was, &v);
        if (k < 0)
                return error_errno(e, -k, "%s: %s", NODE_JOURNAL_PATH, r->id);
        images = calloc(strv_length(paths) + 1, sizeof(Image));
        if (!images)
                return error_oom(e);
        for (size_t i = 0; paths[i] && k >= 0; i++)
                k = image_read(n, paths[i], &images[i], e);
        if (k >= 0) {
                k = set_arguments(n, &was, v, e);
                if (k >= 0)
                        k = boot_entries_load(n, &is, e);
                if (k >= 0)
                        k = check_result(r, &was, &is, v, e);
                for (size_t i = 0; paths[i] && k >= 0; i++) {
                        int s = node_sync(n, paths[i]);

                        k = s < 0 ? error_errno(e, -s, "%s: cannot be flushed to the disk", paths[i]) : 0;
                }
                /* Half a change is no change: an entry that was edited wrongly may not boot. */
                if (k < 0)
                        (void) put_back(n, paths, images, NULL);
                else
                        k = record_after(n, entry, paths, e);
        }
        for (size_t i = 0; paths[i]; i++)
                image_free(&images[i]);
        free(images);
        return k;
}

/* Text that the revert of one file adds to what is said about it. */
static int revert_file(Node *n, const JournalEntry *entry, const char *key, char *const *ours, const char *path, Text *edited, Error *e) {
        _cleanup_(image_free) Image current = {}, clean = {};
        bool was_edited;
        int k;

        k = image_read(n, path, &current, e);
        if (k < 0 || !current.data)
                return k; /* a kernel that was removed since took its entry along */
        k = image_without_us(n, entry, key, ours, path, &current, &clean, &was_edited, e);
        if (k < 0)
                return k;
        if (was_edited)
                text_printf(edited, "%s%s", edited->size > 0 ? ", " : "", path);
        if (!clean.data)
                k = node_remove(n, path);
        else if (clean.size != current.size || memcmp(clean.data, current.data, clean.size) != 0)
                k = node_write(n, path, clean.data, clean.size, 0644);
        return k < 0 ? error_errno(e, -k, "%s: cannot be written", path) : 0;
}

static int argument_revert(Node *n, Resource *r, JournalEntry *entry, Error *e) {
        _cleanup_strv_ char **paths = NULL, **ours = NULL;
        _cleanup_text_ Text edited = {};
        _cleanup_free_ char *said = NULL;
        int k;

        k = ours_of(entry, &ours);
        if (k < 0)
                return error_errno(e, -k, "%s: %s", NODE_JOURNAL_PATH, r->id);
        k = tracked_files(n, entry, &paths, e);
        for (char **path = paths; k >= 0 && path && *path; path++)
                k = revert_file(n, entry, r->name, ours, *path, &edited, e);
        if (k < 0)
                return k;
        said = text_take(&edited);
        if (!said)
                return error_oom(e);
        return *said ? resource_say(&r->note, e, "edited since, and kept so but for our own argument: %s", said) : 0;
}

/* KEY or KEY=VALUE, and one word: no other argument is ever taken out. */
static bool is_argument_of(const char *key, const json_t *value) {
        const char *s = json_string_value(value), *rest = s ? startswith(s, key) : NULL;

        return rest && (*rest == '\0' || *rest == '=') && s[strcspn(s, " \t\r\n")] == '\0';
}

static bool argument_check(const char *name, const JournalEntry *entry) {
        const json_t *values = json_object_get(entry->after, "values");
        json_t *arguments = json_object_get(entry->before, "arguments"), *value;
        const char *id;
        size_t i;

        if (name[strcspn(name, " \t\r\n\"'=/")] != '\0' || *name == '-' || !files_are_valid(entry->before) || !files_are_valid(entry->after) ||
            (arguments && !json_is_object(arguments)) || (values && !json_is_array(values)))
                return false;
        json_object_foreach(arguments, id, value)
                if (!json_is_null(value) && !is_argument_of(name, value))
                        return false;
        json_array_foreach(values, i, value)
                if (!is_argument_of(name, value))
                        return false;
        return true;
}

const ResourceType kernel_argument_type = {
        .name = "kernel-argument",
        .tool = "grubby",
        .check = argument_check,
        .list = argument_list,
        .probe = argument_probe,
        .remember = argument_remember,
        .apply = argument_apply,
        .revert = argument_revert,
};
