/* SPDX-License-Identifier: Apache-2.0 */
/* The child's side: asks the library, writes lines. */
#include "basic/nvml-api.h"
#include "basic/process.h"
#include "node/nvml.h"

#define TEXT_MAX 96 /* the largest that any of these calls wants, with the NUL */

#define SYMBOL(c, ...) library_symbol(c, (const char *const[]){ __VA_ARGS__, NULL })

/* What this GPU or this driver does not have is no failure: its values stay untold. */
static bool succeeded(LibraryChild *q, const char *call, int code) {
        if (code != NVML_SUCCESS && code != NVML_NOT_SUPPORTED && code != NVML_FUNCTION_NOT_FOUND && code != NVML_ARGUMENT_MISMATCH)
                library_say(q, "failed %s %d\n", call, code);
        return code == NVML_SUCCESS;
}

static void system_text(LibraryChild *q, const char *key, const char *call) {
        int (*get)(char *, unsigned) = SYMBOL(q, call);
        char text[TEXT_MAX + 1] = "";

        if (get && succeeded(q, call, get(text, TEXT_MAX)))
                library_say_text(q, key, text);
}

static void device_text(LibraryChild *q, NvmlDevice device, const char *key, const char *call) {
        int (*get)(NvmlDevice, char *, unsigned) = SYMBOL(q, call);
        char text[TEXT_MAX + 1] = "";

        if (get && succeeded(q, call, get(device, text, TEXT_MAX)))
                library_say_text(q, key, text);
}

/* The newer call tells all that the older one tells, and the multi-GPU mode. */
static void ask_settings(LibraryChild *q) {
        static const char call[] = "nvmlSystemGetConfComputeSettings", older[] = "nvmlSystemGetConfComputeState";
        int (*get)(NvmlSettings *) = SYMBOL(q, call);
        int (*get_state)(NvmlState *);
        NvmlSettings settings = { .version = NVML_STRUCT_VERSION(sizeof settings, 1) };
        NvmlState state = {};
        int code = NVML_FUNCTION_NOT_FOUND;

        if (get && succeeded(q, call, code = get(&settings))) {
                library_say(q, "environment %u\nfeature %u\n", settings.environment, settings.feature);
                library_say(q, "devtools %u\nmulti-gpu %u\n", settings.devtools, settings.multi_gpu);
                return;
        }
        get_state = SYMBOL(q, older);
        if (get_state && succeeded(q, older, code = get_state(&state)))
                library_say(q, "environment %u\nfeature %u\ndevtools %u\n", state.environment, state.feature, state.devtools);
        else if (code == NVML_NOT_SUPPORTED)
                library_say(q, "unsupported 1\n");
}

static void ask_system(LibraryChild *q) {
        int (*get_cuda)(int *), (*get_capabilities)(NvmlCapabilities *), (*get_ready)(unsigned *);
        NvmlCapabilities capabilities = {};
        unsigned ready = 0;
        int cuda = 0;

        system_text(q, "driver", "nvmlSystemGetDriverVersion");
        system_text(q, "library", "nvmlSystemGetNVMLVersion");
        get_cuda = SYMBOL(q, "nvmlSystemGetCudaDriverVersion", "nvmlSystemGetCudaDriverVersion_v2");
        if (get_cuda && succeeded(q, "nvmlSystemGetCudaDriverVersion", get_cuda(&cuda)))
                library_say(q, "cuda %d\n", MAX(cuda, 0));
        get_capabilities = SYMBOL(q, "nvmlSystemGetConfComputeCapabilities");
        if (get_capabilities && succeeded(q, "nvmlSystemGetConfComputeCapabilities", get_capabilities(&capabilities)))
                library_say(q, "cpu %u\ncapable %u\n", capabilities.cpu, capabilities.gpus);
        ask_settings(q);
        get_ready = SYMBOL(q, "nvmlSystemGetConfComputeGpusReadyState");
        if (get_ready && succeeded(q, "nvmlSystemGetConfComputeGpusReadyState", get_ready(&ready)))
                library_say(q, "ready %u\n", ready);
}

static void ask_fabric(LibraryChild *q, NvmlDevice device) {
        static const char call[] = "nvmlDeviceGetGpuFabricInfoV";
        int (*get)(NvmlDevice, NvmlFabric *) = SYMBOL(q, call);
        NvmlFabric fabric = { .version = NVML_STRUCT_VERSION(sizeof fabric, 3) };
        int code;

        if (!get)
                return;
        code = get(device, &fabric);
        if (code != NVML_SUCCESS) {
                /* The driver's own generation of the structure: without its last member. */
                fabric = (NvmlFabric){ .version = NVML_STRUCT_VERSION(offsetof(NvmlFabric, summary), 2) };
                code = get(device, &fabric);
        }
        if (succeeded(q, call, code))
                library_say(q, "fabric %u\nfabric-status %u\n", fabric.state, (unsigned) fabric.status);
}

static void ask_device(LibraryChild *q, NvmlDevice device) {
        int (*get_pci)(NvmlDevice, NvmlPciInfo *), (*get_memory)(NvmlDevice, NvmlMemory *), (*get_persistence)(NvmlDevice, unsigned *);
        int (*get_sizes)(NvmlDevice, NvmlMemorySizes *);
        NvmlMemorySizes sizes = {};
        NvmlMemory memory = {};
        NvmlPciInfo pci = {};
        unsigned persistence = 0;

        device_text(q, device, "name", "nvmlDeviceGetName");
        device_text(q, device, "uuid", "nvmlDeviceGetUUID");
        device_text(q, device, "vbios", "nvmlDeviceGetVbiosVersion");
        get_pci = SYMBOL(q, "nvmlDeviceGetPciInfo", "nvmlDeviceGetPciInfo_v2", "nvmlDeviceGetPciInfo_v3");
        if (get_pci && succeeded(q, "nvmlDeviceGetPciInfo", get_pci(device, &pci)))
                library_say(q, "bus %08X:%02X:%02X.0\n", pci.domain, pci.bus, pci.device);
        get_memory = SYMBOL(q, "nvmlDeviceGetMemoryInfo");
        if (get_memory && succeeded(q, "nvmlDeviceGetMemoryInfo", get_memory(device, &memory)))
                library_say(q, "memory %llu\n", memory.total);
        get_persistence = SYMBOL(q, "nvmlDeviceGetPersistenceMode");
        if (get_persistence && succeeded(q, "nvmlDeviceGetPersistenceMode", get_persistence(device, &persistence)))
                library_say(q, "persistence %u\n", persistence);
        get_sizes = SYMBOL(q, "nvmlDeviceGetConfComputeMemSizeInfo");
        if (get_sizes && succeeded(q, "nvmlDeviceGetConfComputeMemSizeInfo", get_sizes(device, &sizes)))
                library_say(q, "protected %llu\n", sizes.protected_kib);
        ask_fabric(q, device);
}

static int stopped(LibraryChild *q, const char *call, int code) {
        library_say(q, "stopped %s %d\nend\n", call, code);
        return 0;
}

static int ask(LibraryChild *q) {
        int (*init)(unsigned) = SYMBOL(q, "nvmlInitWithFlags"), (*old_init)(void);
        int (*get_count)(unsigned *), (*get_device)(unsigned, NvmlDevice *), (*shutdown)(void);
        unsigned count = 0;
        int code = NVML_FUNCTION_NOT_FOUND;

        if (init)
                code = init(NVML_INIT_NO_GPUS);
        else if ((old_init = SYMBOL(q, "nvmlInit", "nvmlInit_v2")))
                code = old_init();
        if (code != NVML_SUCCESS)
                return stopped(q, "nvmlInit", code);
        ask_system(q);
        get_count = SYMBOL(q, "nvmlDeviceGetCount", "nvmlDeviceGetCount_v2");
        get_device = SYMBOL(q, "nvmlDeviceGetHandleByIndex", "nvmlDeviceGetHandleByIndex_v2");
        code = get_count && get_device ? get_count(&count) : NVML_FUNCTION_NOT_FOUND;
        if (code != NVML_SUCCESS)
                return stopped(q, "nvmlDeviceGetCount", code);
        library_say(q, "count %u\n", count);
        for (unsigned i = 0; i < MIN(count, (unsigned) NVML_GPUS_MAX); i++) {
                NvmlDevice device = NULL;

                library_say(q, "gpu %u\nat nvmlDeviceGetHandleByIndex\n", i);
                if (succeeded(q, "nvmlDeviceGetHandleByIndex", get_device(i, &device)))
                        ask_device(q, device);
        }
        shutdown = SYMBOL(q, "nvmlShutdown");
        if (shutdown)
                (void) shutdown();
        library_say(q, "end\n");
        return 0;
}

int nvml_answer(void) {
        static const char *const names[] = { "libnvidia-ml.so.1", NULL };
        LibraryChild q = { .fd = process_quiet_child() };

        if (q.fd < 0)
                return 1;
        library_say(&q, "gn8v-nvml 1\nat dlopen\n");
        return library_load(&q, names) ? ask(&q) : 0;
}
