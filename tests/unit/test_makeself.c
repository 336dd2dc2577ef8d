/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/makeself.h"

#include "archive-maker.h"
#include "run.h"

#define PAYLOAD "\x1f\x8b" "the rest"

static int parse(const char *header, const char *payload, size_t payload_size, size_t cut, MakeselfPayload *ret, Error *e) {
        _cleanup_text_ Text t = {};

        text_append(&t, header);
        text_append_n(&t, payload, payload_size);
        return makeself_parse("x.run", t.data, t.size, t.size - cut, ret, e);
}

START_TEST(test_forms) {
        static const HeaderForm forms[] = { HEADER_NVIDIA_SKIP, HEADER_SKIP, HEADER_OFFSET };

        for (size_t i = 0; i < ELEMENTSOF(forms); i++) {
                _cleanup_free_ char *header = made_header(forms[i], sizeof(PAYLOAD) - 1);
                _cleanup_error_ Error e = ERROR_INIT;
                MakeselfPayload p;

                ck_assert_int_eq(parse(header, PAYLOAD, sizeof(PAYLOAD) - 1, 0, &p, &e), 0);
                ck_assert_uint_eq(p.offset, strlen(header));
                ck_assert_uint_eq(p.size, sizeof(PAYLOAD) - 1);
        }
}
END_TEST

START_TEST(test_magics) {
        static const struct {
                const char *bytes;
                size_t size;
        } good[] = { { "\xfd" "7zXZ\0", 6 }, { "\x28\xb5\x2f\xfd", 4 }, { "\x1f\x8b", 2 }, { "BZh", 3 } };
        _cleanup_free_ char *header = made_header(HEADER_OFFSET, 0);
        MakeselfPayload p;

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                ck_assert_int_eq(parse(header, good[i].bytes, good[i].size, 0, &p, NULL), 0);
        ck_assert_int_eq(parse(header, "plain text", 10, 0, &p, NULL), -EBADMSG);
}
END_TEST

/* The rest of a payload after what filesizes= says is none of it. */
START_TEST(test_filesizes) {
        MakeselfPayload p;

        ck_assert_int_eq(parse("#!/bin/sh\nfilesizes=\"3 4\"\nskip=\"3\"\n", PAYLOAD, sizeof(PAYLOAD) - 1, 0, &p, NULL), 0);
        ck_assert_uint_eq(p.size, 7);
}
END_TEST

START_TEST(test_cut_short) {
        _cleanup_free_ char *header = made_header(HEADER_SKIP, sizeof(PAYLOAD) - 1);
        _cleanup_error_ Error e = ERROR_INIT;
        MakeselfPayload p = { 1, 2 };

        ck_assert_int_eq(parse(header, PAYLOAD, sizeof(PAYLOAD) - 1, 3, &p, &e), -EBADMSG);
        ck_assert_int_eq(e.code, EXIT_INVALID);
        ck_assert_ptr_nonnull(strstr(e.message, "x.run"));
        ck_assert_ptr_nonnull(strstr(e.message, "cut short"));
        ck_assert_ptr_nonnull(e.hint);
        ck_assert_uint_eq(p.offset, 1); /* untouched */
}
END_TEST

START_TEST(test_refused) {
        static const char *const bad[] = {
                "", "#!", "not a script\nskip=2\n", "#!/bin/sh\necho hello\n", "#!/bin/sh\nskip=0\n", "#!/bin/sh\nskip=\n",
                "#!/bin/sh\nskip=99999999999999999999999\n", "#!/bin/sh\nskip=4000000000\n", "#!/bin/sh\nskip=-3\n",
                "#!/bin/sh\noffset=`head -n \"$skip\" \"$0\"`\n",
        };
        MakeselfPayload p;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_error_ Error e = ERROR_INIT;

                ck_assert_msg(parse(bad[i], PAYLOAD, sizeof(PAYLOAD) - 1, 0, &p, &e) == -EBADMSG, "%s", bad[i]);
                ck_assert_ptr_nonnull(strstr(e.message, "x.run"));
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("makeself");
        TCase *t = tcase_create("all");

        tcase_add_test(t, test_forms);
        tcase_add_test(t, test_magics);
        tcase_add_test(t, test_filesizes);
        tcase_add_test(t, test_cut_short);
        tcase_add_test(t, test_refused);
        suite_add_tcase(s, t);
        return run_suite(s);
}
