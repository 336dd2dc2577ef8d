/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata files of a repodata/ folder, held against repomd.xml: digests, sizes, packed and unpacked, all bounded. */
#pragma once

#include "basic/digest.h"
#include "repo/keyring.h"
#include "repo/rpmmd.h"

#define REPOMD_MAX           (4u * 1024 * 1024)
#define METADATA_MAX         (512u * 1024 * 1024)       /* one file as it is served */
#define METADATA_OPEN_MAX    (UINT64_C(4) << 30)        /* unpacked, for files that are only passed on */
#define METADATA_TEXT_MAX    (1024u * 1024 * 1024)      /* unpacked, for files that are read */

/* How much of a text may come out of a file of this size: lists of packages are packed to a tenth or a thirtieth, bombs to a thousandth. */
uint64_t metadata_text_max(uint64_t packed);

/* That the file (open as fd, its position is not kept) is the one that repomd.xml names; it is unpacked if that has an open-checksum and
 * the compression is known. With ret_text it is unpacked into memory, whose owner is the caller. name is for messages.
 * -EKEYREJECTED/EXIT_UNTRUSTED: another digest or size; -EBADMSG/EXIT_INVALID: it cannot be unpacked. */
int metadata_check(int fd, const char *name, const RepomdFile *f, char **ret_text, size_t *ret_size, Error *e);

/* The same with another bound of what it may unpack to. */
int metadata_check_up_to(int fd, const char *name, const RepomdFile *f, uint64_t max, char **ret_text, size_t *ret_size, Error *e);

typedef struct Metadata {
        char repomd_sha256[SHA256_HEX_SIZE];
        Repomd *repomd;
        Primary *primary;
} Metadata;
void metadata_clear(Metadata *m);

/* All of a repodata/ folder: the signature by the keyring's key, every file, and the packages. where is for messages. */
int metadata_load(int dir_fd, const char *where, Keyring *keyring, Metadata *ret, Error *e);
