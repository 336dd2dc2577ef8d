/* SPDX-License-Identifier: Apache-2.0 */
/* What is checked, by name, and how it came out. The names are those of --json; claims are made from them. */
#pragma once

#include "basic/error.h"

typedef enum CheckState {
        CHECK_UNCHECKED, /* could not be, or was not reached; not trusted, and not known to be wrong: what every check begins as */
        CHECK_OK,
        CHECK_FAILED,
        CHECK_SKIPPED,   /* not asked for, or does not apply to such a device */
} CheckState;
const char *check_state_to_string(CheckState state);

typedef enum CheckId {
        /* of one device */
        CHECK_REPORT,         /* well-formed */
        CHECK_ARCH,           /* a kind of device that is known, and the one stated */
        CHECK_CHAIN,          /* its certificates, up to the pinned root */
        CHECK_CHAIN_STATUS,   /* not revoked (OCSP) */
        CHECK_FWID,           /* the firmware that runs is the one that the key was made for */
        CHECK_NONCE,
        CHECK_SIGNATURE,
        CHECK_DRIVER_RIM,     /* there is one */
        CHECK_DRIVER_RIM_SCHEMA,
        CHECK_DRIVER_RIM_CHAIN,
        CHECK_DRIVER_RIM_STATUS,
        CHECK_DRIVER_RIM_SIGNATURE,
        CHECK_DRIVER_RIM_VERSION,
        CHECK_VBIOS_RIM,      /* the same six: a switch's BIOS, too */
        CHECK_VBIOS_RIM_SCHEMA,
        CHECK_VBIOS_RIM_CHAIN,
        CHECK_VBIOS_RIM_STATUS,
        CHECK_VBIOS_RIM_SIGNATURE,
        CHECK_VBIOS_RIM_VERSION,
        CHECK_CONFLICT,       /* no measurement is claimed by both manifests */
        CHECK_MEASUREMENTS,
        _CHECK_DEVICE_MAX,
        /* of all together */
        CHECK_GPUS = _CHECK_DEVICE_MAX, /* as many as demanded */
        CHECK_SWITCHES,
        CHECK_DISTINCT,       /* no device is there twice */
        CHECK_ONE_KIND,       /* all GPUs are of one architecture and have the same feature flags */
        CHECK_MODE,           /* the one demanded */
        CHECK_GPU_LINKS,      /* NVIDIA's: each GPU is linked to the same four switches */
        CHECK_SWITCH_KNOWN,   /* NVIDIA's: each switch is one of those */
        CHECK_SWITCH_LINKS,   /* NVIDIA's: each switch is linked to the same eight GPUs */
        CHECK_SWITCHES_BOUND, /* ours: those four switches are exactly the ones attested */
        CHECK_GPUS_BOUND,     /* ours: those eight GPUs are exactly the ones attested */
        CHECK_IDENTITY_BOUND, /* ours: a switch's own PDI is that of its BROM certificate */
        _CHECK_MAX,
} CheckId;
const char *check_name(CheckId id);

typedef struct Check {
        CheckState state;
        bool malformed; /* failed, and by its form: there is nothing to be judged */
        char *detail; /* why, or what was found; may be NULL. What is unchecked without a word is so because of another check */
} Check;

/* Sets a check once: a failure stays. The text is what a person needs to know; "" for none. */
void check_set(Check *checks, CheckId id, CheckState state, const char *fmt, ...) _printf_(4, 5);
/* The same with an error's message, which is taken; EXIT_INVALID: malformed. */
void check_take(Check *checks, CheckId id, CheckState state, Error *e);
/* The same as another check came out, which stays as it is. */
void check_copy(Check *checks, CheckId id, const Check *from);
/* All of n together: one failed is failed, else one unchecked is unchecked, else ok. */
CheckState checks_sum(const Check *checks, size_t first, size_t end);
void checks_clear(Check *checks, size_t n);
