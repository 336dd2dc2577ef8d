/* SPDX-License-Identifier: Apache-2.0 */
/* What publish remembers: it comes back as it was, or not at all, whatever happened to its files. */
#include <fcntl.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/memo.h"
#include "run.h"

#define SIGNER "0123456789ABCDEF0123456789ABCDEF01234567"
#define HEX    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const char *const xml[][INDEX_STREAMS] = { { "<package>a of primary</package>", "<package>a's files</package>", "<package>a's changes</package>" },
                                                  { "<package>b of primary</package>", "", "<package>b's</package>" } };
static char *const releases[][3] = { { (char *) "multi-1.2.3", (char *) "single-1.2.3", NULL }, { NULL } };
static const char *const hrefs[] = { "packages/a.rpm", "packages/0123/b.rpm" }, *const files[] = { "a.rpm", "b.rpm" };
static char *dir;

static Memo *open_memo(void) {
        Memo *m = NULL;

        ck_assert_int_eq(memo_open(dir, dir, SIGNER, &m, NULL), 0);
        return m;
}

/* Both packages, with a base.solv; by what m knows. Takes m. */
static void write_memo(Memo *m, bool switched) {
        IndexEntry described[2] = {};
        MemoEntry entries[2] = {};
        MemoItem items[2];
        IndexPart part = { .key = HEX, .at = 10, .size = 20, .open_size = 30, .crc = 40 };
        IndexParts parts = { .sha256 = { HEX, HEX, HEX }, .parts = { &part, &part, &part }, .n = { 1, 1, 1 } };
        const char *solv = memo_solv_new(m);

        ck_assert_ptr_nonnull(solv);
        ck_assert_int_eq(write_file_new(AT_FDCWD, solv, "libsolv's own", 13, 0644), 0);
        memo_set_certification(m, "certified", 9);
        for (int i = 0; i < 2; i++) {
                for (int k = 0; k < INDEX_STREAMS; k++) {
                        described[i].xml[k] = xml[i][k];
                        described[i].size[k] = strlen(xml[i][k]);
                }
                entries[i].record.ino = entries[i].input.ino = entries[i].published.ino = (uint64_t) i + 7;
                entries[i].build_time = 1700000000;
                entries[i].solv = i;
                memcpy(entries[i].sha256, HEX, sizeof(HEX));
                memcpy(entries[i].input_sha256, HEX, sizeof(HEX));
                items[i] = (MemoItem){ .href = hrefs[i], .file = files[i], .releases = releases[i], .xml = &described[i], .old = memo_find(m, files[i], 0) };
        }
        memo_write(m, items, entries, 2, &parts, true);
        if (switched)
                memo_switch(m);
        memo_free(m);
}

static void setup(void) {
        ck_assert_int_eq(make_temp_dir("/tmp", "gn8v-memo", &dir), 0);
        write_memo(open_memo(), true);
}

static void teardown(void) {
        ck_assert_int_eq(remove_tree(AT_FDCWD, dir), 0);
        free(dir);
}

/* How much of it is known; what is known is what was written. */
static size_t check_memo(Memo *m) {
        size_t known = 0, size;
        const void *certification = memo_certification(m, &size);

        if (memo_parts(m)) {
                ck_assert_uint_eq(size, 9);
                ck_assert_int_eq(memcmp(certification, "certified", 9), 0);
                for (int k = 0; k < INDEX_STREAMS; k++) {
                        const IndexPart *part = memo_parts(m)->parts[k];

                        ck_assert_uint_eq(memo_parts(m)->n[k], 1);
                        ck_assert(part->at == 10 && part->size == 20 && part->open_size == 30 && part->crc == 40);
                        ck_assert_str_eq(part->key, HEX);
                        ck_assert_str_eq(memo_parts(m)->sha256[k], HEX);
                }
                known++;
        }
        for (int i = 0; i < 2; i++) {
                const MemoEntry *x = memo_find(m, files[i], 0);
                IndexEntry described;
                const char *s;

                if (!x)
                        continue;
                known++;
                ck_assert(x->record.ino == (uint64_t) i + 7 && x->input.ino == x->record.ino && x->published.ino == x->record.ino && x->record.size == 0);
                ck_assert(x->build_time == 1700000000 && x->solv == i);
                ck_assert_str_eq(x->sha256, HEX);
                ck_assert_str_eq(x->input_sha256, HEX);
                ck_assert_str_eq(memo_string(m, x->href), hrefs[i]);
                s = memo_string(m, x->releases);
                ck_assert_uint_eq(x->n_releases, strv_length(releases[i]));
                for (uint32_t k = 0; k < x->n_releases; k++, s += strlen(s) + 1)
                        ck_assert_str_eq(s, releases[i][k]);
                memo_xml(m, x, &described);
                for (int k = 0; k < INDEX_STREAMS; k++) {
                        ck_assert_uint_eq(described.size[k], strlen(xml[i][k]));
                        ck_assert_int_eq(memcmp(described.xml[k], xml[i][k], described.size[k]), 0);
                }
        }
        if (memo_solv_size(m) > 0) {
                _cleanup_free_ char *text = NULL;

                ck_assert_int_eq(read_file(AT_FDCWD, memo_solv(m), 100, &text, NULL), 0);
                ck_assert_str_eq(text, "libsolv's own");
                ck_assert_uint_eq(memo_solv_size(m), 2);
                known++;
        }
        return known;
}

START_TEST(comes_back) {
        Memo *m = open_memo();

        ck_assert_uint_eq(check_memo(m), 4);
        write_memo(m, true); /* the same again, by what is known */
        m = open_memo();
        ck_assert_uint_eq(check_memo(m), 4);
        memo_free(m);
}
END_TEST

/* Of a run that failed nothing is left, and what was known is known. */
START_TEST(half_is_nothing) {
        _cleanup_free_ char *new = NULL;
        Memo *m = open_memo();

        new = strdup(memo_solv_new(m));
        ck_assert_int_eq(write_file_new(AT_FDCWD, new, "half", 4, 0644), 0);
        memo_free(m);
        ck_assert_int_lt(access(new, F_OK), 0);
        write_memo(open_memo(), false);
        ck_assert_int_lt(access(new, F_OK), 0);
        m = open_memo();
        ck_assert_uint_eq(check_memo(m), 4);
        memo_free(m);
}
END_TEST

static const char *const damaged[] = { "state", "1.primary", "1.filelists", "1.other", "base.solv" };

/* Bytes of each file, and lengths: all, if there are few. */
START_TEST(damage_is_seen) {
        _cleanup_free_ char *path = NULL, *text = NULL, *folder = NULL;
        Memo *m = open_memo();
        size_t size;

        folder = strndup(memo_solv(m), strlen(memo_solv(m)) - strlen("/base.solv"));
        memo_free(m);
        path = path_join(folder, damaged[_i]);
        ck_assert_int_eq(read_file(AT_FDCWD, path, 1 << 20, &text, &size), 0);
        for (size_t i = 0; i < 2 * size; i += 1 + 2 * (size / 64)) { /* odd: one is changed, the next one cut */
                size_t at = i / 2;
                int fd;

                write_memo(open_memo(), true);
                fd = open(path, O_WRONLY | O_CLOEXEC);
                ck_assert_int_ge(fd, 0);
                if (i % 2)
                        ck_assert_int_eq(ftruncate(fd, (off_t) at), 0);
                else
                        ck_assert_int_eq(pwrite(fd, &(char){ (char) (text[at] ^ (1 << at % 8)) }, 1, (off_t) at), 1);
                ck_assert_int_eq(close(fd), 0);
                m = open_memo();
                ck_assert_uint_lt(check_memo(m), 4);
                memo_free(m);
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("memo");
        TCase *t = tcase_create("memo");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, comes_back);
        tcase_add_test(t, half_is_nothing);
        tcase_add_loop_test(t, damage_is_seen, 0, (int) ELEMENTSOF(damaged));
        tcase_set_timeout(t, 30);
        suite_add_tcase(s, t);
        return run_suite(s);
}
