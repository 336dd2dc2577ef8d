/* SPDX-License-Identifier: Apache-2.0 */
/* Makes what attestation reads, without a GPU: authorities, devices with certificates and reports, signed reference manifests, evidence. Nothing of it
 * is NVIDIA's but the formats. For tests: whatever goes wrong ends the program. */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "attest/verdict.h"
#include "basic/armor.h"
#include "basic/strings.h"

#define SIM_DEVICES_MAX 16
#define MAKER_DRIVER "1.2.3"
#define MAKER_VBIOS  "01.02.03.04.05"
#define MAKER_TIME   1750000000 /* within everything's validity */
#define MAKER_START  1740000000
#define MAKER_END    1760000000 /* manifests' signers; devices are valid for good */

typedef struct Authority {
        EVP_PKEY *key;
        X509 *cert;
} Authority;

/* What RFC 5280 wants and OpenSSL looks at only when it is strict. */
typedef enum CertLapse { LAPSE_NONE, LAPSE_CONSTRAINTS_NOT_CRITICAL, LAPSE_NO_AUTHORITY_KEY, LAPSE_NO_KEY_USAGE } CertLapse;

typedef struct CertSpec {
        const char *name, *serial_number; /* of the subject; serial_number may be NULL */
        bool authority;
        int path_length;                  /* -1: none */
        int64_t from, until;              /* until 0: for good */
        const uint8_t *fwid;              /* DIGEST_SIZE bytes, or NULL */
        bool fwid_in_tcb_info;            /* as Blackwell has it */
        const char *curve;                /* NULL: P-384 */
        bool ocsp;                        /* may answer for its issuer */
        CertLapse lapse;
} CertSpec;

typedef struct Maker {
        Authority device_root, identity, gpu_ica, switch_ica, rim_root, rim_ca, rim_l3, rim_l4;
        char device_sha256[SHA256_HEX_SIZE], rim_sha256[SHA256_HEX_SIZE];
        const char *device_roots[2], *rim_roots[2];
        TrustRoots roots;
        unsigned serial;
} Maker;

typedef struct SimDevice {
        DeviceKind kind;
        Authority brom, leaf;
        uint8_t pdi[PDI_SIZE], fwid[DIGEST_SIZE];
        char *chain; /* PEM */
} SimDevice;

/* One system: n GPUs, linked to the four switches it has or would have. */
typedef struct SimSystem {
        SimDevice gpus[SIM_DEVICES_MAX], switches[SIM_DEVICES_MAX];
        size_t n_gpus, n_switches;
        uint8_t nonce[NONCE_SIZE];
} SimSystem;

/* Added to all times of what is made from then on: 0. */
extern int64_t maker_shift;
void maker_init(Maker *m);
void maker_done(Maker *m);
void authority_make(Maker *m, const Authority *issuer, const CertSpec *spec, Authority *ret);
void authority_done(Authority *a);
char *cert_to_pem(X509 *x);

void device_make(Maker *m, DeviceKind kind, unsigned number, const CertSpec *leaf, SimDevice *ret);
void device_done(SimDevice *d);
/* The PEM chain of these, leaf first. */
char *chain_to_pem(const Authority *const *certs, size_t n);

void system_make(Maker *m, size_t gpus, size_t switches, SimSystem *ret);
void system_done(SimSystem *s);

/* The golden value of an index, for GPUs and switches. */
void golden(DeviceKind kind, unsigned index, uint8_t ret[static DIGEST_SIZE]);
void put_field(Text *opaque, unsigned type, const void *data, size_t size);
/* The opaque data of a device of the system. */
void opaque_make(const SimSystem *s, const SimDevice *d, Text *ret);
/* The report without its signature: n blocks of golden values from index 1 on. */
void report_make(const SimSystem *s, DeviceKind kind, unsigned n, const Text *opaque, Text *ret);
/* Appends the signature. */
void report_sign(const SimDevice *d, Text *report);
void report_of(const SimSystem *s, const SimDevice *d, Text *ret);

/* The canonical XML of a manifest without signature, and the same signed by signer. kind of RIM_DRIVER, RIM_VBIOS for a GPU. */
char *rim_body(DeviceKind device, RimKind kind, const char *version);
char *rim_sign(const char *body, const Authority *signer, const Authority *const *certs, size_t n);
char *rim_make(const Maker *m, DeviceKind device, RimKind kind, const char *version);

/* Evidence of the whole system; evidence_device() appends one. */
Device *evidence_device(Evidence *ev, const SimSystem *s, const SimDevice *d);
Evidence *evidence_make(const SimSystem *s);

/* The manifests of such devices by id, as a RimSource: {NULL, NULL, maker_rims_get}. userdata: Maker. */
int maker_rims_get(void *userdata, const char *id, char **ret_name, char **ret_data, size_t *ret_size, Error *e);
/* Their ids: GPU driver, GPU VBIOS, switch. */
extern const char *const maker_rim_ids[3];
