/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(journal_freep) Journal *j = NULL;
        const char *key;
        json_t *value;

        scratch_file(NODE_JOURNAL_PATH, data, size);
        if (journal_load(&scratch_node, &j, &e) < 0) {
                if (!e.message || !e.hint)
                        abort(); /* every refusal says why, and what to do */
                return 0;
        }
        for (size_t i = 0; i < j->n_entries; i++)
                json_object_foreach(json_object_get(j->entries[i]->before, "files"), key, value) {
                        _cleanup_free_ char *bytes = NULL;
                        size_t n;

                        (void) bytes_from_json(value, &bytes, &n);
                }
        return 0;
}
