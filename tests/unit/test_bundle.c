/* SPDX-License-Identifier: Apache-2.0 */
/* The small parts of copying repositories: an export's manifest, foreign metadata, a .repo file's new place, metalink.xml, URLs. */
#include <sys/mman.h>
#include <unistd.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "release/repo-file.h"
#include "repo/bundle-tar.h"
#include "repo/bundle.h"
#include "repo/metalink.h"
#include "repo/mirror-source.h"
#include "run.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEX512 HEX HEX
#define FILE_(path) "{\"path\": \"" path "\", \"size\": 5, \"sha256\": \"" HEX "\"}"
#define KEY_FILE FILE_(BUNDLE_KEY)
#define MANIFEST(generation, files) "{\"format\": 1, \"generation\": " generation ", \"since\": 0, \"key\": \"K\", \"repomd_sha256\": \"" HEX "\", \"files\": [" files "]}"

START_TEST(manifest_comes_back) {
        static const char text[] = MANIFEST("3", KEY_FILE "," FILE_("generation.json") "," FILE_("repodata/repomd.xml") "," FILE_("packages/a/b.rpm"));
        _cleanup_(bundle_manifest_freep) BundleManifest *m = NULL, *again = NULL;
        _cleanup_free_ char *out = NULL, *twice = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_msg(bundle_manifest_from_json(text, sizeof(text) - 1, "m", &m, &e) == 0, "%s", e.message);
        ck_assert_uint_eq(m->n_files, 4);
        ck_assert_str_eq(m->files[3].path, "packages/a/b.rpm");
        ck_assert_int_eq(bundle_manifest_to_json(m, &out, &e), 0);
        ck_assert_int_eq(bundle_manifest_from_json(out, strlen(out), "m", &again, &e), 0);
        ck_assert_int_eq(bundle_manifest_to_json(again, &twice, &e), 0);
        ck_assert_str_eq(out, twice);
}
END_TEST

static const char *const bad_manifests[] = {
        "", "[]", "{}", MANIFEST("1", ""), MANIFEST("0", KEY_FILE), MANIFEST("-1", KEY_FILE), MANIFEST("\"1\"", KEY_FILE), MANIFEST("1", FILE_("generation.json")),
        MANIFEST("1", KEY_FILE "," KEY_FILE), MANIFEST("1", KEY_FILE ", 7"), MANIFEST("1", KEY_FILE "," FILE_("../a.rpm")), MANIFEST("1", KEY_FILE "," FILE_("/etc/passwd")),
        MANIFEST("1", KEY_FILE "," FILE_("packages/../../a.rpm")), MANIFEST("1", KEY_FILE "," FILE_("packages/a")), MANIFEST("1", KEY_FILE "," FILE_("repodata/a/b")),
        MANIFEST("1", KEY_FILE "," FILE_("repodata/.hidden")), MANIFEST("1", KEY_FILE "," FILE_("generations/1/manifest.json")), MANIFEST("1", KEY_FILE "," FILE_(".lock")),
        MANIFEST("1", KEY_FILE ", {\"path\": \"repodata/a\", \"size\": -1, \"sha256\": \"" HEX "\"}"),
        MANIFEST("1", KEY_FILE ", {\"path\": \"repodata/a\", \"size\": 1, \"sha256\": \"" HEX512 "\"}"),
};
START_TEST(manifest_is_refused) {
        _cleanup_(bundle_manifest_freep) BundleManifest *m = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(bundle_manifest_from_json(bad_manifests[_i], strlen(bad_manifests[_i]), "m", &m, &e), -EBADMSG);
        ck_assert_int_eq(e.code, EXIT_INVALID);
        ck_assert_ptr_null(m);
}
END_TEST

/* Three members, one of them with a name that takes a header of its own. */
static const char *tar_names[] = { BUNDLE_MANIFEST, NULL, "packages/b.rpm" };
static const char *const tar_texts[] = { "what is signed\n", "", "some bytes" };

static void append_member(Text *t, const char *name, const char *text) {
        static const char zeros[BUNDLE_TAR_RECORD];
        _cleanup_free_ char *header = NULL;
        size_t n;

        ck_assert_int_eq(bundle_tar_header(name, strlen(text), 1700000000, &header, &n), 0);
        text_append_n(t, header, n);
        text_append(t, text);
        text_append_n(t, zeros, bundle_tar_padding(strlen(text)));
}

static char *make_tar(size_t *ret_size) {
        static const char zeros[2 * BUNDLE_TAR_RECORD];
        static char name[200];
        _cleanup_text_ Text t = {};

        memset(name, 'a', 160);
        memcpy(name, "packages/", 9);
        memcpy(name + 160, ".rpm", 5);
        tar_names[1] = name;
        for (size_t i = 0; i < ELEMENTSOF(tar_names); i++)
                append_member(&t, tar_names[i], tar_texts[i]);
        text_append_n(&t, zeros, bundle_tar_ending(t.size));
        ck_assert_uint_eq(t.size % BUNDLE_TAR_RECORD, 0);
        *ret_size = t.size;
        return text_take(&t);
}

static int gather(void *userdata, const void *data, size_t size, Error *e) {
        text_append_n(userdata, data, size);
        return 0;
}

/* 1: read to its end, and its members were those; 0: to its end, and others; -errno. */
static int read_tar(int fd, size_t size, Error *e) {
        _cleanup_(bundle_tar_close) BundleTar t = {};
        uint64_t first;
        bool same = true;
        int r;

        if ((r = bundle_tar_open(&t, "b", fd, size, NULL, e)) < 0 || (r = bundle_tar_peek(&t, tar_names[0], &first, e)) < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(tar_names); i++) {
                uint64_t n = i == 0 ? first : strlen(tar_texts[i]);
                _cleanup_text_ Text got = {};

                if ((r = bundle_tar_next(&t, tar_names[i], n, e)) < 0 || (r = bundle_tar_data(&t, tar_names[i], n, gather, &got, e)) < 0)
                        return r;
                same = same && got.size == strlen(tar_texts[i]) && memcmp(got.data ? got.data : "", tar_texts[i], got.size) == 0;
        }
        r = bundle_tar_end(&t, e);
        return r < 0 ? r : same;
}

/* Digests cover the data, and nothing else has a second value: a changed bit is found in whatever byte. */
START_TEST(each_byte_of_a_bundle_counts) {
        size_t size, refused = 0, other = 0;
        _cleanup_free_ char *tar = make_tar(&size);
        _cleanup_close_ int fd = memfd_create("bundle", MFD_CLOEXEC);

        ck_assert_int_eq(write_all(fd, tar, size), 0);
        for (size_t i = 0; i < size; i++) {
                char changed = (char) (tar[i] ^ 1 << i % 8);
                _cleanup_error_ Error e = ERROR_INIT;
                int r;

                if (i == 0)
                        ck_assert_int_eq(read_tar(fd, size, &e), 1);
                ck_assert_int_eq(pwrite(fd, &changed, 1, (off_t) i), 1);
                r = read_tar(fd, size, &e);
                ck_assert_msg(r == 0 || r == -EBADMSG, "byte %zu, bit %zu: %d", i, i % 8, r);
                ck_assert_int_eq(pwrite(fd, tar + i, 1, (off_t) i), 1);
                refused += r < 0;
                other += r == 0;
        }
        ck_assert_uint_eq(other, strlen(tar_texts[0]) + strlen(tar_texts[2]));
        for (size_t n = 0; n < size; n += 1021) {
                _cleanup_error_ Error e = ERROR_INIT;
                ck_assert_int_eq(read_tar(fd, n, &e), -EBADMSG);
        }
}
END_TEST

START_TEST(large_members_have_room) {
        _cleanup_free_ char *header = NULL;
        size_t n;

        ck_assert_int_eq(bundle_tar_header("packages/a.rpm", UINT64_C(1) << 33, -1, &header, &n), 0);
        ck_assert_uint_eq(n, 3 * BUNDLE_TAR_BLOCK);
        ck_assert_int_eq(memcmp(header + BUNDLE_TAR_BLOCK, "19 size=8589934592\n", 20), 0);
        ck_assert_uint_eq(bundle_tar_ending(0), BUNDLE_TAR_RECORD);
        ck_assert_uint_eq(bundle_tar_ending(9216), 1024);
        ck_assert_uint_eq(bundle_tar_ending(9728), 512 + BUNDLE_TAR_RECORD);
}
END_TEST

#define PACKAGE(name, digest, hex, href) "<package type=\"rpm\"><name>" name "</name><arch>noarch</arch><version epoch=\"0\" ver=\"1\" rel=\"1\"/>" \
        "<checksum type=\"" digest "\" pkgid=\"YES\">" hex "</checksum><size package=\"10\"/><location href=\"" href "\"/>" \
        "<format><rpm:header-range start=\"4\" end=\"5\"/></format></package>"
#define PRIMARY(count, inner) "<metadata xmlns:rpm=\"r\" packages=\"" count "\">\n" inner "</metadata>"

START_TEST(foreign_metadata_are_read) {
        static const char text[] = PRIMARY("3", PACKAGE("a", "sha512", HEX512, "a.rpm") "\n" PACKAGE("b", "sha256", HEX, "x/b.rpm") PACKAGE("b", "sha256", HEX, "x/b.rpm"));
        static const char lists[] = "<filelists><package pkgid=\"1\"><file>/&lt;package&gt;</file></package>\n<package\tpkgid=\"2\"></package></filelists>";
        _cleanup_free_ XmlFragment *fragments = NULL;
        _cleanup_(primary_freep) Primary *p = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        XmlPackage *v;
        size_t n;

        ck_assert_msg(primary_parse_foreign(text, sizeof(text) - 1, "p", &p, &fragments, &e) == 0, "%s", e.message);
        ck_assert_uint_eq(p->n_packages, 2); /* said twice, there once */
        ck_assert_str_eq(p->packages[0]->digest, "sha512");
        ck_assert_ptr_nonnull(startswith(fragments[1].text, "<package type=\"rpm\"><name>b<"));
        ck_assert(fragments[0].text[fragments[0].size - 1] == '\n' && fragments[1].text[fragments[1].size - 1] == '>');
        ck_assert_int_eq(xml_packages_parse(lists, sizeof(lists) - 1, "l", "filelists", &v, &n, &e), 0);
        ck_assert_uint_eq(n, 2);
        ck_assert_str_eq(v[1].pkgid, "2");
        ck_assert_ptr_nonnull(startswith(v[1].fragment.text, "<package\tpkgid=\"2\""));
        xml_packages_free(v, n);
}
END_TEST

static const struct {
        const char *text;
        ExitCode code;
} bad_primaries[] = {
        { PRIMARY("1", PACKAGE("a", "sha1", "0011223344556677889900112233445566778899", "a.rpm")), EXIT_UNTRUSTED },
        { PRIMARY("1", PACKAGE("a", "md5", "00112233445566778899001122334455", "a.rpm")), EXIT_UNTRUSTED },
        { PRIMARY("1", PACKAGE("a", "sha256", HEX512, "a.rpm")), EXIT_UNTRUSTED },
        { PRIMARY("2", PACKAGE("a", "sha256", HEX, "a.rpm") PACKAGE("a", "sha512", HEX512, "a.rpm")), EXIT_INVALID },
        { PRIMARY("1", PACKAGE("a", "sha256", HEX, "a.rpm\" xml:base=\"http://b/")), EXIT_INVALID },
        { PRIMARY("1", PACKAGE("a", "sha256", HEX, "../a.rpm")), EXIT_INVALID },
        { PRIMARY("1", PACKAGE("a", "sha256", HEX, "a.rpm") "<!-- <package> -->"), EXIT_INVALID },
        { PRIMARY("1", "<![CDATA[</package>]]>" PACKAGE("a", "sha256", HEX, "a.rpm")), EXIT_INVALID },
        { "<!DOCTYPE m [<!ENTITY a \"b\">]>" PRIMARY("1", PACKAGE("a", "sha256", HEX, "a.rpm")), EXIT_INVALID },
};
START_TEST(foreign_metadata_are_refused) {
        _cleanup_free_ XmlFragment *fragments = NULL;
        _cleanup_(primary_freep) Primary *p = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_lt(primary_parse_foreign(bad_primaries[_i].text, strlen(bad_primaries[_i].text), "p", &p, &fragments, &e), 0);
        ck_assert_int_eq(e.code, bad_primaries[_i].code);
        ck_assert_ptr_null(p);
}
END_TEST

START_TEST(repo_file_moves) {
        static const char text[] = "[a]\nbaseurl=http://a/b\nother=http://a/bc\ngpgkey=http://a/b/KEY file:///etc/KEY\n";
        _cleanup_free_ char *moved = NULL, *none = NULL;
        _cleanup_error_ Error e = ERROR_INIT, bad = ERROR_INIT;

        ck_assert_int_eq(repo_file_move(text, "f", "https://x/y/", &moved, &e), 0);
        ck_assert_str_eq(moved, "[a]\nbaseurl=https://x/y\nother=http://a/bc\ngpgkey=https://x/y/KEY file:///etc/KEY\n");
        ck_assert_int_eq(repo_file_move("[a]\n", "f", "https://x", &none, &e), -EBADMSG);
        ck_assert_int_eq(repo_file_move(text, "f", "https://x\nenabled=0", &none, &bad), -EINVAL);
        ck_assert_ptr_null(none);
}
END_TEST

START_TEST(metalink_is_written) {
        static char first[] = "https://a.example/x/", second[] = "http://b.example/?y&z", evil[] = "http://b.example/\"";
        char *urls[] = { first, second, NULL }, *bad[] = { evil, NULL };
        _cleanup_free_ char *text = NULL, *none = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(metalink_render("abc", 3, 0, urls, &text, &e), 0);
        ck_assert_ptr_nonnull(strstr(text, "<size>3</size>"));
        /* FIPS 180-2, appendix B.1 */
        ck_assert_ptr_nonnull(strstr(text, "<hash type=\"sha256\">ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad</hash>"));
        ck_assert_ptr_nonnull(strstr(text, "pubdate=\"Thu, 01 Jan 1970 00:00:00 GMT\""));
        ck_assert_ptr_nonnull(strstr(text, "preference=\"100\">https://a.example/x/repodata/repomd.xml</url>"));
        ck_assert_ptr_nonnull(strstr(text, "preference=\"99\">http://b.example/?y&amp;z/repodata/repomd.xml</url>"));
        ck_assert_int_eq(metalink_render("abc", 3, 0, bad, &none, &e), -EINVAL);
        ck_assert_ptr_null(none);
}
END_TEST

START_TEST(urls_are_escaped) {
        _cleanup_free_ char *plain = mirror_url("http://a", "p/libstdc++-1~2^3.rpm"), *odd = mirror_url("http://a", "p/a b#c?d%e\"f");

        ck_assert_str_eq(plain, "http://a/p/libstdc++-1~2^3.rpm");
        ck_assert_str_eq(odd, "http://a/p/a%20b%23c%3Fd%25e%22f");
}
END_TEST

int main(void) {
        Suite *s = suite_create("bundle");
        TCase *t = tcase_create("bundle");

        tcase_add_test(t, manifest_comes_back);
        tcase_add_loop_test(t, manifest_is_refused, 0, (int) ELEMENTSOF(bad_manifests));
        tcase_add_test(t, each_byte_of_a_bundle_counts);
        tcase_add_test(t, large_members_have_room);
        tcase_add_test(t, foreign_metadata_are_read);
        tcase_add_loop_test(t, foreign_metadata_are_refused, 0, (int) ELEMENTSOF(bad_primaries));
        tcase_add_test(t, repo_file_moves);
        tcase_add_test(t, metalink_is_written);
        tcase_add_test(t, urls_are_escaped);
        suite_add_tcase(s, t);
        return run_suite(s);
}
