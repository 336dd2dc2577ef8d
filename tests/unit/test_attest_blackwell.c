/* SPDX-License-Identifier: Apache-2.0 */
/* A Blackwell GPU: another extension for its firmware, another name of its driver's manifest, else as Hopper. */
#include "attest.h"
#include "run.h"

static SimDevice gpu;
static const char *chip_info, *product = "GB100";
static char *wanted_driver;

static void make_device(void) {
        CertSpec brom = { .name = "GB100 A01 GSP BROM", .serial_number = "41123456789ABCDEF0", .authority = true, .path_length = -1, .from = MAKER_START },
                 leaf = { .name = "GB100 A01 GSP FMC LF", .from = MAKER_START, .fwid = gpu.fwid, .fwid_in_tcb_info = true };

        memset(gpu.fwid, 0x5b, sizeof gpu.fwid);
        authority_make(&maker, &maker.gpu_ica, &brom, &gpu.brom);
        authority_make(&maker, &gpu.brom, &leaf, &gpu.leaf);
        gpu.chain = chain_to_pem((const Authority *[]) { &gpu.leaf, &gpu.brom, &maker.gpu_ica, &maker.identity, &maker.device_root }, DEVICE_CHAIN_LENGTH);
}

static void setup(void) {
        sim_setup();
        make_device();
}

static void teardown(void) {
        device_done(&gpu);
        free(wanted_driver);
        sim_teardown();
}

/* Manifests under the names that such a device wants. */
static int get(void *userdata, const char *id, char **ret_name, char **ret_data, size_t *ret_size, Error *e) {
        RimKind kind = startswith(id, "NV_GPU_VBIOS_") ? RIM_VBIOS : RIM_DRIVER;
        _cleanup_free_ char *body = rim_body(DEVICE_GPU, kind, kind == RIM_DRIVER ? MAKER_DRIVER : MAKER_VBIOS), *attribute = format("product=\"%s\"", product),
                            *other = replaced(body, "product=\"GH100\"", attribute);

        if (kind == RIM_DRIVER) {
                free(wanted_driver);
                wanted_driver = strdup(id);
        }
        *ret_name = strdup(id);
        *ret_data = rim_sign(other, &maker.rim_l4, (const Authority *[]) { &maker.rim_l4, &maker.rim_l3, &maker.rim_ca, &maker.rim_root }, RIM_CHAIN_LENGTH);
        *ret_size = strlen(*ret_data);
        return 0;
}

static void add_gpu(Evidence *ev) {
        static const uint8_t info[] = { 0xa0, 1, 0, 0, 0, 0, 0, 0 }, enabled[] = { 7, 7 };
        Device *d = evidence_device(ev, &sim, &gpu);
        _cleanup_text_ Text opaque = {}, report = {};

        free(d->arch);
        d->arch = strdup("BLACKWELL");
        opaque_make(&sim, &gpu, &opaque);
        put_field(&opaque, 4, info, sizeof info);
        put_field(&opaque, 33, enabled, sizeof enabled);
        if (chip_info)
                put_field(&opaque, OPAQUE_CHIP_INFO, chip_info, strlen(chip_info) + 1);
        report_make(&sim, DEVICE_GPU, 64, &opaque, &report);
        report_sign(&gpu, &report);
        set_report(d, &report);
}

static Verdict *judge_one(void) {
        _cleanup_(evidence_freep) Evidence *ev = evidence_new();
        RimSource source = { NULL, NULL, get };
        VerdictOptions o = demanding(&source);
        Verdict *v;

        add_gpu(ev);
        v = judge(ev, &o);
        v->devices[0].device = NULL; /* goes with the evidence */
        return v;
}

START_TEST(test_right) {
        _cleanup_(verdict_freep) Verdict *v = judge_one();

        ck_assert_int_eq(v->result, CHECK_OK);
        ck_assert_str_eq(v->devices[0].arch, "BLACKWELL");
        ck_assert_int_eq(v->devices[0].checks[CHECK_FWID].state, CHECK_OK);
        ck_assert_str_eq(wanted_driver, "NV_GPU_CC_DRIVER_GB100_" MAKER_DRIVER);
        verdict_free(v);
        /* Another chip of that family says so in its report. */
        chip_info = "GB102";
        v = judge_one();
        ck_assert_int_eq(v->result, CHECK_OK);
        ck_assert_str_eq(wanted_driver, "NV_GPU_CC_DRIVER_GB102_" MAKER_DRIVER);
        chip_info = NULL;
}
END_TEST

START_TEST(test_fwid) {
        for (size_t i = 0; i < DIGEST_SIZE; i += DIGEST_SIZE - 1) {
                _cleanup_(verdict_freep) Verdict *v = NULL;

                gpu.fwid[i] ^= 1;
                v = judge_one();
                ck_only(v, 0, CHECK_FWID, CHECK_FAILED);
                gpu.fwid[i] ^= 1;
        }
}
END_TEST

/* Hopper's manifest is of another chip, though it has the right version and the right values. */
START_TEST(test_other_product) {
        _cleanup_(verdict_freep) Verdict *v = NULL;

        product = "GH100";
        v = judge_one();
        ck_assert_int_eq(v->result, CHECK_FAILED);
        ck_assert_int_eq(v->devices[0].checks[CHECK_DRIVER_RIM_VERSION].state, CHECK_FAILED);
        ck_assert_int_eq(v->devices[0].checks[CHECK_VBIOS_RIM_VERSION].state, CHECK_FAILED);
        ck_assert(!v->devices[0].compared);
}
END_TEST

/* One machine has GPUs of one kind. */
START_TEST(test_mixture) {
        _cleanup_(evidence_freep) Evidence *ev = one_gpu();
        RimSource source = { NULL, NULL, get };
        VerdictOptions o = demanding(&source);
        _cleanup_(verdict_freep) Verdict *v = NULL;

        add_gpu(ev);
        v = judge(ev, &o);
        ck_assert_int_eq(v->checks[CHECK_ONE_KIND].state, CHECK_FAILED);
        ck_assert_str_eq(v->checks[CHECK_ONE_KIND].detail, "GPU-1 is BLACKWELL, GPU-0 is HOPPER");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("attest-blackwell");
        TCase *tc = tcase_create("blackwell");

        tcase_add_unchecked_fixture(tc, setup, teardown);
        tcase_add_test(tc, test_right);
        tcase_add_test(tc, test_fwid);
        tcase_add_test(tc, test_other_product);
        tcase_add_test(tc, test_mixture);
        suite_add_tcase(suite, tc);
        return run_suite(suite);
}
