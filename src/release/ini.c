/* SPDX-License-Identifier: Apache-2.0 */
#include "release/ini.h"

#include <stdarg.h>

#include "basic/strings.h"

#define LINE_MAX_BYTES    4096
#define SECTION_MAX_BYTES 64

typedef struct Parser {
        const char *path;
        unsigned line;
        char *section;
        IniHandler handler;
        void *userdata;
} Parser;

int ini_error(Error *e, const char *path, unsigned line, const char *fmt, ...) {
        _cleanup_free_ char *what = NULL;
        va_list ap;

        va_start(ap, fmt);
        what = format_va(fmt, ap);
        va_end(ap);
        return error_set(e, EBADMSG, EXIT_INVALID, "%s:%u: %s", path, line, what ? what : fmt);
}

static int enter_section(Parser *p, const char *line, Error *e) {
        size_t n = strlen(line);
        char *name;

        if (line[n - 1] != ']' || memchr(line, ']', n - 1))
                return ini_error(e, p->path, p->line, "a section's line is [NAME] and nothing else");
        if (n - 2 < 1 || n - 2 > SECTION_MAX_BYTES)
                return ini_error(e, p->path, p->line, "a section's name has 1 to %d bytes", SECTION_MAX_BYTES);
        name = strndup(line + 1, n - 2);
        if (!name)
                return error_oom(e);
        free(p->section);
        p->section = name;
        return 0;
}

static void trim_end(char *s) {
        for (size_t n = strlen(s); n > 0 && s[n - 1] == ' '; n--)
                s[n - 1] = '\0';
}

/* line is ours to change; it has no control characters. */
static int parse_line(Parser *p, char *line, Error *e) {
        char *value;

        if (line[strspn(line, " ")] == '\0' || *line == '#' || *line == ';')
                return 0;
        if (*line == ' ')
                return ini_error(e, p->path, p->line, "the line begins with a blank: lines are not continued, repeat the key");
        trim_end(line);
        if (*line == '[')
                return enter_section(p, line, e);
        value = strchr(line, '=');
        if (!value || value == line)
                return ini_error(e, p->path, p->line, "neither [SECTION] nor KEY=VALUE");
        *value++ = '\0';
        trim_end(line);
        value += strspn(value, " ");
        if (*value == ';' || strstr(value, " ;") || *value == '#' || strstr(value, " #"))
                return ini_error(e, p->path, p->line, "no comment behind a value: put it on a line of its own");
        if (!p->section)
                return ini_error(e, p->path, p->line, "%s= stands before any [SECTION]", line);
        return p->handler(p->userdata, p->section, line, value, p->line, e);
}

static int check_bytes(const Parser *p, const char *line, size_t size, Error *e) {
        if (size > LINE_MAX_BYTES)
                return ini_error(e, p->path, p->line, "the line is longer than %d bytes", LINE_MAX_BYTES);
        for (size_t i = 0; i < size; i++)
                if ((unsigned char) line[i] < ' ' || line[i] == 0x7f)
                        return ini_error(e, p->path, p->line, "the line has a control character");
        return 0;
}

int ini_parse(const char *path, const char *data, size_t size, IniHandler handler, void *userdata, Error *e) {
        Parser p = { .path = path, .handler = handler, .userdata = userdata };
        const char *end = data + size;
        int r = 0;

        while (r == 0 && data < end) {
                const char *newline = memchr(data, '\n', (size_t) (end - data));
                size_t n = (size_t) ((newline ? newline : end) - data);
                _cleanup_free_ char *line = NULL;

                p.line++;
                r = check_bytes(&p, data, n, e);
                if (r == 0 && !(line = strndup(data, n)))
                        r = error_oom(e);
                if (r == 0)
                        r = parse_line(&p, line, e);
                data += n + (newline ? 1 : 0);
        }
        free(p.section);
        return r;
}
