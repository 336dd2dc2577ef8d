/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/strings.h"

#include <ctype.h>
#include <stdarg.h>
#include <time.h>

bool endswith(const char *s, const char *suffix) {
        size_t n = strlen(s), m = strlen(suffix);
        return n >= m && streq(s + n - m, suffix);
}

char *format_va(const char *fmt, va_list ap) {
        char *s;

        return vasprintf(&s, fmt, ap) < 0 ? NULL : s;
}

char *format(const char *fmt, ...) {
        char *s;
        va_list ap;

        va_start(ap, fmt);
        s = format_va(fmt, ap);
        va_end(ap);
        return s;
}

size_t utf8_length(const char *text) {
        const unsigned char *s = (const unsigned char *) text;
        uint32_t c;

        if (s[0] < 0x80)
                return s[0] >= 0x20 && s[0] != 0x7f;
        if (s[0] >= 0xc2 && s[0] < 0xe0 && (s[1] & 0xc0) == 0x80)
                return s[0] > 0xc2 || s[1] >= 0xa0 ? 2 : 0;
        if ((s[0] & 0xf0) == 0xe0 && (s[1] & 0xc0) == 0x80 && (s[2] & 0xc0) == 0x80) {
                c = (uint32_t) (s[0] & 0x0f) << 12 | (uint32_t) (s[1] & 0x3f) << 6 | (s[2] & 0x3f);
                return c >= 0x800 && (c < 0xd800 || c > 0xdfff) ? 3 : 0;
        }
        if ((s[0] & 0xf8) == 0xf0 && (s[1] & 0xc0) == 0x80 && (s[2] & 0xc0) == 0x80 && (s[3] & 0xc0) == 0x80) {
                c = (uint32_t) (s[0] & 0x07) << 18 | (uint32_t) (s[1] & 0x3f) << 12 | (uint32_t) (s[2] & 0x3f) << 6 | (s[3] & 0x3f);
                return c >= 0x10000 && c <= 0x10ffff ? 4 : 0;
        }
        return 0;
}

bool text_is_printable(const char *s) {
        for (size_t n; *s; s += n)
                if (!(n = utf8_length(s)))
                        return false;
        return true;
}

void text_clean(char *s, size_t max) {
        size_t i = 0, k;

        for (; s[i]; i += MAX(k, (size_t) 1)) {
                k = utf8_length(s + i);
                if (i + MAX(k, (size_t) 1) > max) {
                        s[i] = '\0';
                        return;
                }
                if (k == 0)
                        s[i] = '?';
        }
}

int parse_u64(const char *s, uint64_t *ret) {
        uint64_t n = 0;

        if (!*s)
                return -EINVAL;
        for (; *s; s++) {
                if (!isdigit((unsigned char) *s))
                        return -EINVAL;
                if (__builtin_mul_overflow(n, (uint64_t) 10, &n) ||
                    __builtin_add_overflow(n, (uint64_t) (*s - '0'), &n))
                        return -ERANGE;
        }
        *ret = n;
        return 0;
}

int parse_date(const char *s, int64_t *ret) {
        struct tm tm = {}, check;
        time_t t;

        for (size_t i = 0; i < 10; i++)
                if (i == 4 || i == 7 ? s[i] != '-' : !isdigit((unsigned char) s[i]))
                        return -EINVAL;
        if (s[10] != '\0')
                return -EINVAL;
        tm.tm_year = (s[0] - '0') * 1000 + (s[1] - '0') * 100 + (s[2] - '0') * 10 + (s[3] - '0') - 1900;
        tm.tm_mon = (s[5] - '0') * 10 + (s[6] - '0') - 1;
        tm.tm_mday = (s[8] - '0') * 10 + (s[9] - '0');
        check = tm;
        t = timegm(&check);
        /* timegm() normalizes: a date that does not exist comes back as another one. */
        if (check.tm_mon != tm.tm_mon || check.tm_mday != tm.tm_mday)
                return -EINVAL;
        *ret = (int64_t) t;
        return 0;
}

/* Two digits up to max, behind them the character next (any of it). */
static int two_digits(const char *s, int max, const char *next) {
        int n;

        if (!isdigit((unsigned char) s[0]) || !isdigit((unsigned char) s[1]) || (s[2] ? !strchr(next, s[2]) : *next != '\0'))
                return -EINVAL;
        n = (s[0] - '0') * 10 + (s[1] - '0');
        return n <= max ? n : -EINVAL;
}

int parse_time(const char *s, int64_t *ret) {
        int hour, minute, second, zone_hour = 0, zone_minute = 0;
        const char *zone = s + 19;
        char date[11] = "";
        int64_t t;

        if (strlen(s) < strlen("1970-01-01T00:00:00Z") || !strchr("Tt ", s[10]))
                return -EINVAL;
        memcpy(date, s, 10);
        if (parse_date(date, &t) < 0 || (hour = two_digits(s + 11, 23, ":")) < 0 || (minute = two_digits(s + 14, 59, ":")) < 0 ||
            (second = two_digits(s + 17, 60, "Zz+-.")) < 0)
                return -EINVAL;
        if (*zone == '.') {
                if (!isdigit((unsigned char) *++zone))
                        return -EINVAL;
                zone += strspn(zone, "0123456789");
        }
        if (*zone == '+' || *zone == '-') {
                if ((zone_hour = two_digits(zone + 1, 23, ":")) < 0 || (zone_minute = two_digits(zone + 4, 59, "")) < 0)
                        return -EINVAL;
        } else if ((*zone != 'Z' && *zone != 'z') || zone[1])
                return -EINVAL;
        t += hour * 3600 + minute * 60 + second;
        *ret = t - (*zone == '-' ? -1 : 1) * (zone_hour * 3600 + zone_minute * 60);
        return 0;
}

char *time_to_text(int64_t t) {
        time_t seconds = (time_t) t;
        struct tm tm;

        if (!gmtime_r(&seconds, &tm))
                return strdup("?");
        return format("%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

char **strv_free(char **v) {
        STRV_FOREACH(s, v)
                free(*s);
        free(v);
        return NULL;
}

size_t strv_length(char *const *v) {
        size_t n = 0;

        STRV_FOREACH(s, v)
                n++;
        return n;
}

bool strv_equal(char *const *a, char *const *b) {
        size_t n = strv_length(a);

        if (n != strv_length(b))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!streq(a[i], b[i]))
                        return false;
        return true;
}

bool strv_contains(char *const *v, const char *s) {
        STRV_FOREACH(i, v)
                if (streq(*i, s))
                        return true;
        return false;
}

static int strv_append_n(char ***v, const char *s, size_t size) {
        size_t n = strv_length(*v);
        char **grown, *copy;

        copy = strndup(s, size);
        if (!copy)
                return -ENOMEM;
        grown = reallocarray(*v, n + 2, sizeof(char *));
        if (!grown) {
                free(copy);
                return -ENOMEM;
        }
        grown[n] = copy;
        grown[n + 1] = NULL;
        *v = grown;
        return 0;
}

int strv_append(char ***v, const char *s) {
        return strv_append_n(v, s, strlen(s));
}

int strv_append_words(char ***v, const char *s) {
        for (;;) {
                size_t n;
                int r;

                s += strspn(s, " \t");
                n = strcspn(s, " \t");
                if (n == 0)
                        return 0;
                r = strv_append_n(v, s, n);
                if (r < 0)
                        return r;
                s += n;
        }
}

char *strv_join(char *const *v, const char *separator) {
        _cleanup_text_ Text t = {};

        STRV_FOREACH(s, v) {
                if (s != v)
                        text_append(&t, separator);
                text_append(&t, *s);
        }
        return text_take(&t);
}

void text_free(Text *t) {
        free(t->data);
        *t = (Text){};
}

static bool text_grow(Text *t, size_t more) {
        size_t need, allocate;
        char *p;

        if (t->failed || __builtin_add_overflow(t->size, more, &need) || __builtin_add_overflow(need, (size_t) 1, &need)) {
                t->failed = true;
                return false;
        }
        if (need <= t->allocated)
                return true;
        allocate = t->allocated > SIZE_MAX / 2 ? need : MAX(need, MAX(t->allocated * 2, (size_t) 256));
        p = realloc(t->data, allocate);
        if (!p) {
                t->failed = true;
                return false;
        }
        t->data = p;
        t->allocated = allocate;
        return true;
}

void text_append_n(Text *t, const void *data, size_t size) {
        if (!text_grow(t, size))
                return;
        if (size > 0)
                memcpy(t->data + t->size, data, size);
        t->size += size;
        t->data[t->size] = '\0';
}

void text_append(Text *t, const char *s) {
        text_append_n(t, s, strlen(s));
}

void text_printf(Text *t, const char *fmt, ...) {
        _cleanup_free_ char *s = NULL;
        va_list ap;

        va_start(ap, fmt);
        if (vasprintf(&s, fmt, ap) < 0) {
                s = NULL;
                t->failed = true;
        }
        va_end(ap);
        if (s)
                text_append(t, s);
}

char *text_take(Text *t) {
        char *s;

        text_append_n(t, "", 0);
        if (t->failed) {
                text_free(t);
                return NULL;
        }
        s = TAKE_PTR(t->data);
        *t = (Text){};
        return s;
}
