/* SPDX-License-Identifier: Apache-2.0 */
/* What is no key and no package; real ones, signed well and badly, are in tests/e2e/fetch.sh. */
#include <fcntl.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/openpgp-key.h"
#include "repo/vendor-rpm.h"
#include "run.h"

#define FINGERPRINT "0123456789ABCDEF0123456789ABCDEF01234567"

static char *dir;

static void setup(void) {
        ck_assert_int_eq(make_temp_dir("/tmp", "gn8v-rpm", &dir), 0);
}

static void teardown(void) {
        ck_assert_int_eq(remove_tree(AT_FDCWD, dir), 0);
        free(dir);
}

static char *file(const char *name, const void *data, size_t size) {
        char *path = path_join(dir, name);

        ck_assert_int_eq(write_file_atomic(AT_FDCWD, path, data, size, 0644), 0);
        return path;
}

static const struct { const char *bytes; size_t size; } no_keys[] = {
        { "", 0 },
        { "hello", 5 },
        { "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n", 79 },
        { "\x99\xff\xff\x04", 4 },     /* a key packet that is longer than the file */
        { "\xed\xab\xee\xdb\x03", 5 }, /* the lead of a package */
};
START_TEST(no_key) {
        _cleanup_free_ char *path = file("key", no_keys[_i].bytes, no_keys[_i].size);
        _cleanup_error_ Error e = ERROR_INIT;
        OpenpgpKey *key = NULL;

        ck_assert_int_lt(openpgp_key_load(path, FINGERPRINT, &key, &e), 0);
        ck_assert_ptr_null(key);
        ck_assert_msg(e.code == EXIT_UNTRUSTED, "%d: %s", e.code, e.message);
        ck_assert_ptr_nonnull(startswith(e.message, path));
}
END_TEST

START_TEST(key_is_bounded) {
        _cleanup_free_ char *zeros = calloc(1, 2 << 20), *path = file("key", zeros, 2 << 20);
        _cleanup_error_ Error e = ERROR_INIT;
        OpenpgpKey *key = NULL;

        ck_assert_int_eq(openpgp_key_load(path, FINGERPRINT, &key, &e), -EFBIG);
        ck_assert_int_eq(e.code, EXIT_INVALID);
}
END_TEST

START_TEST(key_is_missing) {
        _cleanup_error_ Error e = ERROR_INIT;
        OpenpgpKey *key = NULL;

        ck_assert_int_eq(openpgp_key_load("/nonexistent/key", FINGERPRINT, &key, &e), -ENOENT);
        ck_assert_ptr_nonnull(startswith(e.message, "/nonexistent/key: "));
}
END_TEST

START_TEST(expects) {
        VendorRpm v = { .name = (char *) "a", .version = (char *) "1.2.3", .release = (char *) "1", .arch = (char *) "x86_64" };
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(vendor_rpm_expect(&v, "f", "a", "1.2.3", "1", NULL), 0);
        ck_assert_int_lt(vendor_rpm_expect(&v, "f", "b", "1.2.3", "1", NULL), 0);
        ck_assert_int_lt(vendor_rpm_expect(&v, "f", "a", "1.2.4", "1", NULL), 0);
        ck_assert_int_lt(vendor_rpm_expect(&v, "f", "a", "1.2.3", "2", NULL), 0);
        v.arch = (char *) "aarch64";
        ck_assert_int_lt(vendor_rpm_expect(&v, "f", "a", "1.2.3", "1", &e), 0);
        ck_assert_int_eq(e.code, EXIT_UNTRUSTED);
        ck_assert_str_eq(e.message, "f: is the package a-1.2.3-1.aarch64, expected a-1.2.3-1.x86_64");
        v.arch = (char *) "noarch";
        ck_assert_int_eq(vendor_rpm_expect(&v, "f", "a", "1.2.3", "1", NULL), 0);
}
END_TEST

int main(void) {
        Suite *s = suite_create("vendor_rpm");
        TCase *t = tcase_create("vendor_rpm");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, no_key, 0, ELEMENTSOF(no_keys));
        tcase_add_test(t, key_is_bounded);
        tcase_add_test(t, key_is_missing);
        tcase_add_test(t, expects);
        suite_add_tcase(s, t);
        return run_suite(s);
}
