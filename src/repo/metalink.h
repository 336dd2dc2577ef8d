/* SPDX-License-Identifier: Apache-2.0 */
/* metalink.xml (Metalink 3.0, as MirrorManager writes it and librepo reads it): where repomd.xml is, and what it has to be, so that a mirror
 * that is behind is skipped. */
#pragma once

#include "basic/strings.h"
#include "basic/error.h"

#define METALINK_FILE "metalink.xml" /* in repodata/ */

/* urls are base URLs, the preferred one first: http, https or file, without blanks, quotes or control characters, else -EINVAL/EXIT_USAGE.
 * timestamp: seconds, UTC, of the state. *ret is owned by the caller. */
int metalink_render(const char *repomd, size_t size, int64_t timestamp, char *const *urls, char **ret, Error *e);
