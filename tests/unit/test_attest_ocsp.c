/* SPDX-License-Identifier: Apache-2.0 */
/* Which answers of a responder are believed: one that is right, and each way in which one is not. */
#include <openssl/ocsp.h>
#include <openssl/rand.h>

#include "attest/collateral.h"
#include "maker.h"
#include "run.h"

static Maker m;
static Authority delegated, expired, plain, stranger, other, small, device;
static uint8_t nonce[OCSP_NONCE_SIZE];

/* What an answer is like; all zero: as it should be. */
typedef struct Spec {
        const Authority *signer;                 /* NULL: delegated */
        int status, reason;
        int64_t from, until;                     /* relative to MAKER_TIME; until 0: an hour; -1: not told */
        bool no_nonce, other_nonce, other_cert, twice, sha1_id, sha256_signature, wrong_signature, as_issuer;
        int response_status;
} Spec;

static void setup(void) {
        CertSpec spec = { .name = "Responder", .from = MAKER_START, .until = MAKER_END, .ocsp = true };

        maker_init(&m);
        authority_make(&m, &m.gpu_ica, &spec, &delegated);
        authority_make(&m, &m.switch_ica, &spec, &stranger); /* certified, but by another authority */
        spec.until = MAKER_TIME - 1000;
        authority_make(&m, &m.gpu_ica, &spec, &expired);
        spec = (CertSpec) { .name = "No Responder", .from = MAKER_START };
        authority_make(&m, &m.gpu_ica, &spec, &plain);
        spec = (CertSpec) { .name = "Small", .from = MAKER_START, .ocsp = true, .curve = "P-256" };
        authority_make(&m, &m.gpu_ica, &spec, &small);
        spec = (CertSpec) { .name = "GH100 A01 GSP BROM", .from = MAKER_START, .authority = true, .path_length = -1 };
        authority_make(&m, &m.gpu_ica, &spec, &device);
        authority_make(&m, &m.gpu_ica, &spec, &other);
        ck_assert_int_eq(RAND_bytes(nonce, sizeof nonce), 1);
}

static void teardown(void) {
        Authority *all[] = { &delegated, &expired, &plain, &stranger, &other, &small, &device };

        for (size_t i = 0; i < ELEMENTSOF(all); i++)
                authority_done(all[i]);
        maker_done(&m);
}

static void add_single(OCSP_BASICRESP *basic, const Spec *s, X509 *cert) {
        OCSP_CERTID *id = OCSP_cert_to_id(s->sha1_id ? EVP_sha1() : EVP_sha384(), cert, m.gpu_ica.cert);
        ASN1_TIME *revoked = s->status == V_OCSP_CERTSTATUS_REVOKED ? ASN1_TIME_set(NULL, MAKER_TIME - 5000) : NULL,
                  *from = ASN1_TIME_set(NULL, MAKER_TIME + s->from), *until = s->until < 0 && s->until == -1 ? NULL : ASN1_TIME_set(NULL, MAKER_TIME + (s->until ? s->until : 3600));

        ck_assert_ptr_nonnull(OCSP_basic_add1_status(basic, id, s->status, s->reason, revoked, from, until));
        OCSP_CERTID_free(id);
        ASN1_TIME_free(revoked);
        ASN1_TIME_free(from);
        ASN1_TIME_free(until);
}

static int make(const Spec *s, unsigned char **ret) {
        const Authority *signer = s->signer ? s->signer : &delegated;
        OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
        OCSP_RESPONSE *response;
        uint8_t copy[OCSP_NONCE_SIZE];
        ASN1_GENERALIZEDTIME *produced;
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        EVP_PKEY_CTX *pctx;
        int size;

        memcpy(copy, nonce, sizeof copy);
        copy[3] ^= s->other_nonce;
        add_single(basic, s, s->other_cert ? other.cert : device.cert);
        if (s->twice)
                add_single(basic, s, device.cert);
        if (!s->no_nonce)
                ck_assert_int_eq(OCSP_basic_add1_nonce(basic, copy, sizeof copy), 1);
        ck_assert_int_eq(EVP_DigestSignInit(ctx, &pctx, s->sha256_signature ? EVP_sha256() : EVP_sha384(), NULL, signer->key), 1);
        /* Signing would stamp it with today. */
        produced = (ASN1_GENERALIZEDTIME *) OCSP_resp_get0_produced_at(basic);
        ck_assert_ptr_nonnull(ASN1_GENERALIZEDTIME_set(produced, MAKER_TIME + s->from));
        ck_assert_int_eq(OCSP_basic_sign_ctx(basic, signer->cert, ctx, NULL, OCSP_NOTIME), 1);
        response = OCSP_response_create(s->response_status, s->response_status ? NULL : basic);
        *ret = NULL;
        size = i2d_OCSP_RESPONSE(response, ret);
        ck_assert_int_gt(size, 0);
        OCSP_RESPONSE_free(response);
        OCSP_BASICRESP_free(basic);
        EVP_MD_CTX_free(ctx);
        return size;
}

static int ask(const Spec *s, const OcspQuestion *base, OcspResult *ret, Error *e) {
        const OcspQuery query = { device.cert, m.gpu_ica.cert };
        OcspQuestion q = base ? *base : (OcspQuestion) { .digest = "sha384", .nonce = nonce, .at = MAKER_TIME };
        unsigned char *der;
        int size = make(s, &der), r;

        q.query = &query;
        q.name = "answer";
        if (s->wrong_signature)
                der[size / 3] ^= 1;
        r = ocsp_response_read(&q, der, (size_t) size, ret, e);
        OPENSSL_free(der);
        return r;
}

START_TEST(good) {
        _cleanup_error_ Error e = ERROR_INIT;
        Spec s = {};
        OcspResult r = {};

        ck_assert_int_eq(ask(&s, NULL, &r, &e), 0);
        ck_assert(r.status == OCSP_GOOD && r.nonce_matches && r.response_valid && r.next_update == MAKER_TIME + 3600);
        /* By the issuer itself. */
        s.signer = &m.gpu_ica;
        ck_assert_int_eq(ask(&s, NULL, &r, &e), 0);
        /* Without an end, but with the nonce. */
        s = (Spec) { .until = -1 };
        ck_assert_int_eq(ask(&s, NULL, &r, &e), 0);
        ck_assert_int_eq(r.next_update, 0);
        /* A stored one, about a CertID of any digest. */
        s = (Spec) { .sha1_id = true, .no_nonce = true };
        ck_assert_int_eq(ask(&s, &(OcspQuestion) { .at = MAKER_TIME }, &r, &e), 0);
        ck_assert(!r.nonce_matches && r.response_valid);
}
END_TEST

START_TEST(statuses) {
        const struct { int status, reason; OcspStatus wanted; } list[] = {
                { V_OCSP_CERTSTATUS_REVOKED, OCSP_REVOKED_STATUS_KEYCOMPROMISE, OCSP_REVOKED },
                { V_OCSP_CERTSTATUS_REVOKED, OCSP_REVOKED_STATUS_CERTIFICATEHOLD, OCSP_HELD },
                { V_OCSP_CERTSTATUS_REVOKED, -1, OCSP_REVOKED },
                { V_OCSP_CERTSTATUS_UNKNOWN, -1, OCSP_UNKNOWN },
        };

        for (size_t i = 0; i < ELEMENTSOF(list); i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                Spec s = { .status = list[i].status, .reason = list[i].reason };
                OcspResult r = {};

                ck_assert_int_eq(ask(&s, NULL, &r, &e), 0);
                ck_assert_int_eq(r.status, list[i].wanted);
        }
}
END_TEST

START_TEST(refused) {
        const struct { Spec spec; const char *why; int code; } list[] = {
                { { .other_nonce = true }, "answers another request", EXIT_UNTRUSTED },
                { { .no_nonce = true }, "no nonce", EXIT_UNTRUSTED },
                { { .signer = &plain }, "not signed by the certificate's issuer", EXIT_UNTRUSTED },
                { { .signer = &stranger }, "not signed by the certificate's issuer", EXIT_UNTRUSTED },
                { { .signer = &m.switch_ica }, "not signed by the certificate's issuer", EXIT_UNTRUSTED },
                { { .signer = &m.device_root }, "not signed by the certificate's issuer", EXIT_UNTRUSTED },
                { { .signer = &expired }, "not signed by the certificate's issuer", EXIT_UNTRUSTED },
                { { .signer = &small }, "less than ECDSA on P-384", EXIT_UNTRUSTED },
                { { .sha256_signature = true }, "less than ECDSA on P-384", EXIT_UNTRUSTED },
                { { .other_cert = true }, "not tell of the certificate", EXIT_UNTRUSTED },
                { { .sha1_id = true }, "not tell of the certificate", EXIT_UNTRUSTED },
                { { .twice = true }, "more than once", EXIT_UNTRUSTED },
                { { .from = -7200, .until = -3600 }, "expired at", EXIT_UNTRUSTED },
                { { .from = 3600, .until = 7200 }, "not valid before", EXIT_UNTRUSTED },
                { { .from = 0, .until = -100 }, "make no sense", EXIT_UNTRUSTED },
                { { .response_status = OCSP_RESPONSE_STATUS_TRYLATER }, "trylater", EXIT_UNCHECKED },
                { { .response_status = OCSP_RESPONSE_STATUS_UNAUTHORIZED }, "unauthorized", EXIT_UNCHECKED },
        };

        for (size_t i = 0; i < ELEMENTSOF(list); i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                OcspResult r = { .status = OCSP_NOT_ASKED };

                ck_assert_int_lt(ask(&list[i].spec, NULL, &r, &e), 0);
                ck_assert_msg(e.code == (ExitCode) list[i].code && strstr(e.message, list[i].why), "%zu: %d: %s", i, e.code, e.message);
                ck_assert_int_eq(r.status, OCSP_NOT_ASKED);
        }
}
END_TEST

/* Stored: an end must be told, and it must not be over. */
START_TEST(stored) {
        const OcspQuestion q = { .at = MAKER_TIME };
        _cleanup_error_ Error e = ERROR_INIT, f = ERROR_INIT;
        Spec s = { .until = -1 };
        OcspResult r = {};

        ck_assert_int_lt(ask(&s, &q, &r, &e), 0);
        ck_assert_ptr_nonnull(strstr(e.message, "until when it holds"));
        s = (Spec) { .from = -7200, .until = -3600 };
        ck_assert_int_eq(ask(&s, &q, &r, &f), -EKEYEXPIRED);
}
END_TEST

/* No flipped bit makes an answer say something else; most make it none. */
START_TEST(bits) {
        const OcspQuery query = { device.cert, m.gpu_ica.cert };
        const OcspQuestion q = { .query = &query, .digest = "sha384", .nonce = nonce, .at = MAKER_TIME, .name = "answer" };
        const Spec s = { .status = V_OCSP_CERTSTATUS_REVOKED, .reason = OCSP_REVOKED_STATUS_KEYCOMPROMISE };
        unsigned char *der;
        int size = make(&s, &der);

        for (int i = 0; i < size; i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                OcspResult r = {};

                der[i] ^= (unsigned char) (1 << (i % 8));
                if (ocsp_response_read(&q, der, (size_t) size, &r, &e) == 0)
                        ck_assert_int_eq(r.status, OCSP_REVOKED);
                der[i] ^= (unsigned char) (1 << (i % 8));
        }
        for (int n = 0; n < size; n++) {
                _cleanup_error_ Error e = ERROR_INIT;
                OcspResult r = {};

                ck_assert_int_lt(ocsp_response_read(&q, der, (size_t) n, &r, &e), 0);
        }
        OPENSSL_free(der);
}
END_TEST

START_TEST(requests) {
        const OcspQuery query = { device.cert, m.gpu_ica.cert };
        OcspQuestion q = { .query = &query, .digest = "sha1", .nonce = nonce, .at = MAKER_TIME };
        _cleanup_free_ uint8_t *der = NULL, *again = NULL;
        size_t size, n;

        ck_assert_int_eq(ocsp_request_make(&q, &der, &size), 0);
        ck_assert(memmem(der, size, nonce, sizeof nonce));
        q.nonce = NULL;
        q.digest = "sha384";
        ck_assert_int_eq(ocsp_request_make(&q, &again, &n), 0);
        ck_assert(!memmem(again, n, nonce, sizeof nonce));
}
END_TEST

START_TEST(settings) {
        static const char all[] = "[Attest]\nRimUrl=https://one.example/v1/rim/\nRimUrl=http://two.example\nOcspUrl=https://o.example/\nOcspDigest=sha1\n"
                                  "OcspNonce=no\nAllowHold=yes\nTimeout=7\nCacheDirectory=/x\n";
        static const char *const bad[] = { "[Attest]\nRimUrl=file:///x\n", "[Attest]\nRimUrl=https://user@x/\n", "[Attest]\nOcspDigest=md5\n", "[Attest]\nTimeout=0\n",
                                           "[Other]\nA=b\n", "[Attest]\nA=b\n", "[Attest]\nOcspNonce=maybe\n", "[Attest]\nCacheDirectory=x\n", "[Attest]\nOcspUrl=https://\n" };
        _cleanup_(collateral_settings_free) CollateralSettings s = {};
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(collateral_settings_parse("x", all, strlen(all), &s, &e), 0);
        ck_assert(strv_length(s.rim_urls) == 2 && streq(s.ocsp_url, "https://o.example/") && streq(s.ocsp_digest, "sha1") && !s.ocsp_nonce && s.allow_hold && s.timeout_sec == 7 &&
                  streq(s.ocsp_cache, "/x"));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_error_ Error f = ERROR_INIT;
                ck_assert_msg(collateral_settings_parse("x", bad[i], strlen(bad[i]), &s, &f) < 0 && f.code == EXIT_INVALID, "%s", bad[i]);
        }
}
END_TEST

START_TEST(manifests) {
        static const struct { const char *json, *why; } bad[] = {
                { "", "not JSON" }, { "[]", "not a manifest" }, { "{\"id\":\"B\",\"rim\":\"QUJD\"}", "another id" }, { "{\"id\":\"A\",\"rim\":\"QUJ\"}", "base64" },
                { "{\"id\":\"A\",\"rim\":\"\"}", "base64" }, { "{\"id\":\"A\",\"id\":\"A\",\"rim\":\"QUJD\"}", "not JSON" }, { "{\"id\":\"A\",\"rim\":\"QUJD\",\"sha256\":\"00\"}", "digest" },
                { "{\"id\":\"A\",\"rim\":\"QUJD\",\"sha256\":1}", "digest" }, { "{\"id\":\"A\",\"rim\":\"QUJD\",\"rim_format\":\"CORIM\"}", "TCG" }, { "{\"id\":1,\"rim\":\"QUJD\"}", "not a manifest" },
        };
        static const char *const right[] = {
                "{\"id\":\"A\",\"rim\":\"QUJD\"}",
                "{\"id\":\"A\",\"rim\":\"QUJD\",\"sha256\":\"B5D4045C3F466FA91FE2CC6ABE79232A1A57CDF104F7A26E716E0A1E2789DF78\",\"rim_format\":\"TCG\"}",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                char *data = NULL;
                size_t size;

                ck_assert_int_lt(rim_answer_parse("x", "A", bad[i].json, strlen(bad[i].json), &data, &size, &e), 0);
                ck_assert_msg(e.code == EXIT_UNCHECKED && strstr(e.message, bad[i].why), "%s: %s", bad[i].json, e.message);
        }
        for (size_t i = 0; i < ELEMENTSOF(right); i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_free_ char *data = NULL;
                size_t size;

                ck_assert_int_eq(rim_answer_parse("x", "A", right[i], strlen(right[i]), &data, &size, &e), 0);
                ck_assert(size == 3 && memcmp(data, "ABC", 3) == 0);
        }
        ck_assert(rim_id_is_valid("NV_GPU_DRIVER_GH100_1.2.3") && !rim_id_is_valid("../x") && !rim_id_is_valid("a/b") && !rim_id_is_valid("") && !rim_id_is_valid(".x"));
}
END_TEST

int main(void) {
        Suite *s = suite_create("attest_ocsp");
        TCase *t = tcase_create("ocsp"), *u = tcase_create("collateral");

        tcase_add_unchecked_fixture(t, setup, teardown);
        tcase_add_test(t, good);
        tcase_add_test(t, statuses);
        tcase_add_test(t, refused);
        tcase_add_test(t, stored);
        tcase_add_test(t, bits);
        tcase_add_test(t, requests);
        suite_add_tcase(s, t);
        tcase_add_test(u, settings);
        tcase_add_test(u, manifests);
        suite_add_tcase(s, u);
        return run_suite(s);
}
