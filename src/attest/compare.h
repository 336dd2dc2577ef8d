/* SPDX-License-Identifier: Apache-2.0 */
/* What a device measured, against the golden values of its manifests. */
#pragma once

#include "attest/rim.h"
#include "attest/spdm.h"

/* Golden index of the video decoder: it is not measured while NVDEC0 is disabled. */
#define NVDEC0_INDEX 35

typedef enum RimKind { RIM_DRIVER, RIM_VBIOS, _RIM_KIND_MAX } RimKind;

typedef struct Mismatch {
        unsigned index;
        RimKind kind;
        Bytes runtime;          /* of the report; .data NULL: it has no such block */
        const RimValue *golden; /* of the manifest */
} Mismatch;

typedef struct Comparison {
        unsigned n_compared, n_mismatches, n_conflicts;
        bool nvdec_skipped;
        int first_conflict;                    /* index active in both manifests; -1: none */
        Mismatch mismatches[MEASUREMENT_MAX];
} Comparison;

/* Active golden values only; any alternative will do; an index that the device did not measure is a mismatch; an index that both manifests
 * claim is a conflict, and not compared. driver is NULL for a switch. Both are verified, and outlive *ret. */
void compare_measurements(const Report *report, const Rim *driver, const Rim *vbios, Comparison *ret);
