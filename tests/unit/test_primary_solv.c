/* SPDX-License-Identifier: Apache-2.0 */
/* primary.xml read without libsolv's reader: what is taken is the same, what is odd is left to that. */
#include "../solv-text.h"
#include "basic/fs.h"
#include "repo/primary-solv.h"
#include "run.h"

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"http://linux.duke.edu/metadata/common\" " \
             "xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"1\">\n"
#define TAIL "</metadata>\n"
#define NEVRA "<name>a</name><arch>noarch</arch><version epoch=\"0\" ver=\"1\" rel=\"2\"/>"
#define ONE(inner) HEAD "<package type=\"rpm\">" NEVRA inner "</package>" TAIL
#define DEPENDS(attributes) ONE("<format><rpm:requires><rpm:entry " attributes "/></rpm:requires></format>")

static bool take(const char *text, char **ret) {
        Pool *pool = pool_create();
        Repo *repo = repo_create(pool, "ours");
        bool taken;

        (void) pool_setdisttype(pool, DISTTYPE_RPM);
        taken = primary_solv_add(repo, text, strlen(text));
        if (taken)
                *ret = solv_text(repo);
        pool_free(pool);
        return taken;
}

static void check_same(const char *text) {
        _cleanup_free_ char *ours = NULL, *theirs = solv_text_of_xml(text, strlen(text));

        ck_assert_msg(take(text, &ours), "not taken: %s", text);
        ck_assert_ptr_nonnull(theirs);
        ck_assert_str_eq(ours, theirs);
}

static const char *const plain[] = {
        HEAD TAIL,
        ONE(""),
        "<metadata xmlns=\"x\" xmlns:rpm=\"y\"><package type=\"rpm\">" NEVRA "</package>\n</metadata>",
        ONE("<format><file>/usr/bin/a</file><file type=\"dir\">/usr/bin</file><file>/etc/a&amp;b</file><file>/x</file><file>/</file><file>//y</file></format>"),
        ONE("<checksum type=\"sha256\" pkgid=\"YES\">103f43723d95d281292f7f30b9f5f41235868c6754ade6846d87485944353619</checksum>"),
        ONE("<checksum type=\"sha\" pkgid=\"YES\">103f43723d95d281292f7f30b9f5f41235868c67</checksum>"),
        ONE("<summary>&lt;&gt;&quot;&apos;&amp;&#13;</summary><description>\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\n</description><url/><packager></packager>"),
        ONE("<time file=\"1\" build=\"2\"/><size package=\"1\" installed=\"2\" archive=\"3\"></size><location href=\"a.rpm\" xml:base=\"http://x/\"/>"),
        ONE("<format><rpm:license>MIT</rpm:license><rpm:vendor>V &amp; W</rpm:vendor><rpm:group>g</rpm:group><rpm:header-range start=\"1\" end=\"2\"/></format>"),
        ONE("<format><rpm:vendor/></format>"),
        DEPENDS("name=\"b\""), DEPENDS("name=\"b\" pre=\"1\""), DEPENDS("name=\"b\" pre=\"0\""),
        DEPENDS("name=\"b\" flags=\"EQ\" epoch=\"0\" ver=\"1\" rel=\"2\""), DEPENDS("name=\"b\" flags=\"GE\" epoch=\"3\" ver=\"1\""),
        DEPENDS("name=\"b\" flags=\"LT\" ver=\"1:2\""), DEPENDS("name=\"b\" flags=\"LE\" epoch=\"\" ver=\"1\" rel=\"\""), DEPENDS("name=\"b\" flags=\"GT\""),
        DEPENDS("name=\"b&lt;c&amp;d\" flags=\"NE\" epoch=\"1\" ver=\"a&amp;b\" rel=\"&gt;\""), DEPENDS("name=\"/usr/bin/sh\""), DEPENDS("name=\"rpmlib(X)\""),
        DEPENDS("name=\"config(b)\" flags=\"EQ\" ver=\"~1\" rel=\"1\""),
        ONE("<format><rpm:requires><rpm:entry name=\"b\" pre=\"1\"/><rpm:entry name=\"c\"/><rpm:entry name=\"b\"/></rpm:requires>"
            "<rpm:provides><rpm:entry name=\"a\" flags=\"EQ\" epoch=\"0\" ver=\"1\" rel=\"2\"/><rpm:entry name=\"locale(x:y)\"/><rpm:entry name=\"q:/usr/z\"/>"
            "<rpm:entry name=\"otherproviders(k)\"/></rpm:provides><rpm:conflicts><rpm:entry name=\"otherproviders(k)\"/></rpm:conflicts>"
            "<rpm:obsoletes><rpm:entry name=\"old\" flags=\"LT\" ver=\"3\"/></rpm:obsoletes><rpm:recommends><rpm:entry name=\"r\"/></rpm:recommends>"
            "<rpm:suggests><rpm:entry name=\"s\"/></rpm:suggests><rpm:supplements><rpm:entry name=\"t\"/></rpm:supplements>"
            "<rpm:enhances><rpm:entry name=\"u\"/></rpm:enhances></format>"),
        ONE("<format><rpm:provides></rpm:provides><rpm:requires/><rpm:provides><rpm:entry name=\"x\"></rpm:entry></rpm:provides></format>"),
        HEAD "<package type=\"rpm\"><name>s</name><arch>src</arch><version epoch=\"7\" ver=\"1:1\" rel=\"2\"/></package><package type=\"rpm\"><name>n</name></package>" TAIL,
        HEAD "<package type=\"rpm\"><name> a b </name><arch></arch><version epoch=\"0\" ver=\"3:1\"/></package>" TAIL,
};
START_TEST(plain_is_the_same) {
        check_same(plain[_i]);
}
END_TEST

/* Wrong, or more than is understood: libsolv's reader decides. */
static const char *const odd[] = {
        "", "x", "<metadata>", HEAD, HEAD TAIL "x", HEAD TAIL TAIL, HEAD "<!-- -->" TAIL, HEAD "<![CDATA[x]]>" TAIL, "<!DOCTYPE metadata []>" HEAD TAIL, "<?xml version=\"1.1\"?><metadata/>",
        "\xef\xbb\xbf" HEAD TAIL, "<otherdata xmlns=\"a\"></otherdata>", "<metadata packages=\"0\"></metadata>", HEAD "<patch></patch>" TAIL, HEAD "<package>" NEVRA "</package>" TAIL,
        HEAD "<package type=\"rpm\" pkgid=\"1\">" NEVRA "</package>" TAIL, HEAD "<package type=\"rpm\"><arch>noarch</arch></package>" TAIL, HEAD "<package type=\"rpm\"><name></name></package>" TAIL,
        ONE("<x/>"), ONE("<summary>a<b/></summary>"), ONE("<summary>a</sumary>"), ONE("<summary>&b;</summary>"), ONE("<summary>&</summary>"), ONE("<summary>&#0;</summary>"),
        ONE("<summary>]]></summary>"), ONE("<summary>\r</summary>"), ONE("<summary>\x01</summary>"), ONE("<summary>\xff</summary>"), ONE("<summary>\xc0\x80</summary>"),
        ONE("<summary>\xed\xa0\x80</summary>"), ONE("<summary>\xef\xbf\xbf</summary>"), ONE("<summary"), ONE("<summary>"), ONE("<summary x=\"1\" x=\"1\"/>"), ONE("<summary x=\"1\"y=\"2\"/>"),
        ONE("<summary x='1'/>"), ONE("<summary x=\"<\"/>"), ONE("<summary x=\"\n\"/>"), ONE("<summary x/>"), ONE("< summary/>"), ONE("<summary / >"), ONE("</summary>"),
        ONE("<format>"), ONE("<format/>"), ONE("<format><format></format></format>"), ONE("<checksum type=\"sha256\">12</checksum>"), ONE("<checksum type=\"what\">12</checksum>"),
        ONE("<checksum type=\"md5\">zz3f43723d95d281292f7f30b9f5f412</checksum>"), ONE("<format><file>x</file></format>"), ONE("<format><file></file></format>"),
        DEPENDS(""), DEPENDS("name=\"\""), DEPENDS("name=\"(a if b)\""), DEPENDS("name=\"&#40;a if b)\""), DEPENDS("name=\"b\" kind=\"pattern\""), DEPENDS("name=\"b\" flags=\"==\" ver=\"1\""),
        DEPENDS("name=\"/usr/share/x\""), DEPENDS("name=\"b\"/><rpm:other name=\"c\""), ONE("<format><rpm:requires>x</rpm:requires></format>"),
};
START_TEST(odd_is_left) {
        _cleanup_free_ char *ours = NULL;

        ck_assert_msg(!take(odd[_i], &ours), "taken: %s", odd[_i]);
}
END_TEST

/* Wherever a good one is cut, or one of its bytes is another: never read in another way than libsolv does it. */
START_TEST(damage_is_never_read_otherwise) {
        const char *good = plain[ELEMENTSOF(plain) - 4];
        size_t n = strlen(good);

        for (size_t i = 0; i < n; i++)
                for (const char *c = "<>\"'/&= ]\x80"; ; c++) {
                        _cleanup_free_ char *text = strdup(good), *ours = NULL, *theirs = NULL;

                        text[i] = *c;
                        if (take(text, &ours)) {
                                theirs = solv_text_of_xml(text, strlen(text));
                                ck_assert_msg(theirs && streq(ours, theirs), "%s", text);
                        }
                        if (!*c)
                                break;
                }
}
END_TEST

int main(void) {
        Suite *s = suite_create("primary-solv");
        TCase *t = tcase_create("primary-solv");

        tcase_add_loop_test(t, plain_is_the_same, 0, ELEMENTSOF(plain));
        tcase_add_loop_test(t, odd_is_left, 0, ELEMENTSOF(odd));
        tcase_add_test(t, damage_is_never_read_otherwise);
        suite_add_tcase(s, t);
        return run_suite(s);
}
