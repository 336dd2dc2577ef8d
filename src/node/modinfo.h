/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel module's own words about itself: the .modinfo section of an uncompressed 64-bit ELF file. */
#pragma once

#include "basic/error.h"

/* The value of NAME= in .modinfo, owned by the caller. -ENOENT: not there; -EBADMSG: no such ELF file (compressed, or malformed). */
int modinfo_read(int fd, const char *name, char **ret);
