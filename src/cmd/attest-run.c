/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence, verdict, ready state: in this order, and each only after the one before. */
#include <fcntl.h>
#include <jansson.h>
#include <time.h>

#include "basic/fs.h"
#include "basic/log.h"
#include "basic/nvml-api.h"
#include "cmd/attest-devices.h"
#include "cmd/attest-judge.h"

#define STATE_DIR   "/var/lib/gn8v-tee"
#define STATE_FILE  STATE_DIR "/attestation.json"
#define BOOT_ID     "/proc/sys/kernel/random/boot_id"
#define SWITCH_TNVL_LOCKED 3 /* bits: TNVL is on, and locked */

static void help(void) {
        printf("gn8v-tee-attest run [OPTION...]\n\n"
               "Take evidence from this machine's GPUs and NVSwitches with a new nonce, judge\n"
               "it, and, if asked to, let clients use the GPUs: only when all is trusted.\n\n"
               "      --set-ready        set the GPUs' ready state after success\n"
               "      --save=FILE        where the verdict is kept for gn8v-tee status, not in\n"
               "                         " STATE_FILE "\n"
               "%s", judge_help);
}

/* What the driver says of the mode is not signed, but a system that admits to it need not be asked further. */
static int check_settings(const CollectedSystem *s, bool devtools, Error *e) {
        if (s->gpus.devtools == 1 && !devtools)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "not trusted: devtools mode is on: the GPUs can be debugged, and protect nothing");
        if (s->gpus.environment == 1)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "not trusted: confidential computing is only simulated here");
        for (size_t i = 0; s->has_switches && i < s->switches.n; i++)
                if (s->switches.devices[i].mode != SWITCH_TNVL_LOCKED)
                        return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "not trusted: NVSwitch %zu is not in locked trusted mode (pcie_mode %lld)", i,
                                         (long long) s->switches.devices[i].mode);
        return 0;
}

/* What the driver calls each device, in the order of the evidence; "" where it does not. */
static int list_uuids(const CollectedSystem *s, char ***ret) {
        const Collected *both[] = { &s->gpus, &s->switches };

        for (size_t k = 0; k < ELEMENTSOF(both); k++)
                for (size_t i = 0; i < both[k]->n; i++)
                        if (strv_append(ret, both[k]->devices[i].uuid ? both[k]->devices[i].uuid : "") < 0)
                                return -ENOMEM;
        return 0;
}

static json_t *device_set(const Verdict *v, char *const *uuids) {
        json_t *list = json_array();

        for (size_t i = 0; v && i < v->n; i++) {
                const DeviceVerdict *d = &v->devices[i];
                const char *uuid = i < strv_length(uuids) && *uuids[i] ? uuids[i] : NULL;

                (void) json_array_append_new(list, json_pack("{s:s, s:s?, s:s?, s:s?, s:s?, s:s}", "name", d->name, "uuid", uuid, "kind", d->arch, "hwmodel", d->identity.hwmodel,
                                                             "ueid", d->identity.ueid, "result", d->result == CHECK_OK ? "trusted"
                                                             : d->result == CHECK_FAILED ? "not trusted" : "unchecked"));
        }
        return list;
}

/* The last verdict, whatever it was: a failure must not hide behind an older success. */
static int save(const char *path, const Verdict *v, char *const *uuids, int code, const Error *why, bool ready, Error *e) {
        _cleanup_free_ char *at = time_to_text((int64_t) time(NULL)), *text = NULL, *boot = NULL;
        const char *result = code == EXIT_OK          ? "trusted"
                             : code == EXIT_UNTRUSTED || (v && v->result == CHECK_FAILED) ? "not trusted"
                             : code == EXIT_POLICY    ? "refused by a policy"
                                                      : "could not be checked";
        json_t *root;
        int r;

        if (read_file(AT_FDCWD, BOOT_ID, 128, &boot, NULL) == 0)
                boot[strcspn(boot, "\n")] = '\0';
        root = json_pack("{s:s?, s:s?, s:s, s:i, s:i, s:i, s:b, s:s?, s:o}", "time", at, "boot_id", boot, "result", result, "code", code, "gpus",
                         v ? (int) verdict_count(v, DEVICE_GPU) : 0, "switches", v ? (int) verdict_count(v, DEVICE_SWITCH) : 0, "ready_set", ready, "reason",
                         why ? why->message : NULL, "devices", device_set(v, uuids));
        text = root ? json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS) : NULL;
        json_decref(root);
        if (!text)
                return error_oom(e);
        /* The node program's directory may not be there yet. */
        r = streq(path, STATE_FILE) ? mkdir_parents(AT_FDCWD, STATE_DIR, 0755) : 0;
        if (r >= 0)
                r = write_file_atomic(AT_FDCWD, path, text, strlen(text), 0644);
        return r < 0 ? error_errno(e, -r, "%s", path) : 0;
}

static int attest_devices(Attest *attest, JudgeArguments *a, Verdict **ret_verdict, char ***ret_uuids, Error *e) {
        _cleanup_(collected_system_free) CollectedSystem s = { COLLECTED_EMPTY, COLLECTED_EMPTY, false, false };
        _cleanup_(evidence_freep) Evidence *evidence = evidence_new();
        _cleanup_(release_freep) Release *release = NULL;
        _cleanup_free_ char *json = NULL;
        int r;

        if (!evidence)
                return error_oom(e);
        if (a->release && (r = release_load(a->release, &release, e)) < 0)
                return r;
        if (!a->nonce) {
                a->nonce = malloc(NONCE_SIZE);
                if (!a->nonce)
                        return error_oom(e);
                r = devices_nonce(a->nonce, e);
                if (r < 0)
                        return r;
        }
        r = devices_collect(a->nonce, DEVICES_ALL, &s, e);
        if (r < 0)
                return r;
        r = check_settings(&s, release && release->devtools, e);
        if (r < 0)
                return r;
        json = collect_to_json(&s.gpus, s.has_switches ? &s.switches : NULL, a->nonce);
        if (!json || list_uuids(&s, ret_uuids) < 0)
                return error_oom(e);
        r = evidence_parse_json(evidence, "this machine", json, strlen(json), e);
        return r < 0 ? r : judge_evidence(attest, a, evidence, ret_verdict, e);
}

/* The verdict holds without its record; who waits for the record reads that there is none. */
static int conclude(Attest *attest, const char *path, bool set_ready, const Verdict *v, char *const *uuids, int r, Error *e) {
        _cleanup_error_ Error unsaved = ERROR_INIT;
        bool ready = false;
        int code;

        if (r == 0 && set_ready) {
                r = collect_set_ready(e);
                ready = r == 0;
        }
        code = r == 0 ? EXIT_OK : r > 0 ? r : e->code == EXIT_OK ? EXIT_FAILED : (int) e->code;
        if (save(path ? path : STATE_FILE, v, uuids, code, r < 0 ? e : NULL, ready, &unsaved) < 0) {
                if (path && r == 0)
                        return error_set(e, EIO, unsaved.code, "%s", unsaved.message ? unsaved.message : path);
                log_warning("the verdict is not kept for gn8v-tee status: %s", unsaved.message ? unsaved.message : STATE_FILE);
        }
        if (ready && !attest->quiet && !attest->json)
                log_info("the GPUs are ready for clients");
        return r;
}

int verb_attest_run(Attest *attest, int argc, char *argv[], Error *e) {
        enum { ARG_SET_READY = 256, ARG_SAVE };
        static const Option options[] = {
                { "set-ready", ARG_SET_READY, NULL },
                { "save", ARG_SAVE, "FILE" },
                JUDGE_OPTIONS,
                {}
        };
        _cleanup_(judge_arguments_free) JudgeArguments a = JUDGE_ARGUMENTS;
        _cleanup_(verdict_freep) Verdict *v = NULL;
        _cleanup_strv_ char **uuids = NULL;
        const char *path = NULL, *wrong;
        bool set_ready = false;
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case 'h': help(); return EXIT_OK;
                case ARG_SET_READY: set_ready = true; break;
                case ARG_SAVE: path = optarg; break;
                default:
                        if ((r = judge_take_option(&a, c, optarg)) != EXIT_OK || c == '?')
                                return r;
                }
        wrong = judge_check_options(&a, attest->json);
        if (!wrong && set_ready && a.at_given)
                wrong = "--set-ready is for a verdict of now: not with --at";
        if (wrong)
                return verb_usage("run", "%s", wrong);
        if (optind < argc)
                return verb_too_many("run", argv[optind]);
        if (!a.release && access(RELEASE_INSTALLED_PATH, F_OK) == 0)
                a.release = RELEASE_INSTALLED_PATH;
        r = attest_devices(attest, &a, &v, &uuids, e);
        return conclude(attest, path, set_ready, v, uuids, r, e);
}
