/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/digest.h"
#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/store.h"
#include "run.h"

static char *workspace;
static Store *store;

static void setup(void) {
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(make_temp_dir("/tmp", "gn8v-store", &workspace), 0);
        ck_assert_int_eq(store_open(workspace, true, &store, &e), 0);
}

static void teardown(void) {
        store = store_free(store);
        ck_assert_int_eq(remove_tree(AT_FDCWD, workspace), 0);
        free(workspace);
}

/* Writes partial/NAME and gives its descriptor and digest. */
static int partial(const char *name, const char *text, char hex[static SHA256_HEX_SIZE]) {
        uint64_t size;
        int fd = store_partial_open(store, name, &size, NULL);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write_all(fd, text, strlen(text)), 0);
        ck_assert_int_eq(sha256_buffer(text, strlen(text), hex), 0);
        return fd;
}

START_TEST(inserts) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *path = NULL, *text = NULL;
        char hex[SHA256_HEX_SIZE];
        _cleanup_close_ int fd = partial("p", "hello", hex), in = -1;
        struct stat st;
        uint64_t size;

        ck_assert(!store_has(store, hex));
        ck_assert_int_eq(store_open_file(store, hex, &e), -ENOENT);
        ck_assert_ptr_nonnull(strstr(e.hint, "fetch"));
        ck_assert_int_eq(store_insert(store, "p", fd, hex, NULL), 0);
        ck_assert(store_has(store, hex));
        ck_assert_int_eq(store_size(store, hex, &size), 0);
        ck_assert_uint_eq(size, 5);
        path = store_path(store, hex);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_int_eq(st.st_mode & 07777, 0444);
        ck_assert_uint_eq(store_partial_size(store, "p"), 0);
        in = store_open_file(store, hex, NULL);
        ck_assert_int_ge(in, 0);
        ck_assert_int_eq(read_fd(in, 100, &text, NULL), 0);
        ck_assert_str_eq(text, "hello");
}
END_TEST

START_TEST(continues) {
        char hex[SHA256_HEX_SIZE];
        uint64_t size = 0;

        safe_close(partial("p", "hel", hex));
        ck_assert_uint_eq(store_partial_size(store, "p"), 3);
        safe_close(store_partial_open(store, "p", &size, NULL));
        ck_assert_uint_eq(size, 3);
        ck_assert_int_eq(store_partial_remove(store, "p"), 0);
        ck_assert_int_eq(store_partial_remove(store, "p"), 0);
}
END_TEST

START_TEST(rejects) {
        static const char *const names[] = { "../../etc/passwd", ".hidden", "a b\n;rm", "", "plain-1.0.run" };
        static const char *const clean[] = { "_._.._etc_passwd", "_hidden", "a_b__rm", "file", "plain-1.0.run" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *path = NULL, *want = NULL;
                char hex[SHA256_HEX_SIZE];
                _cleanup_close_ int fd = partial("p", "wrong", hex);

                ck_assert_int_eq(store_reject(store, "p", names[i], hex, &path, NULL), 0);
                want = format("%s/store/rejected/%s.%s", workspace, clean[i], hex);
                ck_assert_str_eq(path, want);
                ck_assert_int_eq(access(path, F_OK), 0);
                ck_assert(!store_has(store, hex));
        }
}
END_TEST

START_TEST(refuses_what_is_no_digest) {
        uint64_t size;

        ck_assert(!store_has(store, "../../../etc/passwd"));
        ck_assert_int_eq(store_size(store, "", &size), -EINVAL);
        ck_assert_int_eq(store_open_file(store, "ABC", NULL), -EINVAL);
}
END_TEST

START_TEST(does_not_follow_links) {
        _cleanup_free_ char *link = format("%s/store/partial/p", workspace), *victim = format("%s/victim", workspace);
        uint64_t size;

        ck_assert_int_eq(symlink(victim, link), 0);
        ck_assert_int_eq(store_partial_open(store, "p", &size, NULL), -ELOOP);
        ck_assert_int_eq(access(victim, F_OK), -1);
}
END_TEST

START_TEST(locks) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(store_freep) Store *second = NULL;

        ck_assert_int_eq(store_open(workspace, true, &second, NULL), 0);
        ck_assert_int_eq(store_lock(store, NULL), 0);
        ck_assert_int_eq(store_lock(second, &e), -EWOULDBLOCK);
        ck_assert_int_eq(e.code, EXIT_LOCKED);
        store = store_free(store);
        ck_assert_int_eq(store_lock(second, NULL), 0);
}
END_TEST

START_TEST(says_where_there_is_none) {
        _cleanup_error_ Error e = ERROR_INIT;
        Store *none = NULL;

        ck_assert_int_eq(store_open("/nonexistent", false, &none, &e), -ENOENT);
        ck_assert_ptr_null(none);
        ck_assert_ptr_nonnull(strstr(e.message, "/nonexistent/store"));
}
END_TEST

static char *inserted(const char *name, const char *text, char hex[static SHA256_HEX_SIZE]) {
        _cleanup_close_ int fd = partial(name, text, hex);
        char *path = store_path(store, hex);

        ck_assert_int_eq(store_insert(store, name, fd, hex, NULL), 0);
        ck_assert_ptr_nonnull(path);
        return path;
}

/* As a power failure leaves a file whose blocks had not been written. */
static void lose(const char *path) {
        ck_assert_int_eq(chmod(path, 0644), 0);
        ck_assert_int_eq(truncate(path, 2), 0);
}

/* Of this boot what is there is taken at its word; of another one it is read. */
START_TEST(scratch_outlives_a_boot) {
        char hex[SHA256_HEX_SIZE], other[SHA256_HEX_SIZE];
        _cleanup_free_ char *path = NULL, *second = NULL;

        ck_assert_int_eq(store_scratch(store, NULL), 0);
        path = inserted("p", "hello", hex);
        second = inserted("q", "world", other);
        lose(path);
        ck_assert_int_eq(store_scratch(store, NULL), 0);
        ck_assert(store_has(store, hex));
        ck_assert_int_eq(write_file_atomic(store->fd, ".boot", "another", 7, 0644), 0);
        ck_assert_int_eq(store_scratch(store, NULL), 0);
        ck_assert(!store_has(store, hex));
        ck_assert(store_has(store, other));
        lose(second);
        ck_assert_int_eq(unlinkat(store->fd, ".boot", 0), 0);
        ck_assert_int_eq(store_scratch(store, NULL), 0);
        ck_assert(!store_has(store, other));
}
END_TEST

int main(void) {
        Suite *s = suite_create("store");
        TCase *t = tcase_create("store");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, inserts);
        tcase_add_test(t, continues);
        tcase_add_test(t, rejects);
        tcase_add_test(t, refuses_what_is_no_digest);
        tcase_add_test(t, does_not_follow_links);
        tcase_add_test(t, locks);
        tcase_add_test(t, says_where_there_is_none);
        tcase_add_test(t, scratch_outlives_a_boot);
        suite_add_tcase(s, t);
        return run_suite(s);
}
