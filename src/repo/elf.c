/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/elf.h"

#include <elf.h>

#include "basic/strings.h"

#define HEAD_MAX    (16u * 1024 * 1024) /* kept from the start: headers, and .dynstr, which linkers put first */
#define DYNAMIC_MAX (64u * 1024)

struct ElfReader {
        Text head;
        uint64_t position;
        bool sized;      /* the program headers have been read, or are not there */
        uint64_t dynamic_offset, dynamic_size;
        Text dynamic;    /* the bytes of PT_DYNAMIC */
};

typedef struct Segment {
        uint64_t type, offset, address, size;
} Segment;

ElfReader *elf_reader_new(void) {
        return calloc(1, sizeof(ElfReader));
}

ElfReader *elf_reader_free(ElfReader *r) {
        if (r) {
                text_free(&r->head);
                text_free(&r->dynamic);
                free(r);
        }
        return NULL;
}

static bool is_elf(const ElfReader *r) {
        const unsigned char *p = (const unsigned char *) r->head.data;
        return r->head.size >= sizeof(Elf64_Ehdr) && memcmp(p, ELFMAG, SELFMAG) == 0 && p[EI_DATA] == ELFDATA2LSB &&
               (p[EI_CLASS] == ELFCLASS64 || p[EI_CLASS] == ELFCLASS32);
}

static bool is_64(const ElfReader *r) {
        return r->head.data[EI_CLASS] == ELFCLASS64;
}

static bool head_get(const ElfReader *r, uint64_t at, void *to, size_t size) {
        if (at > r->head.size || size > r->head.size - at)
                return false;
        memcpy(to, r->head.data + at, size);
        return true;
}

/* The i-th program header: false when there is none. */
static bool segment(const ElfReader *r, unsigned i, Segment *ret) {
        if (is_64(r)) {
                Elf64_Ehdr h;
                Elf64_Phdr p;

                if (!head_get(r, 0, &h, sizeof(h)) || i >= h.e_phnum || h.e_phoff > HEAD_MAX ||
                    !head_get(r, h.e_phoff + (uint64_t) i * sizeof(p), &p, sizeof(p)))
                        return false;
                *ret = (Segment){ p.p_type, p.p_offset, p.p_vaddr, p.p_filesz };
        } else {
                Elf32_Ehdr h;
                Elf32_Phdr p;

                if (!head_get(r, 0, &h, sizeof(h)) || i >= h.e_phnum ||
                    !head_get(r, h.e_phoff + (uint64_t) i * sizeof(p), &p, sizeof(p)))
                        return false;
                *ret = (Segment){ p.p_type, p.p_offset, p.p_vaddr, p.p_filesz };
        }
        return true;
}

static void find_dynamic(ElfReader *r) {
        Segment s;

        r->sized = true;
        if (!is_elf(r))
                return;
        for (unsigned i = 0; segment(r, i, &s); i++)
                if (s.type == PT_DYNAMIC) {
                        r->dynamic_offset = s.offset;
                        r->dynamic_size = MIN(s.size, (uint64_t) DYNAMIC_MAX);
                        return;
                }
}

/* The part of [data, data + size), which lies at r->position, that belongs to the dynamic section. */
static void keep_dynamic(ElfReader *r, const char *data, uint64_t from, size_t size) {
        uint64_t begin = MAX(from, r->dynamic_offset), end;

        if (__builtin_add_overflow(r->dynamic_offset, r->dynamic_size, &end))
                return;
        end = MIN(end, from + size);
        if (begin < end && begin - r->dynamic_offset == r->dynamic.size)
                text_append_n(&r->dynamic, data + (begin - from), (size_t) (end - begin));
}

void elf_reader_update(ElfReader *r, const void *data, size_t size) {
        if (r->sized && !is_elf(r))
                return;
        if (r->head.size < HEAD_MAX)
                text_append_n(&r->head, data, MIN(size, HEAD_MAX - r->head.size));
        if (!r->sized && r->position + size >= 64 * 1024) {
                find_dynamic(r);
                if (r->sized && r->position > 0) /* what went by before the headers were complete */
                        keep_dynamic(r, r->head.data, 0, (size_t) r->position);
        }
        if (r->sized)
                keep_dynamic(r, data, r->position, size);
        r->position += size;
}

static bool file_offset(const ElfReader *r, uint64_t address, uint64_t *ret) {
        Segment s;

        for (unsigned i = 0; segment(r, i, &s); i++)
                if (s.type == PT_LOAD && address >= s.address && address - s.address < s.size)
                        return !__builtin_add_overflow(address - s.address, s.offset, ret);
        return false;
}

/* DT_STRTAB's file offset plus DT_SONAME. */
static bool soname_offset(const ElfReader *r, const char *dynamic, size_t size, uint64_t *ret) {
        uint64_t table = 0, name = 0, at;
        bool have_name = false, have_table = false;

        for (size_t i = 0;; i++) {
                uint64_t tag, value;

                if (is_64(r)) {
                        Elf64_Dyn d;
                        if ((i + 1) * sizeof(d) > size)
                                break;
                        memcpy(&d, dynamic + i * sizeof(d), sizeof(d));
                        tag = (uint64_t) d.d_tag, value = d.d_un.d_val;
                } else {
                        Elf32_Dyn d;
                        if ((i + 1) * sizeof(d) > size)
                                break;
                        memcpy(&d, dynamic + i * sizeof(d), sizeof(d));
                        tag = (uint64_t) d.d_tag, value = d.d_un.d_val;
                }
                if (tag == DT_NULL)
                        break;
                if (tag == DT_STRTAB)
                        table = value, have_table = true;
                else if (tag == DT_SONAME)
                        name = value, have_name = true;
        }
        return have_table && have_name && file_offset(r, table, &at) && !__builtin_add_overflow(at, name, ret);
}

static bool is_file_name(const char *s, size_t n) {
        if (n == 0 || n > 255 || s[0] == '.')
                return false;
        for (size_t i = 0; i < n; i++)
                if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-", s[i]) || !s[i])
                        return false;
        return true;
}

char *elf_reader_soname(const ElfReader *r) {
        ElfReader small = *r;
        const char *dynamic = r->dynamic.data, *end;
        size_t size = r->dynamic.size;
        uint64_t at;

        if (r->head.failed || r->dynamic.failed || !is_elf(r))
                return NULL;
        if (!r->sized) { /* all of a small file is in the head */
                find_dynamic(&small);
                if (small.dynamic_offset > r->head.size || small.dynamic_size > r->head.size - small.dynamic_offset)
                        return NULL;
                dynamic = r->head.data + small.dynamic_offset;
                size = (size_t) small.dynamic_size;
        }
        if (!dynamic || !soname_offset(r, dynamic, size, &at) || at >= r->head.size)
                return NULL;
        end = memchr(r->head.data + at, '\0', r->head.size - at);
        if (!end || !is_file_name(r->head.data + at, (size_t) (end - (r->head.data + at))))
                return NULL;
        return strdup(r->head.data + at);
}
