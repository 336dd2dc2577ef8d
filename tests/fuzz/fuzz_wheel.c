/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/wheel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(wheel_record_freep) WheelRecord *record = NULL;
        _cleanup_free_ char *text = strndup((const char *) data, size), *version = NULL;

        if (wheel_record_parse("fuzz", (const char *) data, size, &record, &e) < 0 && !e.message)
                abort(); /* every refusal says why */
        if (text)
                (void) wheel_metadata_get(text, "Version", &version);
        return 0;
}
