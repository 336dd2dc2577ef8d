/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata of a repository: repomd.xml, primary.xml, gzip. What is taken is safe to use. */
#include "basic/fs.h"
#include "repo/gzip.h"
#include "repo/rpmmd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(repomd_freep) Repomd *r = NULL;
        _cleanup_(primary_freep) Primary *p = NULL;
        _cleanup_free_ char *text = NULL;
        size_t n;

        if (repomd_parse((const char *) data, size, "fuzz", &r, &e) >= 0)
                for (size_t i = 0; i < r->n_files; i++)
                        if (!path_is_safe(r->files[i].href) || strncmp(r->files[i].href, "repodata/", 9) != 0)
                                abort();
        if (primary_parse((const char *) data, size, "fuzz", &p, NULL, &e) >= 0)
                for (size_t i = 0; i < p->n_packages; i++)
                        if (!path_is_safe(p->packages[i]->href) || !p->packages[i]->nevra)
                                abort();
        if (gzip_unpack(data, size, 100000, &text, &n) >= 0 && n > 100000)
                abort();
        return 0;
}
