/* SPDX-License-Identifier: Apache-2.0 */
/* How GPUs and switches are linked: NVIDIA's rules, and that those linked are those attested. */
#include "attest.h"
#include "run.h"

/* The index in the evidence of the first switch. */
#define SWITCH 8

/* Signs a device's report anew with other bytes at the begin of one field; size 0: without the field. */
static void change_field(Device *d, const SimDevice *device, unsigned which, size_t at, const void *bytes, size_t size) {
        _cleanup_text_ Text all = {}, opaque = {}, report = {};

        opaque_make(&sim, device, &all);
        for (size_t i = 0; i + 4 <= all.size;) {
                uint8_t *p = (uint8_t *) all.data + i;
                unsigned type = p[0] | (unsigned) p[1] << 8, n = p[2] | (unsigned) p[3] << 8;

                if (type == which && size > 0)
                        memcpy(p + 4 + at, bytes, size);
                if (type != which || size > 0)
                        put_field(&opaque, type, p + 4, n);
                i += 4 + n;
        }
        report_make(&sim, device->kind, device->kind == DEVICE_GPU ? 64 : 31, &opaque, &report);
        report_sign(device, &report);
        set_report(d, &report);
}

static Verdict *judge_all(Evidence *ev) {
        RimSource source = rims();
        VerdictOptions o = demanding(&source);

        return judge(ev, &o);
}

/* That these checks and no others of the system failed, and every device by itself is right. */
static void ck_failed(const Verdict *v, const CheckId *ids, size_t n) {
        for (unsigned i = _CHECK_DEVICE_MAX; i < _CHECK_MAX; i++) {
                bool expected = false;

                for (size_t k = 0; k < n; k++)
                        expected = expected || ids[k] == i;
                ck_assert_msg((v->checks[i].state == CHECK_FAILED) == expected, "%s: %s: %s", check_name((CheckId) i), check_state_to_string(v->checks[i].state),
                              v->checks[i].detail ? v->checks[i].detail : "");
        }
        for (size_t i = 0; i < v->n; i++)
                ck_assert_int_eq(v->devices[i].result, CHECK_OK);
        ck_assert_int_eq(v->result, n > 0 ? CHECK_FAILED : CHECK_OK);
}
#define ck_only_failed(v, ...) ck_failed(v, (const CheckId[]) { __VA_ARGS__ }, ELEMENTSOF(((const CheckId[]) { __VA_ARGS__ })))

START_TEST(test_gpu_links) {
        static const uint8_t other[PDI_SIZE] = { 1, 2, 3 }, zero[PDI_SIZE] = {};
        uint8_t first[PDI_SIZE], three[GPU_LINKS * PDI_SIZE], nowhere[GPU_LINKS * PDI_SIZE];
        struct { const void *bytes; size_t at, size; } cases[] = {
                { other, 0, PDI_SIZE }, /* a fifth switch */
                { zero, 17 * PDI_SIZE, PDI_SIZE }, /* a link that goes nowhere */
                { three, 0, sizeof three }, /* three switches only */
                { nowhere, 0, sizeof nowhere }, /* three, and links that go nowhere */
                { NULL, 0, 0 }, /* nothing said */
        };

        for (unsigned k = 0; k < PDI_SIZE; k++)
                first[k] = sim.switches[0].pdi[PDI_SIZE - 1 - k];
        for (unsigned i = 0; i < GPU_LINKS; i++)
                for (unsigned k = 0; k < PDI_SIZE; k++) {
                        three[i * PDI_SIZE + k] = i % 4 == 3 ? first[k] : sim.switches[i % 4].pdi[PDI_SIZE - 1 - k];
                        nowhere[i * PDI_SIZE + k] = i % 4 == 3 ? 0 : three[i * PDI_SIZE + k];
                }
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (size_t gpu = 0; gpu < 8; gpu += 7) {
                        _cleanup_(evidence_freep) Evidence *ev = evidence_make(&sim);
                        _cleanup_(verdict_freep) Verdict *v = NULL;

                        change_field(ev->devices[gpu], &sim.gpus[gpu], OPAQUE_SWITCH_PDI, cases[i].at, cases[i].bytes, cases[i].size);
                        v = judge_all(ev);
                        ck_only_failed(v, CHECK_GPU_LINKS);
                }
        /* Nor when all agree on it. */
        _cleanup_(evidence_freep) Evidence *ev = evidence_make(&sim);
        _cleanup_(verdict_freep) Verdict *v = NULL;

        for (size_t gpu = 0; gpu < 8; gpu++)
                change_field(ev->devices[gpu], &sim.gpus[gpu], OPAQUE_SWITCH_PDI, 0, nowhere, sizeof nowhere);
        v = judge_all(ev);
        ck_only_failed(v, CHECK_GPU_LINKS);
}
END_TEST

/* Four switches, the same on all GPUs, but one of them is another than the one attested. */
START_TEST(test_other_switch) {
        _cleanup_(evidence_freep) Evidence *ev = evidence_make(&sim);
        _cleanup_(verdict_freep) Verdict *v = NULL;
        uint8_t links[GPU_LINKS * PDI_SIZE];

        for (unsigned i = 0; i < GPU_LINKS; i++)
                for (unsigned k = 0; k < PDI_SIZE; k++)
                        links[i * PDI_SIZE + k] = i % 4 == 3 ? 0x77 : sim.switches[i % 4].pdi[PDI_SIZE - 1 - k];
        for (size_t i = 0; i < 8; i++)
                change_field(ev->devices[i], &sim.gpus[i], OPAQUE_SWITCH_PDI, 0, links, sizeof links);
        v = judge_all(ev);
        ck_only_failed(v, CHECK_SWITCH_KNOWN, CHECK_SWITCHES_BOUND);
}
END_TEST

START_TEST(test_switch_links) {
        static const uint8_t other[PDI_SIZE] = { 1, 2, 3 }, zero[PDI_SIZE] = {};
        struct { const void *bytes; size_t size; } cases[] = { { other, PDI_SIZE }, { zero, PDI_SIZE }, { sim.gpus[1].pdi, PDI_SIZE }, { NULL, 0 } };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (size_t k = 0; k < 4; k += 3) {
                        _cleanup_(evidence_freep) Evidence *ev = evidence_make(&sim);
                        _cleanup_(verdict_freep) Verdict *v = NULL;

                        change_field(ev->devices[SWITCH + k], &sim.switches[k], OPAQUE_SWITCH_GPU_PDIS, 0, cases[i].bytes, cases[i].size);
                        v = judge_all(ev);
                        ck_only_failed(v, CHECK_SWITCH_LINKS);
                }
}
END_TEST

/* All switches agree on eight GPUs, one of which was not attested: NVIDIA's rules let this pass. */
START_TEST(test_other_gpu) {
        static const uint8_t other[PDI_SIZE] = { 1, 2, 3 };
        _cleanup_(evidence_freep) Evidence *ev = evidence_make(&sim);
        _cleanup_(verdict_freep) Verdict *v = NULL;

        for (size_t k = 0; k < 4; k++)
                change_field(ev->devices[SWITCH + k], &sim.switches[k], OPAQUE_SWITCH_GPU_PDIS, 3 * PDI_SIZE, other, PDI_SIZE);
        v = judge_all(ev);
        ck_only_failed(v, CHECK_GPUS_BOUND);
}
END_TEST

/* A switch that says it is another of the four, in a report that it signed. */
START_TEST(test_switch_identity) {
        _cleanup_(evidence_freep) Evidence *ev = evidence_make(&sim);
        _cleanup_(verdict_freep) Verdict *v = NULL;

        change_field(ev->devices[SWITCH], &sim.switches[0], OPAQUE_DEVICE_PDI, 0, sim.switches[1].pdi, PDI_SIZE);
        v = judge_all(ev);
        ck_only_failed(v, CHECK_IDENTITY_BOUND);
        verdict_free(v);
        change_field(ev->devices[SWITCH], &sim.switches[0], OPAQUE_DEVICE_PDI, 0, NULL, 0);
        v = judge_all(ev);
        ck_only_failed(v, CHECK_SWITCH_KNOWN, CHECK_IDENTITY_BOUND);
}
END_TEST

/* Devices left out: NVIDIA's rules see nothing when the number is not looked at. */
START_TEST(test_left_out) {
        _cleanup_(evidence_freep) Evidence *fewer_gpus = evidence_new(), *fewer_switches = evidence_new();
        _cleanup_(verdict_freep) Verdict *v = NULL;

        for (size_t i = 0; i < 8; i++) {
                if (i > 0)
                        (void) evidence_device(fewer_gpus, &sim, &sim.gpus[i]);
                (void) evidence_device(fewer_switches, &sim, &sim.gpus[i]);
        }
        for (size_t i = 0; i < 4; i++) {
                (void) evidence_device(fewer_gpus, &sim, &sim.switches[i]);
                if (i > 0)
                        (void) evidence_device(fewer_switches, &sim, &sim.switches[i]);
        }
        v = judge_all(fewer_gpus);
        ck_only_failed(v, CHECK_GPUS_BOUND);
        verdict_free(v);
        v = judge_all(fewer_switches);
        ck_only_failed(v, CHECK_SWITCHES_BOUND);
}
END_TEST

/* Without switches there are no links to be checked, unless Protected PCIe is demanded. */
START_TEST(test_one_kind_of_device) {
        _cleanup_(evidence_freep) Evidence *gpus = evidence_new(), *switches = evidence_new();
        RimSource source = rims();
        VerdictOptions o = demanding(&source);
        _cleanup_(verdict_freep) Verdict *v = NULL;

        for (size_t i = 0; i < 8; i++)
                (void) evidence_device(gpus, &sim, &sim.gpus[i]);
        for (size_t i = 0; i < 4; i++)
                (void) evidence_device(switches, &sim, &sim.switches[i]);
        v = judge(gpus, &o);
        ck_assert_int_eq(v->result, CHECK_OK);
        for (unsigned i = CHECK_GPU_LINKS; i < _CHECK_MAX; i++)
                ck_assert_int_eq(v->checks[i].state, CHECK_SKIPPED);
        verdict_free(v);
        v = judge(switches, &o);
        ck_assert_int_eq(v->result, CHECK_OK);
        ck_assert_int_eq(v->checks[CHECK_IDENTITY_BOUND].state, CHECK_OK);
        verdict_free(v);
        o.mode = MODE_PROTECTED_PCIE;
        v = judge(gpus, &o);
        ck_assert_int_eq(v->result, CHECK_FAILED);
        ck_assert_int_eq(v->checks[CHECK_SWITCHES_BOUND].state, CHECK_FAILED);
}
END_TEST

/* The evidence's order is nobody's promise. */
START_TEST(test_any_order) {
        _cleanup_(evidence_freep) Evidence *ev = evidence_make(&sim);
        _cleanup_(verdict_freep) Verdict *v = NULL;

        for (size_t i = 0; i < ev->n / 2; i++) {
                Device *d = ev->devices[i];

                ev->devices[i] = ev->devices[ev->n - 1 - i];
                ev->devices[ev->n - 1 - i] = d;
        }
        v = judge_all(ev);
        ck_failed(v, NULL, 0);
        ck_assert_str_eq(v->devices[0].name, "SWITCH-0");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("attest-topology");
        TCase *tc = tcase_create("topology");

        tcase_add_unchecked_fixture(tc, sim_setup, sim_teardown);
        tcase_add_test(tc, test_gpu_links);
        tcase_add_test(tc, test_other_switch);
        tcase_add_test(tc, test_switch_links);
        tcase_add_test(tc, test_other_gpu);
        tcase_add_test(tc, test_switch_identity);
        tcase_add_test(tc, test_left_out);
        tcase_add_test(tc, test_one_kind_of_device);
        tcase_add_test(tc, test_any_order);
        suite_add_tcase(suite, tc);
        return run_suite(suite);
}
