/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>

#include "basic/fs.h"
#include "node/elf-needed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_close_ int fd = memfd_create("program", MFD_CLOEXEC);
        _cleanup_strv_ char **needed = NULL;

        if (fd >= 0 && write_all(fd, data, size) == 0)
                (void) elf_needed(fd, &needed);
        return 0;
}
