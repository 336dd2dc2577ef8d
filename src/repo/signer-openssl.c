/* SPDX-License-Identifier: Apache-2.0 */
/* The signer over OpenSSL: a PEM file, encrypted or not, or whatever a provider has a URI for (PKCS#11). */
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/openpgp-packet.h"
#include "repo/signer.h"

#define RSA_BITS_MIN   3072
#define PASSPHRASE_MAX ((size_t) 4096)

typedef struct OpensslSigner {
        EVP_PKEY *key;
        unsigned char fingerprint[OPENPGP_FINGERPRINT_SIZE];
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
                openpgp_put_mpi(t, bytes, (size_t) size);
        }
        BN_free(n);
        return bytes ? 0 : -ENOMEM;
}

static int raw_sign(void *data, const unsigned char digest[static 32], unsigned char **ret, size_t *ret_size, Error *e) {
        OpensslSigner *o = data;
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, o->key, NULL);
        _cleanup_free_ unsigned char *signature = NULL;
        size_t size = 0;
        bool good;

        good = ctx && EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
               EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 && EVP_PKEY_sign(ctx, NULL, &size, digest, 32) == 1 &&
               (signature = malloc(size)) && EVP_PKEY_sign(ctx, signature, &size, digest, 32) == 1;
        EVP_PKEY_CTX_free(ctx);
        if (!good)
                return openssl_error(e, "the signing key", "OpenSSL did not sign with it");
        *ret = TAKE_PTR(signature);
        *ret_size = size;
        return 0;
}

static int openssl_sign(Signer *s, const void *data, size_t size, int64_t time, void **ret, size_t *ret_size, Error *e) {
        OpensslSigner *o = s->data;
        return openpgp_sign(o->fingerprint, OPENPGP_BINARY, time, data, size, raw_sign, o, ret, ret_size, e);
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

static int make_public_key(Signer *s, Error *e) {
        OpensslSigner *o = s->data;
        _cleanup_text_ Text numbers = {}, hex = {};
        int r;

        if (put_parameter(&numbers, o->key, OSSL_PKEY_PARAM_RSA_N) < 0 || put_parameter(&numbers, o->key, OSSL_PKEY_PARAM_RSA_E) < 0)
                return openssl_error(e, "the signing key", "its public part cannot be exported");
        r = openpgp_make_key(s->created, &numbers, s->user_id, raw_sign, o, o->fingerprint, &s->public_key, &s->public_key_size, e);
        if (r < 0)
                return r;
        for (size_t i = 0; i < sizeof o->fingerprint; i++)
                text_printf(&hex, "%02X", o->fingerprint[i]);
        s->fingerprint = text_take(&hex);
        return s->fingerprint ? 0 : error_oom(e);
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
