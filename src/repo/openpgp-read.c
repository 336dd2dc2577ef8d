/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/openpgp-read.h"

#include <openssl/evp.h>

#include "basic/armor.h"

#define ARMOR_BEGIN "-----BEGIN PGP "
#define BLOCKS_MAX  64

/* Subpackets (5.2.3.1) */
enum { SUB_CREATED = 2, SUB_KEY_LIFETIME = 9, SUB_ISSUER = 16, SUB_KEY_FLAGS = 27, SUB_FINGERPRINT = 33, SUB_CRITICAL = 0x80 };
/* Those of a key's own signatures that may be marked critical: rpm 4.14 overlooks the mark there, rpm 4.18 knows these. Of a signature over
 * a package or metadata none may: 4.14 does not recognise a date or an issuer that is, 4.18 refuses all others. */
#define KEY_CRITICAL (UINT64_C(1) << SUB_CREATED | UINT64_C(1) << SUB_ISSUER | UINT64_C(1) << SUB_KEY_FLAGS)
/* Kinds of signature (5.2.1) that say something about a key */
enum { CERTIFICATION_FIRST = 0x10, CERTIFICATION_LAST = 0x13, SUBKEY_BINDING = 0x18, KEY_REVOCATION = 0x20 };
/* Algorithms (9.1, 9.4) */
enum { ALGORITHM_RSA = 1, ALGORITHM_RSA_SIGN = 3, HASH_MD5 = 1, HASH_SHA1 = 2, HASH_SHA256 = 8, HASH_SHA384 = 9, HASH_SHA512 = 10 };

#define RSA_BITS_MIN      3072
#define RSA_BITS_MAX      16384 /* OpenSSL's and gpg's own limit */
#define EXPONENT_BITS_MAX 64    /* OpenSSL's for moduli of more than 3072 bits */

static uint32_t grab(const unsigned char *p, size_t n) {
        uint32_t v = 0;

        while (n-- > 0)
                v = v << 8 | *p++;
        return v;
}

int openpgp_next_packet(const unsigned char **p, size_t *left, OpenpgpPacket *ret) {
        const unsigned char *s = *p;
        size_t n = *left, head, size;
        unsigned tag;

        if (n == 0)
                return 0;
        if (!(s[0] & 0x80) || n < 2)
                return -EBADMSG;
        if (s[0] & 0x40) { /* new format, 4.2.2 */
                tag = s[0] & 0x3f;
                head = s[1] < 192 ? 2 : s[1] < 224 ? 3 : s[1] == 255 ? 6 : 0;
                if (head == 0 || n < head)
                        return -EBADMSG;
                size = head == 2 ? s[1] : head == 3 ? ((size_t) (s[1] - 192) << 8) + s[2] + 192 : grab(s + 2, 4);
        } else { /* old format, 4.2.1 */
                tag = s[0] >> 2 & 0x0f;
                head = (s[0] & 3) == 3 ? 0 : 1 + ((size_t) 1 << (s[0] & 3));
                if (head == 0 || n < head)
                        return -EBADMSG;
                size = grab(s + 1, head - 1);
        }
        if (tag == 0 || size > n - head)
                return -EBADMSG;
        *ret = (OpenpgpPacket){ .tag = tag, .body = s + head, .size = size, .whole = head + size };
        *p += ret->whole;
        *left -= ret->whole;
        return 1;
}

static void take_issuer(OpenpgpSignature *s, const unsigned char *id) {
        s->issuers_differ |= s->has_issuer && memcmp(s->issuer, id, sizeof s->issuer) != 0;
        s->has_issuer = true;
        memcpy(s->issuer, id, sizeof s->issuer);
}

static int take_subpacket(OpenpgpSignature *s, const unsigned char *p, size_t size, bool hashed) {
        unsigned type = p[0] & ~(unsigned) SUB_CRITICAL;

        if (p[0] & SUB_CRITICAL)
                s->critical |= UINT64_C(1) << MIN(type, 63u);
        p++;
        size--;
        switch (type) {
        case SUB_CREATED:
                if (size != 4)
                        return -EBADMSG;
                if (hashed)
                        s->created = grab(p, 4);
                return 0;
        case SUB_KEY_LIFETIME:
                if (size != 4)
                        return -EBADMSG;
                if (hashed)
                        s->key_lifetime = grab(p, 4);
                return 0;
        case SUB_ISSUER:
                if (size != sizeof s->issuer)
                        return -EBADMSG;
                take_issuer(s, p);
                return 0;
        case SUB_FINGERPRINT:
                if (size < 1 || (p[0] == 4 && size != 1 + OPENPGP_FINGERPRINT_SIZE))
                        return -EBADMSG;
                if (s->has_fingerprint)
                        s->issuers_differ |= s->fingerprint_version != p[0] || (p[0] == 4 && memcmp(s->fingerprint, p + 1, OPENPGP_FINGERPRINT_SIZE) != 0);
                s->has_fingerprint = true;
                s->fingerprint_version = p[0];
                if (p[0] == 4)
                        memcpy(s->fingerprint, p + 1, OPENPGP_FINGERPRINT_SIZE);
                return 0;
        default:
                return 0;
        }
}

/* An area of subpackets (5.2.3.1): its length in two bytes, then each with a length of its own. */
static int take_area(OpenpgpSignature *s, const unsigned char **p, size_t *left, bool hashed) {
        const unsigned char *at = *p + 2;
        size_t n;

        if (*left < 2 || (n = grab(*p, 2)) > *left - 2)
                return -EBADMSG;
        *p += 2 + n;
        *left -= 2 + n;
        while (n > 0) {
                size_t head = at[0] < 192 ? 1 : at[0] < 255 ? 2 : 5, size;
                int r;

                if (head > n)
                        return -EBADMSG;
                size = head == 1 ? at[0] : head == 2 ? ((size_t) (at[0] - 192) << 8) + at[1] + 192 : grab(at + 1, 4);
                if (size == 0 || size > n - head)
                        return -EBADMSG;
                if ((r = take_subpacket(s, at + head, size, hashed)) < 0)
                        return r;
                at += head + size;
                n -= head + size;
        }
        return 0;
}

int openpgp_read_signature(const unsigned char *body, size_t size, OpenpgpSignature *ret) {
        OpenpgpSignature s = { .created = -1 };
        int r;

        if (size < 4)
                return -EBADMSG;
        s.version = body[0];
        if (s.version == 4) {
                s.type = body[1];
                s.algorithm = body[2];
                s.hash = body[3];
                body += 4;
                size -= 4;
                if ((r = take_area(&s, &body, &size, true)) < 0 || (r = take_area(&s, &body, &size, false)) < 0)
                        return r;
                if (size < 4) /* two bytes of the digest, and a number */
                        return -EBADMSG;
                if (s.has_fingerprint && s.has_issuer && s.fingerprint_version == 4)
                        s.issuers_differ |= memcmp(s.fingerprint + OPENPGP_FINGERPRINT_SIZE - sizeof s.issuer, s.issuer, sizeof s.issuer) != 0;
        } else if (s.version == 3) { /* 5.2.2: of packages that distributions signed */
                if (size < 19 || body[1] != 5)
                        return -EBADMSG;
                s.type = body[2];
                s.created = grab(body + 3, 4);
                take_issuer(&s, body + 7);
                s.algorithm = body[15];
                s.hash = body[16];
        }
        *ret = s;
        return 0;
}

/* A number behind its length in bits (3.2). */
static int take_number(const unsigned char **p, size_t *left, unsigned *ret_bits, bool *ret_odd) {
        size_t bits, bytes;

        if (*left < 2)
                return -EBADMSG;
        bits = grab(*p, 2);
        bytes = (bits + 7) / 8;
        if (bits == 0 || bytes > *left - 2 || (*p)[2] >> ((bits - 1) % 8) != 1)
                return -EBADMSG;
        *ret_bits = (unsigned) bits;
        *ret_odd = (*p)[2 + bytes - 1] & 1;
        *p += 2 + bytes;
        *left -= 2 + bytes;
        return 0;
}

int openpgp_read_public_key(const unsigned char *body, size_t size, OpenpgpPublicKey *ret) {
        const unsigned char head[3] = { 0x99, (unsigned char) (size >> 8), (unsigned char) size }, *p = body + 6;
        OpenpgpPublicKey k = {};
        size_t left = size - 6;
        EVP_MD_CTX *ctx;
        bool odd, good;
        int r;

        if (size < 6 || size > UINT16_MAX)
                return -EBADMSG;
        k.version = body[0];
        if (k.version == 4) {
                k.created = grab(body + 1, 4);
                k.algorithm = body[5];
                if ((k.algorithm == ALGORITHM_RSA || k.algorithm == ALGORITHM_RSA_SIGN) &&
                    ((r = take_number(&p, &left, &k.modulus_bits, &odd)) < 0 || (r = take_number(&p, &left, &k.exponent_bits, &k.exponent_is_odd)) < 0 || left > 0))
                        return -EBADMSG;
                ctx = EVP_MD_CTX_new();
                good = ctx && EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) == 1 && EVP_DigestUpdate(ctx, head, sizeof head) == 1 &&
                       EVP_DigestUpdate(ctx, body, size) == 1 && EVP_DigestFinal_ex(ctx, k.fingerprint, NULL) == 1; /* 12.2 */
                EVP_MD_CTX_free(ctx);
                if (!good)
                        return -EIO;
        }
        *ret = k;
        return 0;
}

static int add_block(Text *t, const char *block, size_t size) {
        _cleanup_free_ char *text = strndup(block, size);
        _cleanup_free_ void *data = NULL;
        size_t n;
        int r;

        if (!text)
                return -ENOMEM;
        if ((r = openpgp_dearmor(text, &data, &n)) < 0)
                return r;
        text_append_n(t, data, n);
        return 0;
}

int openpgp_read_blocks(const char *data, size_t size, unsigned char **ret, size_t *ret_size) {
        bool binary = size > 0 && ((unsigned char) *data & 0x80);
        _cleanup_free_ char *text = strndup(data, size);
        const char *block = text && !binary ? strstr(text, ARMOR_BEGIN) : NULL;
        _cleanup_text_ Text t = {};
        unsigned n = 0;
        int r;

        if (!text)
                return -ENOMEM;
        if (binary)
                text_append_n(&t, data, size);
        else if (!block || strlen(text) != size)
                return -EBADMSG;
        while (block) {
                const char *next = strstr(block + 1, ARMOR_BEGIN);

                if (++n > BLOCKS_MAX)
                        return -EBADMSG;
                if ((r = add_block(&t, block, next ? (size_t) (next - block) : strlen(block))) < 0)
                        return r;
                block = next;
        }
        *ret_size = t.size;
        *ret = (unsigned char *) text_take(&t);
        return *ret ? 0 : -ENOMEM;
}

char *openpgp_fingerprint_hex(const unsigned char fingerprint[static OPENPGP_FINGERPRINT_SIZE]) {
        _cleanup_text_ Text t = {};

        for (size_t i = 0; i < OPENPGP_FINGERPRINT_SIZE; i++)
                text_printf(&t, "%02X", fingerprint[i]);
        return text_take(&t);
}

bool openpgp_fingerprint_bytes(const char *s, unsigned char ret[static OPENPGP_FINGERPRINT_SIZE]) {
        if (strlen(s) != 2 * OPENPGP_FINGERPRINT_SIZE || strspn(s, "0123456789ABCDEFabcdef") != 2 * OPENPGP_FINGERPRINT_SIZE)
                return false;
        for (size_t i = 0; i < OPENPGP_FINGERPRINT_SIZE; i++)
                (void) sscanf(s + 2 * i, "%2hhx", &ret[i]);
        return true;
}

static const char *hash_name(unsigned hash) {
        return hash == HASH_MD5 ? "MD5" : hash == HASH_SHA1 ? "SHA-1" : "an unknown digest";
}

static bool hash_is_good(unsigned hash) {
        return hash == HASH_SHA256 || hash == HASH_SHA384 || hash == HASH_SHA512;
}

static int untrusted(Error *e, const char *name, const char *what) {
        return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: %s", name, what);
}

static int check_public_key(const OpenpgpPublicKey *k, const char *name, Error *e) {
        if (k->version != 4)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: it is a key of version %u, and EL8's rpm takes version 4 alone", name, k->version);
        if (k->algorithm == ALGORITHM_RSA_SIGN)
                return untrusted(e, name, "it is marked RSA for signing only (algorithm 3), which EL8's rpm does not know");
        if (k->algorithm != ALGORITHM_RSA)
                return untrusted(e, name, "it is not an RSA key, and EL8's rpm takes no other");
        if (k->modulus_bits < RSA_BITS_MIN)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: %u bits are too few, %d are needed", name, k->modulus_bits, RSA_BITS_MIN);
        if (k->modulus_bits > RSA_BITS_MAX)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: %u bits are more than gpg and rpm can check, %d", name, k->modulus_bits, RSA_BITS_MAX);
        if (k->exponent_bits > EXPONENT_BITS_MAX || k->exponent_bits < 2 || !k->exponent_is_odd)
                return untrusted(e, name, "its public exponent is not an odd number of 2 to 64 bits");
        return 0;
}

/* What of a key's signatures is wanted: its own certification of itself, newest first. */
typedef struct SelfSignatures {
        unsigned char fingerprint[OPENPGP_FINGERPRINT_SIZE];
        OpenpgpSignature newest;
        bool found;
} SelfSignatures;

bool openpgp_is_by(const OpenpgpSignature *s, const unsigned char fingerprint[static OPENPGP_FINGERPRINT_SIZE]) {
        if (s->has_fingerprint)
                return s->fingerprint_version == 4 && memcmp(s->fingerprint, fingerprint, OPENPGP_FINGERPRINT_SIZE) == 0;
        return s->has_issuer && memcmp(s->issuer, fingerprint + OPENPGP_FINGERPRINT_SIZE - sizeof s->issuer, sizeof s->issuer) == 0;
}

static int take_self_signature(SelfSignatures *self, const OpenpgpPacket *p, const char *name, Error *e) {
        OpenpgpSignature s;

        if (openpgp_read_signature(p->body, p->size, &s) < 0)
                return error_set(e, EBADMSG, EXIT_UNTRUSTED, "%s: one of its own signatures is malformed", name);
        if (s.version != 4)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: it has a signature of version %u, and EL8's rpm takes version 4 alone", name, s.version);
        if (!openpgp_is_by(&s, self->fingerprint))
                return 0; /* somebody else's opinion of it */
        if (s.type == KEY_REVOCATION)
                return untrusted(e, name, "it is revoked");
        if (s.type != SUBKEY_BINDING && (s.type < CERTIFICATION_FIRST || s.type > CERTIFICATION_LAST))
                return 0;
        if (s.issuers_differ)
                return untrusted(e, name, "its own signature names two issuers");
        if (!hash_is_good(s.hash))
                return error_hint(e, error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: it certifies itself with %s", name, hash_name(s.hash)),
                                  "gpg --cert-digest-algo SHA256 --quick-set-expire FPR 2y makes that anew; export the key with export-minimal");
        if (s.critical & ~KEY_CRITICAL)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: its own signature has subpacket %d marked critical, which rpm does not know", name,
                                 __builtin_ctzll(s.critical & ~KEY_CRITICAL));
        if (s.type != SUBKEY_BINDING && (!self->found || s.created >= self->newest.created)) {
                self->newest = s;
                self->found = true;
        }
        return 0;
}

int openpgp_check_key(const void *packets, size_t size, const char *name, Error *e) {
        const unsigned char *p = packets;
        SelfSignatures self = {};
        OpenpgpPublicKey key;
        OpenpgpPacket packet;
        size_t n = 0;
        int r;

        while ((r = openpgp_next_packet(&p, &size, &packet)) > 0) {
                bool is_key = packet.tag == OPENPGP_TAG_PUBLIC_KEY || packet.tag == OPENPGP_TAG_PUBLIC_SUBKEY;

                if ((n == 0) != (packet.tag == OPENPGP_TAG_PUBLIC_KEY) || packet.tag == OPENPGP_TAG_SECRET_KEY || packet.tag == OPENPGP_TAG_SECRET_SUBKEY)
                        return error_set(e, EBADMSG, EXIT_UNTRUSTED, "%s: it is not one public key", name);
                n++;
                if (is_key && openpgp_read_public_key(packet.body, packet.size, &key) < 0)
                        return error_set(e, EBADMSG, EXIT_UNTRUSTED, "%s: it is a malformed public key", name);
                /* A subkey that only encrypts is nobody's business here. */
                if (packet.tag == OPENPGP_TAG_PUBLIC_KEY && (r = check_public_key(&key, name, e)) < 0)
                        return r;
                if (packet.tag == OPENPGP_TAG_PUBLIC_KEY)
                        memcpy(self.fingerprint, key.fingerprint, sizeof key.fingerprint);
                if (packet.tag == OPENPGP_TAG_SIGNATURE && (r = take_self_signature(&self, &packet, name, e)) < 0)
                        return r;
        }
        if (r < 0 || n == 0)
                return error_set(e, EBADMSG, EXIT_UNTRUSTED, "%s: it is not a public key", name);
        return self.found ? 0 : untrusted(e, name, "it has no user ID that it certifies itself");
}

static int check_issuer(const OpenpgpSignature *s, const unsigned char *fingerprint, const char *name, Error *e) {
        _cleanup_free_ char *own = openpgp_fingerprint_hex(fingerprint), *other = NULL;
        bool same_id = s->has_issuer && memcmp(s->issuer, fingerprint + OPENPGP_FINGERPRINT_SIZE - sizeof s->issuer, sizeof s->issuer) == 0;

        if (!own)
                return error_oom(e);
        if (s->has_fingerprint && s->fingerprint_version != 4)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: not signed by key %s: a key of version %u signed it", name, own, s->fingerprint_version);
        if (s->has_fingerprint && memcmp(s->fingerprint, fingerprint, OPENPGP_FINGERPRINT_SIZE) != 0) {
                if (!(other = openpgp_fingerprint_hex(s->fingerprint)))
                        return error_oom(e);
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: not signed by key %s: its signature names key %s%s", name, own, other,
                                 same_id ? ", of which only the last 16 digits are the same" : "");
        }
        if (s->issuers_differ)
                return untrusted(e, name, "its signature names two issuers");
        if (!same_id && s->has_issuer)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: not signed by key %s: another key signed it", name, own);
        return s->has_issuer ? 0 : untrusted(e, name, "its signature has no key ID, by which EL8's rpm looks for the key");
}

int openpgp_check_signature(const void *packet, size_t size, const unsigned char *fingerprint, const char *name, Error *e) {
        const unsigned char *p = packet;
        OpenpgpPacket one;
        OpenpgpSignature s;
        int r;

        if (openpgp_next_packet(&p, &size, &one) <= 0 || one.tag != OPENPGP_TAG_SIGNATURE || openpgp_read_signature(one.body, one.size, &s) < 0)
                return error_set(e, EBADMSG, EXIT_UNTRUSTED, "%s: its signature is malformed", name);
        if (size > 0)
                return untrusted(e, name, "something follows its signature");
        if (s.version != 4)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: its signature is of version %u, and only version 4 is taken", name, s.version);
        if (fingerprint && (r = check_issuer(&s, fingerprint, name, e)) < 0)
                return r;
        if (s.type != OPENPGP_BINARY)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: its signature is of type 0x%02x, not one over bytes", name, s.type);
        if (s.algorithm != ALGORITHM_RSA)
                return untrusted(e, name, "its signature is not RSA, and EL8's rpm takes no other");
        if (!hash_is_good(s.hash))
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: its signature is over %s: its digest is too weak", name, hash_name(s.hash));
        if (s.created < 0)
                return untrusted(e, name, "its signature has no date");
        if (s.critical != 0)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: its signature has subpacket %d marked critical, which not every rpm reads then", name,
                                 __builtin_ctzll(s.critical));
        return 0;
}
