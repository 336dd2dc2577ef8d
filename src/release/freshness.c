/* SPDX-License-Identifier: Apache-2.0 */
#include "release/freshness.h"

#include <inttypes.h>
#include <time.h>

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

int freshness_clock(int64_t *ret, Error *e) {
        int64_t clock = (int64_t) time(NULL);
        int r = freshness_now(ret, e);

        if (r >= 0 && *ret < clock)
                *ret = clock;
        return r;
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
