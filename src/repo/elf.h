/* SPDX-License-Identifier: Apache-2.0 */
/* The SONAME of an ELF library while its bytes stream by: no second read, bounded memory. */
#pragma once

#include "basic/macro.h"

typedef struct ElfReader ElfReader;
ElfReader *elf_reader_new(void); /* NULL when out of memory */
ElfReader *elf_reader_free(ElfReader *r);
DEFINE_CLEANUP(ElfReader, elf_reader_free);
void elf_reader_update(ElfReader *r, const void *data, size_t size);
/* The SONAME once all bytes have been seen, owned by the caller. NULL when there is none, or it is no plain file name, or the file is no
 * little-endian ELF library, or keeps its string table beyond the first megabytes (no linker does). */
char *elf_reader_soname(const ElfReader *r);
