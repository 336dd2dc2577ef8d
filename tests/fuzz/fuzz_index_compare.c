/* SPDX-License-Identifier: Apache-2.0 */
/* Two packages' XML, held against each other: one is always the same as itself. */
#include "repo/index-compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *half = memchr(data, '\0', size);
        size_t n = half ? (size_t) (half - (const char *) data) : size;
        const char *second = half ? half + 1 : (const char *) data;
        size_t m = half ? size - n - 1 : size;
        IndexEntry x = {};
        XmlFragment got[INDEX_STREAMS];
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *what = NULL;
        int r;

        for (size_t i = 0; i < INDEX_STREAMS; i++) {
                x.xml[i] = (const char *) data;
                x.size[i] = n;
                got[i] = (XmlFragment){ .text = second, .size = m };
        }
        r = index_compare(&x, got, &what, &e);
        if ((r == 0 && e.message) || (r == 1 && !what) || (r < 0 && !e.message) || (!half && r != 0))
                abort();
        return 0;
}
