/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch-root.h"

#include "node/boot-entries.h"
#include "run.h"

static void put_entry(const char *name, const char *text) {
        _cleanup_free_ char *path = format("%s/%s.conf", BOOT_ENTRIES_DIR, name);

        scratch_put(path, text);
}

START_TEST(reads_as_grub_does) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_boot_entries_ BootEntries b = {};

        put_entry("m-1.9", "title Nine\nversion 1.9\nlinux /vmlinuz-1.9\ninitrd /i.img $tuned_initrd\noptions $kernelopts  a=1 ${other}\noptions b\n");
        put_entry("m-1.10", "# comment\n\n  linux\t/boot/vmlinuz-1.10 \noptions root=x\r\n");
        put_entry("m-0-rescue", "version 0-rescue-1\nlinux /vmlinuz-0-rescue\noptions $tuned_params single\n");
        scratch_put("/boot/loader/entries/not-an-entry", "x");
        scratch_put("/boot/loader/entries/.hidden.conf", "x");
        scratch_put(BOOT_GRUBENV_PATH, "# GRUB Environment Block\nkernelopts=root=y ro\nother=with\\\\slash\nsaved_entry=m-1.9\n####");
        ck_assert_int_eq(boot_entries_load(&node, &b, &e), 0);
        ck_assert_uint_eq(b.n, 3);
        ck_assert_str_eq(b.entries[0].id, "m-1.10");
        ck_assert_str_eq(boot_entry_kernel(&b.entries[0]), "1.10");
        ck_assert_str_eq(b.entries[0].options, "root=x");
        ck_assert_str_eq(b.entries[1].options, "root=y ro  a=1 with\\slash b");
        ck_assert_str_eq(b.entries[1].initrd_path, "/i.img $tuned_initrd");
        ck_assert(b.entries[2].rescue);
        ck_assert_str_eq(b.entries[2].options, " single");
        ck_assert_ptr_null(b.missing_variable);
        ck_assert_str_eq(boot_entries_default(&b)->id, "m-1.9");
}
END_TEST

START_TEST(default_by_any_name) {
        static const struct { const char *saved, *id; } cases[] = {
                { "m-2", "m-2" }, { "Title of one", "m-1" }, { "0", "m-2" }, { "1", "m-1" }, { "7", "m-2" }, { "gone", "m-2" }, { "", "m-2" },
        };
        _cleanup_error_ Error e = ERROR_INIT;

        put_entry("m-1", "title Title of one\nversion 1\n");
        put_entry("m-2", "version 2\n");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_boot_entries_ BootEntries b = {};
                _cleanup_free_ char *text = format("saved_entry=%s\n", cases[i].saved);

                scratch_put(BOOT_GRUBENV_PATH, text);
                ck_assert_int_eq(boot_entries_load(&node, &b, &e), 0);
                ck_assert_str_eq(boot_entries_default(&b)->id, cases[i].id);
        }
}
END_TEST

START_TEST(missing_and_malformed) {
        _cleanup_error_ Error e = ERROR_INIT;
        BootEntries b = {};

        ck_assert_int_eq(boot_entries_load(&node, &b, &e), 0);
        ck_assert_uint_eq(b.n, 0);
        ck_assert_ptr_null(boot_entries_default(&b));
        boot_entries_free(&b);
        put_entry("a", "options $kernelopts\n");
        ck_assert_int_eq(boot_entries_load(&node, &b, &e), 0);
        ck_assert_str_eq(b.missing_variable, "kernelopts");
        ck_assert_str_eq(b.missing_in, BOOT_ENTRIES_DIR "/a.conf");
        ck_assert_ptr_null(boot_entry_kernel(&b.entries[0]));
        boot_entries_free(&b);
        scratch_put_bytes(BOOT_ENTRIES_DIR "/b.conf", "title\0x", 7);
        ck_assert_int_eq(boot_entries_load(&node, &b, &e), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(e.message, "b.conf"));
}
END_TEST

/* A few variables that are long, many times: what is small on disk must not become huge in memory. */
START_TEST(expansion_is_bounded) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_text_ Text env = {}, entry = {};
        _cleanup_free_ char *grubenv = NULL, *text = NULL;
        BootEntries b = {};

        text_append(&env, "long=");
        for (size_t i = 0; i < 60000; i++)
                text_append(&env, "x");
        text_append(&env, "\n");
        text_append(&entry, "options");
        for (size_t i = 0; i < 9000; i++)
                text_append(&entry, " $long");
        grubenv = text_take(&env);
        text = text_take(&entry);
        scratch_put_bytes(BOOT_GRUBENV_PATH, grubenv, strlen(grubenv));
        put_entry("a", text);
        ck_assert_int_eq(boot_entries_load(&node, &b, &e), -EFBIG);
        ck_assert_ptr_nonnull(strstr(e.message, "a.conf"));
}
END_TEST

START_TEST(huge_is_refused) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *big = calloc(1, 1 << 20);
        BootEntries b = {};

        memset(big, 'x', 1 << 20);
        scratch_put_bytes(BOOT_ENTRIES_DIR "/b.conf", big, 1 << 20);
        ck_assert_int_eq(boot_entries_load(&node, &b, &e), -EFBIG);
}
END_TEST

START_TEST(links_and_fifos_are_refused) {
        _cleanup_free_ char *path = format("%s%s/a.conf", scratch, BOOT_ENTRIES_DIR);
        _cleanup_error_ Error e = ERROR_INIT;
        BootEntries b = {};

        put_entry("b", "linux /x\n");
        scratch_put("/etc/passwd", "linux /x\n");
        ck_assert_int_eq(symlink("/etc/passwd", path), 0);
        ck_assert_int_eq(boot_entries_load(&node, &b, &e), -ELOOP);
        ck_assert_int_eq(e.code, EXIT_INVALID);
        ck_assert_ptr_nonnull(strstr(e.message, "/etc/passwd"));
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        ck_assert_int_eq(boot_entries_load(&node, &b, NULL), -EINVAL);
}
END_TEST

START_TEST(grubenv_must_be_one) {
        static const struct { const char *text; size_t size; bool broken; } cases[] = {
                { "# GRUB Environment Block\na=b\n###", 31, false }, { "", 0, true }, { "x", 1, true }, { "# GRUB Environment Block\na=b\0#", 30, true },
                { "# GRUB Environment Bloc", 23, true },
        };

        put_entry("b", "linux /x\n");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_boot_entries_ BootEntries b = {};

                scratch_put_bytes(BOOT_GRUBENV_PATH, cases[i].text, cases[i].size);
                ck_assert_int_eq(boot_entries_load(&node, &b, NULL), 0);
                ck_assert_msg(b.grubenv_broken == cases[i].broken, "case %zu", i);
        }
}
END_TEST

START_TEST(versions_as_rpm_orders_them) {
        static const char *const rising[] = { "", "a", "1", "1.a", "1.1", "1.9", "1.10", "5.10.77-18", "5.10.77-18.al8.x86_64",
                                              "5.10.77-18.1.al8.x86_64", "5.10.77-19.al8.x86_64", "6" };

        for (size_t i = 0; i < ELEMENTSOF(rising); i++)
                for (size_t k = 0; k < ELEMENTSOF(rising); k++) {
                        int r = version_compare(rising[i], rising[k]);

                        ck_assert_msg((r > 0) - (r < 0) == (i > k) - (i < k), "%s against %s: %d", rising[i], rising[k], r);
                }
        ck_assert_int_eq(version_compare("1.01", "1-1"), 0);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("boot entries");
        TCase *t = tcase_create("boot entries");

        tcase_add_checked_fixture(t, scratch_begin, scratch_end);
        tcase_add_test(t, reads_as_grub_does);
        tcase_add_test(t, default_by_any_name);
        tcase_add_test(t, missing_and_malformed);
        tcase_add_test(t, expansion_is_bounded);
        tcase_add_test(t, huge_is_refused);
        tcase_add_test(t, links_and_fifos_are_refused);
        tcase_add_test(t, grubenv_must_be_one);
        tcase_add_test(t, versions_as_rpm_orders_them);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
