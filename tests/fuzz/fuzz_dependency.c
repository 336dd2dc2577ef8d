/* SPDX-License-Identifier: Apache-2.0 */
/* What is looked for before libsolv reads: the same in one piece and in many; and what it lets pass, libsolv can read. */
#include <solv/pool.h>
#include <solv/pool_parserpmrichdep.h>

#include "basic/strings.h"
#include "repo/dependency-scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *name = strndup((const char *) data, size);
        DependencyScan whole = {}, parts = {}, one = {};
        bool good = dependency_scan_xml(&whole, (const char *) data, size), good_parts = true;

        if (!name)
                return 0;
        for (size_t i = 0; i < size; i += 3)
                good_parts = dependency_scan_xml(&parts, (const char *) data + i, MIN(size - i, (size_t) 3));
        if (good != (size == 0 || good_parts))
                abort();
        if (dependency_scan_name(&one, name) && name[0] == '(') {
                Pool *pool = pool_create();

                (void) pool_parserpmrichdep(pool, name);
                pool_free(pool);
        }
        return 0;
}
