/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict as a detached EAT (RFC 9711, draft-ietf-rats-eat), as NVIDIA's attestation SDK writes it. */
#pragma once

#include <openssl/evp.h>

#include "attest/claims.h"

/* A P-384 private key from a PEM file (without a passphrase). *ret is owned by the caller: EVP_PKEY_free(). EXIT_INVALID. */
int token_key_load(const char *path, EVP_PKEY **ret, Error *e);

/* The token, owned by the caller. key NULL: like NVIDIA's, HS256 with the constants that its tools use, so that they read it; it proves nothing to
 * a third party. Else ES384 with that key. issued: seconds since the epoch. */
int token_make(const Verdict *v, ClaimsVersion version, int64_t issued, EVP_PKEY *key, char **ret, Error *e);
