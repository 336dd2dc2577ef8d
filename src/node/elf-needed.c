/* SPDX-License-Identifier: Apache-2.0 */
#include "node/elf-needed.h"

#include <elf.h>

#include "basic/fs.h"

#define SEGMENTS_MAX 256u
#define DYNAMIC_MAX  ((uint64_t) 256 * 1024)
#define STRINGS_MAX  ((uint64_t) 16 * 1024 * 1024)
#define NEEDED_MAX   1024u

/* Where in the file the byte at address lies, and how many bytes of its segment follow. */
static bool locate(const Elf64_Phdr *segments, size_t n, uint64_t address, uint64_t *ret_offset, uint64_t *ret_left) {
        for (size_t i = 0; i < n; i++) {
                const Elf64_Phdr *p = &segments[i];

                if (p->p_type != PT_LOAD || address < p->p_vaddr || address - p->p_vaddr >= p->p_filesz)
                        continue;
                *ret_left = p->p_filesz - (address - p->p_vaddr);
                return !__builtin_add_overflow(address - p->p_vaddr, p->p_offset, ret_offset);
        }
        return false;
}

static int read_name(int fd, uint64_t table, uint64_t left, uint64_t offset, char ***names) {
        char name[256] = "";
        uint64_t at;
        int k;

        if (offset >= MIN(left, STRINGS_MAX) || __builtin_add_overflow(table, offset, &at))
                return -EBADMSG;
        k = read_exactly(fd, name, MIN(sizeof(name) - 1, left - offset), at);
        return k < 0 ? k : strv_append(names, name);
}

static int read_dynamic(int fd, const Elf64_Phdr *segments, size_t n, const Elf64_Phdr *dynamic, char ***names) {
        size_t count = (size_t) (MIN(dynamic->p_filesz, DYNAMIC_MAX) / sizeof(Elf64_Dyn)), end = 0;
        _cleanup_free_ Elf64_Dyn *entries = calloc(count + 1, sizeof(Elf64_Dyn));
        uint64_t table = 0, left = 0;
        bool have_table = false;
        int k;

        if (!entries)
                return -ENOMEM;
        k = read_exactly(fd, entries, count * sizeof(Elf64_Dyn), dynamic->p_offset);
        if (k < 0)
                return k;
        for (; end < count && entries[end].d_tag != DT_NULL; end++)
                if (entries[end].d_tag == DT_STRTAB)
                        have_table = locate(segments, n, entries[end].d_un.d_ptr, &table, &left);
        for (size_t i = 0, found = 0; i < end && k >= 0; i++) {
                if (entries[i].d_tag != DT_NEEDED)
                        continue;
                if (!have_table || ++found > NEEDED_MAX)
                        return -EBADMSG;
                k = read_name(fd, table, left, entries[i].d_un.d_val, names);
        }
        return k;
}

int elf_needed(int fd, char ***ret) {
        _cleanup_free_ Elf64_Phdr *segments = NULL;
        _cleanup_strv_ char **names = NULL;
        Elf64_Ehdr header;
        int k;

        k = read_exactly(fd, &header, sizeof(header), 0);
        if (k < 0)
                return k;
        if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
            header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > SEGMENTS_MAX)
                return -EBADMSG;
        segments = calloc(header.e_phnum + 1u, sizeof(Elf64_Phdr));
        if (!segments)
                return -ENOMEM;
        k = read_exactly(fd, segments, header.e_phnum * sizeof(Elf64_Phdr), header.e_phoff);
        for (size_t i = 0; i < header.e_phnum && k >= 0; i++)
                if (segments[i].p_type == PT_DYNAMIC) {
                        k = read_dynamic(fd, segments, header.e_phnum, &segments[i], &names);
                        break;
                }
        if (k < 0)
                return k;
        *ret = TAKE_PTR(names);
        return 0;
}
