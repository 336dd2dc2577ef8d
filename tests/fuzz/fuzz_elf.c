/* SPDX-License-Identifier: Apache-2.0 */
/* The reader sees a library in pieces of any size: the first byte says which. */
#include "repo/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        ElfReader *r = elf_reader_new();
        size_t piece = size > 0 ? (size_t) data[0] + 1 : 1;
        char *soname;

        for (size_t at = MIN(size, (size_t) 1); r && at < size; at += piece)
                elf_reader_update(r, data + at, MIN(piece, size - at));
        soname = r ? elf_reader_soname(r) : NULL;
        if (soname && (strchr(soname, '/') || *soname == '\0'))
                abort(); /* it becomes the name of a link */
        free(soname);
        (void) elf_reader_free(r);
        return 0;
}
