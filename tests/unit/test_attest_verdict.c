/* SPDX-License-Identifier: Apache-2.0 */
/* A test for each check that makes just that one come out otherwise; and what NVIDIA's tools get wrong. */
#include "attest.h"
#include "run.h"

START_TEST(test_all_right) {
        _cleanup_(evidence_freep) Evidence *ev = evidence_make(&sim);
        RimSource source = rims();
        VerdictOptions o = demanding(&source);
        _cleanup_(verdict_freep) Verdict *v = NULL;

        o.gpus = 8;
        o.switches = 4;
        o.mode = MODE_PROTECTED_PCIE;
        v = judge(ev, &o);
        for (unsigned i = _CHECK_DEVICE_MAX; i < _CHECK_MAX; i++)
                ck_assert_msg(v->checks[i].state == CHECK_OK, "%s: %s", check_name((CheckId) i), v->checks[i].detail);
        for (size_t i = 0; i < v->n; i++)
                for (unsigned k = 0; k < _CHECK_DEVICE_MAX; k++)
                        ck_assert_msg(v->devices[i].checks[k].state == CHECK_OK || v->devices[i].checks[k].state == CHECK_SKIPPED, "%s: %s: %s",
                                      v->devices[i].name, check_name((CheckId) k), v->devices[i].checks[k].detail);
        ck_assert_int_eq(v->result, CHECK_OK);
        ck_assert_str_eq(v->devices[0].name, "GPU-0");
        ck_assert_str_eq(v->devices[11].name, "SWITCH-3");
        /* 33 golden values, of which the video decoder's is not measured; a switch has 31. */
        ck_assert_uint_eq(v->devices[0].comparison.n_compared, 32);
        ck_assert(v->devices[0].comparison.nvdec_skipped);
        ck_assert_uint_eq(v->devices[8].comparison.n_compared, 31);
        /* Each manifest once, each certificate once: 2 of each device, 4 shared, 4 of the manifests' signer. */
        ck_assert_uint_eq(v->rims.n, 3);
}
END_TEST

START_TEST(test_report) {
        _cleanup_(evidence_freep) Evidence *ev = one_gpu();
        RimSource source = rims();
        VerdictOptions o = demanding(&source);
        _cleanup_(verdict_freep) Verdict *v = NULL;

        ev->devices[0]->report_size--;
        v = judge(ev, &o);
        ck_only(v, 0, CHECK_REPORT, CHECK_FAILED);
}
END_TEST

START_TEST(test_arch) {
        _cleanup_(evidence_freep) Evidence *ev = one_gpu();
        RimSource source = rims();
        VerdictOptions o = demanding(&source);
        _cleanup_(verdict_freep) Verdict *v = NULL;

        free(ev->devices[0]->arch);
        ev->devices[0]->arch = strdup("BLACKWELL");
        v = judge(ev, &o);
        ck_only(v, 0, CHECK_ARCH, CHECK_FAILED);
}
END_TEST

/* A switch's report is read as a switch's, whatever is stated beside it. */
START_TEST(test_arch_stated_wrong) {
        _cleanup_(evidence_freep) Evidence *ev = evidence_new();
        RimSource source = rims();
        VerdictOptions o = demanding(&source);
        _cleanup_(verdict_freep) Verdict *v = NULL;
        Device *d = evidence_device(ev, &sim, &sim.switches[0]);

        free(d->arch);
        d->arch = strdup("HOPPER");
        v = judge(ev, &o);
        ck_only(v, 0, CHECK_ARCH, CHECK_FAILED);
        ck_assert_str_eq(v->devices[0].name, "SWITCH-0");
}
END_TEST

START_TEST(test_unknown_model) {
        _cleanup_(evidence_freep) Evidence *ev = one_gpu();
        RimSource source = rims();
        VerdictOptions o = demanding(&source);
        _cleanup_(verdict_freep) Verdict *v = NULL;
        CertSpec brom = { .name = "GH1000 A01 GSP BROM", .authority = true, .path_length = -1, .from = MAKER_START }, leaf = { .name = "AK", .from = MAKER_START };
        Authority b, l;

        authority_make(&maker, &maker.gpu_ica, &brom, &b);
        authority_make(&maker, &b, &leaf, &l);
        set_chain(ev->devices[0], chain_to_pem((const Authority *[]) { &l, &b, &maker.gpu_ica, &maker.identity, &maker.device_root }, 5));
        v = judge(ev, &o);
        ck_only(v, 0, CHECK_ARCH, CHECK_FAILED);
        ck_assert_str_eq(v->devices[0].name, "DEVICE-0");
        authority_done(&b);
        authority_done(&l);
}
END_TEST

START_TEST(test_other_root) {
        _cleanup_(evidence_freep) Evidence *ev = one_gpu();
        RimSource source = rims();
        VerdictOptions o = demanding(&source);
        _cleanup_(verdict_freep) Verdict *v = NULL;

        o.roots = &(TrustRoots) { trust_roots_nvidia.device, maker.roots.rim };
        v = judge(ev, &o);
        ck_only(v, 0, CHECK_CHAIN, CHECK_FAILED);
        /* What is not authentic is not compared. */
        ck_assert(!v->devices[0].compared);
}
END_TEST

/* Replaces the first GPU's leaf certificate, and signs its report anew with that key. */
static void with_leaf(Evidence *ev, const CertSpec *spec) {
        _cleanup_text_ Text report = {};
        SimDevice d;

        device_make(&maker, DEVICE_GPU, 0, spec, &d);
        memcpy(d.fwid, sim.gpus[0].fwid, sizeof d.fwid);
        report_of(&sim, &d, &report);
        set_report(ev->devices[0], &report);
        set_chain(ev->devices[0], strdup(d.chain));
        device_done(&d);
}

START_TEST(test_expired) {
        _cleanup_(evidence_freep) Evidence *ev = one_gpu();
        RimSource source = rims();
        VerdictOptions o = demanding(&source);
        _cleanup_(verdict_freep) Verdict *v = NULL;

        with_leaf(ev, &(CertSpec) { .name = "AK", .fwid = sim.gpus[0].fwid, .from = MAKER_START, .until = MAKER_TIME - 1 });
        v = judge(ev, &o);
        ck_only(v, 0, CHECK_CHAIN, CHECK_FAILED);
        ck_assert(v->devices[0].expired && v->devices[0].compared);
        verdict_free(v);
        o.at = MAKER_TIME - 1;
        v = judge(ev, &o);
        ck_assert_int_eq(v->result, CHECK_OK);
        verdict_free(v);
        o.at = MAKER_START - 1;
        v = judge(ev, &o);
        ck_assert_int_eq(v->devices[0].checks[CHECK_CHAIN].state, CHECK_FAILED);
}
END_TEST

START_TEST(test_fwid) {
        static const uint8_t other[DIGEST_SIZE] = { 1 };
        static const struct { bool tcb_info, none, right; } cases[] = { { false, false, true }, { true, false, true }, { false, false, false },
                                                                         { true, false, false }, { false, true, false } };
        RimSource source = rims();
        VerdictOptions o = demanding(&source);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(evidence_freep) Evidence *ev = one_gpu();
                _cleanup_(verdict_freep) Verdict *v = NULL;

                with_leaf(ev, &(CertSpec) { .name = "AK", .from = MAKER_START, .fwid_in_tcb_info = cases[i].tcb_info,
                                            .fwid = cases[i].none ? NULL : cases[i].right ? sim.gpus[0].fwid : other });
                v = judge(ev, &o);
                if (cases[i].right)
                        ck_assert_int_eq(v->result, CHECK_OK);
                else
                        ck_only(v, 0, CHECK_FWID, CHECK_FAILED);
        }
}
END_TEST

START_TEST(test_nonce) {
        static const uint8_t other[NONCE_SIZE] = { 1 };
        _cleanup_(evidence_freep) Evidence *ev = one_gpu();
        RimSource source = rims();
        VerdictOptions o = demanding(&source);
        _cleanup_(verdict_freep) Verdict *v = NULL;

        o.nonce = other;
        v = judge(ev, &o);
        ck_only(v, 0, CHECK_NONCE, CHECK_FAILED);
        verdict_free(v);
        /* Nor does a stated one help an old report, or the other way round. */
        o.nonce = NULL;
        ev->devices[0]->nonce[31] ^= 1;
        v = judge(ev, &o);
        ck_only(v, 0, CHECK_NONCE, CHECK_FAILED);
        verdict_free(v);
        ev->devices[0]->has_nonce = false;
        v = judge(ev, &o);
        ck_assert_int_eq(v->result, CHECK_OK);
        ck_assert_int_eq(v->devices[0].checks[CHECK_NONCE].state, CHECK_SKIPPED);
}
END_TEST

START_TEST(test_signature) {
        _cleanup_(evidence_freep) Evidence *ev = one_gpu();
        RimSource source = rims();
        VerdictOptions o = demanding(&source);
        _cleanup_(verdict_freep) Verdict *v = NULL;

        ev->devices[0]->report[ev->devices[0]->report_size - 1] ^= 1;
        v = judge(ev, &o);
        ck_only(v, 0, CHECK_SIGNATURE, CHECK_FAILED);
        ck_assert(!v->devices[0].compared);
}
END_TEST

START_TEST(test_rim_missing) {
        _cleanup_(evidence_freep) Evidence *ev = one_gpu();
        RimSource source = rims();
        VerdictOptions o = demanding(&source);

        for (unsigned i = 0; i < 3; i++) {
                _cleanup_(verdict_freep) Verdict *v = NULL;

                if (i < 2)
                        rim_override[i] = strdup("");
                else
                        o.rims = NULL;
                v = judge(ev, &o);
                ck_only(v, 0, i == 1 ? CHECK_VBIOS_RIM : CHECK_DRIVER_RIM, CHECK_UNCHECKED);
                if (i < 2) {
                        free(rim_override[i]);
                        rim_override[i] = NULL;
                }
        }
}
END_TEST

/* Judges one GPU with another manifest in the place of maker_rim_ids[i]; takes xml. */
static Verdict *judge_with_rim(unsigned i, char *xml) {
        static Evidence *ev;
        RimSource source = rims();
        VerdictOptions o = demanding(&source);

        if (!ev)
                ev = one_gpu();
        free(rim_override[i]);
        rim_override[i] = xml;
        return judge(ev, &o);
}

static char *changed_and_signed(RimKind kind, const char *from, const char *to) {
        _cleanup_free_ char *body = rim_body(DEVICE_GPU, kind, kind == RIM_DRIVER ? MAKER_DRIVER : MAKER_VBIOS), *other = replaced(body, from, to);

        return rim_sign(other, &maker.rim_l4, (const Authority *[]) { &maker.rim_l4, &maker.rim_l3, &maker.rim_ca, &maker.rim_root }, 4);
}

START_TEST(test_rim_schema) {
        _cleanup_(verdict_freep) Verdict *v = judge_with_rim(RIM_DRIVER, strdup("<SoftwareIdentity/>"));

        ck_only(v, 0, CHECK_DRIVER_RIM_SCHEMA, CHECK_FAILED);
        verdict_free(v);
        v = judge_with_rim(RIM_DRIVER, changed_and_signed(RIM_DRIVER, "active=\"True\"", "active=\"yes\""));
        ck_only(v, 0, CHECK_DRIVER_RIM_SCHEMA, CHECK_FAILED);
}
END_TEST

START_TEST(test_rim_chain) {
        const Authority *short_chain[] = { &maker.rim_l4, &maker.rim_l3, &maker.rim_root }, *devices[] = { &sim.gpus[0].leaf, &sim.gpus[0].brom, &maker.gpu_ica,
                        &maker.identity, &maker.device_root };
        _cleanup_free_ char *body = rim_body(DEVICE_GPU, RIM_VBIOS, MAKER_VBIOS);
        _cleanup_(verdict_freep) Verdict *v = judge_with_rim(RIM_VBIOS, rim_sign(body, &maker.rim_l4, short_chain, 3));

        ck_only(v, 0, CHECK_VBIOS_RIM_CHAIN, CHECK_FAILED);
        verdict_free(v);
        /* A GPU's own key signs reports, not manifests. */
        v = judge_with_rim(RIM_VBIOS, rim_sign(body, &sim.gpus[0].leaf, devices, 5));
        ck_only(v, 0, CHECK_VBIOS_RIM_CHAIN, CHECK_FAILED);
        ck_assert(!v->devices[0].compared);
}
END_TEST

START_TEST(test_rim_expired) {
        _cleanup_(evidence_freep) Evidence *ev = one_gpu();
        RimSource source = rims();
        VerdictOptions o = demanding(&source);
        _cleanup_(verdict_freep) Verdict *v = NULL;

        o.at = MAKER_END + 1;
        v = judge(ev, &o);
        ck_assert_int_eq(v->result, CHECK_FAILED);
        ck_assert_int_eq(v->devices[0].checks[CHECK_DRIVER_RIM_CHAIN].state, CHECK_FAILED);
        ck_assert_int_eq(v->devices[0].checks[CHECK_VBIOS_RIM_CHAIN].state, CHECK_FAILED);
        /* Signed by who must have signed it: the values are told, the verdict is no. */
        ck_assert_int_eq(v->devices[0].checks[CHECK_MEASUREMENTS].state, CHECK_OK);
}
END_TEST

START_TEST(test_rim_signature) {
        _cleanup_free_ char *xml = rim_make(&maker, DEVICE_GPU, RIM_DRIVER, MAKER_DRIVER), *body = rim_body(DEVICE_GPU, RIM_DRIVER, MAKER_DRIVER);
        _cleanup_(verdict_freep) Verdict *v = judge_with_rim(RIM_DRIVER, replaced(xml, "Made Corporation", "Nade Corporation"));
        const Authority *certs[] = { &maker.rim_l4, &maker.rim_l3, &maker.rim_ca, &maker.rim_root };

        ck_only(v, 0, CHECK_DRIVER_RIM_SIGNATURE, CHECK_FAILED);
        verdict_free(v);
        v = judge_with_rim(RIM_DRIVER, rim_sign(body, &maker.rim_l3, certs, 4));
        ck_only(v, 0, CHECK_DRIVER_RIM_SIGNATURE, CHECK_FAILED);
}
END_TEST

START_TEST(test_rim_version) {
        _cleanup_(verdict_freep) Verdict *v = judge_with_rim(RIM_DRIVER, rim_make(&maker, DEVICE_GPU, RIM_DRIVER, "1.2.4"));

        ck_only(v, 0, CHECK_DRIVER_RIM_VERSION, CHECK_FAILED);
        ck_assert(!v->devices[0].compared);
        verdict_free(v);
        /* The right version of another chip, as a mirror might hand it out under this name. */
        v = judge_with_rim(RIM_DRIVER, changed_and_signed(RIM_DRIVER, "product=\"GH100\"", "product=\"GB100\""));
        ck_only(v, 0, CHECK_DRIVER_RIM_VERSION, CHECK_FAILED);
        verdict_free(v);
        v = judge_with_rim(RIM_DRIVER, changed_and_signed(RIM_DRIVER, "edition=\"GPU\"", "edition=\"SWITCH\""));
        ck_only(v, 0, CHECK_DRIVER_RIM_VERSION, CHECK_FAILED);
        free(rim_override[RIM_DRIVER]);
        rim_override[RIM_DRIVER] = NULL;
        verdict_free(v);
        v = judge_with_rim(RIM_VBIOS, rim_make(&maker, DEVICE_GPU, RIM_VBIOS, "01.02.03.04.06"));
        ck_only(v, 0, CHECK_VBIOS_RIM_VERSION, CHECK_FAILED);
}
END_TEST

START_TEST(test_conflict) {
        _cleanup_(verdict_freep) Verdict *v = judge_with_rim(RIM_VBIOS, changed_and_signed(RIM_VBIOS, "active=\"False\" alternatives=\"1\" index=\"30\"",
                                                                                           "active=\"True\" alternatives=\"1\" index=\"30\""));

        ck_only(v, 0, CHECK_CONFLICT, CHECK_FAILED);
        ck_assert_int_eq(v->devices[0].comparison.first_conflict, 30);
}
END_TEST

/* Judges one GPU whose report has n blocks, one byte of which is another (at, from the report's begin), signed as it is. */
static Verdict *judge_report(unsigned n, size_t at, uint8_t flip, bool nvdec) {
        _cleanup_(evidence_freep) Evidence *ev = one_gpu();
        _cleanup_text_ Text opaque = {}, report = {};
        RimSource source = rims();
        VerdictOptions o = demanding(&source);

        opaque_make(&sim, &sim.gpus[0], &opaque);
        if (nvdec) {
                static const uint8_t field[] = { OPAQUE_NVDEC0_STATUS, 0, 1, 0, FEATURE_OFF };
                char *p = memmem(opaque.data, opaque.size, field, sizeof field);

                ck_assert_ptr_nonnull(p);
                p[4] = (char) FEATURE_ON;
        }
        report_make(&sim, DEVICE_GPU, n, &opaque, &report);
        report.data[at] = (char) (report.data[at] ^ flip);
        report_sign(&sim.gpus[0], &report);
        set_report(ev->devices[0], &report);
        return judge(ev, &o);
}

static size_t value_at(unsigned index) {
        return 37 + 8 + (size_t) index * 55 + 7;
}

START_TEST(test_measurements) {
        for (unsigned index = 0; index < 64; index++) {
                bool active = index <= 12 || (index >= 21 && index <= 40), skipped = index == NVDEC0_INDEX;
                _cleanup_(verdict_freep) Verdict *v = judge_report(64, value_at(index) + index % 48, 0x80, false);

                if (active && !skipped) {
                        ck_only(v, 0, CHECK_MEASUREMENTS, CHECK_FAILED);
                        ck_assert_uint_eq(v->devices[0].comparison.n_mismatches, 1);
                        ck_assert_uint_eq(v->devices[0].comparison.mismatches[0].index, index);
                } else
                        ck_assert_int_eq(v->result, CHECK_OK);
        }
}
END_TEST

/* NVIDIA's Python compares the decoder's state with something that it never equals. */
START_TEST(test_nvdec) {
        _cleanup_(verdict_freep) Verdict *v = judge_report(64, value_at(NVDEC0_INDEX), 1, true);

        ck_only(v, 0, CHECK_MEASUREMENTS, CHECK_FAILED);
        ck_assert(!v->devices[0].comparison.nvdec_skipped);
        verdict_free(v);
        v = judge_report(64, 0, 0, true);
        ck_assert_int_eq(v->result, CHECK_OK);
        ck_assert_uint_eq(v->devices[0].comparison.n_compared, 33);
}
END_TEST

/* Fewer measurements than golden values: NVIDIA's Python forgets to say so in one of its results. */
START_TEST(test_measurement_missing) {
        _cleanup_(verdict_freep) Verdict *v = judge_report(40, 0, 0, false);

        ck_only(v, 0, CHECK_MEASUREMENTS, CHECK_FAILED);
        ck_assert_uint_eq(v->devices[0].comparison.n_mismatches, 1);
        ck_assert_ptr_null(v->devices[0].comparison.mismatches[0].runtime.data);
        verdict_free(v);
        v = judge_report(1, 0, 0, false);
        ck_only(v, 0, CHECK_MEASUREMENTS, CHECK_FAILED);
        ck_assert_uint_eq(v->devices[0].comparison.n_mismatches, 31);
}
END_TEST

/* An answer for one certificate of a chain, good for the others. */
typedef struct Answer {
        X509 *about;
        OcspResult result;
        int error; /* instead */
        ExitCode code;
        size_t prepared, asked;
} Answer;

static void answer_prepare(void *userdata, const OcspQuery *queries, size_t n) {
        ((Answer *) userdata)->prepared += n;
}

static int answer_ask(void *userdata, const OcspQuery *query, OcspResult *ret, Error *e) {
        Answer *a = userdata;

        a->asked++;
        if (X509_cmp(query->cert, a->about) != 0) {
                *ret = (OcspResult) { .status = OCSP_GOOD, .nonce_matches = true, .response_valid = true };
                return 0;
        }
        if (a->error)
                return error_set(e, a->error, a->code, "made");
        *ret = a->result;
        return 0;
}

START_TEST(test_status) {
        static const struct { OcspStatus status; int error; ExitCode code; bool allow; CheckState expected; } cases[] = {
                { OCSP_GOOD, 0, 0, false, CHECK_OK }, { OCSP_REVOKED, 0, 0, true, CHECK_FAILED }, { OCSP_UNKNOWN, 0, 0, true, CHECK_FAILED },
                { OCSP_HELD, 0, 0, false, CHECK_FAILED }, { OCSP_HELD, 0, 0, true, CHECK_OK }, { 0, ETIMEDOUT, EXIT_UNREACHABLE, false, CHECK_UNCHECKED },
                { 0, EKEYREJECTED, EXIT_UNTRUSTED, false, CHECK_FAILED },
        };
        X509 *about[] = { sim.gpus[0].brom.cert, maker.rim_l4.cert };
        _cleanup_(evidence_freep) Evidence *ev = one_gpu();
        RimSource source = rims();
        VerdictOptions o = demanding(&source);

        for (size_t i = 0; i < ELEMENTSOF(cases) * 2; i++) {
                unsigned k = i / 2;
                Answer a = { about[i % 2], { .status = cases[k].status }, cases[k].error, cases[k].code, 0, 0 };
                OcspSource ocsp = { &a, answer_prepare, answer_ask, cases[k].allow };
                _cleanup_(verdict_freep) Verdict *v = NULL;

                o.ocsp = &ocsp;
                v = judge(ev, &o);
                ck_assert_int_eq(v->devices[0].checks[i % 2 ? CHECK_DRIVER_RIM_STATUS : CHECK_CHAIN_STATUS].state, cases[k].expected);
                ck_assert_int_eq(v->devices[0].checks[CHECK_CHAIN].state, CHECK_OK);
                ck_assert_int_eq(v->result, cases[k].expected);
                /* Of the device all but leaf and root; of the manifests' one chain all but the root. */
                ck_assert_uint_eq(a.prepared, 3 + 3);
        }
}
END_TEST

/* An answer that could not be had must not hide one that says no, in whichever order they come. */
static int mixed_ask(void *userdata, const OcspQuery *query, OcspResult *ret, Error *e) {
        X509 *const *order = userdata;

        if (X509_cmp(query->cert, order[0]) == 0)
                return error_set(e, ETIMEDOUT, EXIT_UNREACHABLE, "made");
        *ret = (OcspResult) { .status = X509_cmp(query->cert, order[1]) == 0 ? OCSP_REVOKED : OCSP_GOOD };
        return 0;
}

START_TEST(test_status_mixed) {
        X509 *orders[2][2] = { { sim.gpus[0].brom.cert, maker.identity.cert }, { maker.identity.cert, sim.gpus[0].brom.cert } };
        _cleanup_(evidence_freep) Evidence *ev = one_gpu();
        RimSource source = rims();
        VerdictOptions o = demanding(&source);

        for (size_t i = 0; i < 2; i++) {
                OcspSource ocsp = { orders[i], NULL, mixed_ask, false };
                _cleanup_(verdict_freep) Verdict *v = NULL;

                o.ocsp = &ocsp;
                v = judge(ev, &o);
                ck_only(v, 0, CHECK_CHAIN_STATUS, CHECK_FAILED);
        }
}
END_TEST

/* NVIDIA's Python: the first GPU passes, the second's report cannot be read, and the whole is a success. */
START_TEST(test_every_device_must_pass) {
        RimSource source = rims();
        VerdictOptions o = demanding(&source);

        for (size_t bad = 0; bad < 3; bad++)
                for (unsigned how = 0; how < 3; how++) {
                        _cleanup_(evidence_freep) Evidence *ev = evidence_new();
                        _cleanup_(verdict_freep) Verdict *v = NULL;

                        for (size_t i = 0; i < 3; i++)
                                (void) evidence_device(ev, &sim, &sim.gpus[i]);
                        if (how == 0)
                                ev->devices[bad]->report_size = 50;
                        else if (how == 1)
                                ev->devices[bad]->report[ev->devices[bad]->report_size - 1] ^= 1;
                        else
                                ev->devices[bad]->chain_size = 100;
                        v = judge(ev, &o);
                        ck_assert_int_eq(v->result, CHECK_FAILED);
                        for (size_t i = 0; i < 3; i++)
                                ck_assert_int_eq(v->devices[i].result, i == bad ? CHECK_FAILED : CHECK_OK);
                        /* Nothing of a device that passed is left in one that was not even read. */
                        for (unsigned k = CHECK_DRIVER_RIM; how != 1 && k < _CHECK_DEVICE_MAX; k++)
                                ck_assert_int_eq(v->devices[bad].checks[k].state, CHECK_UNCHECKED);
                }
}
END_TEST

/* NVIDIA's PPCIE tool asks for 8 GPUs or 4 switches; both are demanded here. */
START_TEST(test_counts) {
        _cleanup_(evidence_freep) Evidence *ev = one_gpu();
        RimSource source = rims();
        VerdictOptions o = demanding(&source);
        _cleanup_(verdict_freep) Verdict *v = NULL;

        o.gpus = 2;
        v = judge(ev, &o);
        ck_system_only(v, CHECK_GPUS, CHECK_FAILED);
        verdict_free(v);
        o.gpus = 0;
        v = judge(ev, &o);
        ck_system_only(v, CHECK_GPUS, CHECK_FAILED);
        verdict_free(v);
        o.gpus = -1;
        o.switches = 1;
        v = judge(ev, &o);
        ck_system_only(v, CHECK_SWITCHES, CHECK_FAILED);
        verdict_free(v);
        o.gpus = 1;
        o.switches = 0;
        v = judge(ev, &o);
        ck_assert_int_eq(v->result, CHECK_OK);
}
END_TEST

START_TEST(test_distinct) {
        _cleanup_(evidence_freep) Evidence *ev = one_gpu();
        RimSource source = rims();
        VerdictOptions o = demanding(&source);
        _cleanup_(verdict_freep) Verdict *v = NULL;

        (void) evidence_device(ev, &sim, &sim.gpus[0]);
        o.gpus = 2;
        v = judge(ev, &o);
        ck_system_only(v, CHECK_DISTINCT, CHECK_FAILED);
}
END_TEST

/* A GPU whose opaque data has these two fields; -1: not there. */
static void with_mode(Device *d, const SimDevice *gpu, int flag, int status) {
        _cleanup_text_ Text all = {}, opaque = {}, report = {};
        const uint8_t flag_bytes[] = { (uint8_t) flag, 0 }, status_byte = (uint8_t) status;

        opaque_make(&sim, gpu, &all);
        for (size_t i = 0; i + 4 <= all.size;) {
                const uint8_t *p = (const uint8_t *) all.data + i;
                unsigned type = p[0] | (unsigned) p[1] << 8, size = p[2] | (unsigned) p[3] << 8;

                if (type != OPAQUE_FEATURE_FLAG && type != OPAQUE_PPCIE_STATUS)
                        put_field(&opaque, type, p + 4, size);
                i += 4 + size;
        }
        if (flag >= 0)
                put_field(&opaque, OPAQUE_FEATURE_FLAG, flag_bytes, 2);
        if (status >= 0)
                put_field(&opaque, OPAQUE_PPCIE_STATUS, &status_byte, 1);
        report_make(&sim, DEVICE_GPU, 64, &opaque, &report);
        report_sign(gpu, &report);
        set_report(d, &report);
}

START_TEST(test_mode) {
        static const struct { int flag, status; CheckState cc, ppcie; } cases[] = {
                { 0, FEATURE_OFF, CHECK_OK, CHECK_FAILED }, { 1, FEATURE_OFF, CHECK_OK, CHECK_FAILED }, { 2, FEATURE_ON, CHECK_FAILED, CHECK_OK },
                { -1, FEATURE_ON, CHECK_FAILED, CHECK_OK }, { -1, FEATURE_OFF, CHECK_OK, CHECK_FAILED }, { -1, -1, CHECK_UNCHECKED, CHECK_UNCHECKED },
                { 2, FEATURE_OFF, CHECK_FAILED, CHECK_FAILED }, { 0, FEATURE_ON, CHECK_FAILED, CHECK_FAILED }, { 3, FEATURE_OFF, CHECK_FAILED, CHECK_FAILED },
                { 0, 0x12, CHECK_FAILED, CHECK_FAILED },
        };
        RimSource source = rims();
        VerdictOptions o = demanding(&source);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (int mode = 0; mode < _MODE_MAX; mode++) {
                        _cleanup_(evidence_freep) Evidence *ev = one_gpu();
                        _cleanup_(verdict_freep) Verdict *v = NULL;

                        with_mode(ev->devices[0], &sim.gpus[0], cases[i].flag, cases[i].status);
                        o.mode = mode;
                        v = judge(ev, &o);
                        ck_assert_msg(v->checks[CHECK_MODE].state == (mode == MODE_PROTECTED_PCIE ? cases[i].ppcie : cases[i].cc), "case %zu, mode %d: %s", i, mode,
                                      v->checks[CHECK_MODE].detail);
                }
}
END_TEST

/* Flags that NVIDIA's two tools number differently: whatever they mean, all GPUs have the same. */
START_TEST(test_one_kind) {
        _cleanup_(evidence_freep) Evidence *ev = one_gpu();
        RimSource source = rims();
        VerdictOptions o = demanding(&source);
        _cleanup_(verdict_freep) Verdict *v = NULL;

        (void) evidence_device(ev, &sim, &sim.gpus[1]);
        with_mode(ev->devices[0], &sim.gpus[0], 0, FEATURE_OFF);
        with_mode(ev->devices[1], &sim.gpus[1], 1, FEATURE_OFF);
        v = judge(ev, &o);
        ck_system_only(v, CHECK_ONE_KIND, CHECK_FAILED);
        verdict_free(v);
        o.mode = MODE_CONFIDENTIAL_COMPUTING;
        v = judge(ev, &o);
        ck_system_only(v, CHECK_ONE_KIND, CHECK_FAILED);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("attest-verdict");
        TCase *tc = tcase_create("checks");

        tcase_add_unchecked_fixture(tc, sim_setup, sim_teardown);
        tcase_add_test(tc, test_all_right);
        tcase_add_test(tc, test_report);
        tcase_add_test(tc, test_arch);
        tcase_add_test(tc, test_arch_stated_wrong);
        tcase_add_test(tc, test_unknown_model);
        tcase_add_test(tc, test_other_root);
        tcase_add_test(tc, test_expired);
        tcase_add_test(tc, test_fwid);
        tcase_add_test(tc, test_nonce);
        tcase_add_test(tc, test_signature);
        tcase_add_test(tc, test_rim_missing);
        tcase_add_test(tc, test_rim_schema);
        tcase_add_test(tc, test_rim_chain);
        tcase_add_test(tc, test_rim_expired);
        tcase_add_test(tc, test_rim_signature);
        tcase_add_test(tc, test_rim_version);
        tcase_add_test(tc, test_conflict);
        tcase_add_test(tc, test_measurements);
        tcase_add_test(tc, test_nvdec);
        tcase_add_test(tc, test_measurement_missing);
        tcase_add_test(tc, test_status);
        tcase_add_test(tc, test_status_mixed);
        tcase_add_test(tc, test_every_device_must_pass);
        tcase_add_test(tc, test_counts);
        tcase_add_test(tc, test_distinct);
        tcase_add_test(tc, test_mode);
        tcase_add_test(tc, test_one_kind);
        suite_add_tcase(suite, tc);
        return run_suite(suite);
}
