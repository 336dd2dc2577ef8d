/* SPDX-License-Identifier: Apache-2.0 */
#include "release/release.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(release_freep) Release *r = NULL;

        if (release_parse("fuzz", (const char *) data, size, &r, &e) < 0 && !e.message)
                abort(); /* every refusal says why */
        return 0;
}
