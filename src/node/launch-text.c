/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The templates of launch/, filled. A line that has only @WORD@ becomes the lines of its value, each as far indented, which is how a YAML block
 * and a here-document hold a file. Lines between @EACH_FILE@ (or @EACH_KEY@) and @END@ come once for each embedded key (or each key).
 * No value needs quoting: names are the release file's, keys are canonical armor, and a URL has only RFC 3986's characters.
 */
#include <ctype.h>

#include "node/launch.h"
#include "release/repo-file.h"

static const char *const templates[_LAUNCH_TEXT_MAX] = {
        [LAUNCH_USER_DATA] =
#include "node/user-data.inc"
        ,
        [LAUNCH_KICKSTART] =
#include "node/kickstart.inc"
        ,
        [LAUNCH_PLAYBOOK] =
#include "node/playbook.inc"
        ,
};

typedef struct Values {
        char *release, *package, *repo;
        const LaunchKey *key; /* of the round */
} Values;

static const char *value_of(const Values *v, const char *word, size_t n) {
        const struct { const char *name, *value; } all[] = {
                { "RELEASE", v->release }, { "PACKAGE", v->package }, { "REPO", v->repo }, { "REPO_PATH", REPO_FILE_INSTALLED_PATH },
                { "KEY_DIRECTORY", KEY_DIRECTORY }, { "KEY", v->key ? v->key->text : NULL }, { "KEY_PATH", v->key ? v->key->path : NULL },
                /* rpm_key reads files by their paths. */
                { "KEY_SOURCE", v->key ? startswith(v->key->url, "file://") ? v->key->url + strlen("file://") : v->key->url : NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(all); i++)
                if (strlen(all[i].name) == n && strncmp(all[i].name, word, n) == 0)
                        return all[i].value;
        return NULL;
}

/* The length of the WORD in @WORD@ at s; 0: there is none. */
static size_t word_at(const char *s) {
        size_t n = 1;

        while (*s == '@' && (isupper((unsigned char) s[n]) || s[n] == '_'))
                n++;
        return n > 1 && s[n] == '@' ? n - 1 : 0;
}

static void append_indented(Text *t, const char *lines, const char *indent, size_t width) {
        while (*lines) {
                size_t n = strcspn(lines, "\n");

                if (n > 0)
                        text_append_n(t, indent, width);
                text_append_n(t, lines, n);
                text_append(t, "\n");
                lines += n + (lines[n] == '\n');
        }
}

static int fill_line(const Values *v, const char *line, size_t length, Text *t, Error *e) {
        size_t blanks = strspn(line, " "), n = word_at(line + blanks);
        const char *value;

        if (n > 0 && blanks + n + 2 == length) {
                value = value_of(v, line + blanks + 1, n);
                if (!value)
                        return error_set(e, EBADMSG, EXIT_FAILED, "template: nothing is known to put for @%.*s@", (int) n, line + blanks + 1);
                append_indented(t, value, line, blanks);
                return 0;
        }
        for (size_t i = 0; i < length; i++) {
                n = word_at(line + i);
                value = n > 0 ? value_of(v, line + i + 1, n) : NULL;
                if (n > 0 && !value)
                        return error_set(e, EBADMSG, EXIT_FAILED, "template: nothing is known to put for @%.*s@", (int) n, line + i + 1);
                if (value) {
                        text_append(t, value);
                        i += n + 1;
                } else
                        text_append_n(t, line + i, 1);
        }
        text_append(t, "\n");
        return 0;
}

static int fill(Values *v, const char *from, const char *to, Text *t, Error *e) {
        int r = 0;

        while (r == 0 && from < to) {
                size_t n = strcspn(from, "\n");

                r = fill_line(v, from, n, t, e);
                from += n + 1;
        }
        return r;
}

static int fill_template(const Launch *l, Values *v, const char *template, Text *t, Error *e) {
        static const char end[] = "@END@\n";
        int r = 0;

        while (r == 0 && *template) {
                const char *line = strchr(template, '\n') + 1, *behind;
                bool files = startswith(template, "@EACH_FILE@\n");

                if (!files && !startswith(template, "@EACH_KEY@\n")) {
                        r = fill(v, template, line, t, e);
                        template = line;
                        continue;
                }
                behind = strstr(line, end);
                if (!behind)
                        return error_set(e, EBADMSG, EXIT_FAILED, "template: @END@ is missing");
                for (size_t i = 0; r == 0 && i < l->n_keys; i++)
                        if (!files || l->keys[i].text) {
                                v->key = &l->keys[i];
                                r = fill(v, line, behind, t, e);
                        }
                v->key = NULL;
                template = behind + strlen(end);
        }
        return r;
}

/* No brace, quote, backslash or '|': nothing that YAML, Jinja, a shell or the .repo file would read. */
static int check_url(const char *option, const char *url, Error *e) {
        static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&()*+,;=%";

        if (url[strspn(url, allowed)] != '\0' || strlen(url) > 2000)
                return error_set(e, EINVAL, EXIT_USAGE, "%s: a character that no URL has, or more than 2000 of them", option);
        return 0;
}

static int make_repo(const Launch *l, char **ret, Error *e) {
        _cleanup_text_ Text urls = {};
        _cleanup_free_ char *keys = NULL;
        int r;

        if (!l->repo_url)
                return error_hint(e, error_set(e, EINVAL, EXIT_USAGE, "the repository is not known"), "give --repo-url=URL and --repo-key=FILE");
        if (l->n_keys == 0)
                return error_hint(e, error_set(e, EINVAL, EXIT_USAGE, "the repository's key is not known"),
                                  "give --repo-key=FILE; it is published as " REPO_KEY_FILE ", that of vendor packages as " VENDOR_KEY_FILE);
        r = check_url("--repo-url", l->repo_url, e);
        for (size_t i = 0; r == 0 && i < l->n_keys; i++) {
                r = check_url("--repo-key", l->keys[i].url, e);
                text_printf(&urls, "%s%s", i > 0 ? " " : "", l->keys[i].url);
        }
        if (r < 0)
                return r;
        keys = text_take(&urls);
        return keys ? repo_file_fill("gn8v-tee.repo.in", repo_file_template, l->repo_url, keys, false, ret, e) : error_oom(e);
}

int launch_text(const Launch *l, LaunchText which, char **ret, Error *e) {
        _cleanup_free_ char *release = release_name(l->release), *metapackage = release_metapackage(l->release), *repo = NULL, *package = NULL;
        _cleanup_text_ Text t = {};
        Values v;
        int r;

        package = metapackage ? format("%s-%s", metapackage, l->release->version) : NULL;
        if (!release || !package)
                return error_oom(e);
        r = make_repo(l, &repo, e);
        if (r < 0)
                return r;
        v = (Values){ .release = release, .package = package, .repo = repo };
        r = fill_template(l, &v, templates[which], &t, e);
        if (r < 0)
                return r;
        if (which == LAUNCH_USER_DATA && t.size > LAUNCH_USER_DATA_MAX)
                return error_hint(e, error_set(e, EFBIG, EXIT_USAGE, "%zu bytes of user data: the cloud takes %zu", t.size, LAUNCH_USER_DATA_MAX),
                                  "give fewer or smaller keys: gpg --armor --export --export-options export-minimal FINGERPRINT");
        *ret = text_take(&t);
        return *ret ? 0 : error_oom(e);
}
