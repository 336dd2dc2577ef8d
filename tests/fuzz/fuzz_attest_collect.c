/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of the child that asks NVIDIA's libraries, the RIM service's answer, and the settings file. */
#include "attest/collateral.h"
#include "attest/collect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const uint8_t nonce[NONCE_SIZE];
        _cleanup_collected_ Collected c = COLLECTED_EMPTY;
        _cleanup_error_ Error e = ERROR_INIT;
        CollateralSettings s = {};
        char *manifest = NULL;
        size_t n;

        if (collect_parse((const char *) data, size, &c) >= 0) {
                free(collect_to_json(&c, NULL, nonce));
                if (c.n > COLLECT_DEVICES_MAX || (collect_explain(DEVICE_GPU, &c, &e) < 0 && !e.message))
                        abort();
        }
        error_clear(&e);
        if (rim_answer_parse("fuzz", "ID", (const char *) data, size, &manifest, &n, &e) >= 0)
                free(manifest);
        else if (!e.message)
                abort();
        error_clear(&e);
        if (collateral_settings_parse("fuzz", (const char *) data, size, &s, &e) < 0 && !e.message)
                abort();
        collateral_settings_free(&s);
        return 0;
}
