/* SPDX-License-Identifier: Apache-2.0 */
#include "node/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a part of an answer gives, the whole one must not take back. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_http_answer_ HttpAnswer part = {}, whole = {};
        int early = http_parse((const char *) data, size / 2, false, &part), late = http_parse((const char *) data, size, true, &whole);

        if (early != 0 && early != late)
                abort();
        if (early == 1 && (part.status != whole.status || part.size != whole.size || memcmp(part.body, whole.body, part.size) != 0))
                abort();
        return 0;
}
