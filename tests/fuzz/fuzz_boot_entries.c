/* SPDX-License-Identifier: Apache-2.0 */
/* A boot entry, and (the same bytes) a grubenv. */
#include "scratch-file.h"

#include "node/boot-entries.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_boot_entries_ BootEntries b = {};
        const BootEntry *entry;

        scratch_file(BOOT_ENTRIES_DIR "/a.conf", data, size);
        if (!node_exists(&scratch_node, BOOT_GRUBENV_PATH) &&
            node_write(&scratch_node, BOOT_GRUBENV_PATH, "kernelopts=ro\nsaved_entry=b\n", 28, 0600) < 0)
                abort();
        if (boot_entries_load(&scratch_node, &b, &e) < 0) {
                if (!e.message)
                        abort();
                return 0;
        }
        entry = boot_entries_default(&b);
        if (entry)
                (void) boot_entry_kernel(entry);
        return 0;
}
