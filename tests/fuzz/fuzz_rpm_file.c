/* SPDX-License-Identifier: Apache-2.0 */
/* A package file: what is taken of it has a usable name, and a header within the file. */
#include <fcntl.h>

#include "basic/fs.h"
#include "repo/rpm-file.h"

static char *dir;

static void gone(void) {
        (void) remove_tree(AT_FDCWD, dir);
        free(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(rpm_file_freep) RpmFile *f = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *path = NULL, *name = NULL;

        if (!dir) {
                if (make_temp_dir(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", "fuzz", &dir) < 0)
                        abort();
                (void) atexit(gone);
        }
        path = path_join(dir, "a.rpm");
        {
                _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

                if (fd < 0 || write_all(fd, data, size) < 0)
                        abort();
        }
        if (rpm_file_open(AT_FDCWD, path, &f, &e) < 0)
                return 0;
        name = rpm_file_canonical_name(f);
        if (f->header_start >= f->header_end || f->header_end > size || !name || strchr(name, '/') || *name == '.')
                abort();
        return 0;
}
