/* SPDX-License-Identifier: Apache-2.0 */
/* Signed packages that are known already: a signature is determined by package, key and time, so the same package signed again would be the
 * same bytes. WORKSPACE/store/signed/FINGERPRINT/UNSIGNED-SHA256 is a symbolic link to the signed file's SHA-256, which is a hard link of the
 * published file and costs no room. Only a shortcut: it may be removed at any time. */
#pragma once

#include "basic/digest.h"

typedef struct SignedStore SignedStore;

/* Of a key; nothing is made on the disk yet. */
int signed_store_open(const char *workspace, const char *fingerprint, SignedStore **ret, Error *e);
SignedStore *signed_store_free(SignedStore *s);
DEFINE_CLEANUP(SignedStore, signed_store_free);

/* Links the signed form of a package to dir_fd/name. False when it is not known, was written to since it was signed, or cannot be linked
 * there. In any thread. */
bool signed_store_take(SignedStore *s, const char *unsigned_sha256, int dir_fd, const char *name, char ret_sha256[static SHA256_HEX_SIZE]);

/* Remembers a published file, which must be on the disk and sealed. That it cannot is no error: it costs time later. */
void signed_store_keep(SignedStore *s, const char *unsigned_sha256, const char *sha256, int dir_fd, const char *name);
/* Forgets those of all keys that nobody publishes any more: that are linked nowhere else. *freed is raised by their bytes. That something cannot be removed
 * is no error. */
void signed_store_sweep(const char *workspace, uint64_t *freed);

/* A sealed file has a time that says what is in it: the seconds given, and nanoseconds out of its digest. Who writes to it changes that. */
int file_seal(int fd, int64_t seconds, const char *sha256);
bool file_is_sealed(int fd, const char *sha256);
