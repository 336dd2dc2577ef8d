/* SPDX-License-Identifier: Apache-2.0 */
/* A copy with another beginning, and what is on the disk before it counts. */
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/pump.h"
#include "repo/sync.h"
#include "run.h"

static char *dir;
static int dir_fd;

static void setup(void) {
        ck_assert_int_eq(make_temp_dir("/var/tmp", "gn8v-pump", &dir), 0);
        dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void teardown(void) {
        (void) close(dir_fd);
        ck_assert_int_eq(remove_tree(AT_FDCWD, dir), 0);
        free(dir);
}

static char *make_bytes(size_t n) {
        char *v = malloc(n + 1);

        for (size_t i = 0; i < n; i++)
                v[i] = (char) (i * 2654435761u >> 13);
        return v;
}

/* Around the sizes at which it goes another way: nothing, one chunk, threads and the disk's blocks. */
static const struct {
        size_t size, offset, head;
} copies[] = {
        { 0, 0, 0 }, { 10, 10, 3 }, { 4096, 96, 96 }, { 524288, 100, 100 }, { 524289, 5, 600000 }, { 16777216, 4096, 4096 }, { 16777216, 4096, 4095 },
        { 16777217, 1, 5000000 }, { 20000000, 300, 300 },
};

START_TEST(copies_are_right) {
        size_t n = copies[_i].size, offset = copies[_i].offset, head = copies[_i].head, size = head + n - offset;
        _cleanup_free_ char *data = make_bytes(n), *beginning = make_bytes(head), *expected = malloc(size + 1), *out = NULL, *got = NULL, *second = NULL;
        _cleanup_(digest_freep) Digest *copy = digest_new("sha256"), *old = digest_new("sha256");
        _cleanup_close_ int in_fd = -1, out_fd = -1;
        char hex[SHA256_HEX_SIZE], rest[SHA256_HEX_SIZE];
        _cleanup_error_ Error e = ERROR_INIT;
        size_t out_size = 0;
        uint64_t total = 7;
        Pump p;

        ck_assert_int_eq(write_file_new(dir_fd, "in", data, n, 0600), 0);
        in_fd = openat(dir_fd, "in", O_RDONLY | O_CLOEXEC);
        out_fd = openat(dir_fd, "out", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        p = (Pump){ .name = "in", .head = beginning, .head_size = head, .in_fd = in_fd, .in_offset = offset, .out_fd = out_fd, .out = copy, .in = old };
        ck_assert_msg(pump(&p, &total, &e) == 0, "%s", e.message);
        memcpy(expected, beginning, head);
        memcpy(expected + head, data + offset, n - offset);
        ck_assert_uint_eq(total, size);
        ck_assert_int_eq(read_file(dir_fd, "out", size + 1, &out, &out_size), 0);
        ck_assert_uint_eq(out_size, size);
        ck_assert(memcmp(out, expected, size) == 0);
        ck_assert_int_eq(sha256_buffer(expected, size, hex), 0);
        ck_assert_int_eq(sha256_buffer(data + offset, n - offset, rest), 0);
        ck_assert_str_eq(got = digest_hex(copy), hex);
        ck_assert_str_eq(second = digest_hex(old), rest);
}
END_TEST

START_TEST(a_full_disk_is_told) {
        size_t n = _i == 0 ? 1000 : 40000000;
        _cleanup_free_ char *data = make_bytes(n);
        _cleanup_(digest_freep) Digest *copy = digest_new("sha256");
        _cleanup_close_ int in_fd = -1, out_fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
        _cleanup_error_ Error e = ERROR_INIT;
        uint64_t total;
        Pump p;

        ck_assert_int_eq(write_file_new(dir_fd, "in", data, n, 0600), 0);
        in_fd = openat(dir_fd, "in", O_RDONLY | O_CLOEXEC);
        p = (Pump){ .name = "in", .head = "", .in_fd = in_fd, .out_fd = out_fd, .out = copy };
        ck_assert_int_eq(pump(&p, &total, &e), -ENOSPC);
        ck_assert_ptr_nonnull(strstr(e.message, "writing the copy of in"));
}
END_TEST

START_TEST(a_tree_is_synced) {
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(sync_tree(dir_fd, "d", &e), 0);
        ck_assert_int_eq(mkdirat(dir_fd, "a", 0700), 0);
        ck_assert_int_eq(mkdirat(dir_fd, "a/b", 0700), 0);
        for (int i = 0; i < 100; i++) {
                _cleanup_free_ char *name = format("a/b/%d", i);
                ck_assert_int_eq(write_file_new(dir_fd, name, "x", 1, 0600), 0);
        }
        ck_assert_int_eq(sync_tree(dir_fd, "d", &e), 0);
        ck_assert_int_eq(symlinkat("b", dir_fd, "a/link"), 0);
        ck_assert_int_eq(sync_tree(dir_fd, "d", &e), -ELOOP);
        ck_assert_ptr_nonnull(strstr(e.message, "d/a/link"));
}
END_TEST

int main(void) {
        Suite *s = suite_create("pump");
        TCase *t = tcase_create("pump");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, copies_are_right, 0, ELEMENTSOF(copies));
        tcase_add_loop_test(t, a_full_disk_is_told, 0, 2);
        tcase_add_test(t, a_tree_is_synced);
        suite_add_tcase(s, t);
        return run_suite(s);
}
