/* SPDX-License-Identifier: Apache-2.0 */
/* One error, told once: library code fills it, the command prints it. */
#pragma once

#include <stdarg.h>

#include "basic/exit-code.h"
#include "basic/macro.h"

typedef struct Error {
        ExitCode code;
        char *message; /* names the file and what was wrong; no final full stop */
        char *hint;    /* the next action, or NULL */
} Error;

#define ERROR_INIT ((Error){ .code = EXIT_OK })

void error_clear(Error *e);
#define _cleanup_error_ _cleanup_(error_clear)

/* Fills e (may be NULL) unless it is filled already: the first, innermost error is the one worth reading.
 * Returns -errnum, so that `return error_set(e, EBADMSG, EXIT_INVALID, "...")` reads well. errnum must be positive. */
int error_set(Error *e, int errnum, ExitCode code, const char *fmt, ...) _printf_(4, 5);

/* The same for a failed system call: appends strerror(errnum); ENOSPC and EDQUOT become EXIT_NO_SPACE, else EXIT_FAILED. */
int error_errno(Error *e, int errnum, const char *fmt, ...) _printf_(3, 4);

/* The same for a file that could not be read as a whole: one that is no plain file, or too large, is EXIT_INVALID, in plain words. */
int error_unreadable(Error *e, int errnum, const char *path);

/* Sets the next action of an error that has none. Returns r, for chaining. */
int error_hint(Error *e, int r, const char *fmt, ...) _printf_(3, 4);

int error_oom(Error *e);
