/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch-root.h"

#include "node/units.h"
#include "run.h"

#define LIB "/usr/lib/systemd/system/"
#define ETC "/etc/systemd/system/"

static void link_to(const char *target, const char *path) {
        _cleanup_free_ char *full = format("%s%s", scratch, path);

        scratch_put(path, ""); /* makes the directories */
        ck_assert_int_eq(unlink(full), 0);
        ck_assert_int_eq(symlink(target, full), 0);
}

static Enablement enablement(const char *unit) {
        Enablement e;

        ck_assert_int_eq(unit_enablement(&node, unit, &e), 0);
        return e;
}

START_TEST(enablement_by_files) {
        ck_assert_int_eq(enablement("a.service"), UNIT_ABSENT);
        scratch_put(LIB "a.service", "[Service]\nExecStart=/bin/true\n");
        ck_assert_int_eq(enablement("a.service"), UNIT_STATIC);
        scratch_put(LIB "a.service", "[Service]\n# [Install]\n[Install]\nWantedBy=x.target\n");
        ck_assert_int_eq(enablement("a.service"), UNIT_DISABLED);
        link_to(LIB "a.service", ETC "x.target.wants/a.service");
        ck_assert_int_eq(enablement("a.service"), UNIT_ENABLED);
        link_to("/dev/null", ETC "a.service");
        ck_assert_int_eq(enablement("a.service"), UNIT_MASKED);
        scratch_put(LIB "b.service", "");
        ck_assert_int_eq(enablement("b.service"), UNIT_MASKED);
        link_to(LIB "gone.service", ETC "y.target.requires/c.service");
        ck_assert_int_eq(enablement("c.service"), UNIT_ENABLED);
        scratch_put(LIB "t@.service", "[Install]\nWantedBy=x.target\n");
        ck_assert_int_eq(enablement("t@1.service"), UNIT_DISABLED);
        link_to(LIB "t@.service", ETC "x.target.wants/t@1.service");
        ck_assert_int_eq(enablement("t@1.service"), UNIT_ENABLED);
        ck_assert_int_eq(enablement("t@2.service"), UNIT_DISABLED);
}
END_TEST

static bool ordered(void) {
        bool yes;

        ck_assert_int_eq(unit_is_ordered(&node, "a.service", "p.service", &yes), 0);
        return yes;
}

START_TEST(order_from_any_file) {
        ck_assert(!ordered());
        scratch_put(LIB "a.service", "[Unit]\nAfter=x.service\n\\\n[Service]\nAfter=p.service\n");
        ck_assert(!ordered());
        scratch_put(LIB "a.service", "[Unit]\nAfter=x.service \\\n  p.service y\n");
        ck_assert(ordered());
        scratch_put(LIB "a.service", "[Unit]\nAfter=pp.service\n;After=p.service\n");
        ck_assert(!ordered());
        scratch_put(LIB "a.service.d/50-x.conf", "[Unit]\n After = p.service\n");
        ck_assert(ordered());
        /* The same name in /etc hides the packaged one. */
        scratch_put(ETC "a.service.d/50-x.conf", "");
        ck_assert(!ordered());
        scratch_put(LIB "p.service.d/1.conf", "[Unit]\nBefore=b.service a.service\n");
        ck_assert(ordered());
        scratch_put(LIB "p.service.d/1.confx", "[Unit]\nBefore=a.service\n");
        link_to("/dev/null", ETC "p.service.d/1.conf");
        ck_assert(!ordered());
}
END_TEST

static const char *answer;
static int status_of_answer;
static int answering(Node *n, const char *const *argv, unsigned timeout_sec, int *ret_status, char **ret_output, Error *e) {
        ck_assert_str_eq(argv[0], "systemctl");
        *ret_status = status_of_answer;
        *ret_output = strdup(answer);
        return 0;
}

START_TEST(the_word_counts_not_the_status) {
        static const struct { const char *answer; int status; const char *state; } cases[] = {
                { "active\n", 0, "active" }, { "inactive\n", 3, "inactive" }, { "Running in chroot, ignoring request: is-active\n", 0, "unknown" },
                { "", 0, "unknown" }, { "activating\n", 3, "activating" },
        };

        node.run = answering;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_free_ char *state = NULL;

                answer = cases[i].answer;
                status_of_answer = cases[i].status;
                ck_assert_int_eq(unit_active(&node, "a.service", &state, &e), 0);
                ck_assert_str_eq(state, cases[i].state);
        }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("units");
        TCase *t = tcase_create("units");

        tcase_add_checked_fixture(t, scratch_begin, scratch_end);
        tcase_add_test(t, enablement_by_files);
        tcase_add_test(t, order_from_any_file);
        tcase_add_test(t, the_word_counts_not_the_status);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
