/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/rim-set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ uint8_t *bytes = NULL;
        size_t n;

        if (report_decode("fuzz", data, size, &bytes, &n, &e) < 0) {
                if (!e.message)
                        abort(); /* every refusal says why */
                return 0;
        }
        for (unsigned kind = 0; kind < _DEVICE_KIND_MAX; kind++) {
                _cleanup_error_ Error why = ERROR_INIT;
                _cleanup_(report_freep) Report *r = NULL;
                _cleanup_free_ char *driver = NULL, *vbios = NULL;

                if (report_parse("fuzz", (DeviceKind) kind, bytes, n, &r, &why) < 0) {
                        if (!why.message)
                                abort();
                        continue;
                }
                if (r->covered.size + r->signature.size != n || rim_id_driver(r, kind == DEVICE_GPU ? "HOPPER" : "LS10", &driver) < 0 ||
                    rim_id_vbios(r, kind == DEVICE_GPU ? "HOPPER" : "LS10", &vbios) < 0)
                        abort();
                /* They become files' names. */
                if ((driver && (strchr(driver, '/') || driver[0] == '.')) || (vbios && strchr(vbios, '/')))
                        abort();
        }
        return 0;
}
