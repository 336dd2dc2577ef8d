/* SPDX-License-Identifier: Apache-2.0 */
/* Signs a package the way rpmsign does (RSA over the header, which has the payload's digest), but into a copy, and in one pass over its payload. */
#pragma once

#include "basic/progress.h"
#include "repo/rpm-file.h"
#include "repo/signer.h"

typedef struct RpmSigned {
        char unsigned_sha256[SHA256_HEX_SIZE]; /* of the file that was read */
        char signed_sha256[SHA256_HEX_SIZE];   /* of the file that was written */
        uint64_t size;                         /* of the file that was written */
} RpmSigned;

/* Writes f, signed, to out_fd (an empty file). The same package and key give the same bytes. known_sha256: the digest of f, if it need not be
 * taken, or NULL. A package without a SHA-256 of its payload is refused: its signature would not cover the payload. */
int rpm_sign_copy(const RpmFile *f, Signer *s, const char *known_sha256, int out_fd, Progress *progress, RpmSigned *ret, Error *e);
