/* SPDX-License-Identifier: Apache-2.0 */
#include "release/repo-file.h"

#include <ctype.h>

#include "basic/strings.h"

const char repo_file_template[] =
#include "release/repo-file.inc"
        ;

/* Of what stands behind "://": USER:PASSWORD@HOST. */
static bool has_password(const char *s) {
        size_t n = strcspn(s, "/?#");
        const char *at = memrchr(s, '@', n);

        return at && memchr(s, ':', (size_t) (at - s));
}

int repo_url_check(const char *what, const char *url, Error *e) {
        if (!startswith(url, "https://") && !startswith(url, "http://") && !startswith(url, "file:///"))
                return error_hint(e, error_set(e, EINVAL, EXIT_USAGE, "%s: not an http, https or file URL: %s", what, url),
                                  "https://HOST/DIRECTORY, or file:// and a whole path");
        for (const char *c = url; *c; c++)
                if ((unsigned char) *c <= ' ' || *c == 0x7f || *c == '"' || *c == '\\')
                        return error_hint(e, error_set(e, EINVAL, EXIT_USAGE, "%s: a blank, quote or control character in the URL: %s", what, url),
                                          "escape it: %%20 for a blank");
        if (has_password(strstr(url, "://") + 3))
                return error_hint(e, error_set(e, EINVAL, EXIT_USAGE, "%s: a password in a URL that everybody can read", what),
                                  "leave user and password out: they belong in ~/.netrc here, and on clients in username= and password= of dnf.conf");
        return 0;
}

/* The length of an @WORD@ at s, with both signs; 0: there is none. */
static size_t placeholder(const char *s) {
        size_t n = 1;

        if (*s != '@')
                return 0;
        while (isupper((unsigned char) s[n]))
                n++;
        return n > 1 && s[n] == '@' ? n + 1 : 0;
}

static int render(const char *path, const char *template, const char *baseurl, const char *gpgkey, Text *t, Error *e) {
        bool has_base = false, has_key = false;

        for (const char *s = template; *s;) {
                size_t n = placeholder(s);

                if (n == 0) {
                        text_append_n(t, s++, 1);
                        continue;
                }
                if (n == strlen("@BASEURL@") && strncmp(s, "@BASEURL@", n) == 0) {
                        text_append(t, baseurl);
                        has_base = true;
                } else if (n == strlen("@GPGKEY@") && strncmp(s, "@GPGKEY@", n) == 0) {
                        text_append(t, gpgkey);
                        has_key = true;
                } else
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: nothing is known to put for %.*s", path, (int) n, s);
                s += n;
        }
        if (!has_base || !has_key)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: %s does not occur in it", path, has_base ? "@GPGKEY@" : "@BASEURL@");
        return 0;
}

int repo_file_fill(const char *path, const char *template, const char *baseurl, const char *gpgkey, bool vendor_keys, char **ret, Error *e) {
        _cleanup_free_ char *base = NULL, *key = NULL;
        _cleanup_strv_ char **keys = NULL;
        _cleanup_text_ Text t = {};
        size_t n;
        int r;

        r = repo_url_check("base URL", baseurl, e);
        if (r < 0)
                return r;
        base = strdup(baseurl);
        if (!base)
                return error_oom(e);
        for (n = strlen(base); n > 0 && base[n - 1] == '/'; n--)
                base[n - 1] = '\0';
        if (gpgkey)
                key = strdup(gpgkey);
        else if (vendor_keys)
                key = format("%s/" REPO_KEY_FILE " %s/" VENDOR_KEY_FILE, base, base);
        else
                key = format("%s/" REPO_KEY_FILE, base);
        if (!key)
                return error_oom(e);
        if (strv_append_words(&keys, key) < 0)
                return error_oom(e);
        STRV_FOREACH(k, keys)
                if ((r = repo_url_check("key URL", *k, e)) < 0)
                        return r;
        r = render(path, template, base, key, &t, e);
        if (r < 0)
                return r;
        *ret = text_take(&t);
        return *ret ? 0 : error_oom(e);
}

/* Without slashes at its end. */
static char *base_of(const char *url) {
        size_t n = strlen(url);

        while (n > 0 && url[n - 1] == '/')
                n--;
        return strndup(url, n);
}

char *repo_file_baseurl(const char *text) {
        for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
                const char *value = startswith(line, "baseurl=");

                if (value)
                        return strndup(value, strcspn(value, " \t\r\n"));
        }
        return NULL;
}

int repo_file_move(const char *text, const char *name, const char *baseurl, char **ret, Error *e) {
        _cleanup_free_ char *base = base_of(baseurl), *old = repo_file_baseurl(text);
        size_t n = old ? strlen(old) : 0;
        _cleanup_text_ Text t = {};
        const char *found;
        int r;

        if (!base)
                return error_oom(e);
        if ((r = repo_url_check("base URL", base, e)) < 0)
                return r;
        if (n == 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: it has no baseurl=", name);
        for (; (found = strstr(text, old)); text = found + n) {
                text_append_n(&t, text, (size_t) (found - text));
                text_append(&t, strchr("/ \t\r\n", found[n]) ? base : old);
        }
        text_append(&t, text);
        *ret = text_take(&t);
        return *ret ? 0 : error_oom(e);
}
