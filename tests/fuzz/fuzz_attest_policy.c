/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static DeviceVerdict devices[] = { { .name = (char *) "GPU-0", .known = true, .kind = DEVICE_GPU }, { .name = (char *) "SWITCH-0", .known = true, .kind = DEVICE_SWITCH } };
        static const Verdict v = { .devices = devices, .n = 2 };
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(policy_freep) Policy *p = NULL;
        int r = policy_parse("fuzz", (const char *) data, size, &p, &e);

        if (r == 0)
                r = policy_check(p, &v, &e);
        if (r < 0 && !e.message)
                abort(); /* every refusal says why */
        return 0;
}
