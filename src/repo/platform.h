/* SPDX-License-Identifier: Apache-2.0 */
/* What the target system provides, as a list: one capability a line, "NAME" or "NAME = [EPOCH:]VERSION[-RELEASE]"; '#' starts a comment.
 * A NAME may be a path ("/bin/sh") or a library with its symbol version ("libc.so.6(GLIBC_2.28)(64bit)"). */
#pragma once

#include "basic/error.h"

typedef struct Capability {
        char *name;
        char *evr; /* or NULL: provided in no particular version, which fits every required one */
} Capability;

typedef struct Platform {
        Capability *capabilities;
        size_t n_capabilities;
} Platform;

Platform *platform_free(Platform *p);
DEFINE_CLEANUP(Platform, platform_free);

/* -EBADMSG/EXIT_INVALID names the line. At most 1 MiB. */
int platform_load(const char *path, Platform **ret, Error *e);
int platform_parse(const char *path, const char *text, Platform **ret, Error *e);
