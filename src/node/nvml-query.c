/* SPDX-License-Identifier: Apache-2.0 */
/* The child's side: loads the library, asks, writes lines. Each line is out before the next call is begun, so that nothing told is lost. */
#include <dlfcn.h>

#include "basic/fs.h"
#include "basic/nvml-api.h"
#include "basic/process.h"
#include "node/nvml.h"

#define TEXT_MAX 96 /* the largest that any of these calls wants, with the NUL */

typedef struct Query {
        void *library;
        int fd;
} Query;

static void say(Query *q, const char *fmt, ...) _printf_(2, 3);
static void say(Query *q, const char *fmt, ...) {
        _cleanup_free_ char *line = NULL;
        va_list ap;

        va_start(ap, fmt);
        line = format_va(fmt, ap);
        va_end(ap);
        if (!line || write_all(q->fd, line, strlen(line)) < 0)
                _exit(1);
}

/* Bytes that are no text become '?': the other side takes nothing else. */
static void say_text(Query *q, const char *key, const char *text) {
        _cleanup_free_ char *clean = strndup(text, 400);

        for (char *p = clean; p && *p; p++)
                if ((unsigned char) *p < ' ' || (unsigned char) *p > '~')
                        *p = '?';
        say(q, "%s %s\n", key, clean ? clean : "");
}

/* The first of these symbols that the library has; NULL: it has none. Says where we are. */
static void *symbol(Query *q, const char *name, const char *newer, const char *newest) {
        void *p = newest ? dlsym(q->library, newest) : NULL;

        if (!p && newer)
                p = dlsym(q->library, newer);
        if (!p)
                p = dlsym(q->library, name);
        if (p)
                say(q, "at %s\n", name);
        return p;
}

/* What this GPU or this driver does not have is no failure: its values stay untold. */
static bool succeeded(Query *q, const char *call, int code) {
        if (code != NVML_SUCCESS && code != NVML_NOT_SUPPORTED && code != NVML_FUNCTION_NOT_FOUND && code != NVML_ARGUMENT_MISMATCH)
                say(q, "failed %s %d\n", call, code);
        return code == NVML_SUCCESS;
}

static void system_text(Query *q, const char *key, const char *call) {
        int (*get)(char *, unsigned) = symbol(q, call, NULL, NULL);
        char text[TEXT_MAX + 1] = "";

        if (get && succeeded(q, call, get(text, TEXT_MAX)))
                say_text(q, key, text);
}

static void device_text(Query *q, NvmlDevice device, const char *key, const char *call) {
        int (*get)(NvmlDevice, char *, unsigned) = symbol(q, call, NULL, NULL);
        char text[TEXT_MAX + 1] = "";

        if (get && succeeded(q, call, get(device, text, TEXT_MAX)))
                say_text(q, key, text);
}

/* The newer call tells all that the older one tells, and the multi-GPU mode. */
static void ask_settings(Query *q) {
        static const char call[] = "nvmlSystemGetConfComputeSettings", older[] = "nvmlSystemGetConfComputeState";
        int (*get)(NvmlSettings *) = symbol(q, call, NULL, NULL);
        int (*get_state)(NvmlState *);
        NvmlSettings settings = { .version = NVML_STRUCT_VERSION(sizeof settings, 1) };
        NvmlState state = {};
        int code = NVML_FUNCTION_NOT_FOUND;

        if (get && succeeded(q, call, code = get(&settings))) {
                say(q, "environment %u\nfeature %u\n", settings.environment, settings.feature);
                say(q, "devtools %u\nmulti-gpu %u\n", settings.devtools, settings.multi_gpu);
                return;
        }
        get_state = symbol(q, older, NULL, NULL);
        if (get_state && succeeded(q, older, code = get_state(&state)))
                say(q, "environment %u\nfeature %u\ndevtools %u\n", state.environment, state.feature, state.devtools);
        else if (code == NVML_NOT_SUPPORTED)
                say(q, "unsupported 1\n");
}

static void ask_system(Query *q) {
        int (*get_cuda)(int *), (*get_capabilities)(NvmlCapabilities *), (*get_ready)(unsigned *);
        NvmlCapabilities capabilities = {};
        unsigned ready = 0;
        int cuda = 0;

        system_text(q, "driver", "nvmlSystemGetDriverVersion");
        system_text(q, "library", "nvmlSystemGetNVMLVersion");
        get_cuda = symbol(q, "nvmlSystemGetCudaDriverVersion", "nvmlSystemGetCudaDriverVersion_v2", NULL);
        if (get_cuda && succeeded(q, "nvmlSystemGetCudaDriverVersion", get_cuda(&cuda)))
                say(q, "cuda %d\n", MAX(cuda, 0));
        get_capabilities = symbol(q, "nvmlSystemGetConfComputeCapabilities", NULL, NULL);
        if (get_capabilities && succeeded(q, "nvmlSystemGetConfComputeCapabilities", get_capabilities(&capabilities)))
                say(q, "cpu %u\ncapable %u\n", capabilities.cpu, capabilities.gpus);
        ask_settings(q);
        get_ready = symbol(q, "nvmlSystemGetConfComputeGpusReadyState", NULL, NULL);
        if (get_ready && succeeded(q, "nvmlSystemGetConfComputeGpusReadyState", get_ready(&ready)))
                say(q, "ready %u\n", ready);
}

static void ask_fabric(Query *q, NvmlDevice device) {
        static const char call[] = "nvmlDeviceGetGpuFabricInfoV";
        int (*get)(NvmlDevice, NvmlFabric *) = symbol(q, call, NULL, NULL);
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
                say(q, "fabric %u\nfabric-status %u\n", fabric.state, (unsigned) fabric.status);
}

static void ask_device(Query *q, NvmlDevice device) {
        int (*get_pci)(NvmlDevice, NvmlPciInfo *), (*get_memory)(NvmlDevice, NvmlMemory *), (*get_persistence)(NvmlDevice, unsigned *);
        int (*get_sizes)(NvmlDevice, NvmlMemorySizes *);
        NvmlMemorySizes sizes = {};
        NvmlMemory memory = {};
        NvmlPciInfo pci = {};
        unsigned persistence = 0;

        device_text(q, device, "name", "nvmlDeviceGetName");
        device_text(q, device, "uuid", "nvmlDeviceGetUUID");
        device_text(q, device, "vbios", "nvmlDeviceGetVbiosVersion");
        get_pci = symbol(q, "nvmlDeviceGetPciInfo", "nvmlDeviceGetPciInfo_v2", "nvmlDeviceGetPciInfo_v3");
        if (get_pci && succeeded(q, "nvmlDeviceGetPciInfo", get_pci(device, &pci)))
                say(q, "bus %08X:%02X:%02X.0\n", pci.domain, pci.bus, pci.device);
        get_memory = symbol(q, "nvmlDeviceGetMemoryInfo", NULL, NULL);
        if (get_memory && succeeded(q, "nvmlDeviceGetMemoryInfo", get_memory(device, &memory)))
                say(q, "memory %llu\n", memory.total);
        get_persistence = symbol(q, "nvmlDeviceGetPersistenceMode", NULL, NULL);
        if (get_persistence && succeeded(q, "nvmlDeviceGetPersistenceMode", get_persistence(device, &persistence)))
                say(q, "persistence %u\n", persistence);
        get_sizes = symbol(q, "nvmlDeviceGetConfComputeMemSizeInfo", NULL, NULL);
        if (get_sizes && succeeded(q, "nvmlDeviceGetConfComputeMemSizeInfo", get_sizes(device, &sizes)))
                say(q, "protected %llu\n", sizes.protected_kib);
        ask_fabric(q, device);
}

static int stopped(Query *q, const char *call, int code) {
        say(q, "stopped %s %d\nend\n", call, code);
        return 0;
}

static int ask(Query *q) {
        int (*init)(unsigned) = symbol(q, "nvmlInitWithFlags", NULL, NULL), (*old_init)(void);
        int (*get_count)(unsigned *), (*get_device)(unsigned, NvmlDevice *), (*shutdown)(void);
        unsigned count = 0;
        int code = NVML_FUNCTION_NOT_FOUND;

        if (init)
                code = init(NVML_INIT_NO_GPUS);
        else if ((old_init = symbol(q, "nvmlInit", "nvmlInit_v2", NULL)))
                code = old_init();
        if (code != NVML_SUCCESS)
                return stopped(q, "nvmlInit", code);
        ask_system(q);
        get_count = symbol(q, "nvmlDeviceGetCount", "nvmlDeviceGetCount_v2", NULL);
        get_device = symbol(q, "nvmlDeviceGetHandleByIndex", "nvmlDeviceGetHandleByIndex_v2", NULL);
        code = get_count && get_device ? get_count(&count) : NVML_FUNCTION_NOT_FOUND;
        if (code != NVML_SUCCESS)
                return stopped(q, "nvmlDeviceGetCount", code);
        say(q, "count %u\n", count);
        for (unsigned i = 0; i < MIN(count, (unsigned) NVML_GPUS_MAX); i++) {
                NvmlDevice device = NULL;

                say(q, "gpu %u\nat nvmlDeviceGetHandleByIndex\n", i);
                if (succeeded(q, "nvmlDeviceGetHandleByIndex", get_device(i, &device)))
                        ask_device(q, device);
        }
        shutdown = symbol(q, "nvmlShutdown", NULL, NULL);
        if (shutdown)
                (void) shutdown();
        say(q, "end\n");
        return 0;
}

int nvml_answer(void) {
        Query q = { .fd = process_quiet_child() };

        if (q.fd < 0)
                return 1;
        say(&q, "gn8v-nvml 1\nat dlopen\n");
        q.library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
        if (!q.library) {
                const char *why = dlerror();

                say_text(&q, "missing", why ? why : "libnvidia-ml.so.1");
                say(&q, "end\n");
                return 0;
        }
        return ask(&q);
}
