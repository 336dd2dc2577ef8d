/* SPDX-License-Identifier: Apache-2.0 */
/* The signer over OpenSSL: a PEM file, encrypted or not, or whatever a provider has a URI for (PKCS#11). It writes the OpenPGP packets
 * that gpg would (RFC 4880): a v4 RSA key with one user ID, and v4 signatures with SHA-256. */
#include <endian.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#include "basic/digest.h"
#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/signer.h"

#define RSA_BITS_MIN   3072
#define PASSPHRASE_MAX ((size_t) 4096)

/* RFC 4880: packet tags in the old format with a two-byte length (4.2.1), algorithms (9.1, 9.4), signature types (5.2.1), subpackets (5.2.3.1) */
enum {
        PACKET_SIGNATURE = 0x89, PACKET_PUBLIC_KEY = 0x99, PACKET_USER_ID = 0xb4,
        VERSION_4 = 4, ALGORITHM_RSA = 1, HASH_SHA256 = 8,
        SIGNATURE_BINARY = 0x00, SIGNATURE_POSITIVE_CERTIFICATION = 0x13,
        SUBPACKET_CREATED = 2, SUBPACKET_ISSUER = 16, SUBPACKET_PREFERRED_HASH = 21, SUBPACKET_KEY_FLAGS = 27,
        SUBPACKET_ISSUER_FINGERPRINT = 33, /* RFC 9580, 5.2.3.35; gpg has written it since 2.1.16 */
        KEY_FLAGS_CERTIFY_AND_SIGN = 0x03,
};

typedef struct OpensslSigner {
        EVP_PKEY *key;
        unsigned char fingerprint[20];
} OpensslSigner;

static void openssl_free(Signer *s) {
        OpensslSigner *o = s->data;

        if (o)
                EVP_PKEY_free(o->key);
        free(o);
}

static int openssl_error(Error *e, const char *name, const char *what) {
        unsigned long code = ERR_peek_last_error();
        const char *reason = code ? ERR_reason_error_string(code) : NULL;

        ERR_clear_error();
        return error_set(e, EIO, EXIT_FAILED, "%s: %s%s%s", name, what, reason ? ": " : "", reason ? reason : "");
}

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

/* A number without leading zeros, behind its length in bits (RFC 4880, 3.2). */
static void put_mpi(Text *t, const unsigned char *bytes, size_t size) {
        while (size > 0 && *bytes == 0) {
                bytes++;
                size--;
        }
        put16(t, size == 0 ? 0 : size * 8 - (size_t) (__builtin_clz(*bytes) - 24));
        text_append_n(t, bytes, size);
}

static int put_parameter(Text *t, EVP_PKEY *key, const char *parameter) {
        BIGNUM *n = NULL;
        _cleanup_free_ unsigned char *bytes = NULL;
        int size;

        if (EVP_PKEY_get_bn_param(key, parameter, &n) != 1)
                return -EIO;
        size = BN_num_bytes(n);
        bytes = malloc((size_t) size + 1);
        if (bytes) {
                (void) BN_bn2bin(n, bytes);
                put_mpi(t, bytes, (size_t) size);
        }
        BN_free(n);
        return bytes ? 0 : -ENOMEM;
}

static void put_packet(Text *t, unsigned tag, const Text *body) {
        put8(t, tag);
        if (tag == PACKET_USER_ID)
                put8(t, (unsigned) body->size);
        else
                put16(t, body->size);
        text_append_n(t, body->data, body->size);
}

/* The part of a signature that it covers itself (RFC 4880, 5.2.3). */
static void put_hashed_part(Text *t, const OpensslSigner *o, unsigned type, int64_t time) {
        _cleanup_text_ Text sub = {};

        put8(&sub, 22);
        put8(&sub, SUBPACKET_ISSUER_FINGERPRINT);
        put8(&sub, VERSION_4);
        text_append_n(&sub, o->fingerprint, sizeof o->fingerprint);
        put8(&sub, 5);
        put8(&sub, SUBPACKET_CREATED);
        put32(&sub, (uint64_t) time);
        if (type == SIGNATURE_POSITIVE_CERTIFICATION) {
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

/* RSA over SHA-256 of data; *digest gets the SHA-256, whose first two bytes an OpenPGP signature shows. */
static int sign_bytes(const OpensslSigner *o, const Text *data, unsigned char digest[static 32], Text *ret) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        _cleanup_free_ unsigned char *signature = NULL;
        size_t size = 0;
        int r = -EIO;

        if (ctx && EVP_Digest(data->data, data->size, digest, NULL, EVP_sha256(), NULL) == 1 &&
            EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, o->key, NULL) == 1 &&
            EVP_DigestSign(ctx, NULL, &size, (const unsigned char *) data->data, data->size) == 1 && (signature = malloc(size)) &&
            EVP_DigestSign(ctx, signature, &size, (const unsigned char *) data->data, data->size) == 1) {
                put_mpi(ret, signature, size);
                r = 0;
        }
        EVP_MD_CTX_free(ctx);
        return r;
}

/* A signature packet over subject (for a certification: the key and user ID as RFC 4880, 5.2.4 lays them out). */
static int put_signature(Text *t, const OpensslSigner *o, unsigned type, int64_t time, const void *subject, size_t size) {
        _cleanup_text_ Text hashed = {}, data = {}, mpi = {}, body = {};
        unsigned char digest[32];
        int r;

        put_hashed_part(&hashed, o, type, time);
        text_append_n(&data, subject, size);
        text_append_n(&data, hashed.data, hashed.size);
        put8(&data, VERSION_4);
        put8(&data, 0xff);
        put32(&data, hashed.size);
        if (hashed.failed || data.failed)
                return -ENOMEM;
        r = sign_bytes(o, &data, digest, &mpi);
        if (r < 0)
                return r;
        text_append_n(&body, hashed.data, hashed.size);
        put16(&body, 10); /* what is not covered: whose key it is, by key ID, as rpm looks it up */
        put8(&body, 9);
        put8(&body, SUBPACKET_ISSUER);
        text_append_n(&body, o->fingerprint + 12, 8);
        text_append_n(&body, digest, 2);
        text_append_n(&body, mpi.data, mpi.size);
        put_packet(t, PACKET_SIGNATURE, &body);
        return mpi.failed || body.failed || t->failed ? -ENOMEM : 0;
}

static int take(Text *t, void **ret, size_t *ret_size) {
        size_t size = t->size;
        char *p = text_take(t);

        if (!p)
                return -ENOMEM;
        *ret = p;
        *ret_size = size;
        return 0;
}

static int openssl_sign(Signer *s, const void *data, size_t size, int64_t time, void **ret, size_t *ret_size, Error *e) {
        _cleanup_text_ Text t = {};
        int r;

        r = put_signature(&t, s->data, SIGNATURE_BINARY, time, data, size);
        if (r == 0)
                r = take(&t, ret, ret_size);
        return r == -ENOMEM ? error_oom(e) : r < 0 ? openssl_error(e, s->fingerprint, "OpenSSL did not sign with this key") : 0;
}

static const SignerType signer_openssl = { .name = "openssl", .sign = openssl_sign, .free = openssl_free };

static int give_passphrase(char *buffer, int size, int writing, void *userdata) {
        const char *passphrase = userdata;
        size_t n = passphrase ? strlen(passphrase) : 0;

        if (n == 0 || n > (size_t) size)
                return -1;
        memcpy(buffer, passphrase, n);
        return (int) n;
}

static int read_passphrase(const char *path, char **ret, Error *e) {
        char *s;
        int r;

        r = read_file(AT_FDCWD, path, PASSPHRASE_MAX, &s, NULL);
        if (r < 0)
                return error_errno(e, -r, "%s", path);
        s[strcspn(s, "\r\n")] = '\0';
        *ret = s;
        return 0;
}

static EVP_PKEY *load_private_key(const char *uri, char *passphrase) {
        UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(give_passphrase, 0);
        OSSL_STORE_CTX *store = ui ? OSSL_STORE_open(uri, ui, passphrase, NULL, NULL) : NULL;
        EVP_PKEY *key = NULL;

        while (store && !key && !OSSL_STORE_eof(store)) {
                OSSL_STORE_INFO *info = OSSL_STORE_load(store);

                if (!info && OSSL_STORE_error(store))
                        break;
                if (info && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
                        key = OSSL_STORE_INFO_get1_PKEY(info);
                OSSL_STORE_INFO_free(info);
        }
        OSSL_STORE_close(store);
        UI_destroy_method(ui);
        return key;
}

/* The key packet's body, and from it the fingerprint (RFC 4880, 12.2). */
static int put_key(Text *body, OpensslSigner *o, int64_t created) {
        _cleanup_text_ Text packet = {};
        int r;

        put8(body, VERSION_4);
        put32(body, (uint64_t) created);
        put8(body, ALGORITHM_RSA);
        r = put_parameter(body, o->key, OSSL_PKEY_PARAM_RSA_N);
        if (r == 0)
                r = put_parameter(body, o->key, OSSL_PKEY_PARAM_RSA_E);
        if (r < 0)
                return r;
        put_packet(&packet, PACKET_PUBLIC_KEY, body);
        if (body->failed || packet.failed)
                return -ENOMEM;
        return EVP_Digest(packet.data, packet.size, o->fingerprint, NULL, EVP_sha1(), NULL) == 1 ? 0 : -EIO;
}

static int make_public_key(Signer *s, Error *e) {
        OpensslSigner *o = s->data;
        _cleanup_text_ Text body = {}, id = {}, subject = {}, t = {}, hex = {};
        int r;

        r = put_key(&body, o, s->created);
        if (r == 0) {
                put_packet(&t, PACKET_PUBLIC_KEY, &body);
                text_append(&id, s->user_id);
                put_packet(&t, PACKET_USER_ID, &id);
                put_packet(&subject, PACKET_PUBLIC_KEY, &body);
                put8(&subject, PACKET_USER_ID);
                put32(&subject, id.size);
                text_append(&subject, s->user_id);
                r = subject.failed || t.failed ? -ENOMEM
                                               : put_signature(&t, o, SIGNATURE_POSITIVE_CERTIFICATION, s->created, subject.data, subject.size);
        }
        for (size_t i = 0; i < sizeof o->fingerprint; i++)
                text_printf(&hex, "%02X", o->fingerprint[i]);
        if (r == 0)
                r = take(&t, &s->public_key, &s->public_key_size);
        if (r == -ENOMEM || !(s->fingerprint = text_take(&hex)))
                return error_oom(e);
        return r < 0 ? openssl_error(e, "the signing key", "its public part cannot be exported or it does not sign") : 0;
}

static int check_key(EVP_PKEY *key, const char *uri, Error *e) {
        if (!EVP_PKEY_is_a(key, "RSA"))
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: it is not an RSA key, and EL8's rpm takes no other", uri);
        if (EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: %d bits are too few, %d are needed", uri, EVP_PKEY_get_bits(key), RSA_BITS_MIN);
        return 0;
}

static bool user_id_is_valid(const char *s) {
        if (!*s || strlen(s) > 255)
                return false;
        for (; *s; s++)
                if ((unsigned char) *s < ' ' || *s == 0x7f)
                        return false;
        return true;
}

int signer_openssl_new(const char *uri, const char *passphrase_file, const char *user_id, int64_t created, Signer **ret, Error *e) {
        _cleanup_(signer_freep) Signer *s = NULL;
        _cleanup_free_ char *passphrase = NULL;
        OpensslSigner *o;
        int r;

        if (!user_id_is_valid(user_id))
                return error_set(e, EINVAL, EXIT_USAGE, "a key's user ID has 1 to 255 bytes without control characters");
        if (created <= 0 || created > UINT32_MAX)
                return error_set(e, EINVAL, EXIT_USAGE, "a key is made between 1970 and 2106");
        if (passphrase_file) {
                r = read_passphrase(passphrase_file, &passphrase, e);
                if (r < 0)
                        return r;
        }
        s = calloc(1, sizeof(Signer));
        o = s ? calloc(1, sizeof(OpensslSigner)) : NULL;
        if (!o)
                return error_oom(e);
        s->type = &signer_openssl;
        s->data = o;
        s->created = created;
        s->user_id = strdup(user_id);
        if (!s->user_id)
                return error_oom(e);
        o->key = load_private_key(uri, passphrase);
        if (passphrase)
                explicit_bzero(passphrase, strlen(passphrase));
        if (!o->key)
                return error_hint(e, openssl_error(e, uri, "no private key could be read"),
                                  passphrase_file ? "is it the file's passphrase that %s holds?" : "if it is encrypted, give --passphrase-file", passphrase_file);
        r = check_key(o->key, uri, e);
        if (r == 0)
                r = make_public_key(s, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}
