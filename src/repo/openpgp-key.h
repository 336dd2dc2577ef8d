/* SPDX-License-Identifier: Apache-2.0 */
/* A vendor's public key, trusted for its fingerprint alone, whatever file it came in. */
#pragma once

#include "basic/error.h"

typedef struct OpenpgpKey {
        char *fingerprint; /* of the primary key: 40 upper-case hex digits */
        char *user_id;     /* first user ID, for people; may be NULL */
        void *packets;     /* the key as packets, as gpg exports it: only subkeys whose binding signature is good */
        size_t size;
} OpenpgpKey;

OpenpgpKey *openpgp_key_free(OpenpgpKey *k);
DEFINE_CLEANUP(OpenpgpKey, openpgp_key_free);

/* Reads a key file (armored or binary, at most 1 MiB, RFC 4880). It must hold exactly one public key, whose primary fingerprint is the
 * given one (compared without regard to case), neither expired nor revoked: else -EKEYREJECTED/EXIT_UNTRUSTED. Needs gpg. */
int openpgp_key_load(const char *path, const char *fingerprint, OpenpgpKey **ret, Error *e);
