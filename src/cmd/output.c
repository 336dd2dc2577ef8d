/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/output.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "basic/fs.h"
#include "basic/log.h"
#include "basic/strings.h"

#define COLUMNS_MAX 8
#define NARROWEST 8 /* no column is made narrower than that */

/* Makes the widest columns narrower until the table has that many columns of characters. */
static void fit(size_t *width, size_t columns, size_t room) {
        for (;;) {
                size_t sum = 2 * (columns - 1), widest = 0;

                for (size_t i = 0; i < columns; i++) {
                        sum += width[i];
                        widest = width[i] > width[widest] ? i : widest;
                }
                if (sum <= room || width[widest] <= NARROWEST)
                        return;
                width[widest]--;
        }
}

/* How many bytes of s stand in a line of that width: to the last blank, or as many as there is room for; a character is not cut. */
static size_t line_of(const char *s, size_t width) {
        size_t n = strlen(s);

        if (n <= width)
                return n;
        for (n = width; n > 0 && s[n] != ' '; n--)
                ;
        for (n = n > 0 ? n : width; n > 1 && (s[n] & 0xc0) == 0x80; n--)
                ;
        return n;
}

static void print_row(const char *const *cells, const size_t *width, size_t columns) {
        const char *rest[COLUMNS_MAX];
        bool more = true;

        memcpy(rest, cells, columns * sizeof(char *));
        while (more) {
                size_t blanks = 0;

                more = false;
                for (size_t i = 0; i < columns; i++) {
                        size_t n = line_of(rest[i], width[i]);

                        if (n > 0)
                                printf("%*s%.*s", (int) blanks, "", (int) n, rest[i]);
                        blanks = (n > 0 ? 0 : blanks) + width[i] - n + 2;
                        rest[i] += n;
                        rest[i] += strspn(rest[i], " ");
                        more = more || *rest[i];
                }
                putchar('\n');
        }
}

void print_table(const char *const *cells, size_t rows, size_t columns) {
        size_t width[COLUMNS_MAX] = {};
        struct winsize w;

        for (size_t i = 0; i < rows * columns; i++)
                width[i % columns] = MAX(width[i % columns], strlen(cells[i]));
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
                fit(width, columns, w.ws_col);
        for (size_t i = 0; i < rows; i++)
                print_row(cells + i * columns, width, columns);
}

int write_output(const char *path, const char *text, Error *e) {
        int r;

        if (is_special(AT_FDCWD, path))
                return error_hint(e, error_set(e, EEXIST, EXIT_USAGE, "%s: it is a device, or a pipe", path), "name a file that is to be made; standard output is -, where it is taken");
        r = write_file_atomic(AT_FDCWD, path, text, strlen(text), 0644);
        return r < 0 ? error_errno(e, -r, "%s", path) : 0;
}

int print_json(json_t *document, Error *e) {
        int r;

        if (!document)
                return error_oom(e);
        output_told();
        r = json_dumpf(document, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
        json_decref(document);
        return r < 0 || putchar('\n') == EOF ? error_errno(e, errno ? errno : EIO, "standard output") : 0;
}

json_t *json_text(const char *s) {
        json_t *j = s ? json_string(s) : json_null();
        char *clean = j ? NULL : strdup(s);

        if (clean) {
                text_clean(clean, strlen(clean));
                j = json_string(clean);
                free(clean);
        }
        return j;
}

json_t *json_texts(char *const *v) {
        json_t *all = json_array();

        STRV_FOREACH(s, v)
                (void) json_array_append_new(all, json_text(*s));
        return all;
}

static bool json_wanted, told;

void output_json(void) {
        json_wanted = true;
}

void output_told(void) {
        told = true;
}

int output_failed(int r, const Error *e) {
        ExitCode code = log_error(e, r);

        if (json_wanted && !told)
                (void) print_json(json_pack("{s:{s:o, s:o, s:i}}", "error", "message", json_text(e->message ? e->message : strerror(r < 0 ? -r : EIO)), "hint",
                                            json_text(e->hint), "exit_code", (int) code), NULL);
        return (int) code;
}

int output_done(int r, Error *e) {
        if (fflush(stdout) != 0 || ferror(stdout)) {
                r = error_errno(e, errno ? errno : EIO, "standard output");
                told = true;
        }
        if (r >= 0)
                return r;
        r = output_failed(r, e);
        (void) fflush(stdout);
        return r;
}
