/* SPDX-License-Identifier: Apache-2.0 */
#include "node/boot-entries.h"

#include <ctype.h>

#define ENTRY_MAX ((size_t) 64 * 1024)
#define OPTIONS_MAX ((size_t) 256 * 1024) /* expanded; the kernel takes 2 KiB */

int version_compare(const char *a, const char *b) {
        for (;;) {
                size_t m, k;
                int r;

                a += strcspn(a, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
                b += strcspn(b, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
                if (!*a || !*b)
                        return (*a != '\0') - (*b != '\0');
                if (isdigit((unsigned char) *a) != isdigit((unsigned char) *b))
                        return isdigit((unsigned char) *a) ? 1 : -1;
                if (isdigit((unsigned char) *a)) {
                        a += strspn(a, "0");
                        b += strspn(b, "0");
                        m = strspn(a, "0123456789");
                        k = strspn(b, "0123456789");
                        if (m != k)
                                return m > k ? 1 : -1;
                } else {
                        for (m = 0; isalpha((unsigned char) a[m]);)
                                m++;
                        for (k = 0; isalpha((unsigned char) b[k]);)
                                k++;
                }
                r = strncmp(a, b, MIN(m, k));
                if (r != 0)
                        return r;
                if (m != k)
                        return m > k ? 1 : -1;
                a += m;
                b += k;
        }
}

char *grubenv_get(const char *text, const char *name) {
        size_t size = strlen(name);

        for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
                if (strncmp(line, name, size) == 0 && line[size] == '=') {
                        const char *value = line + size + 1;
                        _cleanup_text_ Text t = {};

                        /* GRUB writes a backslash before a newline or backslash of a value. */
                        for (; *value && *value != '\n'; value++) {
                                if (*value == '\\' && value[1])
                                        value++;
                                text_append_n(&t, value, 1);
                        }
                        return text_take(&t);
                }
        return NULL;
}

/* Replaces $NAME and ${NAME} by grubenv's variables. *missing gets the first that is not there, tuned's apart. -EFBIG: too long. */
static int expand(const char *s, const char *grubenv, char **ret, char **missing) {
        _cleanup_text_ Text t = {};

        while (*s) {
                _cleanup_free_ char *name = NULL, *value = NULL;
                bool braces;
                size_t k;

                if (*s != '$') {
                        text_append_n(&t, s++, 1);
                        continue;
                }
                braces = s[1] == '{';
                for (k = 0; isalnum((unsigned char) s[1 + braces + k]) || s[1 + braces + k] == '_';)
                        k++;
                if (k == 0) {
                        text_append_n(&t, s++, 1);
                        continue;
                }
                name = strndup(s + 1 + braces, k);
                if (!name)
                        return -ENOMEM;
                value = grubenv_get(grubenv, name);
                if (value)
                        text_append(&t, value);
                if (t.size > OPTIONS_MAX)
                        return -EFBIG;
                if (!value && !*missing && !startswith(name, "tuned_"))
                        *missing = TAKE_PTR(name);
                s += 1 + braces + k;
                if (braces && *s == '}')
                        s++;
        }
        return (*ret = text_take(&t)) ? 0 : -ENOMEM;
}

int boot_options_expand(const char *text, const char *grubenv, char **ret) {
        _cleanup_free_ char *missing = NULL;

        return expand(text, grubenv, ret, &missing);
}

static int set_once(char **field, const char *value) {
        if (*field)
                return 0;
        *field = strdup(value);
        return *field ? 0 : -ENOMEM;
}

static int append_options(char **options, const char *value) {
        char *joined = *options ? format("%s %s", *options, value) : strdup(value);

        if (!joined)
                return -ENOMEM;
        free(*options);
        *options = joined;
        return 0;
}

/* KEY VALUE, cut at the first blanks; a value's own trailing blanks are not part of it. */
static int parse_line(BootEntry *entry, char *line) {
        char *value;
        size_t size;

        line += strspn(line, " \t");
        value = line + strcspn(line, " \t");
        if (*line == '#' || !*line)
                return 0;
        if (*value) {
                *value++ = '\0';
                value += strspn(value, " \t");
        }
        size = strlen(value);
        while (size > 0 && strchr(" \t\r", value[size - 1]))
                value[--size] = '\0';
        if (streq(line, "title"))
                return set_once(&entry->title, value);
        if (streq(line, "version"))
                return set_once(&entry->version, value);
        if (streq(line, "linux"))
                return set_once(&entry->linux_path, value);
        if (streq(line, "initrd"))
                return set_once(&entry->initrd_path, value);
        return streq(line, "options") ? append_options(&entry->options, value) : 0;
}

static void entry_clear(BootEntry *entry) {
        free(entry->path);
        free(entry->id);
        free(entry->title);
        free(entry->version);
        free(entry->linux_path);
        free(entry->initrd_path);
        free(entry->options);
}

void boot_entries_free(BootEntries *b) {
        for (size_t i = 0; i < b->n; i++)
                entry_clear(&b->entries[i]);
        free(b->entries);
        free(b->missing_variable);
        free(b->missing_in);
        free(b->saved_entry);
        *b = (BootEntries){};
}

const char *boot_entry_kernel(const BootEntry *entry) {
        const char *base, *version;

        if (entry->version && *entry->version)
                return entry->version;
        if (!entry->linux_path)
                return NULL;
        base = strrchr(entry->linux_path, '/');
        version = startswith(base ? base + 1 : entry->linux_path, "vmlinuz-");
        return version && *version ? version : NULL;
}

static int compare_entries(const void *a, const void *b) {
        const BootEntry *x = a, *y = b;
        const char *v = boot_entry_kernel(x), *w = boot_entry_kernel(y);
        int r;

        if (x->rescue != y->rescue)
                return x->rescue ? 1 : -1;
        r = version_compare(w ? w : "", v ? v : "");
        return r != 0 ? r : strcmp(y->id, x->id);
}

static int load_entry(Node *n, BootEntries *b, const char *name, const char *grubenv, Error *e) {
        _cleanup_free_ char *data = NULL, *missing = NULL, *link = NULL;
        BootEntry entry = {}, *grown;
        char *expanded, *save = NULL;
        const char *kernel;
        size_t size;
        int r = 0;

        entry.path = format("%s/%s", BOOT_ENTRIES_DIR, name);
        entry.id = strndup(name, strlen(name) - strlen(".conf"));
        if (!entry.path || !entry.id)
                goto oom;
        /* GRUB and grubby take it for a file of this directory: what it leads to is not theirs, nor ours, to edit. */
        r = node_readlink(n, entry.path, &link);
        if (r >= 0) {
                r = error_hint(e, error_set(e, ELOOP, EXIT_INVALID, "%s: is a symbolic link, to %s", entry.path, link), "put a plain file in its place");
                goto fail;
        }
        r = node_read(n, entry.path, ENTRY_MAX, &data, &size);
        if (r < 0) {
                r = error_hint(e, error_unreadable(e, -r, entry.path), "repair or remove this boot entry");
                goto fail;
        }
        if (strlen(data) != size) {
                r = error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not a text file", entry.path),
                               "repair or remove this boot entry");
                goto fail;
        }
        for (char *line = strtok_r(data, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
                if (parse_line(&entry, line) < 0)
                        goto oom;
        r = expand(entry.options ? entry.options : "", grubenv, &expanded, &missing);
        if (r == -ENOMEM)
                goto oom;
        if (r < 0) {
                r = error_hint(e, error_set(e, EFBIG, EXIT_INVALID, "%s: its options are longer than %zu bytes", entry.path, OPTIONS_MAX),
                               "repair or remove this boot entry");
                goto fail;
        }
        free(entry.options);
        entry.options = expanded;
        kernel = boot_entry_kernel(&entry);
        entry.rescue = kernel && strstr(kernel, "rescue");
        if (missing && !b->missing_variable) {
                b->missing_in = strdup(entry.path);
                b->missing_variable = TAKE_PTR(missing);
        }
        grown = reallocarray(b->entries, b->n + 1, sizeof(BootEntry));
        if (!grown)
                goto oom;
        b->entries = grown;
        b->entries[b->n++] = entry;
        return 0;
oom:
        r = error_oom(e);
fail:
        entry_clear(&entry);
        return r;
}

int boot_entries_load(Node *n, BootEntries *ret, Error *e) {
        _cleanup_boot_entries_ BootEntries b = {};
        _cleanup_free_ char *grubenv = NULL;
        _cleanup_strv_ char **names = NULL;
        size_t size = 0;
        int r;

        r = node_read(n, BOOT_GRUBENV_PATH, ENTRY_MAX, &grubenv, &size);
        if (r < 0 && r != -ENOENT && r != -ENOTDIR)
                return error_hint(e, error_unreadable(e, -r, BOOT_GRUBENV_PATH), BOOT_GRUBENV_REPAIR);
        r = node_list(n, BOOT_ENTRIES_DIR, &names);
        if (r < 0)
                return error_errno(e, -r, "%s", BOOT_ENTRIES_DIR);
        STRV_FOREACH(name, names) {
                if (!endswith(*name, ".conf") || (*name)[0] == '.')
                        continue;
                r = load_entry(n, &b, *name, grubenv ? grubenv : "", e);
                if (r < 0)
                        return r;
        }
        if (b.n > 0)
                qsort(b.entries, b.n, sizeof(BootEntry), compare_entries);
        b.grubenv_broken = grubenv && (!startswith(grubenv, "# GRUB Environment Block\n") || strlen(grubenv) != size);
        b.saved_entry = grubenv ? grubenv_get(grubenv, "saved_entry") : NULL;
        *ret = b;
        b = (BootEntries){};
        return 0;
}

const BootEntry *boot_entries_default(const BootEntries *b) {
        uint64_t index;

        if (b->n == 0)
                return NULL;
        if (b->saved_entry && *b->saved_entry) {
                for (size_t i = 0; i < b->n; i++)
                        if (streq(b->saved_entry, b->entries[i].id) ||
                            (b->entries[i].title && streq(b->saved_entry, b->entries[i].title)))
                                return &b->entries[i];
                if (parse_u64(b->saved_entry, &index) >= 0 && index < b->n)
                        return &b->entries[index];
        }
        return &b->entries[0];
}
