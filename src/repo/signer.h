/* SPDX-License-Identifier: Apache-2.0 */
/* Who signs packages and repomd.xml. One operation, so that a key in a file, in an agent, on a card or in a token can do it. */
#pragma once

#include <openssl/evp.h>
#include <stdatomic.h>

#include "basic/armor.h"
#include "basic/error.h"
#include "repo/openpgp-packet.h"
#include "repo/secret.h"

#define SIGNER_CERTIFICATION_MAX 2048 /* an RSA signature of 16384 bits */

typedef struct Signer Signer;

typedef struct SignerType {
        const char *name;
        OpenpgpRawSign sign; /* its first argument is the Signer */
        void (*free)(Signer *s);
} SignerType;

struct Signer {
        const SignerType *type;
        char *fingerprint;   /* of the primary key: 40 upper-case hex digits */
        char *user_id;
        unsigned char signing[OPENPGP_FINGERPRINT_SIZE]; /* of the key that signs, which may be a subkey */
        int64_t created;     /* no signature may be older than its key */
        int64_t expires;     /* seconds since 1970; 0: never */
        char **warnings;     /* what whoever publishes should know of this key */
        void *public_key;    /* binary packets, minimal: always the same bytes for the same key; see signer_certify() */
        size_t public_key_size;
        char *name;          /* of an RSA key that is none of GnuPG's, for messages; */
        Text numbers;        /* its modulus and exponent, as OpenPGP has them; */
        EVP_PKEY *verifier;  /* and they as OpenSSL's key, or NULL; */
        unsigned char certification[SIGNER_CERTIFICATION_MAX]; /* and its signature on itself, to be taken if it is good, or made; see signer_certify() */
        size_t certification_size; /* 0: unknown */
        atomic_bool proved;  /* a signature of this run was good by public_key; see signer_sign() */
        void *data;          /* the type's own */
};

/* A key of a GnuPG home directory (NULL: $GNUPGHOME, else ~/.gnupg), by its full fingerprint; blanks in it are fine. A subkey's makes that
 * subkey sign, with a warning. Without a secret the agent has to know it; it never asks by itself. Refused, with the reason: a key that is missing,
 * expired, revoked or disabled, cannot sign, or is none for openpgp_check_key() (EXIT_UNTRUSTED); without its secret part (EXIT_FAILED). */
int signer_gpg_new(const char *homedir, const char *fingerprint, const SecretSource *secret, Signer **ret, Error *e);

/* A private key of OpenSSL's: a file (see private-key.h), or behind a URI that a provider of openssl.cnf knows. Such keys have no name and no
 * date: user_id and created (seconds, UTC) make them an OpenPGP key, always the same for the same three. Refused: what is not RSA, and, by
 * signer_certify(), what has less than 3072 bits (EXIT_UNTRUSTED). */
int signer_openssl_new(const char *uri, const SecretSource *secret, const char *user_id, int64_t created, Signer **ret, Error *e);

/* The same of a key in a PKCS#11 token, which does the signing: "pkcs11:token=...;object=..." (RFC 7512), with the modules that p11-kit knows, or the
 * one that the URI's module-path names. The secret is the token's PIN; without it the URI's pin-source, a file. A PIN in the URI is refused, and so is a
 * URI that fits no RSA key, or more than one. */
int signer_pkcs11_new(const char *uri, const SecretSource *secret, const char *user_id, int64_t created, Signer **ret, Error *e);

/* For the two above: takes an RSA key's modulus and exponent (big-endian), and with them its fingerprint. name is for messages. */
int signer_set_rsa(Signer *s, const void *modulus, size_t modulus_size, const void *exponent, size_t exponent_size, const char *name, Error *e);
/* Makes s->public_key if it is not made yet, with one signature, which takes its time, or the certification that is there from another time. When it signs, the
 * private key has to fit the public one: -EKEYREJECTED/EXIT_UNTRUSTED. */
int signer_certify(Signer *s, Error *e);
/* A new one of a type, with name and date; refuses those that no key can have (EXIT_USAGE). */
int signer_new(const SignerType *type, const char *user_id, int64_t created, Signer **ret, Error *e);
/* Takes the warning; NULL: none. */
int signer_warn(Signer *s, char *warning, Error *e);

/* That the key lives longer than `days` from now (seconds since 1970): who imported it would be left with signatures that no tool takes.
 * -EKEYREJECTED/EXIT_UNTRUSTED. */
int signer_check_expiry(const Signer *s, int64_t now, unsigned days, Error *e);

Signer *signer_free(Signer *s);
DEFINE_CLEANUP(Signer, signer_free);

/* A detached, binary OpenPGP v4 signature, RSA and SHA-256, one that all clients can check (openpgp_check_signature()). It has the time at hand: the
 * given one, or the key's creation if that is later, so that the same input gives the same bytes. The first one has to be good by the public key:
 * -EKEYREJECTED/EXIT_UNTRUSTED. In any thread. */
int signer_sign(Signer *s, const void *data, size_t size, int64_t time, void **ret, size_t *ret_size, Error *e);

#define SIGNERS_MAX 2

/* Who publishes. The first signs packages; while one key replaces another there are two, and both sign metadata, so that who knows either accepts
 * them. */
typedef struct Signers {
        Signer *v[SIGNERS_MAX];
        size_t n;
} Signers;
void signers_clear(Signers *s);
/* "", or the second one's fingerprint. */
const char *signers_also(const Signers *s);
bool signers_have(const Signers *s, const char *fingerprint);
/* Every one's signature, behind each other; armored. *ret is owned by the caller. */
int signers_sign_armored(const Signers *s, const void *data, size_t size, int64_t time, char **ret, Error *e);
/* Every one's public key in armored blocks, as rpm and gpg import them, once they are made (signer_certify()); owned by the caller, NULL: out of memory. */
char *signers_public_keys(const Signers *s) _must_check_;
