/* SPDX-License-Identifier: Apache-2.0 */
/* A stored archive as a stream of members, through libarchive: tar in xz, zstd, gzip, bzip2, or zip. */
#pragma once

#include <sys/types.h>

#include "basic/error.h"
#include "basic/progress.h"

/* Bounds of what one archive may unfold to, and of the memory that takes: the largest toolkit has 30,000 members and 9 GB, and the
 * packers' strongest presets have a dictionary of 64 MiB. */
#define ARCHIVE_MEMBERS_MAX    200000u
#define ARCHIVE_NAMES_MAX      (24u * 1024 * 1024)
#define ARCHIVE_DICTIONARY_MAX (128ULL * 1024 * 1024)
#define ARCHIVE_BYTES_MAX      (64ULL * 1024 * 1024 * 1024)
#define ARCHIVE_NAME_MAX       1024u

typedef enum ArchiveKind { ARCHIVE_FILE, ARCHIVE_LINK, ARCHIVE_HARD_LINK } ArchiveKind;

typedef struct ArchiveMember {
        const char *name;   /* a safe relative path, "./" removed */
        ArchiveKind kind;
        mode_t mode;
        uint64_t size;      /* as announced; what comes may differ only if that is an error. 0 may be: not announced, as zip can */
        const char *target; /* of a link */
} ArchiveMember;

typedef struct ArchiveVisitor {
        /* A member begins: *ret_wanted false drops its bytes. Directories are never told. */
        int (*begin)(void *userdata, const ArchiveMember *m, bool *ret_wanted, Error *e);
        int (*data)(void *userdata, const void *data, size_t size, Error *e);
        int (*end)(void *userdata, Error *e);
} ArchiveVisitor;

typedef enum ArchiveFormat { ARCHIVE_TAR, ARCHIVE_ZIP, ARCHIVE_PLAIN } ArchiveFormat; /* plain: see archive_unpack() */

/* Streams the archive at [offset, offset + size) of fd once, in bounded memory. Refuses names that are absolute, have "..", control
 * characters or are no UTF-8; devices, sockets, FIFOs; and more than the bounds above. name is for messages. */
int archive_stream(const char *name, int fd, uint64_t offset, uint64_t size, ArchiveFormat format, const ArchiveVisitor *v,
                   void *userdata, Progress *progress, Error *e);

/* Streams one file that is compressed (gzip, xz, zstd, bzip2) or not at all, from the beginning of fd, to at most max bytes: more is
 * -EFBIG/EXIT_INVALID before they are told. */
int archive_unpack(const char *name, int fd, uint64_t max, int (*data)(void *userdata, const void *data, size_t size, Error *e), void *userdata, Error *e);

/* A copy of a member's name without "./", "//" and a final "/": NULL with -EBADMSG in *ret_r when it is not safe. "" for "." */
char *archive_clean_name(const char *name, int *ret_r);
