/* SPDX-License-Identifier: Apache-2.0 */
/* What a child that asked NVIDIA's libraries may answer, and what is made of it. */
#include "attest/collect.h"
#include "basic/nvml-api.h"
#include "basic/strings.h"
#include "run.h"

static const char right[] = "gn8v-collect 1\nat dlopen\ndriver 1.2.3\nenvironment 2\nfeature 0\ndevtools 0\nmulti-gpu 1\ncount 2\n"
                            "device 0\nuuid GPU-1\nvbios 01.02\narch HOPPER\nchain QUJD\nreport QUJD\n"
                            "device 1\nuuid GPU-2\nchain QUJD\nreport QUJD\nend\n";
static const uint8_t nonce[NONCE_SIZE] = { 1, 2, 3 };

static int parse(const char *text, Collected *c) {
        return collect_parse(text, strlen(text), c);
}

START_TEST(complete) {
        _cleanup_collected_ Collected c = COLLECTED_EMPTY;
        _cleanup_(evidence_freep) Evidence *ev = evidence_new();
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *json = NULL;

        ck_assert_int_eq(parse(right, &c), 1);
        ck_assert(c.n == 2 && c.count == 2 && c.feature == 0 && c.multi_gpu == NVML_MULTI_GPU_PROTECTED && streq(c.devices[0].arch, "HOPPER"));
        ck_assert_int_eq(collect_explain(DEVICE_GPU, &c, &e), 0);
        json = collect_to_json(&c, NULL, nonce);
        ck_assert_int_eq(evidence_parse_json(ev, "made", json, strlen(json), &e), 0);
        ck_assert(ev->n == 2 && ev->devices[0]->report_size == 3 && ev->devices[0]->has_nonce && memcmp(ev->devices[1]->nonce, nonce, NONCE_SIZE) == 0);
        ck_assert(strstr(json, "\"driver_version\": \"1.2.3\"") && strstr(json, "\"vbios_version\": \"01.02\"") && strstr(json, "\"version\": \"1.0\""));
}
END_TEST

START_TEST(nonsense) {
        static const char *const bad[] = {
                "gn8v-collect 1\nwhat is\n", "gn8v-collect 1\ndevice 1\n", "gn8v-collect 1\nuuid x\n", "gn8v-collect 1\nfeature -1\n",
                "gn8v-collect 1\ndevice 0\nreport !\n", "gn8v-collect 1\ndevice 0\nreport \n", "gn8v-collect 1\ncount 99999999999\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_collected_ Collected c = COLLECTED_EMPTY;
                ck_assert_msg(parse(bad[i], &c) == -EBADMSG, "%s", bad[i]);
        }
}
END_TEST

START_TEST(explained) {
        static const struct { const char *text, *why; } list[] = {
                { "gn8v-collect 1\nmissing no such file\nend\n", "cannot be loaded" },
                { "gn8v-collect 1\nstopped nvmlInit: Driver Not Loaded (9)\nend\n", "Driver Not Loaded" },
                { "gn8v-collect 1\ncount 0\nend\n", "there is no GPU" },
                { "gn8v-collect 1\ncount 2\ndevice 0\nchain QUJD\nreport QUJD\nend\n", "only 1 were told of" },
                { "gn8v-collect 1\nfeature 0\nmulti-gpu 0\ncount 1\ndevice 0\nfailed nvmlDeviceGetConfComputeGpuCertificate: Unknown Error (999)\nend\n",
                  "confidential computing is off" },
                { "gn8v-collect 1\nfeature 1\ncount 1\ndevice 0\nuuid GPU-1\nchain QUJD\nfailed nvmlX: Unknown Error (999)\nend\n", "gives no attestation report: nvmlX" },
        };

        for (size_t i = 0; i < ELEMENTSOF(list); i++) {
                _cleanup_collected_ Collected c = COLLECTED_EMPTY;
                _cleanup_error_ Error e = ERROR_INIT;

                ck_assert_int_eq(parse(list[i].text, &c), 1);
                ck_assert_int_lt(collect_explain(DEVICE_GPU, &c, &e), 0);
                ck_assert_msg(e.code == EXIT_UNCHECKED && strstr(e.message, list[i].why), "%s", e.message);
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("attest_collect");
        TCase *t = tcase_create("collect");

        tcase_add_test(t, complete);
        tcase_add_test(t, nonsense);
        tcase_add_test(t, explained);
        suite_add_tcase(s, t);
        return run_suite(s);
}
