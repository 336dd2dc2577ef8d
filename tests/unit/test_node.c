/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch-root.h"
#include "run.h"

static Environment detect(const char *word) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_node_ Node n = { .root_fd = -1 };

        if (word)
                ck_assert_int_eq(setenv("GN8V_TEE_ENVIRONMENT", word, 1), 0);
        else
                ck_assert_int_eq(unsetenv("GN8V_TEE_ENVIRONMENT"), 0);
        ck_assert_int_eq(node_open(&n, scratch, &e), 0);
        return n.environment;
}

START_TEST(another_root_is_an_image) {
        ck_assert_int_eq(detect(NULL), ENVIRONMENT_IMAGE);
        ck_assert_int_eq(detect(""), ENVIRONMENT_IMAGE);
        ck_assert_int_eq(detect("machine"), ENVIRONMENT_MACHINE);
        ck_assert_int_eq(detect("ostree"), ENVIRONMENT_OSTREE);
}
END_TEST

START_TEST(unknown_environment) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_node_ Node n = { .root_fd = -1 };

        ck_assert_int_eq(setenv("GN8V_TEE_ENVIRONMENT", "moon", 1), 0);
        ck_assert_int_eq(node_open(&n, scratch, &e), -EINVAL);
        ck_assert_int_eq(e.code, EXIT_USAGE);
}
END_TEST

START_TEST(links_lead_inside_the_root) {
        _cleanup_free_ char *link = NULL, *outside = NULL;

        /* As EL8 on UEFI: grubenv is a link into the ESP; here an absolute one, which must not leave the root. */
        scratch_put("/boot/efi/grubenv", "old");
        scratch_put("/boot/grub2/x", "");
        link = format("%s/boot/grub2/grubenv", scratch);
        ck_assert_int_eq(symlink("/boot/efi/grubenv", link), 0);
        scratch_put("/boot/grub2/grubenv", "new");
        scratch_is("/boot/efi/grubenv", "new");
        ck_assert_int_eq(node_readlink(&node, "/boot/grub2/grubenv", &outside), 0);
        ck_assert_str_eq(outside, "/boot/efi/grubenv");
        ck_assert_int_eq(unlink(link), 0);
        ck_assert_int_eq(symlink("../../../../../../boot/efi/grubenv", link), 0);
        scratch_put("/boot/grub2/grubenv", "newer");
        scratch_is("/boot/efi/grubenv", "newer");
        ck_assert_int_eq(unlink(link), 0);
        ck_assert_int_eq(symlink("grubenv", link), 0);
        ck_assert_int_eq(node_write(&node, "/boot/grub2/grubenv", "x", 1, 0644), -ELOOP);
}
END_TEST

START_TEST(modes_are_kept) {
        _cleanup_free_ char *path = format("%s/etc/f", scratch);
        struct stat st;

        scratch_put("/etc/f", "1");
        ck_assert_int_eq(chmod(path, 0600), 0);
        scratch_put("/etc/f", "2");
        ck_assert_int_eq(node_stat(&node, "/etc/f", &st), 0);
        ck_assert_int_eq(st.st_mode & 07777, 0600);
        ck_assert_int_eq(node_write(&node, "/etc", "x", 1, 0644), -EEXIST);
        ck_assert_int_eq(node_remove(&node, "/etc/f"), 0);
        ck_assert_int_eq(node_remove(&node, "/etc/f"), 0);
        ck_assert_int_eq(node_remove(&node, "/none/f"), 0);
        ck_assert_int_eq(node_remove_directory(&node, "/etc"), 0);
        ck_assert(!node_exists(&node, "/etc"));
}
END_TEST

START_TEST(lists_are_sorted) {
        _cleanup_strv_ char **names = NULL, **none = NULL;
        _cleanup_free_ char *joined = NULL;

        scratch_put("/d/b", "");
        scratch_put("/d/a", "");
        scratch_put("/d/C", "");
        ck_assert_int_eq(node_list(&node, "/d", &names), 0);
        joined = strv_join(names, " ");
        ck_assert_str_eq(joined, "C a b");
        ck_assert_int_eq(node_list(&node, "/none", &none), 0);
        ck_assert_ptr_null(none);
}
END_TEST

START_TEST(the_lock_excludes) {
        _cleanup_error_ Error e = ERROR_INIT;
        int one = node_lock(&node, 0, &e);

        ck_assert_int_ge(one, 0);
        ck_assert_int_eq(node_lock(&node, 0, &e), -EWOULDBLOCK);
        ck_assert_int_eq(e.code, EXIT_LOCKED);
        ck_assert_int_eq(node_lock(&node, 1, NULL), -EWOULDBLOCK);
        ck_assert_int_eq(close(one), 0);
        one = node_lock(&node, 0, &e);
        ck_assert_int_ge(one, 0);
        ck_assert_int_eq(close(one), 0);
}
END_TEST

/* The package was removed and another took its place while we waited: the old file locks nobody out. */
START_TEST(the_lock_is_the_one_that_has_the_name) {
        _cleanup_free_ char *path = format("%s" NODE_LOCK_PATH, scratch);
        struct stat held, named;
        int one, two;

        one = node_lock(&node, 0, NULL);
        ck_assert_int_ge(one, 0);
        ck_assert_int_eq(unlink(path), 0);
        two = node_lock(&node, 0, NULL);
        ck_assert_int_ge(two, 0);
        ck_assert_int_eq(fstat(two, &held), 0);
        ck_assert_int_eq(stat(path, &named), 0);
        ck_assert_uint_eq(held.st_ino, named.st_ino);
        ck_assert_int_eq(node_lock(&node, 0, NULL), -EWOULDBLOCK);
        ck_assert_int_eq(close(one), 0);
        ck_assert_int_eq(close(two), 0);
}
END_TEST

START_TEST(what_tools_wrote_is_flushed) {
        _cleanup_free_ char *link = format("%s/d/link", scratch), *fifo = format("%s/d/fifo", scratch);

        scratch_put("/d/a", "x");
        ck_assert_int_eq(symlink("a", link), 0);
        ck_assert_int_eq(mkfifo(fifo, 0600), 0);
        ck_assert_int_eq(node_sync(&node, "/d/a"), 0);
        ck_assert_int_eq(node_sync(&node, "/d/link"), 0);
        ck_assert_int_eq(node_sync(&node, "/d/none"), 0);
        ck_assert_int_eq(node_sync(&node, "/none/none"), 0);
        ck_assert_int_eq(node_sync_directory(&node, "/d"), 0);
        ck_assert_int_eq(node_sync_directory(&node, "/none"), 0);
}
END_TEST

static int failing(Node *n, const char *const *argv, unsigned timeout_sec, int *ret_status, char **ret_output, Error *e) {
        *ret_status = 3;
        *ret_output = strdup("first line\nthe reason\n\n");
        return 0;
}

START_TEST(the_tools_last_words) {
        static const char *const argv[] = { "tool", "verb", NULL };
        _cleanup_error_ Error e = ERROR_INIT;

        node.run = failing;
        ck_assert_int_eq(node_tool(&node, argv, 1, NULL, &e), -EIO);
        ck_assert_str_eq(e.message, "tool verb: exit status 3: the reason");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("node");
        TCase *t = tcase_create("node");

        tcase_add_checked_fixture(t, scratch_begin, scratch_end);
        tcase_add_test(t, another_root_is_an_image);
        tcase_add_test(t, unknown_environment);
        tcase_add_test(t, links_lead_inside_the_root);
        tcase_add_test(t, modes_are_kept);
        tcase_add_test(t, lists_are_sorted);
        tcase_add_test(t, the_lock_excludes);
        tcase_add_test(t, the_lock_is_the_one_that_has_the_name);
        tcase_add_test(t, what_tools_wrote_is_flushed);
        tcase_add_test(t, the_tools_last_words);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
