/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/makeself.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_error_ Error e = ERROR_INIT;
        MakeselfPayload p;

        if (makeself_parse("fuzz", (const char *) data, size, size, &p, &e) >= 0 && (p.offset >= size || p.size > size - p.offset))
                abort();
        return 0;
}
