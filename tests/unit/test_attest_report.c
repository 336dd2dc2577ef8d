/* SPDX-License-Identifier: Apache-2.0 */
/* Reports and certificate chains: every bit, every length, every order but the right one is refused. */
#include <openssl/evp.h>

#include "attest.h"
#include "run.h"

static CertChain *chain_of(CertPool *pool, const char *pem) {
        _cleanup_error_ Error e = ERROR_INIT;
        CertChain *c = NULL;

        ck_assert_int_eq(cert_chain_from_pem(pool, "made", pem, strlen(pem), &c, &e), 0);
        return c;
}

/* A report of few blocks and little opaque data: as much structure, fewer bits. */
static void small_report(Text *ret) {
        static const uint8_t off = FEATURE_OFF;
        _cleanup_text_ Text opaque = {};

        put_field(&opaque, OPAQUE_DRIVER_VERSION, "1.2", 4);
        put_field(&opaque, OPAQUE_NVDEC0_STATUS, &off, 1);
        put_field(&opaque, 200, "??", 2);
        report_make(&sim, DEVICE_GPU, 3, &opaque, ret);
        report_sign(&sim.gpus[0], ret);
}

/* 0: refused as malformed; 1: refused by its signature; 2: not refused. */
static int judge_bytes(const CertChain *c, const void *data, size_t size) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(report_freep) Report *r = NULL;

        if (report_parse("made", DEVICE_GPU, data, size, &r, &e) < 0) {
                ck_assert_int_eq(e.code, EXIT_INVALID);
                ck_assert_ptr_nonnull(e.message);
                return 0;
        }
        return cert_chain_check_signature(c, r->covered, r->signature) < 0 ? 1 : 2;
}

START_TEST(test_parse) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(report_freep) Report *r = NULL, *s = NULL;
        _cleanup_text_ Text gpu = {}, sw = {};
        uint8_t value[DIGEST_SIZE];

        report_of(&sim, &sim.gpus[0], &gpu);
        ck_assert_int_eq(report_parse("made", DEVICE_GPU, gpu.data, gpu.size, &r, &e), 0);
        ck_assert_uint_eq(r->n_measurements, 64);
        ck_assert_str_eq(r->driver_version, MAKER_DRIVER);
        ck_assert_str_eq(r->vbios_version, MAKER_VBIOS);
        ck_assert_str_eq(r->project, "X123");
        ck_assert_str_eq(r->chip_sku, "777");
        ck_assert_ptr_null(r->chip_info);
        ck_assert_mem_eq(r->nonce.data, sim.nonce, NONCE_SIZE);
        golden(DEVICE_GPU, 63, value);
        ck_assert_mem_eq(r->measurements[63].data, value, DIGEST_SIZE);
        ck_assert_ptr_null(r->measurements[64].data);
        ck_assert_int_eq(report_opaque_u16(r, OPAQUE_FEATURE_FLAG), FEATURE_FLAG_PPCIE);
        ck_assert_int_eq(report_opaque_u8(r, OPAQUE_FEATURE_FLAG), -ENODATA);
        report_of(&sim, &sim.switches[0], &sw);
        ck_assert_int_eq(report_parse("made", DEVICE_SWITCH, sw.data, sw.size, &s, &e), 0);
        ck_assert_str_eq(s->vbios_version, MAKER_VBIOS);
        ck_assert_ptr_null(s->driver_version);
}
END_TEST

START_TEST(test_every_bit) {
        _cleanup_(cert_pool_freep) CertPool *pool = cert_pool_new();
        _cleanup_(cert_chain_freep) CertChain *c = chain_of(pool, sim.gpus[0].chain);
        _cleanup_text_ Text t = {};
        size_t refused[2] = {};

        small_report(&t);
        ck_assert_int_eq(judge_bytes(c, t.data, t.size), 2);
        for (size_t bit = 0; bit < 8 * t.size; bit++) {
                int result;

                t.data[bit / 8] = (char) (t.data[bit / 8] ^ 1 << bit % 8);
                result = judge_bytes(c, t.data, t.size);
                ck_assert_msg(result < 2, "bit %zu of byte %zu does not matter", bit % 8, bit / 8);
                refused[result]++;
                t.data[bit / 8] = (char) (t.data[bit / 8] ^ 1 << bit % 8);
        }
        /* Both kinds of refusal are there. */
        ck_assert_uint_gt(refused[0], 100);
        ck_assert_uint_gt(refused[1], 1000);
}
END_TEST

/* The same for whole reports, whose 32,000 bits would take long to verify: the signature sees a report only as this digest. */
START_TEST(test_every_bit_is_covered) {
        const SimDevice *devices[] = { &sim.gpus[0], &sim.switches[0] };

        for (size_t i = 0; i < ELEMENTSOF(devices); i++) {
                _cleanup_text_ Text t = {};
                uint8_t right[EVP_MAX_MD_SIZE], digest[EVP_MAX_MD_SIZE];

                report_of(&sim, devices[i], &t);
                ck_assert_int_eq(EVP_Digest(t.data, t.size - SIGNATURE_SIZE, right, NULL, EVP_sha384(), NULL), 1);
                for (size_t bit = 0; bit < 8 * t.size; bit++) {
                        _cleanup_error_ Error e = ERROR_INIT;
                        _cleanup_(report_freep) Report *r = NULL;

                        t.data[bit / 8] = (char) (t.data[bit / 8] ^ 1 << bit % 8);
                        if (report_parse("made", devices[i]->kind, t.data, t.size, &r, &e) == 0) {
                                ck_assert_uint_eq(r->covered.size + r->signature.size, t.size);
                                ck_assert_int_eq(EVP_Digest(r->covered.data, r->covered.size, digest, NULL, EVP_sha384(), NULL), 1);
                                ck_assert((bit / 8 < t.size - SIGNATURE_SIZE) == (memcmp(digest, right, DIGEST_SIZE) != 0));
                        }
                        t.data[bit / 8] = (char) (t.data[bit / 8] ^ 1 << bit % 8);
                }
        }
}
END_TEST

START_TEST(test_every_length) {
        _cleanup_(cert_pool_freep) CertPool *pool = cert_pool_new();
        _cleanup_(cert_chain_freep) CertChain *c = chain_of(pool, sim.gpus[0].chain);
        _cleanup_text_ Text t = {};

        report_of(&sim, &sim.gpus[0], &t);
        for (size_t size = 0; size < t.size; size++) {
                _cleanup_free_ char *exact = malloc(size + 1);

                /* In memory of just that size, so that a sanitizer sees a byte read behind it. */
                memcpy(exact, t.data, size);
                ck_assert_int_eq(judge_bytes(c, exact, size), 0);
        }
        text_append_n(&t, "", 1);
        ck_assert_int_eq(judge_bytes(c, t.data, t.size), 0);
}
END_TEST

START_TEST(test_block_order) {
        _cleanup_text_ Text t = {};
        const size_t block = 55, first = 37 + 8;

        report_of(&sim, &sim.gpus[0], &t);
        for (size_t i = 0; i < 63; i++)
                for (size_t k = i + 1; k < 64; k++) {
                        _cleanup_error_ Error e = ERROR_INIT;
                        _cleanup_(report_freep) Report *r = NULL;
                        _cleanup_free_ char *copy = malloc(t.size);

                        memcpy(copy, t.data, t.size);
                        memcpy(copy + first + i * block, t.data + first + k * block, block);
                        memcpy(copy + first + k * block, t.data + first + i * block, block);
                        ck_assert_int_eq(report_parse("made", DEVICE_GPU, copy, t.size, &r, &e), -EBADMSG);
                }
}
END_TEST

/* The values of two blocks changed for each other, their numbers left: well-formed, and not what was signed. And all of them turned round. */
START_TEST(test_value_order) {
        _cleanup_(cert_pool_freep) CertPool *pool = cert_pool_new();
        _cleanup_(cert_chain_freep) CertChain *c = chain_of(pool, sim.gpus[0].chain);
        _cleanup_text_ Text t = {};
        const size_t block = 55, value = 37 + 8 + 7;
        _cleanup_free_ char *copy = NULL;

        report_of(&sim, &sim.gpus[0], &t);
        ck_assert_ptr_nonnull(copy = malloc(t.size));
        for (size_t i = 0; i < 63; i++)
                for (size_t k = i + 1; k < 64; k++) {
                        memcpy(copy, t.data, t.size);
                        memcpy(copy + value + i * block, t.data + value + k * block, DIGEST_SIZE);
                        memcpy(copy + value + k * block, t.data + value + i * block, DIGEST_SIZE);
                        ck_assert_int_eq(judge_bytes(c, copy, t.size), 1);
                }
        for (size_t turn = 1; turn < 64; turn++) {
                for (size_t i = 0; i < 64; i++)
                        memcpy(copy + value - 7 + i * block, t.data + value - 7 + (i + turn) % 64 * block, block);
                ck_assert_int_eq(judge_bytes(c, copy, t.size), 0);
        }
        for (size_t i = 0; i < 64; i++)
                memcpy(copy + value - 7 + i * block, t.data + value - 7 + (63 - i) * block, block);
        ck_assert_int_eq(judge_bytes(c, copy, t.size), 0);
}
END_TEST

static int parse_opaque(const Text *opaque, DeviceKind kind, Report **ret) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_text_ Text t = {};

        report_make(&sim, kind, 1, opaque, &t);
        report_sign(&sim.gpus[0], &t);
        return report_parse("made", kind, t.data, t.size, ret, &e);
}

START_TEST(test_opaque) {
        static const struct { unsigned type; const char *data; size_t size; int result; } cases[] = {
                { OPAQUE_DRIVER_VERSION, "1.2\0\0", 5, 0 }, { OPAQUE_DRIVER_VERSION, "1.2", 3, 0 }, { OPAQUE_DRIVER_VERSION, "", 0, 0 },
                { OPAQUE_DRIVER_VERSION, "1.2\0x", 5, -EBADMSG }, { OPAQUE_DRIVER_VERSION, "../../x", 8, -EBADMSG }, { OPAQUE_PROJECT, "a b", 4, -EBADMSG },
                { OPAQUE_CHIP_SKU, "\xff", 1, -EBADMSG }, { OPAQUE_CHIP_INFO, "GB100\n", 6, -EBADMSG }, { OPAQUE_VBIOS_VERSION, "1234567", 7, -EBADMSG },
                { OPAQUE_PROJECT_SKU, "01234567890123456789012345678901234567890123456789012345678901234", 65, -EBADMSG },
                { 63, "x", 1, 0 }, { 64, "x", 1, 0 }, { 255, "x", 1, 0 }, { 65535, "", 0, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_text_ Text opaque = {};
                _cleanup_(report_freep) Report *r = NULL;

                put_field(&opaque, cases[i].type, cases[i].data, cases[i].size);
                ck_assert_msg(parse_opaque(&opaque, DEVICE_GPU, &r) == cases[i].result, "case %zu", i);
        }
}
END_TEST

/* NVIDIA's Python ends with a KeyError at a type that it does not know. */
START_TEST(test_opaque_unknown) {
        _cleanup_text_ Text opaque = {}, twice = {};
        _cleanup_(report_freep) Report *r = NULL, *none = NULL;

        put_field(&opaque, 4712, "new", 3);
        put_field(&opaque, 4712, "newer", 5);
        put_field(&opaque, 60, "new", 3);
        put_field(&opaque, OPAQUE_DRIVER_VERSION, "1.2", 3);
        ck_assert_int_eq(parse_opaque(&opaque, DEVICE_GPU, &r), 0);
        ck_assert_str_eq(r->driver_version, "1.2");
        put_field(&twice, OPAQUE_DRIVER_VERSION, "1.2", 3);
        put_field(&twice, OPAQUE_DRIVER_VERSION, "1.3", 3);
        ck_assert_int_eq(parse_opaque(&twice, DEVICE_GPU, &none), -EBADMSG);
        /* A field that ends behind the opaque data. */
        text_append_n(&opaque, "\1\0\5\0abc", 7);
        ck_assert_int_eq(parse_opaque(&opaque, DEVICE_GPU, &none), -EBADMSG);
}
END_TEST

START_TEST(test_decode) {
        static const char *const wrong[] = { "1", "11e00", "11e0zz", "11 e0 0", "0x11e0", "\x11" };
        _cleanup_free_ uint8_t *bytes = NULL, *binary = NULL;
        _cleanup_free_ char *hex = NULL, *lines = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_text_ Text t = {};
        size_t n;

        small_report(&t);
        hex = hex_encode(t.data, t.size);
        lines = format(" %.100s\r\n%s\n", hex, hex + 100);
        ck_assert_int_eq(report_decode("made", lines, strlen(lines), &bytes, &n, &e), 0);
        ck_assert_uint_eq(n, t.size);
        ck_assert_mem_eq(bytes, t.data, n);
        ck_assert_int_eq(report_decode("made", t.data, t.size, &binary, &n, &e), 0);
        ck_assert_mem_eq(binary, t.data, n);
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                _cleanup_error_ Error why = ERROR_INIT;
                _cleanup_free_ uint8_t *none = NULL;

                ck_assert_msg(report_decode("made", wrong[i], strlen(wrong[i]), &none, &n, &why) == -EBADMSG, "%s", wrong[i]);
                ck_assert_int_eq(why.code, EXIT_INVALID);
        }
}
END_TEST

static int verify(CertPool *pool, const char *pem, Error *e) {
        _cleanup_(cert_chain_freep) CertChain *c = NULL;
        int r = cert_chain_from_pem(pool, "made", pem, strlen(pem), &c, e);

        return r < 0 ? r : cert_chain_verify(pool, c, "made", maker.roots.device, DEVICE_CHAIN_LENGTH, MAKER_TIME, e);
}

/* All 5^5 chains of the five certificates: one of them is right. */
START_TEST(test_certificate_order) {
        const Authority *certs[] = { &sim.gpus[0].leaf, &sim.gpus[0].brom, &maker.gpu_ica, &maker.identity, &maker.device_root };
        _cleanup_(cert_pool_freep) CertPool *pool = cert_pool_new();
        size_t right = 0;

        for (unsigned i = 0; i < 5 * 5 * 5 * 5 * 5; i++) {
                const Authority *order[] = { certs[i % 5], certs[i / 5 % 5], certs[i / 25 % 5], certs[i / 125 % 5], certs[i / 625] };
                _cleanup_free_ char *pem = chain_to_pem(order, ELEMENTSOF(order));
                _cleanup_error_ Error e = ERROR_INIT;
                int r = verify(pool, pem, &e);

                if (r == 0) {
                        right++;
                        ck_assert_mem_eq(order, certs, sizeof order);
                } else
                        ck_assert_int_eq(e.code, EXIT_UNTRUSTED);
        }
        ck_assert_uint_eq(right, 1);
}
END_TEST

START_TEST(test_certificate_count) {
        const Authority *certs[] = { &sim.gpus[0].leaf, &sim.gpus[0].brom, &maker.gpu_ica, &maker.identity, &maker.device_root, &maker.device_root };
        _cleanup_(cert_pool_freep) CertPool *pool = cert_pool_new();

        for (size_t n = 1; n <= ELEMENTSOF(certs); n++) {
                _cleanup_free_ char *pem = chain_to_pem(certs, n);
                _cleanup_error_ Error e = ERROR_INIT;

                ck_assert_int_eq(verify(pool, pem, &e), n == DEVICE_CHAIN_LENGTH ? 0 : -EKEYREJECTED);
        }
}
END_TEST

/* Chains in which everything is right but their length: who has a place in it is told by the place. */
START_TEST(test_certificate_places) {
        CertSpec more = { .name = "More", .authority = true, .path_length = -1 }, leaf = { .name = "L" };
        const Authority *four[] = { &sim.gpus[0].leaf, &maker.gpu_ica, &maker.identity, &maker.device_root };
        Authority a, l, m;

        authority_make(&maker, &sim.gpus[0].brom, &more, &a);
        authority_make(&maker, &a, &leaf, &l);
        authority_make(&maker, &maker.gpu_ica, &leaf, &m);
        four[0] = &m;
        const Authority *six[] = { &l, &a, &sim.gpus[0].brom, &maker.gpu_ica, &maker.identity, &maker.device_root };
        struct { const Authority *const *certs; size_t n; } chains[] = { { four, ELEMENTSOF(four) }, { six, ELEMENTSOF(six) } };
        for (size_t i = 0; i < ELEMENTSOF(chains); i++) {
                _cleanup_(cert_pool_freep) CertPool *pool = cert_pool_new();
                _cleanup_free_ char *pem = chain_to_pem(chains[i].certs, chains[i].n);
                _cleanup_(cert_chain_freep) CertChain *c = chain_of(pool, pem);
                _cleanup_error_ Error e = ERROR_INIT;

                ck_assert_int_eq(cert_chain_verify(pool, c, "made", maker.roots.device, chains[i].n, MAKER_TIME, NULL), 0);
                ck_assert_int_eq(cert_chain_verify(pool, c, "made", maker.roots.device, DEVICE_CHAIN_LENGTH, MAKER_TIME, &e), -EKEYREJECTED);
        }
        authority_done(&a);
        authority_done(&l);
        authority_done(&m);
}
END_TEST

/* Every bit of a device's own two certificates. */
START_TEST(test_certificate_bits) {
        X509 *certs[] = { sim.gpus[0].leaf.cert, sim.gpus[0].brom.cert };
        const Authority *above[] = { &sim.gpus[0].brom, &maker.gpu_ica, &maker.identity, &maker.device_root };
        CertPool *pool = cert_pool_new();
        size_t tried = 0;

        for (size_t which = 0; which < 2; which++) {
                unsigned char *der = NULL, *leaf = NULL;
                int size = i2d_X509(certs[which], &der), leaf_size = i2d_X509(certs[0], &leaf);

                for (size_t bit = 0; bit < 8 * (size_t) size; bit++) {
                        _cleanup_(cert_chain_freep) CertChain *c = cert_chain_new();
                        _cleanup_error_ Error e = ERROR_INIT;
                        int r = 0;

                        der[bit / 8] ^= (unsigned char) (1 << bit % 8);
                        if (which == 1)
                                r = cert_chain_append_der(pool, c, "made", leaf, (size_t) leaf_size, &e);
                        if (r == 0)
                                r = cert_chain_append_der(pool, c, "made", der, (size_t) size, &e);
                        for (size_t i = which; r == 0 && i < ELEMENTSOF(above); i++) {
                                unsigned char *issuer = NULL;
                                int issuer_size = i2d_X509(above[i]->cert, &issuer);

                                r = cert_chain_append_der(pool, c, "made", issuer, (size_t) issuer_size, &e);
                                OPENSSL_free(issuer);
                        }
                        if (r == 0)
                                r = cert_chain_verify(pool, c, "made", maker.roots.device, DEVICE_CHAIN_LENGTH, MAKER_TIME, &e);
                        ck_assert_msg(r < 0, "certificate %zu: bit %zu of byte %zu does not matter", which, bit % 8, bit / 8);
                        der[bit / 8] ^= (unsigned char) (1 << bit % 8);
                        if (++tried % 1000 == 0) {
                                cert_pool_free(pool);
                                pool = cert_pool_new();
                        }
                }
                OPENSSL_free(der);
                OPENSSL_free(leaf);
        }
        cert_pool_free(pool);
}
END_TEST

/* Certificates that are well signed, and still not to be followed. */
START_TEST(test_certificate_rules) {
        static const struct { const char *what; CertSpec brom, leaf; } cases[] = {
                { "issued by one that is no authority", { .name = "GH100 B" }, { .name = "L" } },
                { "curve", { .name = "GH100 B", .authority = true, .path_length = -1 }, { .name = "L", .curve = "P-256" } },
                { "leaf that is an authority, not for signatures", { .name = "GH100 B", .authority = true, .path_length = -1 },
                  { .name = "L", .authority = true, .path_length = -1 } },
                { "curve of an authority", { .name = "GH100 B", .authority = true, .path_length = -1, .curve = "P-521" }, { .name = "L" } },
                { "not yet valid", { .name = "GH100 B", .authority = true, .path_length = -1, .from = MAKER_TIME + 1 }, { .name = "L" } },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(cert_pool_freep) CertPool *pool = cert_pool_new();
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_free_ char *pem = NULL;
                Authority b, l;

                authority_make(&maker, &maker.gpu_ica, &cases[i].brom, &b);
                authority_make(&maker, &b, &cases[i].leaf, &l);
                pem = chain_to_pem((const Authority *[]) { &l, &b, &maker.gpu_ica, &maker.identity, &maker.device_root }, 5);
                ck_assert_msg(verify(pool, pem, &e) < 0, "%s", cases[i].what);
                ck_assert_int_eq(e.code, EXIT_UNTRUSTED);
                authority_done(&b);
                authority_done(&l);
        }
}
END_TEST

/* What only OpenSSL's strict mode sees in the certificate of a BROM; the leaf's own identifiers, too. */
START_TEST(test_certificate_strict) {
        static const struct { CertLapse brom, leaf; const char *why; } cases[] = {
                { LAPSE_NONE, LAPSE_NONE, NULL },
                { LAPSE_CONSTRAINTS_NOT_CRITICAL, LAPSE_NONE, "not marked critical" },
                { LAPSE_NO_AUTHORITY_KEY, LAPSE_NONE, "Missing Authority Key Identifier" },
                { LAPSE_NONE, LAPSE_NO_AUTHORITY_KEY, "Missing Authority Key Identifier" },
                { LAPSE_NO_KEY_USAGE, LAPSE_NONE, "CA cert does not include key usage extension" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                CertSpec brom = { .name = "GH100 B", .authority = true, .path_length = -1, .lapse = cases[i].brom }, leaf = { .name = "L", .lapse = cases[i].leaf };
                _cleanup_(cert_pool_freep) CertPool *pool = cert_pool_new();
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_free_ char *pem = NULL;
                Authority b, l;

                authority_make(&maker, &maker.gpu_ica, &brom, &b);
                authority_make(&maker, &b, &leaf, &l);
                pem = chain_to_pem((const Authority *[]) { &l, &b, &maker.gpu_ica, &maker.identity, &maker.device_root }, 5);
                ck_assert_msg(verify(pool, pem, &e) == (cases[i].why ? -EKEYREJECTED : 0), "case %zu: %s", i, e.message ? e.message : "accepted");
                ck_assert_msg(!cases[i].why || strstr(e.message, cases[i].why), "case %zu: %s", i, e.message);
                authority_done(&b);
                authority_done(&l);
        }
}
END_TEST

/* An authority that may only issue leaves must not make one that issues others. */
START_TEST(test_path_length) {
        _cleanup_(cert_pool_freep) CertPool *pool = cert_pool_new();
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *pem = NULL;
        CertSpec ica = { .name = "ICA", .authority = true, .path_length = 0 }, brom = { .name = "GH100 B", .authority = true, .path_length = -1 }, leaf = { .name = "L" };
        Authority i, b, l;

        authority_make(&maker, &maker.identity, &ica, &i);
        authority_make(&maker, &i, &brom, &b);
        authority_make(&maker, &b, &leaf, &l);
        pem = chain_to_pem((const Authority *[]) { &l, &b, &i, &maker.identity, &maker.device_root }, 5);
        ck_assert_int_eq(verify(pool, pem, &e), -EKEYREJECTED);
        authority_done(&i);
        authority_done(&b);
        authority_done(&l);
}
END_TEST

/* The same names and key identifiers, another key: only the signature tells. */
START_TEST(test_forged_issuer) {
        _cleanup_(cert_pool_freep) CertPool *pool = cert_pool_new();
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *pem = NULL;
        CertSpec leaf = { .name = "L" };
        Authority impostor = { EVP_EC_gen("P-384"), sim.gpus[0].brom.cert }, l;

        authority_make(&maker, &impostor, &leaf, &l);
        pem = chain_to_pem((const Authority *[]) { &l, &sim.gpus[0].brom, &maker.gpu_ica, &maker.identity, &maker.device_root }, 5);
        ck_assert_int_eq(verify(pool, pem, &e), -EKEYREJECTED);
        ck_assert_ptr_nonnull(strstr(e.message, "signature on certificate 1"));
        EVP_PKEY_free(impostor.key);
        authority_done(&l);
}
END_TEST

#define PEM_END "-----END CERTIFICATE-----\n"

/* A new string with every such part replaced. */
static char *replaced_all(const char *s, const char *from, const char *to) {
        _cleanup_text_ Text t = {};

        for (const char *p; (p = strstr(s, from)); s = p + strlen(from))
                text_printf(&t, "%.*s%s", (int) (p - s), s, to);
        text_append(&t, s);
        return text_take(&t);
}

START_TEST(test_pem) {
        static const char *const wrong[] = { "", "x", "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
                                             "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----" };
        _cleanup_(cert_pool_freep) CertPool *pool = cert_pool_new();
        _cleanup_free_ char *text = format("%s-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", sim.gpus[0].chain), *nul = NULL,
                            *around = format("Certificate:\n    Version: 3 (0x2)\n%s trailing words\n", sim.gpus[0].chain),
                            *windows = replaced_all(sim.gpus[0].chain, "\n", "\r\n"), *between = replaced_all(sim.gpus[0].chain, PEM_END, PEM_END "s: Made\ni: Root\n");
        size_t size = strlen(sim.gpus[0].chain);

        for (size_t i = 0; i <= ELEMENTSOF(wrong); i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_(cert_chain_freep) CertChain *c = NULL;
                const char *pem = i < ELEMENTSOF(wrong) ? wrong[i] : text;

                ck_assert_int_eq(cert_chain_from_pem(pool, "made", pem, strlen(pem), &c, &e), -EBADMSG);
                ck_assert_int_eq(e.code, EXIT_INVALID);
        }
        /* What openssl writes beside certificates, and what Windows makes of lines. */
        for (size_t i = 0; i < 3; i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_(cert_chain_freep) CertChain *c = NULL;
                const char *pem = i == 0 ? around : i == 1 ? windows : between;

                ck_assert_int_eq(cert_chain_from_pem(pool, "made", pem, strlen(pem), &c, &e), 0);
                ck_assert_int_eq(cert_chain_verify(pool, c, "made", maker.roots.device, DEVICE_CHAIN_LENGTH, MAKER_TIME, &e), 0);
        }
        /* NUL bytes at the end are counted by some interfaces; something behind them is not. */
        nul = calloc(1, size + 3);
        memcpy(nul, sim.gpus[0].chain, size);
        for (size_t i = 0; i < 2; i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_(cert_chain_freep) CertChain *c = NULL;

                nul[size + 1] = i ? 'x' : '\0';
                ck_assert_int_eq(cert_chain_from_pem(pool, "made", nul, size + 3, &c, &e), i ? -EBADMSG : 0);
        }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("attest-report");
        TCase *tc = tcase_create("report");

        tcase_add_unchecked_fixture(tc, sim_setup, sim_teardown);
        tcase_set_timeout(tc, 110); /* every bit, also on a busy machine */
        tcase_add_test(tc, test_parse);
        tcase_add_test(tc, test_every_bit);
        tcase_add_test(tc, test_every_bit_is_covered);
        tcase_add_test(tc, test_every_length);
        tcase_add_test(tc, test_block_order);
        tcase_add_test(tc, test_value_order);
        tcase_add_test(tc, test_opaque);
        tcase_add_test(tc, test_opaque_unknown);
        tcase_add_test(tc, test_decode);
        tcase_add_test(tc, test_certificate_order);
        tcase_add_test(tc, test_certificate_count);
        tcase_add_test(tc, test_certificate_places);
        tcase_add_test(tc, test_certificate_bits);
        tcase_add_test(tc, test_certificate_rules);
        tcase_add_test(tc, test_certificate_strict);
        tcase_add_test(tc, test_path_length);
        tcase_add_test(tc, test_forged_issuer);
        tcase_add_test(tc, test_pem);
        suite_add_tcase(suite, tc);
        return run_suite(suite);
}
