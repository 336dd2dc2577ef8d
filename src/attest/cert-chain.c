/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/cert-chain.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "basic/strings.h"

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END   "-----END CERTIFICATE-----"
#define PEM_LINE  "-----"
#define POOL_MAX  4096

/* NVIDIA Device Identity CA; NVIDIA CoRIM signing Root CA. */
static const char *const nvidia_device_roots[] = { "102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48", NULL };
static const char *const nvidia_rim_roots[] = { "12977b5115acb0381179279fffeb5a8c4d264971ebb32298023a465fa41df5d1", NULL };
const TrustRoots trust_roots_nvidia = { nvidia_device_roots, nvidia_rim_roots };

struct CertPool {
        PooledCert **certs;
        size_t n;
};

CertPool *cert_pool_new(void) {
        return calloc(1, sizeof(CertPool));
}

CertPool *cert_pool_free(CertPool *p) {
        if (!p)
                return NULL;
        for (size_t i = 0; i < p->n; i++) {
                X509_free(p->certs[i]->x509);
                free(p->certs[i]);
        }
        free(p->certs);
        free(p);
        return NULL;
}

CertChain *cert_chain_new(void) {
        CertChain *c = calloc(1, sizeof(CertChain));

        if (c) {
                c->not_before = INT64_MIN;
                c->not_after = INT64_MAX;
        }
        return c;
}

CertChain *cert_chain_free(CertChain *c) {
        free(c);
        return NULL;
}

static int asn1_seconds(const ASN1_TIME *t, int64_t *ret) {
        struct tm tm = {};

        if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
                return -EBADMSG;
        *ret = timegm(&tm);
        return 0;
}

static bool is_p384(X509 *x) {
        EVP_PKEY *key = X509_get0_pubkey(x);
        char group[32] = "";

        return key && EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 && streq(group, "secp384r1");
}

static int read_cert(const char *name, const void *der, size_t size, PooledCert *ret, Error *e) {
        const unsigned char *p = der;
        X509 *x;

        x = size <= LONG_MAX ? d2i_X509(NULL, &p, (long) size) : NULL;
        ERR_clear_error();
        ret->x509 = x;
        if (!x || p != (const unsigned char *) der + size)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: a certificate is malformed", name);
        if (asn1_seconds(X509_get0_notBefore(x), &ret->not_before) < 0 || asn1_seconds(X509_get0_notAfter(x), &ret->not_after) < 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: a certificate's time of validity is malformed", name);
        return 0;
}

/* The pool's copy of a certificate. */
static int pool_get(CertPool *pool, const char *name, const void *der, size_t size, PooledCert **ret, Error *e) {
        char sha256[SHA256_HEX_SIZE];
        PooledCert **grown, *c;
        int r;

        if (sha256_buffer(der, size, sha256) < 0)
                return error_oom(e);
        for (size_t i = 0; i < pool->n; i++)
                if (streq(pool->certs[i]->sha256, sha256)) {
                        *ret = pool->certs[i];
                        return 0;
                }
        if (pool->n >= POOL_MAX)
                return error_set(e, E2BIG, EXIT_INVALID, "%s: these are more than %d different certificates", name, POOL_MAX);
        grown = reallocarray(pool->certs, pool->n + 1, sizeof(PooledCert *));
        if (!grown)
                return error_oom(e);
        pool->certs = grown;
        c = calloc(1, sizeof(PooledCert));
        if (!c)
                return error_oom(e);
        memcpy(c->sha256, sha256, sizeof sha256);
        r = read_cert(name, der, size, c, e);
        if (r < 0) {
                X509_free(c->x509);
                free(c);
                return r;
        }
        pool->certs[pool->n++] = *ret = c;
        return 0;
}

int cert_chain_append_der(CertPool *pool, CertChain *c, const char *name, const void *der, size_t size, Error *e) {
        PooledCert *cert = NULL;
        int r;

        if (c->n >= CHAIN_MAX)
                return error_set(e, E2BIG, EXIT_INVALID, "%s: more than %d certificates in one chain", name, CHAIN_MAX);
        r = pool_get(pool, name, der, size, &cert, e);
        if (r < 0)
                return r;
        c->certs[c->n++] = cert;
        c->not_before = MAX(c->not_before, cert->not_before);
        c->not_after = MIN(c->not_after, cert->not_after);
        return 0;
}

static int not_pem(Error *e, const char *name) {
        return error_set(e, EBADMSG, EXIT_INVALID, "%s: not a PEM certificate chain", name);
}

/* Certificates, the NUL that some interfaces count behind them, and around them what explains them (RFC 7468, 2): any text but another
 * encapsulation boundary. */
int cert_chain_from_pem(CertPool *pool, const char *name, const char *pem, size_t size, CertChain **ret, Error *e) {
        _cleanup_(cert_chain_freep) CertChain *c = cert_chain_new();
        _cleanup_free_ char *text = size <= CHAIN_TEXT_MAX ? strndup(pem, size) : NULL;
        const char *p = text;

        if (size > CHAIN_TEXT_MAX)
                return error_set(e, EFBIG, EXIT_INVALID, "%s: a certificate chain has at most %zu bytes", name, CHAIN_TEXT_MAX);
        if (!c || !text)
                return error_oom(e);
        for (size_t i = strlen(text); i < size; i++)
                if (pem[i])
                        return not_pem(e, name);
        while ((p = strstr(p, PEM_LINE))) {
                _cleanup_free_ uint8_t *der = NULL;
                size_t der_size;
                const char *end;
                int r;

                p = startswith(p, PEM_BEGIN);
                end = p ? strstr(p, PEM_END) : NULL;
                if (!end || base64_decode(p, (size_t) (end - p), true, &der, &der_size) < 0)
                        return not_pem(e, name);
                r = cert_chain_append_der(pool, c, name, der, der_size, e);
                if (r < 0)
                        return r;
                p = end + strlen(PEM_END);
        }
        if (c->n == 0)
                return not_pem(e, name);
        *ret = TAKE_PTR(c);
        return 0;
}

static int rejected(Error *e, const char *name, const char *what) {
        return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: %s", name, what);
}

/* In the place of OpenSSL's check of signatures and time, which are our own: each signature once, and the time told apart. */
static int no_signatures(X509_STORE_CTX *ctx) {
        return 1;
}

/* Issuance, basic constraints, key usage, path length, critical extensions: everything else that RFC 5280 wants. */
static int check_extensions(const CertChain *c, const char *name, Error *e) {
        X509_STORE *store = X509_STORE_new();
        X509_STORE_CTX *ctx = X509_STORE_CTX_new();
        STACK_OF(X509) *between = sk_X509_new_null(), *built;
        const char *why = NULL;
        bool memory = store && ctx && between && X509_STORE_add_cert(store, c->certs[c->n - 1]->x509) == 1;

        for (size_t i = 1; memory && i + 1 < c->n; i++)
                memory = sk_X509_push(between, c->certs[i]->x509) > 0;
        if (memory) {
                X509_STORE_set_verify(store, no_signatures);
                (void) X509_STORE_set_flags(store, X509_V_FLAG_X509_STRICT | X509_V_FLAG_NO_CHECK_TIME);
                memory = X509_STORE_CTX_init(ctx, store, c->certs[0]->x509, between) == 1;
        }
        if (memory && X509_verify_cert(ctx) != 1)
                why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
        built = memory && !why ? X509_STORE_CTX_get0_chain(ctx) : NULL;
        if (built) {
                if ((size_t) sk_X509_num(built) != c->n)
                        why = "its certificates are not one chain";
                for (size_t i = 0; !why && i < c->n; i++)
                        if (X509_cmp(sk_X509_value(built, (int) i), c->certs[i]->x509) != 0)
                                why = "its certificates are not in order, leaf first";
        }
        X509_STORE_CTX_free(ctx);
        sk_X509_free(between);
        X509_STORE_free(store);
        ERR_clear_error();
        if (!memory)
                return error_oom(e);
        return why ? rejected(e, name, why) : 0;
}

static int check_signatures(const CertChain *c, const char *name, Error *e) {
        for (size_t i = 0; i + 1 < c->n; i++) {
                const PooledCert *issuer = c->certs[i + 1];

                if (c->certs[i]->verified_by == issuer)
                        continue;
                if (X509_verify(c->certs[i]->x509, X509_get0_pubkey(issuer->x509)) != 1) {
                        ERR_clear_error();
                        return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: the signature on certificate %zu is wrong", name, i + 1);
                }
                c->certs[i]->verified_by = issuer;
        }
        return 0;
}

int cert_chain_verify(CertPool *pool, const CertChain *c, const char *name, const char *const *roots, size_t length, int64_t at, Error *e) {
        bool pinned = false;
        int r;

        if (c->n != length)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: %zu certificates, not %zu", name, c->n, length);
        for (const char *const *root = roots; *root; root++)
                pinned = pinned || streq(*root, c->certs[c->n - 1]->sha256);
        if (!pinned)
                return rejected(e, name, "its last certificate is not the root that is believed");
        for (size_t i = 0; i < c->n; i++)
                if (!is_p384(c->certs[i]->x509) || X509_get_signature_nid(c->certs[i]->x509) != NID_ecdsa_with_SHA384)
                        return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: certificate %zu is not of P-384 and SHA-384", name, i + 1);
        r = check_extensions(c, name, e);
        if (r < 0)
                return r;
        if (!(X509_get_key_usage(c->certs[0]->x509) & KU_DIGITAL_SIGNATURE))
                return rejected(e, name, "its first certificate is not for signatures");
        r = check_signatures(c, name, e);
        if (r < 0)
                return r;
        if (at < c->not_before || at > c->not_after) {
                _cleanup_free_ char *from = time_to_text(c->not_before), *until = time_to_text(c->not_after), *now = time_to_text(at);

                return error_hint(e, error_set(e, EKEYEXPIRED, EXIT_UNTRUSTED, "%s: valid from %s until %s, not at %s", name, from ? from : "?",
                                               until ? until : "?", now ? now : "?"),
                                  "is the clock right? a verdict of another time is reproduced with --at");
        }
        return 0;
}

int cert_chain_check_signature(const CertChain *c, Bytes data, Bytes signature) {
        EVP_PKEY *key = c->n > 0 && is_p384(c->certs[0]->x509) ? X509_get0_pubkey(c->certs[0]->x509) : NULL;
        EVP_MD_CTX *ctx = NULL;
        ECDSA_SIG *sig = NULL;
        BIGNUM *r = NULL, *s = NULL;
        unsigned char *der = NULL;
        int size = 0, ok = 0;

        if (!key || signature.size != SIGNATURE_SIZE)
                return -EKEYREJECTED;
        sig = ECDSA_SIG_new();
        r = BN_bin2bn(signature.data, SIGNATURE_SIZE / 2, NULL);
        s = BN_bin2bn(signature.data + SIGNATURE_SIZE / 2, SIGNATURE_SIZE / 2, NULL);
        if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
                r = s = NULL;
                size = i2d_ECDSA_SIG(sig, &der);
        }
        ctx = size > 0 ? EVP_MD_CTX_new() : NULL;
        if (ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha384(), NULL, key) == 1)
                ok = EVP_DigestVerify(ctx, der, (size_t) size, data.data, data.size);
        EVP_MD_CTX_free(ctx);
        OPENSSL_free(der);
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(sig);
        ERR_clear_error();
        return ok == 1 ? 0 : -EKEYREJECTED;
}
