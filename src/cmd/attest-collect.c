/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <openssl/rand.h>

#include "basic/fs.h"
#include "basic/log.h"
#include "basic/nvml-api.h"
#include "cmd/attest-devices.h"

static void help(void) {
        printf("gn8v-tee-attest collect [OPTION...]\n\n"
               "Take evidence from the GPUs and NVSwitches of this machine, to be verified here\n"
               "or elsewhere, with this program or NVIDIA's.\n\n"
               "      --nonce=HEX      64 hexadecimal digits, from who will verify it; default:\n"
               "                       32 random bytes\n"
               "      --device=KIND    gpu, switch, or all (default): GPUs, and switches where\n"
               "                       the GPUs are in Protected PCIe mode\n"
               "      --output=FILE    instead of standard output; a directory gets\n"
               "                       gpu_evidence.json and switch_evidence.json\n"
               "      --json           with --output: say as JSON what was written\n"
               "  -h, --help           this text\n\n"
               "Exit codes: 0 done; 1 failed; 8 no space; 11 there is no evidence to take, such\n"
               "as where confidential computing is off.\n");
}

int devices_collect(const uint8_t nonce[static NONCE_SIZE], DeviceChoice choice, CollectedSystem *ret, Error *e) {
        _cleanup_(collected_system_free) CollectedSystem s = { COLLECTED_EMPTY, COLLECTED_EMPTY, false, false };
        int r;

        if (choice != DEVICES_SWITCHES) {
                s.has_gpus = true;
                r = collect_ask(DEVICE_GPU, nonce, &s.gpus, e);
                if (r < 0 || (r = collect_explain(DEVICE_GPU, &s.gpus, e)) < 0)
                        return r;
        }
        if (choice == DEVICES_SWITCHES || (choice == DEVICES_ALL && s.gpus.multi_gpu == NVML_MULTI_GPU_PROTECTED)) {
                s.has_switches = true;
                r = collect_ask(DEVICE_SWITCH, nonce, &s.switches, e);
                if (r < 0 || (r = collect_explain(DEVICE_SWITCH, &s.switches, e)) < 0)
                        return r;
        }
        *ret = s;
        s = (CollectedSystem) { COLLECTED_EMPTY, COLLECTED_EMPTY, false, false };
        return 0;
}

void collected_system_free(CollectedSystem *s) {
        collected_free(&s->gpus);
        collected_free(&s->switches);
}

int devices_nonce(uint8_t ret[static NONCE_SIZE], Error *e) {
        return RAND_bytes(ret, NONCE_SIZE) == 1 ? 0 : error_set(e, EIO, EXIT_FAILED, "there are no random bytes for a nonce");
}

static int write_text(const char *path, char *text, Error *e) {
        _cleanup_free_ char *owned = text;

        if (!text)
                return error_oom(e);
        if (!path)
                output_told();
        if (!path)
                return puts(text) == EOF || fflush(stdout) != 0 ? error_errno(e, errno, "standard output") : 0;
        return write_output(path, text, e);
}

/* files gets the names of those that were written: none, where it is standard output. */
static int write_evidence(const CollectedSystem *s, const uint8_t nonce[static NONCE_SIZE], const char *output, char ***files, Error *e) {
        const Collected *gpus = s->has_gpus ? &s->gpus : NULL, *switches = s->has_switches ? &s->switches : NULL;
        int r = 0;

        if (!output || !is_folder(AT_FDCWD, output)) {
                r = write_text(output, collect_to_json(gpus, switches, nonce), e);
                return r == 0 && output && strv_append(files, output) < 0 ? error_oom(e) : r;
        }
        for (int kind = DEVICE_GPU; r == 0 && kind <= DEVICE_SWITCH; kind++) {
                _cleanup_free_ char *path = path_join(output, kind == DEVICE_GPU ? "gpu_evidence.json" : "switch_evidence.json");

                if (!path)
                        return error_oom(e);
                if (!(kind == DEVICE_GPU ? gpus : switches))
                        continue;
                r = write_text(path, collect_to_json(kind == DEVICE_GPU ? gpus : NULL, kind == DEVICE_GPU ? NULL : switches, nonce), e);
                if (r == 0 && strv_append(files, path) < 0)
                        r = error_oom(e);
        }
        return r;
}

static int tell(const Attest *attest, const CollectedSystem *s, const uint8_t nonce[static NONCE_SIZE], char *const *files, Error *e) {
        _cleanup_free_ char *hex = hex_encode(nonce, NONCE_SIZE);
        json_t *list;

        if (!attest->json || !files) {
                if (!attest->quiet)
                        log_info("evidence of %zu GPUs and %zu NVSwitches", s->gpus.n, s->switches.n);
                return 0;
        }
        list = json_array();
        STRV_FOREACH(f, files)
                (void) json_array_append_new(list, json_text(*f));
        return print_json(json_pack("{s:I, s:I, s:s, s:o}", "gpus", (json_int_t) s->gpus.n, "switches", (json_int_t) s->switches.n, "nonce", or_empty(hex), "files",
                                    list), e);
}

int verb_attest_collect(Attest *attest, int argc, char *argv[], Error *e) {
        enum { ARG_NONCE = 256, ARG_DEVICE, ARG_OUTPUT };
        static const Option options[] = {
                { "nonce", ARG_NONCE, "HEX" },
                { "device", ARG_DEVICE, "KIND" },
                { "output", ARG_OUTPUT, "FILE" },
                {}
        };
        static const char *const choices[] = { [DEVICES_ALL] = "all", [DEVICES_GPUS] = "gpu", [DEVICES_SWITCHES] = "switch" };
        _cleanup_(collected_system_free) CollectedSystem s = { COLLECTED_EMPTY, COLLECTED_EMPTY, false, false };
        _cleanup_free_ uint8_t *given = NULL;
        _cleanup_strv_ char **files = NULL;
        uint8_t nonce[NONCE_SIZE];
        DeviceChoice choice = DEVICES_ALL;
        const char *output = NULL;
        size_t n;
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case 'h': help(); return EXIT_OK;
                case ARG_OUTPUT: output = streq(optarg, "-") ? NULL : optarg; break;
                case ARG_NONCE:
                        free(given);
                        given = NULL;
                        if (hex_decode(optarg, strlen(optarg), false, &given, &n) < 0 || n != NONCE_SIZE)
                                return option_refuse("not 64 hexadecimal digits");
                        break;
                case ARG_DEVICE:
                        for (choice = DEVICES_ALL; choice < _DEVICES_MAX && !streq(choices[choice], optarg);)
                                choice++;
                        if (choice == _DEVICES_MAX)
                                return option_refuse("neither gpu, switch nor all");
                        break;
                default: return option_status();
                }
        if (optind < argc)
                return verb_too_many("collect", argv[optind]);
        r = given ? 0 : devices_nonce(nonce, e);
        if (r < 0)
                return r;
        if (given)
                memcpy(nonce, given, NONCE_SIZE);
        r = devices_collect(nonce, choice, &s, e);
        if (r < 0 || (r = write_evidence(&s, nonce, output, &files, e)) < 0)
                return r;
        return tell(attest, &s, nonce, files, e);
}
