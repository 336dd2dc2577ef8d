/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/fs.h"
#include "repo/driver-manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(driver_manifest_freep) DriverManifest *m = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        if (driver_manifest_parse("fuzz", (const char *) data, size, &m, &e) < 0)
                return 0;
        for (size_t i = 0; i < m->n_entries; i++) {
                const char *d = m->entries[i].destination;

                /* Whatever the list says, nothing leaves the root. */
                if (d && (d[0] != '/' || !path_is_safe(d + 1)))
                        abort();
        }
        return 0;
}
