/* SPDX-License-Identifier: Apache-2.0 */
/* The attestation report of a GPU or an NVSwitch: an SPDM 1.1 GET_MEASUREMENTS request, and the device's signed MEASUREMENTS response
 * (DMTF DSP0274 1.1, 10.11); the opaque data is NVIDIA's. Everything is little-endian but the signature. */
#pragma once

#include "attest/bytes.h"
#include "basic/error.h"

#define NONCE_SIZE           32
#define SIGNATURE_SIZE       96 /* ECDSA P-384: r, s, 48 bytes each, big-endian */
#define DIGEST_SIZE          48 /* SHA-384 */
#define REPORT_MAX           ((size_t) 1 << 16)
#define MEASUREMENT_MAX      255 /* blocks; RIM index = SPDM index - 1 */
#define OPAQUE_TYPE_MAX      64
#define PDI_SIZE             8
#define GPU_LINKS            18 /* of one GPU: entries of OPAQUE_SWITCH_PDI */
#define SWITCH_GPUS          8  /* entries of OPAQUE_SWITCH_GPU_PDIS */
#define FEATURE_ON           0xaa
#define FEATURE_OFF          0x55
#define FEATURE_FLAG_PPCIE   2

typedef enum DeviceKind { DEVICE_GPU, DEVICE_SWITCH, _DEVICE_KIND_MAX } DeviceKind;

/* Types of opaque data that are looked at. A number means one thing on a GPU and may mean another on a switch. */
typedef enum OpaqueType {
        OPAQUE_DRIVER_VERSION    = 3,
        OPAQUE_VBIOS_VERSION     = 6,
        OPAQUE_NVDEC0_STATUS     = 11,
        OPAQUE_CHIP_SKU          = 15,
        OPAQUE_PROJECT           = 17,
        OPAQUE_PROJECT_SKU       = 18,
        OPAQUE_FWID              = 20,
        OPAQUE_PPCIE_STATUS      = 21,
        OPAQUE_SWITCH_PDI        = 22, /* GPU: of the switch at each link, little-endian */
        OPAQUE_DEVICE_PDI        = 22, /* switch: its own, big-endian */
        OPAQUE_SWITCH_GPU_PDIS   = 26, /* switch: the GPUs it is linked to, big-endian, then a map of its ports */
        OPAQUE_VERSION           = 34,
        OPAQUE_CHIP_INFO         = 35,
        OPAQUE_FEATURE_FLAG      = 36,
} OpaqueType;

typedef struct Report {
        DeviceKind kind;
        uint8_t *data; /* everything else points into it */
        size_t size;
        Bytes nonce;   /* the verifier's */
        Bytes covered; /* by the signature */
        Bytes signature;
        Bytes measurements[MEASUREMENT_MAX]; /* by RIM index; .data NULL: there is none */
        unsigned n_measurements;
        Bytes opaque[OPAQUE_TYPE_MAX]; /* by type */
        /* Text from the opaque data, letters, digits, '.', '-' and '_' only; NULL: not there */
        char *driver_version, *vbios_version, *project, *project_sku, *chip_sku, *chip_info;
} Report;

/* Takes a copy of data. -EBADMSG, EXIT_INVALID when it is not exactly one well-formed report; name is for messages. */
int report_parse(const char *name, DeviceKind kind, const void *data, size_t size, Report **ret, Error *e);
Report *report_free(Report *r);
DEFINE_CLEANUP(Report, report_free);

/* A report as people keep it: the bytes, or their hex text. *ret is owned by the caller. */
int report_decode(const char *name, const void *data, size_t size, uint8_t **ret, size_t *ret_size, Error *e);

/* One byte of opaque data, or -ENODATA when there is no such field of that size; u16 likewise. */
int report_opaque_u8(const Report *r, OpaqueType type);
int report_opaque_u16(const Report *r, OpaqueType type);
