/* SPDX-License-Identifier: Apache-2.0 */
/* The signer over OpenSSL: a key in a file, or whatever a provider of openssl.cnf has a URI for. */
#include <ctype.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#include "basic/strings.h"
#include "repo/private-key.h"
#include "repo/signer.h"

static void openssl_free(Signer *s) {
        EVP_PKEY_free(s->data);
}

static int openssl_error(Error *e, const char *name, const char *what) {
        unsigned long code = ERR_peek_last_error();
        const char *reason = code ? ERR_reason_error_string(code) : NULL;

        ERR_clear_error();
        return error_set(e, EIO, EXIT_FAILED, "%s: %s%s%s", name, what, reason ? ": " : "", reason ? reason : "");
}

static int openssl_sign(void *data, const unsigned char digest[static 32], unsigned char **ret, size_t *ret_size, Error *e) {
        const Signer *s = data;
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, s->data, NULL);
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

static const SignerType signer_openssl = { .name = "openssl", .sign = openssl_sign, .free = openssl_free };

/* "scheme:..." (RFC 3986, 3.1), unless a file is called so. "file:" is told by private_key_read(). */
static bool is_uri(const char *s) {
        size_t n = 0;

        while (isalnum((unsigned char) s[n]) || strchr("+-.", s[n] ? s[n] : ' '))
                n++;
        return n > 1 && isalpha((unsigned char) *s) && s[n] == ':' && access(s, F_OK) < 0;
}

/* "file:/PATH" and "file:///PATH" are files as well. */
static const char *path_of(const char *uri) {
        const char *path = startswith(uri, "file://");

        if (!path)
                path = startswith(uri, "file:");
        return path && *path == '/' ? path : uri;
}

static int give_secret(char *buffer, int size, int writing, void *userdata) {
        const char *secret = userdata;
        size_t n = secret ? strlen(secret) : 0;

        if (n == 0 || n > (size_t) size)
                return -1;
        memcpy(buffer, secret, n);
        return (int) n;
}

static int load_from_provider(Signer *s, const char *uri, const SecretSource *source, Error *e) {
        _cleanup_(secret_freep) char *secret = NULL;
        UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(give_secret, 0);
        OSSL_STORE_CTX *store;
        char *warning = NULL;
        int r;

        r = secret_read(source, uri, &secret, &warning, e);
        if (r < 0 || (r = signer_warn(s, warning, e)) < 0) {
                UI_destroy_method(ui);
                return r;
        }
        store = ui ? OSSL_STORE_open(uri, ui, secret, NULL, NULL) : NULL;
        while (store && !s->data && !OSSL_STORE_eof(store)) {
                OSSL_STORE_INFO *info = OSSL_STORE_load(store);

                if (!info && OSSL_STORE_error(store))
                        break;
                if (info && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
                        s->data = OSSL_STORE_INFO_get1_PKEY(info);
                OSSL_STORE_INFO_free(info);
        }
        OSSL_STORE_close(store);
        UI_destroy_method(ui);
        return s->data ? 0 : error_hint(e, openssl_error(e, uri, "no provider of OpenSSL's has a private key there"),
                                        "a file is named by its path; providers are named in openssl.cnf (OPENSSL_CONF)");
}

static int take_number(EVP_PKEY *key, const char *parameter, unsigned char **ret, size_t *ret_size) {
        BIGNUM *n = NULL;

        if (EVP_PKEY_get_bn_param(key, parameter, &n) != 1)
                return -EIO;
        *ret_size = (size_t) BN_num_bytes(n);
        *ret = malloc(*ret_size + 1);
        if (*ret)
                (void) BN_bn2bin(n, *ret);
        BN_free(n);
        return *ret ? 0 : -ENOMEM;
}

static int take_key(Signer *s, const char *uri, Error *e) {
        _cleanup_free_ unsigned char *modulus = NULL, *exponent = NULL;
        size_t modulus_size, exponent_size;

        if (!EVP_PKEY_is_a(s->data, "RSA"))
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: it is not an RSA key, and EL8's rpm takes no other", uri);
        if (take_number(s->data, OSSL_PKEY_PARAM_RSA_N, &modulus, &modulus_size) < 0 || take_number(s->data, OSSL_PKEY_PARAM_RSA_E, &exponent, &exponent_size) < 0)
                return openssl_error(e, uri, "its public part cannot be exported");
        return signer_set_rsa(s, modulus, modulus_size, exponent, exponent_size, uri, e);
}

int signer_openssl_new(const char *uri, const SecretSource *secret, const char *user_id, int64_t created, Signer **ret, Error *e) {
        _cleanup_(signer_freep) Signer *s = NULL;
        const char *path = path_of(uri);
        char *warning = NULL;
        EVP_PKEY *key = NULL;
        int r;

        if ((r = signer_new(&signer_openssl, user_id, created, &s, e)) < 0)
                return r;
        if (path == uri && is_uri(uri))
                r = load_from_provider(s, uri, secret, e);
        else if ((r = private_key_read(path, secret, &key, &warning, e)) >= 0) {
                s->data = key;
                r = signer_warn(s, warning, e);
        }
        if (r < 0 || (r = take_key(s, uri, e)) < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}
