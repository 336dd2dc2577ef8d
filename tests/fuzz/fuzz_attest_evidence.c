/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/claims.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const VerdictOptions options = { .roots = &trust_roots_nvidia, .at = 1750000000, .gpus = 1, .switches = 1, .mode = MODE_PROTECTED_PCIE };
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(evidence_freep) Evidence *ev = evidence_new();
        _cleanup_(verdict_freep) Verdict *v = NULL;

        if (evidence_parse_json(ev, "fuzz", (const char *) data, size, &e) < 0) {
                if (!e.message)
                        abort(); /* every refusal says why */
                return 0;
        }
        if (verdict_make(ev, &options, &v, &e) < 0 || v->result == CHECK_OK)
                abort();
        json_decref(claims_all(v, CLAIMS_3_0, options.at));
        return 0;
}
