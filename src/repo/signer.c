/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/signer.h"

#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "repo/keyring.h"
#include "repo/openpgp-read.h"

Signer *signer_free(Signer *s) {
        if (!s)
                return NULL;
        if (s->type)
                s->type->free(s);
        free(s->fingerprint);
        free(s->user_id);
        free(s->public_key);
        free(s->name);
        text_free(&s->numbers);
        EVP_PKEY_free(s->verifier);
        strv_free(s->warnings);
        free(s);
        return NULL;
}

static bool user_id_is_valid(const char *s) {
        if (!*s || strlen(s) > 255)
                return false;
        for (; *s; s++)
                if ((unsigned char) *s < ' ' || *s == 0x7f)
                        return false;
        return true;
}

int signer_new(const SignerType *type, const char *user_id, int64_t created, Signer **ret, Error *e) {
        _cleanup_(signer_freep) Signer *s = NULL;

        if (!user_id_is_valid(user_id))
                return error_set(e, EINVAL, EXIT_USAGE, "a key's user ID has 1 to 255 bytes without control characters");
        if (created <= 0 || created > UINT32_MAX)
                return error_set(e, EINVAL, EXIT_USAGE, "a key is made between 1970 and 2106");
        if (created > (int64_t) time(NULL))
                return error_set(e, EINVAL, EXIT_USAGE, "a key of the future is no key yet: nobody takes its signatures");
        s = calloc(1, sizeof(*s));
        if (!s || !(s->user_id = strdup(user_id)))
                return error_oom(e);
        s->type = type;
        s->created = created;
        *ret = TAKE_PTR(s);
        return 0;
}

int signer_warn(Signer *s, char *warning, Error *e) {
        _cleanup_free_ char *w = warning;
        return !w || strv_append(&s->warnings, w) >= 0 ? 0 : error_oom(e);
}

/* The numbers as OpenSSL's key; NULL: they are none. */
static EVP_PKEY *public_key(const void *modulus, size_t modulus_size, const void *exponent, size_t exponent_size) {
        BIGNUM *n = BN_bin2bn(modulus, (int) modulus_size, NULL), *x = BN_bin2bn(exponent, (int) exponent_size, NULL);
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
        OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
        OSSL_PARAM *params = NULL;
        EVP_PKEY *key = NULL;

        if (n && x && ctx && b && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) == 1 && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, x) == 1 &&
            (params = OSSL_PARAM_BLD_to_param(b)) && EVP_PKEY_fromdata_init(ctx) == 1)
                (void) EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
        OSSL_PARAM_free(params);
        OSSL_PARAM_BLD_free(b);
        EVP_PKEY_CTX_free(ctx);
        BN_free(n);
        BN_free(x);
        return key;
}

static bool is_good(const Signer *s, const unsigned char *digest, const unsigned char *signature, size_t size) {
        EVP_PKEY_CTX *ctx = s->verifier ? EVP_PKEY_CTX_new_from_pkey(NULL, s->verifier, NULL) : NULL;
        bool good = ctx && EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
                    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 && EVP_PKEY_verify(ctx, signature, size, digest, 32) == 1;

        EVP_PKEY_CTX_free(ctx);
        return good;
}

/* What the private key signs is good by the public one: a damaged file, or a token's other key, is found here and not by clients. */
static int certify(void *data, const unsigned char *digest, unsigned char **ret, size_t *ret_size, Error *e) {
        Signer *s = data;
        int r;

        if (s->certification_size > 0 && is_good(s, digest, s->certification, s->certification_size)) {
                if (!(*ret = malloc(s->certification_size)))
                        return error_oom(e);
                memcpy(*ret, s->certification, *ret_size = s->certification_size);
                return 0;
        }
        s->certification_size = 0;
        if ((r = s->type->sign(s, digest, ret, ret_size, e)) < 0)
                return r;
        if (!is_good(s, digest, *ret, *ret_size)) {
                free(*ret);
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: its private key does not belong to its public one", s->name);
        }
        if (*ret_size <= sizeof(s->certification))
                memcpy(s->certification, *ret, s->certification_size = *ret_size);
        return 0;
}

int signer_set_rsa(Signer *s, const void *modulus, size_t modulus_size, const void *exponent, size_t exponent_size, const char *name, Error *e) {
        int r;

        openpgp_put_mpi(&s->numbers, modulus, modulus_size);
        openpgp_put_mpi(&s->numbers, exponent, exponent_size);
        s->verifier = public_key(modulus, modulus_size, exponent, exponent_size);
        if (s->numbers.failed || !(s->name = strdup(name)))
                return error_oom(e);
        if ((r = openpgp_make_fingerprint(s->created, &s->numbers, s->signing, e)) < 0)
                return r;
        s->fingerprint = openpgp_fingerprint_hex(s->signing);
        return s->fingerprint ? 0 : error_oom(e);
}

int signer_certify(Signer *s, Error *e) {
        int r;

        if (s->public_key)
                return 0;
        r = openpgp_make_key(s->created, &s->numbers, s->user_id, certify, s, s->signing, &s->public_key, &s->public_key_size, e);
        return r < 0 ? r : openpgp_check_key(s->public_key, s->public_key_size, s->name, e);
}

int signer_check_expiry(const Signer *s, int64_t now, unsigned days, Error *e) {
        int64_t left = s->expires - now;
        int r;

        if (s->expires == 0 || left > (int64_t) days * 86400)
                return 0;
        r = error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "signing key %s: it expires in %" PRIi64 " days, and %u are wanted", s->fingerprint,
                      left > 0 ? left / 86400 : 0, days);
        return error_hint(e, r, "extend it (gpg --quick-set-expire) or take another; --key-valid-for says how long it has to live");
}

/* GnuPG keeps the two halves of a key apart: one may have been put back without the other. Of other keys certify() finds it out. */
static int prove(Signer *s, const void *data, size_t size, const void *signature, size_t signature_size, const char *name, Error *e) {
        _cleanup_(keyring_freep) Keyring *k = NULL;
        _cleanup_error_ Error ignored = ERROR_INIT;
        int r;

        if (s->verifier || atomic_load(&s->proved))
                return 0;
        if ((r = keyring_new_own(&(Signers){ .v = { s }, .n = 1 }, &k, e)) < 0)
                return r;
        if (keyring_verify(k, data, size, signature, signature_size, name, NULL, NULL, &ignored) < 0)
                return error_hint(e, error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: what its secret part signs is not good by its public one", name),
                                  "put both halves of the key back from one backup, or name another key");
        atomic_store(&s->proved, true);
        return 0;
}

int signer_sign(Signer *s, const void *data, size_t size, int64_t time, void **ret, size_t *ret_size, Error *e) {
        _cleanup_free_ char *name = format("signing key %s", s->fingerprint);
        void *signature = NULL;
        int r;

        if (!name)
                return error_oom(e);
        r = openpgp_sign(s->signing, OPENPGP_BINARY, MAX(time, s->created), data, size, s->type->sign, s, &signature, ret_size, e);
        if (r >= 0 && ((r = openpgp_check_signature(signature, *ret_size, s->signing, name, e)) < 0 || (r = prove(s, data, size, signature, *ret_size, name, e)) < 0))
                free(TAKE_PTR(signature));
        if (r >= 0)
                *ret = signature;
        return r;
}

void signers_clear(Signers *s) {
        for (size_t i = 0; i < s->n; i++)
                signer_free(s->v[i]);
        *s = (Signers){};
}

const char *signers_also(const Signers *s) {
        return s->n > 1 ? s->v[1]->fingerprint : "";
}

bool signers_have(const Signers *s, const char *fingerprint) {
        for (size_t i = 0; i < s->n; i++)
                if (streq(s->v[i]->fingerprint, fingerprint))
                        return true;
        return false;
}

int signers_sign_armored(const Signers *s, const void *data, size_t size, int64_t time, char **ret, Error *e) {
        _cleanup_text_ Text all = {};

        for (size_t i = 0; i < s->n; i++) {
                _cleanup_free_ void *one = NULL;
                size_t one_size;
                int r = signer_sign(s->v[i], data, size, time, &one, &one_size, e);

                if (r < 0)
                        return r;
                text_append_n(&all, one, one_size);
        }
        *ret = all.failed ? NULL : openpgp_armor("SIGNATURE", all.data, all.size);
        return *ret ? 0 : error_oom(e);
}

char *signers_public_keys(const Signers *s) {
        _cleanup_text_ Text t = {};

        for (size_t i = 0; i < s->n; i++) {
                _cleanup_free_ char *block = openpgp_armor("PUBLIC KEY BLOCK", s->v[i]->public_key, s->v[i]->public_key_size);

                if (!block)
                        return NULL;
                text_append(&t, block);
        }
        return text_take(&t);
}
