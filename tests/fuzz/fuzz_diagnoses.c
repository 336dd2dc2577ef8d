/* SPDX-License-Identifier: Apache-2.0 */
#include "node/diagnosis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever is taken can be filled in; whatever is not says why. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(diagnoses_freep) Diagnoses *known = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        char *values[GROUPS_MAX] = { (char *) "1024" };

        if (diagnoses_parse("rules", (const char *) data, size, &known, &e) < 0) {
                if (!e.message)
                        abort();
                return 0;
        }
        for (size_t i = 0; i < known->n; i++)
                free(diagnosis_fill(&known->v[i], known->v[i].meaning, values));
        return 0;
}
