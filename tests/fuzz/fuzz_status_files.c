/* SPDX-License-Identifier: Apache-2.0 */
/* The files that only status reads: the metadata service's cache, version.json, the audit log, the kernel log, depmod's lists, a program. */
#include "node/installed.h"
#include "node/kernel-modules.h"
#include "node/metadata.h"
#include "node/selinux.h"
#include "node/swiotlb.h"
#include "scratch-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = strndup((const char *) data, size), *cuda = NULL, *version = NULL;
        KernelModules lists = { .files = text };
        _cleanup_metadata_ Metadata m = {};
        Denials d = {};
        uint64_t mib;
        SwiotlbPool pool;

        if (!text)
                return 0;
        (void) metadata_cache_parse((const char *) data, size, "b", "http://u", 1, &m);
        (void) cuda_version_parse((const char *) data, size, &cuda);
        if (denials_parse(text, 1000, &d) < 0)
                abort();
        free(d.comm);
        (void) swiotlb_line_parse(text, &mib);
        (void) kernel_modules_find(&lists, "ecdsa_generic");
        scratch_file("/dev/kmsg", data, size);
        (void) swiotlb_pool(&scratch_node, &pool);
        free(logged_version(&scratch_node, "/dev/kmsg", "version is : "));
        version = program_version(&scratch_node, "/dev/kmsg", "321.45.06");
        if (version && (strlen(version) < 7 || strlen(version) > 24))
                abort();
        text_clean(text, 1024);
        if (strlen(text) > 1024)
                abort();
        return 0;
}
