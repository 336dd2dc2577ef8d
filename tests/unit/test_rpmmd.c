/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata that somebody else wrote: what is read of it, and what is refused. */
#include <zlib.h>

#include "basic/strings.h"
#include "repo/gzip.h"
#include "repo/rpmmd.h"
#include "run.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define REPOMD(inner) "<?xml version=\"1.0\"?><repomd xmlns=\"http://linux.duke.edu/metadata/repo\"><revision>7</revision>" inner "</repomd>"
#define DATA(type, href) "<data type=\"" type "\"><checksum type=\"sha256\">" HEX "</checksum><open-checksum type=\"sha256\">" HEX "</open-checksum>" \
        "<location href=\"" href "\"/><size>12</size><open-size>34</open-size></data>"
#define PACKAGE(name, href) "<package type=\"rpm\"><name>" name "</name><arch>noarch</arch><version epoch=\"1\" ver=\"2\" rel=\"3\"/>" \
        "<checksum type=\"sha256\" pkgid=\"YES\">" HEX "</checksum><size package=\"10\" installed=\"20\" archive=\"30\"/><location href=\"" href "\"/>" \
        "<format><rpm:header-range start=\"4\" end=\"5\"/><rpm:provides><rpm:entry name=\"x\"/></rpm:provides></format></package>"
#define PRIMARY(count, inner) "<metadata xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"" count "\">" inner "</metadata>"

START_TEST(repomd_is_read) {
        static const char text[] = REPOMD(DATA("primary", "repodata/a.gz") DATA("other", "repodata/b.gz"));
        _cleanup_(repomd_freep) Repomd *r = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(repomd_parse(text, sizeof(text) - 1, "repomd.xml", &r, &e), 0);
        ck_assert_uint_eq(r->n_files, 2);
        ck_assert_str_eq(r->revision, "7");
        ck_assert_str_eq(repomd_find(r, "primary")->href, "repodata/a.gz");
        ck_assert_str_eq(repomd_find(r, "other")->open_checksum, HEX);
        ck_assert_uint_eq(repomd_find(r, "other")->size, 12);
        ck_assert_uint_eq(repomd_find(r, "other")->open_size, 34);
        ck_assert_ptr_null(repomd_find(r, "filelists"));
}
END_TEST

static const char *const bad_repomds[] = {
        "", "<", "<repomd>", "<other/>", REPOMD("<data/>"), REPOMD("<data type=\"x\"></data>"),
        REPOMD(DATA("primary", "repodata/a") DATA("primary", "repodata/b")),
        REPOMD(DATA("primary", "../etc/passwd")), REPOMD(DATA("primary", "repodata/../x")), REPOMD(DATA("primary", "/etc/passwd")),
        REPOMD(DATA("primary", "packages/a")), REPOMD(DATA("primary", "repodata//a")),
        REPOMD("<data type=\"primary\"><checksum type=\"md5\">" HEX "</checksum><location href=\"repodata/a\"/></data>"),
        REPOMD("<data type=\"primary\"><checksum type=\"sha256\">short</checksum><location href=\"repodata/a\"/></data>"),
        REPOMD("<data type=\"primary\"><location href=\"repodata/a\"/><size>-1</size></data>"),
        REPOMD("<data type=\"primary\"><location href=\"repodata/a\"/><size>99999999999999999999999</size></data>"),
        "<!DOCTYPE repomd [<!ENTITY a \"b\">]>" REPOMD(DATA("primary", "repodata/a")),
        "<!DOCTYPE r SYSTEM \"file:///etc/passwd\">" REPOMD(DATA("primary", "repodata/a")),
        REPOMD(DATA("primary", "repodata/a")) "<more/>",
        REPOMD("<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a>"),
};
START_TEST(repomd_is_refused) {
        _cleanup_(repomd_freep) Repomd *r = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_lt(repomd_parse(bad_repomds[_i], strlen(bad_repomds[_i]), "repomd.xml", &r, &e), 0);
        ck_assert_int_eq(e.code, EXIT_INVALID);
        ck_assert_ptr_nonnull(strstr(e.message, "repomd.xml: "));
        ck_assert_ptr_null(r);
}
END_TEST

START_TEST(primary_is_read) {
        static const char text[] = PRIMARY("2", PACKAGE("a", "packages/a.rpm") PACKAGE("b", "packages/b.rpm"));
        _cleanup_(primary_freep) Primary *p = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(primary_parse(text, sizeof(text) - 1, "primary.xml", &p, NULL, &e), 0);
        ck_assert_uint_eq(p->n_packages, 2);
        ck_assert_str_eq(p->packages[0]->nevra, "a-1:2-3.noarch");
        ck_assert_str_eq(p->packages[1]->href, "packages/b.rpm");
        ck_assert_uint_eq(p->packages[1]->size, 10);
        ck_assert_uint_eq(p->packages[1]->header_start, 4);
        ck_assert_uint_eq(p->packages[1]->header_end, 5);
}
END_TEST

static const char *const bad_primaries[] = {
        "", "<repomd/>", PRIMARY("1", ""), PRIMARY("x", ""), PRIMARY("1", PACKAGE("a", "packages/a.rpm") PACKAGE("b", "packages/b.rpm")),
        PRIMARY("2", PACKAGE("a", "packages/a.rpm") PACKAGE("a", "packages/b.rpm")),
        PRIMARY("2", PACKAGE("a", "packages/a.rpm") PACKAGE("b", "packages/a.rpm")),
        PRIMARY("1", PACKAGE("a", "../a.rpm")), PRIMARY("1", PACKAGE("a", "/a.rpm")), PRIMARY("1", PACKAGE("a", "")),
        PRIMARY("1", PACKAGE("&lol;", "packages/a.rpm")), PRIMARY("1", "<package type=\"rpm\"><name>a</name></package>"),
        PRIMARY("1", "<package type=\"rpm\"><name>a</name><name>b</name></package>"),
        "<!DOCTYPE m [<!ENTITY lol \"lol\">]>" PRIMARY("1", PACKAGE("&lol;", "packages/a.rpm")),
        PRIMARY("1", "<package type=\"rpm\"><name>a</name>"),
};
START_TEST(primary_is_refused) {
        _cleanup_(primary_freep) Primary *p = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_lt(primary_parse(bad_primaries[_i], strlen(bad_primaries[_i]), "primary.xml", &p, NULL, &e), 0);
        ck_assert_int_eq(e.code, EXIT_INVALID);
        ck_assert_ptr_null(p);
}
END_TEST

static size_t pack(const void *data, size_t size, unsigned char *out, size_t max) {
        z_stream z = { .next_in = (unsigned char *) data, .avail_in = (unsigned) size, .next_out = out, .avail_out = (unsigned) max };

        ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
        ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
        ck_assert_int_eq(deflateEnd(&z), Z_OK);
        return max - z.avail_out;
}

START_TEST(gzip_is_bounded) {
        static char zeros[300000];
        static unsigned char packed[4096];
        _cleanup_free_ char *text = NULL;
        size_t n = pack(zeros, sizeof(zeros), packed, sizeof(packed)), size;

        ck_assert_int_eq(gzip_unpack(packed, n, sizeof(zeros), &text, &size), 0);
        ck_assert_uint_eq(size, sizeof(zeros));
        free(TAKE_PTR(text));
        ck_assert_int_eq(gzip_unpack(packed, n, sizeof(zeros) - 1, &text, &size), -EFBIG);
        ck_assert_int_eq(gzip_unpack(packed, n, 0, &text, &size), -EFBIG);
        for (size_t cut = 0; cut < n; cut++)
                ck_assert_int_eq(gzip_unpack(packed, cut, sizeof(zeros), &text, &size), -EBADMSG);
        packed[n] = 'x'; /* something behind the end */
        ck_assert_int_eq(gzip_unpack(packed, n + 1, sizeof(zeros), &text, &size), -EBADMSG);
        ck_assert_int_eq(gzip_unpack("hello", 5, 100, &text, &size), -EBADMSG);
        ck_assert_ptr_null(text);
}
END_TEST

int main(void) {
        Suite *s = suite_create("rpmmd");
        TCase *t = tcase_create("rpmmd");

        tcase_add_test(t, repomd_is_read);
        tcase_add_loop_test(t, repomd_is_refused, 0, (int) ELEMENTSOF(bad_repomds));
        tcase_add_test(t, primary_is_read);
        tcase_add_loop_test(t, primary_is_refused, 0, (int) ELEMENTSOF(bad_primaries));
        tcase_add_test(t, gzip_is_bounded);
        suite_add_tcase(s, t);
        return run_suite(s);
}
