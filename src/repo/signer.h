/* SPDX-License-Identifier: Apache-2.0 */
/* Who signs packages and repomd.xml. One operation, so that a key in a file, in an agent, on a card or behind PKCS#11 can do it. */
#pragma once

#include "basic/armor.h"
#include "basic/error.h"

typedef struct Signer Signer;

typedef struct SignerType {
        const char *name;
        /* A detached, binary OpenPGP v4 signature, RSA and SHA-256, made at `time`; *ret is owned by the caller. */
        int (*sign)(Signer *s, const void *data, size_t size, int64_t time, void **ret, size_t *ret_size, Error *e);
        void (*free)(Signer *s);
} SignerType;

struct Signer {
        const SignerType *type;
        char *fingerprint;   /* of the primary key: 40 upper-case hex digits */
        char *user_id;
        int64_t created;     /* no signature may be older than its key */
        int64_t expires;     /* seconds since 1970; 0: never */
        const char *warning; /* what whoever publishes should know of this key, or NULL; static */
        void *public_key;    /* binary packets, minimal: always the same bytes for the same key */
        size_t public_key_size;
        void *data;          /* the type's own */
};

/* A key of a GnuPG home directory (NULL: $GNUPGHOME, else ~/.gnupg), by its full fingerprint; blanks in it are fine. A subkey's makes that
 * subkey sign, with a warning. passphrase_file may be NULL: then the agent has to know it. No terminal is ever asked. Refused, with the reason:
 * a key that is missing, expired, revoked or disabled, not RSA of 3072 bits or more, or cannot sign (EXIT_UNTRUSTED); without its secret part
 * (EXIT_FAILED). */
int signer_gpg_new(const char *homedir, const char *fingerprint, const char *passphrase_file, Signer **ret, Error *e);

/* A private key in a PEM file, or behind a URI that an OpenSSL provider knows ("pkcs11:..."). OpenSSL's keys have no name and no date:
 * user_id and created (seconds, UTC) make them an OpenPGP key, always the same for the same three. passphrase_file may be NULL.
 * Refused: what is not RSA of 3072 bits or more (EXIT_UNTRUSTED). */
int signer_openssl_new(const char *uri, const char *passphrase_file, const char *user_id, int64_t created, Signer **ret, Error *e);

/* That the key lives longer than `days` from now (seconds since 1970): who imported it would be left with signatures that no tool takes.
 * -EKEYREJECTED/EXIT_UNTRUSTED. */
int signer_check_expiry(const Signer *s, int64_t now, unsigned days, Error *e);

Signer *signer_free(Signer *s);
DEFINE_CLEANUP(Signer, signer_free);

/* Signs with the time at hand: the given one, or the key's creation if that is later, so that the same input gives the same bytes. */
int signer_sign(Signer *s, const void *data, size_t size, int64_t time, void **ret, size_t *ret_size, Error *e);
