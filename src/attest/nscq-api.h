/* SPDX-License-Identifier: Apache-2.0 */
/* What we use of NVIDIA's library for NVSwitches (libnvidia-nscq), in our own words: names, numbers and layouts as NVIDIA's attestation SDK
 * publishes them. Values are handed to callbacks, by value, one call a device. */
#pragma once

#include <stdint.h>

#define NSCQ_MOUNT_DEVICES 1u
#define NSCQ_ARCH_LS10     2
#define NSCQ_PATH_UUIDS    "/drv/nvswitch/{device}/uuid"
#define NSCQ_PATH_ARCH     "/{nvswitch}/id/arch"
#define NSCQ_PATH_MODE     "/%s/config/pcie_mode"
#define NSCQ_PATH_CHAIN    "/%s/config/certificate"
#define NSCQ_PATH_REPORT   "/%s/config/attestation_report"

typedef int8_t NscqCode; /* 0: success; above: warnings; below: errors */
typedef struct NscqSessionState *NscqSession;

typedef struct NscqSessionResult {
        NscqCode code;
        NscqSession session;
} NscqSessionResult;

typedef struct NscqUuid {
        uint8_t bytes[16];
} NscqUuid;

typedef struct NscqLabel {
        char data[64];
} NscqLabel;

typedef struct NscqReport {
        uint32_t size;
        uint8_t report[0x2000];
} NscqReport;

typedef struct NscqCertificate {
        uint8_t chain[0x1400];
        uint32_t size;
} NscqCertificate;

typedef void (*NscqCallback)(void); /* cast to what the path's values want */
