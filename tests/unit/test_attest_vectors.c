/* SPDX-License-Identifier: Apache-2.0 */
/* NVIDIA's own data, where it is at hand (GN8V_VECTORS, else ../shared/vectors beside the sources): each set has its one outcome. */
#include <check.h>
#include <fcntl.h>
#include <glob.h>

#include "attest/policy.h"
#include "basic/fs.h"
#include "basic/strings.h"
#include "run.h"

static char *vectors;

static char *path_of(const char *name) {
        char *path = path_join(vectors, name);

        ck_assert_ptr_nonnull(path);
        return path;
}

static VerdictOptions at(const char *time, const RimSource *source) {
        VerdictOptions o = { .roots = &trust_roots_nvidia, .rims = source, .gpus = -1, .switches = -1, .mode = -1 };

        ck_assert_int_eq(parse_time(time, &o.at), 0);
        return o;
}

static Verdict *judge(const Evidence *ev, const VerdictOptions *o) {
        _cleanup_error_ Error e = ERROR_INIT;
        Verdict *v = NULL;

        ck_assert_msg(verdict_make(ev, o, &v, &e) == 0, "%s", e.message);
        return v;
}

static Evidence *load(const char *report, const char *chain) {
        _cleanup_free_ char *report_path = path_of(report), *chain_path = path_of(chain);
        _cleanup_error_ Error e = ERROR_INIT;
        Evidence *ev = evidence_new();

        ck_assert_msg(evidence_load_files(ev, report_path, chain_path, &e) == 0, "%s", e.message);
        return ev;
}

/* Exactly these checks of a device failed. */
static void ck_failed(const DeviceVerdict *d, const CheckId *ids, size_t n) {
        for (unsigned i = 0; i < _CHECK_DEVICE_MAX; i++) {
                bool expected = false;

                for (size_t k = 0; k < n; k++)
                        expected = expected || ids[k] == i;
                ck_assert_msg((d->checks[i].state == CHECK_FAILED) == expected, "%s: %s: %s", check_name((CheckId) i), check_state_to_string(d->checks[i].state),
                              d->checks[i].detail ? d->checks[i].detail : "");
        }
}

START_TEST(test_gpu_old) {
        _cleanup_free_ char *dir = path_of("gpu-h100-545.00");
        _cleanup_(evidence_freep) Evidence *ev = load("gpu-h100-545.00/report.hex", "gpu-h100-545.00/chain.pem");
        RimSource source = { dir, NULL, rim_directory_get };
        VerdictOptions first = at("2023-06-28T00:00:00Z", &source), last = at("2025-06-21T00:00:00Z", &source), later = at("2026-01-01T00:00:00Z", &source);
        _cleanup_(verdict_freep) Verdict *v = judge(ev, &first);

        ck_assert_int_eq(v->result, CHECK_OK);
        ck_assert_uint_eq(v->devices[0].comparison.n_compared, 32);
        ck_assert_uint_eq(v->devices[0].comparison.n_mismatches, 0);
        ck_assert(v->devices[0].comparison.nvdec_skipped);
        ck_assert_int_eq(v->devices[0].checks[CHECK_FWID].state, CHECK_SKIPPED);
        verdict_free(v);
        v = judge(ev, &last);
        ck_assert_int_eq(v->result, CHECK_OK);
        verdict_free(v);
        v = judge(ev, &later);
        ck_assert_int_eq(v->result, CHECK_FAILED);
        ck_failed(&v->devices[0], (const CheckId[]) { CHECK_DRIVER_RIM_CHAIN, CHECK_VBIOS_RIM_CHAIN }, 2);
}
END_TEST

/* One manifest, whatever it is asked for. */
static int one_rim_get(void *userdata, const char *id, char **ret_name, char **ret_data, size_t *ret_size, Error *e) {
        if (!startswith(id, "NV_GPU_DRIVER_"))
                return error_set(e, ENOENT, EXIT_UNREACHABLE, "%s: none", id);
        *ret_name = strdup(userdata);
        return read_file(AT_FDCWD, userdata, RIM_MAX, ret_data, ret_size);
}

static Verdict *judge_with_rim(const char *rim) {
        static Evidence *ev;
        RimSource source = { (void *) rim, NULL, one_rim_get };
        VerdictOptions o = at("2026-06-01T00:00:00Z", &source);

        if (!ev)
                ev = load("gpu-h100-550.90.07/report.hex", "gpu-h100-550.90.07/chain.pem");
        return judge(ev, &o);
}

START_TEST(test_gpu_other_driver) {
        _cleanup_free_ char *pattern = path_of("gpu-h100-550.90.07/NV_GPU_DRIVER_*.xml");
        _cleanup_(verdict_freep) Verdict *v = NULL;
        glob_t found;

        ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
        v = judge_with_rim(found.gl_pathv[0]);
        globfree(&found);
        ck_assert_int_eq(v->devices[0].checks[CHECK_FWID].state, CHECK_OK);
        ck_assert_int_eq(v->devices[0].checks[CHECK_DRIVER_RIM_SIGNATURE].state, CHECK_OK);
        ck_assert_int_eq(v->devices[0].checks[CHECK_DRIVER_RIM_CHAIN].state, CHECK_OK);
        ck_failed(&v->devices[0], (const CheckId[]) { CHECK_DRIVER_RIM_VERSION }, 1);
}
END_TEST

START_TEST(test_negative_rims) {
        _cleanup_free_ char *signature = path_of("negative/rim-incorrect-signature.xml"), *chain = path_of("negative/rim-incorrect-cert-chain.xml");
        _cleanup_(verdict_freep) Verdict *v = judge_with_rim(signature);

        ck_failed(&v->devices[0], (const CheckId[]) { CHECK_DRIVER_RIM_SIGNATURE }, 1);
        verdict_free(v);
        v = judge_with_rim(chain);
        ck_failed(&v->devices[0], (const CheckId[]) { CHECK_DRIVER_RIM_CHAIN }, 1);
}
END_TEST

START_TEST(test_negative_report) {
        _cleanup_(evidence_freep) Evidence *ev = load("negative/report-invalid-signature.hex", "negative/report-invalid-signature.chain.pem");
        VerdictOptions o = at("2026-06-01T00:00:00Z", NULL);
        _cleanup_(verdict_freep) Verdict *v = judge(ev, &o);

        ck_assert_int_eq(v->result, CHECK_FAILED);
        ck_failed(&v->devices[0], (const CheckId[]) { CHECK_SIGNATURE }, 1);
}
END_TEST

START_TEST(test_switch) {
        _cleanup_free_ char *dir = path_of("switch-ls10-96.10.55");
        _cleanup_(evidence_freep) Evidence *ev = load("switch-ls10-96.10.55/report.hex", "switch-ls10-96.10.55/chain.pem");
        RimSource source = { dir, NULL, rim_directory_get };
        VerdictOptions first = at("2026-05-21T00:00:00Z", &source), last = at("2027-11-01T00:00:00Z", &source);
        _cleanup_(verdict_freep) Verdict *v = judge(ev, &first);

        ck_assert_int_eq(v->result, CHECK_OK);
        ck_assert_uint_eq(v->devices[0].comparison.n_compared, 31);
        ck_assert_uint_eq(v->devices[0].comparison.n_mismatches, 0);
        ck_assert_int_eq(v->checks[CHECK_IDENTITY_BOUND].state, CHECK_OK);
        verdict_free(v);
        v = judge(ev, &last);
        ck_assert_int_eq(v->result, CHECK_OK);
}
END_TEST

START_TEST(test_system) {
        _cleanup_free_ char *gpus = path_of("hgx-8gpu-4switch/gpu_evidence.json"), *switches = path_of("hgx-8gpu-4switch/switch_evidence.json");
        _cleanup_(evidence_freep) Evidence *ev = evidence_new();
        VerdictOptions o = at("2026-06-01T00:00:00Z", NULL);
        _cleanup_(verdict_freep) Verdict *v = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(evidence_load_json(ev, gpus, &e), 0);
        ck_assert_int_eq(evidence_load_json(ev, switches, &e), 0);
        o.gpus = 8;
        o.switches = 4;
        o.mode = MODE_PROTECTED_PCIE;
        v = judge(ev, &o);
        for (unsigned i = _CHECK_DEVICE_MAX; i < _CHECK_MAX; i++)
                ck_assert_msg(v->checks[i].state == CHECK_OK, "%s: %s", check_name((CheckId) i), v->checks[i].detail);
        for (size_t i = 0; i < v->n; i++)
                for (unsigned k = 0; k <= CHECK_SIGNATURE; k++)
                        ck_assert_int_eq(v->devices[i].checks[k].state, k == CHECK_CHAIN_STATUS || (k == CHECK_FWID && i >= 8) ? CHECK_SKIPPED : CHECK_OK);
        /* There are no public manifests of its versions. */
        ck_assert_int_eq(v->result, CHECK_UNCHECKED);
}
END_TEST

/* NVIDIA's sample policies, as they are: those on claims 2.0 hold for its samples, those that want an OCSP answer do not without one. */
START_TEST(test_policies) {
        _cleanup_free_ char *dir = path_of("gpu-h100-545.00"), *pattern = path_of("policies/*.json");
        _cleanup_(evidence_freep) Evidence *ev = load("gpu-h100-545.00/report.hex", "gpu-h100-545.00/chain.pem");
        RimSource source = { dir, NULL, rim_directory_get };
        VerdictOptions o = at("2025-01-01T00:00:00Z", &source);
        _cleanup_(verdict_freep) Verdict *v = NULL;
        glob_t found;

        o.nonce = ev->devices[0]->report + 4;
        v = judge(ev, &o);
        ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
        for (size_t i = 0; i < found.gl_pathc; i++) {
                _cleanup_(policy_freep) Policy *p = NULL;
                _cleanup_error_ Error e = ERROR_INIT;
                bool for_switch = strstr(found.gl_pathv[i], "NVSwitch") != NULL;

                ck_assert_msg(policy_load(found.gl_pathv[i], &p, &e) == 0, "%s", e.message);
                ck_assert_int_eq(p->kind, for_switch ? DEVICE_SWITCH : DEVICE_GPU);
                ck_assert_msg(policy_check(p, v, &e) == (!for_switch && p->version == CLAIMS_2_0 ? 0 : -EACCES), "%s: %s", found.gl_pathv[i], e.message);
        }
        ck_assert_uint_ge(found.gl_pathc, 5);
        globfree(&found);
}
END_TEST

int main(void) {
        const char *source = getenv("GN8V_TEST_SOURCE"), *own = getenv("GN8V_VECTORS");
        Suite *suite = suite_create("attest-vectors");
        TCase *tc = tcase_create("vectors");

        vectors = own ? strdup(own) : format("%s/../shared/vectors", source ? source : ".");
        if (!vectors || access(vectors, R_OK | X_OK) < 0) {
                printf("skipped: no vectors (GN8V_VECTORS)\n");
                return 77;
        }
        rim_setup();
        tcase_add_test(tc, test_gpu_old);
        tcase_add_test(tc, test_gpu_other_driver);
        tcase_add_test(tc, test_negative_rims);
        tcase_add_test(tc, test_negative_report);
        tcase_add_test(tc, test_switch);
        tcase_add_test(tc, test_system);
        tcase_add_test(tc, test_policies);
        suite_add_tcase(suite, tc);
        return run_suite(suite);
}
