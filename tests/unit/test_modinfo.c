/* SPDX-License-Identifier: Apache-2.0 */
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "basic/fs.h"
#include "node/modinfo.h"
#include "run.h"

/* header, .modinfo's text, names, three section headers */
typedef struct Module {
        Elf64_Ehdr header;
        char info[64], names[32];
        Elf64_Shdr sections[3];
} Module;

static Module make_module(void) {
        Module m = { .header = { .e_shoff = offsetof(Module, sections), .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = 3, .e_shstrndx = 2 } };
        static const char info[] = "license=MIT\0xversion=no\0version=1.2.3\0\0version=late";
        static const char names[] = "\0.modinfo\0.shstrtab";

        memcpy(m.header.e_ident, ELFMAG, SELFMAG);
        m.header.e_ident[EI_CLASS] = ELFCLASS64;
        m.header.e_ident[EI_DATA] = ELFDATA2LSB;
        memcpy(m.info, info, sizeof(info));
        memcpy(m.names, names, sizeof(names));
        m.sections[1] = (Elf64_Shdr){ .sh_name = 1, .sh_offset = offsetof(Module, info), .sh_size = sizeof(info) };
        m.sections[2] = (Elf64_Shdr){ .sh_name = 10, .sh_offset = offsetof(Module, names), .sh_size = sizeof(names) };
        return m;
}

static int read_from(const void *data, size_t size, const char *name, char **ret) {
        _cleanup_close_ int fd = memfd_create("module", MFD_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write_all(fd, data, size), 0);
        return modinfo_read(fd, name, ret);
}

START_TEST(finds_the_version) {
        _cleanup_free_ char *version = NULL;
        Module m = make_module();

        ck_assert_int_eq(read_from(&m, sizeof(m), "version", &version), 0);
        ck_assert_str_eq(version, "1.2.3");
        ck_assert_int_eq(read_from(&m, sizeof(m), "vermagic", &version), -ENOENT);
}
END_TEST

START_TEST(not_an_uncompressed_module) {
        char *version = NULL;
        Module m = make_module();

        ck_assert_int_eq(read_from("\xfd" "7zXZ", 5, "version", &version), -EBADMSG);
        ck_assert_int_eq(read_from("", 0, "version", &version), -EBADMSG);
        m.header.e_ident[EI_CLASS] = ELFCLASS32;
        ck_assert_int_eq(read_from(&m, sizeof(m), "version", &version), -EBADMSG);
        m = make_module();
        m.sections[1].sh_size = UINT64_MAX;
        ck_assert_int_eq(read_from(&m, sizeof(m), "version", &version), -EBADMSG);
        m = make_module();
        m.sections[1].sh_offset = UINT64_MAX - 3;
        ck_assert_int_eq(read_from(&m, sizeof(m), "version", &version), -EBADMSG);
        m = make_module();
        m.header.e_shstrndx = 3;
        ck_assert_int_eq(read_from(&m, sizeof(m), "version", &version), -EBADMSG);
        ck_assert_ptr_null(version);
}
END_TEST

/* Cut off anywhere, or with any byte changed: some answer, and nothing out of bounds. */
START_TEST(no_file_hurts) {
        Module m = make_module();
        unsigned char *bytes = (unsigned char *) &m;

        for (size_t i = 0; i < sizeof(m); i++) {
                static const unsigned char values[] = { 0, 1, 0x7f, 0xff };

                for (size_t k = 0; k < ELEMENTSOF(values); k++) {
                        _cleanup_free_ char *version = NULL, *cut = NULL;
                        unsigned char was = bytes[i];

                        bytes[i] = values[k];
                        (void) read_from(&m, sizeof(m), "version", &version);
                        bytes[i] = was;
                        (void) read_from(&m, i, "version", &cut);
                }
        }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("modinfo");
        TCase *t = tcase_create("modinfo");

        tcase_add_test(t, finds_the_version);
        tcase_add_test(t, not_an_uncompressed_module);
        tcase_add_test(t, no_file_hurts);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
