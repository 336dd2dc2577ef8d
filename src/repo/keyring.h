/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys to check signatures with: a private place that holds these and no other, so that "good" means "by one of these". */
#pragma once

#include "basic/error.h"
#include "repo/rpm-file.h"

typedef struct Keyring Keyring;

/* Fingerprints as people write them: blanks dropped, upper case, exactly 40 hex digits, else -EINVAL/EXIT_USAGE. *ret is owned by the caller. */
int fingerprint_normalize(const char *s, char **ret, Error *e);

/* Takes one public key (binary or armored, at most 1 MiB); name is for messages. More than one key, a secret key or none is
 * -EBADMSG/EXIT_INVALID; one that is expired or revoked is -EKEYREJECTED/EXIT_UNTRUSTED. */
int keyring_new(const void *key, size_t size, const char *name, Keyring **ret, Error *e);
/* The same for the key of our own signer (binary packets): it was looked at when the signer was made. No gpg is run; keyring_verify() then
 * takes binary signatures, and checks them as rpm does. */
int keyring_new_own(const void *key, size_t size, const char *fingerprint, Keyring **ret, Error *e);
Keyring *keyring_free(Keyring *k);
DEFINE_CLEANUP(Keyring, keyring_free);

const char *keyring_fingerprint(const Keyring *k);

/* That signature (armored or binary) is one good, SHA-256 or better, detached signature of data by the key.
 * -EKEYREJECTED/EXIT_UNTRUSTED with the reason; name is what was signed, for messages. */
int keyring_verify(Keyring *k, const void *data, size_t size, const void *signature, size_t signature_size, const char *name, Error *e);

/* That a package's header is signed by the key (RSA, v4), by rpm's own check of the header: digests and signature.
 * The payload is not read; its digest stands in the signed header. Several threads may do this with one keyring.
 * -EKEYREJECTED/EXIT_UNTRUSTED. */
int keyring_verify_package(Keyring *k, const RpmFile *f, Error *e);
