/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/cuda-manifest.h"
#include "run.h"


#define BEGIN "<?xml version=\"1.0\"?>\n<package id=\"main\"><name>Installer</name>\n<package name=\"CUDA Toolkit 1.2\">\n"
#define END   "\n</package><package name=\"Driver\"><file>secret</file></package></package>\n"

static int parse(const char *body, CudaManifest **ret, Error *e) {
        _cleanup_free_ char *s = format("%s%s%s", BEGIN, body, END);
        return cuda_manifest_parse("x.run: manifests", s, strlen(s), ret, e);
}

START_TEST(test_tree) {
        _cleanup_(cuda_manifest_freep) CudaManifest *m = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        const CudaPackage *p;

        ck_assert_msg(parse("<installPath>/usr/local/cuda-1.2</installPath>\n"
                            "<package name=\"lib\"><file dir=\"bin/\">.*</file><buildPath>./builds/lib/</buildPath><dir>a/b</dir>\n"
                            "<file> targets/x86_64-linux/lib/.*\\.so </file>\n"
                            "<pcfile description=\"Runtime\" subdir=\"/stubs\">cuda-rt-1.2.pc</pcfile>\n"
                            "<desktopFile filename=\"nsight\" name=\"N\" execPath=\"bin/n\"/></package>", &m, &e) == 0, "%s", e.message);
        ck_assert_str_eq(m->version, "1.2");
        ck_assert_uint_eq(m->n_packages, 2);
        p = m->packages[1];
        ck_assert_str_eq(p->name, "lib");
        ck_assert_str_eq(p->build_path, "builds/lib");
        ck_assert_str_eq(p->install_path, "/usr/local/cuda-1.2"); /* of the package around it */
        ck_assert_uint_eq(p->n_rules, 2);
        ck_assert_str_eq(p->rules[0].directory, "bin");
        ck_assert_str_eq(p->rules[0].prefix, "");
        ck_assert_str_eq(p->rules[1].prefix, "targets/x86_64-linux/lib/");
        ck_assert_uint_eq(p->rules[1].line, 6);
        ck_assert_str_eq(p->directories[0], "a/b");
        ck_assert_str_eq(p->pkgconfigs[0].name, "cuda-rt");
        ck_assert_str_eq(p->pkgconfigs[0].version, "1.2");
        ck_assert_str_eq(p->pkgconfigs[0].subdirectory, "/stubs");
        ck_assert_str_eq(p->desktops[0].exec, "bin/n");
}
END_TEST

START_TEST(test_matching) {
        static const struct {
                const char *pattern, *path;
                bool matches;
        } cases[] = {
                { ".*", "a", true },
                { ".*", "a/b/c", true },
                { "lib/.*\\.so", "lib/a.so", true },
                { "lib/.*\\.so", "lib/a.so.1", false }, /* anchored */
                { "lib/.*\\.so", "x/lib/a.so", false },
                { "lib/.*\\.so", "lib/axso", false },
                { "nvvm", "nvvm/bin/cicc", true },      /* a directory means all in it */
                { "nvvm", "nvvm2/bin/cicc", false },
                { "a|b", "b", true },
                { "a|b", "bc", false },
                { "./bin/x", "bin/x", true },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(cuda_manifest_freep) CudaManifest *m = NULL;
                _cleanup_free_ char *body = format("<file>%s</file>", cases[i].pattern);

                ck_assert_int_eq(parse(body, &m, NULL), 0);
                ck_assert_msg(cuda_rule_matches(&m->packages[0]->rules[0], cases[i].path) == cases[i].matches, "%s %s", cases[i].pattern,
                              cases[i].path);
        }
}
END_TEST

/* A pattern's automaton gets states, and memory, from what it is run on: it has to begin anew, with the same answers. */
START_TEST(test_matching_is_bounded) {
        _cleanup_(cuda_manifest_freep) CudaManifest *m = NULL;
        char path[1001] = {};
        CudaRule *rule;

        ck_assert_int_eq(parse("<file>(a|b)*a(a|b)(a|b)(a|b)</file>", &m, NULL), 0);
        rule = &m->packages[0]->rules[0];
        ck_assert(!rule->compiled);
        for (unsigned k = 0, bits = 1; k < 200; k++) {
                for (size_t i = 0; i + 1 < sizeof(path); i++) {
                        bits = bits * 1103515245 + 12345;
                        path[i] = bits & 0x10000 ? 'a' : 'b';
                }
                ck_assert_int_eq(cuda_rule_matches(rule, path), path[996] == 'a');
                ck_assert_uint_le(rule->fed, 32 * 1024);
        }
        ck_assert_uint_ge(cuda_rule_work(rule, "a/b/c"), 5 + 3 + 1);
        cuda_rule_rest(rule);
        ck_assert(!rule->compiled);
        ck_assert_int_eq(cuda_rule_matches(rule, "baaaa"), 1);
}
END_TEST

START_TEST(test_refused) {
        static const char *const bad[] = {
                "<file>(</file>", "<file></file>", "<file>(a*)\\1</file>", "<file>a{1,1000}{1,1000}</file>", "<file>a\\</file>",
                "<file>((((((((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+</file>",
                "<file dir=\"../x\">.*</file>", "<file dir=\"/etc\">.*</file>", "<dir>../../etc</dir>", "<buildPath>../..</buildPath>",
                "<buildPath>/etc</buildPath>", "<installPath>usr</installPath>", "<pcfile>a-1.pc</pcfile>",
                "<pcfile description=\"d\">../a-1.pc</pcfile>", "<pcfile description=\"d\">a-1</pcfile>", "<pcfile description=\"d\">a.pc</pcfile>",
                "<pcfile description=\"a&#10;Libs: -levil\">a-1.pc</pcfile>", "<desktopFile filename=\"n\" name=\"x\"/>",
                "<desktopFile filename=\"../n\" name=\"x\" execPath=\"a\"/>", "<desktopFile filename=\"n\" name=\"x&#10;Exec=evil\" execPath=\"a\"/>",
                "<desktopFile filename=\"n\" name=\"x\" execPath=\"../../../bin/sh\"/>",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(cuda_manifest_freep) CudaManifest *m = NULL;
                _cleanup_error_ Error e = ERROR_INIT;

                ck_assert_msg(parse(bad[i], &m, &e) == -EBADMSG, "%s", bad[i]);
                ck_assert_msg(strstr(e.message, "line 4") != NULL, "%s: %s", bad[i], e.message);
        }
}
END_TEST

START_TEST(test_refused_documents) {
        static const char *const bad[] = {
                "", "<", "text", "<package/>", "<package id=\"main\"/>", "<package id=\"main\"><package name=\"Driver\"/></package>",
                "<!DOCTYPE p [<!ENTITY x \"y\">]><package id=\"main\"><package name=\"CUDA Toolkit 1.2\"><file>&x;</file></package></package>",
                "<!DOCTYPE p [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><package id=\"main\"><package name=\"CUDA Toolkit 1.2\"><file>&x;</file>"
                "</package></package>",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(cuda_manifest_freep) CudaManifest *m = NULL;
                ck_assert_msg(cuda_manifest_parse("m", bad[i], strlen(bad[i]), &m, NULL) == -EBADMSG, "%s", bad[i]);
        }
}
END_TEST

START_TEST(test_bounds) {
        _cleanup_(cuda_manifest_freep) CudaManifest *m = NULL;
        _cleanup_text_ Text deep = {}, wide = {};
        _cleanup_free_ char *s = NULL, *w = NULL;

        for (size_t i = 0; i < 100; i++)
                text_append(&deep, "<package>");
        for (size_t i = 0; i < 100; i++)
                text_append(&deep, "</package>");
        s = text_take(&deep);
        ck_assert_int_eq(parse(s, &m, NULL), -EBADMSG);
        for (size_t i = 0; i < 30000; i++)
                text_append(&wide, "<dir>a</dir>");
        w = text_take(&wide);
        ck_assert_int_eq(parse(w, &m, NULL), -EBADMSG);
}
END_TEST

int main(void) {
        Suite *s = suite_create("cuda-manifest");
        TCase *t = tcase_create("all");

        tcase_add_test(t, test_tree);
        tcase_add_test(t, test_matching);
        tcase_add_test(t, test_matching_is_bounded);
        tcase_add_test(t, test_refused);
        tcase_add_test(t, test_refused_documents);
        tcase_add_test(t, test_bounds);
        suite_add_tcase(s, t);
        return run_suite(s);
}
