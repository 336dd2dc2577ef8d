/* SPDX-License-Identifier: Apache-2.0 */
#include "node/log-line.h"

#include <ctype.h>
#include <time.h>

#include "node/unit-name.h"

void log_line_free(LogLine *l) {
        free(l->message);
        free(l->time);
        free(l->origin);
        free(l->program);
        free(l->about);
        *l = (LogLine){};
}

/* Bytes of the well-formed UTF-8 character at s (RFC 3629), 0 when there is none. */
static size_t utf8_size(const unsigned char *s, size_t left) {
        size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

        if (n == 0 || n > left)
                return 0;
        for (size_t i = 1; i < n; i++)
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) ||
            (s[0] == 0xf4 && s[1] >= 0x90))
                return 0;
        return n;
}

char *printable(const char *s, size_t size) {
        _cleanup_text_ Text t = {};

        for (size_t i = 0; i < size;) {
                const unsigned char *p = (const unsigned char *) s + i;
                size_t n = utf8_size(p, size - i);
                /* C0 but the tab, DEL, and C1, which UTF-8 has as C2 80..9F. */
                bool control = (p[0] < 0x20 && p[0] != '\t') || p[0] == 0x7f || (n == 2 && p[0] == 0xc2 && p[1] < 0xa0);

                if (n == 0 || control)
                        text_append(&t, "?");
                else
                        text_append_n(&t, p, n);
                i += n ? n : 1;
        }
        return text_take(&t);
}

static int set(char **field, const char *s, size_t size) {
        *field = printable(s, size);
        return *field ? 0 : -ENOMEM;
}

static int set_message(LogLine *l, const char *s, size_t size) {
        return set(&l->message, s, MIN(size, LOG_MESSAGE_MAX));
}

/* Microseconds since the epoch, as the journal has them. */
static int set_time(LogLine *l, const char *usec) {
        uint64_t value;
        struct tm tm;
        time_t t;

        if (!usec || parse_u64(usec, &value) < 0)
                return 0;
        t = (time_t) (value / 1000000);
        if (!gmtime_r(&t, &tm) || tm.tm_year > 8000)
                return 0;
        l->time = format("%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        return l->time ? 0 : -ENOMEM;
}

/* A message that is no UTF-8 is an array of numbers there. */
static int set_bytes(LogLine *l, const json_t *array) {
        _cleanup_text_ Text t = {};

        for (size_t i = 0; i < json_array_size(array) && i < LOG_MESSAGE_MAX; i++) {
                char byte = (char) json_integer_value(json_array_get(array, i));

                text_append_n(&t, &byte, 1);
        }
        return t.failed ? -ENOMEM : set_message(l, t.data ? t.data : "", t.size);
}

/* The value of a field, which may be there more than once. */
static const char *field(const json_t *o, const char *key) {
        const json_t *value = json_object_get(o, key);

        return json_string_value(json_is_array(value) ? json_array_get(value, 0) : value);
}

static int parse_json(const char *line, size_t size, LogLine *l) {
        json_t *o = json_loadb(line, size, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, NULL), *message = json_object_get(o, "MESSAGE");
        const char *transport = field(o, "_TRANSPORT"), *unit = field(o, "_SYSTEMD_UNIT"), *identifier = field(o, "SYSLOG_IDENTIFIER");
        const char *origin = unit ? unit : identifier, *about = field(o, "UNIT");
        int k;

        if (json_is_array(message) && json_is_string(json_array_get(message, 0)))
                message = json_array_get(message, 0);
        if (json_is_string(message))
                k = set_message(l, json_string_value(message), json_string_length(message));
        else
                k = json_is_array(message) ? set_bytes(l, message) : -ENODATA;
        l->kernel = transport ? streq(transport, "kernel") : !unit && identifier && streq(identifier, "kernel");
        if (l->kernel)
                origin = "kernel";
        if (k >= 0)
                k = set_time(l, field(o, "__REALTIME_TIMESTAMP"));
        if (k >= 0 && origin)
                k = set(&l->origin, origin, strlen(origin));
        if (k >= 0 && unit && identifier)
                k = set(&l->program, identifier, strlen(identifier));
        if (k >= 0 && about)
                k = set(&l->about, about, strlen(about));
        json_decref(o);
        return k;
}

/* "6,339,5140900,-;text", and \xNN in it: Documentation/ABI/testing/dev-kmsg of Linux. 0: it is none. */
static int parse_kmsg(const char *line, size_t size, LogLine *l) {
        const char *end = line + size, *p = line, *fields[3], *semicolon = memchr(line, ';', MIN(size, (size_t) 200));
        _cleanup_text_ Text t = {};
        uint64_t usec;
        int k;

        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                fields[i] = p;
                while (p < end && isdigit((unsigned char) *p))
                        p++;
                if (p == fields[i] || p >= end || *p++ != ',')
                        return 0;
        }
        if (!semicolon || semicolon < p)
                return 0;
        for (p = semicolon + 1; p < end && *p != '\n'; p++) {
                unsigned hex = 0;

                if (*p == '\\' && end - p > 3 && p[1] == 'x' && isxdigit((unsigned char) p[2]) && isxdigit((unsigned char) p[3])) {
                        for (size_t i = 2; i < 4; i++)
                                hex = hex * 16 + (unsigned) (isdigit((unsigned char) p[i]) ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
                        text_append_n(&t, &(char){ (char) hex }, 1);
                        p += 3;
                } else
                        text_append_n(&t, p, 1);
        }
        usec = strtoull(fields[2], NULL, 10);
        l->time = format("%llu.%06llus", (unsigned long long) (usec / 1000000), (unsigned long long) (usec % 1000000));
        l->origin = strdup("kernel");
        l->kernel = true;
        k = t.failed || !l->time || !l->origin ? -ENOMEM : set_message(l, t.data ? t.data : "", t.size);
        return k < 0 ? k : 1;
}

static const char *skip_blanks(const char *p, const char *end) {
        while (p < end && *p == ' ')
                p++;
        return p;
}

static const char *skip_word(const char *p, const char *end) {
        while (p < end && *p != ' ')
                p++;
        return p;
}

/* Whether [p, end) begins with that shape: 0 a digit, a a letter, other characters themselves. */
static bool has_shape(const char *p, const char *end, const char *shape) {
        for (; *shape; shape++, p++)
                if (p >= end || (*shape == '0'   ? !isdigit((unsigned char) *p) && *p != ' '
                                 : *shape == 'a' ? !isalpha((unsigned char) *p)
                                                 : *p != *shape))
                        return false;
        return true;
}

/* Behind the time that a line begins with; line when there is none. *monotonic: it is the kernel's "[   12.345678]". */
static const char *skip_time(const char *line, const char *end, bool *monotonic) {
        const char *p = line;

        *monotonic = false;
        if (p < end && *p == '<') { /* <PRIORITY> of syslog's own files */
                const char *close = memchr(p, '>', MIN((size_t) (end - p), (size_t) 5));

                p = line = close ? close + 1 : p;
        }
        if (has_shape(p, end, "aaa 00 00:00:00"))
                return skip_word(p + strlen("aaa 00 00:00:00"), end); /* and perhaps a fraction */
        if (has_shape(p, end, "0000-00-00T00:00:00") || has_shape(p, end, "0000-00-00 00:00:00"))
                return skip_word(p + strlen("0000-00-00T00:00:00"), end);
        if (p < end && *p == '[') {
                const char *close = memchr(p, ']', MIN((size_t) (end - p), (size_t) 40));
                const char *digits = skip_blanks(p + 1, end);

                if (!close || !(isdigit((unsigned char) *digits) || has_shape(p + 1, end, "aaa ")))
                        return line;
                *monotonic = isdigit((unsigned char) *digits) && memchr(digits, '.', (size_t) (close - digits)) &&
                             !memchr(digits, ':', (size_t) (close - digits));
                return close + 1;
        }
        return line;
}

/* "HOST PROGRAM[PID]: " or "HOST PROGRAM: " at p: the program, and where the message begins; NULL when there is none. A line of dmesg has
 * neither, and begins with a word that looks the same: after its time only the kernel, or a program with a number, is believed. */
static const char *find_program(const char *p, const char *end, bool careful, size_t *ret_size, const char **ret_message) {
        const char *program = skip_blanks(skip_word(p, end), end), *stop = skip_word(program, end), *name_end = stop;

        if (stop == program || stop >= end || stop[-1] != ':' || !isalpha((unsigned char) *program) || skip_word(p, end)[-1] == ':')
                return NULL;
        name_end--;
        if (name_end > program && name_end[-1] == ']') {
                const char *open = memchr(program, '[', (size_t) (name_end - program));

                if (!open)
                        return NULL;
                name_end = open;
        } else if (careful && !(name_end - program == 6 && strncmp(program, "kernel", 6) == 0))
                return NULL;
        if (memchr(program, ':', (size_t) (name_end - program)))
                return NULL;
        *ret_size = (size_t) (name_end - program);
        *ret_message = skip_blanks(stop, end);
        return program;
}

static int parse_text(const char *line, size_t size, LogLine *l) {
        const char *end = line + size, *message, *program = NULL;
        const char *after, *time_begin = line;
        size_t program_size = 0;
        bool monotonic;
        int k = 0;

        if (*time_begin == '<' && memchr(line, '>', MIN(size, (size_t) 5)))
                time_begin = (const char *) memchr(line, '>', size) + 1;
        after = skip_time(line, end, &monotonic);
        message = skip_blanks(after, end);
        if (after > time_begin) {
                k = set(&l->time, time_begin, (size_t) (after - time_begin));
                /* "[time] [level] [tid 1] text" is FabricManager's own log. */
                if (k >= 0 && message < end && *message != '[')
                        program = find_program(message, end, *time_begin == '[', &program_size, &message);
        }
        if (k >= 0 && program) {
                k = set(&l->origin, program, program_size);
                l->kernel = program_size == 6 && strncmp(program, "kernel", 6) == 0;
        }
        /* "foo.service: Failed with result 'timeout'." */
        if (k >= 0 && program_size == 7 && strncmp(program, "systemd", 7) == 0) {
                _cleanup_free_ char *unit = strndup(message, MIN((size_t) (skip_word(message, end) - message), (size_t) 256));

                if (unit && endswith(unit, ":"))
                        unit[strlen(unit) - 1] = '\0';
                if (unit && unit_name_is_valid(unit))
                        l->about = TAKE_PTR(unit);
        }
        /* Behind "kernel:" syslog keeps the time since the boot. */
        if (l->kernel) {
                const char *again = skip_time(message, end, &monotonic);

                if (monotonic)
                        message = skip_blanks(again, end);
        }
        return k < 0 ? k : set_message(l, message, (size_t) (end - message));
}

int log_line_parse(const char *line, size_t size, LogLine *ret) {
        _cleanup_log_line_ LogLine l = {};
        int k;

        while (size > 0 && strchr("\r\n", line[size - 1]))
                size--;
        if (size == 0)
                return -ENODATA;
        if (*line == '{')
                k = parse_json(line, size, &l);
        else {
                k = isdigit((unsigned char) *line) ? parse_kmsg(line, size, &l) : 0;
                if (k == 0)
                        k = parse_text(line, size, &l);
        }
        if (k < 0)
                return k;
        *ret = l;
        l = (LogLine){};
        return 0;
}
