/* SPDX-License-Identifier: Apache-2.0 */
/* The textual half of kernel arguments; nothing here opens a file. */
#include "basic/fs.h"
#include "node/boot-entries.h"
#include "node/kernel-argument.h"

/* Length of the next argument at s: up to a blank outside of double quotes. */
static size_t argument_span(const char *s) {
        bool quoted = false;
        size_t n;

        for (n = 0; s[n] && (quoted || !strchr(" \t\r\n", s[n])); n++)
                if (s[n] == '"')
                        quoted = !quoted;
        return n;
}

char *argument_key(const char *argument) {
        return strndup(argument, strcspn(argument, "="));
}

char *cmdline_find(const char *cmdline, const char *key) {
        size_t size = strlen(key), n;
        const char *found = NULL;

        for (const char *s = cmdline + strspn(cmdline, " \t\r\n"); *s; s += n, s += strspn(s, " \t\r\n")) {
                n = argument_span(s);
                if (n >= size && strncmp(s, key, size) == 0 && (n == size || s[size] == '='))
                        found = s;
        }
        return found ? strndup(found, argument_span(found)) : NULL;
}

/* swiotlb=[SLABS][,AREAS][,force|noforce][,any]; a slab is 2 KiB. Source: Alibaba's kernel/dma/swiotlb.c. */
typedef struct Swiotlb {
        uint64_t slabs;
        char **flags; /* everything but the slabs, in order */
} Swiotlb;

static int swiotlb_parse(const char *argument, Swiotlb *ret) {
        const char *value = strchr(argument, '=');
        _cleanup_strv_ char **flags = NULL;
        uint64_t slabs = 0;
        bool first = true;

        for (value = value ? value + 1 : ""; *value || first; first = false) {
                size_t n = strcspn(value, ",");
                _cleanup_free_ char *word = strndup(value, n);

                if (!word)
                        return -ENOMEM;
                if (!first || parse_u64(word, &slabs) < 0)
                        if (*word && strv_append(&flags, word) < 0)
                                return -ENOMEM;
                value += n + (value[n] == ',');
        }
        *ret = (Swiotlb){ .slabs = slabs, .flags = TAKE_PTR(flags) };
        return 0;
}

static bool has_all(char *const *have, char *const *want) {
        STRV_FOREACH(s, want)
                if (!strv_contains(have, *s))
                        return false;
        return true;
}

static char *swiotlb_merge(const char *found, const char *wanted) {
        Swiotlb f = {}, w = {};
        _cleanup_text_ Text t = {};
        char *result = NULL;

        if (swiotlb_parse(found, &f) < 0 || swiotlb_parse(wanted, &w) < 0)
                goto out;
        if (f.slabs > w.slabs || (f.slabs == w.slabs && has_all(f.flags, w.flags)))
                result = strdup(found); /* never lowered */
        else if (f.slabs < w.slabs)
                result = strdup(wanted);
        else {
                text_append(&t, found);
                STRV_FOREACH(s, w.flags)
                        if (!strv_contains(f.flags, *s))
                                text_printf(&t, ",%s", *s);
                result = text_take(&t);
        }
out:
        strv_free(f.flags);
        strv_free(w.flags);
        return result;
}

char *argument_merge(const char *found, const char *wanted) {
        if (found && startswith(found, "swiotlb=") && startswith(wanted, "swiotlb="))
                return swiotlb_merge(found, wanted);
        return strdup(wanted);
}

bool argument_lacks(const char *found, const char *wanted) {
        Swiotlb f = {}, w = {};
        bool lacks = false;

        if (startswith(found, "swiotlb=") && startswith(wanted, "swiotlb=") && swiotlb_parse(found, &f) >= 0 &&
            swiotlb_parse(wanted, &w) >= 0)
                lacks = !has_all(f.flags, w.flags);
        strv_free(f.flags);
        strv_free(w.flags);
        return lacks;
}

/* Where a file keeps a command line: the text behind these beginnings of a line. */
static size_t command_line_prefix(const char *path, const char *line) {
        const char *rest = line + strspn(line, " \t");

        if (startswith(path, BOOT_ENTRIES_DIR "/"))
                return startswith(rest, "options") && strchr(" \t", rest[7]) ? (size_t) (rest - line) + 7 : 0;
        if (streq(path_basename(path), "grubenv"))
                return startswith(line, "kernelopts=") ? strlen("kernelopts=") : 0;
        if (streq(path_basename(path), "grub")) {
                size_t n = startswith(rest, "GRUB_CMDLINE_LINUX") ? strcspn(rest, "=\n") : 0;

                return n > 0 && rest[n] == '=' ? (size_t) (rest - line) + n + 1 : 0;
        }
        return 0;
}

static bool is_command_line(const char *path, const char *line, size_t *ret_prefix) {
        *ret_prefix = command_line_prefix(path, line);
        return *ret_prefix > 0 || streq(path_basename(path), "cmdline");
}

/* The last KEY=... of the file's command lines, or NULL. */
static char *find_in_file(const char *path, const char *text, const char *key) {
        char *found = NULL;

        for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
                _cleanup_free_ char *copy = NULL;
                char *here;
                size_t prefix;

                if (!is_command_line(path, line, &prefix))
                        continue;
                copy = strndup(line + prefix, strcspn(line, "\n") - prefix);
                if (!copy)
                        return found;
                /* In a quoted assignment the quotes are the file's, not the argument's. */
                for (char *p = copy; streq(path_basename(path), "grub") && *p; p++)
                        if (*p == '"' || *p == '\'')
                                *p = ' ';
                here = cmdline_find(copy, key);
                if (here) {
                        free(found);
                        found = here;
                }
        }
        return found;
}

/* Length of the one of ours that stands at s, bounded by blanks, quotes or the line's end; 0: none. */
static size_t ours_at(const char *s, size_t left, char *const *ours) {
        STRV_FOREACH(o, ours) {
                size_t n = strlen(*o);

                if (n > 0 && n <= left && strncmp(s, *o, n) == 0 && (n == left || strchr(" \t\r\"'", s[n])))
                        return n;
        }
        return 0;
}

/* Appends a line (without its end) with each of ours replaced by old, once, or taken out together with one blank. */
static void edit_line(Text *t, const char *line, size_t size, size_t prefix, char *const *ours, const char *old) {
        size_t i = prefix;

        text_append_n(t, line, prefix);
        while (i < size) {
                size_t n = i == prefix || strchr(" \t\"'", line[i - 1]) ? ours_at(line + i, size - i, ours) : 0;

                if (n == 0) {
                        text_append_n(t, line + i++, 1);
                        continue;
                }
                i += n;
                if (old) {
                        text_append(t, old);
                        old = NULL;
                } else if (t->size > 0 && !t->failed && strchr(" \t", t->data[t->size - 1]))
                        t->data[--t->size] = '\0';
                else if (i < size && strchr(" \t", line[i]))
                        i++;
        }
}

static int edit_text(const char *path, char *const *ours, const char *old, const char *current, size_t size, char **ret, size_t *ret_size) {
        bool grubenv = streq(path_basename(path), "grubenv");
        _cleanup_text_ Text t = {};
        size_t end = size;

        /* A grubenv is a block of fixed size, filled up with '#'. */
        while (grubenv && end > 0 && current[end - 1] == '#')
                end--;
        for (size_t i = 0; i < end;) {
                const char *newline = memchr(current + i, '\n', end - i);
                size_t n = newline ? (size_t) (newline - current) - i : end - i, prefix;

                if (is_command_line(path, current + i, &prefix) && prefix <= n)
                        edit_line(&t, current + i, n, prefix, ours, old);
                else
                        text_append_n(&t, current + i, n);
                if (newline)
                        text_append(&t, "\n");
                i += n + (newline != NULL);
        }
        if (grubenv && t.size > size)
                return -EFBIG;
        while (grubenv && t.size < size && !t.failed)
                text_append(&t, "#");
        *ret_size = t.size;
        *ret = text_take(&t);
        return *ret ? 0 : -ENOMEM;
}

static bool same(const char *a, size_t a_size, const char *b, size_t b_size) {
        return a && b && a_size == b_size && memcmp(a, b, a_size) == 0;
}

static int compare_words(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The words of a file, sorted, without the ones left out, as one string: two texts that differ in order or blanks only give the same. */
static char *words_without(const char *text, size_t size, char *const *ours, const char *old) {
        _cleanup_free_ char *copy = strndup(text, size);
        _cleanup_strv_ char **words = NULL;
        char *save = NULL;

        for (char *w = copy ? strtok_r(copy, " \t\r\n\"'#", &save) : NULL; w; w = strtok_r(NULL, " \t\r\n\"'#", &save))
                if (!strv_contains(ours, w) && !(old && streq(w, old)) && strv_append(&words, w) < 0)
                        return NULL;
        if (!copy)
                return NULL;
        if (words)
                qsort(words, strv_length(words), sizeof(char *), compare_words);
        return strv_join(words, "\n");
}

/* Only the tool's own change (and its way of writing lines) lies between the two: nobody edited the file. */
static bool only_ours_between(const char *before, size_t before_size, const char *current, size_t current_size, char *const *ours,
                              const char *old) {
        _cleanup_free_ char *a = words_without(before, before_size, ours, old), *b = words_without(current, current_size, ours, old);

        return a && b && streq(a, b);
}

static int copy_image(const char *data, size_t size, char **ret, size_t *ret_size) {
        char *copy = NULL;

        if (data) {
                copy = malloc(size + 1);
                if (!copy)
                        return -ENOMEM;
                memcpy(copy, data, size);
                copy[size] = '\0';
        }
        *ret = copy;
        *ret_size = size;
        return 0;
}

int argument_revert_text(const char *path, const char *key, char *const *ours, const char *grubenv, const char *before, size_t before_size,
                         const char *after, size_t after_size, const char *current, size_t current_size, char **ret, size_t *ret_size,
                         bool *ret_edited) {
        _cleanup_free_ char *old = NULL, *meant = NULL, *means = NULL;

        *ret_edited = false;
        if (same(current, current_size, after, after_size))
                return copy_image(before, before_size, ret, ret_size);
        /* One entry among others is changed with its variables written out: the same words, meant and written. */
        if (before && grubenv && startswith(path, BOOT_ENTRIES_DIR "/") &&
            (boot_options_expand(before, grubenv, &meant) < 0 || boot_options_expand(current, grubenv, &means) < 0))
                freep(&meant), meant = NULL;
        old = before ? find_in_file(path, meant ? meant : before, key) : NULL;
        /* After a crash there is no image of what we left; a file that we never wrote has none either. */
        if (before && (only_ours_between(before, before_size, current, current_size, ours, old) ||
                       (meant && only_ours_between(meant, strlen(meant), means, strlen(means), ours, old))))
                return copy_image(before, before_size, ret, ret_size);
        *ret_edited = after != NULL;
        return edit_text(path, ours, old, current, current_size, ret, ret_size);
}
