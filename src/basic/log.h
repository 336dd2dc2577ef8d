/* SPDX-License-Identifier: Apache-2.0 */
/* What people read, on stderr. Only src/cmd and the progress bar print; library code returns an Error. */
#pragma once

#include "basic/error.h"

typedef enum LogLevel { LOG_QUIET, LOG_NORMAL, LOG_VERBOSE } LogLevel;

void log_setup(const char *program, LogLevel level);

void log_info(const char *fmt, ...) _printf_(1, 2);
void log_debug(const char *fmt, ...) _printf_(1, 2);
void log_warning(const char *fmt, ...) _printf_(1, 2);

/* Prints "PROGRAM: message" and, on the next line, the hint. Returns the exit code (EXIT_FAILED if r < 0 and e is empty). */
ExitCode log_error(const Error *e, int r);
