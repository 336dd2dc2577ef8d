/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/process.h"
#include "repo/build-record.h"
#include "repo/build.h"
#include "repo/spec.h"
#include "run.h"

static char *scratch, *specs;

static char *at(const char *name) {
        char *path = path_join(scratch, name);

        ck_assert_ptr_nonnull(path);
        return path;
}

static void put(const char *name, const char *text, mode_t mode) {
        _cleanup_free_ char *path = at(name), *dir = strdup(path);

        *strrchr(dir, '/') = '\0';
        ck_assert_int_eq(mkdir_parents(AT_FDCWD, dir, 0755), 0);
        ck_assert_int_eq(write_file_atomic(AT_FDCWD, path, text, strlen(text), mode), 0);
}

static char *get(const char *name) {
        _cleanup_free_ char *path = at(name);
        char *text = NULL;

        ck_assert_msg(read_file(AT_FDCWD, path, 1 << 20, &text, NULL) == 0, "%s", path);
        return text;
}

static bool exists(const char *name) {
        _cleanup_free_ char *path = at(name);

        return access(path, F_OK) == 0;
}

/* What the specs call instead of gn8v-tee-repo: writes a few files as wrap and render do, one of them with the clock in it. */
static const char stand_in[] =
        "#!/bin/sh\n"
        "set -e\n"
        "verb=$1; shift\n"
        "while [ $# -gt 1 ]; do case $1 in --into) into=$2;; --lists) lists=$2;; --artifact) artifact=$2;; --release) release=$2;; esac; shift 2; done\n"
        "[ -s \"$release\" ]\n"
        "case $verb in\n"
        "wrap)\n"
        "        grep -q BREAK \"$1\" && { echo 'this archive is broken'; exit 1; }\n"
        "        install -D -m 4755 \"$1\" $into/usr/bin/$artifact-tool\n"
        "        install -D -m 0644 \"$1\" $into/usr/src/$artifact-1/a.c\n"
        "        echo /usr/bin/$artifact-tool > $lists/driver.list\n"
        "        echo /usr/src/$artifact-1 > $lists/kmod.list ;;\n"
        "render)\n"
        "        install -D -m 0644 \"$release\" $into/usr/share/gn8v-tee/release.conf\n"
        "        echo /usr/share/gn8v-tee/release.conf > $lists/meta.list ;;\n"
        "esac\n";

static void add_release(const char *name, const char *profile, const char *version, const char *date, const char *content) {
        char digest[SHA256_HEX_SIZE], release_digest[SHA256_HEX_SIZE];
        _cleanup_free_ char *conf = NULL, *lock = NULL, *file = NULL, *stored = NULL;

        ck_assert_int_eq(sha256_buffer(content, strlen(content), digest), 0);
        conf = format("[Release]\nProfile=%s\nVersion=%s\nSummary=a test\nDate=%s\n[Platform]\nMinimumKernel=1.2\nPackage=openssl3-libs\n"
                      "[Persistenced]\nOptions=--user root\n[Expect]\nGPUs=1\nNVSwitches=0\nMode=confidential-computing\nDevTools=off\n"
                      "[Artifact driver]\nKind=driver\nVersion=1.2.3\nURL=https://h.example/D-1.2.3.run\nSHA256=%s\n"
                      "Licence=LicenseRef-X\nRedistributable=no\n",
                      profile, version, date, digest);
        ck_assert_int_eq(sha256_buffer(conf, strlen(conf), release_digest), 0);
        lock = format("{\"version\": 1, \"release\": \"%s\", \"release_sha256\": \"%s\", \"artifacts\": {\"driver\": {\"checksum\": \"sha256:%s\","
                      " \"kind\": \"driver\", \"version\": \"1.2.3\", \"filename\": \"D-1.2.3.run\", \"urls\": [\"https://h.example/D-1.2.3.run\"],"
                      " \"size\": %zu, \"licence\": \"LicenseRef-X\", \"redistributable\": false}}}",
                      name, release_digest, digest, strlen(content));
        file = format("releases/%s.conf", name);
        put(file, conf, 0644);
        free(file);
        file = format("ws/locks/%s.lock", name);
        put(file, lock, 0644);
        stored = format("ws/store/sha256/%.2s/%s", digest, digest);
        put(stored, content, 0644);
}

static const char *only; /* builds only this release */

static int build(bool force, BuildResult **ret, Error *e) {
        _cleanup_free_ char *ws = at("ws"), *tool = at("stand-in"), *releases_dir = at("releases");
        BuildOptions o = { .workspace = ws, .specs_dir = specs, .releases_dir = releases_dir, .program = tool, .force = force };
        Release **releases = NULL;
        size_t n = 0;
        int r;

        ck_assert_msg(release_load_directory(releases_dir, &releases, &n, e) == 0, "%s", e->message);
        for (size_t i = 0; only && i < n; i++)
                if (strstr(releases[i]->path, only)) {
                        Release *first = releases[0];

                        releases[0] = releases[i];
                        releases[i] = first;
                }
        r = build_run(&o, releases, only ? 1 : n, ret, e);
        release_free_many(releases, n);
        return r;
}

static size_t fresh(const BuildResult *r) {
        size_t n = 0;

        for (size_t i = 0; i < r->n_outcomes; i++)
                n += r->outcomes[i].fresh;
        return n;
}

static void build_ok(bool force, size_t jobs, size_t wanted_fresh) {
        _cleanup_(build_result_freep) BuildResult *result = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_msg(build(force, &result, &e) == 0, "%s", e.message ?: "no reason");
        ck_assert_uint_eq(result->n_outcomes, jobs);
        ck_assert_uint_eq(fresh(result), wanted_fresh);
}

static void build_fails(ExitCode code, const char *reason) {
        _cleanup_(build_result_freep) BuildResult *result = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_lt(build(false, &result, &e), 0);
        ck_assert_ptr_null(result);
        ck_assert_msg(strstr(e.message, reason), "'%s' does not say '%s'", e.message, reason);
        ck_assert_int_eq(e.code, code);
        ck_assert_ptr_nonnull(e.hint);
}

static void setup(void) {
        scratch = NULL;
        ck_assert_int_eq(make_temp_dir("/tmp", "gn8v-build.", &scratch), 0);
        specs = path_join(getenv("GN8V_TEST_SOURCE"), "specs");
        put("stand-in", stand_in, 0755);
        put("releases/.keep", "", 0644);
}

static void teardown(void) {
        (void) remove_tree(AT_FDCWD, scratch);
        free(scratch);
        free(specs);
}

START_TEST(hostile_values_are_refused) {
        static const char *const bad[] = { "%(id)", "a%b", "a\nb", "a\\", "{a", "", " a", "say \"x\"", "\x7f" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_text_ Text t = {};

                ck_assert_int_eq(spec_define(&t, "f.conf", "gn8v_x", bad[i], &e), -EBADMSG);
                ck_assert_uint_eq(t.size, 0);
                ck_assert_int_eq(e.code, EXIT_INVALID);
                ck_assert_ptr_nonnull(strstr(e.message, "f.conf"));
        }
}
END_TEST

START_TEST(a_spec_is_made) {
        _cleanup_free_ char *a = NULL, *b = NULL, *dir = at("specs");
        _cleanup_error_ Error e = ERROR_INIT;

        put("specs/x.spec", "Name: x\n%post\n%include ../scriptlets/x.post\n%files\n", 0644);
        put("scriptlets/x.post", "# why\ntrue || :\n", 0644);
        ck_assert_int_eq(spec_generate(dir, "x", "%global gn8v_a b\n", 1000000000, "Made", &a, &e), 0);
        ck_assert_int_eq(spec_generate(dir, "x", "%global gn8v_a b\n", 1000000000, "Made", &b, &e), 0);
        ck_assert_str_eq(a, b);
        ck_assert_ptr_nonnull(strstr(a, "Name: x\n%post\ntrue || :\n%files\n"));
        ck_assert_ptr_null(strstr(a, "# why"));
        ck_assert_ptr_nonnull(strstr(a, "* Sun Sep 09 01:46:40 UTC 2001 "));
        ck_assert_ptr_nonnull(strstr(a, "%global gn8v_a b\n"));
        ck_assert_ptr_null(strstr(a, scratch));
}
END_TEST

START_TEST(a_bad_spec_is_refused) {
        _cleanup_free_ char *dir = at("specs"), *s = NULL;

        for (int i = 0; i < 4; i++) {
                _cleanup_error_ Error e = ERROR_INIT;

                put("specs/x.spec", i == 0 ? "%include /etc/passwd\n" : i == 1 ? "%include ../scriptlets/../x\n" : "%include ../scriptlets/gone\n", 0644);
                ck_assert_int_lt(spec_generate(dir, i == 3 ? "nothere" : "x", "", 1000000000, "Made", &s, &e), 0);
                ck_assert_ptr_null(s);
                ck_assert_ptr_nonnull(strstr(e.message, i == 3 ? "nothere.spec" : "x.spec"));
        }
}
END_TEST

START_TEST(shipped_specs_have_no_version) {
        static const char *const kinds[] = { "gn8v-tee", "release", "driver", "cuda", "cublas", "meta" };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                _cleanup_free_ char *path = format("%s/%s.spec", specs, kinds[i]), *text = NULL;

                ck_assert_int_eq(read_file(AT_FDCWD, path, 1 << 20, &text, NULL), 0);
                ck_assert_ptr_nonnull(strstr(text, "Version:        %{gn8v_version}\n"));
                ck_assert_ptr_nonnull(strstr(text, "Release:        %{gn8v_revision}"));
        }
}
END_TEST

START_TEST(packages_are_built_once) {
        _cleanup_(build_record_freep) BuildRecord *r = NULL;
        _cleanup_free_ char *packages = at("ws/packages"), *before = NULL, *after = NULL, *path = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        if (!program_exists(NULL, "rpmbuild"))
                return;
        add_release("one-1.2.3", "one", "1.2.3", "2025-02-03", "the archive\n");
        build_ok(false, 2, 2);
        ck_assert(exists("ws/packages/gn8v-tee-driver-1-1.2.3-1.x86_64.rpm"));
        ck_assert(exists("ws/packages/gn8v-tee-kmod-1-dkms-1.2.3-1.noarch.rpm"));
        ck_assert(exists("ws/packages/gn8v-tee-one-1.2.3-1.noarch.rpm"));
        before = get("ws/packages/gn8v-tee-driver-1-1.2.3-1.x86_64.rpm.json");
        build_ok(false, 2, 0);
        /* A newer release with the same driver: only its own package is built, and the driver's record names both. */
        add_release("two-2.0", "two", "2.0", "2025-03-04", "the archive\n");
        build_ok(false, 3, 1);
        ck_assert_int_eq(build_record_load(packages, "gn8v-tee-driver-1-1.2.3-1.x86_64.rpm.json", &r, &e), 0);
        ck_assert_uint_eq(strv_length(r->releases), 2);
        ck_assert_str_eq(r->releases[0], "one-1.2.3");
        ck_assert_str_eq(r->releases[1], "two-2.0");
        ck_assert_str_eq(r->artifact, "driver");
        ck_assert_uint_eq(strv_length(r->together), 2);
        /* Only the newer one is asked for: the shared package is the same, and stays everybody's. */
        only = "two-2.0";
        build_ok(true, 2, 2);
        only = NULL;
        after = get("ws/packages/gn8v-tee-driver-1-1.2.3-1.x86_64.rpm.json");
        ck_assert_ptr_nonnull(strstr(after, r->sha256));
        ck_assert_ptr_nonnull(strstr(after, "one-1.2.3"));
        free(after);
        /* Forced: built again, and the same bytes, seconds later. */
        build_ok(true, 3, 3);
        after = get("ws/packages/gn8v-tee-driver-1-1.2.3-1.x86_64.rpm.json");
        ck_assert_ptr_nonnull(strstr(after, r->sha256));
        ck_assert_ptr_nonnull(strstr(before, r->sha256));
        /* One of two packages is gone: both are built. */
        path = at("ws/packages/gn8v-tee-kmod-1-dkms-1.2.3-1.noarch.rpm");
        ck_assert_int_eq(unlink(path), 0);
        build_ok(false, 3, 1);
        ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(conflicting_artifacts_are_refused) {
        add_release("one-1.2.3", "one", "1.2.3", "2025-02-03", "the archive\n");
        add_release("two-2.0", "two", "2.0", "2025-03-04", "another archive\n");
        build_fails(EXIT_INVALID, "gn8v-tee-driver-1-1.2.3-1");
}
END_TEST

START_TEST(what_is_missing_is_named) {
        _cleanup_free_ char *path = at("ws/locks/one-1.2.3.lock"), *store = at("ws/store/sha256");

        add_release("one-1.2.3", "one", "1.2.3", "2025-02-03", "the archive\n");
        ck_assert_int_eq(remove_tree(AT_FDCWD, store), 0);
        ck_assert_int_eq(mkdir(store, 0755), 0);
        build_fails(EXIT_FAILED, "is not in the store");
        ck_assert_int_eq(unlink(path), 0);
        build_fails(EXIT_DIFFERS, "one-1.2.3.lock");
}
END_TEST

START_TEST(a_failed_build_keeps_its_log) {
        _cleanup_free_ char *log = NULL, *ws = at("ws");
        DIR *d;
        struct dirent *entry;

        if (!program_exists(NULL, "rpmbuild"))
                return;
        add_release("one-1.2.3", "one", "1.2.3", "2025-02-03", "BREAK\n");
        build_fails(EXIT_FAILED, "this archive is broken");
        log = get("ws/logs/gn8v-tee-driver-1-1.2.3-1.log");
        ck_assert_ptr_nonnull(strstr(log, "this archive is broken"));
        ck_assert(!exists("ws/packages/gn8v-tee-driver-1-1.2.3-1.x86_64.rpm"));
        /* Nothing is left of where it was built. */
        d = opendir(ws);
        ck_assert_ptr_nonnull(d);
        while ((entry = readdir(d)))
                ck_assert_ptr_null(startswith(entry->d_name, ".build-"));
        (void) closedir(d);
}
END_TEST

START_TEST(one_build_at_a_time) {
        _cleanup_free_ char *path = at("ws/packages/.build.lock");
        _cleanup_close_ int fd = -1;

        add_release("one-1.2.3", "one", "1.2.3", "2025-02-03", "the archive\n");
        put("ws/packages/.build.lock", "", 0644);
        fd = lock_file(AT_FDCWD, path);
        ck_assert_int_ge(fd, 0);
        build_fails(EXIT_LOCKED, "another build");
}
END_TEST

START_TEST(records_are_checked) {
        static const char *const bad[] = {
                "", "[]", "{}", "{\"package\": \"../x.rpm\"}",
                "{\"package\":\"x.rpm\",\"size\":1,\"sha256\":\"00\",\"artifact\":null,\"inputs\":\"00\",\"releases\":[],\"together\":[]}",
                "{\"package\":\"x.rpm\",\"size\":-1}",
        };
        _cleanup_(build_record_freep) BuildRecord *again = NULL;
        BuildRecord r = { .package = (char *) "x.rpm", .size = 12 };
        _cleanup_error_ Error ok = ERROR_INIT;

        memset(r.sha256, 'a', 64);
        memset(r.inputs, 'b', 64);
        ck_assert_int_eq(build_record_save(scratch, &r, &ok), 0);
        ck_assert_int_eq(build_record_load(scratch, "x.rpm.json", &again, &ok), 0);
        ck_assert_str_eq(again->sha256, r.sha256);
        ck_assert_ptr_null(again->artifact);
        ck_assert_ptr_null(again->releases);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                BuildRecord *none = NULL;

                put("x.rpm.json", bad[i], 0644);
                ck_assert_int_eq(build_record_load(scratch, "x.rpm.json", &none, &e), -EBADMSG);
                ck_assert_ptr_null(none);
                ck_assert_ptr_nonnull(strstr(e.message, "x.rpm.json"));
        }
}
END_TEST

START_TEST(tarballs_are_inspected) {
        static const struct {
                const char *top, *version;
        } cases[] = { { "gn8v-tee-1.2.3", "1.2.3" }, { "other-1.2.3", NULL }, { "gn8v-tee-", NULL }, { "gn8v-tee-$(id)", NULL } };
        _cleanup_free_ char *path = at("t.tar.gz");

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *file = format("in%zu/%s/meson.build", i, cases[i].top), *dir = format("%s/in%zu", scratch, i), *version = NULL;
                const char *argv[] = { "tar", "-C", dir, "--mtime=@1000000000", "-czf", path, cases[i].top, NULL };
                _cleanup_error_ Error e = ERROR_INIT;
                int64_t date = 0;
                int r;

                put(file, "project()\n", 0644);
                ck_assert_int_eq(process_check(&(Process){ .argv = argv }, NULL, &e), 0);
                r = build_source_inspect(path, &version, &date, &e);
                ck_assert_int_eq(r, cases[i].version ? 0 : -EBADMSG);
                if (r == 0) {
                        ck_assert_str_eq(version, cases[i].version);
                        ck_assert_int_eq(date, 1000000000);
                } else
                        ck_assert_ptr_nonnull(e.hint);
        }
        put("t.tar.gz", "no tarball", 0644);
        {
                _cleanup_error_ Error e = ERROR_INIT;
                char *version = NULL;
                int64_t date;

                ck_assert_int_eq(build_source_inspect(path, &version, &date, &e), -EBADMSG);
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("build");
        TCase *c = tcase_create("build");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, hostile_values_are_refused);
        tcase_add_test(c, a_spec_is_made);
        tcase_add_test(c, a_bad_spec_is_refused);
        tcase_add_test(c, shipped_specs_have_no_version);
        tcase_add_test(c, packages_are_built_once);
        tcase_add_test(c, conflicting_artifacts_are_refused);
        tcase_add_test(c, what_is_missing_is_named);
        tcase_add_test(c, a_failed_build_keeps_its_log);
        tcase_add_test(c, one_build_at_a_time);
        tcase_add_test(c, records_are_checked);
        tcase_add_test(c, tarballs_are_inspected);
        suite_add_tcase(s, c);
        return run_suite(s);
}
