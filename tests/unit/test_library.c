/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of a child that asks somebody's library, and what becomes of a child that does not write them. */
#include <check.h>

#include "basic/library-child.h"
#include "basic/strings.h"
#include "run.h"

typedef struct Answer {
        LibraryAnswer answer;
        char *text;
        int64_t number;
} Answer;

static int only_x(const char *value) {
        return value[strspn(value, "x")] ? -EBADMSG : 0;
}

static int take(LibraryAnswer *a, const char *key, char *value) {
        static const LibraryKey keys[] = { { "text", offsetof(Answer, text), 0, NULL }, { "number", offsetof(Answer, number), 100, NULL }, { "x", offsetof(Answer, text), 0, only_x } };
        int k = library_take(keys, ELEMENTSOF(keys), a, key, value);

        return k == 1 ? 0 : k == 0 ? -EBADMSG : k;
}

static const LibraryFormat format_of_this = { .greeting = "hello 1", .line_max = 25, .answer_max = 200, .timeout_sec = 1, .take = take };

static int parse(const char *text, size_t size, Answer *a) {
        *a = (Answer){ .number = LIBRARY_UNTOLD };
        return library_parse(&format_of_this, text, size, &a->answer);
}

static void answer_free(Answer *a) {
        library_answer_free(&a->answer);
        free(a->text);
}

START_TEST(lines) {
        static const char right[] = "hello 1\nat dlopen\ntext some words\nat call\nnumber 100\ntext other\nx xx\nend\n";
        Answer a;

        ck_assert_int_eq(parse(right, strlen(right), &a), 1);
        ck_assert(streq(a.answer.at, "call") && streq(a.text, "xx") && a.number == 100 && a.answer.outcome == LIBRARY_ANSWERED && !a.answer.reason);
        answer_free(&a);
        for (size_t n = 0; n < strlen(right); n++) {
                ck_assert_int_eq(parse(right, n, &a), 0);
                answer_free(&a);
        }
}
END_TEST

START_TEST(nonsense) {
        static const char *const bad[] = {
                "hello 2\n", "\n", "hello 1\n\n", "hello 1\nword\n", "hello 1\nother 1\n", "hello 1\nnumber 101\n", "hello 1\nnumber -1\n", "hello 1\nnumber \n", "hello 1\nx y\n",
                "hello 1\ntext \t\n", "hello 1\ntext \x7f\n", "hello 1\ntext \xc3\xa9\n", "hello 1\ntext 67890123456789012345\n", "hello 1\nend\nend\n", "hello 1\nend\nx", "end\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                Answer a;

                ck_assert_msg(parse(bad[i], strlen(bad[i]), &a) == -EBADMSG, "%s", bad[i]);
                answer_free(&a);
        }
        _cleanup_text_ Text large = {};
        Answer a;

        text_append(&large, "hello 1\n");
        while (large.size < 200)
                text_append(&large, "text x\n");
        ck_assert_int_eq(parse(large.data, large.size, &a), -EBADMSG);
        answer_free(&a);
}
END_TEST

START_TEST(outcomes) {
        static const struct { const char *script; LibraryOutcome outcome; const char *reason; } list[] = {
                { "printf 'hello 1\\nend\\n'", LIBRARY_ANSWERED, NULL },
                { "printf 'hello 1\\nmissing no such file\\nend\\n'", LIBRARY_MISSING, "no such file" },
                { "printf 'hello 1\\nat call\\n'; kill -SEGV $$", LIBRARY_CRASHED, "crashed in call: Segmentation fault" },
                { "printf 'hello 1\\nat call\\n'; exec sleep 60", LIBRARY_HUNG, "no answer within 1 s, stopped in call" },
                { "printf 'hello 1\\nat call\\n'; exit 3", LIBRARY_GARBAGE, "ended without an answer in call (status 3)" },
                { "printf 'hello 1\\nend\\n'; exit 3", LIBRARY_GARBAGE, "ended without an answer in its start (status 3)" },
                { "echo x", LIBRARY_GARBAGE, "answered nonsense at its start" },
                { "", LIBRARY_GARBAGE, "ended without an answer in its start (status 0)" },
                /* The environment is not handed on, but for where libraries are. */
                { "[ -z \"$HOME\" ] && [ \"$LD_LIBRARY_PATH\" = /nowhere ] && printf 'hello 1\\nend\\n'", LIBRARY_ANSWERED, NULL },
        };

        ck_assert_int_eq(setenv("LD_LIBRARY_PATH", "/nowhere", 1), 0);
        for (size_t i = 0; i < ELEMENTSOF(list); i++) {
                const char *argv[] = { "/bin/sh", "-c", list[i].script, NULL };
                Answer a = { .number = LIBRARY_UNTOLD };
                _cleanup_error_ Error e = ERROR_INIT;

                ck_assert_int_eq(library_ask(&format_of_this, argv, &a.answer, &e), 0);
                ck_assert_msg(a.answer.outcome == list[i].outcome && (!a.answer.reason == !list[i].reason) && (!list[i].reason || streq(a.answer.reason, list[i].reason)),
                              "%s: %s: %s", list[i].script, library_outcome_to_string(a.answer.outcome), a.answer.reason);
                answer_free(&a);
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("library");
        TCase *t = tcase_create("library");

        tcase_add_test(t, lines);
        tcase_add_test(t, nonsense);
        tcase_add_test(t, outcomes);
        suite_add_tcase(s, t);
        return run_suite(s);
}
