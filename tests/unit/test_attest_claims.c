/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence files, claims, tokens and policies. */
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "attest.h"
#include "attest/policy.h"
#include "attest/token.h"
#include "basic/fs.h"
#include "run.h"

#define ISSUED 1750000123

static Verdict *judge_system(bool with_rims) {
        static Evidence *ev;
        RimSource source = rims();
        VerdictOptions o = demanding(with_rims ? &source : NULL);

        if (!ev)
                ev = evidence_make(&sim);
        return judge(ev, &o);
}

/* NVIDIA's names, in the order in which its verifier writes them. */
START_TEST(test_gpu_claims_2_0) {
        static const char *const names[] = {
                "measres", "x-nvidia-gpu-arch-check", "x-nvidia-gpu-driver-version", "x-nvidia-gpu-vbios-version",
                "x-nvidia-gpu-attestation-report-cert-chain-validated", "x-nvidia-gpu-attestation-report-parsed",
                "x-nvidia-gpu-attestation-report-nonce-match", "x-nvidia-gpu-attestation-report-signature-verified", "x-nvidia-gpu-driver-rim-fetched",
                "x-nvidia-gpu-driver-rim-schema-validated", "x-nvidia-gpu-driver-rim-cert-validated", "x-nvidia-gpu-driver-rim-signature-verified",
                "x-nvidia-gpu-driver-rim-measurements-available", "x-nvidia-gpu-vbios-rim-fetched", "x-nvidia-gpu-vbios-rim-schema-validated",
                "x-nvidia-gpu-vbios-rim-cert-validated", "x-nvidia-gpu-vbios-rim-signature-verified", "x-nvidia-gpu-vbios-rim-measurements-available",
                "x-nvidia-gpu-vbios-index-no-conflict", "secboot", "dbgstat", "eat_nonce", "hwmodel", "ueid", "oemid", "iss", "nbf", "exp", "iat", "jti",
                "x-gn8v-tee-fwid-compared", "x-gn8v-tee-verdict-time", "x-gn8v-tee-revocation-checked",
        };
        _cleanup_(verdict_freep) Verdict *v = judge_system(true);
        json_t *claims = claims_of_device(v, &v->devices[0], CLAIMS_2_0, ISSUED), *value;
        const char *name;
        size_t i = 0;

        json_object_foreach(claims, name, value) {
                ck_assert_uint_lt(i, ELEMENTSOF(names));
                ck_assert_str_eq(name, names[i++]);
                /* Nobody was asked whether a certificate was revoked: that is claimed, too. */
                ck_assert_msg((json_is_false(value) && streq(name, "x-gn8v-tee-revocation-checked")) || (!json_is_false(value) && !json_is_null(value)), "%s", name);
        }
        ck_assert_uint_eq(i, ELEMENTSOF(names));
        ck_assert_str_eq(json_string_value(json_object_get(claims, "oemid")), "5703");
        ck_assert_str_eq(json_string_value(json_object_get(claims, "hwmodel")), "GH100 A01 GSP BROM");
        ck_assert_int_eq(json_integer_value(json_object_get(claims, "nbf")), MAKER_TIME - 120);
        ck_assert_int_eq(json_integer_value(json_object_get(claims, "exp")), MAKER_TIME + 3600);
        json_decref(claims);
}
END_TEST

/* When it was written, and for when it is a verdict: an old one that is written again is no token of today, one of the future is never one. */
START_TEST(test_times) {
        for (int version = 0; version < _CLAIMS_VERSION_MAX; version++)
                for (int64_t written = MAKER_TIME - 86400; written <= MAKER_TIME + 86400; written += 86400) {
                        _cleanup_(verdict_freep) Verdict *v = judge_system(true);
                        json_t *all[] = { claims_of_device(v, &v->devices[0], (ClaimsVersion) version, written), claims_overall(v, DEVICE_SWITCH, (ClaimsVersion) version, written) };

                        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                                ck_assert_int_eq(json_integer_value(json_object_get(all[i], "iat")), written);
                                ck_assert_int_eq(json_integer_value(json_object_get(all[i], "x-gn8v-tee-verdict-time")), MAKER_TIME);
                                ck_assert_int_eq(json_integer_value(json_object_get(all[i], "nbf")), MAKER_TIME - 120);
                                ck_assert_int_eq(json_integer_value(json_object_get(all[i], "exp")), MIN(written, (int64_t) MAKER_TIME) + 3600);
                                json_decref(all[i]);
                        }
                }
}
END_TEST

static bool claims_revocation(Verdict *v, size_t device) {
        json_t *one = claims_of_device(v, &v->devices[device], CLAIMS_2_0, ISSUED), *all = claims_overall(v, v->devices[device].kind, CLAIMS_3_0, ISSUED);
        bool checked = json_is_true(json_object_get(one, "x-gn8v-tee-revocation-checked"));

        ck_assert_int_eq(json_is_true(json_object_get(all, "x-gn8v-tee-revocation-checked")), checked);
        json_decref(one);
        json_decref(all);
        return checked;
}

/* Every certificate of every device was asked about, or it is not claimed. */
START_TEST(test_revocation_checked) {
        static const CheckId ids[] = { CHECK_CHAIN_STATUS, CHECK_VBIOS_RIM_STATUS, CHECK_DRIVER_RIM_STATUS };

        for (size_t i = 0; i <= ELEMENTSOF(ids); i++) {
                _cleanup_(verdict_freep) Verdict *v = judge_system(true);

                ck_assert(!claims_revocation(v, 0) && !claims_revocation(v, 8));
                for (size_t k = 0; k < v->n; k++)
                        for (size_t j = 0; j < ELEMENTSOF(ids); j++)
                                if (j != i)
                                        check_set(v->devices[k].checks, ids[j], CHECK_OK, "%s", "");
                /* A switch has no driver of its own. */
                ck_assert_int_eq(claims_revocation(v, 0), i == ELEMENTSOF(ids));
                ck_assert_int_eq(claims_revocation(v, 8), i >= 2);
                if (i == 0)
                        check_set(v->devices[0].checks, CHECK_CHAIN_STATUS, CHECK_UNCHECKED, "no answer");
                ck_assert_int_eq(claims_revocation(v, 0), i == ELEMENTSOF(ids));
        }
}
END_TEST

/* NVIDIA's claim is true where there is nothing to be compared; ours tells which it is. */
START_TEST(test_fwid_compared) {
        static const struct { CheckState state; bool match, compared; } cases[] = {
                { CHECK_OK, true, true }, { CHECK_SKIPPED, true, false }, { CHECK_UNCHECKED, false, false }, { CHECK_FAILED, false, true },
        };
        _cleanup_(verdict_freep) Verdict *v = judge_system(true);

        ck_assert_int_eq(v->devices[8].checks[CHECK_FWID].state, CHECK_SKIPPED);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                json_t *claims;

                check_set(v->devices[0].checks, CHECK_FWID, cases[i].state, "%s", "");
                claims = claims_of_device(v, &v->devices[0], CLAIMS_3_0, ISSUED);
                ck_assert_int_eq(json_is_true(json_object_get(claims, "x-nvidia-gpu-attestation-report-cert-chain-fwid-match")), cases[i].match);
                ck_assert_int_eq(json_is_true(json_object_get(claims, "x-gn8v-tee-fwid-compared")), cases[i].compared);
                json_decref(claims);
        }
}
END_TEST

START_TEST(test_switch_claims) {
        _cleanup_(verdict_freep) Verdict *v = judge_system(true);
        json_t *claims = claims_of_device(v, &v->devices[8], CLAIMS_2_0, ISSUED), *value;
        const char *name;
        size_t n = 0;

        json_object_foreach(claims, name, value) {
                ck_assert_ptr_null(strstr(name, "-gpu-"));
                n += startswith(name, "x-nvidia-switch-") != NULL;
        }
        ck_assert_uint_eq(n, 11);
        ck_assert_ptr_null(json_object_get(claims, "oemid"));
        ck_assert(json_is_true(json_object_get(claims, "x-nvidia-switch-bios-rim-fetched")));
        ck_assert_str_eq(json_string_value(json_object_get(claims, "x-nvidia-switch-bios-version")), MAKER_VBIOS);
        json_decref(claims);
}
END_TEST

/* Each check that fails turns its claim, and no other that it does not entail. */
START_TEST(test_claims_follow_checks) {
        static const struct { CheckId id; const char *two, *three; } cases[] = {
                { CHECK_ARCH, "arch-check", "arch-check" }, { CHECK_CHAIN, "attestation-report-cert-chain-validated", "attestation-report-cert-chain" },
                { CHECK_CHAIN_STATUS, "attestation-report-cert-chain-validated", NULL }, { CHECK_FWID, NULL, "attestation-report-cert-chain-fwid-match" },
                { CHECK_REPORT, "attestation-report-parsed", "attestation-report-parsed" },
                { CHECK_NONCE, "attestation-report-nonce-match", "attestation-report-nonce-match" },
                { CHECK_SIGNATURE, "attestation-report-signature-verified", "attestation-report-signature-verified" },
                { CHECK_DRIVER_RIM, "driver-rim-fetched", "driver-rim-fetched" }, { CHECK_DRIVER_RIM_SCHEMA, "driver-rim-schema-validated", "driver-rim-schema-validated" },
                { CHECK_DRIVER_RIM_CHAIN, "driver-rim-cert-validated", NULL }, { CHECK_DRIVER_RIM_STATUS, "driver-rim-cert-validated", NULL },
                { CHECK_DRIVER_RIM_SIGNATURE, "driver-rim-signature-verified", "driver-rim-signature-verified" },
                { CHECK_DRIVER_RIM_VERSION, NULL, "driver-rim-version-match" }, { CHECK_VBIOS_RIM_VERSION, NULL, "vbios-rim-version-match" },
                { CHECK_VBIOS_RIM, "vbios-rim-fetched", "vbios-rim-fetched" }, { CHECK_CONFLICT, "vbios-index-no-conflict", "vbios-index-no-conflict" },
                { CHECK_MEASUREMENTS, "measres", "measres" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (int version = 0; version < _CLAIMS_VERSION_MAX; version++) {
                        _cleanup_(verdict_freep) Verdict *v = judge_system(true);
                        json_t *right = claims_of_device(v, &v->devices[0], (ClaimsVersion) version, ISSUED), *wrong, *value;
                        const char *expected = version == CLAIMS_2_0 ? cases[i].two : cases[i].three, *name;
                        size_t n = 0;

                        check_set(v->devices[0].checks, cases[i].id, CHECK_FAILED, "made");
                        wrong = claims_of_device(v, &v->devices[0], (ClaimsVersion) version, ISSUED);
                        ck_assert_uint_eq(json_object_size(right), json_object_size(wrong));
                        json_object_foreach(right, name, value) {
                                /* What is only told of an authentic report goes with its signature. */
                                if (streq(name, "jti") || endswith(name, "-pdis") || json_equal(value, json_object_get(wrong, name)))
                                        continue;
                                n++;
                                ck_assert_msg(expected && endswith(name, expected), "%s: %s", check_name(cases[i].id), name);
                        }
                        ck_assert_msg(n == (expected ? 1 : 0), "%s: %zu claims", check_name(cases[i].id), n);
                        json_decref(right);
                        json_decref(wrong);
                }
}
END_TEST

START_TEST(test_not_reached) {
        _cleanup_(verdict_freep) Verdict *v = judge_system(false);
        json_t *two = claims_of_device(v, &v->devices[0], CLAIMS_2_0, ISSUED), *three = claims_of_device(v, &v->devices[0], CLAIMS_3_0, ISSUED),
               *overall = claims_overall(v, DEVICE_GPU, CLAIMS_2_0, ISSUED);

        ck_assert_int_eq(v->result, CHECK_UNCHECKED);
        ck_assert(json_is_null(json_object_get(two, "measres")));
        ck_assert_str_eq(json_string_value(json_object_get(three, "measres")), "fail");
        ck_assert(json_is_false(json_object_get(two, "x-nvidia-gpu-driver-rim-fetched")));
        ck_assert_ptr_null(json_object_get(two, "secboot"));
        ck_assert(json_is_false(json_object_get(overall, "x-nvidia-overall-att-result")));
        json_decref(two);
        json_decref(three);
        json_decref(overall);
}
END_TEST

/* One device's failure is the whole's; a topology that does not hold is both kinds'. */
START_TEST(test_overall) {
        for (unsigned i = 0; i < 4; i++) {
                _cleanup_(verdict_freep) Verdict *v = judge_system(true);
                json_t *gpus, *switches;

                if (i == 1)
                        v->devices[7].result = CHECK_UNCHECKED;
                else if (i == 2)
                        v->devices[8].result = CHECK_FAILED;
                else if (i == 3)
                        check_set(v->checks, CHECK_GPUS_BOUND, CHECK_FAILED, "made");
                gpus = claims_overall(v, DEVICE_GPU, CLAIMS_3_0, ISSUED);
                switches = claims_overall(v, DEVICE_SWITCH, CLAIMS_3_0, ISSUED);
                ck_assert_int_eq(json_is_true(json_object_get(gpus, "x-nvidia-overall-att-result")), i == 0 || i == 2);
                ck_assert_int_eq(json_is_true(json_object_get(switches, "x-nvidia-overall-att-result")), i == 0 || i == 1);
                ck_assert_int_eq(json_is_true(json_object_get(gpus, "x-gn8v-tee-topology-gpus-attested")), i != 3);
                json_decref(gpus);
                json_decref(switches);
        }
}
END_TEST

static uint8_t *url_decode(const char *s, size_t length, size_t *ret_size) {
        _cleanup_free_ char *t = calloc(1, length + 4);
        uint8_t *bytes;

        memcpy(t, s, length);
        for (char *p = t; *p; p++)
                *p = (char) (*p == '-' ? '+' : *p == '_' ? '/' : *p);
        memset(t + length, '=', (4 - length % 4) % 4);
        ck_assert_int_eq(base64_decode(t, strlen(t), false, &bytes, ret_size), 0);
        return bytes;
}

/* Checks a JWT's signature: HS256 with the secret, or ES384 with key. Its claims are a new reference. */
static json_t *open_jwt(const char *jwt, const char *secret, EVP_PKEY *key) {
        const char *first = strchr(jwt, '.'), *second = strrchr(jwt, '.');
        size_t header_size, body_size, signature_size;
        _cleanup_free_ uint8_t *header = url_decode(jwt, (size_t) (first - jwt), &header_size), *body = url_decode(first + 1, (size_t) (second - first - 1), &body_size),
                               *signature = url_decode(second + 1, strlen(second + 1), &signature_size);
        json_t *h = json_loadb((const char *) header, header_size, 0, NULL), *claims = json_loadb((const char *) body, body_size, 0, NULL);
        size_t covered = (size_t) (second - jwt);
        uint8_t mac[EVP_MAX_MD_SIZE];
        unsigned n;

        ck_assert_str_eq(json_string_value(json_object_get(h, "alg")), key ? "ES384" : "HS256");
        if (key) {
                ECDSA_SIG *sig = ECDSA_SIG_new();
                unsigned char *der = NULL;
                EVP_MD_CTX *ctx = EVP_MD_CTX_new();
                int size;

                ck_assert_uint_eq(signature_size, SIGNATURE_SIZE);
                ck_assert_int_eq(ECDSA_SIG_set0(sig, BN_bin2bn(signature, 48, NULL), BN_bin2bn(signature + 48, 48, NULL)), 1);
                size = i2d_ECDSA_SIG(sig, &der);
                ck_assert_int_eq(EVP_DigestVerifyInit(ctx, NULL, EVP_sha384(), NULL, key), 1);
                ck_assert_int_eq(EVP_DigestVerify(ctx, der, (size_t) size, (const uint8_t *) jwt, covered), 1);
                ECDSA_SIG_free(sig);
                OPENSSL_free(der);
                EVP_MD_CTX_free(ctx);
        } else {
                ck_assert_ptr_nonnull(HMAC(EVP_sha256(), secret, (int) strlen(secret), (const uint8_t *) jwt, covered, mac, &n));
                ck_assert_uint_eq(signature_size, n);
                ck_assert_mem_eq(signature, mac, n);
        }
        json_decref(h);
        return claims;
}

static void check_token(EVP_PKEY *key, ClaimsVersion version) {
        _cleanup_(verdict_freep) Verdict *v = judge_system(true);
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *text = NULL;
        json_t *token, *groups, *group, *jwt;
        const char *name, *device;
        size_t n = 0;

        ck_assert_int_eq(token_make(v, version, ISSUED, key, &text, &e), 0);
        ck_assert_ptr_nonnull(token = json_loads(text, 0, NULL));
        json_decref(open_jwt(json_string_value(json_array_get(json_array_get(token, 0), 1)), "notasecret", key));
        groups = json_array_get(token, 1);
        ck_assert_uint_eq(json_object_size(groups), 2);
        json_object_foreach(groups, name, group) {
                json_t *overall = open_jwt(json_string_value(json_array_get(json_array_get(group, 0), 1)), "secret", key),
                       *submods = json_object_get(overall, "submods");

                ck_assert(json_is_true(json_object_get(overall, "x-nvidia-overall-att-result")));
                ck_assert_str_eq(json_string_value(json_object_get(overall, "x-nvidia-ver")), claims_version_to_string(version));
                json_object_foreach(json_array_get(group, 1), device, jwt) {
                        json_t *claims = open_jwt(json_string_value(jwt), "secret", key), *digest = json_object_get(submods, device);
                        _cleanup_free_ char *dumped = NULL;
                        char hex[SHA256_HEX_SIZE];

                        json_object_del(claims, "nbf");
                        json_object_del(claims, "exp");
                        json_object_del(claims, "iat");
                        json_object_del(claims, "jti");
                        dumped = key ? strdup(json_string_value(jwt)) : json_dumps(claims, JSON_ENSURE_ASCII);
                        ck_assert_int_eq(sha256_buffer(dumped, strlen(dumped), hex), 0);
                        ck_assert_str_eq(json_string_value(json_array_get(digest, 0)), "DIGEST");
                        ck_assert_str_eq(json_string_value(json_array_get(json_array_get(digest, 1), 1)), hex);
                        json_decref(claims);
                        n++;
                }
                json_decref(overall);
        }
        ck_assert_uint_eq(n, 12);
        json_decref(token);
}

START_TEST(test_token) {
        check_token(NULL, CLAIMS_2_0);
        check_token(NULL, CLAIMS_3_0);
        check_token(maker.rim_l4.key, CLAIMS_3_0);
}
END_TEST

START_TEST(test_token_key) {
        static const struct { const char *curve, *passphrase; int result; } cases[] = { { "P-384", NULL, 0 }, { "P-256", NULL, -EINVAL }, { "P-384", "x", -EBADMSG } };
        _cleanup_free_ char *dir = NULL, *path = NULL;
        _cleanup_error_ Error none = ERROR_INIT;
        EVP_PKEY *key = NULL;

        ck_assert_int_eq(make_temp_dir("/tmp", "claims", &dir), 0);
        path = path_join(dir, "key");
        ck_assert_int_eq(token_key_load(path, &key, &none), -ENOENT);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                EVP_PKEY *made = EVP_EC_gen(cases[i].curve);
                FILE *f = fopen(path, "w");
                _cleanup_error_ Error e = ERROR_INIT;

                ck_assert_int_eq(PEM_write_PrivateKey(f, made, cases[i].passphrase ? EVP_aes_128_cbc() : NULL, (const uint8_t *) cases[i].passphrase,
                                                      cases[i].passphrase ? 1 : 0, NULL, NULL), 1);
                (void) fclose(f);
                ck_assert_int_eq(token_key_load(path, &key, &e), cases[i].result);
                EVP_PKEY_free(key);
                EVP_PKEY_free(made);
                key = NULL;
        }
        ck_assert_int_eq(remove_tree(AT_FDCWD, dir), 0);
}
END_TEST

static int check_policy(const Verdict *v, const char *text, Error *e) {
        _cleanup_(policy_freep) Policy *p = NULL;
        int r = policy_parse("made", text, strlen(text), &p, e);

        return r < 0 ? r : policy_check(p, v, e);
}

#define POLICY(overall, detached) "{\"version\":\"3.0\",\"authorization-rules\":{\"type\":\"JWT\",\"overall-claims\":{" overall "},\"detached-claims\":{" detached "}}}"
#define GPU    "\"iss\":\"LOCAL_GPU_VERIFIER\""
#define RESULT "\"x-nvidia-overall-att-result\":true"

START_TEST(test_policy) {
        static const struct { const char *text; int result; } cases[] = {
                { POLICY(GPU "," RESULT ",\"x-nvidia-ver\":\"2.0\"", "\"measres\":\"success\",\"x-nvidia-gpu-arch-check\":true"), 0 },
                { POLICY("\"iss\":\"LOCAL_SWITCH_VERIFIER\"", "\"x-nvidia-switch-bios-rim-fetched\":true"), 0 },
                { POLICY(RESULT, "\"measres\":\"success\""), 0 },
                { POLICY(GPU ",\"x-nvidia-overall-att-result\":false", ""), -EACCES }, { POLICY(GPU, "\"measres\":\"fail\""), -EACCES },
                { POLICY(GPU, "\"measres\":true"), -EACCES }, { POLICY(GPU, "\"no-such-claim\":null"), -EACCES }, { POLICY(GPU ",\"x-nvidia-ver\":\"4.0\"", ""), -EACCES },
                { POLICY("\"iss\":\"SOMEBODY\"", ""), -EACCES },
                { POLICY(GPU ",\"x-nvidia-ver\":\"3.0\"", "\"x-nvidia-gpu-driver-rim-version-match\":true,\"x-nvidia-gpu-attestation-report-cert-chain\":"
                                                          "{\"x-nvidia-cert-status\":\"valid\"}"), 0 },
                { POLICY(GPU ",\"x-nvidia-ver\":\"3.0\"", "\"x-nvidia-gpu-attestation-report-cert-chain\":{\"x-nvidia-cert-ocsp-status\":\"good\"}"), -EACCES },
                { POLICY(GPU ",\"x-nvidia-ver\":\"3.0\"", "\"x-nvidia-gpu-attestation-report-cert-chain\":{\"other\":1}"), -EACCES },
                { POLICY(GPU ",\"x-nvidia-ver\":\"3.0\"", "\"x-nvidia-gpu-attestation-report-cert-chain\":{}"), 0 },
                { POLICY(GPU ",\"x-nvidia-ver\":\"2.0\"", "\"x-nvidia-gpu-driver-rim-version-match\":true"), -EACCES },
                { POLICY(GPU, "\"measres\":{\"x\":1}"), -EACCES },
        };
        _cleanup_(verdict_freep) Verdict *v = judge_system(true);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_error_ Error e = ERROR_INIT;

                ck_assert_msg(check_policy(v, cases[i].text, &e) == cases[i].result, "%s: %s", cases[i].text, e.message);
                ck_assert_int_eq(e.code, cases[i].result ? EXIT_POLICY : EXIT_OK);
        }
}
END_TEST

START_TEST(test_policy_malformed) {
        static const char *const wrong[] = {
                "", "{", "[]", "{}", "{\"authorization-rules\":1}", "{\"authorization-rules\":{}}", "{\"authorization-rules\":{\"overall-claims\":[]}}",
                "{\"authorization-rules\":{\"type\":\"REGO\",\"overall-claims\":{\"a\":1}}}", "{\"authorization-rules\":{\"overall-claims\":{},\"detached-claims\":{}}}",
                "{\"authorization-rules\":{\"overall-claims\":{\"a\":1,\"a\":2}}}",
                /* A rule behind a misspelt name, or in another place, would not be asked about. */
                "{\"authorization-rules\":{\"overall-claims\":{\"a\":1},\"detached-claim\":{\"b\":1}}}", "{\"authorization-rules\":{\"overall-claims\":{\"a\":1}},\"detached-claims\":{\"b\":1}}",
                "{\"version\":4.0,\"authorization-rules\":{\"overall-claims\":{\"a\":1}}}",
        };
        _cleanup_(verdict_freep) Verdict *v = judge_system(true);

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                _cleanup_error_ Error e = ERROR_INIT;

                ck_assert_msg(check_policy(v, wrong[i], &e) == -EBADMSG, "%s", wrong[i]);
                ck_assert_int_eq(e.code, EXIT_INVALID);
        }
}
END_TEST

/* A policy must hold for every device; for switches, a GPU's policy says nothing. */
START_TEST(test_policy_every_device) {
        static const char text[] = POLICY("", "\"measres\":\"success\"");
        _cleanup_(verdict_freep) Verdict *v = judge_system(true);
        _cleanup_error_ Error e = ERROR_INIT, switches = ERROR_INIT;

        check_set(v->devices[11].checks, CHECK_MEASUREMENTS, CHECK_FAILED, "made");
        ck_assert_int_eq(check_policy(v, text, &e), -EACCES);
        ck_assert_ptr_nonnull(strstr(e.message, "SWITCH-3"));
        ck_assert_int_eq(check_policy(v, POLICY(GPU, "\"measres\":\"success\""), &switches), 0);
}
END_TEST

START_TEST(test_evidence_json) {
        static const struct { const char *from, *to; int result; } cases[] = {
                { "HOPPER", "HOPPER", 0 }, { "\"arch\"", "\"x\"", 0 }, { "\"HOPPER\"", "null", -EBADMSG }, { "HOPPER", "hopper", 0 }, { "HOPPER", "HOP-PER", -EBADMSG }, { "HOPPER", "", -EBADMSG },
                { "\"certificate\"", "\"x\"", -EBADMSG }, { "\"evidence\"", "\"x\"", -EBADMSG }, { "\"nonce\"", "\"x\"", 0 }, { "\"nonce\":\"", "\"nonce\":\"0", -EBADMSG },
                { "\"certificate\":\"", "\"certificate\":\"!", -EBADMSG }, { "\"evidence\":\"", "\"evidence\":\"\\u0000", -EBADMSG }, { "\"evidence\":\"", "\"evidence\":\" ", 0 },
                { "\"evidence\":\"", "\"evidence\":\"!", -EBADMSG },
                { "[{", "{", -EBADMSG }, { "[{", "[{\"arch\":\"HOPPER\",", -EBADMSG }, { "[{", "[1,{", -EBADMSG }, { "}]", "}]x", -EBADMSG }, { "}]", "},]", -EBADMSG },
        };
        _cleanup_text_ Text report = {};
        _cleanup_free_ char *chain = base64_encode(sim.gpus[0].chain, strlen(sim.gpus[0].chain)), *nonce = hex_encode(sim.nonce, NONCE_SIZE), *evidence = NULL, *json = NULL;

        report_of(&sim, &sim.gpus[0], &report);
        evidence = base64_encode(report.data, report.size);
        json = format("[{\"arch\":\"HOPPER\",\"certificate\":\"%s\",\"evidence\":\"%s\",\"nonce\":\"%s\",\"driver_version\":\"9\",\"version\":\"1.0\"}]", chain, evidence, nonce);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(evidence_freep) Evidence *ev = evidence_new();
                _cleanup_free_ char *other = replaced(json, cases[i].from, cases[i].to);
                _cleanup_error_ Error e = ERROR_INIT;

                ck_assert_msg(evidence_parse_json(ev, "made", other, strlen(other), &e) == cases[i].result, "case %zu: %s", i, e.message);
                ck_assert_int_eq(e.code, cases[i].result ? EXIT_INVALID : EXIT_OK);
        }
        for (size_t n = 0; n < strlen(json); n++) {
                _cleanup_(evidence_freep) Evidence *ev = evidence_new();
                _cleanup_error_ Error e = ERROR_INIT;

                ck_assert_int_eq(evidence_parse_json(ev, "made", json, n, &e), -EBADMSG);
        }
}
END_TEST

/* As each of NVIDIA's tools writes it, old and new: nvattest, what its service is asked, one device by itself; hex within base64, PEM as it is. */
START_TEST(test_evidence_forms) {
        _cleanup_text_ Text report = {};
        _cleanup_free_ char *chain = base64_encode(sim.gpus[0].chain, strlen(sim.gpus[0].chain)), *nonce = hex_encode(sim.nonce, NONCE_SIZE), *bytes = NULL, *hex = NULL,
                            *wrapped = NULL;
        json_t *pem = json_string(sim.gpus[0].chain);
        _cleanup_free_ char *plain = json_dumps(pem, JSON_ENCODE_ANY);
        char *right[8] = {}, *wrong[6] = {};

        report_of(&sim, &sim.gpus[0], &report);
        bytes = base64_encode(report.data, report.size);
        hex = hex_encode(report.data, report.size);
        wrapped = base64_encode(hex, strlen(hex));
        right[0] = format("{\"evidences\":[{\"version\":\"1.0\",\"nonce\":\"%s\",\"evidence\":\"%s\",\"certificate\":\"%s\",\"arch\":\"HOPPER\"}],"
                          "\"result_code\":0,\"result_message\":\"Ok\"}", nonce, bytes, chain);
        right[1] = format("{\"nonce\":\"%s\",\"evidence_list\":[{\"certificate\":\"%s\",\"evidence\":\"%s\"}],\"arch\":\"HOPPER\",\"claims_version\":\"3.0\"}", nonce, chain, bytes);
        right[2] = format("{\"nonce\":\"%s\",\"evidence\":\"%s\",\"arch\":\"HOPPER\",\"certificate\":\"%s\"}", nonce, wrapped, chain);
        right[3] = format("[{\"nonce\":\"%s\",\"evidence\":\"%s\",\"arch\":\"hopper\",\"certificate\":%s}]", nonce, hex, plain);
        for (char *p = nonce; *p; p++)
                *p = (char) (*p >= 'a' ? *p - 'a' + 'A' : *p);
        for (char *p = hex; *p; p++)
                *p = (char) (*p >= 'a' ? *p - 'a' + 'A' : *p);
        right[4] = format("[{\"nonce\":\"%s\",\"evidence\":\"%s\\n\",\"arch\":\"HOPPER\",\"certificate\":\"%.64s\\r\\n%s\"}]", nonce, hex, chain, chain + 64);
        wrong[0] = format("{\"evidences\":[],\"result_code\":500}");
        wrong[1] = format("{\"evidences\":null,\"result_code\":500}");
        wrong[2] = format("{\"evidence_list\":{\"certificate\":\"%s\",\"evidence\":\"%s\"}}", chain, bytes);
        wrong[3] = format("[[{\"certificate\":\"%s\",\"evidence\":\"%s\"}]]", chain, bytes);
        wrong[4] = format("{\"nonce\":\"12\",\"evidence_list\":[{\"certificate\":\"%s\",\"evidence\":\"%s\"}]}", chain, bytes);
        wrong[5] = format("{\"certificate\":\"%s\",\"report\":\"%s\"}", chain, bytes);
        for (size_t i = 0; i < ELEMENTSOF(right) && right[i]; i++) {
                _cleanup_(evidence_freep) Evidence *ev = evidence_new();
                _cleanup_error_ Error e = ERROR_INIT;
                const Device *d;

                ck_assert_msg(evidence_parse_json(ev, "made", right[i], strlen(right[i]), &e) == 0, "form %zu: %s", i, e.message);
                d = ev->devices[0];
                ck_assert_msg(ev->n == 1 && d->report_size == report.size && memcmp(d->report, report.data, report.size) == 0, "form %zu", i);
                ck_assert_msg(d->chain_size == strlen(sim.gpus[0].chain) && memcmp(d->chain, sim.gpus[0].chain, d->chain_size) == 0, "form %zu", i);
                ck_assert_str_eq(d->arch, "HOPPER");
                ck_assert(d->has_nonce && memcmp(d->nonce, sim.nonce, NONCE_SIZE) == 0);
                free(right[i]);
        }
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                _cleanup_(evidence_freep) Evidence *ev = evidence_new();
                _cleanup_error_ Error e = ERROR_INIT;

                ck_assert_msg(evidence_parse_json(ev, "made", wrong[i], strlen(wrong[i]), &e) == -EBADMSG && e.code == EXIT_INVALID, "form %zu: %s", i, e.message);
                free(wrong[i]);
        }
        json_decref(pem);
}
END_TEST

START_TEST(test_evidence_bounds) {
        _cleanup_(evidence_freep) Evidence *ev = evidence_new();
        _cleanup_error_ Error e = ERROR_INIT, empty = ERROR_INIT;
        _cleanup_text_ Text t = {};

        text_append(&t, "[");
        for (unsigned i = 0; i <= EVIDENCE_DEVICES_MAX; i++)
                text_printf(&t, "%s{\"certificate\":\"\",\"evidence\":\"\"}", i ? "," : "");
        text_append(&t, "]");
        ck_assert_int_eq(evidence_parse_json(ev, "made", t.data, t.size, &e), -E2BIG);
        ck_assert_int_eq(evidence_parse_json(ev, "made", "[]", 2, &empty), -EBADMSG);
}
END_TEST

START_TEST(test_texts) {
        static const char *const wrong[] = { "A", "AA", "AAA", "A===", "AA=A", "====", "AB==", "AAB=", "AA==AA==x", "AAAA====", "AA\nAA" };
        _cleanup_free_ uint8_t *bytes = NULL;
        int64_t t;
        size_t n;

        for (size_t size = 0; size < 40; size++) {
                _cleanup_free_ char *text = base64_encode(sim.nonce, size % NONCE_SIZE);
                _cleanup_free_ uint8_t *back = NULL;

                ck_assert_int_eq(base64_decode(text, strlen(text), false, &back, &n), 0);
                ck_assert_uint_eq(n, size % NONCE_SIZE);
                ck_assert_mem_eq(back, sim.nonce, n);
        }
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                ck_assert_msg(base64_decode(wrong[i], strlen(wrong[i]), false, &bytes, &n) == -EBADMSG, "%s", wrong[i]);
        static const struct { const char *text; int64_t t; } times[] = {
                { "1970-01-01T00:00:00Z", 0 }, { "2024-06-01T00:00:00Z", 1717200000 }, { "2024-06-01T08:00:00+08:00", 1717200000 }, { "2024-05-31T23:30:00-00:30", 1717200000 },
                { "2024-06-01 00:00:00.999z", 1717200000 }, { "2024-06-01t08:00:00.5+08:00", 1717200000 }, { "2024-05-31T23:59:60Z", 1717200000 },
        };
        for (size_t i = 0; i < ELEMENTSOF(times); i++) {
                ck_assert_int_eq(parse_time(times[i].text, &t), 0);
                ck_assert_int_eq(t, times[i].t);
        }
        static const char *const no_times[] = { "", "2024-06-01", "2024-06-01T00:00:00", "2024-06-01T00:00:00.Z", "2024-06-01T00:00:00.5", "2024-06-01_00:00:00Z", "2024-02-30T00:00:00Z", "2024-06-01T24:00:00Z",
                                                "2024-06-01T00:60:00Z", "2024-06-01T00:00:00Zx", "2024-06-01T00:00:00+0800", "2024-06-01T00:00:00+08:00x", "2024-06-01T00:00:00,5Z", "2024-06-01T00:00:61Z",
                                                "2024-06-01T00:00:00.5+08", "+024-06-01T00:00:00Z" };
        for (size_t i = 0; i < ELEMENTSOF(no_times); i++)
                ck_assert_msg(parse_time(no_times[i], &t) == -EINVAL, "%s", no_times[i]);
        _cleanup_free_ char *text = time_to_text(1717200000);
        ck_assert_str_eq(text, "2024-06-01T00:00:00Z");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("attest-claims");
        TCase *tc = tcase_create("claims");

        tcase_add_unchecked_fixture(tc, sim_setup, sim_teardown);
        tcase_add_test(tc, test_gpu_claims_2_0);
        tcase_add_test(tc, test_times);
        tcase_add_test(tc, test_revocation_checked);
        tcase_add_test(tc, test_fwid_compared);
        tcase_add_test(tc, test_switch_claims);
        tcase_add_test(tc, test_claims_follow_checks);
        tcase_add_test(tc, test_not_reached);
        tcase_add_test(tc, test_overall);
        tcase_add_test(tc, test_token);
        tcase_add_test(tc, test_token_key);
        tcase_add_test(tc, test_policy);
        tcase_add_test(tc, test_policy_malformed);
        tcase_add_test(tc, test_policy_every_device);
        tcase_add_test(tc, test_evidence_json);
        tcase_add_test(tc, test_evidence_forms);
        tcase_add_test(tc, test_evidence_bounds);
        tcase_add_test(tc, test_texts);
        suite_add_tcase(suite, tc);
        return run_suite(suite);
}
