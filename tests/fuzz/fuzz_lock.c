/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "release/lock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(lock_freep) Lock *l = NULL;
        _cleanup_close_ int fd = memfd_create("lock", MFD_CLOEXEC);
        _cleanup_free_ char *path = format("/proc/self/fd/%d", fd);

        if (fd < 0 || !path || write_all(fd, data, size) < 0)
                abort();
        if (lock_load(path, &l, &e) < 0 && !e.message)
                abort(); /* every refusal says why */
        return 0;
}
