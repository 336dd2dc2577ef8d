/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch-root.h"
#include "node/resource.h"
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

/* Each asks, in one way or another, for something that we never do. */
static const struct { const char *id, *before, *after; } hostile[] = {
        { "kernel-argument:a", "{\"files\":{\"/etc/passwd\":{\"text\":\"x\"}}}", NULL },
        { "kernel-argument:a", NULL, "{\"files\":{\"/etc/passwd\":{\"text\":\"x\"}}}" },
        { "kernel-argument:a", "{\"files\":{\"/boot/loader/entries/../../../etc/x.conf\":{\"text\":\"x\"}}}", NULL },
        { "kernel-argument:a", "{\"files\":{\"/boot/loader/entries/.x.conf\":{\"text\":\"x\"}}}", NULL },
        { "kernel-argument:a", "{\"files\":{\"/boot/loader/entries/x\":{\"text\":\"x\"}}}", NULL },
        { "kernel-argument:a", "{\"files\":{\"/boot/grub2/grubenv\":{\"base64\":\"A\"}}}", NULL },
        { "kernel-argument:a", "{\"files\":{\"/boot/grub2/grubenv\":3}}", NULL },
        { "kernel-argument:a", "{\"files\":[]}", NULL },
        { "kernel-argument:a", "{\"arguments\":{\"x\":\"b=1\"}}", NULL },
        { "kernel-argument:a", "{\"arguments\":{\"x\":1}}", NULL },
        { "kernel-argument:a", NULL, "{\"values\":[\"root=/dev/sda\"]}" },
        { "kernel-argument:a", NULL, "{\"values\":[\"a=1 b\"]}" },
        { "kernel-argument:a", NULL, "{\"values\":\"a=1\"}" },
        { "kernel-argument:a b", NULL, NULL },
        { "kernel-argument:-a", NULL, NULL },
        { "drop-in:../../x.service", NULL, NULL },
        { "drop-in:--now.service", NULL, NULL },
        { "drop-in:a.service", "{\"file\":3}", NULL },
        { "drop-in:a.conf", NULL, NULL },
        { "enable:-H.service", NULL, NULL },
        { "enable:a/b.service", NULL, NULL },
        { "enable:a.service", "{\"state\":\"sideways\"}", NULL },
        { "enable:a.service", "{}", NULL },
        { "pause:a b.service", NULL, NULL },
        { "pause:a.service", "{\"active\":\"yes\"}", NULL },
        { "pause:a.service", "{\"active\":true,\"boot\":1}", NULL },
        { "module:../../etc", NULL, NULL },
        { "module:--all", NULL, NULL },
        { "module:1.2.3", NULL, "{\"version\":\"../x\"}" },
        { "module:1.2.3", NULL, "{\"version\":\"--all\"}" },
        { "module:1.2.3", NULL, "{\"version\":3}" },
        { "initramfs:..", NULL, NULL },
        { "initramfs:1.2.3", NULL, "{\"configuration\":3}" },
        { "nothing:x", NULL, NULL },
};

static JournalEntry *entry_of(Journal *j, const char *id, const char *before, const char *after) {
        JournalEntry *entry = journal_add(j, id);

        entry->before = before ? json_loads(before, 0, NULL) : NULL;
        entry->after = after ? json_loads(after, 0, NULL) : NULL;
        ck_assert(!before == !entry->before && !after == !entry->after);
        return entry;
}

START_TEST(hostile_is_refused) {
        _cleanup_error_ Error e = ERROR_INIT;

        (void) entry_of(node.journal, hostile[_i].id, hostile[_i].before, hostile[_i].after);
        ck_assert_int_eq(resource_check_journal(node.journal, &e), -EBADMSG);
        ck_assert_int_eq(e.code, EXIT_INVALID);
        ck_assert_ptr_nonnull(strstr(e.message, hostile[_i].id));
        ck_assert_ptr_nonnull(e.hint);
}
END_TEST

START_TEST(our_own_is_taken) {
        _cleanup_error_ Error e = ERROR_INIT;

        (void) entry_of(node.journal, "kernel-argument:a",
                        "{\"files\":{\"/boot/grub2/grubenv\":{\"text\":\"x\"},\"/boot/loader/entries/x-1.2.3.conf\":null,\"/etc/default/grub\":{\"base64\":\"AAAA\"}},"
                        "\"arguments\":{\"x\":\"a=1\",\"y\":null}}", "{\"values\":[\"a=2\",\"a\"],\"files\":{\"/etc/kernel/cmdline\":null}}");
        (void) entry_of(node.journal, "drop-in:a@b.service", "{\"file\":null,\"directory\":false}", NULL);
        (void) entry_of(node.journal, "enable:a-b_c.service", "{\"state\":\"disabled\"}", NULL);
        (void) entry_of(node.journal, "pause:a.path", "{\"active\":true,\"boot\":\"b\",\"state\":\"enabled\"}", "{\"active\":false}");
        (void) entry_of(node.journal, "module:5.10.1-2.al8.x86_64+debug", "{\"version\":null}", "{\"version\":\"1.2.3\",\"boot\":\"\"}");
        (void) entry_of(node.journal, "initramfs:1.2.3", "{}", "{\"configuration\":\"0\"}");
        (void) entry_of(node.journal, "initramfs:1.2.4", NULL, NULL);
        ck_assert_int_eq(resource_check_journal(node.journal, &e), 0);
}
END_TEST

START_TEST(others_must_not_write_it) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *path = format("%s" NODE_JOURNAL_PATH, scratch);
        Journal *j = NULL;

        scratch_put(NODE_JOURNAL_PATH, "{\"version\":1,\"entries\":[]}");
        ck_assert_int_eq(chmod(path, 0620), 0);
        ck_assert_int_eq(journal_load(&node, &j, &e), -EPERM);
        ck_assert_int_eq(e.code, EXIT_INVALID);
        ck_assert_ptr_nonnull(e.hint);
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        ck_assert_int_eq(journal_load(&node, &j, NULL), -EPERM);
        ck_assert_ptr_null(j);
}
END_TEST

/* What could not be read again is not written, and so nothing is changed. */
START_TEST(too_large_is_not_written) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *large = malloc((size_t) 33 << 20);
        JournalEntry *entry = journal_add(node.journal, "kernel-argument:a");

        memset(large, 'x', (size_t) 33 << 20);
        large[((size_t) 33 << 20) - 1] = '\0';
        entry->before = json_pack("{s:s}", "x", large);
        ck_assert_int_eq(journal_save(&node, node.journal, &e), -EFBIG);
        ck_assert_ptr_nonnull(e.hint);
        ck_assert(!node_exists(&node, NODE_JOURNAL_PATH));
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
        tcase_add_loop_test(t, hostile_is_refused, 0, ELEMENTSOF(hostile));
        tcase_add_test(t, our_own_is_taken);
        tcase_add_test(t, others_must_not_write_it);
        tcase_add_test(t, too_large_is_not_written);
        tcase_add_loop_test(t, malformed_is_refused, 0, ELEMENTSOF(malformed));
        tcase_add_test(t, bytes_of_any_kind);
        tcase_add_test(t, bytes_missing_and_malformed);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
