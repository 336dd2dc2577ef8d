/* SPDX-License-Identifier: Apache-2.0 */
/* What an ELF program or library is linked with. */
#pragma once

#include "basic/error.h"
#include "basic/strings.h"

/* The DT_NEEDED names of an open file (System V ABI, "Dynamic Linking"), owned by the caller; at most 1024. -EBADMSG for what is no
 * little-endian 64-bit ELF file, or a damaged one. A static program has none. */
int elf_needed(int fd, char ***ret);
