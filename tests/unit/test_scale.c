/* SPDX-License-Identifier: Apache-2.0 */
/* What makes publishing fast: work on all cores, parts of gzip files, long JSON, sealed files, what is remembered. */
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/gzip.h"
#include "repo/json-scan.h"
#include "repo/memo.h"
#include "repo/parallel.h"
#include "repo/signed-store.h"
#include "run.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static char *dir;

static void setup(void) {
        ck_assert_int_eq(make_temp_dir("/tmp", "gn8v-scale", &dir), 0);
}

static void teardown(void) {
        ck_assert_int_eq(remove_tree(AT_FDCWD, dir), 0);
        free(dir);
}

static int square(void *data, size_t i, Error *e) {
        ((size_t *) data)[i] += i * i;
        return 0;
}

START_TEST(each_is_done_once) {
        size_t v[1000] = {};

        ck_assert_int_eq(parallel_run(ELEMENTSOF(v), square, v, NULL), 0);
        for (size_t i = 0; i < ELEMENTSOF(v); i++)
                ck_assert_uint_eq(v[i], i * i);
        ck_assert_int_eq(parallel_run(0, square, NULL, NULL), 0);
}
END_TEST

static int fail_some(void *data, size_t i, Error *e) {
        return i % 100 == 37 ? error_set(e, EBADMSG, EXIT_INVALID, "%zu", i) : 0;
}

START_TEST(the_first_failure_is_told) {
        for (int turn = 0; turn < 50; turn++) {
                _cleanup_error_ Error e = ERROR_INIT;

                ck_assert_int_eq(parallel_run(1000, fail_some, NULL, &e), -EBADMSG);
                ck_assert_str_eq(e.message, "37");
        }
}
END_TEST

START_TEST(parts_are_one_gzip_member) {
        static const char *const texts[] = { "<a>", "one", "", "two two two two two two", "</a>" };
        _cleanup_free_ char *path = path_join(dir, "x.gz"), *packed = NULL, *text = NULL;
        GzipPart parts[ELEMENTSOF(texts)] = {};
        char hex[SHA256_HEX_SIZE], again[SHA256_HEX_SIZE];
        size_t size, n;
        uint64_t written;
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                struct iovec pieces[2] = { { (void *) texts[i], strlen(texts[i]) / 2 }, { (void *) (texts[i] + strlen(texts[i]) / 2), (strlen(texts[i]) + 1) / 2 } };
                ck_assert_int_eq(gzip_pack(pieces, 2, &parts[i]), 0);
        }
        ck_assert_int_eq(gzip_join(fd, parts, ELEMENTSOF(parts), hex, &written), 0);
        (void) close(fd);
        ck_assert_int_eq(read_file(AT_FDCWD, path, 10000, &packed, &size), 0);
        ck_assert_uint_eq(written, size);
        ck_assert_int_eq(sha256_buffer(packed, size, again), 0);
        ck_assert_str_eq(hex, again);
        ck_assert_int_eq(gzip_unpack(packed, size, 1000, &text, &n), 0);
        ck_assert_str_eq(text, "<a>onetwo two two two two two</a>");
        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                free((void *) parts[i].data);
}
END_TEST

static const struct { const char *text; bool good; } documents[] = {
        { "{\"a\": [1, -2, true, false, null, \"x\", {\"b\": {}}]}", true }, { " [ ] ", true }, { "{}", true },
        { "", false }, { "{", false }, { "{\"a\"}", false }, { "{\"a\": }", false }, { "{\"a\": 1,}", false }, { "[1 2]", false }, { "[1],", false },
        { "[\"\\n\"]", false }, { "[\"\xc3\xa4\"]", false }, { "[\"\n\"]", false }, { "[\"", false }, { "[-]", false }, { "[12345678901234567890]", false },
        { "[nul]", false }, { "[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]", false },
};
START_TEST(json_is_read_or_refused) {
        JsonScan j = { .p = documents[_i].text, .end = documents[_i].text + strlen(documents[_i].text) };

        scan_skip(&j);
        ck_assert_int_eq(scan_ends(&j), documents[_i].good);
}
END_TEST

START_TEST(a_seal_breaks) {
        _cleanup_free_ char *path = path_join(dir, "x");
        _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        struct stat st;

        ck_assert_int_eq(file_seal(fd, 1700000000, HEX), 0);
        ck_assert(file_is_sealed(fd, HEX));
        ck_assert_int_eq(fstat(fd, &st), 0);
        ck_assert_int_eq(st.st_mtim.tv_sec, 1700000000);
        ck_assert_int_eq(write(fd, "x", 1), 1);
        ck_assert(!file_is_sealed(fd, HEX));
}
END_TEST

static const char sha256[] = HEX;
static char *releases[] = { (char *) "one", (char *) "two", NULL };

static void save_one(Memo *m, const char *file) {
        IndexEntry xml = { .xml = { "<p>", "<f>", "<o>!" }, .size = { 3, 3, 4 } };
        MemoItem item = { .href = "packages/a.rpm", .file = file, .releases = releases, .xml = &xml };
        MemoEntry entry = { .solv = -1, .build_time = 5 };
        IndexPart part = { .at = 10, .size = 3 };
        IndexParts parts = { .parts = { &part, &part, &part }, .n = { 1, 1, 1 } };

        memcpy(entry.sha256, sha256, sizeof(sha256));
        memcpy(entry.input_sha256, sha256, sizeof(sha256));
        for (size_t i = 0; i < INDEX_STREAMS; i++)
                memcpy(parts.sha256[i], sha256, sizeof(sha256));
        memo_write(m, &item, &entry, 1, &parts, false);
        memo_switch(m);
}

START_TEST(what_is_remembered_comes_back) {
        _cleanup_(memo_freep) Memo *empty = NULL, *m = NULL, *other = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        const MemoEntry *x;
        IndexEntry xml = {};

        ck_assert_int_eq(memo_open(dir, "repo", "KEY", &empty, &e), 0);
        ck_assert_ptr_null(memo_find(empty, "a.rpm", 0));
        ck_assert_ptr_null(memo_parts(empty));
        save_one(empty, "a.rpm");
        ck_assert_int_eq(memo_open(dir, "repo", "KEY", &m, &e), 0);
        x = memo_find(m, "a.rpm", 7);
        ck_assert_ptr_nonnull(x);
        ck_assert_uint_eq(x->n_releases, 2);
        ck_assert_str_eq(memo_string(m, x->releases), "one");
        memo_xml(m, x, &xml);
        ck_assert_int_eq(strncmp(xml.xml[INDEX_OTHER], "<o>!", xml.size[INDEX_OTHER]), 0);
        ck_assert_uint_eq(memo_parts(m)->parts[2][0].at, 10);
        ck_assert_ptr_null(memo_find(m, "b.rpm", 0));
        /* Another key's is another one. */
        ck_assert_int_eq(memo_open(dir, "repo", "OTHER", &other, &e), 0);
        ck_assert_ptr_null(memo_find(other, "a.rpm", 0));
}
END_TEST

/* Every byte of the state changed, every length of it: nothing is read outside of it. */
START_TEST(a_damaged_state_is_safe) {
        _cleanup_(memo_freep) Memo *empty = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *cache = path_join(dir, "cache"), *state = NULL, *path = NULL;
        _cleanup_strv_ char **names = NULL;
        struct stat st;
        size_t size = 0;

        ck_assert_int_eq(memo_open(dir, "repo", "KEY", &empty, &e), 0);
        save_one(empty, "a.rpm");
        path = format("%.*s/state", (int) (strlen(memo_solv(empty)) - strlen("/base.solv")), memo_solv(empty));
        ck_assert_int_eq(read_file(AT_FDCWD, path, 1 << 20, &state, &size), 0);
        ck_assert_int_eq(stat(path, &st), 0);
        for (size_t i = 0; i < 2 * size; i += 3) {
                _cleanup_(memo_freep) Memo *m = NULL;
                _cleanup_free_ char *copy = malloc(size);
                const MemoEntry *x;
                IndexEntry entry = {};

                memcpy(copy, state, size);
                if (i < size)
                        copy[i] = (char) (copy[i] ^ 0x81);
                (void) remove_tree(AT_FDCWD, cache);
                ck_assert_int_eq(mkdir_parents(AT_FDCWD, path, 0755), 0);
                ck_assert_int_eq(remove_tree(AT_FDCWD, path), 0);
                for (size_t k = 0; k < INDEX_STREAMS; k++) {
                        static const char *const streams[] = { "primary", "filelists", "other" };
                        _cleanup_free_ char *xml = format("%.*s/1.%s", (int) (strlen(path) - strlen("/state")), path, streams[k]);

                        ck_assert_int_eq(write_file_new(AT_FDCWD, xml, "<p><f><o>!", 10, 0600), 0);
                        ck_assert_int_eq(utimensat(AT_FDCWD, xml, (struct timespec[]){ st.st_mtim, st.st_mtim }, 0), 0);
                }
                ck_assert_int_eq(write_file_new(AT_FDCWD, path, copy, i < size ? size : i - size, 0600), 0);
                ck_assert_int_eq(utimensat(AT_FDCWD, path, (struct timespec[]){ st.st_mtim, st.st_mtim }, 0), 0);
                ck_assert_int_eq(memo_open(dir, "repo", "KEY", &m, &e), 0);
                x = memo_find(m, "a.rpm", 0);
                if (!x)
                        continue;
                memo_xml(m, x, &entry);
                for (size_t k = 0; k < INDEX_STREAMS; k++)
                        ck_assert_uint_le(entry.size[k], 10);
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("scale");
        TCase *t = tcase_create("scale");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, each_is_done_once);
        tcase_add_test(t, the_first_failure_is_told);
        tcase_add_test(t, parts_are_one_gzip_member);
        tcase_add_loop_test(t, json_is_read_or_refused, 0, ELEMENTSOF(documents));
        tcase_add_test(t, a_seal_breaks);
        tcase_add_test(t, what_is_remembered_comes_back);
        tcase_add_test(t, a_damaged_state_is_safe);
        suite_add_tcase(s, t);
        return run_suite(s);
}
