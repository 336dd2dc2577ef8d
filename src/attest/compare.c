/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/compare.h"

static bool matches(Bytes runtime, const RimValue *golden) {
        if (!runtime.data || runtime.size != golden->size)
                return false;
        for (unsigned i = 0; i < golden->n; i++)
                if (memcmp(runtime.data, golden->hashes[i], golden->size) == 0)
                        return true;
        return false;
}

void compare_measurements(const Report *report, const Rim *driver, const Rim *vbios, Comparison *ret) {
        const Rim *rims[_RIM_KIND_MAX] = { [RIM_DRIVER] = driver, [RIM_VBIOS] = vbios };

        *ret = (Comparison) { .first_conflict = -1 };
        for (unsigned index = 0; index < MEASUREMENT_MAX; index++) {
                bool both = driver && driver->values[index].active && vbios->values[index].active;

                if (both && ret->n_conflicts++ == 0)
                        ret->first_conflict = (int) index;
                for (unsigned kind = 0; kind < _RIM_KIND_MAX && !both; kind++) {
                        const RimValue *golden = rims[kind] ? &rims[kind]->values[index] : NULL;

                        if (!golden || !golden->active)
                                continue;
                        if (report->kind == DEVICE_GPU && index == NVDEC0_INDEX && report_opaque_u8(report, OPAQUE_NVDEC0_STATUS) == FEATURE_OFF) {
                                ret->nvdec_skipped = true;
                                continue;
                        }
                        ret->n_compared++;
                        if (!matches(report->measurements[index], golden))
                                ret->mismatches[ret->n_mismatches++] = (Mismatch) { index, (RimKind) kind, report->measurements[index], golden };
                }
        }
}
