/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the OpenPGP packets that gpg would (RFC 4880): v4 RSA keys with one user ID, and v4 signatures with SHA-256. Who has the
 * private key only has to sign 32 bytes. */
#pragma once

#include "basic/error.h"
#include "basic/strings.h"

/* Signature types (RFC 4880, 5.2.1) */
enum { OPENPGP_BINARY = 0x00, OPENPGP_POSITIVE_CERTIFICATION = 0x13 };

#define OPENPGP_FINGERPRINT_SIZE 20

/* RSA with PKCS #1 1.5 padding over a SHA-256: *ret is the number, big-endian, owned by the caller. */
typedef int (*OpenpgpRawSign)(void *data, const unsigned char digest[static 32], unsigned char **ret, size_t *ret_size, Error *e);

/* A signature packet over subject; *ret is owned by the caller. The same arguments give the same bytes. */
int openpgp_sign(const unsigned char fingerprint[static OPENPGP_FINGERPRINT_SIZE], unsigned type, int64_t time, const void *subject, size_t size,
                 OpenpgpRawSign sign, void *data, void **ret, size_t *ret_size, Error *e);

/* A number without leading zeros, behind its length in bits (3.2). */
void openpgp_put_mpi(Text *t, const unsigned char *bytes, size_t size);

/* A public key's fingerprint, from modulus and exponent (both with their length, as openpgp_put_mpi() writes them). */
int openpgp_make_fingerprint(int64_t created, const Text *numbers, unsigned char ret_fingerprint[static OPENPGP_FINGERPRINT_SIZE], Error *e);
/* The key itself: its packet, its fingerprint, and a user ID that it certifies itself. */
int openpgp_make_key(int64_t created, const Text *numbers, const char *user_id, OpenpgpRawSign sign, void *data,
                     unsigned char ret_fingerprint[static OPENPGP_FINGERPRINT_SIZE], void **ret, size_t *ret_size, Error *e);
