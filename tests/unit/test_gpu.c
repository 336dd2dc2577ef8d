/* SPDX-License-Identifier: Apache-2.0 */
/* When a GPU may be opened, and what the facts about GPUs become in the table. */
#include <time.h>

#include "scratch-root.h"

#include "node/status-rows.h"
#include "node/units.h"
#include "run.h"

#define TDX   "processor\t: 0\nflags\t\t: fpu tdx_guest sse\n"
#define PLAIN "processor\t: 0\nflags\t\t: fpu xtdx_guest tdx_guests sse\n"

static const char *fabric_manager, *persistenced; /* what systemd says of them */
static unsigned asked;

static int answering(Node *n, const char *const *argv, unsigned timeout_sec, int *ret_status, char **ret_output, Error *e) {
        asked++;
        *ret_status = 0;
        *ret_output = format("%s\n", streq(argv[2], FABRICMANAGER_UNIT) ? fabric_manager : persistenced);
        return 0;
}

static bool may_open(char **nvswitches, char **ret_why) {
        const PciDevices pci = { .nvswitches = nvswitches };
        _cleanup_error_ Error e = ERROR_INIT;
        bool may = false;

        *ret_why = NULL;
        ck_assert_msg(gpu_may_open(&node, &pci, &may, ret_why, &e) == 0, "%s", e.message);
        ck_assert(may == !*ret_why);
        return may;
}

START_TEST(nobody_before_persistenced) {
        char *one[] = { (char *) "0000:20:00.0", NULL };
        static const char *const not_active[] = { "activating", "inactive", "failed", "deactivating", "reloading", "unknown", "" };
        char *why;

        node.run = answering;
        node.booted = true;
        scratch_put("/proc/cpuinfo", TDX);
        fabric_manager = persistenced = "active";
        ck_assert(may_open(NULL, &why));
        ck_assert(may_open(one, &why));
        for (size_t i = 0; i < ELEMENTSOF(not_active); i++) {
                fabric_manager = "active";
                persistenced = not_active[i];
                ck_assert(!may_open(NULL, &why));
                ck_assert_ptr_nonnull(strstr(why, PERSISTENCED_UNIT));
                free(why);
                fabric_manager = not_active[i];
                persistenced = "active";
                ck_assert(may_open(NULL, &why)); /* no NVSwitch, no Fabric Manager */
                ck_assert(!may_open(one, &why));
                ck_assert_ptr_nonnull(strstr(why, FABRICMANAGER_UNIT));
                free(why);
        }
        node.booted = false;
        ck_assert(!may_open(NULL, &why));
        free(why);
}
END_TEST

START_TEST(no_session_to_lose) {
        char *why;

        node.run = answering;
        node.booted = true;
        persistenced = "inactive";
        /* What cannot be looked at may be a confidential machine. */
        ck_assert(!may_open(NULL, &why));
        free(why);
        scratch_put("/proc/cpuinfo", PLAIN);
        asked = 0;
        ck_assert(may_open(NULL, &why));
        ck_assert_uint_eq(asked, 0);
        scratch_put("/dev/sev-guest", "");
        ck_assert(!may_open(NULL, &why));
        free(why);
        ck_assert_int_eq(node_remove(&node, "/dev/sev-guest"), 0);
        scratch_put("/dev/tdx_guest", "");
        ck_assert(!may_open(NULL, &why));
        free(why);
}
END_TEST

START_TEST(devices_of_the_bus) {
        static const struct { const char *address, *vendor, *class; } devices[] = {
                { "0000:00:00.0", "0x8086", "0x060000" }, { "0000:10:00.0", "0x10de", "0x030200" }, { "0000:11:00.0", "0x10de", "0x030000" },
                { "0000:20:00.0", "0x10de", "0x068000" }, { "0000:21:00.0", "0x10de", "0x040300" }, { "0000:22:00.0", "0x1af4", "0x068000" },
                { "0000:23:00.0", "nonsense", "0x030200" },
        };
        PciDevices p;

        ck_assert_int_eq(pci_list(&node, &p), 0);
        ck_assert(p.hidden);
        pci_free(&p);
        for (size_t i = 0; i < ELEMENTSOF(devices); i++) {
                _cleanup_free_ char *vendor = format("/sys/bus/pci/devices/%s/vendor", devices[i].address);
                _cleanup_free_ char *class = format("/sys/bus/pci/devices/%s/class", devices[i].address);

                scratch_put(vendor, devices[i].vendor);
                scratch_put(class, devices[i].class);
        }
        ck_assert_int_eq(pci_list(&node, &p), 0);
        ck_assert(!p.hidden);
        ck_assert_uint_eq(strv_length(p.gpus), 2);
        ck_assert_str_eq(p.gpus[0], "0000:10:00.0");
        ck_assert_uint_eq(strv_length(p.nvswitches), 1);
        ck_assert_str_eq(p.nvswitches[0], "0000:20:00.0");
        pci_free(&p);
}
END_TEST

/* A release as far as the rows look at it. */
static Release release_of(Mode mode, unsigned gpus) {
        return (Release){ .gpus = gpus, .nvswitches = mode == MODE_PROTECTED_PCIE ? 4 : 0, .mode = mode, .set_ready = true };
}

static StatusContext rows_of(Release *release, const char *answer, LibraryOutcome outcome, const char *reason) {
        StatusContext c = { .node = &node, .group = "gpu" };
        GpuFacts f = { .module = strdup("1.2.3"), .driver = true, .asked = true, .pci.hidden = true, .nvml = NVML_EMPTY };
        _cleanup_free_ char *text = format("gn8v-nvml 1\ndriver 1.2.3\nlibrary 12.1.2.3\n%send\n", answer);

        ck_assert_int_eq(nvml_parse(text, strlen(text), &f.nvml), 1);
        if (reason) {
                f.nvml.answer.outcome = outcome;
                f.nvml.answer.reason = strdup(reason);
        }
        for (unsigned i = 0; release && i < release->gpus; i++) {
                _cleanup_free_ char *address = format("0000:1%u:00.0", i);

                ck_assert_int_eq(strv_append(&f.attached, address), 0);
        }
        node.release = release;
        status_gpu_rows(&c, &f);
        node.release = NULL;
        ck_assert(!c.failed);
        gpu_facts_free(&f);
        /* Whatever is not as wanted says what to do. */
        for (size_t i = 0; i < c.status.n; i++)
                ck_assert_msg(c.status.rows[i].state == ROW_OK || c.status.rows[i].next, "%s", c.status.rows[i].name);
        return c;
}

/* found NULL: there is no such row. */
static void has_row(const StatusContext *c, const char *name, RowState state, const char *found) {
        for (size_t i = 0; i < c->status.n; i++)
                if (streq(c->status.rows[i].name, name)) {
                        ck_assert_msg(found && strstr(c->status.rows[i].found, found), "%s: found %s", name, c->status.rows[i].found);
                        ck_assert_msg(c->status.rows[i].state == state, "%s: %s", name, row_state_to_string(c->status.rows[i].state));
                        return;
                }
        ck_assert_msg(!found, "no row %s", name);
}

#define DONE(c) status_free(&(c).status)
#define GPU(n)  "gpu " #n "\npersistence 1\nfabric 3\nfabric-status 0\n"
#define EIGHT   "count 8\n" GPU(0) GPU(1) GPU(2) GPU(3) GPU(4) GPU(5) GPU(6)

START_TEST(rows_single) {
        Release r = release_of(MODE_CONFIDENTIAL_COMPUTING, 1);
        StatusContext c = rows_of(&r, "feature 1\ndevtools 0\nmulti-gpu 0\nready 1\nenvironment 2\ncount 1\ngpu 0\npersistence 1\nfabric 0\n", 0, NULL);

        for (size_t i = 0; i < c.status.n; i++)
                ck_assert_msg(c.status.rows[i].state == ROW_OK, "%s", c.status.rows[i].name);
        has_row(&c, "CC feature", ROW_OK, "ON");
        has_row(&c, "ready state", ROW_OK, "ready");
        has_row(&c, "multi-GPU mode", ROW_OK, NULL);
        has_row(&c, "NVLink fabric", ROW_OK, NULL);
        DONE(c);
        c = rows_of(&r, "feature 0\ndevtools 1\nready 0\nenvironment 1\ncount 0\n", 0, NULL);
        has_row(&c, "CC feature", ROW_FAIL, "OFF");
        has_row(&c, "devtools mode", ROW_FAIL, "ON");
        has_row(&c, "ready state", ROW_FAIL, NULL); /* none without the feature */
        has_row(&c, "CC environment", ROW_FAIL, "simulation");
        has_row(&c, "GPUs of NVML", ROW_FAIL, "0");
        DONE(c);
        c = rows_of(&r, "feature 1\nready 0\ncount 1\ngpu 0\nfabric 2\n", 0, NULL);
        has_row(&c, "ready state", ROW_FAIL, "not ready");
        has_row(&c, "devtools mode", ROW_UNKNOWN, "does not say");
        has_row(&c, "NVLink fabric", ROW_WARN, "1 of 1");
        DONE(c);
        c = rows_of(&r, "unsupported 1\ncount 1\ngpu 0\n", 0, NULL);
        has_row(&c, "CC feature", ROW_FAIL, "not supported");
        has_row(&c, "devtools mode", ROW_FAIL, NULL);
        DONE(c);
}
END_TEST

START_TEST(rows_multi) {
        Release r = release_of(MODE_PROTECTED_PCIE, 8);
        StatusContext c = rows_of(&r, "feature 0\ndevtools 0\nmulti-gpu 1\nready 1\n" EIGHT GPU(7), 0, NULL);

        for (size_t i = 0; i < c.status.n; i++)
                ck_assert_msg(c.status.rows[i].state == ROW_OK, "%s", c.status.rows[i].name);
        has_row(&c, "CC feature", ROW_OK, "OFF");
        has_row(&c, "multi-GPU mode", ROW_OK, "Protected PCIe");
        has_row(&c, "NVLink fabric", ROW_OK, "completed");
        DONE(c);
        c = rows_of(&r, "feature 1\ndevtools 0\nmulti-gpu 0\nready 1\n" EIGHT "gpu 7\npersistence 0\nfabric 2\nfabric-status 0\n", 0, NULL);
        has_row(&c, "multi-GPU mode", ROW_FAIL, "none");
        has_row(&c, "NVLink fabric", ROW_PENDING, "7 of 8");
        has_row(&c, "persistence mode", ROW_FAIL, "partly");
        DONE(c);
        /* Where they become ready once they were attested, nobody is told to do it by hand. */
        for (int gate = 0; gate < 2; gate++) {
                if (gate)
                        scratch_put("/" RELEASE_GATE_DROP_IN, "[Service]\nExecStartPost=\n");
                c = rows_of(&r, "multi-gpu 1\nready 0\n" EIGHT GPU(7), 0, NULL);
                has_row(&c, "ready state", ROW_FAIL, gate ? "attestation comes first" : "not ready");
                for (size_t i = 0; i < c.status.n; i++)
                        if (streq(c.status.rows[i].name, "ready state"))
                                ck_assert_ptr_nonnull(strstr(c.status.rows[i].next, gate ? "gn8v-tee attest --set-ready" : "nvidia-smi conf-compute -srs 1"));
                DONE(c);
                c = rows_of(&r, "multi-gpu 1\nready 1\n" EIGHT GPU(7), 0, NULL);
                has_row(&c, "ready state", ROW_OK, "ready");
                DONE(c);
        }
        c = rows_of(&r, "multi-gpu 1\nready 0\n" EIGHT "gpu 7\nfabric 3\nfabric-status 999\nfailed nvmlDeviceGetUUID 15\nfailed nvmlDeviceGetName 15\n", 0, NULL);
        has_row(&c, "NVLink fabric", ROW_FAIL, "1 failed");
        has_row(&c, "GPU 7", ROW_FAIL, "nvmlDeviceGetUUID: GPU is lost (15)");
        has_row(&c, "ready state", ROW_FAIL, "not ready");
        has_row(&c, "CC feature", ROW_UNKNOWN, "does not say");
        DONE(c);
}
END_TEST

START_TEST(rows_of_a_library_that_fails) {
        Release r = release_of(MODE_CONFIDENTIAL_COMPUTING, 1);
        StatusContext c = rows_of(&r, "stopped nvmlInit 18\n", 0, NULL);

        has_row(&c, "NVML", ROW_FAIL, "Driver/library version mismatch");
        DONE(c);
        c = rows_of(&r, "stopped nvmlInit 999\n", 0, NULL);
        has_row(&c, "NVML", ROW_FAIL, "Unknown Error (999)");
        DONE(c);
        c = rows_of(&r, "stopped nvmlInit 4\n", 0, NULL);
        has_row(&c, "NVML", ROW_UNKNOWN, "Permissions");
        DONE(c);
        c = rows_of(&r, "missing cannot open\n", 0, NULL);
        has_row(&c, "NVML", ROW_FAIL, "cannot open");
        DONE(c);
        c = rows_of(&r, "feature 1\n", LIBRARY_HUNG, "no answer");
        has_row(&c, "NVML", ROW_FAIL, "no answer");
        has_row(&c, "CC feature", ROW_FAIL, NULL);
        DONE(c);
        c = rows_of(&r, "library 12.1.2.4\ncount 1\ngpu 0\n", 0, NULL);
        has_row(&c, "NVML", ROW_FAIL, "library 1.2.4");
        DONE(c);
        c = rows_of(&r, "library 12.1.2\ncount 1\ngpu 0\n", 0, NULL);
        has_row(&c, "NVML", ROW_OK, "1.2");
        DONE(c);
}
END_TEST

/* Without a release there is nothing to compare with: facts, and no verdict. */
START_TEST(rows_without_a_release) {
        StatusContext c = rows_of(NULL, "feature 0\ndevtools 0\nmulti-gpu 0\nready 0\ncount 2\ngpu 0\npersistence 0\nfabric 2\ngpu 1\npersistence 0\nfabric 2\n", 0, NULL);

        for (size_t i = 0; i < c.status.n; i++)
                ck_assert_msg(c.status.rows[i].state == ROW_OK, "%s", c.status.rows[i].name);
        has_row(&c, "CC feature", ROW_OK, "OFF");
        has_row(&c, "GPUs of NVML", ROW_OK, "2");
        DONE(c);
}
END_TEST

/* A verdict of this boot is good for the GPUs that it was about, and for no others. */
START_TEST(verdict_of_other_gpus) {
        static const struct { const char *here, *next; } cases[] = {
                { "gpu 0\nuuid GPU-a\ngpu 1\nuuid GPU-b\n", NULL }, { "gpu 0\nuuid GPU-b\ngpu 1\nuuid GPU-a\n", NULL }, { "gpu 0\nname x\n", NULL },
                { "gpu 0\nuuid GPU-a\ngpu 1\nuuid GPU-c\n", "not about GPU-c" }, { "gpu 0\nuuid GPU-twice\n", "not about GPU-twice" },
        };
        _cleanup_free_ char *at = time_to_text((int64_t) time(NULL)),
                            *text = format("{\"time\": \"%s\", \"result\": \"trusted\", \"gpus\": 2, \"switches\": 0, \"devices\": [{\"name\": \"GPU-0\", \"uuid\": \"GPU-a\"}, "
                                           "{\"name\": \"GPU-1\", \"uuid\": \"GPU-b\"}, {\"uuid\": \"GPU-twice\"}, {\"uuid\": \"GPU-twice\"}, {\"uuid\": null}, 1]}", at);

        scratch_put("/var/lib/gn8v-tee/attestation.json", text);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                StatusContext c = { .node = &node, .group = "gpu" };
                _cleanup_free_ char *lines = format("gn8v-nvml 1\n%send\n", cases[i].here);
                const StatusRow *row;

                c.status.gpu = (GpuFacts){ .asked = true, .nvml = NVML_EMPTY };
                ck_assert_int_eq(nvml_parse(lines, strlen(lines), &c.status.gpu.nvml), 1);
                status_attest(&c);
                ck_assert_uint_eq(c.status.n, 1);
                row = &c.status.rows[0];
                ck_assert_msg(row->state == (cases[i].next ? ROW_WARN : ROW_OK) && (!cases[i].next || strstr(row->next, cases[i].next)), "case %zu: %s", i, row->next);
                DONE(c);
        }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("gpu");
        TCase *t = tcase_create("gpu");

        tcase_add_checked_fixture(t, scratch_begin, scratch_end);
        tcase_add_test(t, nobody_before_persistenced);
        tcase_add_test(t, no_session_to_lose);
        tcase_add_test(t, devices_of_the_bus);
        tcase_add_test(t, rows_single);
        tcase_add_test(t, rows_multi);
        tcase_add_test(t, rows_of_a_library_that_fails);
        tcase_add_test(t, rows_without_a_release);
        tcase_add_test(t, verdict_of_other_gpus);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
