/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/driver-manifest.h"

#include <ctype.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/archive.h"

#define ENTRIES_MAX   200000u
#define HEADER_LINES  8u /* what comes before the entries */
#define MODULES_MAX   32u

typedef struct Reader {
        const char *name;
        const char *p, *end;
        unsigned line; /* physical line of the text last returned */
        unsigned next; /* of p */
} Reader;

static int refuse(const Reader *r, Error *e, const char *fmt, ...) _printf_(3, 4);
static int refuse(const Reader *r, Error *e, const char *fmt, ...) {
        _cleanup_free_ char *why = NULL;
        va_list ap;

        va_start(ap, fmt);
        why = format_va(fmt, ap);
        va_end(ap);
        for (char *p = why; p && *p; p++)
                if (!isprint((unsigned char) *p))
                        *p = '?';
        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s, line %u: %s", r->name, r->line, why ?: "malformed"),
                          "the archive is damaged, or of a kind that this version does not know");
}

/* The next line as a new string, or NULL at the end: a line ends at LF or CR, then everything unprintable is skipped, so that blank lines
 * do not count (as nvidia-installer reads it). */
static char *next_line(Reader *r) {
        const char *begin = r->p;
        char *s;

        if (r->p >= r->end)
                return NULL;
        r->line = r->next;
        while (r->p < r->end && *r->p != '\n' && *r->p != '\r')
                r->p++;
        s = strndup(begin, (size_t) (r->p - begin));
        while (r->p < r->end && !isprint((unsigned char) *r->p)) {
                r->next += *r->p == '\n';
                r->p++;
        }
        return s;
}

/* The next word of the line at *p, cut out in place, or NULL. */
static char *next_word(char **p) {
        char *s = *p + strspn(*p, " \t"), *end;

        if (!*s)
                return NULL;
        end = s + strcspn(s, " \t");
        *p = *end ? end + 1 : end;
        *end = '\0';
        return s;
}

static void entry_clear(DriverEntry *d) {
        free(d->file);
        free(d->path);
        free(d->target);
        free(d->destination);
}

DriverManifest *driver_manifest_free(DriverManifest *m) {
        if (!m)
                return NULL;
        free(m->version);
        strv_free(m->modules);
        for (size_t i = 0; i < m->n_entries; i++)
                entry_clear(&m->entries[i]);
        free(m->entries);
        free(m);
        return NULL;
}

static int parse_mode(const char *s, mode_t *ret) {
        mode_t mode = 0;

        if (!*s || strlen(s) > 6)
                return -EINVAL;
        for (; *s; s++) {
                if (*s < '0' || *s > '7')
                        return -EINVAL;
                mode = mode * 8 + (mode_t) (*s - '0');
        }
        if (mode > 07777)
                return -EINVAL;
        *ret = mode;
        return 0;
}

/* A path word without its needless slashes and dots; "/" becomes "". */
static int clean_path(const Reader *r, const char *what, const char *s, bool absolute, char **ret, Error *e) {
        const char *p = s + strspn(s, "/");
        char *clean;
        int k = 0;

        if (absolute && s[0] != '/')
                return refuse(r, e, "%s '%s' is not absolute", what, s);
        clean = archive_clean_name(p, &k);
        if (k == -ENOMEM)
                return error_oom(e);
        if (!clean)
                return refuse(r, e, "%s '%s' leaves its root, or is no text", what, s);
        free(*ret);
        *ret = clean;
        return 0;
}

/* The directory of the file without its first n components. */
static int inherit_path(const Reader *r, DriverEntry *d, const char *word, Error *e) {
        const char *n = startswith(word, "INHERIT_PATH_DEPTH:"), *p = d->file, *slash;
        uint64_t depth;

        if (!n || parse_u64(n, &depth) < 0 || depth > 64)
                return refuse(r, e, "'%s' is not INHERIT_PATH_DEPTH:N", word);
        if (!strchr(d->file, '/'))
                return refuse(r, e, "'%s' has no directory to inherit", d->file);
        for (; depth > 0; depth--) {
                slash = strchr(p, '/');
                if (!slash)
                        return refuse(r, e, "'%s' has fewer directories than %s says", d->file, word);
                p = slash + 1;
        }
        slash = strrchr(p, '/');
        d->path = slash ? strndup(p, (size_t) (slash - p)) : strdup("");
        return d->path ? 0 : error_oom(e);
}

/* Directories that an absolute path may be in; EL8 has the first four as links to /usr. */
static int absolute_directory(const Reader *r, const char *path, char **ret, Error *e) {
        static const char *const merged[] = { "lib", "lib64", "bin", "sbin" }, *const roots[] = { "usr", "etc", "opt", "var" };
        size_t n = strcspn(path, "/");

        for (size_t i = 0; i < ELEMENTSOF(merged); i++)
                if (strlen(merged[i]) == n && strncmp(path, merged[i], n) == 0)
                        return (*ret = format("/usr/%s", path)) ? 0 : error_oom(e);
        for (size_t i = 0; i < ELEMENTSOF(roots); i++)
                if (strlen(roots[i]) == n && strncmp(path, roots[i], n) == 0)
                        return (*ret = format("/%s", path)) ? 0 : error_oom(e);
        return refuse(r, e, "path '/%s' is in none of /usr, /etc, /opt, /var", path);
}

/* Replaces %L and %V of a type's directory. */
static char *expand(const char *s, bool compat32, const char *version) {
        _cleanup_text_ Text t = {};

        for (; *s; s++)
                if (s[0] == '%' && s[1] == 'L')
                        text_append(&t, compat32 ? "/usr/lib" : "/usr/lib64"), s++;
                else if (s[0] == '%' && s[1] == 'V')
                        text_append(&t, version), s++;
                else
                        text_append_n(&t, s, 1);
        return text_take(&t);
}

static int place(const Reader *r, const DriverManifest *m, DriverEntry *d, Error *e) {
        _cleanup_free_ char *directory = NULL;
        const char *below = d->type->path == PATH_BELOW ? d->path : "";
        int k;

        if (d->type->role == ROLE_DROPPED)
                return 0;
        if (d->type->path == PATH_ABSOLUTE) {
                if ((k = absolute_directory(r, d->path, &directory, e)) < 0)
                        return k;
        } else if (!(directory = expand(d->type->directory, d->compat32, m->version)))
                return error_oom(e);
        d->destination = format("%s/%s%s%s", directory, below, *below ? "/" : "", path_basename(d->file));
        return d->destination ? 0 : error_oom(e);
}

static int parse_words(const Reader *r, char *p, DriverEntry *d, Error *e) {
        const DriverType *t = d->type;
        const char *word;
        int k;

        if (t->words & WORD_ARCH) {
                if (!(word = next_word(&p)))
                        return refuse(r, e, "%s needs NATIVE or COMPAT32", t->name);
                if (!streq(word, "NATIVE") && !streq(word, "COMPAT32"))
                        return refuse(r, e, "'%s' is neither NATIVE nor COMPAT32", word);
                d->compat32 = word[0] == 'C';
        }
        if (t->words & (WORD_PATH | WORD_INHERIT)) {
                if (!(word = next_word(&p)))
                        return refuse(r, e, "%s needs a path", t->name);
                k = t->words & WORD_INHERIT ? inherit_path(r, d, word, e)
                                            : clean_path(r, "path", word, t->path == PATH_ABSOLUTE, &d->path, e);
                if (k < 0)
                        return k;
        } else if (!(d->path = strdup("")))
                return error_oom(e);
        if (t->words & WORD_TARGET) {
                if (!(word = next_word(&p)))
                        return refuse(r, e, "%s needs a target", t->name);
                if (word[0] == '/' || !path_is_safe(word) || !text_is_printable(word))
                        return refuse(r, e, "target '%s' leaves its directory", word);
                if (!(d->target = strdup(word)))
                        return error_oom(e);
        }
        return 0;
}

static int parse_entry(const Reader *r, char *line, DriverManifest *m, DriverEntry *d, Error *e) {
        const char *word;
        int k;

        d->line = r->line;
        if (!(word = next_word(&line)))
                return refuse(r, e, "no file name");
        if (word[0] == '/')
                return refuse(r, e, "file '%s' leaves the archive", word);
        if ((k = clean_path(r, "file", word, false, &d->file, e)) < 0)
                return k;
        if (!*d->file)
                return refuse(r, e, "'%s' is no file name", word);
        if (!(word = next_word(&line)))
                return refuse(r, e, "'%s' has no mode", d->file);
        if (parse_mode(word, &d->mode) < 0)
                return refuse(r, e, "'%s' is no octal mode", word);
        if (!(word = next_word(&line)))
                return refuse(r, e, "'%s' has no type", d->file);
        if (!(d->type = driver_type(word)))
                return refuse(r, e, "'%s' is no type of file that is known here", word);
        if ((k = parse_words(r, line, d, e)) < 0)
                return k;
        return place(r, m, d, e);
}

static bool is_module_name(const char *s) {
        return *s && strlen(s) <= 64 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(s) && s[0] != '-';
}

static bool is_version(const char *s) {
        return *s && strlen(s) <= 64 && strspn(s, "0123456789.") == strlen(s) && s[0] != '.' && !strstr(s, "..");
}

static int parse_header(Reader *r, DriverManifest *m, Error *e) {
        for (unsigned i = 1; i <= HEADER_LINES; i++) {
                _cleanup_free_ char *line = next_line(r);

                if (!line)
                        return refuse(r, e, "the list ends before its %u header lines", HEADER_LINES);
                if (i == 2) {
                        char *p = line;
                        const char *version = next_word(&p);
                        if (!version || !is_version(version))
                                return refuse(r, e, "'%s' is no version", version ?: "");
                        if (!(m->version = strdup(version)))
                                return error_oom(e);
                } else if (i == 4) {
                        if (strv_append_words(&m->modules, line) < 0)
                                return error_oom(e);
                        if (!m->modules || strv_length(m->modules) > MODULES_MAX)
                                return refuse(r, e, "no kernel module is named here, or too many");
                        STRV_FOREACH(s, m->modules)
                                if (!is_module_name(*s))
                                        return refuse(r, e, "'%s' is no kernel module's name", *s);
                }
        }
        return 0;
}

int driver_manifest_parse(const char *name, const char *data, size_t size, DriverManifest **ret, Error *e) {
        _cleanup_(driver_manifest_freep) DriverManifest *m = calloc(1, sizeof(DriverManifest));
        Reader r = { .name = name, .p = data, .end = data + size, .line = 1, .next = 1 };
        size_t allocated = 0;
        char *s;
        int k;

        if (!m)
                return error_oom(e);
        if (size > 0 && memchr(data, '\0', size))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: has a NUL byte: no text", name);
        if ((k = parse_header(&r, m, e)) < 0)
                return k;
        while ((s = next_line(&r))) {
                _cleanup_free_ char *line = s;

                if (m->n_entries == ENTRIES_MAX)
                        return refuse(&r, e, "more than %u entries", ENTRIES_MAX);
                if (m->n_entries == allocated) {
                        DriverEntry *grown = reallocarray(m->entries, allocated = allocated ? allocated * 2 : 128, sizeof(DriverEntry));
                        if (!grown)
                                return error_oom(e);
                        m->entries = grown;
                }
                m->entries[m->n_entries] = (DriverEntry){};
                if ((k = parse_entry(&r, line, m, &m->entries[m->n_entries++], e)) < 0)
                        return k;
        }
        if (m->n_entries == 0)
                return refuse(&r, e, "the list is empty");
        *ret = TAKE_PTR(m);
        return 0;
}
