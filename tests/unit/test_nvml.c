/* SPDX-License-Identifier: Apache-2.0 */
/* The child that asks NVIDIA's library, against the look-alike library and against children that answer anything. */
#include <check.h>
#include <fcntl.h>
#include <time.h>

#include "basic/fs.h"
#include "basic/nvml-api.h"
#include "node/nvml.h"
#include "run.h"

static char *folder;

/* The look-alike, told how to behave, where the child's loader finds it. */
static void look_alike(const char *variable, const char *config) {
        _cleanup_free_ char *library = path_join(folder, "libnvidia-ml.so.1"), *told = path_join(folder, "libnvidia-ml.conf"), *data = NULL;
        const char *built = getenv(variable);
        size_t size;

        ck_assert_msg(built, "%s is not set: run it by meson test", variable);
        ck_assert_int_eq(read_file(AT_FDCWD, built, (size_t) 16 << 20, &data, &size), 0);
        ck_assert_int_eq(write_file_atomic(AT_FDCWD, library, data, size, 0755), 0);
        ck_assert_int_eq(write_file_atomic(AT_FDCWD, told, config, strlen(config), 0644), 0);
        ck_assert_int_eq(setenv("LD_LIBRARY_PATH", folder, 1), 0);
}

static int64_t now_ms(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static Nvml ask(const char *program) {
        _cleanup_error_ Error e = ERROR_INIT;
        int64_t began = now_ms();
        Nvml n;

        ck_assert_msg(nvml_ask(program, &n, &e) == 0, "%s", e.message);
        ck_assert_int_lt(now_ms() - began, (NVML_TIMEOUT_SEC + 1) * 1000);
        ck_assert((n.answer.outcome == LIBRARY_ANSWERED) == !n.answer.reason);
        return n;
}

static Nvml ask_look_alike(const char *config) {
        look_alike("GN8V_TEST_NVML", config);
        return ask(NULL);
}

/* A child that is this script. */
static Nvml ask_script(const char *body) {
        _cleanup_free_ char *path = path_join(folder, "child"), *text = format("#!/bin/sh\n%s\n", body);

        ck_assert_int_eq(write_file_atomic(AT_FDCWD, path, text, strlen(text), 0755), 0);
        return ask(path);
}

static void has(const char *text, const char *words) {
        ck_assert_msg(text && strstr(text, words), "'%s' is not in '%s'", words, text ? text : "(nothing)");
}

START_TEST(everything_is_told) {
        _cleanup_nvml_ Nvml n = ask_look_alike("gpus=8\nname=NVIDIA A name\nvbios=9.8.7\nmemory=1000\nmemory.3=2000\npersistence.7=0\n"
                                               "feature=0\nmulti=1\ndevtools=1\nready=0\nfabric=3\nfabric.2=2\ndriver=1.2.3\nnvml=12.1.2.3\ncuda=12080\n");

        ck_assert_int_eq(n.answer.outcome, LIBRARY_ANSWERED);
        ck_assert_str_eq(n.driver, "1.2.3");
        ck_assert_str_eq(n.library, "12.1.2.3");
        ck_assert_int_eq(n.cuda, 12080);
        ck_assert_int_eq(n.count, 8);
        ck_assert_uint_eq(n.n_gpus, 8);
        ck_assert_uint_eq(n.n_failures, 0);
        ck_assert_int_eq(n.cpu, 2);
        ck_assert_int_eq(n.capable, 1);
        ck_assert_int_eq(n.environment, 2);
        ck_assert_int_eq(n.feature, 0);
        ck_assert_int_eq(n.devtools, 1);
        ck_assert_int_eq(n.multi_gpu, NVML_MULTI_GPU_PROTECTED);
        ck_assert_int_eq(n.ready, 0);
        ck_assert_str_eq(n.gpus[7].name, "NVIDIA A name");
        ck_assert_str_eq(n.gpus[7].uuid, "GPU-00000000-0000-0000-0000-000000000008");
        ck_assert_str_eq(n.gpus[7].bus_id, "00000000:17:00.0");
        ck_assert_str_eq(n.gpus[7].vbios, "9.8.7");
        ck_assert_int_eq(n.gpus[3].memory_bytes, INT64_C(2000) << 20);
        ck_assert_int_eq(n.gpus[4].memory_bytes, INT64_C(1000) << 20);
        ck_assert_int_eq(n.gpus[4].protected_kib, 1000 << 10);
        ck_assert_int_eq(n.gpus[6].persistence, 1);
        ck_assert_int_eq(n.gpus[7].persistence, 0);
        ck_assert_int_eq(n.gpus[1].fabric_state, NVML_FABRIC_COMPLETED);
        ck_assert_int_eq(n.gpus[2].fabric_state, NVML_FABRIC_IN_PROGRESS);
        ck_assert_int_eq(n.gpus[2].fabric_status, 0);
}
END_TEST

/* A library from before confidential computing: its calls are not there, and that is all. */
START_TEST(old_library) {
        Nvml n;

        look_alike("GN8V_TEST_NVML_OLD", "gpus=2\n");
        n = ask(NULL);
        ck_assert_int_eq(n.answer.outcome, LIBRARY_ANSWERED);
        ck_assert_uint_eq(n.n_gpus, 2);
        ck_assert_uint_eq(n.n_failures, 0);
        ck_assert_int_eq(n.feature, NVML_UNTOLD);
        ck_assert_int_eq(n.ready, NVML_UNTOLD);
        ck_assert_int_eq(n.gpus[1].fabric_state, NVML_UNTOLD);
        ck_assert_int_eq(n.gpus[1].persistence, 1);
        nvml_free(&n);
}
END_TEST

START_TEST(no_confidential_computing) {
        _cleanup_nvml_ Nvml n = ask_look_alike("nvmlSystemGetConfComputeSettings=3\nnvmlSystemGetConfComputeState=3\n");

        ck_assert_int_eq(n.unsupported, 1);
        ck_assert_int_eq(n.feature, NVML_UNTOLD);
        ck_assert_uint_eq(n.n_failures, 0);
}
END_TEST

START_TEST(older_call_of_settings) {
        _cleanup_nvml_ Nvml n = ask_look_alike("nvmlSystemGetConfComputeSettings=13\nfeature=1\ndevtools=1\n");

        ck_assert_int_eq(n.feature, 1);
        ck_assert_int_eq(n.devtools, 1);
        ck_assert_int_eq(n.multi_gpu, NVML_UNTOLD);
        ck_assert_uint_eq(n.n_failures, 0);
}
END_TEST

START_TEST(refusals) {
        static const struct { const char *config; int code; const char *words; } cases[] = {
                { "nvmlInit=18\n", NVML_VERSION_MISMATCH, "Driver/library version mismatch" },
                { "nvmlInit=999\n", NVML_UNKNOWN_ERROR, "Unknown Error" },
                { "nvmlInit=9\n", NVML_DRIVER_NOT_LOADED, "Driver Not Loaded" },
                { "nvmlInit=4\n", NVML_NO_PERMISSION, "Insufficient Permissions" },
                { "nvmlDeviceGetCount=15\n", NVML_GPU_IS_LOST, "nvmlDeviceGetCount: GPU is lost" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_nvml_ Nvml n = ask_look_alike(cases[i].config);

                ck_assert_int_eq(n.answer.outcome, LIBRARY_REFUSED);
                ck_assert_int_eq(n.code, cases[i].code);
                has(n.answer.reason, cases[i].words);
        }
}
END_TEST

/* One call of one GPU fails: the others are told all the same. Not supported is no failure. */
START_TEST(failed_calls) {
        _cleanup_nvml_ Nvml n = ask_look_alike("gpus=3\nnvmlDeviceGetHandleByIndex.1=15\nnvmlDeviceGetVbiosVersion.2=999\nnvmlDeviceGetName=3\n");

        ck_assert_int_eq(n.answer.outcome, LIBRARY_ANSWERED);
        ck_assert_uint_eq(n.n_gpus, 3);
        ck_assert_uint_eq(n.n_failures, 2);
        ck_assert_str_eq(n.failures[0].call, "nvmlDeviceGetHandleByIndex");
        ck_assert_int_eq(n.failures[0].gpu, 1);
        ck_assert_int_eq(n.failures[0].code, NVML_GPU_IS_LOST);
        ck_assert_str_eq(n.failures[1].call, "nvmlDeviceGetVbiosVersion");
        ck_assert_int_eq(n.failures[1].gpu, 2);
        ck_assert_ptr_null(n.gpus[1].uuid);
        ck_assert_ptr_null(n.gpus[0].name);
        ck_assert_ptr_nonnull(n.gpus[2].uuid);
}
END_TEST

/* What was told before it happened is kept, and where it happened is said. */
START_TEST(crash_exit_print_garbage) {
        Nvml n = ask_look_alike("crash=nvmlDeviceGetUUID\n");

        ck_assert_int_eq(n.answer.outcome, LIBRARY_CRASHED);
        has(n.answer.reason, "nvmlDeviceGetUUID");
        has(n.answer.reason, strsignal(11));
        ck_assert_int_eq(n.feature, 1);
        ck_assert_str_eq(n.gpus[0].name, "NVIDIA Look-alike");
        nvml_free(&n);
        n = ask_look_alike("exit=nvmlInit\n");
        ck_assert_int_eq(n.answer.outcome, LIBRARY_GARBAGE);
        has(n.answer.reason, "nvmlInit");
        nvml_free(&n);
        n = ask_look_alike("print=nvmlDeviceGetCount\nprint=nvmlInit\n");
        ck_assert_int_eq(n.answer.outcome, LIBRARY_ANSWERED);
        ck_assert_uint_eq(n.n_gpus, 1);
        nvml_free(&n);
        n = ask_look_alike("garbage=nvmlDeviceGetName\ngarbage=nvmlSystemGetDriverVersion\ngarbage=nvmlDeviceGetPciInfo\n");
        ck_assert_int_eq(n.answer.outcome, LIBRARY_ANSWERED);
        ck_assert_uint_eq(strspn(n.driver, "?"), strlen(n.driver));
        ck_assert_uint_eq(strspn(n.gpus[0].name, "?"), strlen(n.gpus[0].name));
        nvml_free(&n);
}
END_TEST

START_TEST(hang) {
        _cleanup_nvml_ Nvml n = ask_look_alike("hang=nvmlDeviceGetHandleByIndex\ngpus=4\n");

        ck_assert_int_eq(n.answer.outcome, LIBRARY_HUNG);
        has(n.answer.reason, "nvmlDeviceGetHandleByIndex");
        ck_assert_int_eq(n.count, 4);
        ck_assert_int_eq(n.feature, 1);
}
END_TEST

START_TEST(no_library) {
        _cleanup_free_ char *library = path_join(folder, "libnvidia-ml.so.1");
        Nvml n;

        ck_assert_int_eq(write_file_atomic(AT_FDCWD, library, "not ELF", 7, 0755), 0);
        ck_assert_int_eq(setenv("LD_LIBRARY_PATH", folder, 1), 0);
        n = ask(NULL);
        ck_assert_int_eq(n.answer.outcome, LIBRARY_MISSING);
        has(n.answer.reason, "libnvidia-ml.so.1");
        nvml_free(&n);
}
END_TEST

START_TEST(children_that_answer_anything) {
        static const char *const nonsense[] = {
                "echo hello", "exit 0", "exit 1", "echo gn8v-nvml 1; exit 5", "printf 'gn8v-nvml 1\\nend\\n'; exit 1", "printf 'gn8v-nvml 2\\nend\\n'",
                "printf 'gn8v-nvml 1\\nend\\nend\\n'", "printf 'gn8v-nvml 1\\ngpu 1\\nend\\n'", "printf 'gn8v-nvml 1\\nname x\\nend\\n'", "printf 'gn8v-nvml 1\\ncuda -1\\nend\\n'",
                "printf 'gn8v-nvml 1\\nmemory 1\\nend\\n'", "printf 'gn8v-nvml 1\\nother 1\\nend\\n'", "printf 'gn8v-nvml 1\\ndriver \\033[2J\\nend\\n'",
                "printf 'gn8v-nvml 1\\nfailed x\\nend\\n'", "printf 'gn8v-nvml 1\\ncount 99999999999999999999\\nend\\n'",
                "echo gn8v-nvml 1; for i in $(seq 0 70); do echo gpu $i; done; echo end", "echo gn8v-nvml 1; head -c 300000 /dev/zero | tr '\\0' 'a'",
                "echo gn8v-nvml 1; printf 'driver '; head -c 3000 /dev/zero | tr '\\0' 'a'; printf '\\nend\\n'", "head -c 300000 /dev/zero",
        };

        for (size_t i = 0; i < ELEMENTSOF(nonsense); i++) {
                _cleanup_nvml_ Nvml n = ask_script(nonsense[i]);

                ck_assert_msg(n.answer.outcome == LIBRARY_GARBAGE, "%s: %s", nonsense[i], library_outcome_to_string(n.answer.outcome));
        }
}
END_TEST

START_TEST(a_child_that_cannot_be_made) {
        _cleanup_error_ Error e = ERROR_INIT;
        Nvml n;

        ck_assert_int_lt(nvml_ask("/nonexistent/program", &n, &e), 0);
        has(e.message, "/nonexistent/program");
}
END_TEST

static void setup(void) {
        ck_assert_int_eq(make_temp_dir("/tmp", "nvml", &folder), 0);
}

static void teardown(void) {
        ck_assert_int_eq(remove_tree(AT_FDCWD, folder), 0);
        free(folder);
}

int main(int argc, char *argv[]) {
        Suite *suite = suite_create("nvml");
        TCase *t = tcase_create("nvml");

        if (argc == 2 && streq(argv[1], NVML_QUERY_VERB))
                _exit(nvml_answer());
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, everything_is_told);
        tcase_add_test(t, old_library);
        tcase_add_test(t, older_call_of_settings);
        tcase_add_test(t, no_confidential_computing);
        tcase_add_test(t, refusals);
        tcase_add_test(t, failed_calls);
        tcase_add_test(t, crash_exit_print_garbage);
        tcase_add_test(t, hang);
        tcase_add_test(t, no_library);
        tcase_add_test(t, children_that_answer_anything);
        tcase_add_test(t, a_child_that_cannot_be_made);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
