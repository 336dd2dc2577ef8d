/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/elf.h"

#include <fcntl.h>
#include <link.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "run.h"

static char *soname_of(const char *data, size_t size, size_t step) {
        ElfReader *r = elf_reader_new();
        char *s;

        for (size_t at = 0; at < size; at += step)
                elf_reader_update(r, data + at, MIN(step, size - at));
        s = elf_reader_soname(r);
        elf_reader_free(r);
        return s;
}

static int each_library(struct dl_phdr_info *info, size_t size, void *userdata) {
        const char *base = path_basename(info->dlpi_name);
        _cleanup_free_ char *data = NULL;
        size_t n;

        (void) size;
        /* The loader finds a library by its SONAME, so that the name of the file is it. */
        if (!startswith(base, "lib") || read_file(AT_FDCWD, info->dlpi_name, 64 << 20, &data, &n) < 0)
                return 0;
        for (size_t step = n; step > 0; step = step > 4096 ? 4096 : step > 777 ? 777 : 0) {
                _cleanup_free_ char *s = soname_of(data, n, step);

                ck_assert_msg(s && streq(s, base), "%s: %s", info->dlpi_name, s ?: "none");
        }
        ++*(size_t *) userdata;
        return 0;
}

START_TEST(test_libraries) {
        size_t n = 0;

        dl_iterate_phdr(each_library, &n);
        ck_assert_uint_ge(n, 2);
}
END_TEST

static int one_cut(struct dl_phdr_info *info, size_t size, void *userdata) {
        _cleanup_free_ char *data = NULL;
        size_t n;

        (void) size, (void) userdata;
        if (!strstr(info->dlpi_name, "libcheck"))
                return 0;
        if (read_file(AT_FDCWD, info->dlpi_name, 64 << 20, &data, &n) < 0)
                return 0;
        /* Cut anywhere, or with any byte of the headers changed: no crash, at most another name. */
        for (size_t cut = 0; cut < n; cut += n / 32 + 1)
                free(soname_of(data, cut, 4096));
        for (size_t i = 0; i < 600; i += 3) {
                char saved = data[i];

                data[i] = (char) 0xff;
                free(soname_of(data, n, 1 << 20));
                data[i] = saved;
        }
        return 1;
}

START_TEST(test_damaged) {
        dl_iterate_phdr(one_cut, NULL);
        ck_assert_ptr_null(soname_of("\x7f" "ELF", 4, 1));
        ck_assert_ptr_null(soname_of("text, no library at all: longer than an ELF header would have to be", 67, 9));
}
END_TEST

int main(void) {
        Suite *s = suite_create("elf");
        TCase *t = tcase_create("all");

        tcase_add_test(t, test_libraries);
        tcase_add_test(t, test_damaged);
        suite_add_tcase(s, t);
        return run_suite(s);
}
