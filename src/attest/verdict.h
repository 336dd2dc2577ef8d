/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict on a system: every device judged by itself, with a state of its own, and then all of them together. */
#pragma once

#include "attest/compare.h"
#include "attest/evidence.h"
#include "attest/rim-set.h"
#include "release/release.h"

typedef struct VerdictOptions {
        const TrustRoots *roots;
        int64_t at;              /* seconds since the epoch: the time of the verdict */
        const uint8_t *nonce;    /* NONCE_SIZE bytes that every report must have; NULL: none is demanded */
        const RimSource *rims;   /* NULL: there are none */
        const OcspSource *ocsp;  /* NULL: revocation is not asked for */
        int gpus, switches;      /* as many must be there; -1: not demanded */
        int mode;                /* Mode, or -1: not demanded */
} VerdictOptions;

typedef struct DeviceVerdict {
        const Device *device;
        char *name;              /* "GPU-0", "SWITCH-0": counted by kind; "DEVICE-0" when its certificates do not tell the kind */
        bool known;              /* kind and arch are told by the certificates */
        DeviceKind kind;
        const char *arch;        /* "HOPPER", "BLACKWELL", "LS10"; NULL */
        CertChain *chain;        /* NULL: cannot be read */
        DeviceIdentity identity;
        Report *report;          /* NULL: cannot be read */
        OcspResult ocsp;
        WantedRim *rims[_RIM_KIND_MAX]; /* the set's, or NULL */
        bool expired;            /* its chain is right, but for the time */
        bool compared;
        Comparison comparison;
        Check checks[_CHECK_DEVICE_MAX];
        CheckState result;
} DeviceVerdict;

typedef struct Verdict {
        CertPool *pool;
        RimSet rims;
        DeviceVerdict *devices;
        size_t n;
        Check checks[_CHECK_MAX]; /* from _CHECK_DEVICE_MAX on: of all together */
        CheckState result;        /* CHECK_OK only when every device and every check of all together is */
        int64_t at;
} Verdict;

/* Judges; what is wrong with the evidence is in the verdict, not an error. evidence outlives *ret. -ENOMEM. */
int verdict_make(const Evidence *evidence, const VerdictOptions *o, Verdict **ret, Error *e);
Verdict *verdict_free(Verdict *v);
DEFINE_CLEANUP(Verdict, verdict_free);
size_t verdict_count(const Verdict *v, DeviceKind kind);
/* The CheckId of a manifest's check: RIM_DRIVER, RIM_SCHEMA: CHECK_DRIVER_RIM_SCHEMA. */
CheckId rim_check_id(RimKind kind, RimCheck check);

/* device-check.c: what can be said before the manifests are there, which manifests are wanted, and the rest. */
int device_check_evidence(Verdict *v, DeviceVerdict *d, const VerdictOptions *o, Error *e);
int device_want_rims(Verdict *v, DeviceVerdict *d, Error *e);
void device_check_rims(DeviceVerdict *d);
/* system-check.c */
int system_check(Verdict *v, const VerdictOptions *o, Error *e);
