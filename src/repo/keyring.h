/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys to check signatures with: a private place that holds these and no other, so that "good" means "by one of these". */
#pragma once

#include "basic/error.h"
#include "repo/rpm-file.h"
#include "repo/signer.h"

typedef struct Keyring Keyring;

/* Fingerprints as people write them: blanks dropped, upper case, exactly 40 hex digits, else -EINVAL/EXIT_USAGE. *ret is owned by the caller. */
int fingerprint_normalize(const char *s, char **ret, Error *e);

/* Takes 1 to 8 public keys (binary, or armored blocks behind each other; at most 1 MiB); name is for messages. A secret key, none, or one twice is
 * -EBADMSG/EXIT_INVALID; one that is expired or revoked is -EKEYREJECTED/EXIT_UNTRUSTED. */
int keyring_new(const void *key, size_t size, const char *name, Keyring **ret, Error *e);
/* The same for the keys of our own signers: they were looked at when these were made. No gpg is run; keyring_verify() then checks as rpm does. */
int keyring_new_own(const Signers *s, Keyring **ret, Error *e);
Keyring *keyring_free(Keyring *k);
DEFINE_CLEANUP(Keyring, keyring_free);

/* Of its keys, in their order; and the first one's. */
char *const *keyring_fingerprints(const Keyring *k);
const char *keyring_fingerprint(const Keyring *k);
/* One of its keys, armored: what gpg found good of it, and no more; owned by the caller. NULL: it is not there, or out of memory. */
char *keyring_armor(const Keyring *k, const char *fingerprint) _must_check_;

/* That signature (armored or binary) has at least one good, SHA-256 or better, detached signature of data by one of the keys, and none by them that is not
 * good. A key is told by its whole fingerprint, where the signature has one: the last 64 bits, by which rpm looks keys up, are not enough. The signatures of
 * other keys, which replace ours or are replaced by them, count for nothing. *ret_signers are the fingerprints of those whose signature is good, *ret_unknown the
 * others' (or key IDs); both are lists of the caller's, or NULL. -EKEYREJECTED/EXIT_UNTRUSTED with the reason; name is what was signed, for messages. */
int keyring_verify(Keyring *k, const void *data, size_t size, const void *signature, size_t signature_size, const char *name, char ***ret_signers, char ***ret_unknown, Error *e);

/* That a package's header is signed by one of the keys (RSA), by rpm's own check of the header: digests and signature.
 * The payload is not read; its digest stands in the signed header. *ret_signer, which may be NULL, is that key's fingerprint, the keyring's. Several threads
 * may do this with one keyring. -EKEYREJECTED/EXIT_UNTRUSTED. */
int keyring_verify_package(Keyring *k, const RpmFile *f, const char **ret_signer, Error *e);
