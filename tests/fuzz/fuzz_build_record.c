/* SPDX-License-Identifier: Apache-2.0 */
/* A build record, as build reads it and as publish does. What is taken is written so that it comes back. */
#include <fcntl.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/build-record.h"
#include "repo/inputs.h"

static char *dir, *packages;

static void gone(void) {
        (void) remove_tree(AT_FDCWD, dir);
        free(packages);
        free(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(build_record_freep) BuildRecord *r = NULL, *again = NULL;
        _cleanup_(inputs_freep) Inputs *in = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *path = NULL;

        if (!dir && (make_temp_dir(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", "fuzz", &dir) < 0 || atexit(gone) != 0 ||
                     !(packages = path_join(dir, "packages")) || mkdir_parents(AT_FDCWD, packages, 0700) < 0))
                abort();
        path = path_join(packages, "a-1-1.noarch.rpm.json");
        (void) unlink(path);
        if (write_file_new(AT_FDCWD, path, data, size, 0600) < 0)
                abort();
        if (build_record_load(packages, "a-1-1.noarch.rpm.json", &r, &e) < 0 && !e.message)
                abort();
        error_clear(&e);
        if (inputs_load(dir, NULL, 0, false, &in, &e) < 0 && !e.message)
                abort();
        for (size_t i = 0; in && i < in->n_packages; i++)
                if (!path_is_safe(in->packages[i]->file) || strchr(in->packages[i]->file, '/'))
                        abort();
        if (r && path_is_safe(r->package) && !strchr(r->package, '/')) {
                _cleanup_free_ char *name = format("%s.json", r->package), *full = name ? path_join(packages, name) : NULL;

                error_clear(&e);
                if (!full || strlen(r->package) > 200 || build_record_save(packages, r, &e) < 0)
                        return 0;
                if (build_record_load(packages, name, &again, &e) < 0 || !streq(again->sha256, r->sha256))
                        abort();
                (void) unlink(full);
        }
        return 0;
}
