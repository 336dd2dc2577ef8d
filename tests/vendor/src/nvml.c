/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for libnvidia-ml.so.1, as far as `gn8v-tee status` asks it. What it answers, and how it fails, is in a file of KEY=VALUE lines:
 * $LOOK_ALIKE_NVML, or libnvidia-ml.conf beside the library, or /etc/nvidia-look-alike.conf; without one: one GPU of a machine that is ready.
 *
 *   driver=1.2.3 nvml=1.2.3 cuda=12080 gpus=1 name=TEXT vbios=TEXT memory=MIB persistence=0|1 (per GPU: memory.0=, persistence.7= ...)
 *   cpu=0..4 capable=0|1 environment=0..2 feature=0|1 devtools=0|1 multi=0..2 ready=0|1 fabric=STATE fabric-status=CODE health=N
 *   CALL=CODE       this call (nvmlInit, nvmlDeviceGetName, ... without _v2) returns that code; CALL.N=CODE only for GPU N
 *   hang=CALL       never returns      crash=CALL    SIGSEGV       exit=CALL     ends the process with status 0
 *   evidence=DIR    DIR/gpu-N.report, DIR/gpu-N.chain; without one, or with feature=0 and multi=0: 999, as with confidential computing off
 *   arch=N (9: Hopper)   ready-file=PATH   gets a line for each nvmlSystemSetConfComputeGpusReadyState
 *   slow=CALL       takes 300 ms       garbage=CALL  text without an end, and bytes that are no text
 *   print=CALL      writes on standard output                      log=PATH      a line for every nvmlInit: who asked, and when
 *
 * The words of /run/nvidia-look-alike ("cc 1": mode cc, ppcie or none, and the ready state), which nvidia-smi -srs changes, come first.
 * GN8V_NVML_OLD: built without the calls that came with confidential computing. GN8V_VERSION, in the look-alike driver: this is the library of that
 * driver, and where /etc/nvidia-look-alike.conf is the file, the GPUs are those of gpu.h: loaded and attached by nvmlInit, or not. */
#include <dlfcn.h>
#include <signal.h>
#include <stddef.h>

#include "gpu.h"

#define STATE GPU_STATE
#define ETC   GPU_CONFIG
#define EXPORT __attribute__((visibility("default")))

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7, VERSION_MISMATCH = 25 };

typedef struct Gpu {
        unsigned number;
} *Device;

static struct Gpu gpus[64];
static char config[65536];
static bool loaded, simulated;
static unsigned users;

const char gn8v_lookalike[] = "libnvidia-ml.so.1";

static bool read_config(const char *path) {
        FILE *f = path ? fopen(path, "re") : NULL;
        size_t n;

        if (!f)
                return false;
        n = fread(config + 1, 1, sizeof config - 2, f);
        config[0] = '\n';
        config[n + 1] = '\0';
        fclose(f);
        return true;
}

static void load(void) {
        char beside[4096];
        Dl_info info;

        if (loaded)
                return;
        loaded = true;
        for (size_t i = 0; i < sizeof gpus / sizeof *gpus; i++)
                gpus[i].number = (unsigned) i;
        if (read_config(getenv("LOOK_ALIKE_NVML")))
                return;
        if (dladdr(gn8v_lookalike, &info) && info.dli_fname && strrchr(info.dli_fname, '/')) {
                snprintf(beside, sizeof beside, "%.*s/libnvidia-ml.conf", (int) (strrchr(info.dli_fname, '/') - info.dli_fname), info.dli_fname);
                if (read_config(beside))
                        return;
        }
        simulated = read_config(ETC);
#ifndef GN8V_VERSION
        simulated = false;
#endif
}

#ifdef GN8V_VERSION
/* As the real one does when it begins: every GPU is opened. */
static int open_gpus(unsigned flags) {
        static char version[64];
        static bool attached;

        gpu_program = "libnvidia-ml";
        if (gpu_load(version) < 0)
                return 9; /* driver not loaded */
        if (strcmp(version, GN8V_VERSION) != 0)
                return 18; /* driver/library version mismatch */
        if (!attached && gpu_attach_all() == 0 && !(flags & 1))
                return 6; /* not found */
        attached = true;
        return SUCCESS;
}
#else
#define GN8V_VERSION "1.2.3"
static int open_gpus(unsigned flags) {
        (void) flags;
        return SUCCESS;
}
#endif

/* The value of a key, in a buffer of the caller; or NULL. */
static const char *text(const char *key, char *buffer, size_t size) {
        char line[256];
        const char *p;

        snprintf(line, sizeof line, "\n%s=", key);
        p = strstr(config, line);
        if (!p)
                return NULL;
        p += strlen(line);
        snprintf(buffer, size, "%.*s", (int) strcspn(p, "\n"), p);
        return buffer;
}

static long number(const char *key, long otherwise) {
        char buffer[64];
        const char *s = text(key, buffer, sizeof buffer);

        return s ? strtol(s, NULL, 0) : otherwise;
}

static long number_of(const char *key, Device d, long otherwise) {
        char own[128];

        snprintf(own, sizeof own, "%s.%u", key, d->number);
        return number(own, number(key, otherwise));
}

/* Whether the line WHAT=CALL is there. */
static bool told(const char *what, const char *call) {
        char line[256];
        const char *p;

        snprintf(line, sizeof line, "\n%s=%s", what, call);
        p = strstr(config, line);
        return p && strchr("\n", p[strlen(line)]);
}

/* What the file says about this call happens; its return value, 0 when it says nothing. */
static int begin(const char *call, Device d) {
        load();
        if (told("crash", call))
                raise(11);
        if (told("exit", call))
                exit(0);
        while (told("hang", call))
                pause();
        if (told("slow", call))
                nanosleep(&(struct timespec){ .tv_nsec = 300 * 1000 * 1000 }, NULL);
        if (told("print", call)) {
                printf("gpu 99\nend\nlook-alike says something\n");
                fflush(stdout);
        }
        return (int) (d ? number_of(call, d, SUCCESS) : number(call, SUCCESS));
}

static int put(const char *call, const char *s, char *buffer, unsigned size) {
        if (told("garbage", call)) {
                memset(buffer, 0xfe, size);
                return SUCCESS;
        }
        if (strlen(s) >= size)
                return INSUFFICIENT_SIZE;
        memcpy(buffer, s, strlen(s) + 1);
        return SUCCESS;
}

static int put_text(const char *call, Device d, const char *key, const char *otherwise, char *buffer, unsigned size) {
        char value[512];
        int r = begin(call, d);
        const char *s = text(key, value, sizeof value);

        return r != SUCCESS ? r : put(call, s ? s : otherwise, buffer, size);
}

static int put_number(const char *call, long value, unsigned *ret) {
        int r = begin(call, NULL);

        if (r == SUCCESS)
                *ret = (unsigned) value;
        return r;
}

/* What nvidia-smi conf-compute -srs has left there, if it has. */
static bool state(char mode[64], int *ret_ready) {
        FILE *f = fopen(STATE, "re");
        bool found;

        if (!f)
                return false;
        *ret_ready = 0;
        found = fscanf(f, "%63s %d", mode, ret_ready) >= 1;
        fclose(f);
        return found;
}

static void confidential(unsigned *feature, unsigned *multi, unsigned *ready) {
        char mode[64];
        int r;

        *feature = (unsigned) number("feature", 1);
        *multi = (unsigned) number("multi", 0);
        *ready = (unsigned) number("ready", 1);
        if (!state(mode, &r))
                return;
        *feature = strcmp(mode, "cc") == 0;
        *multi = strcmp(mode, "ppcie") == 0;
        *ready = r != 0;
}

EXPORT int nvmlInitWithFlags(unsigned flags) {
        char path[512];
        FILE *f;
        int r;

        load();
        f = text("log", path, sizeof path) ? fopen(path, "ae") : NULL;
        if (f) {
                fprintf(f, "nvmlInit by %d, parent %d, flags %u\n", (int) getpid(), (int) getppid(), flags);
                fclose(f);
        }
        r = begin("nvmlInit", NULL);
        if (r == SUCCESS && simulated)
                r = open_gpus(flags);
        if (r == SUCCESS)
                users++;
        return r;
}

EXPORT int nvmlInit_v2(void) {
        return nvmlInitWithFlags(0);
}

EXPORT int nvmlShutdown(void) {
        int r = begin("nvmlShutdown", NULL);

        if (r == SUCCESS && users > 0)
                users--;
        return r;
}

EXPORT const char *nvmlErrorString(int code) {
        (void) begin("nvmlErrorString", NULL);
        switch (code) {
        case 0: return "Success";
        case 3: return "Not Supported";
        case 9: return "Driver Not Loaded";
        case 18: return "Driver/library version mismatch";
        default: return "Unknown Error";
        }
}

EXPORT int nvmlSystemGetDriverVersion(char *version, unsigned size) {
        return put_text("nvmlSystemGetDriverVersion", NULL, "driver", GN8V_VERSION, version, size);
}

EXPORT int nvmlSystemGetNVMLVersion(char *version, unsigned size) {
        return put_text("nvmlSystemGetNVMLVersion", NULL, "nvml", "12." GN8V_VERSION, version, size);
}

EXPORT int nvmlSystemGetCudaDriverVersion_v2(int *version) {
        unsigned u;
        int r = put_number("nvmlSystemGetCudaDriverVersion", number("cuda", 12080), &u);

        if (r == SUCCESS)
                *version = (int) u;
        return r;
}

EXPORT int nvmlDeviceGetCount_v2(unsigned *count) {
        if (users == 0)
                return UNINITIALIZED;
        return put_number("nvmlDeviceGetCount", number("gpus", 1), count);
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device *device) {
        int r;

        if (index >= sizeof gpus / sizeof *gpus || index >= number("gpus", 1))
                return INVALID_ARGUMENT;
        r = begin("nvmlDeviceGetHandleByIndex", &gpus[index]);
        if (r == SUCCESS)
                *device = &gpus[index];
        return r;
}

EXPORT int nvmlDeviceGetName(Device d, char *name, unsigned size) {
        return put_text("nvmlDeviceGetName", d, "name", "NVIDIA Look-alike", name, size);
}

EXPORT int nvmlDeviceGetUUID(Device d, char *uuid, unsigned size) {
        int r = begin("nvmlDeviceGetUUID", d);
        char s[64];

        snprintf(s, sizeof s, "GPU-00000000-0000-0000-0000-%012x", d->number + 1);
        return r != SUCCESS ? r : put("nvmlDeviceGetUUID", s, uuid, size);
}

EXPORT int nvmlDeviceGetVbiosVersion(Device d, char *version, unsigned size) {
        return put_text("nvmlDeviceGetVbiosVersion", d, "vbios", "1.2.3.4.5", version, size);
}

typedef struct PciInfo {
        char legacy[16];
        unsigned domain, bus, device, ids, subsystem;
        char id[32];
} PciInfo;

EXPORT int nvmlDeviceGetPciInfo_v3(Device d, PciInfo *pci) {
        int r = begin("nvmlDeviceGetPciInfo", d);

        if (r != SUCCESS)
                return r;
        *pci = (PciInfo){ .bus = 0x10 + d->number, .ids = 0x232910de };
        snprintf(pci->legacy, sizeof pci->legacy, "0000:%02x:00.0", pci->bus);
        snprintf(pci->id, sizeof pci->id, "00000000:%02X:00.0", pci->bus);
        if (told("garbage", "nvmlDeviceGetPciInfo"))
                memset(pci, 0xfe, sizeof *pci);
        return SUCCESS;
}

typedef struct Memory {
        unsigned long long total, free, used;
} Memory;

EXPORT int nvmlDeviceGetMemoryInfo(Device d, Memory *memory) {
        int r = begin("nvmlDeviceGetMemoryInfo", d);

        if (r == SUCCESS) {
                memory->total = (unsigned long long) number_of("memory", d, 97871) << 20;
                memory->used = 0;
                memory->free = memory->total;
        }
        return r;
}

EXPORT int nvmlDeviceGetPersistenceMode(Device d, unsigned *mode) {
        return put_number("nvmlDeviceGetPersistenceMode", number_of("persistence", d, 1), mode);
}

#ifndef GN8V_NVML_OLD
typedef struct Capabilities {
        unsigned cpu, gpus;
} Capabilities;

EXPORT int nvmlSystemGetConfComputeCapabilities(Capabilities *c) {
        int r = begin("nvmlSystemGetConfComputeCapabilities", NULL);

        if (r == SUCCESS)
                *c = (Capabilities){ .cpu = (unsigned) number("cpu", 2), .gpus = (unsigned) number("capable", 1) };
        return r;
}

typedef struct State {
        unsigned environment, feature, devtools;
} State;

EXPORT int nvmlSystemGetConfComputeState(State *s) {
        int r = begin("nvmlSystemGetConfComputeState", NULL);
        unsigned feature, multi, ready;

        if (r != SUCCESS)
                return r;
        confidential(&feature, &multi, &ready);
        *s = (State){ .environment = (unsigned) number("environment", 2), .feature = feature, .devtools = (unsigned) number("devtools", 0) };
        return SUCCESS;
}

typedef struct Settings {
        unsigned version, environment, feature, devtools, multi;
} Settings;

EXPORT int nvmlSystemGetConfComputeSettings(Settings *s) {
        int r = begin("nvmlSystemGetConfComputeSettings", NULL);
        unsigned feature, multi, ready;

        if (r != SUCCESS)
                return r;
        if (s->version != (sizeof *s | 1 << 24))
                return VERSION_MISMATCH;
        confidential(&feature, &multi, &ready);
        s->environment = (unsigned) number("environment", 2);
        s->feature = feature;
        s->devtools = (unsigned) number("devtools", 0);
        s->multi = multi;
        return SUCCESS;
}

EXPORT int nvmlSystemGetConfComputeGpusReadyState(unsigned *ready) {
        unsigned feature, multi, is;

        confidential(&feature, &multi, &is);
        return put_number("nvmlSystemGetConfComputeGpusReadyState", (long) is, ready);
}

/* What the device has, from a file of its own; 999, Unknown Error, while confidential computing is off. */
static int read_evidence(Device d, const char *kind, unsigned char *data, size_t size, unsigned *ret_size) {
        unsigned feature, multi, ready;
        char dir[512], path[1024];
        FILE *f;

        confidential(&feature, &multi, &ready);
        if ((!feature && multi != 1) || !text("evidence", dir, sizeof dir))
                return 999;
        snprintf(path, sizeof path, "%s/gpu-%u.%s", dir, d->number, kind);
        f = fopen(path, "re");
        if (!f)
                return 999;
        *ret_size = (unsigned) fread(data, 1, size, f);
        fclose(f);
        return SUCCESS;
}

typedef struct GpuCertificate {
        unsigned chain_size, attestation_size;
        unsigned char chain[0x1000], attestation[0x1400];
} GpuCertificate;

EXPORT int nvmlDeviceGetConfComputeGpuCertificate(Device d, GpuCertificate *c) {
        int r = begin("nvmlDeviceGetConfComputeGpuCertificate", d);

        if (told("garbage", "nvmlDeviceGetConfComputeGpuCertificate")) {
                memset(c, 0xfe, sizeof *c);
                return SUCCESS;
        }
        return r != SUCCESS ? r : read_evidence(d, "chain", c->attestation, sizeof c->attestation, &c->attestation_size);
}

typedef struct GpuReport {
        unsigned has_cec, size, cec_size;
        unsigned char nonce[0x20], report[0x2000], cec[0x1000];
} GpuReport;

EXPORT int nvmlDeviceGetConfComputeGpuAttestationReport(Device d, GpuReport *report) {
        int r = begin("nvmlDeviceGetConfComputeGpuAttestationReport", d);

        if (told("garbage", "nvmlDeviceGetConfComputeGpuAttestationReport")) {
                memset(report, 0xfe, sizeof *report);
                return SUCCESS;
        }
        return r != SUCCESS ? r : read_evidence(d, "report", report->report, sizeof report->report, &report->size);
}

EXPORT int nvmlDeviceGetArchitecture(Device d, unsigned *arch) {
        return put_number("nvmlDeviceGetArchitecture", number_of("arch", d, 9), arch);
}

EXPORT int nvmlSystemSetConfComputeGpusReadyState(unsigned ready) {
        char path[512];
        int r = begin("nvmlSystemSetConfComputeGpusReadyState", NULL);
        FILE *f = r == SUCCESS && text("ready-file", path, sizeof path) ? fopen(path, "ae") : NULL;

        if (f) {
                fprintf(f, "%u\n", ready);
                fclose(f);
        }
        if (r == SUCCESS && simulated) {
                char mode[64];
                int was;

                if (!state(mode, &was) || gpu_set_state(mode, ready != 0) < 0)
                        return 999;
                gpu_event(ready ? "ready state set" : "ready state taken away");
        }
        return r;
}

typedef struct MemorySizes {
        unsigned long long protected_kib, unprotected_kib;
} MemorySizes;

EXPORT int nvmlDeviceGetConfComputeMemSizeInfo(Device d, MemorySizes *sizes) {
        int r = begin("nvmlDeviceGetConfComputeMemSizeInfo", d);

        if (r == SUCCESS)
                *sizes = (MemorySizes){ .protected_kib = (unsigned long long) number_of("memory", d, 97871) << 10 };
        return r;
}

typedef struct Fabric {
        unsigned version;
        unsigned char cluster[16];
        int status;
        unsigned clique;
        unsigned char state;
        unsigned health;
        unsigned char summary;
} Fabric;

EXPORT int nvmlDeviceGetGpuFabricInfoV(Device d, Fabric *f) {
        const size_t second = offsetof(Fabric, summary), third = sizeof *f;
        int r = begin("nvmlDeviceGetGpuFabricInfoV", d);

        if (r != SUCCESS)
                return r;
        if (f->version != (second | 2 << 24) && f->version != (third | 3 << 24))
                return VERSION_MISMATCH;
        memset(f->cluster, 0, sizeof f->cluster);
        f->status = (int) number_of("fabric-status", d, 0);
        f->clique = 0;
        f->state = (unsigned char) number_of("fabric", d, 0);
        if (simulated && number("switches", 0) > 0)
                f->state = access(GPU_DIR "/fabric", F_OK) >= 0 ? 3 : 2; /* completed, in progress */
        f->health = (unsigned) number_of("health", d, 0);
        if (f->version == (third | 3 << 24))
                f->summary = 0;
        return SUCCESS;
}
#endif
