/* SPDX-License-Identifier: Apache-2.0 */
/* The child that asks NVML: what confidential computing is like here, then each GPU's certificates and report. */
#include "attest/collect.h"
#include "basic/armor.h"
#include "basic/fs.h"
#include "basic/nvml-api.h"
#include "basic/process.h"
#include "basic/strings.h"

#define TEXT_MAX 96
#define SYMBOL(c, ...) library_symbol(&(c)->child, (const char *const[]){ __VA_ARGS__, NULL })

void collect_say_bytes(CollectChild *c, const char *key, const void *data, size_t size) {
        _cleanup_free_ char *text = base64_encode(data, size);

        if (!text)
                _exit(1);
        library_say(&c->child, "%s %s\n", key, text);
}

static int stopped(CollectChild *c, const char *call, int code) {
        library_say(&c->child, "stopped %s: %s (%d)\nend\n", call, nvml_code_to_string(code), code);
        return 0;
}

static void failed(CollectChild *c, const char *call, int code) {
        library_say(&c->child, "failed %s: %s (%d)\n", call, nvml_code_to_string(code), code);
}

static int begin(CollectChild *c) {
        int (*init)(void) = SYMBOL(c, "nvmlInit", "nvmlInit_v2");

        return init ? init() : NVML_FUNCTION_NOT_FOUND;
}

static void ask_settings(CollectChild *c) {
        int (*get)(NvmlSettings *) = SYMBOL(c, "nvmlSystemGetConfComputeSettings");
        int (*get_state)(NvmlState *);
        NvmlSettings settings = { .version = NVML_STRUCT_VERSION(sizeof settings, 1) };
        NvmlState state = {};

        if (get && get(&settings) == NVML_SUCCESS) {
                library_say(&c->child, "environment %u\nfeature %u\n", settings.environment, settings.feature);
                library_say(&c->child, "devtools %u\nmulti-gpu %u\n", settings.devtools, settings.multi_gpu);
                return;
        }
        get_state = SYMBOL(c, "nvmlSystemGetConfComputeState");
        if (get_state && get_state(&state) == NVML_SUCCESS)
                library_say(&c->child, "environment %u\nfeature %u\ndevtools %u\n", state.environment, state.feature, state.devtools);
}

static void device_text(CollectChild *c, NvmlDevice device, const char *key, const char *call) {
        int (*get)(NvmlDevice, char *, unsigned) = SYMBOL(c, call);
        char text[TEXT_MAX + 1] = "";

        if (get && get(device, text, TEXT_MAX) == NVML_SUCCESS)
                library_say_text(&c->child, key, text);
}

static void ask_arch(CollectChild *c, NvmlDevice device) {
        int (*get)(NvmlDevice, unsigned *) = SYMBOL(c, "nvmlDeviceGetArchitecture");
        unsigned arch = 0;

        if (get && get(device, &arch) == NVML_SUCCESS && (arch == NVML_ARCH_HOPPER || arch == NVML_ARCH_BLACKWELL))
                library_say(&c->child, "arch %s\n", arch == NVML_ARCH_HOPPER ? "HOPPER" : "BLACKWELL");
}

static void ask_certificate(CollectChild *c, NvmlDevice device) {
        static const char call[] = "nvmlDeviceGetConfComputeGpuCertificate";
        int (*get)(NvmlDevice, NvmlCertificate *) = SYMBOL(c, call);
        static NvmlCertificate certificate;
        int code;

        memset(&certificate, 0, sizeof certificate);
        code = get ? get(device, &certificate) : NVML_FUNCTION_NOT_FOUND;
        if (code == NVML_SUCCESS && certificate.attestation_chain_size > 0 && certificate.attestation_chain_size <= sizeof certificate.attestation_chain)
                collect_say_bytes(c, "chain", certificate.attestation_chain,
                                  strnlen((const char *) certificate.attestation_chain, certificate.attestation_chain_size));
        else
                failed(c, call, code);
}

static void ask_report(CollectChild *c, NvmlDevice device) {
        static const char call[] = "nvmlDeviceGetConfComputeGpuAttestationReport";
        int (*get)(NvmlDevice, NvmlReport *) = SYMBOL(c, call);
        static NvmlReport report;
        int code;

        memset(&report, 0, sizeof report);
        memcpy(report.nonce, c->nonce, NONCE_SIZE);
        code = get ? get(device, &report) : NVML_FUNCTION_NOT_FOUND;
        if (code == NVML_SUCCESS && report.report_size > 0 && report.report_size <= sizeof report.report)
                collect_say_bytes(c, "report", report.report, report.report_size);
        else
                failed(c, call, code);
}

static int ask_gpus(CollectChild *c) {
        int (*get_count)(unsigned *), (*get_device)(unsigned, NvmlDevice *), (*get_driver)(char *, unsigned), (*shutdown)(void);
        char driver[TEXT_MAX + 1] = "";
        unsigned count = 0;
        int code;

        code = begin(c);
        if (code != NVML_SUCCESS)
                return stopped(c, "nvmlInit", code);
        get_driver = SYMBOL(c, "nvmlSystemGetDriverVersion");
        if (get_driver && get_driver(driver, TEXT_MAX) == NVML_SUCCESS)
                library_say_text(&c->child, "driver", driver);
        ask_settings(c);
        get_device = SYMBOL(c, "nvmlDeviceGetHandleByIndex", "nvmlDeviceGetHandleByIndex_v2");
        get_count = SYMBOL(c, "nvmlDeviceGetCount", "nvmlDeviceGetCount_v2");
        code = get_count && get_device ? get_count(&count) : NVML_FUNCTION_NOT_FOUND;
        if (code != NVML_SUCCESS)
                return stopped(c, "nvmlDeviceGetCount", code);
        library_say(&c->child, "count %u\n", count);
        for (unsigned i = 0; i < MIN(count, (unsigned) COLLECT_DEVICES_MAX); i++) {
                NvmlDevice device = NULL;

                library_say(&c->child, "device %u\nat nvmlDeviceGetHandleByIndex\n", i);
                code = get_device(i, &device);
                if (code != NVML_SUCCESS) {
                        failed(c, "nvmlDeviceGetHandleByIndex", code);
                        continue;
                }
                device_text(c, device, "uuid", "nvmlDeviceGetUUID");
                device_text(c, device, "vbios", "nvmlDeviceGetVbiosVersion");
                ask_arch(c, device);
                ask_certificate(c, device);
                ask_report(c, device);
        }
        shutdown = SYMBOL(c, "nvmlShutdown");
        if (shutdown)
                (void) shutdown();
        library_say(&c->child, "end\n");
        return 0;
}

static int set_ready(CollectChild *c) {
        static const char call[] = "nvmlSystemSetConfComputeGpusReadyState";
        int (*set)(unsigned), code;

        code = begin(c);
        if (code != NVML_SUCCESS)
                return stopped(c, "nvmlInit", code);
        set = SYMBOL(c, call);
        code = set ? set(1) : NVML_FUNCTION_NOT_FOUND;
        if (code != NVML_SUCCESS)
                return stopped(c, call, code);
        library_say(&c->child, "end\n");
        return 0;
}

int collect_answer(const char *what, const char *nonce_hex) {
        static const char *const nvml[] = { "libnvidia-ml.so.1", NULL };
        CollectChild c = { .child.fd = process_quiet_child() };
        uint8_t *nonce = NULL;
        size_t n;
        int r = 0;

        if (c.child.fd < 0 || hex_decode(nonce_hex, strlen(nonce_hex), false, &nonce, &n) < 0 || n != NONCE_SIZE)
                return 1;
        c.nonce = nonce;
        library_say(&c.child, "gn8v-collect 1\nat dlopen\n");
        if (streq(what, "switch"))
                r = collect_switches(&c);
        else if (library_load(&c.child, nvml))
                r = streq(what, "ready") ? set_ready(&c) : ask_gpus(&c);
        free(nonce);
        return r;
}
