/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX ustar archives (IEEE Std 1003.1, pax): written from memory, read as they stream by. */
#pragma once

#include "basic/error.h"
#include "basic/strings.h"

/* Appends a regular file, mode 0600, owner 0, modified at mtime. -ENAMETOOLONG when name has more than 100 bytes. */
int tar_append(Text *tar, const char *name, const void *data, size_t size, int64_t mtime);
/* The two empty blocks at the end. */
void tar_finish(Text *tar);

typedef struct TarReader {
        /* begin: a regular file starts; data: its bytes; end: it is complete. Non-zero stops. */
        int (*begin)(const char *name, void *userdata);
        int (*data)(const char *data, size_t size, void *userdata);
        int (*end)(void *userdata);
        void *userdata;
        char header[512];
        size_t have;      /* bytes of the header */
        uint64_t left;    /* bytes of the current member */
        unsigned padding; /* and after them */
        bool reading;     /* the member is a regular file */
} TarReader;

/* Whether the first 512 bytes of a file are the header of a tar archive. */
bool is_tar(const char *block);
/* Takes the next bytes. -EBADMSG for a damaged header; else what the functions return. */
int tar_reader_feed(TarReader *r, const char *data, size_t size);
