/* SPDX-License-Identifier: Apache-2.0 */
/* The serial and date of expiry of the repository that dnf has in its cache. */
#include <sys/stat.h>
#include <utime.h>

#include "node/repository.h"

#include "run.h"
#include "scratch-root.h"

#define REPOMD "<repomd><revision>1</revision><tags>%s</tags><data type=\"primary\"/></repomd>"

static void put_cache(const char *digest, const char *tags, time_t time) {
        _cleanup_free_ char *path = format("/var/cache/dnf/gn8v-tee-%s/repodata/repomd.xml", digest), *text = format(REPOMD, tags), *real = NULL;

        scratch_put(path, text);
        real = format("%s%s", scratch, path);
        ck_assert_int_eq(utime(real, &(struct utimbuf){ .actime = time, .modtime = time }), 0);
}

START_TEST(the_newest_counts) {
        Freshness f;

        ck_assert_int_eq(repository_freshness(&node, &f, NULL), 0);
        ck_assert_uint_eq(f.serial, 0);
        put_cache("aa", "<content>other</content><content>gn8v-tee:serial=7</content>", 1000);
        put_cache("bb", "<content>gn8v-tee:serial=5</content><content>gn8v-tee:expires=2030-01-31T00:00:00Z</content>", 2000);
        scratch_put("/var/cache/dnf/other-cc/repodata/repomd.xml", "<content>gn8v-tee:serial=99</content>");
        ck_assert_int_eq(repository_freshness(&node, &f, NULL), 0);
        ck_assert_uint_eq(f.serial, 5);
        ck_assert_int_eq(f.expires, 1896048000);
}
END_TEST

START_TEST(only_higher_ones_are_remembered) {
        put_cache("aa", "<content>gn8v-tee:serial=7</content>", 1000);
        ck_assert_int_eq(repository_remember(&node, NULL), 0);
        ck_assert_uint_eq(repository_known(&node), 7);
        put_cache("aa", "<content>gn8v-tee:serial=6</content>", 2000);
        ck_assert_int_eq(repository_remember(&node, NULL), 0);
        ck_assert_uint_eq(repository_known(&node), 7);
        put_cache("aa", "", 3000);
        ck_assert_int_eq(repository_remember(&node, NULL), 0);
        ck_assert_uint_eq(repository_known(&node), 7);
        scratch_put(NODE_SERIAL_PATH, "nonsense\n");
        ck_assert_uint_eq(repository_known(&node), 0);
}
END_TEST

START_TEST(malformed_tags_are_refused) {
        static const char *const tags[] = { "<content>gn8v-tee:serial=0</content>", "<content>gn8v-tee:serial=-1</content>", "<content>gn8v-tee:serial=1",
                                            "<content>gn8v-tee:serial=1</content><content>gn8v-tee:serial=2</content>",
                                            "<content>gn8v-tee:expires=soon</content>", "<content>gn8v-tee:serial=99999999999999999999</content>" };
        Freshness f = { .serial = 42 };

        for (size_t i = 0; i < ELEMENTSOF(tags); i++) {
                _cleanup_error_ Error e = ERROR_INIT;

                put_cache("aa", tags[i], (time_t) (1000 + i));
                ck_assert_int_eq(repository_freshness(&node, &f, &e), -EBADMSG);
                ck_assert_int_eq(e.code, EXIT_INVALID);
        }
}
END_TEST

START_TEST(old_and_expired_ones_are_told) {
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(freshness_check(&(Freshness){ .serial = 3 }, 3, 1000, "it", NULL), 0);
        ck_assert_int_eq(freshness_check(&(Freshness){ .serial = 3, .expires = 1000 }, 0, 1000, "it", NULL), 0);
        ck_assert_int_eq(freshness_check(&(Freshness){ .serial = 3, .expires = 1000 }, 0, 1001, "it", &e), -ESTALE);
        ck_assert_str_eq(e.message, "it: it expired at 1970-01-01T00:16:40Z");
        error_clear(&e);
        ck_assert_int_eq(freshness_check(&(Freshness){ .serial = 3 }, 4, 0, "it", &e), -ESTALE);
        ck_assert_int_eq(e.code, EXIT_DIFFERS);
        error_clear(&e);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("repository");
        TCase *t = tcase_create("repository");

        tcase_add_checked_fixture(t, scratch_begin, scratch_end);
        tcase_add_test(t, the_newest_counts);
        tcase_add_test(t, only_higher_ones_are_remembered);
        tcase_add_test(t, malformed_tags_are_refused);
        tcase_add_test(t, old_and_expired_ones_are_told);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
