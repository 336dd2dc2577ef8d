/* SPDX-License-Identifier: Apache-2.0 */
/* Any command line and any file that holds one; input: file now NUL file before NUL file as we left it. */
#include "node/boot-entries.h"
#include "node/kernel-argument.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_file(const char *path, const char *now, const char *before, const char *after) {
        char *const ours[] = { (char *) "swiotlb=8,any", NULL };
        _cleanup_free_ char *text = NULL, *again = NULL;
        size_t size, again_size;
        bool edited;

        if (argument_revert_text(path, "swiotlb", ours, "kernelopts=root=x swiotlb=3\n", before, before ? strlen(before) : 0, after, after ? strlen(after) : 0, now, strlen(now),
                                 &text, &size, &edited) < 0 ||
            !text)
                return;
        /* What was taken out once is out. */
        if (!before && argument_revert_text(path, "swiotlb", ours, NULL, NULL, 0, NULL, 0, text, size, &again, &again_size, &edited) >= 0 &&
            (again_size != size || memcmp(again, text, size) != 0))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *copy = malloc(size + 3);
        const char *now = copy, *before, *after;

        if (!copy)
                return 0;
        memcpy(copy, data, size);
        memset(copy + size, 0, 3);
        before = strchr(now, '\0') + 1;
        after = before < copy + size ? strchr(before, '\0') + 1 : NULL;
        if (before >= copy + size)
                before = NULL;
        if (after >= copy + size)
                after = NULL;
        one_file(BOOT_ENTRIES_DIR "/a.conf", now, before, after);
        one_file("/boot/grub2/grubenv", now, before, after);
        one_file("/etc/default/grub", now, before, after);
        one_file("/etc/kernel/cmdline", now, before, after);
        _cleanup_free_ char *found = cmdline_find(now, "swiotlb"), *merged = argument_merge(found, "swiotlb=8,any"),
                            *value = grubenv_get(now, "kernelopts");
        if (merged) {
                /* Merging is final: what was merged needs no change. */
                _cleanup_free_ char *twice = argument_merge(merged, "swiotlb=8,any");

                if (!twice || strcmp(merged, twice) != 0)
                        abort();
        }
        return 0;
}
