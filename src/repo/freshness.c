/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/freshness.h"

#include <fcntl.h>
#include <inttypes.h>
#include <time.h>

#include "basic/digest.h"
#include "basic/fs.h"

#define SERIAL  "gn8v-tee:serial="
#define EXPIRES "gn8v-tee:expires="
#define DATE    "%Y-%m-%dT%H:%M:%SZ"

char *freshness_date(int64_t seconds) {
        time_t t = (time_t) seconds;
        char text[64];
        struct tm tm;

        return gmtime_r(&t, &tm) && strftime(text, sizeof(text), DATE, &tm) > 0 ? strdup(text) : strdup("?");
}

void freshness_append(Text *t, const Freshness *f) {
        _cleanup_free_ char *date = NULL;

        if (f->serial == 0)
                return;
        text_printf(t, "  <tags>\n    <content>" SERIAL "%" PRIu64 "</content>\n", f->serial);
        if (f->expires > 0) {
                date = freshness_date(f->expires);
                text_printf(t, "    <content>" EXPIRES "%s</content>\n", date ? date : "");
                t->failed = t->failed || !date;
        }
        text_append(t, "  </tags>\n");
}

int freshness_take(Freshness *f, const char *content) {
        const char *serial = startswith(content, SERIAL), *expires = startswith(content, EXPIRES);
        struct tm tm = {};
        const char *end;
        uint64_t n;

        if (serial) {
                if (f->serial != 0 || parse_u64(serial, &n) < 0 || n == 0 || n > INT64_MAX)
                        return -EBADMSG;
                f->serial = n;
                return 1;
        }
        if (!expires)
                return 0;
        end = strptime(expires, DATE, &tm);
        if (f->expires != 0 || !end || *end || (f->expires = (int64_t) timegm(&tm)) <= 0)
                return -EBADMSG;
        return 1;
}

int freshness_now(int64_t *ret, Error *e) {
        const char *s = getenv("SOURCE_DATE_EPOCH");
        uint64_t epoch = (uint64_t) time(NULL);

        if (s && *s && (parse_u64(s, &epoch) < 0 || epoch > INT64_MAX))
                return error_set(e, EINVAL, EXIT_USAGE, "SOURCE_DATE_EPOCH: %s: not seconds since 1970", s);
        *ret = (int64_t) epoch;
        return 0;
}

static int known_path(const char *workspace, const char *repo, const char *fingerprint, char **ret, Error *e) {
        _cleanup_free_ char *real = realpath(repo, NULL);
        char hex[SHA256_HEX_SIZE];

        if (!real)
                return error_errno(e, errno, "%s", repo);
        if (sha256_buffer(real, strlen(real), hex) < 0)
                return error_oom(e);
        *ret = format("%s/serials/%s-%.12s", workspace, fingerprint, hex);
        return *ret ? 0 : error_oom(e);
}

static int read_known(const char *path, uint64_t *ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        int r = read_file(AT_FDCWD, path, 64, &text, NULL);

        *ret = 0;
        if (r == -ENOENT || r == -ENOTDIR)
                return 0;
        if (r < 0)
                return error_errno(e, -r, "%s", path);
        text[strcspn(text, "\n")] = '\0';
        if (parse_u64(text, ret) < 0)
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not a serial", path), "find out who wrote it; then remove it");
        return 0;
}

int freshness_known(const char *workspace, const char *repo, const char *fingerprint, uint64_t *ret, Error *e) {
        _cleanup_free_ char *path = NULL;
        int r = known_path(workspace, repo, fingerprint, &path, e);

        return r < 0 ? r : read_known(path, ret, e);
}

int freshness_remember(const char *workspace, const char *repo, const char *fingerprint, uint64_t serial, Error *e) {
        _cleanup_free_ char *dir = path_join(workspace, "serials"), *path = NULL, *text = format("%" PRIu64 "\n", serial);
        uint64_t known;
        int r;

        if (!dir || !text)
                return error_oom(e);
        if ((r = known_path(workspace, repo, fingerprint, &path, e)) < 0 || (r = read_known(path, &known, e)) < 0 || known >= serial)
                return r;
        if ((r = mkdir_parents(AT_FDCWD, dir, 0755)) < 0 || (r = write_file_atomic(AT_FDCWD, path, text, strlen(text), 0644)) < 0)
                return error_errno(e, -r, "%s", path);
        return 0;
}

int freshness_check(const Freshness *f, uint64_t known, int64_t now, const char *name, Error *e) {
        _cleanup_free_ char *date = NULL;

        if (f->serial < known)
                return error_hint(e, error_set(e, ESTALE, EXIT_DIFFERS, "%s: its serial is %" PRIu64 ", and %" PRIu64 " was seen before: an older state is served again",
                                               name, f->serial, known), "find out who put it there; publish, or mirror, again");
        if (f->expires == 0 || now <= f->expires)
                return 0;
        date = freshness_date(f->expires);
        return error_hint(e, error_set(e, ESTALE, EXIT_DIFFERS, "%s: it expired at %s", name, date ? date : "?"),
                          "publish again (or mirror a newer state): nobody vouches that this is the newest");
}
