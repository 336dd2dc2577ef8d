/* SPDX-License-Identifier: Apache-2.0 */
/* The small parts of publishing: manifests, the .repo file, armor, fingerprints, package files that are none. */
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/generation.h"
#include "repo/keyring.h"
#include "repo/metalink.h"
#include "repo/repo-file.h"
#include "repo/repository.h"
#include "repo/rpm-file.h"
#include "repo/signer.h"
#include "run.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define PACKAGE(href) "{\"href\": \"" href "\", \"file\": \"a.rpm\", \"name\": \"a\", \"evr\": \"1-1\", \"arch\": \"noarch\", \"nevra\": \"a-1-1.noarch\"," \
        "\"sha256\": \"" HEX "\", \"size\": 5, \"header_sha256\": \"" HEX "\", \"unsigned_sha256\": null, \"signer\": \"X\", \"vendor\": true, \"releases\": [\"r\"]}"
#define MANIFEST(generation, metadata, packages) "{\"format\": 1, \"generation\": " generation ", \"revision\": 5, \"key\": \"K\", \"repomd_sha256\": \"" HEX "\"," \
        "\"comps_sha256\": \"" HEX "\", \"metadata\": [" metadata "], \"locks\": [\"r x\"], \"packages\": [" packages "]}"

static char *dir;

static void setup(void) {
        ck_assert_int_eq(make_temp_dir("/tmp", "gn8v-publish", &dir), 0);
}

static void teardown(void) {
        ck_assert_int_eq(remove_tree(AT_FDCWD, dir), 0);
        free(dir);
}

START_TEST(manifest_comes_back) {
        static const char text[] = MANIFEST("3", "\"x-primary.xml.gz\"", PACKAGE("packages/a.rpm"));
        _cleanup_(generation_freep) Generation *g = NULL, *again = NULL;
        _cleanup_free_ char *out = NULL, *twice = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_msg(generation_from_json(text, sizeof(text) - 1, "m", &g, &e) == 0, "%s", e.message);
        ck_assert_uint_eq(g->number, 3);
        ck_assert_uint_eq(g->n_packages, 1);
        ck_assert(g->packages[0]->vendor);
        ck_assert_int_eq(generation_to_json(g, &out, &e), 0);
        ck_assert_int_eq(generation_from_json(out, strlen(out), "m", &again, &e), 0);
        ck_assert(generation_same(g, again));
        ck_assert_int_eq(generation_to_json(again, &twice, &e), 0);
        ck_assert_str_eq(out, twice);
        again->packages[0]->sha256[0] = 'f';
        ck_assert(!generation_same(g, again));
}
END_TEST

/* What the generations of a repository have in common is read once; each still is what it is alone. */
START_TEST(generations_share_packages) {
#define A PACKAGE("packages/a.rpm")
#define B PACKAGE("packages/b.rpm")
#define C PACKAGE("packages/c.rpm")
        static const char *const texts[] = { MANIFEST("1", "", A ", " C), MANIFEST("2", "", A ",\n" B "\n, " C), MANIFEST("3", "", ""), MANIFEST("4", "", B "," C) };
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        Generation **v = NULL;
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_free_ char *path = format("%s/generations/%zu", dir, i + 1), *file = format("%s/manifest.json", path);

                ck_assert_int_eq(mkdir_parents(AT_FDCWD, path, 0755), 0);
                ck_assert_int_eq(write_file_new(AT_FDCWD, file, texts[i], strlen(texts[i]), 0644), 0);
        }
        ck_assert_int_eq(generations_load(fd, "r", &v, &n, &e), 0);
        ck_assert_uint_eq(n, ELEMENTSOF(texts));
        ck_assert_ptr_eq(v[0]->packages[1], v[3]->packages[1]);
        ck_assert_ptr_eq(v[1]->packages[1], v[3]->packages[0]);
        while (n > 0) {
                for (size_t i = 0; i < n; i++) {
                        _cleanup_(generation_freep) Generation *alone = NULL;
                        _cleanup_free_ char *x = NULL, *y = NULL;

                        ck_assert_int_eq(generation_from_json(texts[i], strlen(texts[i]), "m", &alone, &e), 0);
                        ck_assert(generation_same(alone, v[i]));
                        ck_assert_int_eq(generation_to_json(alone, &x, &e), 0);
                        ck_assert_int_eq(generation_to_json(v[i], &y, &e), 0);
                        ck_assert_uint_eq(strlen(x) == 0, strlen(y) == 0);
                }
                generations_drop_last(v, &n);
        }
        free(v);
}
END_TEST

static const char *const bad_manifests[] = {
        "", "[]", "{}", MANIFEST("0", "", ""), MANIFEST("-1", "", ""), MANIFEST("1", "\"../x\"", ""), MANIFEST("1", "\"a/b\"", ""), MANIFEST("1", "7", ""),
        MANIFEST("1", "", PACKAGE("../a.rpm")), MANIFEST("1", "", PACKAGE("/a.rpm")), MANIFEST("1", "", PACKAGE("a.rpm")),
        MANIFEST("1", "", PACKAGE("packages/../../a.rpm")), MANIFEST("1", "", PACKAGE("packages/a")), MANIFEST("1", "", "7"),
};
START_TEST(manifest_is_refused) {
        _cleanup_(generation_freep) Generation *g = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(generation_from_json(bad_manifests[_i], strlen(bad_manifests[_i]), "m", &g, &e), -EBADMSG);
        ck_assert_int_eq(e.code, EXIT_INVALID);
        ck_assert_ptr_null(g);
}
END_TEST

START_TEST(repo_file_is_filled) {
        _cleanup_free_ char *path = path_join(getenv("GN8V_TEST_SOURCE"), "repo/" REPO_TEMPLATE), *text = NULL, *installed = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_msg(repo_file_render(path, "https://someone@a.example:443/el8//", NULL, false, &text, &e) == 0, "%s", e.message);
        ck_assert_ptr_nonnull(strstr(text, "\nbaseurl=https://someone@a.example:443/el8\n"));
        ck_assert_ptr_nonnull(strstr(text, "\ngpgkey=https://someone@a.example:443/el8/" REPO_KEY_FILE "\n"));
        ck_assert_ptr_nonnull(strstr(text, "\ngpgcheck=1\nrepo_gpgcheck=1\n"));
        ck_assert_int_eq(repo_file_render(path, "file:///srv/repo", REPO_KEY_INSTALLED_URL, false, &installed, &e), 0);
        ck_assert_ptr_nonnull(strstr(installed, "\ngpgkey=" REPO_KEY_INSTALLED_URL "\n"));
}
END_TEST

static const char *const bad_urls[] = { "", "ftp://a", "file://relative", "https://a b", "https://a\nenabled=0", "https://a\"", "javascript:x", "https://a:b@c/" };
START_TEST(bad_urls_are_refused) {
        _cleanup_free_ char *path = path_join(getenv("GN8V_TEST_SOURCE"), "repo/" REPO_TEMPLATE), *text = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(repo_file_render(path, bad_urls[_i], NULL, false, &text, &e), -EINVAL);
        ck_assert_int_eq(e.code, EXIT_USAGE);
}
END_TEST

static const char *const bad_templates[] = { "baseurl=@BASEURL@\n", "gpgkey=@GPGKEY@\n", "@BASEURL@ @GPGKEY@ @OTHER@\n" };
START_TEST(bad_templates_are_refused) {
        _cleanup_free_ char *path = path_join(dir, "template"), *text = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(write_file_atomic(AT_FDCWD, path, bad_templates[_i], strlen(bad_templates[_i]), 0644), 0);
        ck_assert_int_eq(repo_file_render(path, "https://a.example", NULL, false, &text, &e), -EBADMSG);
}
END_TEST

/* RFC 4880 says what the sum of nothing is; the others were made by gpg --enarmor. */
START_TEST(armor_is_as_gpg_makes_it) {
        _cleanup_free_ char *nothing = openpgp_armor("X", "", 0), *hello = openpgp_armor("ARMORED FILE", "hello\n", 6), *lines = NULL;
        char data[97];

        ck_assert_str_eq(nothing, "-----BEGIN PGP X-----\n\n=twTO\n-----END PGP X-----\n");
        ck_assert_str_eq(hello, "-----BEGIN PGP ARMORED FILE-----\n\naGVsbG8K\n=WALx\n-----END PGP ARMORED FILE-----\n");
        memset(data, 'a', sizeof(data));
        lines = openpgp_armor("X", data, sizeof(data));
        ck_assert_uint_eq(strcspn(strstr(lines, "\n\n") + 2, "\n"), 64);
        ck_assert_ptr_nonnull(strstr(lines, "\nYQ==\n="));
}
END_TEST

/* Any change of any character is seen; other line ends, headers and a missing sum are not damage. */
START_TEST(damaged_armor_is_seen) {
        char data[97];
        _cleanup_free_ char *armored = NULL;
        size_t n;

        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (char) (i * 7);
        armored = openpgp_armor("PUBLIC KEY BLOCK", data, sizeof(data));
        n = strlen(armored);
        ck_assert(openpgp_armor_is_whole(armored));
        for (size_t i = 0; i + 1 < n; i++) {
                armored[i] ^= 1;
                ck_assert_msg(!openpgp_armor_is_whole(armored), "byte %zu", i);
                armored[i] ^= 1;
        }
        for (size_t i = 0; i + 1 < n; i++) {
                _cleanup_free_ char *part = strndup(armored, i);
                ck_assert_msg(!openpgp_armor_is_whole(part), "%zu bytes", i);
        }
        ck_assert(openpgp_armor_is_whole("-----BEGIN PGP X-----\r\nComment: a\r\n\r\naGVsbG8K\r\n=WALx\r\n-----END PGP X-----\r\n"));
        ck_assert(openpgp_armor_is_whole("-----BEGIN PGP X-----\n\naGVsbG8K\n-----END PGP X-----"));
        ck_assert(!openpgp_armor_is_whole("-----BEGIN PGP X-----\n\naGVsbA==bG8K\n-----END PGP X-----\n"));
        ck_assert(!openpgp_armor_is_whole("-----BEGIN PGP X-----\n\naGVsbG8K\n=WALx\n-----END PGP Y-----\n"));
        ck_assert(!openpgp_armor_is_whole("-----BEGIN PGP X-----\n\naGVsbG8K\n=WALx\n-----END PGP X-----\nmore\n"));
        ck_assert(!openpgp_armor_is_whole(""));
}
END_TEST

START_TEST(fingerprints_are_whole) {
        _cleanup_free_ char *f = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(fingerprint_normalize("0123 4567 89ab cdef 0123  4567 89AB CDEF 0123 4567", &f, &e), 0);
        ck_assert_str_eq(f, "0123456789ABCDEF0123456789ABCDEF01234567");
        free(TAKE_PTR(f));
        ck_assert_int_eq(fingerprint_normalize("0x0123456789abcdef0123456789abcdef01234567", &f, &e), 0);
        free(TAKE_PTR(f));
        ck_assert_int_eq(fingerprint_normalize("89ABCDEF01234567", &f, &e), -EINVAL);
        ck_assert_int_eq(fingerprint_normalize("0123456789ABCDEF0123456789ABCDEF012345678", &f, &e), -EINVAL);
        ck_assert_int_eq(fingerprint_normalize("0123456789ABCDEF0123456789ABCDEF0123456G", &f, &e), -EINVAL);
        ck_assert_ptr_null(f);
}
END_TEST

/* A lead and a header whose counts are given: enough to be refused for them. */
static void write_package(const char *path, uint32_t entries, uint32_t bytes, size_t size) {
        unsigned char data[4096] = { 0xed, 0xab, 0xee, 0xdb, 3 };
        const unsigned char head[16] = { 0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0, (unsigned char) (entries >> 24), (unsigned char) (entries >> 16),
                                         (unsigned char) (entries >> 8), (unsigned char) entries, (unsigned char) (bytes >> 24),
                                         (unsigned char) (bytes >> 16), (unsigned char) (bytes >> 8), (unsigned char) bytes };

        memcpy(data + 96, head, sizeof(head));
        ck_assert_int_eq(write_file_atomic(AT_FDCWD, path, data, size, 0644), 0);
}

static const struct { uint32_t entries, bytes; size_t size; } bad_packages[] = {
        { 0, 0, 0 }, { 0, 0, 95 }, { 0, 0, 96 }, { 0, 0, 100 }, { 0, 0, 112 }, { 1, 16, 112 }, { 1, 16, 4096 }, { 1, 0, 4096 },
        { UINT32_MAX, UINT32_MAX, 4096 }, { 65536, 0, 4096 }, { 1, UINT32_MAX, 4096 }, { 1, 100000, 4096 },
};
START_TEST(no_packages) {
        _cleanup_free_ char *path = path_join(dir, "a.rpm");
        _cleanup_(rpm_file_freep) RpmFile *f = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        write_package(path, bad_packages[_i].entries, bad_packages[_i].bytes, bad_packages[_i].size);
        ck_assert_int_eq(rpm_file_open(AT_FDCWD, path, &f, &e), -EBADMSG);
        ck_assert_int_eq(e.code, EXIT_INVALID);
        ck_assert_ptr_null(f);
}
END_TEST

START_TEST(repository_is_held_by_one) {
        _cleanup_(repository_freep) Repository *a = NULL, *b = NULL;
        _cleanup_free_ char *path = path_join(dir, "repo"), *stray = path_join(path, STAGE "/stray"), *old = path_join(path, "generations/4");
        _cleanup_error_ Error e = ERROR_INIT, locked = ERROR_INIT, foreign = ERROR_INIT;

        /* What a killed run may have left: a staging area, and a generation nobody switched to. */
        ck_assert_int_eq(mkdir_parents(AT_FDCWD, stray, 0755), 0);
        ck_assert_int_eq(mkdir_parents(AT_FDCWD, old, 0755), 0);
        ck_assert_msg(repository_open(path, &a, &e) == 0, "%s", e.message);
        ck_assert_int_lt(access(stray, F_OK), 0);
        ck_assert_ptr_null(a->current);
        ck_assert_int_eq(repository_open(path, &b, &locked), -EWOULDBLOCK);
        ck_assert_int_eq(locked.code, EXIT_LOCKED);
        a = repository_free(a);
        free(stray);
        free(old);
        stray = path_join(path, "repodata/repomd.xml");
        old = path_join(path, "repodata");
        ck_assert_int_eq(mkdir_parents(AT_FDCWD, old, 0755), 0);
        ck_assert_int_eq(write_file_atomic(AT_FDCWD, stray, "x", 1, 0644), 0);
        ck_assert_int_eq(repository_open(path, &b, &foreign), -EEXIST);
        ck_assert_ptr_null(b);
}
END_TEST

static void open_by_client(const char *name) {
        _cleanup_free_ char *path = format("%s/repodata/%s", dir, name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(close(fd), 0);
}

START_TEST(readers_come_to_their_end) {
        static const char *const files[] = { "repodata/repomd.xml", "repodata/repomd.xml.asc", "repodata/metalink.xml", "next/repomd.xml" };
        _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        Readers r;

        readers_watch(&r, fd);
        readers_wait(&r, fd, "next"); /* nothing is published */
        ck_assert(!readers_between(&r));
        readers_done(&r);
        ck_assert_int_eq(mkdirat(fd, "repodata", 0755) | mkdirat(fd, "next", 0755), 0);
        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                ck_assert_int_eq(write_file_new(fd, files[i], "x", 1, 0644), 0);
        readers_watch(&r, fd);
        ck_assert_int_ge(r.fd, 0);
        readers_wait(&r, fd, "next");
        ck_assert(!readers_between(&r));
        /* Two at once, which the kernel must not tell as one; then both go on, and one comes by a metalink. */
        open_by_client("repomd.xml");
        open_by_client("repomd.xml");
        open_by_client("repomd.xml.asc");
        ck_assert(readers_between(&r));
        open_by_client("repomd.xml.asc");
        ck_assert(!readers_between(&r));
        open_by_client("metalink.xml");
        ck_assert(readers_between(&r));
        open_by_client("repomd.xml");
        open_by_client("repomd.xml.asc");
        ck_assert(!readers_between(&r));
        /* Going back would not help who has begun with what came; who does not go on is not waited for without an end. */
        open_by_client("repomd.xml");
        open_by_client("../next/repomd.xml");
        ck_assert(!readers_between(&r));
        readers_wait(&r, fd, "next");
        ck_assert(!readers_between(&r));
        readers_done(&r);
}
END_TEST

START_TEST(metalinks_are_carried) {
        const char *const urls[] = { "http://a.example/x?y&z", "https://b.example/<r>", NULL };
        _cleanup_(repository_freep) Repository *r = NULL;
        _cleanup_free_ char *text = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        static const char others[] = "<url /repodata/repomd.xml</url>\n</url><url ";
        char **found = NULL;

        ck_assert_int_eq(repository_open(dir, &r, &e), 0);
        ck_assert_int_eq(metalink_urls(r, &found, &e), 0);
        ck_assert_uint_eq(strv_length(found), 0);
        ck_assert_int_eq(mkdirat(r->fd, "repodata", 0755), 0);
        ck_assert_int_eq(metalink_render("x", 1, 5, (char *const *) urls, &text, &e), 0);
        ck_assert_int_eq(write_file_new(r->fd, "repodata/metalink.xml", text, strlen(text), 0644), 0);
        ck_assert_int_eq(metalink_urls(r, &found, &e), 0);
        ck_assert_uint_eq(strv_length(found), 2);
        for (size_t i = 0; i < 2; i++)
                ck_assert_str_eq(found[i], urls[i]);
        strv_free(found);
        /* Somebody else's words. */
        ck_assert_int_eq(unlinkat(r->fd, "repodata/metalink.xml", 0), 0);
        ck_assert_int_eq(write_file_new(r->fd, "repodata/metalink.xml", others, strlen(others), 0644), 0);
        found = NULL;
        ck_assert_int_eq(metalink_urls(r, &found, &e), 0);
        ck_assert_uint_eq(strv_length(found), 0);
        strv_free(found);
}
END_TEST

int main(void) {
        Suite *s = suite_create("publish");
        TCase *t = tcase_create("publish");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, manifest_comes_back);
        tcase_add_test(t, generations_share_packages);
        tcase_add_loop_test(t, manifest_is_refused, 0, (int) ELEMENTSOF(bad_manifests));
        tcase_add_test(t, repo_file_is_filled);
        tcase_add_loop_test(t, bad_urls_are_refused, 0, (int) ELEMENTSOF(bad_urls));
        tcase_add_loop_test(t, bad_templates_are_refused, 0, (int) ELEMENTSOF(bad_templates));
        tcase_add_test(t, armor_is_as_gpg_makes_it);
        tcase_add_test(t, damaged_armor_is_seen);
        tcase_add_test(t, fingerprints_are_whole);
        tcase_add_loop_test(t, no_packages, 0, (int) ELEMENTSOF(bad_packages));
        tcase_add_test(t, repository_is_held_by_one);
        tcase_add_test(t, readers_come_to_their_end);
        tcase_add_test(t, metalinks_are_carried);
        suite_add_tcase(s, t);
        return run_suite(s);
}
