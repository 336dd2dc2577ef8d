/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/openpgp-packet.h"

#include <endian.h>
#include <openssl/evp.h>

/* RFC 4880: packet tags in the old format with a two-byte length (4.2.1), algorithms (9.1, 9.4), subpackets (5.2.3.1) */
enum {
        PACKET_SIGNATURE = 0x89, PACKET_PUBLIC_KEY = 0x99, PACKET_USER_ID = 0xb4,
        VERSION_4 = 4, ALGORITHM_RSA = 1, HASH_SHA256 = 8,
        SUBPACKET_CREATED = 2, SUBPACKET_ISSUER = 16, SUBPACKET_PREFERRED_HASH = 21, SUBPACKET_KEY_FLAGS = 27,
        SUBPACKET_ISSUER_FINGERPRINT = 33, /* RFC 9580, 5.2.3.35; gpg has written it since 2.1.16 */
        KEY_FLAGS_CERTIFY_AND_SIGN = 0x03,
};

static void put8(Text *t, unsigned v) {
        unsigned char b = (unsigned char) v;
        text_append_n(t, &b, 1);
}

static void put16(Text *t, size_t v) {
        uint16_t b = htobe16((uint16_t) v);
        text_append_n(t, &b, 2);
}

static void put32(Text *t, uint64_t v) {
        uint32_t b = htobe32((uint32_t) v);
        text_append_n(t, &b, 4);
}

void openpgp_put_mpi(Text *t, const unsigned char *bytes, size_t size) {
        while (size > 0 && *bytes == 0) {
                bytes++;
                size--;
        }
        put16(t, size == 0 ? 0 : size * 8 - (size_t) (__builtin_clz(*bytes) - 24));
        text_append_n(t, bytes, size);
}

static void put_packet(Text *t, unsigned tag, const Text *body) {
        put8(t, tag);
        if (tag == PACKET_USER_ID)
                put8(t, (unsigned) body->size);
        else
                put16(t, body->size);
        text_append_n(t, body->data, body->size);
        t->failed |= body->failed;
}

/* The part of a signature that it covers itself (RFC 4880, 5.2.3). */
static void put_hashed_part(Text *t, const unsigned char *fingerprint, unsigned type, int64_t time) {
        _cleanup_text_ Text sub = {};

        put8(&sub, 22);
        put8(&sub, SUBPACKET_ISSUER_FINGERPRINT);
        put8(&sub, VERSION_4);
        text_append_n(&sub, fingerprint, OPENPGP_FINGERPRINT_SIZE);
        put8(&sub, 5);
        put8(&sub, SUBPACKET_CREATED);
        put32(&sub, (uint64_t) time);
        if (type == OPENPGP_POSITIVE_CERTIFICATION) {
                put8(&sub, 2);
                put8(&sub, SUBPACKET_KEY_FLAGS);
                put8(&sub, KEY_FLAGS_CERTIFY_AND_SIGN);
                put8(&sub, 2);
                put8(&sub, SUBPACKET_PREFERRED_HASH);
                put8(&sub, HASH_SHA256);
        }
        put8(t, VERSION_4);
        put8(t, type);
        put8(t, ALGORITHM_RSA);
        put8(t, HASH_SHA256);
        put16(t, sub.size);
        text_append_n(t, sub.data, sub.size);
        t->failed |= sub.failed;
}

/* What is signed: the subject, the hashed part, and the hashed part's length (RFC 4880, 5.2.4). */
static int digest_subject(const void *subject, size_t size, const Text *hashed, unsigned char ret[static 32]) {
        unsigned char trailer[6] = { VERSION_4, 0xff };
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        uint32_t n = htobe32((uint32_t) hashed->size);
        bool good;

        memcpy(trailer + 2, &n, sizeof n);
        good = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(ctx, subject, size) == 1 &&
               EVP_DigestUpdate(ctx, hashed->data, hashed->size) == 1 && EVP_DigestUpdate(ctx, trailer, sizeof trailer) == 1 &&
               EVP_DigestFinal_ex(ctx, ret, NULL) == 1;
        EVP_MD_CTX_free(ctx);
        return good ? 0 : -EIO;
}

int openpgp_sign(const unsigned char fingerprint[static OPENPGP_FINGERPRINT_SIZE], unsigned type, int64_t time, const void *subject, size_t size,
                 OpenpgpRawSign sign, void *data, void **ret, size_t *ret_size, Error *e) {
        _cleanup_text_ Text hashed = {}, body = {}, packet = {};
        _cleanup_free_ unsigned char *number = NULL;
        unsigned char digest[32];
        size_t number_size = 0;
        char *out;
        int r;

        put_hashed_part(&hashed, fingerprint, type, time);
        if (hashed.failed)
                return error_oom(e);
        if ((r = digest_subject(subject, size, &hashed, digest)) < 0)
                return error_errno(e, -r, "SHA-256");
        if ((r = sign(data, digest, &number, &number_size, e)) < 0)
                return r;
        text_append_n(&body, hashed.data, hashed.size);
        put16(&body, 10); /* what is not covered: whose key it is, by key ID, as rpm looks it up */
        put8(&body, 9);
        put8(&body, SUBPACKET_ISSUER);
        text_append_n(&body, fingerprint + 12, 8);
        text_append_n(&body, digest, 2);
        openpgp_put_mpi(&body, number, number_size);
        put_packet(&packet, PACKET_SIGNATURE, &body);
        *ret_size = packet.size;
        out = text_take(&packet);
        if (!out)
                return error_oom(e);
        *ret = out;
        return 0;
}

/* The key packet's body, and from it the fingerprint (RFC 4880, 12.2). */
static int put_key(Text *body, int64_t created, const Text *numbers, unsigned char *ret_fingerprint) {
        _cleanup_text_ Text packet = {};

        put8(body, VERSION_4);
        put32(body, (uint64_t) created);
        put8(body, ALGORITHM_RSA);
        text_append_n(body, numbers->data, numbers->size);
        body->failed |= numbers->failed;
        put_packet(&packet, PACKET_PUBLIC_KEY, body);
        if (packet.failed)
                return -ENOMEM;
        return EVP_Digest(packet.data, packet.size, ret_fingerprint, NULL, EVP_sha1(), NULL) == 1 ? 0 : -EIO;
}

static int key_failed(int r, Error *e) {
        return r == -ENOMEM ? error_oom(e) : error_errno(e, -r, "SHA-1");
}

int openpgp_make_fingerprint(int64_t created, const Text *numbers, unsigned char ret_fingerprint[static OPENPGP_FINGERPRINT_SIZE], Error *e) {
        _cleanup_text_ Text body = {};
        int r = put_key(&body, created, numbers, ret_fingerprint);

        return r < 0 ? key_failed(r, e) : 0;
}

int openpgp_make_key(int64_t created, const Text *numbers, const char *user_id, OpenpgpRawSign sign, void *data,
                     unsigned char ret_fingerprint[static OPENPGP_FINGERPRINT_SIZE], void **ret, size_t *ret_size, Error *e) {
        _cleanup_text_ Text body = {}, id = {}, subject = {}, t = {};
        _cleanup_free_ void *certification = NULL;
        size_t size = 0;
        char *out;
        int r;

        if ((r = put_key(&body, created, numbers, ret_fingerprint)) < 0)
                return key_failed(r, e);
        text_append(&id, user_id);
        put_packet(&t, PACKET_PUBLIC_KEY, &body);
        put_packet(&t, PACKET_USER_ID, &id);
        put_packet(&subject, PACKET_PUBLIC_KEY, &body);
        put8(&subject, PACKET_USER_ID);
        put32(&subject, id.size);
        text_append(&subject, user_id);
        if (subject.failed || t.failed)
                return error_oom(e);
        r = openpgp_sign(ret_fingerprint, OPENPGP_POSITIVE_CERTIFICATION, created, subject.data, subject.size, sign, data, &certification, &size, e);
        if (r < 0)
                return r;
        text_append_n(&t, certification, size);
        *ret_size = t.size;
        out = text_take(&t);
        if (!out)
                return error_oom(e);
        *ret = out;
        return 0;
}
