/* SPDX-License-Identifier: Apache-2.0 */
/* INI, strictly. The common INI libraries cut long lines and take comments out of values without a word; a pin must not change so. */
#pragma once

#include "basic/error.h"

/* Called for every KEY=VALUE. Returns 0, or -errno with e filled by ini_error(). */
typedef int (*IniHandler)(void *userdata, const char *section, const char *key, const char *value, unsigned line, Error *e);

/* Lines of at most 4096 bytes, no control characters, no continuation, no comment behind a value; blanks around key and value are
 * dropped. path is for messages. */
int ini_parse(const char *path, const char *data, size_t size, IniHandler handler, void *userdata, Error *e);

/* "PATH:LINE: ..." as -EBADMSG, EXIT_INVALID. */
int ini_error(Error *e, const char *path, unsigned line, const char *fmt, ...) _printf_(4, 5);
