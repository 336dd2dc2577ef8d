/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>

#include "basic/fs.h"
#include "node/modinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_close_ int fd = memfd_create("module", MFD_CLOEXEC);
        _cleanup_free_ char *version = NULL;

        if (fd >= 0 && write_all(fd, data, size) == 0)
                (void) modinfo_read(fd, "version", &version);
        return 0;
}
