/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/nvml-api.h"

const char *nvml_code_to_string(int64_t code) {
        static const char *const words[] = {
                "Success", "Uninitialized", "Invalid Argument", "Not Supported", "Insufficient Permissions", "Already Initialized", "Not Found",
                "Insufficient Size", "Insufficient External Power", "Driver Not Loaded", "Timeout", "Interrupt Request Issue",
                "NVML Shared Library Not Found", "Function Not Found", "Corrupted infoROM", "GPU is lost", "GPU requires reset",
                "GPU access blocked by the operating system", "Driver/library version mismatch", "In use by another client",
                "Insufficient Memory", "No data", "vGPU ECC not supported", "Insufficient Resources", "Frequency not supported",
                "Argument version mismatch", "Deprecated", "Not Ready", "GPU not found", "Invalid State",
        };
        return code >= 0 && (size_t) code < sizeof words / sizeof *words ? words[code] : "Unknown Error";
}
