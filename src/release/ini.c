/* SPDX-License-Identifier: Apache-2.0 */
#include "release/ini.h"

#include <ini.h>
#include <stdarg.h>

#include "basic/strings.h"

/* inih as distributions build it reads lines into 200 bytes and section names into 50, and cuts what is longer. */
#define LINE_MAX_BYTES    190
#define SECTION_MAX_BYTES 48

typedef struct Reader {
        const char *path, *p, *end;
        unsigned line;
        IniHandler handler;
        void *userdata;
        Error *e;
        int r;
} Reader;

int ini_error(Error *e, const char *path, unsigned line, const char *fmt, ...) {
        _cleanup_free_ char *what = NULL;
        va_list ap;

        va_start(ap, fmt);
        if (vasprintf(&what, fmt, ap) < 0)
                what = NULL;
        va_end(ap);
        return error_set(e, EBADMSG, EXIT_INVALID, "%s:%u: %s", path, line, what ? what : fmt);
}

static int check_line(Reader *reader, const char *line, size_t size) {
        const char *equals;

        if (size > LINE_MAX_BYTES)
                return ini_error(reader->e, reader->path, reader->line, "the line is longer than %d bytes", LINE_MAX_BYTES);
        for (size_t i = 0; i < size; i++)
                if ((unsigned char) line[i] < ' ' || line[i] == 0x7f)
                        return ini_error(reader->e, reader->path, reader->line, "the line has a control character");
        if (size == 0 || line[0] == '#' || line[0] == ';')
                return 0;
        if (line[0] == ' ')
                return ini_error(reader->e, reader->path, reader->line, "the line begins with a blank: lines are not continued, repeat the key");
        if (line[0] == '[') {
                const char *close = memchr(line, ']', size);

                if (!close || close != line + size - 1)
                        return ini_error(reader->e, reader->path, reader->line, "a section's line must end in ']'");
                if (size - 2 > SECTION_MAX_BYTES || size == 2)
                        return ini_error(reader->e, reader->path, reader->line, "a section's name has 1 to %d bytes", SECTION_MAX_BYTES);
                return 0;
        }
        equals = memchr(line, '=', size);
        if (!equals || equals == line)
                return ini_error(reader->e, reader->path, reader->line, "neither [SECTION] nor KEY=VALUE");
        for (const char *c = equals; c + 1 < line + size; c++)
                if (c[0] == ' ' && c[1] == ';')
                        return ini_error(reader->e, reader->path, reader->line, "no comment behind a value: put it on a line of its own");
        return 0;
}

static char *read_line(char *buffer, int size, void *stream) {
        Reader *reader = stream;
        const char *newline;
        size_t n;

        if (reader->r < 0 || reader->p >= reader->end)
                return NULL;
        newline = memchr(reader->p, '\n', (size_t) (reader->end - reader->p));
        n = (size_t) ((newline ? newline : reader->end) - reader->p);
        reader->line++;
        reader->r = check_line(reader, reader->p, n);
        if (reader->r == 0 && n + 2 > (size_t) size)
                reader->r = ini_error(reader->e, reader->path, reader->line, "the line is too long");
        if (reader->r < 0)
                return NULL;
        memcpy(buffer, reader->p, n);
        buffer[n] = '\n';
        buffer[n + 1] = '\0';
        reader->p += n + (newline ? 1 : 0);
        return buffer;
}

static int on_pair(void *userdata, const char *section, const char *key, const char *value) {
        Reader *reader = userdata;

        if (reader->r == 0)
                reader->r = reader->handler(reader->userdata, section, key, value ? value : "", reader->line, reader->e);
        return reader->r == 0;
}

int ini_parse_strict(const char *path, const char *data, size_t size, IniHandler handler, void *userdata, Error *e) {
        Reader reader = { .path = path, .p = data, .end = data + size, .handler = handler, .userdata = userdata, .e = e };
        int r;

        r = ini_parse_stream(read_line, &reader, on_pair, &reader);
        if (reader.r < 0)
                return reader.r;
        if (r > 0)
                return ini_error(e, path, (unsigned) r, "neither [SECTION] nor KEY=VALUE");
        return r < 0 ? error_oom(e) : 0;
}
