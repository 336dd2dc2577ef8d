/* SPDX-License-Identifier: Apache-2.0 */
/* Advisories, groups and modules of several repositories as one file: nothing twice, nothing lost. */
#include "basic/strings.h"
#include "repo/merge.h"
#include "repo/modules.h"
#include "repo/xml-parts.h"
#include "run.h"

#define INPUT(s) { .name = "file", .source = "source", .text = s, .size = sizeof(s) - 1 }

START_TEST(pieces_are_cut) {
        static const char text[] = "<?xml version='1.0'?><!DOCTYPE r SYSTEM \"a>b\"><!-- <r> --><r a='>'><b/><![CDATA[<b>]]><b x=\"1\" y='2>'> <r/>t </b ><?p <b>?></r>";
        _cleanup_free_ XmlPart *v = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *y = NULL, *inner = NULL, *none = NULL;
        XmlPart root, r;
        size_t n;

        ck_assert_int_eq(xml_document(text, sizeof(text) - 1, "x", "r", &root, &e), 0);
        ck_assert_int_eq(xml_children(&root, &v, &n), 0);
        ck_assert_uint_eq(n, 2);
        ck_assert_uint_eq(v[0].size, 4);
        ck_assert_uint_eq(v[0].inner_size, 0);
        y = xml_part_attribute(&v[1], "y");
        inner = xml_part_text(&v[1]);
        none = xml_part_attribute(&v[1], "z");
        ck_assert_str_eq(y, "2>");
        ck_assert_str_eq(inner, "<r/>t");
        ck_assert_ptr_null(none);
        ck_assert(xml_child(&v[1], "r", &r));
        ck_assert(!xml_child(&v[0], "r", &r));
}
END_TEST

static const char *const bad_documents[] = {
        "", "text", "<r", "<r>", "</r>", "<r></r", "<q/>", "<r/><r/>", "<r><a></r></a>", "<r a=\"<\"/>", "<!DOCTYPE r [<!ENTITY a 'b'>]><r/>", "<r>&a;</r>", "<r>\xff</r>",
        "<?xml version='1.0' encoding='ISO-8859-1'?><r>\xe9</r>", "<!-- <r/>", "<![CDATA[", "<?", "<r><!-- -- --></r>", "<r b='1' b='2'/>",
};
START_TEST(bad_xml_is_refused) {
        _cleanup_error_ Error e = ERROR_INIT;
        XmlPart root;

        ck_assert_int_lt(xml_document(bad_documents[_i], strlen(bad_documents[_i]), "x", "r", &root, &e), 0);
        ck_assert_int_eq(e.code, EXIT_INVALID);
}
END_TEST

START_TEST(advisories_are_merged) {
        static const MergeInput v[] = {
                INPUT("<updates><update><id> A </id><updated date='1'/><title>old</title><pkglist><collection>1</collection></pkglist><x/></update><update><id>B</id></update></updates>"),
                INPUT("<updates><update><id>B</id></update><update><id>A</id><issued date='2'/><title>new</title><pkglist><collection>2</collection><collection>1</collection>"
                      "</pkglist><y/></update></updates>"),
                INPUT("<updates><update><id>A</id><issued date='0'/></update><update><id>B</id><pkglist><collection>3</collection></pkglist></update></updates>"),
        };
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *text = NULL;

        ck_assert_int_eq(merge_updateinfo(v, ELEMENTSOF(v), &text, &e), 0);
        ck_assert_str_eq(text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<updates>\n"
                               "<update><id>A</id><issued date='2'/><title>new</title><pkglist>\n<collection>1</collection>\n<collection>2</collection>\n</pkglist><y/></update>\n"
                               "<update><id>B</id><pkglist>\n<collection>3</collection>\n</pkglist></update>\n</updates>\n");
}
END_TEST

START_TEST(groups_are_merged) {
        static const MergeInput v[] = {
                INPUT("<comps><group><id>g</id><name>first</name><packagelist><packagereq type='mandatory'>a</packagereq></packagelist></group>"
                      "<environment><id>e</id><optionlist><groupid>o</groupid></optionlist></environment><langpacks/><odd>1</odd>"
                      "<category><id>g</id><grouplist/></category></comps>"),
                INPUT("<comps><odd>1</odd><group><id>g</id><name>second</name><packagelist><packagereq type='optional'>a</packagereq><packagereq>b</packagereq><packagereq>b</packagereq>"
                      "</packagelist></group><environment><id>e</id><grouplist><groupid>n</groupid></grouplist><optionlist><groupid>p</groupid></optionlist></environment>"
                      "<langpacks><match name='x' install='y'/></langpacks><group><id>h</id></group><category><id>g</id><grouplist><groupid>g</groupid></grouplist></category></comps>"),
        };
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *text = NULL;

        ck_assert_int_eq(merge_comps(v, ELEMENTSOF(v), &text, &e), 0);
        ck_assert_str_eq(strstr(text, "<comps>"), "<comps>\n"
                         "<group><id>g</id><name>first</name><packagelist><packagereq type='mandatory'>a</packagereq><packagereq>b</packagereq>\n</packagelist></group>\n"
                         "<environment><id>e</id><optionlist><groupid>o</groupid><groupid>p</groupid>\n</optionlist><grouplist>\n<groupid>n</groupid>\n</grouplist></environment>\n"
                         "<langpacks>\n<match name='x' install='y'/>\n</langpacks>\n<odd>1</odd>\n"
                         "<category><id>g</id><grouplist>\n<groupid>g</groupid>\n</grouplist></category>\n<group><id>h</id></group>\n</comps>\n");
}
END_TEST

#define STREAM(name, stream, version, more) "---\ndocument: modulemd\nversion: 2\ndata:\n  name: " name "\n  stream: " stream "\n  version: " version "\n  context: c\n  arch: x\n" more
#define DEFAULTS(name, more) "---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: " name "\n" more

START_TEST(modules_are_read) {
        static const char text[] = "\xef\xbb\xbf# first\n\n...\n%YAML 1.1\n" STREAM("n", "\"1.0\"", "3", "  artifacts: {rpms: [b-1:1-1.x, a-0:2-1.x]}\n  description: |\n    ---\n    ...\n")
                "--- # two\ndocument: other\ndata: {name: {name: no}, ? [k] : v, stream: &a [s], arch: *a}\n...\n...\n" DEFAULTS("m", "  stream: s\n  modified: 7\n  profiles: {s: [p, q], t: []}\n") "---\n";
        _cleanup_(modules_clear) Modules m = {};
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(modules_parse(text, sizeof(text) - 1, "x", &m, &e), 0);
        ck_assert_uint_eq(m.n, 4);
        ck_assert_int_eq(m.v[0].kind, MODULE_STREAM);
        ck_assert_str_eq(m.v[0].name, "n");
        ck_assert_str_eq(m.v[0].stream, "1.0");
        ck_assert_str_eq(m.v[0].version, "3");
        ck_assert_uint_eq(m.v[0].n_artifacts, 2);
        ck_assert_str_eq(m.v[0].artifacts[0], "a-2-1.x");
        ck_assert_str_eq(m.v[0].artifacts[1], "b-1:1-1.x");
        ck_assert_int_eq(m.v[1].kind, MODULE_OTHER);
        ck_assert_int_eq(m.v[2].kind, MODULE_DEFAULTS);
        ck_assert_str_eq(m.v[2].stream, "s");
        ck_assert_str_eq(m.v[2].version, "7");
        ck_assert_uint_eq(strv_length(m.v[2].profiles), 2);
        ck_assert_str_eq(m.v[2].profiles[1], "s\nq");
        ck_assert_int_eq(m.v[3].kind, MODULE_OTHER);
}
END_TEST

static const char *const bad_modules[] = { "a: [", "---\n\ta", "a: \"", "\xff", "--- &a [*b", "{a: 1}}", "a: b: c", "--- a\n b\n--- !<x y>\n" };
START_TEST(bad_yaml_is_refused) {
        _cleanup_(modules_clear) Modules m = {};
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_lt(modules_parse(bad_modules[_i], strlen(bad_modules[_i]), "x", &m, &e), 0);
        ck_assert_int_eq(e.code, EXIT_INVALID);
}
END_TEST

START_TEST(modules_are_merged) {
        static const MergeInput v[] = {
                INPUT(STREAM("n", "1", "3", "") DEFAULTS("m", "  stream: a\n  profiles: {a: [p]}\n") DEFAULTS("newer", "  stream: a\n  modified: 1\n") DEFAULTS("same", "  stream: a\n")),
                INPUT(DEFAULTS("m", "  stream: b\n  profiles: {b: ['q\"'], a: [o, p]}\n") STREAM("n", "1", "3", "") DEFAULTS("newer", "  stream: b\n  modified: 2\n") DEFAULTS("same", "  stream: a\n")
                      STREAM("n", "1", "3", "  summary: other\n") STREAM("n", "2", "3", "")),
        };
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_ char **warnings = NULL;

        ck_assert_int_eq(merge_modules(v, ELEMENTSOF(v), &text, &warnings, &e), 0);
        ck_assert_str_eq(text, STREAM("n", "1", "3", "") "...\n---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: \"m\"\n  profiles:\n    \"a\": [\"o\", \"p\"]\n"
                         "    \"b\": [\"q\\\"\"]\n...\n" DEFAULTS("same", "  stream: a\n") "...\n" DEFAULTS("newer", "  stream: b\n  modified: 2\n") "...\n"
                         STREAM("n", "1", "3", "  summary: other\n") "...\n" STREAM("n", "2", "3", "") "...\n");
        ck_assert_uint_eq(strv_length(warnings), 2);
        ck_assert_ptr_nonnull(strstr(warnings[0], "module n:1:3:c:x: source describes it otherwise"));
        ck_assert_ptr_nonnull(strstr(warnings[1], "module m: its default stream is a in source, and b in source"));
}
END_TEST

int main(void) {
        Suite *suite = suite_create("merge");
        TCase *c = tcase_create("merge");

        tcase_add_test(c, pieces_are_cut);
        tcase_add_loop_test(c, bad_xml_is_refused, 0, ELEMENTSOF(bad_documents));
        tcase_add_test(c, advisories_are_merged);
        tcase_add_test(c, groups_are_merged);
        tcase_add_test(c, modules_are_read);
        tcase_add_loop_test(c, bad_yaml_is_refused, 0, ELEMENTSOF(bad_modules));
        tcase_add_test(c, modules_are_merged);
        suite_add_tcase(suite, c);
        return run_suite(suite);
}
