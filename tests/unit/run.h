/* SPDX-License-Identifier: Apache-2.0 */
/* The end of every test program's main(). */
#pragma once

#include <check.h>

/* Runs the suite; the program's exit status. */
static inline int run_suite(Suite *suite) {
        SRunner *runner = srunner_create(suite);
        int failed;

        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
