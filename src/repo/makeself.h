/* SPDX-License-Identifier: Apache-2.0 */
/* The shell script in front of a self-extracting archive: read, never run. */
#pragma once

#include "basic/error.h"

#define MAKESELF_HEADER_MAX (1024 * 1024) /* the longest header seen is 50 KiB */

typedef struct MakeselfPayload {
        uint64_t offset, size; /* bytes of the compressed tar in the file */
} MakeselfPayload;

/* Finds the payload from the first bytes of a file (at most MAKESELF_HEADER_MAX) and the file's size. Knows the three forms there are:
 * NVIDIA's `skip=N` (the payload's first line), makeself 2.1's offset of `head -n N`, makeself 2.4's `skip="N"` (the header's lines).
 * name is for messages. -EBADMSG when it is no such archive, or is cut short. Nothing is decompressed. */
int makeself_parse(const char *name, const char *head, size_t size, uint64_t file_size, MakeselfPayload *ret, Error *e);

/* makeself_parse() of an open file; its position is left at the start. */
int makeself_read(const char *name, int fd, MakeselfPayload *ret, Error *e);
