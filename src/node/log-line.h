/* SPDX-License-Identifier: Apache-2.0 */
/* One line of a log, in any of the forms in which logs are kept: journalctl -o json, -o short (and short-*), dmesg, /dev/kmsg, syslog. */
#pragma once

#include <jansson.h>

#include "basic/error.h"
#include "basic/strings.h"

#define LOG_LINE_MAX ((size_t) 256 * 1024)  /* bytes of a raw line; the rest of a longer one is dropped */
#define LOG_MESSAGE_MAX ((size_t) 4 * 1024) /* bytes of a message that are looked at */

typedef struct LogLine {
        char *message; /* printable UTF-8, at most LOG_MESSAGE_MAX bytes */
        char *time;    /* as it stands there; of the journal: UTC, RFC 3339; or NULL */
        char *origin;  /* "kernel", a unit, or the program's name; NULL: the line does not say */
        char *program; /* of the journal: the program's name, where origin is its unit; or NULL */
        char *about;   /* the unit that systemd speaks about, or NULL */
        bool kernel;
} LogLine;

void log_line_free(LogLine *l);
#define _cleanup_log_line_ _cleanup_(log_line_free)

/* Never fails but for -ENOMEM: what cannot be understood is a message without time and origin. -ENODATA for a line of JSON that is no log
 * entry, and for an empty one. */
int log_line_parse(const char *line, size_t size, LogLine *ret);

/* A copy in which control characters and what is no UTF-8 are '?', so that it can be shown on any terminal, and put into JSON. */
char *printable(const char *s, size_t size) _must_check_;
