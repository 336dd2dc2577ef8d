/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch-root.h"
#include "run.h"

START_TEST(missing_is_empty) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(journal_freep) Journal *j = NULL;

        ck_assert_int_eq(journal_load(&node, &j, &e), 0);
        ck_assert_uint_eq(j->n_entries, 0);
        ck_assert_int_eq(journal_save(&node, j, &e), 0);
        ck_assert(!node_exists(&node, NODE_JOURNAL_PATH));
}
END_TEST

START_TEST(survives_a_round_trip) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(journal_freep) Journal *j = journal_new(), *again = NULL;
        _cleanup_free_ char *one = NULL, *two = NULL;
        JournalEntry *entry = journal_add(j, "kernel-argument:swiotlb");

        j->release = strdup("multi-1.2.3");
        entry->before = json_pack("{s:s}", "a", "b");
        ck_assert_int_eq(journal_mark(entry, ENTRY_FAILED, "why", "what next"), 0);
        ck_assert_ptr_nonnull(journal_add(j, "enable:x.service"));
        ck_assert_int_eq(journal_save(&node, j, &e), 0);
        ck_assert_int_eq(node_read(&node, NODE_JOURNAL_PATH, NODE_FILE_MAX, &one, NULL), 0);

        ck_assert_int_eq(journal_load(&node, &again, &e), 0);
        ck_assert_uint_eq(again->n_entries, 2);
        entry = journal_find(again, "kernel-argument:swiotlb");
        ck_assert_int_eq(entry->state, ENTRY_FAILED);
        ck_assert_str_eq(entry->message, "why");
        ck_assert_str_eq(entry->hint, "what next");
        ck_assert_str_eq(object_string(entry->before, "a"), "b");
        ck_assert_ptr_null(entry->after);
        ck_assert_str_eq(again->release, "multi-1.2.3");
        ck_assert_int_eq(journal_save(&node, again, &e), 0);
        ck_assert_int_eq(node_read(&node, NODE_JOURNAL_PATH, NODE_FILE_MAX, &two, NULL), 0);
        ck_assert_str_eq(one, two);

        journal_drop(again, entry);
        ck_assert_ptr_null(journal_find(again, "kernel-argument:swiotlb"));
        journal_drop(again, journal_find(again, "enable:x.service"));
        ck_assert_int_eq(journal_save(&node, again, &e), 0);
        ck_assert(!node_exists(&node, NODE_JOURNAL_PATH));
}
END_TEST

static const char *const malformed[] = {
        "", "{", "[]", "{}", "{\"version\":2,\"entries\":[]}", "{\"version\":1}", "{\"version\":1,\"entries\":[1]}",
        "{\"version\":1,\"entries\":[{\"id\":\"nocolon\",\"state\":\"applied\"}]}",
        "{\"version\":1,\"entries\":[{\"id\":\"a:b\",\"state\":\"sideways\"}]}",
        "{\"version\":1,\"entries\":[{\"id\":\"a:b\",\"state\":\"applied\",\"before\":3}]}",
        "{\"version\":1,\"entries\":[{\"id\":\"a:b\",\"state\":\"applied\",\"message\":3}]}",
        "{\"version\":1,\"entries\":[{\"id\":\"a:b\",\"state\":\"applied\"},{\"id\":\"a:b\",\"state\":\"applied\"}]}",
        "{\"version\":1,\"version\":1,\"entries\":[]}", "{\"version\":1,\"release\":[],\"entries\":[]}",
};

START_TEST(malformed_is_refused) {
        _cleanup_error_ Error e = ERROR_INIT;
        Journal *j = NULL;

        scratch_put(NODE_JOURNAL_PATH, malformed[_i]);
        ck_assert_int_eq(journal_load(&node, &j, &e), -EBADMSG);
        ck_assert_int_eq(e.code, EXIT_INVALID);
        ck_assert_ptr_nonnull(strstr(e.message, NODE_JOURNAL_PATH));
        ck_assert_ptr_nonnull(e.hint);
        ck_assert_ptr_null(j);
        scratch_is(NODE_JOURNAL_PATH, malformed[_i]);
}
END_TEST

START_TEST(bytes_of_any_kind) {
        unsigned char all[256];

        for (size_t i = 0; i < sizeof(all); i++)
                all[i] = (unsigned char) i;
        for (size_t size = 0; size <= sizeof(all); size++) {
                json_t *value = bytes_to_json((const char *) all, size);
                _cleanup_free_ char *back = NULL;
                size_t back_size;

                ck_assert_ptr_nonnull(value);
                ck_assert_int_eq(bytes_from_json(value, &back, &back_size), 0);
                ck_assert_uint_eq(back_size, size);
                ck_assert_mem_eq(back, all, size);
                json_decref(value);
        }
}
END_TEST

START_TEST(bytes_missing_and_malformed) {
        static const char *const bad[] = { "A", "AAA", "A===", "====", "AA=A", "AAA=AAAA", "A*AA" };
        json_t *value = bytes_to_json(NULL, 0);
        char *data = scratch;
        size_t size = 1;

        ck_assert(json_is_null(value));
        ck_assert_int_eq(bytes_from_json(value, &data, &size), 0);
        ck_assert_ptr_null(data);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                json_t *o = json_pack("{s:s}", "base64", bad[i]);

                ck_assert_int_eq(bytes_from_json(o, &data, &size), -EBADMSG);
                json_decref(o);
        }
        value = json_object();
        ck_assert_int_eq(bytes_from_json(value, &data, &size), -EBADMSG);
        json_decref(value);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("journal");
        TCase *t = tcase_create("journal");

        tcase_add_checked_fixture(t, scratch_begin, scratch_end);
        tcase_add_test(t, missing_is_empty);
        tcase_add_test(t, survives_a_round_trip);
        tcase_add_loop_test(t, malformed_is_refused, 0, ELEMENTSOF(malformed));
        tcase_add_test(t, bytes_of_any_kind);
        tcase_add_test(t, bytes_missing_and_malformed);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
