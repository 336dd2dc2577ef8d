/* SPDX-License-Identifier: Apache-2.0 */
/* What we use of NVIDIA's management library. Its header is not free, so these are our own words for its public interface: names, numbers and
 * layouts as in the NVML API Reference Guide (docs.nvidia.com/deploy/nvml-api). A versioned structure says its size and version in its first word. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define NVML_STRUCT_VERSION(size, version) ((unsigned) (size) | (unsigned) (version) << 24)

enum {
        NVML_SUCCESS               = 0,
        NVML_NOT_SUPPORTED         = 3,
        NVML_NO_PERMISSION         = 4,
        NVML_DRIVER_NOT_LOADED     = 9,
        NVML_FUNCTION_NOT_FOUND    = 13,
        NVML_GPU_IS_LOST           = 15,
        NVML_RESET_REQUIRED        = 16,
        NVML_VERSION_MISMATCH      = 18,
        NVML_ARGUMENT_MISMATCH     = 25, /* the library knows another version of the structure */
        NVML_UNKNOWN_ERROR         = 999,
        NVML_INIT_NO_GPUS          = 1,  /* nvmlInitWithFlags(): no GPU is no error */
        NVML_FEATURE_ENABLED       = 1,
        NVML_MULTI_GPU_NONE        = 0,
        NVML_MULTI_GPU_PROTECTED   = 1,
        NVML_ARCH_HOPPER           = 9,
        NVML_ARCH_BLACKWELL        = 10,
        NVML_FABRIC_NOT_SUPPORTED  = 0,
        NVML_FABRIC_NOT_STARTED    = 1,
        NVML_FABRIC_IN_PROGRESS    = 2,
        NVML_FABRIC_COMPLETED      = 3,
};

typedef struct nvmlDevice *NvmlDevice;

typedef struct NvmlPciInfo {
        char bus_id_legacy[16];
        unsigned domain, bus, device, device_id, subsystem_id;
        char bus_id[32]; /* nvmlDeviceGetPciInfo_v2(): 16 reserved bytes */
} NvmlPciInfo;

typedef struct NvmlMemory {
        unsigned long long total, free, used; /* bytes */
} NvmlMemory;

typedef struct NvmlCapabilities {
        unsigned cpu; /* 0: none, 1: AMD SEV, 2: Intel TDX, 3: SEV-SNP, 4: SEV-SNP with vTOM */
        unsigned gpus;
} NvmlCapabilities;

typedef struct NvmlState {
        unsigned environment; /* 0: unavailable, 1: simulation, 2: production */
        unsigned feature, devtools;
} NvmlState;

typedef struct NvmlSettings {
        unsigned version; /* 1 */
        unsigned environment, feature, devtools, multi_gpu;
} NvmlSettings;

typedef struct NvmlMemorySizes {
        unsigned long long protected_kib, unprotected_kib;
} NvmlMemorySizes;

typedef struct NvmlFabric {
        unsigned version; /* 2, which ends before summary; or 3 */
        unsigned char cluster[16];
        int status;
        unsigned clique;
        unsigned char state;
        unsigned health;
        unsigned char summary;
} NvmlFabric;

/* nvmlDeviceGetConfComputeGpuCertificate(): the attestation chain is PEM, leaf first. */
typedef struct NvmlCertificate {
        unsigned chain_size, attestation_chain_size;
        unsigned char chain[0x1000], attestation_chain[0x1400];
} NvmlCertificate;

/* nvmlDeviceGetConfComputeGpuAttestationReport(): the nonce is given, the rest is answered. */
typedef struct NvmlReport {
        unsigned has_cec_report, report_size, cec_report_size;
        unsigned char nonce[0x20], report[0x2000], cec_report[0x1000];
} NvmlReport;

/* The library's words for a return code. */
const char *nvml_code_to_string(int64_t code);
