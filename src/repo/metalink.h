/* SPDX-License-Identifier: Apache-2.0 */
/* metalink.xml (Metalink 3.0, as MirrorManager writes it and librepo reads it): where repomd.xml is, and what it has to be, so that a mirror
 * that is behind is skipped. */
#pragma once

#include "repo/repository.h"

#define METALINK_FILE "metalink.xml" /* in repodata/ */

/* urls are base URLs, the preferred one first: http, https or file, without blanks, quotes or control characters, else -EINVAL/EXIT_USAGE.
 * timestamp: seconds, UTC, of the state. *ret is owned by the caller. */
int metalink_render(const char *repomd, size_t size, int64_t timestamp, char *const *urls, char **ret, Error *e);

/* The base URLs that the published metalink names, in their order; none without one. *ret is the caller's. */
int metalink_urls(Repository *r, char ***ret, Error *e);

/* Writes it to the staged repodata/, to be switched to together with this repomd.xml; or, for the state that is published already, in place of the
 * one there, if it differs. urls NULL: those of the metalink that is published; an empty list: there is to be none. */
int metalink_stage(Repository *r, const char *repomd, int64_t timestamp, char *const *urls, Error *e);
int metalink_refresh(Repository *r, int64_t timestamp, char *const *urls, Error *e);

/* That a metalink is of this repomd.xml: one file of this name, size and SHA-256, no weaker digest and no older state beside it, places that are
 * http, https or file. -EKEYREJECTED/EXIT_UNTRUSTED, -EBADMSG/EXIT_INVALID; name is for messages. */
int metalink_check(const char *text, size_t size, const char *name, const char *repomd, size_t repomd_size, Error *e);
