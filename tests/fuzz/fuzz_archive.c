/* SPDX-License-Identifier: Apache-2.0 */
/* An archive of anybody, as tar and as zip, and one compressed file: names are safe, sizes are what was announced. */
#include <sys/mman.h>

#include "basic/fs.h"
#include "repo/archive.h"

static uint64_t left;

static int begin(void *userdata, const ArchiveMember *m, bool *ret_wanted, Error *e) {
        if (!path_is_safe(m->name) || strlen(m->name) > ARCHIVE_NAME_MAX)
                abort();
        left = m->size > 0 ? m->size : UINT64_MAX; /* 0 may be: not announced */
        *ret_wanted = true;
        return 0;
}

static int take(void *userdata, const void *data, size_t size, Error *e) {
        if (size > left)
                abort();
        left -= size;
        return 0;
}

static int end(void *userdata, Error *e) {
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const ArchiveVisitor visitor = { .begin = begin, .data = take, .end = end };
        static const ArchiveFormat formats[] = { ARCHIVE_TAR, ARCHIVE_ZIP };
        _cleanup_close_ int fd = memfd_create("fuzz", MFD_CLOEXEC);

        if (fd < 0 || write_all(fd, data, size) < 0)
                abort();
        for (size_t i = 0; i < ELEMENTSOF(formats); i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                if (archive_stream("fuzz", fd, 0, size, formats[i], &visitor, NULL, NULL, &e) < 0 && !e.message)
                        abort();
        }
        {
                _cleanup_error_ Error e = ERROR_INIT;
                left = 65536;
                if (archive_unpack("fuzz", fd, left, take, NULL, &e) < 0 && !e.message)
                        abort();
        }
        return 0;
}
