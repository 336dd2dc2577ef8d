/* SPDX-License-Identifier: Apache-2.0 */
/* What the child that asks NVIDIA's library may answer. */
#include "node/nvml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *s) {
        for (; s && *s; s++)
                if ((unsigned char) *s < ' ' || (unsigned char) *s > '~')
                        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Nvml n = NVML_EMPTY;
        int k = nvml_parse((const char *) data, size, &n);

        if (n.n_gpus > NVML_GPUS_MAX || k > 1 || (k == 1 && (size < 4 || memcmp(data + size - 4, "end\n", 4) != 0)))
                __builtin_trap();
        check_text(n.driver);
        check_text(n.library);
        check_text(n.answer.reason);
        check_text(n.answer.at);
        for (size_t i = 0; i < n.n_gpus; i++) {
                check_text(n.gpus[i].name);
                check_text(n.gpus[i].uuid);
                check_text(n.gpus[i].bus_id);
                check_text(n.gpus[i].vbios);
        }
        for (size_t i = 0; i < n.n_failures; i++) {
                check_text(n.failures[i].call);
                if (n.failures[i].gpu >= (int64_t) n.n_gpus)
                        __builtin_trap();
        }
        nvml_free(&n);
        return 0;
}
