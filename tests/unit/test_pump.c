/* SPDX-License-Identifier: Apache-2.0 */
/* A copy with another beginning, a stream into a file, and what is on the disk before it counts. */
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/digest-lane.h"
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

/* What was there before is digested, the rest written, too; the thread comes and goes at 16 MiB. */
static const struct {
        size_t size, known, piece;
} streams[] = {
        { 0, 0, 1 }, { 1000, 0, 7 }, { 16777216, 0, 1000003 }, { 16777216, 16777216, 16384 }, { 17000001, 300, 16384 }, { 35000000, 17000000, 700000 },
};

static int give(DigestLane *d, const char *data, size_t size, size_t piece) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < size; i += piece)
                r = digest_lane_update(d, data + i, MIN(piece, size - i));
        return r;
}

START_TEST(a_stream_is_written_and_digested) {
        size_t n = streams[_i].size, known = streams[_i].known;
        _cleanup_free_ char *data = make_bytes(n), *out = NULL, *got = NULL;
        _cleanup_close_ int fd = openat(dir_fd, "out", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        char hex[SHA256_HEX_SIZE];
        DigestLane d = {};
        size_t size;

        ck_assert_int_eq(write_all(fd, data, known), 0);
        ck_assert_int_eq(digest_lane_begin(&d), 0);
        ck_assert_int_eq(give(&d, data, known, streams[_i].piece), 0);
        ck_assert_int_eq(digest_lane_write_to(&d, fd), 0);
        ck_assert_int_eq(give(&d, data + known, n - known, streams[_i].piece), 0);
        ck_assert_int_eq(digest_lane_finish(&d, &got), 0);
        ck_assert_int_eq(sha256_buffer(data, n, hex), 0);
        ck_assert_str_eq(got, hex);
        ck_assert_int_eq(read_file(dir_fd, "out", n + 1, &out, &size), 0);
        ck_assert_uint_eq(size, n);
        ck_assert(memcmp(out, data, n) == 0);
}
END_TEST

/* Who stops in between finds what he gave in the file. */
START_TEST(a_stream_that_stops_is_written) {
        _cleanup_free_ char *data = make_bytes(20000001);
        _cleanup_close_ int fd = openat(dir_fd, "out", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        DigestLane d = {};
        struct stat st;

        ck_assert_int_eq(digest_lane_begin(&d), 0);
        ck_assert_int_eq(digest_lane_write_to(&d, fd), 0);
        ck_assert_int_eq(give(&d, data, 20000001, 16384), 0);
        digest_lane_clear(&d);
        ck_assert_int_eq(fstat(fd, &st), 0);
        ck_assert_int_eq(st.st_size, 20000001);
}
END_TEST

START_TEST(a_stream_that_finds_no_room_says_so) {
        size_t n = _i == 0 ? 1000 : 16777216 + 100;
        _cleanup_free_ char *data = make_bytes(n), *got = NULL;
        _cleanup_close_ int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
        DigestLane d = {};
        int r;

        ck_assert_int_eq(digest_lane_begin(&d), 0);
        ck_assert_int_eq(digest_lane_write_to(&d, fd), 0);
        r = give(&d, data, n, n);
        ck_assert_int_eq(r < 0 ? r : digest_lane_finish(&d, &got), -ENOSPC);
        digest_lane_clear(&d);
        ck_assert_ptr_null(got);
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
        tcase_add_loop_test(t, a_stream_is_written_and_digested, 0, ELEMENTSOF(streams));
        tcase_add_test(t, a_stream_that_stops_is_written);
        tcase_add_loop_test(t, a_stream_that_finds_no_room_says_so, 0, 2);
        tcase_add_test(t, a_tree_is_synced);
        suite_add_tcase(s, t);
        return run_suite(s);
}
