/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "basic/fs.h"
#include "release/lock.h"
#include "release/release.h"
#include "run.h"

static const char minimal[] =
        "[Release]\nProfile=one\nVersion=1.2.3\nSummary=a test\nDate=2025-02-03\n"
        "[Platform]\nMinimumKernel=5.10\n"
        "[Persistenced]\nOptions=--user root\n"
        "[Expect]\nGPUs=1\nNVSwitches=0\nMode=confidential-computing\nDevTools=off\n"
        "[Artifact driver]\nKind=driver\nVersion=1.2.3\nURL=https://h.example/D-1.2.3.run\nSHA256=first-use\nLicence=LicenseRef-X\n"
        "Redistributable=no\n";

static int parse(const char *text, Release **ret, Error *e) {
        return release_parse("t.conf", text, strlen(text), ret, e);
}

static void refuse(const char *text, const char *reason) {
        _cleanup_error_ Error e = ERROR_INIT;
        Release *r = NULL;

        ck_assert_int_lt(parse(text, &r, &e), 0);
        ck_assert_ptr_null(r);
        ck_assert_int_eq(e.code, EXIT_INVALID);
        ck_assert_msg(strstr(e.message, reason), "'%s' does not say '%s'", e.message, reason);
        ck_assert_ptr_nonnull(strstr(e.message, "t.conf"));
        ck_assert_ptr_nonnull(e.hint);
}

/* The minimal file with one line replaced or one appended. */
static void refuse_with(const char *from, const char *to, const char *reason) {
        const char *at = strstr(minimal, from);
        _cleanup_free_ char *text = NULL;

        ck_assert_ptr_nonnull(at);
        text = format("%.*s%s%s", (int) (at - minimal), minimal, to, at + strlen(from));
        refuse(text, reason);
}

START_TEST(shipped_releases_load) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *dir = path_join(getenv("GN8V_TEST_SOURCE"), "repo/releases");
        Release **v = NULL;
        size_t n = 0;

        ck_assert_msg(release_load_directory(dir, &v, &n, &e) == 0, "%s", e.message);
        ck_assert_uint_ge(n, 3);
        for (size_t i = 0; i < n; i++) {
                bool multi = streq(v[i]->profile, "multi");

                ck_assert_int_eq(v[i]->mode, multi ? MODE_PROTECTED_PCIE : MODE_CONFIDENTIAL_COMPUTING);
                ck_assert_uint_eq(v[i]->gpus, multi ? 8 : 1);
                ck_assert_uint_eq(v[i]->nvswitches, multi ? 4 : 0);
                ck_assert_uint_eq(strv_length(v[i]->kernel_config), 9);
                ck_assert(v[i]->set_ready && !v[i]->devtools);
        }
        release_free_many(v, n);
}
END_TEST

START_TEST(minimal_release) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(release_freep) Release *r = NULL;
        _cleanup_strv_ char **packages = NULL;
        _cleanup_free_ char *name = NULL;

        ck_assert_msg(parse(minimal, &r, &e) == 0, "%s", e.message);
        name = release_name(r);
        ck_assert_str_eq(name, "one-1.2.3");
        ck_assert_str_eq(r->artifacts[0]->filename, "D-1.2.3.run");
        ck_assert_str_eq(r->artifacts[0]->revision, "1");
        ck_assert_int_eq(r->artifacts[0]->date, r->date);
        ck_assert_int_eq(r->date, 1738540800);
        ck_assert_ptr_null(r->artifacts[0]->sha256);
        ck_assert_int_eq(artifact_packages(r->artifacts[0], &packages), 0);
        ck_assert_str_eq(packages[0], "gn8v-tee-driver-1");
        ck_assert_str_eq(packages[1], "gn8v-tee-kmod-1-dkms");
}
END_TEST

START_TEST(malformed_releases) {
        refuse("", "is missing");
        refuse("x", "t.conf:1");
        refuse("Profile=one\n", "before any [SECTION]");
        refuse("[Release] x\n", "nothing else");
        refuse("[]\n", "1 to");
        refuse_with("Date=2025-02-03", "Date=2025-02-30", "Date=2025-02-30 is not valid");
        refuse_with("GPUs=1", "GPUs=-1", "GPUs=-1");
        refuse_with("GPUs=1", "GPUs=99999", "GPUs=99999");
        refuse_with("GPUs=1", "GPUs=1\nGPUs=1", "twice");
        refuse_with("Summary=a test", "Summary=%(touch x)", "not valid");
        refuse_with("Summary=a test", "Colour=red", "no key 'Colour'");
        refuse_with("[Expect]", "[Except]", "no such section");
        refuse_with("SHA256=first-use", "SHA256=abc", "SHA256=abc is not valid");
        refuse_with("Profile=one", "Profile=../one", "not valid");
        refuse_with("https://h.example/D-1.2.3.run", "ftp://h.example/x", "not valid");
        refuse_with("https://h.example/D-1.2.3.run", "https://h.example/", "not valid");
        refuse_with("Kind=driver", "Kind=driver ; why", "no comment behind a value");
        refuse_with("Kind=driver\n", "", "Kind= is missing");
        refuse_with("Version=1.2.3\nURL", "Version=1.2-3\nURL", "no '-' in a version");
        refuse_with("Profile=one", " Profile=one", "begins with a blank");
        refuse_with("Profile=one", "Profile=o\001ne", "control character");
        refuse_with("[Artifact driver]", "[Artifact ../x]", "no artifact's name");
        refuse_with("Kind=driver", "Kind=rpm\nPackage=p\nSigner=0123456789012345678901234567890123456789", "no artifact of Kind=");
}
END_TEST

START_TEST(long_line) {
        _cleanup_free_ char *value = calloc(1, 5001), *text = NULL;

        memset(value, 'a', 5000);
        text = format("[Release]\nProfile=%s\n", value);
        refuse(text, "t.conf:2: the line is longer");
}
END_TEST

/* Every prefix of a good file is refused or accepted, never a crash: the sanitizers watch. */
START_TEST(every_truncation) {
        for (size_t n = 0; n < sizeof minimal - 1; n++) {
                _cleanup_error_ Error e = ERROR_INIT;
                Release *r = NULL;

                if (release_parse("t.conf", minimal, n, &r, &e) == 0)
                        (void) release_free(r);
        }
}
END_TEST

START_TEST(lock_round_trip) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(lock_freep) Lock *l = lock_new(), *again = NULL;
        _cleanup_free_ char *dir = NULL, *first = NULL, *second = NULL;
        LockedArtifact *a = lock_add(l, "driver");

        ck_assert_int_eq(make_temp_dir("/tmp", "lock", &dir), 0);
        l->path = path_join(dir, "one-1.2.3.lock");
        l->release = strdup("one-1.2.3");
        l->release_sha256 = strdup("feed");
        a->kind = strdup("driver");
        a->filename = strdup("D.run");
        a->licence = strdup("X");
        a->sha256 = strdup("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
        a->date = strdup("2025-01-01");
        a->first_use = true;
        a->size = 5;
        ck_assert_int_eq(strv_append(&a->urls, "https://h.example/D.run"), 0);
        ck_assert_int_eq(lock_save(l, &e), 0);
        ck_assert_int_eq(read_file(AT_FDCWD, l->path, 65536, &first, NULL), 0);
        ck_assert_msg(lock_load(l->path, &again, &e) == 0, "%s", e.message);
        ck_assert(again->artifacts[0]->first_use);
        ck_assert_int_eq(lock_save(again, &e), 0);
        ck_assert_int_eq(read_file(AT_FDCWD, l->path, 65536, &second, NULL), 0);
        ck_assert_str_eq(first, second);
        ck_assert_int_eq(write_file_atomic(AT_FDCWD, l->path, "{\"version\":1}", 13, 0644), 0);
        lock_free(again);
        again = NULL;
        ck_assert_int_lt(lock_load(l->path, &again, &e), 0);
        ck_assert_int_eq(e.code, EXIT_INVALID);
        ck_assert_int_eq(remove_tree(AT_FDCWD, dir), 0);
}
END_TEST

static char **rims_of(const char *attestation) {
        _cleanup_free_ char *text = format("%s%s", minimal, attestation);
        _cleanup_(release_freep) Release *r = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        char **ids = NULL;

        ck_assert_msg(parse(text, &r, &e) == 0, "%s", e.message);
        ck_assert_int_eq(release_rims(r, &ids), 0);
        return ids;
}

START_TEST(reference_manifests) {
        static const char *const wrong[] = { "GPU=gh100\n", "GPU=G/H\n", "GPU=\n", "Rim=NV_A\n", "GPU=GH100\nRim=NV_../x\n", "GPU=GH100\nRim=x\n",
                                             "DriverRim=yes\n", "GPU=GH100\nGPU=GH100\n", "GPU=GH100\nDriverRim=2\n", "GPU=GH100\nRim=NV_%(id)\n" };
        _cleanup_strv_ char **none = rims_of(""), **hopper = rims_of("[Attestation]\nGPU=GH100\n"), **other = rims_of("[Attestation]\nGPU=GB100\n"),
                            **without = rims_of("[Attestation]\nDriverRim=no\n"),
                            **more = rims_of("[Attestation]\nGPU=GH100\nRim=NV_B NV_A\nRim=NV_B NV_GPU_DRIVER_GH100_1.2.3\n"),
                            **only = rims_of("[Attestation]\nGPU=GH100\nDriverRim=no\nRim=NV_A\n");
        _cleanup_free_ char *all = strv_join(more, " ");

        ck_assert_ptr_null(none);
        ck_assert_ptr_null(without);
        ck_assert_uint_eq(strv_length(hopper), 1);
        ck_assert_str_eq(hopper[0], "NV_GPU_DRIVER_GH100_1.2.3");
        ck_assert_str_eq(other[0], "NV_GPU_CC_DRIVER_GB100_1.2.3");
        ck_assert_str_eq(all, "NV_GPU_DRIVER_GH100_1.2.3 NV_B NV_A");
        ck_assert_str_eq(only[0], "NV_A");
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                _cleanup_free_ char *text = format("%s[Attestation]\n%s", minimal, wrong[i]);

                refuse(text, "t.conf");
        }
        refuse_with("[Artifact driver]", "[Artifact NV_x]", "names with NV_");
}
END_TEST

static const char rim_lock[] = "{\"version\": 1, \"release\": \"one-1.2.3\", \"release_sha256\": \"x\", \"artifacts\": {\"%s\": {\"kind\": \"rim\","
                               "\"filename\": \"%s\", \"checksum\": \"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\","
                               "\"urls\": [\"u\"], \"size\": 1, \"first_use\": %s, \"licence\": \"L\", \"redistributable\": false, \"expires\": \"2030\"}}}";

START_TEST(locked_manifests) {
        static const struct { const char *name, *file, *date; bool right; } cases[] = {
                { "NV_A", "NV_A.xml", "\"2025-01-02\"", true }, { "NV_A", "NV_B.xml", "\"2025-01-02\"", false }, { "NV_A", "NV_A", "\"2025-01-02\"", false },
                { "NV_A", "NV_A.xml", "null", false }, { "driver", "driver.xml", "\"2025-01-02\"", false },
                { "NV_%(id)", "NV_%(id).xml", "\"2025-01-02\"", false }, { "NV_A B", "NV_A B.xml", "\"2025-01-02\"", false },
        };
        _cleanup_free_ char *dir = NULL, *path = NULL;

        ck_assert_int_eq(make_temp_dir("/tmp", "lock", &dir), 0);
        path = path_join(dir, "x.lock");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *text = format(rim_lock, cases[i].name, cases[i].file, cases[i].date);
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_(lock_freep) Lock *l = NULL;
                int r;

                ck_assert_int_eq(write_file_atomic(AT_FDCWD, path, text, strlen(text), 0644), 0);
                r = lock_load(path, &l, &e);
                ck_assert_msg(r == (cases[i].right ? 0 : -EBADMSG), "%s: %s", cases[i].name, e.message ? e.message : "accepted");
                if (r == 0)
                        ck_assert_str_eq(l->artifacts[0]->expires, "2030");
        }
        ck_assert_int_eq(remove_tree(AT_FDCWD, dir), 0);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("release");
        TCase *t = tcase_create("release");

        tcase_add_test(t, shipped_releases_load);
        tcase_add_test(t, minimal_release);
        tcase_add_test(t, malformed_releases);
        tcase_add_test(t, long_line);
        tcase_add_test(t, every_truncation);
        tcase_add_test(t, lock_round_trip);
        tcase_add_test(t, reference_manifests);
        tcase_add_test(t, locked_manifests);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
