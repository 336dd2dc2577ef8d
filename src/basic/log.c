/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/log.h"

static const char *log_program = "gn8v-tee";
static LogLevel log_level = LOG_NORMAL;

void log_setup(const char *program, LogLevel level) {
        log_program = program;
        log_level = level;
}

/* Data written so far goes first: where both streams end in one file, a message must not cut a line of data. */
static void log_begin(void) {
        (void) fflush(stdout);
        flockfile(stderr);
}

static void log_line(const char *prefix, const char *fmt, va_list ap) {
        log_begin();
        fprintf(stderr, "%s: %s", log_program, prefix);
        vfprintf(stderr, fmt, ap);
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
        fprintf(stderr, "%s: %s\n", log_program, e->message ? e->message : strerror(r < 0 ? -r : EIO));
        if (e->hint)
                fprintf(stderr, "%*s  %s\n", (int) strlen(log_program), "", e->hint);
        funlockfile(stderr);
        return e->code != EXIT_OK ? e->code : EXIT_FAILED;
}
