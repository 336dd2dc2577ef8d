/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/log.h"

#include "basic/strings.h"

static const char *log_program = "gn8v-tee";
static LogLevel log_level = LOG_NORMAL;

void log_setup(const char *program, LogLevel level) {
        log_program = program;
        log_level = level;
}

/* A server's, an archive's or a file's words may be in a message: nothing of them may steer the terminal. Also C1, which UTF-8 has as C2 80..9F. */
static void put_text(const char *s) {
        bool c2 = false;

        for (; s && *s; s++) {
                unsigned char c = (unsigned char) *s;

                fputc((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f || (c2 && c >= 0x80 && c < 0xa0) ? '?' : c, stderr);
                c2 = c == 0xc2;
        }
}

/* Data written so far goes first: where both streams end in one file, a message must not cut a line of data. */
static void log_begin(void) {
        (void) fflush(stdout);
        flockfile(stderr);
}

static void log_line(const char *prefix, const char *fmt, va_list ap) {
        _cleanup_free_ char *text = NULL;

        text = format_va(fmt, ap);
        log_begin();
        fprintf(stderr, "%s: %s", log_program, prefix);
        put_text(text ? text : fmt);
        fputc('\n', stderr);
        funlockfile(stderr);
}

void log_info(const char *fmt, ...) {
        va_list ap;

        if (log_level < LOG_NORMAL)
                return;
        va_start(ap, fmt);
        log_line("", fmt, ap);
        va_end(ap);
}

void log_debug(const char *fmt, ...) {
        va_list ap;

        if (log_level < LOG_VERBOSE)
                return;
        va_start(ap, fmt);
        log_line("", fmt, ap);
        va_end(ap);
}

void log_warning(const char *fmt, ...) {
        va_list ap;

        va_start(ap, fmt);
        log_line("warning: ", fmt, ap);
        va_end(ap);
}

ExitCode log_error(const Error *e, int r) {
        log_begin();
        fprintf(stderr, "%s: ", log_program);
        put_text(e->message ? e->message : strerror(r < 0 ? -r : EIO));
        if (e->hint) {
                fprintf(stderr, "\n%*s  ", (int) strlen(log_program), "");
                put_text(e->hint);
        }
        fputc('\n', stderr);
        funlockfile(stderr);
        return e->code != EXIT_OK ? e->code : EXIT_FAILED;
}
