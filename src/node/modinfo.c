/* SPDX-License-Identifier: Apache-2.0 */
#include "node/modinfo.h"

#include <elf.h>

#include "basic/fs.h"
#include "basic/strings.h"

#define SECTION_MAX ((uint64_t) 1024 * 1024)

static int read_section(int fd, const Elf64_Shdr *section, char **ret) {
        _cleanup_free_ char *data = NULL;
        int r;

        if (section->sh_size == 0 || section->sh_size > SECTION_MAX)
                return -EBADMSG;
        data = malloc(section->sh_size + 1);
        if (!data)
                return -ENOMEM;
        r = read_exactly(fd, data, section->sh_size, section->sh_offset);
        if (r < 0)
                return r;
        data[section->sh_size] = '\0';
        *ret = TAKE_PTR(data);
        return 0;
}

int modinfo_read(int fd, const char *name, char **ret) {
        _cleanup_free_ Elf64_Shdr *sections = NULL;
        _cleanup_free_ char *names = NULL;
        size_t length = strlen(name);
        Elf64_Ehdr header;
        int r;

        r = read_exactly(fd, &header, sizeof(header), 0);
        if (r < 0)
                return r;
        if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
            header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shstrndx >= header.e_shnum)
                return -EBADMSG;
        sections = calloc(header.e_shnum, sizeof(Elf64_Shdr));
        if (!sections)
                return -ENOMEM;
        r = read_exactly(fd, sections, header.e_shnum * sizeof(Elf64_Shdr), header.e_shoff);
        if (r >= 0)
                r = read_section(fd, &sections[header.e_shstrndx], &names);
        if (r < 0)
                return r;
        for (size_t i = 0; i < header.e_shnum; i++) {
                _cleanup_free_ char *data = NULL;

                if (sections[i].sh_name >= sections[header.e_shstrndx].sh_size || !streq(names + sections[i].sh_name, ".modinfo"))
                        continue;
                r = read_section(fd, &sections[i], &data);
                if (r < 0)
                        return r;
                for (size_t at = 0; at < sections[i].sh_size; at += strlen(data + at) + 1)
                        if (strncmp(data + at, name, length) == 0 && data[at + length] == '=') {
                                *ret = strdup(data + at + length + 1);
                                return *ret ? 0 : -ENOMEM;
                        }
        }
        return -ENOENT;
}
