/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/cuda-manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(cuda_manifest_freep) CudaManifest *m = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        if (cuda_manifest_parse("fuzz", (const char *) data, size, &m, &e) < 0)
                return 0;
        for (size_t i = 0; i < m->n_packages; i++)
                for (size_t k = 0; k < m->packages[i]->n_rules; k++)
                        (void) cuda_rule_matches(&m->packages[i]->rules[k], "targets/x86_64-linux/lib/libaaaaaaaaaaaaaaaaaaaaaaaa.so.1");
        return 0;
}
