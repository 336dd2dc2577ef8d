/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "basic/armor.h"
#include "basic/process.h"
#include "node/launch.h"
#include "run.h"

/* A version 4 public key packet's first bytes are enough: nothing here looks into it. */
#define PUBLIC_KEY "\x99\x00\x02\x04\x00"
#define SECRET_KEY "\x95\x00\x02\x04\x00"

static const char release_text[] =
        "[Release]\nProfile=many\nVersion=1.2.3\nDate=2026-01-02\nSummary=Made up\n"
        "[Platform]\nRegion=xx-one xx-two\nZone=xx-one-a xx-two-a xx-two-b\nImage=image-1 image-2\nInstanceType=small large\nMinimumKernel=4.5.6-7\n"
        "[Persistenced]\nOptions=--user root\n[Expect]\nGPUs=8\nNVSwitches=4\nMode=protected-pcie\nDevTools=off\n"
        "[Artifact driver]\nKind=driver\nVersion=1.2.3\nURL=https://a.example/d.run\nSHA256=first-use\nLicence=X\nRedistributable=no\n";

static Release *release;
static Launch l;
static Error e;

static void setup(void) {
        e = ERROR_INIT;
        ck_assert_msg(release_parse("many-1.2.3.conf", release_text, strlen(release_text), &release, &e) == 0, "%s", e.message);
        l = (Launch){ .release = release, .repo_url = "https://m.example/r" };
}

static void teardown(void) {
        launch_clear(&l);
        error_clear(&e);
        release = release_free(release);
}

START_TEST(takes_the_first_of_each_list) {
        ck_assert_int_eq(launch_choose(&l, &e), 0);
        ck_assert_str_eq(l.region, "xx-one");
        ck_assert_str_eq(l.zone, "xx-one-a");
        ck_assert_str_eq(l.type, "small");
        ck_assert_str_eq(l.image, "image-1");
        ck_assert_uint_eq(l.disk_gib, LAUNCH_DISK_DEFAULT);
}
END_TEST

START_TEST(the_zone_follows_the_region) {
        l.region = "xx-two";
        ck_assert_int_eq(launch_choose(&l, &e), 0);
        ck_assert_str_eq(l.zone, "xx-two-a");
}
END_TEST

static const struct { size_t offset; const char *value, *says, *right; } bad[] = {
        { offsetof(Launch, region), "yy-one", "--region=yy-one", "xx-one, xx-two" },
        { offsetof(Launch, zone), "xx-one-b", "--zone=xx-one-b", "xx-one-a, xx-two-a, xx-two-b" },
        { offsetof(Launch, zone), "xx-two-a", "not a zone of region xx-one", NULL },
        { offsetof(Launch, type), "huge", "--type=huge", "small, large" },
        { offsetof(Launch, image), "mine", "--image=mine", "image-1, image-2" },
        { offsetof(Launch, kernel), "9.9", "--image is missing", NULL },
        { offsetof(Launch, name), "-x", "begins with '-'", NULL },
        { offsetof(Launch, name), "", "is empty", NULL },
        { offsetof(Launch, name), "a\nb", "control character", NULL },
        { offsetof(Launch, name), "\x1b[2J", "control character", NULL },
        { offsetof(Launch, name), "\xc2\x9b", "control character", NULL },
        { offsetof(Launch, name), "\xff", "not UTF-8", NULL },
        { offsetof(Launch, name), "\xc0\xaf", "not UTF-8", NULL },
        { offsetof(Launch, name), "\xe4\xb8", "not UTF-8", NULL },
        { offsetof(Launch, name), "\xed\xa0\x80", "not UTF-8", NULL },
        { offsetof(Launch, vswitch), "\xf4\x90\x80\x80", "not UTF-8", NULL },
};
START_TEST(what_is_not_listed_is_refused) {
        *(const char **) ((char *) &l + bad[_i].offset) = bad[_i].value;
        ck_assert_int_eq(launch_choose(&l, &e), -EINVAL);
        ck_assert_int_eq(e.code, EXIT_USAGE);
        ck_assert_msg(strstr(e.message, bad[_i].says), "%s", e.message);
        if (bad[_i].right)
                ck_assert_msg(e.hint && strstr(e.hint, bad[_i].right), "%s", e.hint);
}
END_TEST

static const struct { const char *kernel; bool good; } kernels[] = {
        { "4.5.6-7", true }, { "4.5.6-7.1.x86_64", true }, { "4.5.10-1", true }, { "5", true },
        { "4.5.6-6", false }, { "4.5.5", false }, { "", false }, { "new", false },
};
START_TEST(an_own_image_needs_a_new_kernel) {
        l.image = "mine";
        l.kernel = kernels[_i].kernel;
        ck_assert_int_eq(launch_choose(&l, &e), kernels[_i].good ? 0 : -EINVAL);
}
END_TEST

static const char *const words[] = { "plain", "", "a b", "it's", "$(id)", "`id`", "\"", "\\", "a;b", "*", "~", "#x", "''", "'", "a\nb", "!x", "北京", "${X:?y}", "&", "a=b" };
START_TEST(the_shell_reads_back_every_word) {
        _cleanup_text_ Text t = {};
        _cleanup_free_ char *output = NULL, *wanted = format("%s.", words[_i]);
        int status;

        text_append(&t, "printf %s. ");
        launch_shell_word(&t, words[_i]);
        ck_assert(!t.failed);
        ck_assert_int_eq(process_run(&(Process){ .argv = (const char *[]){ "sh", "-c", t.data, NULL } }, &status, &output, &e), 0);
        ck_assert_int_eq(status, 0);
        ck_assert_str_eq(output, wanted);
}
END_TEST

/* RFC 4648, section 10. */
static const struct { const char *plain, *encoded; } vectors[] = {
        { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
};
START_TEST(base64_is_right) {
        _cleanup_free_ char *s = base64_encode(vectors[_i].plain, strlen(vectors[_i].plain));

        ck_assert_str_eq(s, vectors[_i].encoded);
}
END_TEST

START_TEST(a_key_becomes_canonical_armor) {
        _cleanup_free_ char *armored = openpgp_armor("PUBLIC KEY BLOCK", PUBLIC_KEY, 5), *text = NULL;
        const char *body = strstr(armored, "\n\n");

        text = format("words: |\n-----BEGIN PGP PUBLIC KEY BLOCK-----\r\nComment: %%end {{ x }}\n%s%s", body + 1, armored);
        ck_assert_int_eq(launch_embed_key(&l, "k", PUBLIC_KEY, 5, &e), 0);
        ck_assert_str_eq(l.keys[0].text, armored);
        ck_assert_msg(launch_embed_key(&l, "k", text, strlen(text), &e) == 0, "%s", e.message);
        ck_assert_uint_eq(l.keys[1].n, 2);
        ck_assert_ptr_null(strstr(l.keys[1].text, "Comment"));
        ck_assert_ptr_null(strstr(l.keys[1].text, "words"));
        ck_assert_str_ne(l.keys[0].path, l.keys[1].path);
        ck_assert_int_eq(launch_embed_key(&l, "k", PUBLIC_KEY, 5, &e), 0);
        ck_assert_str_ne(l.keys[1].path, l.keys[2].path);
}
END_TEST

static const struct { const char *data; size_t size; const char *says; } bad_keys[] = {
        { "", 0, "not an OpenPGP public key" },
        { "hello", 5, "not an OpenPGP public key" },
        { SECRET_KEY, 5, "secret key" },
        { PUBLIC_KEY SECRET_KEY, 10, "secret key" },
        { PUBLIC_KEY "\x9d\x00\x01\x04", 9, "secret key" },
        { PUBLIC_KEY "\xc5\x01\x04", 8, "secret key" },
        { "\x99\x00\x09\x04\x00", 5, "not an OpenPGP public key" },
        { "\x99\x00", 2, "not an OpenPGP public key" },
        { "\x9b\x00\x00", 3, "not an OpenPGP public key" },
        { "\xc6\xe1\x00\x00", 4, "not an OpenPGP public key" },
        { "\xc6\xff\xff\xff\xff\xff", 6, "not an OpenPGP public key" },
        { "\x89\x00\x01\x04", 4, "not an OpenPGP public key" }, /* a signature comes first */
        { "-----BEGIN PGP PRIVATE KEY BLOCK-----\n", 38, "secret key" },
        { "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQACBAA=\n", 48, "damaged" },
        { "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQACBAA=\n=AAAA\n-----END PGP PUBLIC KEY BLOCK-----\n", 93, "damaged" },
        { "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nlQACBAA=\n-----END PGP PUBLIC KEY BLOCK-----\n", 87, "secret key" },
};
START_TEST(what_is_no_public_key_is_refused) {
        ck_assert_int_eq(launch_embed_key(&l, "file", bad_keys[_i].data, bad_keys[_i].size, &e), -EBADMSG);
        ck_assert_int_eq(e.code, EXIT_INVALID);
        ck_assert_msg(strstr(e.message, bad_keys[_i].says) && strstr(e.message, "file"), "%s", e.message);
        ck_assert_uint_eq(l.n_keys, 0);
}
END_TEST

START_TEST(keys_behind_urls) {
        ck_assert_int_eq(launch_add_key(&l, "https://m.example/KEY", &e), 0);
        ck_assert_int_eq(launch_add_key(&l, "file:///etc/KEY", &e), 0);
        ck_assert_int_eq(launch_add_key(&l, "http://m.example/KEY", &e), -EINVAL);
        ck_assert_uint_eq(l.n_keys, 2);
        ck_assert_ptr_null(l.keys[0].text);
}
END_TEST

START_TEST(texts_are_filled) {
        for (LaunchText t = 0; t < _LAUNCH_TEXT_MAX; t++) {
                _cleanup_free_ char *text = NULL, *again = NULL;

                if (t == 0)
                        ck_assert_int_eq(launch_embed_key(&l, "k", PUBLIC_KEY, 5, &e), 0);
                ck_assert_msg(launch_text(&l, t, &text, &e) == 0, "%s", e.message);
                ck_assert_ptr_nonnull(strstr(text, "gn8v-tee-many-1.2.3"));
                ck_assert_ptr_nonnull(strstr(text, "baseurl=https://m.example/r\n"));
                ck_assert_ptr_nonnull(strstr(text, "repo_gpgcheck=1\n"));
                ck_assert_ptr_nonnull(strstr(text, "mQACBAA="));
                ck_assert_ptr_null(strchr(text, '@'));
                ck_assert_int_eq(launch_text(&l, t, &again, &e), 0);
                ck_assert_str_eq(text, again);
        }
}
END_TEST

static const char *const bad_urls[] = { "", "ftp://a/", "https://a/{{x}}", "https://a/'", "https://a/\n", "https://a/|", "https://a/\xc3\xa9", "https://a/ b" };
START_TEST(urls_that_are_none_are_refused) {
        _cleanup_free_ char *text = NULL;

        ck_assert_int_eq(launch_embed_key(&l, "k", PUBLIC_KEY, 5, &e), 0);
        l.repo_url = bad_urls[_i];
        ck_assert_int_eq(launch_text(&l, LAUNCH_USER_DATA, &text, &e), -EINVAL);
        ck_assert_int_eq(e.code, EXIT_USAGE);
}
END_TEST

START_TEST(too_much_user_data_is_refused) {
        unsigned char big[3 + 13000] = { 0x99, 13000 >> 8, 13000 & 0xff };
        _cleanup_free_ char *text = NULL;

        ck_assert_int_eq(launch_embed_key(&l, "k", (char *) big, sizeof(big), &e), 0);
        ck_assert_int_eq(launch_text(&l, LAUNCH_USER_DATA, &text, &e), -EFBIG);
        ck_assert_ptr_nonnull(strstr(e.message, "16384"));
        error_clear(&e);
        ck_assert_int_eq(launch_text(&l, LAUNCH_KICKSTART, &text, &e), 0);
}
END_TEST

START_TEST(without_a_repository) {
        _cleanup_free_ char *text = NULL;

        ck_assert_int_eq(launch_text(&l, LAUNCH_USER_DATA, &text, &e), -EINVAL);
        ck_assert_ptr_nonnull(strstr(e.hint, "--repo-key"));
        error_clear(&e);
        l.repo_url = NULL;
        ck_assert_int_eq(launch_text(&l, LAUNCH_USER_DATA, &text, &e), -EINVAL);
        ck_assert_ptr_nonnull(strstr(e.hint, "--repo-url"));
}
END_TEST

int main(void) {
        Suite *suite = suite_create("launch");
        TCase *t = tcase_create("all");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, takes_the_first_of_each_list);
        tcase_add_test(t, the_zone_follows_the_region);
        tcase_add_loop_test(t, what_is_not_listed_is_refused, 0, ELEMENTSOF(bad));
        tcase_add_loop_test(t, an_own_image_needs_a_new_kernel, 0, ELEMENTSOF(kernels));
        tcase_add_loop_test(t, the_shell_reads_back_every_word, 0, ELEMENTSOF(words));
        tcase_add_loop_test(t, base64_is_right, 0, ELEMENTSOF(vectors));
        tcase_add_test(t, a_key_becomes_canonical_armor);
        tcase_add_loop_test(t, what_is_no_public_key_is_refused, 0, ELEMENTSOF(bad_keys));
        tcase_add_test(t, keys_behind_urls);
        tcase_add_test(t, texts_are_filled);
        tcase_add_loop_test(t, urls_that_are_none_are_refused, 0, ELEMENTSOF(bad_urls));
        tcase_add_test(t, too_much_user_data_is_refused);
        tcase_add_test(t, without_a_repository);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
