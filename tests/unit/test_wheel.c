/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/wheel.h"
#include "run.h"


/* SHA-256 of nothing, as hexadecimal and as a wheel writes it. */
#define EMPTY_HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define EMPTY_B64 "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"

START_TEST(test_record) {
        static const char text[] = "b/x.so,sha256=" EMPTY_B64 ",0\r\n\"a,\"\"b\"\"\",sha256=" EMPTY_B64 ",12\nn-1.dist-info/RECORD,,\n";
        _cleanup_(wheel_record_freep) WheelRecord *r = NULL;
        const WheelFile *f;

        ck_assert_int_eq(wheel_record_parse("RECORD", text, sizeof(text) - 1, &r, NULL), 0);
        ck_assert_uint_eq(r->n_files, 3);
        f = wheel_record_find(r, "b/x.so");
        ck_assert_ptr_nonnull(f);
        ck_assert_str_eq(f->sha256, EMPTY_HEX);
        f = wheel_record_find(r, "a,\"b\"");
        ck_assert_ptr_nonnull(f);
        ck_assert_uint_eq(f->size, 12);
        ck_assert_str_eq(wheel_record_find(r, "n-1.dist-info/RECORD")->sha256, "");
        ck_assert_ptr_null(wheel_record_find(r, "c"));
}
END_TEST

START_TEST(test_refused) {
        static const char *const bad[] = {
                "a", "a,sha256=" EMPTY_B64, "a,sha256=x,0", "a,md5=" EMPTY_B64 ",0", "a,,", "a,sha256=" EMPTY_B64 ",-1", "a,sha256=" EMPTY_B64 "=,1",
                "../a,sha256=" EMPTY_B64 ",0", "/a,sha256=" EMPTY_B64 ",0", "\"a,sha256=" EMPTY_B64 ",0", "a,sha256=" EMPTY_B64 ",0,x",
                "a,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFV,0", /* bits beyond the 256th */
                "a,sha256=" EMPTY_B64 ",0\na,sha256=" EMPTY_B64 ",0",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(wheel_record_freep) WheelRecord *r = NULL;
                ck_assert_msg(wheel_record_parse("RECORD", bad[i], strlen(bad[i]), &r, NULL) == -EBADMSG, "%s", bad[i]);
        }
}
END_TEST

START_TEST(test_metadata) {
        static const char text[] = "Metadata-Version: 2.1\r\nName: some_thing\r\nVersion:1.2.3\nEmpty:\n\nName: body\nBody: x\n";
        _cleanup_free_ char *a = NULL, *b = NULL, *c = NULL, *d = NULL;

        ck_assert_int_eq(wheel_metadata_get(text, "Name", &a), 0);
        ck_assert_str_eq(a, "some_thing");
        ck_assert_int_eq(wheel_metadata_get(text, "version", &b), 0);
        ck_assert_str_eq(b, "1.2.3");
        ck_assert_int_eq(wheel_metadata_get(text, "Empty", &c), 0);
        ck_assert_str_eq(c, "");
        ck_assert_int_eq(wheel_metadata_get(text, "Body", &d), -ENOENT);
}
END_TEST

int main(void) {
        Suite *s = suite_create("wheel");
        TCase *t = tcase_create("all");

        tcase_add_test(t, test_record);
        tcase_add_test(t, test_refused);
        tcase_add_test(t, test_metadata);
        suite_add_tcase(s, t);
        return run_suite(s);
}
