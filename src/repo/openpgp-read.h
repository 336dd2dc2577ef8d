/* SPDX-License-Identifier: Apache-2.0 */
/* Reads OpenPGP packets (RFC 4880, section 4 and 5) as far as it takes to say who made a signature and whether every client can check it: gpg
 * and rpm do the mathematics, but rpm looks a key up by 64 bits of its fingerprint, and older ones refuse without a word what they do not know.
 * Everything read is hostile. */
#pragma once

#include "basic/error.h"
#include "repo/openpgp-packet.h"

/* Packet tags (4.3) */
enum { OPENPGP_TAG_SIGNATURE = 2, OPENPGP_TAG_SECRET_KEY = 5, OPENPGP_TAG_PUBLIC_KEY = 6, OPENPGP_TAG_SECRET_SUBKEY = 7, OPENPGP_TAG_USER_ID = 13,
       OPENPGP_TAG_PUBLIC_SUBKEY = 14 };

typedef struct OpenpgpPacket {
        unsigned tag;
        const unsigned char *body; /* in what was read */
        size_t size;
        size_t whole; /* with its head */
} OpenpgpPacket;

/* Takes the packet at *p, and moves it and *left behind that. 1: there was one; 0: nothing is left; -EBADMSG: cut, or of no definite length. */
int openpgp_next_packet(const unsigned char **p, size_t *left, OpenpgpPacket *ret);

typedef struct OpenpgpSignature {
        unsigned version, type, algorithm, hash;  /* of what is neither version 3 nor 4 nothing else is known */
        int64_t created;                          /* seconds since 1970; -1: it does not say */
        uint32_t key_lifetime;                    /* seconds from the key's creation; 0: unlimited */
        bool has_issuer, has_fingerprint;
        bool issuers_differ;                      /* two subpackets of one kind say different things, or fingerprint and key ID do */
        unsigned fingerprint_version;             /* of the key that it names */
        unsigned char issuer[8];                  /* key ID: the end of the fingerprint */
        unsigned char fingerprint[OPENPGP_FINGERPRINT_SIZE];
        uint64_t critical;                        /* which subpackets are marked critical, one bit each */
} OpenpgpSignature;

/* A signature packet's body. -EBADMSG: malformed. Not all of a long one is looked at: its numbers are for who verifies it. */
int openpgp_read_signature(const unsigned char *body, size_t size, OpenpgpSignature *ret);

/* Whether it says that this key made it: by fingerprint if it has one, else by key ID. */
bool openpgp_is_by(const OpenpgpSignature *s, const unsigned char fingerprint[static OPENPGP_FINGERPRINT_SIZE]);

typedef struct OpenpgpPublicKey {
        unsigned version, algorithm; /* of what is not version 4 nothing else is known */
        int64_t created;
        unsigned modulus_bits, exponent_bits; /* RSA */
        bool exponent_is_odd;
        unsigned char fingerprint[OPENPGP_FINGERPRINT_SIZE];
} OpenpgpPublicKey;

/* A public key's or subkey's packet's body. -EBADMSG: malformed. */
int openpgp_read_public_key(const unsigned char *body, size_t size, OpenpgpPublicKey *ret);

/* All of a file with public keys, armored (blocks behind each other, each with a right sum) or binary, as packets; *ret is owned by the caller.
 * -EBADMSG. */
int openpgp_read_blocks(const char *data, size_t size, unsigned char **ret, size_t *ret_size);

/* That rpm 4.14 can use a key (packets: public key, user IDs, subkeys, signatures) and will go on to: version 4, RSA of 3072 to 16384 bits, certified by
 * itself with SHA-256 or better in version 4 signatures, and not revoked. name is for messages. -EKEYREJECTED or -EBADMSG/EXIT_UNTRUSTED, with the first
 * thing that is wrong. */
int openpgp_check_key(const void *packets, size_t size, const char *name, Error *e);

/* That packet is one signature which rpm 4.14, rpm 4.18 and gpg can check, made by this very key: version 4, over bytes, RSA, SHA-256 or better, with a
 * date and a key ID not marked critical; a key ID that fits is not enough where a fingerprint is given. fingerprint NULL: whose it is is known already. name is what was
 * signed, for messages.
 * -EKEYREJECTED or -EBADMSG/EXIT_UNTRUSTED. */
int openpgp_check_signature(const void *packet, size_t size, const unsigned char *fingerprint, const char *name, Error *e);

/* Forty upper-case hex digits, and back: false when s is something else. */
char *openpgp_fingerprint_hex(const unsigned char fingerprint[static OPENPGP_FINGERPRINT_SIZE]) _must_check_;
bool openpgp_fingerprint_bytes(const char *s, unsigned char ret[static OPENPGP_FINGERPRINT_SIZE]);
