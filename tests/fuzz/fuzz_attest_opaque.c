/* SPDX-License-Identifier: Apache-2.0 */
/* Opaque data inside a report that is otherwise right. */
#include "attest/topology.h"
#include "basic/strings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const uint8_t head[37 + 8] = { 0x11, 0xe0, 1, 0xff, [37] = 0x11, [38] = 0x60 }, tail[SIGNATURE_SIZE] = {}, nonce[NONCE_SIZE] = {};
        const uint8_t length[] = { (uint8_t) size, (uint8_t) (size >> 8) };
        _cleanup_text_ Text t = {};

        if (size > 0xffff)
                return 0;
        text_append_n(&t, head, sizeof head);
        text_append_n(&t, nonce, sizeof nonce);
        text_append_n(&t, length, sizeof length);
        text_append_n(&t, data, size);
        text_append_n(&t, tail, sizeof tail);
        for (unsigned kind = 0; kind < _DEVICE_KIND_MAX; kind++) {
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_(report_freep) Report *r = NULL;
                Check checks[_CHECK_MAX] = {};
                TopologyDevice d = { "fuzz", NULL, "41FFFFFFFFFFFFFFFF" };

                if (t.size <= REPORT_MAX && report_parse("fuzz", (DeviceKind) kind, t.data, t.size, &r, &e) < 0) {
                        if (!e.message)
                                abort();
                        continue;
                }
                d.report = r;
                topology_check(&d, 1, &d, 1, checks);
                checks_clear(checks, _CHECK_MAX);
        }
        return 0;
}
