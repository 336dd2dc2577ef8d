/* SPDX-License-Identifier: Apache-2.0 */
#include "node/mask.h"

#include <ctype.h>
#include <strings.h>

#include "node/log-line.h"

#define PEM_LINES 120u /* a key of 16384 bits has no more; a BEGIN without END shall not swallow a log */

static bool is_word(char c) {
        return isalnum((unsigned char) c) || c == '_' || c == '-';
}

static bool contains_word(const char *s, size_t size, const char *word) {
        size_t n = strlen(word);

        for (size_t i = 0; i + n <= size; i++)
                if (strncasecmp(s + i, word, n) == 0)
                        return true;
        return false;
}

static bool is_quote(char c) {
        return c == '"' || c == '\'';
}

/* Whether what stands behind this name is a secret. */
static bool names_secret(const char *s, size_t size) {
        static const char *const parts[] = { "password",    "passwd",      "passphrase", "secret",        "token",      "apikey",
                                             "api_key",     "api-key",     "accesskey",  "access_key",    "access-key", "privatekey",
                                             "private_key", "private-key", "credential", "authorization", "cookie",     "signature",
                                             "sessionid",   "session_id",  "userdata",   "user_data",     "user-data",  "base64" };
        static const char *const ends[] = { "key", "pwd", "psk", "auth", "pass", "pw" };

        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                if (contains_word(s, size, parts[i]))
                        return true;
        for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
                size_t n = strlen(ends[i]);

                if (size >= n && strncasecmp(s + size - n, ends[i], n) == 0 &&
                    (size == n || s[size - n - 1] == '_' || s[size - n - 1] == '-'))
                        return true;
        }
        return false;
}

/* What stands behind the last string of a line of JSON, its quote and a comma, is kept: the document stays one. */
static const char *line_end(const char *s) {
        size_t n = strlen(s), tail = n > 0 && s[n - 1] == ',' ? 1 : 0;

        return s + (n > tail && s[n - tail - 1] == '"' ? n - tail - 1 : n);
}

/* The end of the value at p: of a quoted one its quote, of one inside quotes theirs, else the next blank, or the end of a string of JSON. */
static const char *value_end(const char *p, char quote) {
        if (quote) {
                for (; *p && *p != quote; p++)
                        if (*p == '\\' && p[1])
                                p++;
                return p;
        }
        for (const char *begin = p; *p && *p != ' ' && *p != '\t'; p++)
                if (*p == '"' && strchr(",}]", p[1]) && p > begin && p[-1] != '\\')
                        break;
        return p;
}

static const char *mask_value(Text *t, const char *p, char around, bool whole_line) {
        const char *end;
        char quote = around;

        if (is_quote(p[strspn(p, "\\")])) /* JSON in a string, perhaps in one of JSON */
                while (*p == '\\')
                        text_append_n(t, p++, 1);
        if (*p == '"' || *p == '\'') {
                quote = *p;
                text_append_n(t, p++, 1);
        }
        end = whole_line && !quote ? line_end(p) : value_end(p, quote);
        /* "Bearer" is not the secret yet. */
        if (!quote && !whole_line && (strncasecmp(p, "bearer ", 7) == 0 || strncasecmp(p, "basic ", 6) == 0))
                end = value_end(end + strspn(end, " \t"), 0);
        if (end > p)
                text_append(t, MASKED);
        return end;
}

/* NAME=VALUE, NAME: VALUE, "NAME": "VALUE", <NAME>VALUE, --NAME VALUE, and "password VALUE". */
static char *mask_named(const char *s) {
        _cleanup_text_ Text t = {};

        for (const char *p = s; *p;) {
                const char *word = p, *sign;
                char around = p > s && (p[-1] == '"' || p[-1] == '\'') ? p[-1] : 0;
                size_t n = 0;

                while (is_word(p[n]))
                        n++;
                if (n == 0) {
                        text_append_n(&t, p++, 1);
                        continue;
                }
                text_append_n(&t, p, n);
                p += n;
                if (!names_secret(word, n))
                        continue;
                sign = p;
                sign += strspn(sign, "\\");
                if (is_quote(*sign)) { /* "NAME": the quote ends with the name */
                        sign++;
                        around = 0;
                }
                sign += strspn(sign, " \t");
                if (*sign == '=' || *sign == ':' || (*p == '>' && word > s && word[-1] == '<')) {
                        sign++;
                        sign += strspn(sign, " \t>");
                } else if (sign == p || !(startswith(word, "--") || (n == 8 && strncasecmp(word, "password", n) == 0)) || *sign == '-')
                        continue;
                text_append_n(&t, p, (size_t) (sign - p));
                p = mask_value(&t, sign, around, contains_word(word, n, "authorization") || contains_word(word, n, "cookie"));
        }
        return text_take(&t);
}

/* Whether the next line goes on with what is masked in this one of a unit. */
static bool is_continued(const char *line, bool was) {
        size_t n = strlen(line), name;

        if (n == 0 || line[n - 1] != '\\')
                return was && strchr("#;", line[strspn(line, " \t")]); /* a comment, or nothing, in between */
        line += strspn(line, " \t");
        name = strcspn(line, "=");
        return was || (line[name] == '=' && ((name == strlen("Environment") && startswith(line, "Environment")) || names_secret(line, name)));
}

/* One line of assignments: only values of names that are known to be harmless stay. */
static void mask_assignments(Text *t, const char *p) {
        static const char *const harmless[] = { "CUDA_", "NVIDIA_", "NCCL_", "PATH=", "LANG=", "HOME=" };

        while (*p) {
                char quote = *p == '"' || *p == '\'' ? *p : 0;
                const char *name = quote ? p + 1 : p, *end = value_end(name, quote), *equals = memchr(name, '=', (size_t) (end - name));
                bool keep = !equals;

                for (size_t i = 0; i < ELEMENTSOF(harmless); i++)
                        keep = keep || startswith(name, harmless[i]);
                if (keep)
                        text_append_n(t, p, (size_t) (end - p));
                else {
                        text_append_n(t, p, (size_t) (equals + 1 - p));
                        text_append(t, MASKED);
                }
                p = end;
                if (*p)
                        text_append_n(t, p++, 1);
        }
}

/* Environment= of units: programs get their secrets so. */
static char *mask_environment(const char *s) {
        _cleanup_text_ Text t = {};

        for (const char *p; (p = strstr(s, "Environment="));) {
                const char *values = p + strlen("Environment="), *end = strstr(values, "\\n");

                text_append_n(&t, s, (size_t) (values - s));
                if (end) /* a whole file as a string of JSON: without its quotes nothing is told apart */
                        text_append(&t, MASKED);
                else
                        mask_assignments(&t, values);
                s = end ? end : strchr(values, '\0');
        }
        text_append(&t, s);
        return text_take(&t);
}

/* scheme://USER:PASSWORD@host */
static char *mask_userinfo(const char *s) {
        _cleanup_text_ Text t = {};

        for (const char *p; (p = strstr(s, "://"));) {
                const char *host = p + 3, *end = host + strcspn(host, " \t/\"'<>"), *at = NULL;

                for (const char *q = host; q < end; q++)
                        if (*q == '@')
                                at = q;
                text_append_n(&t, s, (size_t) (host - s));
                if (at)
                        text_append(&t, MASKED);
                s = at ? at : host;
        }
        text_append(&t, s);
        return text_take(&t);
}

/* -u USER:PASSWORD, --user, --proxy-user; and -p PASSWORD, -pPASSWORD of the programs that take one so. */
static char *mask_switches(const char *s) {
        static const char *const users[] = { "--proxy-user", "--user", "-u", "-U" }, *const programs[] = { "mysql", "mariadb", "sshpass", " login " };
        _cleanup_text_ Text t = {};
        bool password = false;

        for (size_t i = 0; i < ELEMENTSOF(programs); i++)
                password = password || strstr(s, programs[i]);
        for (const char *p = s; *p;) {
                const char *value = NULL;
                size_t n = 0;

                if (*p == '-' && (p == s || strchr(" \t\"'[,=", p[-1]))) {
                        for (size_t i = 0; i < ELEMENTSOF(users) && !value; i++)
                                value = startswith(p, users[i]) ? p + strlen(users[i]) : NULL;
                        value = value ? value : password && startswith(p, "-p") ? p + 2 : NULL;
                }
                if (value) {
                        value += strspn(value, "\\= \t\"',");
                        n = strcspn(value, "\\ \t\"'");
                }
                /* UID:GID is no secret, and no password begins as the next switch does. */
                if (n == 0 || *value == '-' || (p[1] != 'p' && (!memchr(value, ':', n) || strspn(value, "0123456789:") >= n))) {
                        text_append_n(&t, p++, 1);
                        continue;
                }
                text_append_n(&t, p, (size_t) (value - p));
                text_append(&t, MASKED);
                p = value + n;
        }
        return text_take(&t);
}

static bool is_token(const char *s, size_t n) {
        static const struct {
                const char *prefix;
                size_t least;
        } known[] = {
                { "LTAI", 16 }, { "AKIA", 16 },  { "ASIA", 16 },  { "STS-", 16 },        { "sk-", 20 },
                { "ghp_", 20 }, { "gho_", 20 },  { "ghs_", 20 },  { "github_pat_", 20 }, { "glpat-", 16 },
                { "hf_", 20 },  { "xoxb-", 16 }, { "xoxp-", 16 }, { "nvapi-", 20 },      { "eyJ", 20 },
        };
        size_t upper = 0, lower = 0, digits = 0, slashes = 0;

        if (startswith(s, "GPU-") || startswith(s, "MIG-")) /* see mask_identities() */
                return false;
        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (n >= known[i].least && startswith(s, known[i].prefix))
                        return true;
        for (size_t i = 0; i < n; i++) {
                upper += isupper((unsigned char) s[i]) != 0;
                lower += islower((unsigned char) s[i]) != 0;
                digits += isdigit((unsigned char) s[i]) != 0;
                slashes += s[i] == '/';
        }
        /* Not paths, names of functions, or digests. */
        return n >= 32 && upper >= 3 && lower >= 3 && digits >= 3 && slashes <= 2 && s[0] != '/';
}

static char *mask_tokens(const char *s) {
        _cleanup_text_ Text t = {};

        while (*s) {
                size_t n = 0;

                while (is_word(s[n]) || s[n] == '+' || s[n] == '/' || (s[n] == '.' && startswith(s, "eyJ")))
                        n++;
                if (n == 0)
                        text_append_n(&t, s++, 1);
                else {
                        if (is_token(s, n))
                                text_append(&t, MASKED);
                        else
                                text_append_n(&t, s, n);
                        s += n;
                }
        }
        return text_take(&t);
}

/* Bytes of an IPv4 address at s, 0: none. The machine itself, and the cloud's metadata service, are no secret. */
static size_t ipv4_size(const char *s) {
        unsigned part[4] = {}, n = 0;
        const char *p = s;

        for (; n < 4; n++) {
                const char *begin = p;

                while (isdigit((unsigned char) *p) && p - begin < 4)
                        part[n] = part[n] * 10 + (unsigned) (*p++ - '0');
                if (p == begin || part[n] > 255 || (n < 3 && *p++ != '.'))
                        return 0;
        }
        if (isalnum((unsigned char) *p) || *p == '.' || *p == '_' || part[0] == 127 || part[0] == 0 || part[0] == 255 ||
            (part[0] == 100 && part[1] == 100))
                return 0;
        return (size_t) (p - s);
}

/* Of a MAC or an IPv6 address: hex groups between colons; a PCI address and a time have fewer. */
static size_t colons_size(const char *s) {
        size_t n = strspn(s, "0123456789abcdefABCDEF:"), colons = 0;
        bool twice = false;

        for (size_t i = 0; i < n; i++) {
                colons += s[i] == ':';
                twice = twice || (s[i] == ':' && s[i + 1] == ':');
        }
        return colons >= 5 || (twice && colons >= 2 && n >= 4) ? n : 0;
}

static char *mask_addresses(const char *s) {
        _cleanup_text_ Text t = {};

        for (const char *p = s; *p;) {
                bool begins = p == s || !(isalnum((unsigned char) p[-1]) || p[-1] == '.' || p[-1] == '_');
                size_t n = begins ? MAX(ipv4_size(p), p == s || p[-1] != ':' ? colons_size(p) : 0) : 0;

                if (n > 0)
                        text_append(&t, MASKED);
                else
                        text_append_n(&t, p, n = 1);
                p += n;
        }
        return text_take(&t);
}

static char *mask_identities(const char *s, char *const *words) {
        static const char *const prefixes[] = { "GPU-", "MIG-" };
        _cleanup_text_ Text t = {};

        while (*s) {
                size_t n = 0, skip = 0;

                for (size_t i = 0; i < ELEMENTSOF(prefixes); i++)
                        if (startswith(s, prefixes[i]) && strspn(s + 4, "0123456789abcdefABCDEF-") >= 32) {
                                text_append(&t, prefixes[i]);
                                n = 4 + strspn(s + 4, "0123456789abcdefABCDEF-");
                        }
                /* "Serial Number : 12"; the sign is near the word. */
                if (n == 0 && strncasecmp(s, "serial", 6) == 0)
                        while (skip < 32 && s[6 + skip] && !strchr(":=", s[6 + skip]))
                                skip++;
                if (n == 0 && strncasecmp(s, "serial", 6) == 0 && skip < 32 && s[6 + skip]) {
                        skip += 7;
                        skip += strspn(s + skip, " \t\"");
                        text_append_n(&t, s, skip);
                        n = skip + strcspn(s + skip, " \t\",");
                }
                STRV_FOREACH(w, words)
                        if (n == 0 && startswith(s, *w))
                                n = strlen(*w);
                if (n > 0)
                        text_append(&t, MASKED);
                else
                        text_append_n(&t, s, n = 1);
                s += n;
        }
        return text_take(&t);
}

/* In PEM the lines from BEGIN to END, at most PEM_LINES; where a file holds it as one line, that much of it.
 * inside: lines that may follow. */
static char *mask_pem(const char *s, unsigned *inside) {
        const char *begin = *inside > 0 ? s : strstr(s, "-----BEGIN"), *end;

        if (!begin || (*inside == 0 && !strstr(begin, "PRIVATE KEY")))
                return strdup(s);
        end = strstr(begin, "-----END");
        if (!end && *inside == 0 && *line_end(begin))
                end = line_end(begin);
        *inside = end ? 0 : *inside > 0 ? *inside - 1 : PEM_LINES;
        return format("%.*s" MASKED "%s", (int) (begin - s), s, end ? end : "");
}

/* Replaces *s by what the step made of it. */
static bool replace(char **s, char *by) {
        free(*s);
        *s = by;
        return by;
}

static char *mask_line(const char *line, size_t size, const Mask *m, unsigned *in_pem, bool *continued) {
        char *s = printable(line, size);
        bool was = *continued;

        if (!s)
                return NULL;
        *continued = is_continued(s, was);
        if (was)
                return replace(&s, strdup(*continued ? MASKED " \\" : MASKED)) ? s : NULL;
        if (!replace(&s, mask_pem(s, in_pem)) || !replace(&s, mask_environment(s)) || !replace(&s, mask_named(s)) ||
            !replace(&s, mask_userinfo(s)) || !replace(&s, mask_switches(s)) ||
            (m->tokens && !replace(&s, mask_tokens(s))) ||
            (m->addresses && !replace(&s, mask_addresses(s))) || (m->identities && !replace(&s, mask_identities(s, m->words))))
                return NULL;
        return s;
}

char *mask_text(const char *text, size_t size, const Mask *m) {
        _cleanup_text_ Text t = {};
        unsigned in_pem = 0;
        bool continued = false;

        for (size_t at = 0; at < size;) {
                const char *newline = memchr(text + at, '\n', size - at);
                size_t n = newline ? (size_t) (newline - (text + at)) : size - at;
                _cleanup_free_ char *line = mask_line(text + at, n, m, &in_pem, &continued);

                if (!line)
                        return NULL;
                text_append(&t, line);
                if (newline)
                        text_append(&t, "\n");
                at += n + (newline ? 1 : 0);
        }
        return text_take(&t);
}
