/* SPDX-License-Identifier: Apache-2.0 */
/* Message digests, over OpenSSL. Linked by the builder and the verifier, not by the node program. */
#pragma once

#include "basic/error.h"

#define SHA256_HEX_SIZE 65 /* with the NUL */

typedef struct Digest Digest;
/* name: "sha256", "sha384", ... NULL when unknown or out of memory. */
Digest *digest_new(const char *name);
Digest *digest_free(Digest *d);
DEFINE_CLEANUP(Digest, digest_free);
int digest_update(Digest *d, const void *data, size_t size);
/* A whole file, from its beginning, whatever the descriptor's position, which is not kept. */
int digest_fd(Digest *d, int fd);
/* Lower-case hex of the digest so far, owned by the caller; the context is finished after that. */
char *digest_hex(Digest *d) _must_check_;

/* SHA-256 of a whole file or buffer, as lower-case hex. */
int sha256_fd(int fd, char ret[static SHA256_HEX_SIZE]);
int sha256_file(int dir_fd, const char *path, char ret[static SHA256_HEX_SIZE]);
int sha256_buffer(const void *data, size_t size, char ret[static SHA256_HEX_SIZE]);
/* 64 lower-case hex digits. */
bool sha256_is_valid(const char *hex);
