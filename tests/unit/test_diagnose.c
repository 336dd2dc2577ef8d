/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch-root.h"

#include "node/diagnose.h"
#include "node/log-line.h"
#include "node/tar.h"
#include "run.h"

/* Lines as the kernel and the services write them; NAME: what must be found, or "-": nothing. */
static const struct {
        const char *id, *line;
} lines[] = {
        { "swiotlb-default", "kernel: nvidia 0000:01:00.0: swiotlb buffer is full (sz: 131072 bytes), total 524288 (slots), used 1234 (slots)" },
        { "swiotlb-full", "kernel: nvidia 0000:01:00.0: swiotlb buffer is full (sz: 4096 bytes), total 1048576 (slots), used 1048570 (slots)" },
        { "swiotlb-full", "kernel: virtio_blk virtio2: swiotlb buffer is full (sz: 4096 bytes), total 5242880 (slots), used 5 (slots)" },
        { "-", "kernel: software IO TLB: mapped [mem 0x0000000100000000-0x0000000300000000] (8192MB)" },
        { "-", "app[1]: swiotlb buffer is full (sz: 1 bytes), total 524288 (slots), used 1 (slots)" },
        { "lkca-stubs", "kernel: NVRM: libspdm_check_crypto_backend: Error - libspdm expects LKCA but found stubs!" },
        { "-", "kernel: NVRM: libspdm_check_crypto_backend: LKCA wrappers found." },
        { "spdm-failed", "kernel: NVRM: GPU0 spdmEstablishSession_IMPL: SPDM: Session establishment failed!" },
        { "spdm-failed", "kernel: NVRM: SPDM: Connection attributes did not match expected!" },
        { "spdm-failed", "kernel: NVRM: SPDM: Certificate retrieval failed!" },
        { "spdm-failed", "kernel: NVRM: Failed libspdm context selftest!" },
        { "-", "kernel: NVRM: SPDM: Session established" },
        { "cc-not-enabled", "kernel: NVRM: confComputeConstructEngine_IMPL: GPU confidential compute capability is not enabled." },
        { "-", "kernel: NVRM: GPU confidential compute capability is enabled." },
        { "gpu-without-cc", "kernel: NVRM: confComputeConstructEngine_IMPL: GPU does not support confidential compute." },
        { "cpu-without-cc", "kernel: NVRM: confComputeConstructEngine_IMPL: CPU does not support confidential compute." },
        { "-", "kernel: NVRM: CPU supports confidential compute." },
        { "session-lost", "kernel: NVRM: osInitNvMapping: *** Cannot attach gpu" },
        { "-", "kernel: NVRM: osInitNvMapping: attached" },
        { "adapter-failed", "kernel: NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x62:0x59:2393)" },
        { "-", "kernel: NVRM: GPU 0000:01:00.0: RmInitAdapter succeeded" },
        { "not-ready", "train[77]: RuntimeError: CUDA error: system not yet initialized" },
        { "not-ready", "train[77]: cudaErrorSystemNotReady" },
        { "not-ready", "train[77]: CUDA Error 802" },
        { "not-ready", "nvidia-smi[5]: System is not in ready state" },
        { "-", "train[77]: CUDA error 8021 of 9000 rows done" },
        { "-", "train[77]: the payment system is ready" },
        { "fabric-in-progress", "nvidia-smi[5]:         State                             : In Progress" },
        { "-", "nvidia-smi[5]:         State                             : Completed" },
        { "-", "backup[5]: Transfer : In Progress" },
        { "fm-version", "nv-fabricmanager[9]: fabric manager NVIDIA GPU driver interface version 1.2.3 don't match with driver version 1.2.4. Please update with "
                        "matching NVIDIA driver package." },
        { "-", "nv-fabricmanager[9]: Successfully configured all the available NVSwitches" },
        { "fm-nothing-to-do", "nv-fabricmanager[9]: request to query NVSwitch device information from NVSwitch driver failed with error:WARNING Nothing to do "
                              "[NV_WARN_NOTHING_TO_DO]" },
        { "-", "nv-fabricmanager[9]: request to query NVSwitch device information from NVSwitch driver failed with error:Timeout" },
        { "fm-directory", "nv-fabricmanager[9]: fabric manager don't have access permissions to directory /var/run/nvidia-fabricmanager" },
        { "session-broken", "kernel: NVRM: nvAssertFailed: Encryption FAILED" },
        { "session-broken", "kernel: NVRM: _memmgrMemReadOrWriteWithGsp: Fatal error detected in GSP-DMA decrypt: 0x25!" },
        { "session-broken", "kernel: NVRM: confComputeSetErrorState_KERNEL: ConfCompute: Fatal error hit!" },
        { "session-broken", "kernel: NVRM: GspMsgQueueSendCommand: Encryption failed with status = 0x1f." },
        { "-", "kernel: dm-crypt: Encryption failed with status" },
        { "-", "mail[4]: Encryption FAILED" },
        { "gsp-boot", "kernel: NVRM: kgspWaitForGspTargetMask: Timeout waiting for GSP target mask release" },
        { "gsp-boot", "kernel: NVRM: kfspPollForResponse_IMPL: FSP command timed out" },
        { "gsp-boot", "kernel: NVRM: RmInitAdapter: Cannot initialize GSP firmware RM" },
        { "gsp-boot", "kernel: NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x62:0x65:1784)" },
        { "no-devices", "nvidia-smi[5]: No devices were found" },
        { "-", "smartd[5]: devices were found" },
        { "gsp-firmware-missing", "kernel: nvidia 0000:01:00.0: Direct firmware load for nvidia/1.2.3/gsp_ga10x.bin failed with error -2" },
        { "-", "kernel: bluetooth hci0: Direct firmware load for intel/ibt.bin failed with error -2" },
        { "gsp-timeout", "kernel: NVRM: Xid (PCI:0000:01:00): 119, pid=99, name=x, Timeout after 6s of waiting for RPC response from GPU0 GSP!" },
        { "-", "kernel: NVRM: Xid (PCI:0000:01:00): 1190, pid=99" },
        { "-", "kernel: NVRM: Xid (PCI:0000:01:00): 13, pid=119, Graphics Exception" },
        { "proprietary-modules", "kernel: NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:2330) is not supported by the NVIDIA 1.2.3 driver release." },
        { "proprietary-modules", "kernel: NVRM: installed in this system is not supported by the" },
        { "probe-failed", "kernel: nvidia 0000:01:00.0: probe with driver nvidia failed with error -1" },
        { "probe-failed", "kernel: nvidia: probe of 0000:01:00.0 failed with error -1" },
        { "-", "kernel: i2c: probe of 0-0050 failed with error -1" },
        { "version-mismatch", "cloudmonitor[3]: Failed to initialize NVML: Driver/library version mismatch" },
        { "version-mismatch", "kernel: NVRM: API mismatch: the client 'nvidia-smi' (pid 33)" },
        { "nouveau", "kernel: NVRM: GPU 0000:01:00.0 is already bound to nouveau." },
        { "-", "kernel: nouveau 0000:01:00.0: DRM: VRAM: 4096 MiB" },
        { "persistenced-no-device", "nvidia-persistenced[8]: Failed to query NVIDIA devices. Please ensure that the NVIDIA device files (/dev/nvidia*) exist, and that "
                                    "user 0 has read and write permissions for those files." },
        { "persistenced-no-device", "nvidia-persistenced[8]: Unable to find any NVIDIA devices" },
        { "persistenced-no-device", "nvidia-persistenced[8]: Failed to open libnvidia-cfg.so.1: cannot open shared object file" },
        { "-", "nvidia-persistenced[8]: Local RPC services initialized" },
        { "persistenced-timeout", "systemd[1]: nvidia-persistenced.service: start operation timed out. Terminating." },
        { "persistenced-timeout", "systemd[1]: nvidia-persistenced.service: Failed with result 'timeout'." },
        { "persistenced-timeout", "nvidia-persistenced[8]: Could not Enable UVM Persistence mode becausethe NVLink fabric is not ready: 0x3" },
        { "-", "systemd[1]: postgresql.service: start operation timed out. Terminating." },
        { "-", "systemd[1]: nvidia-persistenced.service: Failed with result 'exit-code'." },
        { "nscq-warning", "verifier[8]: NSCQ_RC_WARNING: RDT init failure (Code 1)" },
        { "sxid-minion", "kernel: nvidia-nvswitch2: SXid (PCI:0000:07:00.0): 22013, Non-fatal, Link 41 Minion Link DLREQ interrupt" },
        { "-", "kernel: nvidia-nvswitch2: SXid (PCI:0000:07:00.0): 12028, Non-fatal, Link 41" },
        { "host-dma-mappings", "qemu[2]: VFIO_MAP_DMA failed: possibly running out of DMA mappings. Maximum possible is 65535" },
        { "-", "sudo[9]: root : TTY=pts/0 ; USER=root ; COMMAND=/usr/bin/grep CUDA error 802" },
        { "-", "gn8v-tee[8]: libspdm expects LKCA but found stubs" },
};
/* Of files that are read where they are: a line there has no origin of its own. */
static const struct {
        const char *id, *line, *file;
} file_lines[] = {
        { "nouveau", "ERROR: The Nouveau kernel driver is currently in use by your system.  This driver is incompatible", "/var/log/nvidia-installer.log" },
        { "compiler-differs", "Compiler version check failed:", "/var/lib/dkms/nvidia/1.2.3/build/make.log" },
        { "compiler-differs", "warning: the compiler differs from the one used to build the kernel", "/var/lib/dkms/nvidia/1.2.3/build/make.log" },
        { "fm-version", "[Nov 22 2026 00:18:53] [ERROR] [tid 9] fabric manager NVIDIA GPU driver interface version 1.2.3 don't match with driver version 1.2.4. Please",
          "/var/log/fabricmanager.log" },
        { "-", "Compiler version check failed:", "/var/log/other.log" },
};

static Diagnose d;

static char *known_path(void) {
        const char *source = getenv("GN8V_TEST_SOURCE");

        return path_join(source ? source : ".", "src/node/diagnoses.conf");
}

static void begin(void) {
        _cleanup_free_ char *path = known_path();
        _cleanup_error_ Error e = ERROR_INIT;

        scratch_begin();
        ck_assert_int_eq(diagnose_open(&d, &node, path, &e), 0);
}

static void end(void) {
        diagnose_close(&d);
        scratch_end();
}

static void look(const char *line, const char *origin) {
        ck_assert_int_eq(diagnose_line(&d, line, strlen(line), origin), 0);
}

static void conclude(void) {
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(diagnose_conclude(&d, &e), 0);
}

/* That one is found, and nothing that does not follow from it. */
static void only(const char *id, const char *line) {
        conclude();
        if (streq(id, "-"))
                ck_assert_msg(d.n_found == 0, "%s: taken for %s", line, d.n_found > 0 ? d.found[0]->diagnosis->id : "");
        else
                ck_assert_msg(d.n_found >= 1 && streq(d.found[0]->diagnosis->id, id), "%s: not found as %s but as %s", line, id,
                              d.n_found > 0 ? d.found[0]->diagnosis->id : "nothing");
        for (size_t i = 1; i < d.n_found; i++)
                ck_assert_msg(d.found[i]->explained_by == d.found[0], "%s: also taken for %s", line, d.found[i]->diagnosis->id);
        diagnose_reset(&d);
}

START_TEST(every_signature_in_every_form) {
        static const char *const forms[] = { "Nov  2 00:18:53 gpu1 %s", "2026-11-22T00:18:53+0800 gpu1 %s", "[   12.345678] gpu1 %s", "<4>Nov 22 00:18:53 gpu1 %s" };

        for (size_t i = 0; i < ELEMENTSOF(lines); i++)
                for (size_t j = 0; j < ELEMENTSOF(forms); j++) {
                        const char *rest = strchr(forms[j], '%') + 2;
                        _cleanup_free_ char *line = format("%.*s%s%s", (int) (rest - 2 - forms[j]), forms[j], lines[i].line, rest);

                        look(line, NULL);
                        only(lines[i].id, line);
                }
        for (size_t i = 0; i < ELEMENTSOF(file_lines); i++) {
                look(file_lines[i].line, file_lines[i].file);
                only(file_lines[i].id, file_lines[i].line);
        }
}
END_TEST

START_TEST(every_signature_in_json) {
        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                size_t n = strcspn(lines[i].line, "[:");
                const char *message = strstr(lines[i].line, ": ") + 2;
                bool kernel = strncmp(lines[i].line, "kernel", n) == 0;
                json_t *o = json_pack("{s:s, s:s%, s:s, s:s}", "_TRANSPORT", kernel ? "kernel" : "journal", "SYSLOG_IDENTIFIER", lines[i].line, n, "MESSAGE", message,
                                      "__REALTIME_TIMESTAMP", "1700000000123456");
                _cleanup_free_ char *line = NULL;

                if (strncmp(lines[i].line, "systemd", n) == 0) {
                        _cleanup_free_ char *unit = strndup(message, strcspn(message, ":"));

                        ck_assert_int_eq(json_object_set_new(o, "UNIT", json_string(unit)), 0);
                }
                line = json_dumps(o, JSON_COMPACT | (i % 2 ? JSON_ENSURE_ASCII : 0));
                json_decref(o);
                look(line, NULL);
                only(lines[i].id, line);
        }
}
END_TEST

/* What dmesg prints, and what somebody copied without anything in front, says no origin: the words alone tell. */
START_TEST(words_without_an_origin) {
        look("[   12.345678] NVRM: osInitNvMapping: *** Cannot attach gpu", NULL);
        only("session-lost", "dmesg");
        look("[Sun Nov 22 00:18:53 2026] NVRM: osInitNvMapping: *** Cannot attach gpu", NULL);
        only("session-lost", "dmesg -T");
        look("4,1234,12345678,-;NVRM: osInitNvMapping: *** Cannot attach\\x20gpu", NULL);
        only("session-lost", "kmsg");
        look("osInitNvMapping: *** Cannot attach gpu", NULL);
        only("session-lost", "bare");
        look("{\"MESSAGE\":[79,115,105,32,69,110,99,114,121,112,116,105,111,110,32,70,65,73,76,69,68,255],\"_TRANSPORT\":\"kernel\"}", NULL);
        only("session-broken", "bytes");
        look("{\"MESSAGE\":null}", NULL);
        look("{\"MESSAGE\":", NULL);
        look("{", NULL);
        look("", NULL);
        only("-", "no message");
}
END_TEST

START_TEST(every_diagnosis_has_a_line) {
        for (size_t i = 0; i < d.known->n; i++) {
                bool have = false;

                for (size_t j = 0; j < ELEMENTSOF(lines); j++)
                        have = have || streq(lines[j].id, d.known->v[i].id);
                for (size_t j = 0; j < ELEMENTSOF(file_lines); j++)
                        have = have || streq(file_lines[j].id, d.known->v[i].id);
                ck_assert_msg(have, "no line tests %s", d.known->v[i].id);
        }
        ck_assert_uint_ge(d.known->n, 22);
}
END_TEST

START_TEST(the_cause_comes_first) {
        look("Nov 22 00:18:59 h app[1]: CUDA error 802", NULL);
        look("Nov 22 00:18:56 h kernel: NVRM: SPDM: Session establishment failed!", NULL);
        look("Nov 22 00:18:57 h kernel: NVRM: osInitNvMapping: *** Cannot attach gpu", NULL);
        look("Nov 22 00:18:55 h kernel: NVRM: libspdm_check_crypto_backend: Error - libspdm expects LKCA but found stubs!", NULL);
        look("Nov 22 00:18:55 h kernel: nvidia-nvswitch2: SXid (PCI:0000:07:00.0): 22013, Non-fatal, Link 41 Minion Link DLREQ interrupt", NULL);
        conclude();
        ck_assert_uint_eq(d.n_found, 4);
        ck_assert_str_eq(d.found[0]->diagnosis->id, "lkca-stubs");
        ck_assert_ptr_null(d.found[0]->explained_by);
        ck_assert_str_eq(d.found[1]->diagnosis->id, "spdm-failed");
        ck_assert_ptr_eq(d.found[1]->explained_by, d.found[0]);
        ck_assert_str_eq(d.found[2]->diagnosis->id, "not-ready");
        ck_assert_ptr_eq(d.found[2]->explained_by, d.found[0]);
        ck_assert_str_eq(d.found[3]->diagnosis->id, "sxid-minion");
        ck_assert_str_eq(d.next, d.found[0]->next);
        ck_assert_int_eq(d.code, EXIT_DIFFERS);
}
END_TEST

START_TEST(what_is_harmless_fails_nothing) {
        look("Nov 22 00:18:55 h kernel: nvidia-nvswitch2: SXid (PCI:0000:07:00.0): 22013, Non-fatal, Link 41 Minion Link DLREQ interrupt", NULL);
        look("Nov 22 00:18:55 h qemu: possibly running out of DMA mappings", NULL);
        conclude();
        ck_assert_uint_eq(d.n_found, 2);
        ck_assert_int_eq(d.code, EXIT_OK);
        ck_assert_ptr_null(d.next);
}
END_TEST

START_TEST(counts_and_figures) {
        for (unsigned i = 0; i < 1000; i++) {
                _cleanup_free_ char *line = format("Nov 22 00:%02u:%02u h kernel: nvidia 0000:01:00.0: swiotlb buffer is full (sz: 8192 bytes), total 1048576 (slots), "
                                                   "used %u (slots)", i / 60, i % 60, i);

                look(line, NULL);
        }
        conclude();
        ck_assert_uint_eq(d.found[0]->count, 1000);
        ck_assert_uint_eq(d.found[0]->n_lines, SIGHTINGS_MAX);
        ck_assert_str_eq(d.found[0]->last, "Nov 22 00:16:39");
        ck_assert_ptr_nonnull(strstr(d.found[0]->meaning, "1048576 slots (2048 MiB)"));
        ck_assert_ptr_nonnull(strstr(d.found[0]->meaning, "8192 bytes"));
        ck_assert_ptr_null(strchr(d.found[0]->meaning, '{'));
}
END_TEST

#define HEAD "[Diagnosis one]\nWhere=any\nSeverity=error\nRank=1\nSummary=s\nMeaning=m\nCause=c\nNext=n\n"

START_TEST(an_entry_is_all_it_takes) {
        static const char text[] = HEAD "Match=flux capacitor ([0-9]+) is empty\nMatch=and also this\nNeeds=all\nVariables=which\n"
                                        "[Diagnosis two]\nWhere=my.service\nSeverity=warning\nRank=9\nSummary=s\nMeaning={which} {x:slots} {\nCause=c\nNext=n\n"
                                        "Match=pool of ([0-9]+) slots\nVariables=x\n";
        _cleanup_error_ Error e = ERROR_INIT;

        diagnose_close(&d);
        scratch_put("/rules", text);
        scratch_put(DIAGNOSES_PATH, text);
        ck_assert_int_eq(diagnose_open(&d, &node, NULL, &e), 0);
        look("flux capacitor 7 is empty", NULL);
        only("-", "one of two");
        look("flux capacitor 7 is empty", NULL);
        look("and also this", NULL);
        only("one", "both");
        look("Nov 22 00:18:53 h my[3]: pool of 1024 slots", NULL);
        conclude();
        ck_assert_str_eq(d.found[0]->meaning, "{which} 2 MiB {");
}
END_TEST

START_TEST(bad_entries_are_refused) {
        static const char *const bad[] = {
                "",
                HEAD,
                HEAD "Match=ab\n",
                HEAD "Match=(abc)\n",
                HEAD "Match=abc a++++\n",
                HEAD "Match=abc (a)?*\n",
                HEAD "Match=abc|def\n",
                HEAD "Match=abc(\n",
                HEAD "Match=abc[\n",
                HEAD "Match=abc(d)*\n",
                HEAD "Match=abc\\1\n",
                HEAD "Match=abcd{1,9}\n",
                HEAD "Match=abc\nUnlessFound=two\n",
                HEAD "Match=abc\nExplains=one\n",
                HEAD "Match=abc\nFrob=1\n",
                HEAD "Match=abc\nSummary=again\n",
                HEAD "Match=abc\nNeeds=some\n",
                HEAD "Match=abc\nRank=x\n",
                HEAD "Match=abc\nSeverity=bad\n",
                "[Diagnosis Bad Id]\nMatch=abc\n",
                "[Other]\nMatch=abc\n",
                HEAD "Match=abc\n[Diagnosis two]\nWhere=any\n[Diagnosis one]\nWhere=any\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                Diagnoses *known = NULL;

                ck_assert_msg(diagnoses_parse("f.conf", bad[i], strlen(bad[i]), &known, &e) == -EBADMSG, "taken: %s", bad[i]);
                ck_assert_int_eq(e.code, EXIT_INVALID);
                ck_assert_ptr_nonnull(strstr(e.message, "f.conf:"));
                ck_assert_ptr_null(known);
        }
}
END_TEST

START_TEST(literals_at_once) {
        static const char *const words[] = { "he", "she", "his", "hers", "he" };
        _cleanup_(literals_freep) Literals *l = literals_new();
        bool hits[ELEMENTSOF(words)] = {};

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                ck_assert_int_eq(literals_add(l, words[i]), 0);
        ck_assert_int_eq(literals_finish(l), 0);
        ck_assert(!literals_scan(l, "shis", 0, hits));
        ck_assert(literals_scan(l, "ushers", 6, hits));
        ck_assert(hits[0] && hits[1] && !hits[2] && hits[3] && hits[4]);
        memset(hits, 0, sizeof(hits));
        ck_assert(literals_scan(l, "xhisx", 5, hits));
        ck_assert(!hits[0] && !hits[1] && hits[2]);
}
END_TEST

START_TEST(lines_are_taken_apart) {
        static const struct { const char *line, *time, *origin, *message; } cases[] = {
                { "Nov  2 00:18:53 h nvidia-persistenced[12]: a: b", "Nov  2 00:18:53", "nvidia-persistenced", "a: b" },
                { "2026-11-22T00:18:53.123456+0800 h kernel: [    1.5] x", "2026-11-22T00:18:53.123456+0800", "kernel", "x" },
                { "[    1.500000] h kernel: x y", "[    1.500000]", "kernel", "x y" },
                { "[    1.500000] usb usb1: New device", "[    1.500000]", NULL, "usb usb1: New device" },
                { "[Nov 22 2026 00:18:53] [ERROR] [tid 1] x", "[Nov 22 2026 00:18:53]", NULL, "[ERROR] [tid 1] x" },
                { "6,1,2000001,-,caller=T1;x\\x0ay", "2.000001s", "kernel", "x?y" },
                { "x\033[31m\xff\xc2\x9b", NULL, NULL, "x?[31m??" },
                { "{\"MESSAGE\":\"m\",\"_SYSTEMD_UNIT\":\"u.service\",\"__REALTIME_TIMESTAMP\":\"0\"}", "1970-01-01T00:00:00Z", "u.service", "m" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_log_line_ LogLine l = {};

                ck_assert_int_eq(log_line_parse(cases[i].line, strlen(cases[i].line), &l), 0);
                ck_assert_pstr_eq(l.time, cases[i].time);
                ck_assert_pstr_eq(l.origin, cases[i].origin);
                ck_assert_str_eq(l.message, cases[i].message);
        }
}
END_TEST

START_TEST(a_saved_file_of_any_size_and_kind) {
        static const char line[] = "Nov 22 00:18:53 h kernel: NVRM: osInitNvMapping: *** Cannot attach gpu\n";
        _cleanup_free_ char *plain = format("%s/plain", scratch), *tar = format("%s/tar", scratch), *cut = format("%s/cut", scratch);
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_text_ Text t = {}, a = {};

        for (unsigned i = 0; i < 20000; i++)
                text_append(&t, line);
        for (unsigned i = 0; i < 300000; i++) /* one endless line */
                text_append(&t, "x");
        text_append(&t, line);
        scratch_put_bytes("/plain", t.data, t.size);
        ck_assert_int_eq(diagnose_file(&d, plain, 600, &e), 0);
        conclude();
        ck_assert_uint_eq(d.found[0]->count, 20000);
        diagnose_reset(&d);

        ck_assert_int_eq(tar_append(&a, "any/name", line, strlen(line), 0), 0);
        ck_assert_int_eq(tar_append(&a, "empty", "", 0, 0), 0);
        ck_assert_int_eq(tar_append(&a, "gn8v-tee-support/diagnose.json", line, strlen(line), 0), 0);
        ck_assert_int_eq(tar_append(&a, "gn8v-tee-support/logs/driver.log", line, strlen(line), 0), 0);
        tar_finish(&a);
        scratch_put_bytes("/tar", a.data, a.size);
        ck_assert_int_eq(diagnose_file(&d, tar, 600, &e), 0);
        conclude();
        ck_assert_uint_eq(d.found[0]->count, 2);
        a.data[3 * 512] ^= 1; /* the second header's name */
        scratch_put_bytes("/cut", a.data, a.size);
        ck_assert_int_eq(diagnose_file(&d, cut, 600, &e), -EBADMSG);
        ck_assert_int_eq(e.code, EXIT_INVALID);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("diagnose");
        TCase *t = tcase_create("diagnose");

        tcase_add_checked_fixture(t, begin, end);
        tcase_add_test(t, every_signature_in_every_form);
        tcase_add_test(t, every_signature_in_json);
        tcase_add_test(t, words_without_an_origin);
        tcase_add_test(t, every_diagnosis_has_a_line);
        tcase_add_test(t, the_cause_comes_first);
        tcase_add_test(t, what_is_harmless_fails_nothing);
        tcase_add_test(t, counts_and_figures);
        tcase_add_test(t, an_entry_is_all_it_takes);
        tcase_add_test(t, bad_entries_are_refused);
        tcase_add_test(t, literals_at_once);
        tcase_add_test(t, lines_are_taken_apart);
        tcase_add_test(t, a_saved_file_of_any_size_and_kind);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
