/* SPDX-License-Identifier: Apache-2.0 */
/* A private key in a file, as people have them. */
#pragma once

#include <openssl/evp.h>

#include "repo/secret.h"

/* Reads PEM (PKCS #1, PKCS #8, encrypted or not), DER or PKCS #12: a regular file or a pipe, at most 1 MiB, with one private key; certificates may stand
 * beside it, anything behind its last block may not. The secret is asked for only if the key is encrypted. *ret is the caller's, and so is *ret_warning
 * (NULL: none): that others can read the file. Errors name what the file holds instead: EXIT_INVALID (malformed, more than one), EXIT_UNTRUSTED (no private
 * key, another kind), EXIT_FAILED (missing, the wrong passphrase or none). */
int private_key_read(const char *path, const SecretSource *secret, EVP_PKEY **ret, char **ret_warning, Error *e);
