/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch-root.h"

#include "node/boot-entries.h"
#include "node/kernel-argument.h"
#include "run.h"

#define ENTRY BOOT_ENTRIES_DIR "/a.conf"

START_TEST(the_last_one_counts) {
        static const struct { const char *cmdline, *key, *found; } cases[] = {
                { "ro swiotlb=1 quiet swiotlb=2", "swiotlb", "swiotlb=2" },
                { "ro xswiotlb=1 swiotlbx=2", "swiotlb", NULL },
                { "a=\"b swiotlb=1\" c", "swiotlb", NULL },
                { "a=\"b c\" d", "a", "a=\"b c\"" },
                { "quiet", "quiet", "quiet" },
                { "swiotlb=1\n", "swiotlb", "swiotlb=1" },
                { "", "a", NULL },
                { "a=\"open", "a", "a=\"open" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *found = cmdline_find(cases[i].cmdline, cases[i].key);

                if (cases[i].found)
                        ck_assert_str_eq(found, cases[i].found);
                else
                        ck_assert_ptr_null(found);
        }
}
END_TEST

START_TEST(swiotlb_is_never_lowered) {
        static const struct { const char *found, *wanted, *merged; bool lacks; } cases[] = {
                { NULL, "swiotlb=100,any", "swiotlb=100,any", false },
                { "swiotlb=100,any", "swiotlb=100,any", "swiotlb=100,any", false },
                { "swiotlb=99,any", "swiotlb=100,any", "swiotlb=100,any", false },
                { "swiotlb=101,any", "swiotlb=100,any", "swiotlb=101,any", false },
                { "swiotlb=101", "swiotlb=100,any", "swiotlb=101", true },
                { "swiotlb=100", "swiotlb=100,any", "swiotlb=100,any", true },
                { "swiotlb=100,4,force", "swiotlb=100,any", "swiotlb=100,4,force,any", true },
                { "swiotlb=100,any,force", "swiotlb=100,any", "swiotlb=100,any,force", false },
                { "swiotlb=force", "swiotlb=100,any", "swiotlb=100,any", true },
                { "swiotlb=", "swiotlb=100,any", "swiotlb=100,any", true },
                { "swiotlb=99999999999999999999999,any", "swiotlb=100,any", "swiotlb=100,any", false },
                { "other=5", "other=3", "other=3", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *merged = argument_merge(cases[i].found, cases[i].wanted);

                ck_assert_str_eq(merged, cases[i].merged);
                if (cases[i].found)
                        ck_assert_msg(argument_lacks(cases[i].found, cases[i].wanted) == cases[i].lacks, "%s", cases[i].found);
        }
}
END_TEST

static const char grubenv[] = "# GRUB Environment Block\nkernelopts=root=x swiotlb=3 quiet\n";

static char *revert(const char *path, const char *before, const char *after, const char *current, bool *edited) {
        char *const ours[] = { (char *) "swiotlb=7,any", (char *) "swiotlb=8", NULL };
        char *text = NULL;
        size_t size;

        ck_assert_int_eq(argument_revert_text(path, "swiotlb", ours, grubenv, before, before ? strlen(before) : 0, after, after ? strlen(after) : 0,
                                              current, strlen(current), &text, &size, edited),
                         0);
        ck_assert(!text || strlen(text) == size);
        return text;
}

START_TEST(files_come_back) {
        static const struct { const char *path, *before, *after, *current, *wanted; bool edited; } cases[] = {
                /* As we left it: exactly as it was. */
                { ENTRY, "options a\n", "options  a swiotlb=8\n", "options  a swiotlb=8\n", "options a\n", false },
                /* As it was already. */
                { ENTRY, "options a\n", "options a swiotlb=8\n", "options a\n", "options a\n", false },
                /* Edited since. */
                { ENTRY, "options a\n", "options a swiotlb=8\n", "options a swiotlb=8 b\n", "options a b\n", true },
                { ENTRY, "options swiotlb=1 a\n", "options a swiotlb=8\n", "options a swiotlb=8 b\n", "options a swiotlb=1 b\n", true },
                { ENTRY, "options a\n", "options a swiotlb=8\n", "options a swiotlb=9\n", "options a swiotlb=9\n", true },
                /* Never seen before: ours is taken out, nothing else is touched. */
                { ENTRY, NULL, NULL, "title swiotlb=8\noptions swiotlb=8 a xswiotlb=8 swiotlb=88\n", "title swiotlb=8\noptions a xswiotlb=8 swiotlb=88\n",
                  false },
                { ENTRY, NULL, NULL, "options a swiotlb=7,any", "options a", false },
                { ENTRY, NULL, NULL, "options swiotlb=8", "options", false },
                /* After a crash: only the tool's own change, in another order. */
                { ENTRY, "options b a\n", NULL, "options a b  swiotlb=8\n", "options b a\n", false },
                /* One entry among others is written out by grubby: what $kernelopts meant is still known. */
                { ENTRY, "options $kernelopts b\n", NULL, "options root=x quiet b swiotlb=8\n", "options $kernelopts b\n", false },
                { ENTRY, "options $kernelopts b\n", "options root=x quiet b swiotlb=8\n", "options root=x quiet b swiotlb=8 later\n",
                  "options root=x quiet b swiotlb=3 later\n", true },
                { "/etc/default/grub", "A=1\n", "A=1\nGRUB_CMDLINE_LINUX=\"swiotlb=8\"\n", "A=2\nGRUB_CMDLINE_LINUX=\"swiotlb=8\"\n",
                  "A=2\nGRUB_CMDLINE_LINUX=\"\"\n", true },
                { "/etc/default/grub", "GRUB_CMDLINE_LINUX=\"swiotlb=3 a\"\n", "GRUB_CMDLINE_LINUX=\"a swiotlb=8\"\n",
                  "GRUB_CMDLINE_LINUX=\"a swiotlb=8 b\"\n", "GRUB_CMDLINE_LINUX=\"a swiotlb=3 b\"\n", true },
                { "/etc/kernel/cmdline", NULL, NULL, "root=x swiotlb=8 ro\n", "root=x ro\n", false },
                { "/etc/kernel/cmdline", NULL, "swiotlb=8\n", "swiotlb=8\n", NULL, false },
                { "/boot/grub2/grubenv", "x=1\nkernelopts=a\n######", "x=1\nkernelopts=a swiotlb=8\n##", "x=2\nkernelopts=a swiotlb=8\n##",
                  "x=2\nkernelopts=a\n############", true },
                { "/boot/grub2/grubenv", NULL, NULL, "kernelopts=swiotlb=8 a\n##", "kernelopts=a\n############", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                bool edited;
                _cleanup_free_ char *text = revert(cases[i].path, cases[i].before, cases[i].after, cases[i].current, &edited);

                if (cases[i].wanted)
                        ck_assert_str_eq(text, cases[i].wanted);
                else
                        ck_assert_ptr_null(text);
                ck_assert_msg(edited == cases[i].edited, "case %zu", i);
        }
}
END_TEST

START_TEST(grubenv_has_no_room) {
        char *const ours[] = { (char *) "swiotlb=8", NULL };
        const char *before = "kernelopts=swiotlb=123456789\n", *current = "kernelopts=swiotlb=8 b\n";
        char *text = NULL;
        bool edited;
        size_t size;

        ck_assert_int_eq(argument_revert_text("/boot/grub2/grubenv", "swiotlb", ours, NULL, before, strlen(before), NULL, 0, current, strlen(current),
                                              &text, &size, &edited),
                         -EFBIG);
        ck_assert_ptr_null(text);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("kernel argument");
        TCase *t = tcase_create("kernel argument");

        tcase_add_test(t, the_last_one_counts);
        tcase_add_test(t, swiotlb_is_never_lowered);
        tcase_add_test(t, files_come_back);
        tcase_add_test(t, grubenv_has_no_room);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
