/* SPDX-License-Identifier: Apache-2.0 */
/* Reference manifests: what was signed, all of it, and nothing else. */
#include "attest.h"
#include "run.h"

#define ZERO_HASH "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
#define DSIG "http://www.w3.org/2000/09/xmldsig#"

static const Authority *signers[RIM_CHAIN_LENGTH];

static void setup(void) {
        sim_setup();
        signers[0] = &maker.rim_l4;
        signers[1] = &maker.rim_l3;
        signers[2] = &maker.rim_ca;
        signers[3] = &maker.rim_root;
}

/* A manifest with two of its measurements: as much structure, fewer bits. */
static char *small_body(void) {
        _cleanup_free_ char *body = rim_body(DEVICE_GPU, RIM_VBIOS, MAKER_VBIOS);
        char *first = strstr(body, "        <ns0:Resource "), *third = first, *end = strstr(body, "    </ns0:Payload>");

        for (unsigned i = 0; i < 2; i++)
                third = strstr(third + 1, "        <ns0:Resource ");
        return format("%.*s%s", (int) (third - body), body, end);
}

static char *sign_body(const char *body) {
        return rim_sign(body, &maker.rim_l4, signers, RIM_CHAIN_LENGTH);
}

/* As the verdict does it: 0 only when everything about the manifest is right. */
static int judge_bytes(CertPool *pool, const void *data, size_t size, Rim **ret, Error *e) {
        _cleanup_(rim_freep) Rim *r = NULL;
        int k = rim_parse(pool, "made", data, size, &r, e);

        if (k == 0)
                k = rim_verify(r, e);
        if (k == 0)
                k = cert_chain_verify(pool, r->chain, "made", maker.roots.rim, RIM_CHAIN_LENGTH, MAKER_TIME, e);
        if (k < 0) {
                ck_assert_ptr_nonnull(e->message);
                ck_assert(e->code == EXIT_INVALID || e->code == EXIT_UNTRUSTED);
                /* Golden values are there only when they were signed. */
                ck_assert(!r || r->verified || (r->n_active == 0 && !r->version) || e->code == EXIT_INVALID);
                return k;
        }
        if (ret)
                *ret = TAKE_PTR(r);
        return 0;
}

static int judge_text(const char *xml, Error *e) {
        _cleanup_(cert_pool_freep) CertPool *pool = cert_pool_new();

        return judge_bytes(pool, xml, strlen(xml), NULL, e);
}

static void ck_accepted(const char *xml) {
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_msg(judge_text(xml, &e) == 0, "%s", e.message);
}

static void ck_refused(const char *what, const char *xml) {
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_msg(judge_text(xml, &e) < 0, "%s is accepted", what);
}

/* Refused, though its signature is right for what it says. */
static void ck_refused_signed(const char *what, const char *from, const char *to) {
        _cleanup_free_ char *body = small_body(), *other = replaced(body, from, to), *xml = sign_body(other);
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_msg(judge_text(xml, &e) == -EBADMSG, "%s: %s", what, e.message ? e.message : "accepted");
        ck_assert_int_eq(e.code, EXIT_INVALID);
}

static void ck_refused_with(const char *what, const char *from, const char *to) {
        _cleanup_free_ char *body = small_body(), *xml = sign_body(body), *other = replaced(xml, from, to);

        ck_refused(what, other);
}

START_TEST(test_right) {
        _cleanup_(cert_pool_freep) CertPool *pool = cert_pool_new();
        _cleanup_free_ char *xml = rim_make(&maker, DEVICE_GPU, RIM_DRIVER, MAKER_DRIVER);
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(rim_freep) Rim *r = NULL;
        uint8_t value[DIGEST_SIZE];

        ck_assert_int_eq(judge_bytes(pool, xml, strlen(xml), &r, &e), 0);
        ck_assert_str_eq(r->version, MAKER_DRIVER);
        ck_assert_str_eq(r->edition, "GPU");
        ck_assert_str_eq(r->product, "GH100");
        ck_assert_str_eq(r->manufacturer_id, "5703");
        ck_assert_uint_eq(r->n_active, 21);
        ck_assert(r->values[63].present && !r->values[63].active);
        ck_assert_uint_eq(r->values[22].n, 2);
        golden(DEVICE_GPU, 22, value);
        ck_assert_mem_eq(r->values[22].hashes[1], value, DIGEST_SIZE);
        /* A second time changes nothing. */
        ck_assert_int_eq(rim_verify(r, &e), 0);
}
END_TEST

/* An id says more than a file's name may: chip, kind of device, version. */
START_TEST(test_id) {
        static const struct { DeviceKind device; RimKind kind; const char *version, *id; bool fits; } cases[] = {
                { DEVICE_GPU, RIM_DRIVER, "1.2.3", "NV_GPU_DRIVER_GH100_1.2.3", true },
                { DEVICE_GPU, RIM_DRIVER, "1.2.3", "NV_GPU_DRIVER_GH100_1.2.30", false },
                { DEVICE_GPU, RIM_DRIVER, "1.2.3", "NV_GPU_DRIVER_GH100_11.2.3", false },
                { DEVICE_GPU, RIM_DRIVER, "1.2.3", "NV_GPU_DRIVER_GH200_1.2.3", false },
                { DEVICE_GPU, RIM_DRIVER, "1.2.3", "NV_GPU_CC_DRIVER_GB100_1.2.3", true },
                { DEVICE_GPU, RIM_DRIVER, "1.2.3", "NV_GPU_CC_DRIVER_GB100_1.2.4", false },
                { DEVICE_GPU, RIM_VBIOS, "9a.00.01", "NV_GPU_VBIOS_X_1_2_9A0001", true },
                { DEVICE_GPU, RIM_VBIOS, "9a.00.01", "NV_GPU_VBIOS_X_1_2_9a.00.01", false },
                { DEVICE_GPU, RIM_VBIOS, "9a.00.01", "NV_GPU_VBIOS_X_1_2_19A0001", false },
                { DEVICE_GPU, RIM_VBIOS, "9a.00.01", "NV_SWITCH_BIOS_X_1_2_9A0001", false },
                { DEVICE_SWITCH, RIM_VBIOS, "9a.00.01", "NV_SWITCH_BIOS_X_1_2_9A0001", true },
                { DEVICE_SWITCH, RIM_VBIOS, "9a.00.01", "NV_GPU_VBIOS_X_1_2_9A0001", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(cert_pool_freep) CertPool *pool = cert_pool_new();
                _cleanup_free_ char *xml = rim_make(&maker, cases[i].device, cases[i].kind, cases[i].version);
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_(rim_freep) Rim *r = NULL;

                ck_assert_int_eq(judge_bytes(pool, xml, strlen(xml), &r, &e), 0);
                ck_assert_msg(rim_fits_id(r, cases[i].id) == cases[i].fits, "%s", cases[i].id);
        }
}
END_TEST

/* What Canonical XML takes for the same is the same. */
START_TEST(test_canonical) {
        static const struct { const char *from, *to; } same[] = {
                { "role=\"softwareCreator tagCreator\"></ns0:Entity>", "role=\"softwareCreator tagCreator\"/>" },
                { "<ns0:Entity name=\"Made Corporation\" role=\"softwareCreator tagCreator\">", "<ns0:Entity  role='softwareCreator tagCreator'\n name=\"Made Corporation\" >" },
                { "Made Corporation", "&#x4d;ade Corporation" },
                { "<SoftwareIdentity", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<SoftwareIdentity" },
                { "<ds:Reference URI=\"\">", "<ds:Reference URI=''>" },
        };

        for (size_t i = 0; i < ELEMENTSOF(same); i++) {
                _cleanup_free_ char *body = small_body(), *xml = sign_body(body), *other = replaced(xml, same[i].from, same[i].to);

                ck_accepted(other);
        }
}
END_TEST

/* Each bit of what is signed: of the document but for its signature, of SignedInfo, and of the signature's value. */
START_TEST(test_every_bit) {
        _cleanup_free_ char *body = small_body(), *xml = sign_body(body);
        const char *key_info = strstr(xml, "<ds:KeyInfo>"), *after = strstr(xml, "</ds:KeyInfo>");
        CertPool *pool = cert_pool_new();
        size_t tried = 0;

        for (size_t bit = 0; bit < 8 * strlen(body) + 8 * 4096; bit++) {
                _cleanup_error_ Error e = ERROR_INIT;
                char *p = xml + bit / 8;
                int r;

                if (p == xml + strlen(xml) - 1)
                        break; /* the line's end */
                if (p >= key_info && p < after)
                        continue;
                *p = (char) (*p ^ 1 << bit % 8);
                r = *p ? judge_bytes(pool, xml, strlen(xml), NULL, &e) : -EBADMSG;
                ck_assert_msg(r < 0, "bit %zu of byte %zu does not matter: %.40s", bit % 8, bit / 8, p);
                *p = (char) (*p ^ 1 << bit % 8);
                if (++tried % 4000 == 0) {
                        cert_pool_free(pool);
                        pool = cert_pool_new();
                }
        }
        ck_assert_uint_gt(tried, 8 * strlen(body));
        ck_assert_int_eq(judge_bytes(pool, xml, strlen(xml), NULL, NULL), 0);
        cert_pool_free(pool);
}
END_TEST

START_TEST(test_every_length) {
        _cleanup_(cert_pool_freep) CertPool *pool = cert_pool_new();
        _cleanup_free_ char *xml = rim_make(&maker, DEVICE_SWITCH, RIM_VBIOS, MAKER_VBIOS);
        size_t size = strlen(xml) - 1;

        ck_assert_int_eq(judge_bytes(pool, xml, size, NULL, NULL), 0);
        for (size_t n = 0; n < size; n++) {
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_free_ char *exact = malloc(n + 1);

                memcpy(exact, xml, n);
                ck_assert_int_eq(judge_bytes(pool, exact, n, NULL, &e), -EBADMSG);
        }
}
END_TEST

/* The signed document, whole, somewhere inside another one whose values would be read. */
START_TEST(test_wrapping) {
        _cleanup_free_ char *body = small_body(), *xml = sign_body(body), *evil = replaced(body, "active=\"True\"", "active=\"False\""), *t = NULL, *u = NULL,
                            *v = NULL, *w = NULL, *x = NULL, *y = NULL, *signature = NULL, *payload = NULL;
        const char *begin = strstr(xml, "<ds:Signature"), *end = strstr(xml, "</ds:Signature>") + strlen("</ds:Signature>"),
                   *from = strstr(evil, "    <ns0:Payload"), *until = strstr(evil, "</ns0:Payload>") + strlen("</ns0:Payload>");

        signature = strndup(begin, (size_t) (end - begin));
        payload = strndup(from, (size_t) (until - from));
        xml[strlen(xml) - 1] = '\0';
        /* In the payload, beside it, around it, and as the signature's own content. */
        t = replaced(evil, "    </ns0:Payload>", xml);
        ck_refused("no root signature", t);
        u = format("%.*s%s%s</SoftwareIdentity>", (int) (strlen(evil) - strlen("</SoftwareIdentity>")), evil, xml, signature);
        ck_refused("signed document beside the payload, its signature on the root", u);
        v = replaced(signature, "<ds:SignedInfo>", xml);
        w = format("%.*s%s</SoftwareIdentity>", (int) (strlen(evil) - strlen("</SoftwareIdentity>")), evil, v);
        ck_refused("signed document inside the signature", w);
        free(v);
        v = replaced(signature, "</ds:KeyInfo>", "</ds:KeyInfo><ds:Object></ds:Object>");
        free(w);
        w = replaced(xml, signature, v);
        ck_refused("an object in the signature", w);
        /* What is in the signature is not covered by it. */
        free(v);
        v = format("</ds:X509Data></ds:KeyInfo>%s", payload);
        free(w);
        w = replaced(xml, "</ds:X509Data></ds:KeyInfo>", v);
        ck_refused("a payload inside the signature", w);
        x = format("</ns0:Payload>\n%s", payload);
        y = replaced(xml, "</ns0:Payload>", x);
        ck_refused("a second payload", y);
        free(x);
        x = format("%s%s", signature, payload);
        free(y);
        y = replaced(xml, signature, x);
        ck_refused("a payload behind the signature", y);
}
END_TEST

START_TEST(test_two_signatures) {
        _cleanup_free_ char *body = small_body(), *xml = sign_body(body), *signature = NULL, *twice = NULL, *other = NULL, *moved = NULL, *inner = NULL;
        const char *begin = strstr(xml, "<ds:Signature"), *end = strstr(xml, "</ds:Signature>") + strlen("</ds:Signature>");

        signature = strndup(begin, (size_t) (end - begin));
        twice = format("%s%s", signature, signature);
        other = replaced(xml, signature, twice);
        ck_refused("two signatures", other);
        moved = replaced(xml, signature, "");
        inner = format("%s    </ns0:Payload>", signature);
        free(other);
        other = replaced(moved, "    </ns0:Payload>", inner);
        ck_refused("a signature in the payload", other);
        ck_refused("no signature", moved);
        ck_refused("no signature", body);
}
END_TEST

START_TEST(test_profile) {
        static const struct { const char *from, *to; } cases[] = {
                { "#ecdsa-sha384", "#ecdsa-sha256" }, { "#ecdsa-sha384", "#rsa-sha384" }, { "#ecdsa-sha384", "#hmac-sha384" }, { "#sha384\"></ds:D", "#sha256\"></ds:D" },
                { "xml-c14n11\"></ds:Can", "xml-c14n11#WithComments\"></ds:Can" },
                { "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2006/12/xml-c14n11\"", "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"" },
                { "<ds:Transform Algorithm=\"http://www.w3.org/2006/12/xml-c14n11\"></ds:Transform>", "" },
                { "<ds:Transform Algorithm=\"" DSIG "enveloped-signature\"></ds:Transform>", "" },
                { "<ds:Transforms>", "<ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"></ds:Transform>" },
                { "xml-c14n11\"></ds:Transform></ds:Transforms>", "xml-c14n11\"><ds:XPath>x</ds:XPath></ds:Transform></ds:Transforms>" },
                { "xml-c14n11\"></ds:Transform></ds:Transforms>",
                  "xml-c14n11\"></ds:Transform><ds:Transform Algorithm=\"http://www.w3.org/2006/12/xml-c14n11\"></ds:Transform></ds:Transforms>" },
                { "</ds:X509Data>", "</ds:X509Data><ds:KeyValue></ds:KeyValue>" }, { "</ds:X509Data>", "</ds:X509Data><ds:X509Data></ds:X509Data>" },
                { "URI=\"\"", "URI=\"#xpointer(/)\"" }, { "URI=\"\"", "URI=\"#made\"" }, { "URI=\"\"", "" }, { "URI=\"\"", "URI=\"http://127.0.0.1:1/\"" },
                { "URI=\"\"", "URI=\"\" Id=\"x\"" }, { "URI=\"\"", "URI=\"\" Type=\"" DSIG "Manifest\"" },
                { "</ds:Reference>", "</ds:Reference><ds:Reference URI=\"\"></ds:Reference>" }, { "<ds:Signature ", "<ds:Signature Id=\"x\" " },
                { "<ds:SignedInfo>", "<ds:SignedInfo Id=\"x\">" }, { "<ds:SignatureValue>", "<ds:SignatureValue>=" }, { "<ds:SignatureValue>", "<ds:SignatureValue>AAAA" },
                { "<ds:DigestValue>", "<ds:DigestValue>AAAA" }, { "<ds:KeyInfo>", "<ds:KeyInfo><ds:KeyName>x</ds:KeyName>" }, { "<ds:X509Data>", "<ds:X509Data>x" },
                { "<ds:X509Certificate>", "<ds:X509SKI>AAAA</ds:X509SKI><ds:X509Certificate>" }, { "<ds:X509Certificate>", "<ds:X509Certificate>AAAA" },
                { "<ds:SignedInfo>", "<ds:SignedInfo>x" }, { "xmlns:ds=\"" DSIG "\"", "xmlns:ds=\"" DSIG "x\"" }, { "</ds:SignedInfo>", "</ds:SignedInfo><x></x>" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *body = small_body(), *xml = sign_body(body), *other = replaced(xml, cases[i].from, cases[i].to);
                _cleanup_error_ Error e = ERROR_INIT;

                /* By its form, before any signature is looked at: most of these could be signed as well. */
                ck_assert_msg(judge_text(other, &e) == -EBADMSG, "case %zu: %s: %s", i, cases[i].to, e.message ? e.message : "accepted");
        }
}
END_TEST

/* White space in SignedInfo is part of what is signed; elsewhere in the signature it does not matter. */
START_TEST(test_signature_blanks) {
        _cleanup_free_ char *body = small_body(), *xml = sign_body(body), *fine = replaced(xml, "<ds:KeyInfo>", "\n <ds:KeyInfo>\n"),
                            *lines = replaced(fine, "<ds:SignatureValue>", "<ds:SignatureValue>\n");

        ck_accepted(fine);
        ck_accepted(lines);
        ck_refused_with("a blank in SignedInfo", "<ds:SignedInfo>", "<ds:SignedInfo> ");
        ck_refused_with("a blank in Reference", "<ds:Transforms>", "<ds:Transforms>\n");
}
END_TEST

START_TEST(test_entities) {
        static const char *const doctypes[] = {
                "<!DOCTYPE SoftwareIdentity [<!ENTITY a \"Made\">]>", "<!DOCTYPE SoftwareIdentity>", "<!DOCTYPE SoftwareIdentity SYSTEM \"file:///etc/passwd\">",
                "<!DOCTYPE SoftwareIdentity PUBLIC \"x\" \"http://127.0.0.1:1/x.dtd\">",
                "<!DOCTYPE SoftwareIdentity [<!ENTITY % p SYSTEM \"http://127.0.0.1:1/x\"> %p;]>",
                "<!DOCTYPE SoftwareIdentity [<!ATTLIST SoftwareIdentity Id ID #IMPLIED>]>",
                "<!DOCTYPE SoftwareIdentity [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">"
                "<!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;\"><!ENTITY e \"&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;\"><!ENTITY f \"&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;\">]>",
        };
        _cleanup_free_ char *body = small_body(), *xml = sign_body(body);

        for (size_t i = 0; i < ELEMENTSOF(doctypes); i++) {
                _cleanup_free_ char *t = format("%s%s", doctypes[i], xml), *u = replaced(t, "Made Corporation", i == 6 ? "&f;" : "&a; Corporation");

                ck_refused("a DTD", t);
                ck_refused("an entity", u);
        }
        ck_refused_with("an entity without a DTD", "Made Corporation", "&a; Corporation");
}
END_TEST

/* Comments are not canonical: a document with some has the same digest. */
START_TEST(test_other_nodes) {
        ck_refused_with("a comment", "<ns0:Payload", "<!-- x --><ns0:Payload");
        ck_refused_with("a comment in a base64 text", "<ds:DigestValue>", "<ds:DigestValue><!-- x -->");
        ck_refused_with("a comment at the end", "</SoftwareIdentity>", "</SoftwareIdentity><!-- x -->");
        ck_refused_with("a comment at the begin", "<SoftwareIdentity", "<!-- x --><SoftwareIdentity");
        ck_refused_with("a processing instruction", "<SoftwareIdentity", "<?x y?><SoftwareIdentity");
        ck_refused_with("a stylesheet", "<SoftwareIdentity", "<?xml-stylesheet href=\"x\"?><SoftwareIdentity");
        ck_refused_with("CDATA", "<ds:SignatureValue>", "<ds:SignatureValue><![CDATA[]]>");
        ck_refused_with("text behind the signature", "</ds:Signature>", "</ds:Signature>x");
        ck_refused_with("an element behind the signature", "</ds:Signature>", "</ds:Signature><x/>");
        ck_refused_with("another encoding", "<SoftwareIdentity", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><SoftwareIdentity");
        ck_refused_with("UTF-7", "<SoftwareIdentity", "<?xml version=\"1.0\" encoding=\"UTF-7\"?><SoftwareIdentity");
        ck_refused_with("an attribute twice", "index=\"1\"", "index=\"1\" index=\"2\"");
        ck_refused_with("an attribute twice, by two prefixes", " ns2:Hash0=", " xmlns:y=\"http://www.w3.org/2001/04/xmlenc#sha384\" y:Hash0=\"00\" ns2:Hash0=");
}
END_TEST

/* Names that look alike, in another namespace, signed or not. */
START_TEST(test_namespaces) {
        ck_refused_with("another namespace, not signed", "<ns0:Payload ", "<ns0:Payload xmlns:ns0=\"urn:x\" ");
        ck_refused_with("a namespace more", "<ns0:Payload ", "<ns0:Payload xmlns:zzz=\"urn:x\" ");
        ck_refused_with("the signature's own in another", "<ds:X509Data>", "<ds:X509Data xmlns:ds=\"urn:x\">");
        ck_refused_signed("measurements of another namespace", "<ns0:Payload xmlns:SHA384=\"http://www.w3.org/2001/04/xmlenc#sha384\">",
                          "<ns0:Payload xmlns:SHA384=\"http://www.w3.org/2001/04/xmlenc#sha384\" xmlns:ns2=\"urn:x\">");
        ck_refused_signed("a payload of another namespace", "<ns0:Payload xmlns:SHA384=\"http://www.w3.org/2001/04/xmlenc#sha384\">", "<ns0:Payload xmlns:ns0=\"urn:x\">");
        ck_refused_with("an attribute of another namespace", " index=\"1\"", " xml:index=\"1\"");
}
END_TEST

/* Signed by the right key, and still not what NVIDIA writes: nothing is guessed. */
START_TEST(test_content) {
        static const struct { const char *from, *to; } cases[] = {
                { "index=\"1\"", "index=\"0\"" }, { "index=\"1\"", "index=\"255\"" }, { "index=\"1\"", "index=\"-1\"" }, { "index=\"1\"", "index=\"+1\"" },
                { "index=\"1\"", "index=\"4294967297\"" }, { " index=\"1\"", "" }, { "alternatives=\"1\"", "alternatives=\"2\"" }, { "alternatives=\"1\"", "alternatives=\"0\"" },
                { "alternatives=\"1\"", "alternatives=\"17\"" }, { "size=\"48\"", "size=\"32\"" }, { "size=\"48\"", "size=\"49\"" }, { "type=\"Measurement\"", "type=\"Other\"" },
                { "active=\"True\"", "active=\"true\"" }, { "ns2:Hash0=\"", "ns2:Hash0=\"00" }, { "ns2:Hash0=\"", "ns2:Hash0=\"zz" }, { "ns2:Hash0=", "ns2:Hash1=" },
                /* An alternative that is not counted. */
                { "ns2:Hash0=", "ns2:Hash0=\"" ZERO_HASH "\" ns2:Hash1=" },
                { "colloquialVersion=\"" MAKER_VBIOS "\"", "colloquialVersion=\"\"" }, { "edition=\"GPU\"", "edition=\"&#xA;\"" },
                { "    </ns0:Payload>", "    x</ns0:Payload>" }, { "    </ns0:Payload>", "    <x></x></ns0:Payload>" }, { "</ns0:Entity>", "x</ns0:Entity>" },
                { "</ns0:Resource>", "<x></x></ns0:Resource>" }, { "</ns0:Payload>\n", "</ns0:Payload><ns0:Payload></ns0:Payload>\n" },
        };

        _cleanup_free_ char *body = small_body(), *begin = replaced(body, "<ns0:Meta ", "<ns0:Neta "), *other = replaced(begin, "</ns0:Meta>", "</ns0:Neta>"),
                            *xml = sign_body(other);

        ck_refused("Neta", xml);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                ck_refused_signed(cases[i].to, cases[i].from, cases[i].to);
}
END_TEST

START_TEST(test_nothing_active) {
        _cleanup_free_ char *body = small_body(), *one = replaced(body, "active=\"True\"", "active=\"False\""), *two = replaced(one, "active=\"True\"", "active=\"False\""),
                            *xml = sign_body(two);

        ck_refused("no active measurement", xml);
}
END_TEST

START_TEST(test_bounds) {
        _cleanup_(cert_pool_freep) CertPool *pool = cert_pool_new();
        _cleanup_free_ char *large = malloc(RIM_MAX + 1);
        _cleanup_text_ Text deep = {}, wide = {};
        _cleanup_error_ Error e = ERROR_INIT;

        memset(large, ' ', RIM_MAX + 1);
        ck_assert_int_eq(judge_bytes(pool, large, RIM_MAX + 1, NULL, &e), -EBADMSG);
        for (unsigned i = 0; i < 200; i++)
                text_append(&deep, "<a>");
        for (unsigned i = 0; i < 200; i++)
                text_append(&deep, "</a>");
        ck_refused("200 elements deep", deep.data);
        text_append(&wide, "<a");
        for (unsigned i = 0; i < 20000; i++)
                text_printf(&wide, " a%u=\"\"", i);
        text_append(&wide, "/>");
        ck_refused("20,000 attributes", wide.data);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("attest-rim");
        TCase *tc = tcase_create("rim");

        tcase_add_unchecked_fixture(tc, setup, sim_teardown);
        tcase_set_timeout(tc, 110); /* every bit, also on a busy machine */
        tcase_add_test(tc, test_right);
        tcase_add_test(tc, test_id);
        tcase_add_test(tc, test_canonical);
        tcase_add_test(tc, test_every_bit);
        tcase_add_test(tc, test_every_length);
        tcase_add_test(tc, test_wrapping);
        tcase_add_test(tc, test_two_signatures);
        tcase_add_test(tc, test_profile);
        tcase_add_test(tc, test_signature_blanks);
        tcase_add_test(tc, test_entities);
        tcase_add_test(tc, test_other_nodes);
        tcase_add_test(tc, test_namespaces);
        tcase_add_test(tc, test_content);
        tcase_add_test(tc, test_nothing_active);
        tcase_add_test(tc, test_bounds);
        suite_add_tcase(suite, tc);
        return run_suite(suite);
}
