/* SPDX-License-Identifier: Apache-2.0 */
/* The proof, on repositories of a few lines: what holds is proven, and each kind of mistake is found. */
#include <fcntl.h>

#include "basic/digest.h"
#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/platform.h"
#include "repo/prove.h"
#include "repo/solve.h"
#include "run.h"

static char *dir, *platform;
static Text primary;
static size_t n_packages;

static void write_text(const char *path, const char *text) {
        ck_assert_int_eq(write_file_atomic(AT_FDCWD, path, text, strlen(text), 0644), 0);
}

static void setup(void) {
        ck_assert_int_eq(make_temp_dir("/tmp", "gn8v-prove", &dir), 0);
        platform = path_join(dir, "platform");
        write_text(platform, "# made up\ndkms\nlibx = 2:1.5-1 # with a version\n");
        primary = (Text){};
        n_packages = 0;
}

static void teardown(void) {
        ck_assert_int_eq(remove_tree(AT_FDCWD, dir), 0);
        free(dir);
        free(platform);
        text_free(&primary);
}

static void dependency(const char *kind, const char *words) {
        _cleanup_strv_ char **v = NULL;
        size_t n;

        ck_assert_int_eq(strv_append_words(&v, words ? words : ""), 0);
        n = strv_length(v);
        text_printf(&primary, "<rpm:%s>", kind);
        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *name = strndup(v[i], strcspn(v[i], "="));
                const char *version = strchr(v[i], '=');

                if (version)
                        text_printf(&primary, "<rpm:entry name=\"%s\" flags=\"EQ\" epoch=\"0\" ver=\"%s\" rel=\"1\"/>", name, version + 1);
                else
                        text_printf(&primary, "<rpm:entry name=\"%s\"/>", name);
        }
        text_printf(&primary, "</rpm:%s>", kind);
}

/* Dependencies are words, NAME or NAME=VERSION (of release 1). */
static void package(const char *name, const char *version, const char *requires, const char *provides, const char *conflicts, const char *obsoletes) {
        text_printf(&primary, "<package type=\"rpm\"><name>%s</name><arch>noarch</arch><version epoch=\"0\" ver=\"%s\" rel=\"1\"/>"
                              "<checksum type=\"sha256\" pkgid=\"YES\">%064zu</checksum><location href=\"packages/%s-%s.rpm\"/><format>",
                    name, version, ++n_packages, name, version);
        text_printf(&primary, "<rpm:provides><rpm:entry name=\"%s\" flags=\"EQ\" epoch=\"0\" ver=\"%s\" rel=\"1\"/>", name, version);
        if (provides)
                text_printf(&primary, "<rpm:entry name=\"%s\"/>", provides);
        text_append(&primary, "</rpm:provides>");
        dependency("requires", requires);
        dependency("conflicts", conflicts);
        dependency("obsoletes", obsoletes);
        text_append(&primary, "</format></package>");
}

/* The packages so far become the repository `name`; the next ones are another's. */
static char *repository(const char *name) {
        _cleanup_free_ char *body = text_take(&primary), *text = NULL, *index = NULL, *base = path_join(dir, name), *data = path_join(base, "repodata"),
                            *repomd = path_join(data, "repomd.xml"), *file = path_join(data, "primary.xml");
        char hex[SHA256_HEX_SIZE];

        text = format("<?xml version=\"1.0\"?><metadata xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\""
                      " packages=\"%zu\">%s</metadata>", n_packages, body);
        ck_assert_int_eq(mkdir_parents(AT_FDCWD, data, 0755), 0);
        write_text(file, text);
        ck_assert_int_eq(sha256_buffer(text, strlen(text), hex), 0);
        index = format("<?xml version=\"1.0\"?><repomd xmlns=\"http://linux.duke.edu/metadata/repo\"><revision>1</revision><data type=\"primary\">"
                       "<checksum type=\"sha256\">%s</checksum><location href=\"repodata/primary.xml\"/></data></repomd>", hex);
        write_text(repomd, index);
        n_packages = 0;
        return TAKE_PTR(base);
}

static Release *release(const char *profile, const char *version) {
        _cleanup_free_ char *text = NULL, *path = format("%s-%s.conf", profile, version);
        _cleanup_error_ Error e = ERROR_INIT;
        Release *r = NULL;

        text = format("[Release]\nProfile=%s\nVersion=%s\nDate=2026-01-02\nSummary=Made up\n[Platform]\nMinimumKernel=5.10\n[Persistenced]\nOptions=--verbose\n[Expect]\nGPUs=1\nNVSwitches=0\n"
                      "Mode=confidential-computing\nDevTools=off\n[Artifact driver]\nKind=driver\nVersion=%s\nURL=https://a.example/driver-%s.run\n"
                      "SHA256=first-use\nLicence=MIT\nRedistributable=no\n", profile, version, version, version);
        ck_assert_msg(release_parse(path, text, strlen(text), &r, &e) == 0, "%s", e.message);
        return r;
}

/* One release's packages, as they have to be. */
static void suite(const char *profile, const char *version) {
        _cleanup_free_ char *meta = format("gn8v-tee-%s", profile), *branch = version_branch(version), *driver = format("gn8v-tee-driver-%s", branch),
                            *kmod = format("gn8v-tee-kmod-%s-dkms", branch), *requires = format("%s=%s %s=%s", driver, version, kmod, version);

        package(meta, version, requires, "gn8v-tee-profile", "gn8v-tee-profile", NULL);
        package(driver, version, NULL, NULL, NULL, NULL);
        package(kmod, version, "dkms", NULL, NULL, NULL);
}

static ProveReport *run(const char *repo, char *beside, Release *const *releases, size_t n) {
        char *const platforms[] = { platform, NULL };
        char *const besides[] = { beside, NULL };
        _cleanup_error_ Error e = ERROR_INIT;
        ProveReport *report = NULL;

        ck_assert_msg(prove(&(ProveOptions){ .readers = &world_readers, .repo = repo, .platforms = platforms, .beside = beside ? besides : NULL, .releases = releases, .n_releases = n },
                            &report, &e) == 0, "%s", e.message);
        return report;
}

static const ProveCheck *failure(const ProveReport *r, const char *kind) {
        for (size_t i = 0; i < r->n_checks; i++)
                if (r->checks[i].problems && streq(r->checks[i].kind, kind))
                        return &r->checks[i];
        return NULL;
}

static size_t count(const ProveReport *r, const char *kind) {
        size_t n = 0;

        for (size_t i = 0; i < r->n_checks; i++)
                n += streq(r->checks[i].kind, kind);
        return n;
}

START_TEST(what_holds_is_proven) {
        Release *const releases[] = { release("multi", "1.2.3"), release("multi", "1.10.0"), release("single", "2.0.1") };
        _cleanup_(prove_report_freep) ProveReport *r = NULL;
        _cleanup_free_ char *repo = NULL;

        suite("multi", "1.2.3");
        suite("multi", "1.10.0"); /* newer, though not in the alphabet */
        suite("single", "2.0.1");
        repo = repository("repo");
        r = run(repo, NULL, releases, 3);
        ck_assert_uint_eq(r->n_failed, 0);
        ck_assert_uint_eq(r->n_packages, 9);
        ck_assert_uint_eq(count(r, "installable"), 1);
        ck_assert_uint_eq(count(r, "release"), 3);
        ck_assert_uint_eq(count(r, "exclusive"), 2);
        ck_assert_uint_eq(count(r, "upgrade"), 1);
        for (size_t i = 0; i < r->n_checks; i++)
                if (streq(r->checks[i].kind, "upgrade"))
                        ck_assert_str_eq(r->checks[i].subject, "gn8v-tee-multi-1.2.3-1.noarch to gn8v-tee-multi-1.10.0-1.noarch");
        for (size_t i = 0; i < 3; i++)
                release_free(releases[i]);
}
END_TEST

/* multi 1.2.3 and 1.3.0, single 2.0.1, with one mistake. */
enum { NOT_THERE, NOTHING_PROVIDES, PIN_FORGOTTEN, NO_CONFLICT, CONFLICT_BY_CHANCE, PIN_LEFT_BEHIND, EXTRA_BROKEN, N_MISTAKES };
static const struct { const char *kind, *words; } mistakes[N_MISTAKES] = {
        [NOT_THERE] = { "release", "gn8v-tee-single-2.0.1-1 is not in the repository" },
        [NOTHING_PROVIDES] = { "release", "nothing provides unheard-of needed by gn8v-tee-single-2.0.1-1.noarch" },
        [PIN_FORGOTTEN] = { "release", "gn8v-tee-kmod-2-dkms-2.0.1-1, a pin of the release" },
        [NO_CONFLICT] = { "exclusive", "can be installed together" },
        [CONFLICT_BY_CHANCE] = { "exclusive", "neither" },
        [PIN_LEFT_BEHIND] = { "release", "gn8v-tee-driver-1-1.3.0-1, a pin of the release" },
        [EXTRA_BROKEN] = { "installable", "nothing provides unheard-of needed by extra-1-1.noarch" },
};
START_TEST(mistakes_are_found) {
        Release *const releases[] = { release("multi", "1.2.3"), release("multi", "1.3.0"), release("single", "2.0.1") };
        const char *profile = _i == NO_CONFLICT || _i == CONFLICT_BY_CHANCE ? NULL : "gn8v-tee-profile";
        _cleanup_(prove_report_freep) ProveReport *r = NULL;
        _cleanup_free_ char *repo = NULL;
        const ProveCheck *c;
        bool said = false;

        suite("multi", "1.2.3");
        if (_i == PIN_LEFT_BEHIND) {
                package("gn8v-tee-multi", "1.3.0", "gn8v-tee-driver-1=1.2.3 gn8v-tee-kmod-1-dkms=1.3.0", "gn8v-tee-profile", "gn8v-tee-profile", NULL);
                package("gn8v-tee-driver-1", "1.3.0", NULL, NULL, NULL, NULL);
                package("gn8v-tee-kmod-1-dkms", "1.3.0", NULL, NULL, NULL, NULL);
        } else
                suite("multi", "1.3.0");
        if (_i != NOT_THERE)
                package("gn8v-tee-single", "2.0.1",
                        _i == NOTHING_PROVIDES ? "unheard-of" : _i == PIN_FORGOTTEN ? "gn8v-tee-driver-2=2.0.1"
                                                                                   : "gn8v-tee-driver-2=2.0.1 gn8v-tee-kmod-2-dkms=2.0.1",
                        NULL, profile, NULL);
        package("gn8v-tee-driver-2", "2.0.1", NULL, NULL, _i == CONFLICT_BY_CHANCE ? "gn8v-tee-driver-1" : NULL, NULL);
        package("gn8v-tee-kmod-2-dkms", "2.0.1", NULL, NULL, NULL, NULL);
        /* The other metapackages' own conflict would do for this one, too: its word is not among its provides here. */
        if (_i == EXTRA_BROKEN)
                package("extra", "1", "unheard-of", NULL, NULL, NULL);
        repo = repository("repo");
        r = run(repo, NULL, releases, 3);
        c = failure(r, mistakes[_i].kind);
        ck_assert_msg(c != NULL, "mistake %d was not found", _i);
        STRV_FOREACH(s, c->problems)
                said = said || strstr(*s, mistakes[_i].words);
        ck_assert_msg(said, "mistake %d: %s", _i, c->problems[0]);
        for (size_t i = 0; i < 3; i++)
                release_free(releases[i]);
}
END_TEST

/* Another repository has a newer one under a pinned name, and a renamed one that obsoletes it. */
START_TEST(others_beside_change_nothing) {
        Release *const releases[] = { release("multi", "1.2.3") };
        _cleanup_(prove_report_freep) ProveReport *r = NULL, *mixed = NULL;
        _cleanup_free_ char *repo = NULL, *beside = NULL, *both = NULL;

        suite("multi", "1.2.3");
        repo = repository("repo");
        package("gn8v-tee-driver-1", "9.9", NULL, NULL, NULL, NULL);
        package("driver-renamed", "9.9", NULL, "gn8v-tee-driver-1", NULL, "gn8v-tee-driver-1");
        beside = repository("beside");
        r = run(repo, beside, releases, 1);
        ck_assert_uint_eq(r->n_failed, 0);
        ck_assert_uint_eq(count(r, "beside"), 1);
        /* The check is not empty: what obsoletes a pin from within our own repository is found. */
        suite("multi", "1.2.3");
        package("gn8v-tee-driver-1", "9.9", NULL, NULL, NULL, NULL);
        both = repository("both");
        mixed = run(both, beside, releases, 1);
        ck_assert_ptr_nonnull(failure(mixed, "beside"));
        release_free(releases[0]);
}
END_TEST

START_TEST(upgrade_must_move_every_pin) {
        Release *const releases[] = { release("multi", "1.2.3"), release("multi", "1.3.0") };
        _cleanup_(prove_report_freep) ProveReport *r = NULL;
        _cleanup_free_ char *repo = NULL;

        suite("multi", "1.2.3");
        suite("multi", "1.3.0");
        /* A newer package that no release pins: dnf wants it, the pins forbid it, and the upgrade fails as it would on a machine. */
        package("gn8v-tee-driver-1", "1.4.0", NULL, NULL, NULL, NULL);
        repo = repository("repo");
        r = run(repo, NULL, releases, 2);
        ck_assert_ptr_nonnull(failure(r, "upgrade"));
        ck_assert_ptr_null(failure(r, "release"));
        for (size_t i = 0; i < 2; i++)
                release_free(releases[i]);
}
END_TEST

START_TEST(versions_of_the_platform_count) {
        _cleanup_(prove_report_freep) ProveReport *r = NULL;
        _cleanup_free_ char *repo = NULL;

        package("new-enough", "1", "libx", NULL, NULL, NULL);
        package("wrong-epoch", "1", "libx=1.5", NULL, NULL, NULL);
        repo = repository("repo");
        r = run(repo, NULL, NULL, 0);
        ck_assert_uint_eq(r->n_failed, 1);
        ck_assert_uint_eq(strv_length(failure(r, "installable")->problems), 1);
        ck_assert_ptr_nonnull(strstr(failure(r, "installable")->problems[0], "needed by wrong-epoch-1-1.noarch"));
}
END_TEST

START_TEST(pins_are_whole_names) {
        ck_assert(nevra_is("a-b-1.2-3.noarch", "a-b", "1.2", "3"));
        ck_assert(nevra_is("a-b-7:1.2-3.noarch", "a-b", "1.2", "3"));
        ck_assert(nevra_is("a-b-1.2-3.al8.x86_64", "a-b", "1.2", "3"));
        ck_assert(!nevra_is("a-b-1.2-3.noarch", "a", "1.2", "3"));
        ck_assert(!nevra_is("a-b-1.2-30.noarch", "a-b", "1.2", "3"));
        ck_assert(!nevra_is("a-b-1.20-3.noarch", "a-b", "1.2", "3"));
        ck_assert(!nevra_is("a-b-c-1.2-3.noarch", "a-b", "1.2", "3"));
}
END_TEST

static const char *const bad_platforms[] = { "", "# nothing\n\n", "a b\n", "a = \n", "a >= 1\n", "a = 1 2\n", "fine\na = 1 = 2 = 3\n" };
START_TEST(platform_is_refused) {
        _cleanup_(platform_freep) Platform *p = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(platform_parse("list", bad_platforms[_i], &p, &e), -EBADMSG);
        ck_assert_int_eq(e.code, EXIT_INVALID);
        ck_assert_ptr_null(p);
}
END_TEST

START_TEST(shipped_platform_is_good) {
        _cleanup_free_ char *path = path_join(getenv("GN8V_TEST_SOURCE"), "repo/platform/el8.provides");
        _cleanup_(platform_freep) Platform *p = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_msg(platform_load(path, &p, &e) == 0, "%s", e.message);
        for (size_t i = 0; i < p->n_capabilities; i++)
                for (size_t j = i + 1; j < p->n_capabilities; j++)
                        ck_assert_str_ne(p->capabilities[i].name, p->capabilities[j].name);
}
END_TEST

int main(void) {
        Suite *s = suite_create("prove");
        TCase *t = tcase_create("prove");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, what_holds_is_proven);
        tcase_add_loop_test(t, mistakes_are_found, 0, N_MISTAKES);
        tcase_add_test(t, others_beside_change_nothing);
        tcase_add_test(t, upgrade_must_move_every_pin);
        tcase_add_test(t, versions_of_the_platform_count);
        tcase_add_test(t, pins_are_whole_names);
        tcase_add_loop_test(t, platform_is_refused, 0, (int) ELEMENTSOF(bad_platforms));
        tcase_add_test(t, shipped_platform_is_good);
        suite_add_tcase(s, t);
        return run_suite(s);
}
