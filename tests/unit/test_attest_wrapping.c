/* SPDX-License-Identifier: Apache-2.0 */
/* Known attacks on XML signatures, each tried on a manifest: what was signed is still there, whole, and something else would be read. The eight places
 * are those of "On Breaking SAML" (Somorovsky et al., 2012); the others are of McIntosh and Austel (2005), CVE-2009-0217, CVE-2017-11427 and RFC 6931. */
#include "attest.h"
#include "run.h"

#define DSIG "http://www.w3.org/2000/09/xmldsig#"
#define END  "</SoftwareIdentity>"

/* A signed manifest in its parts, and another one that nobody signed. */
static char *right, *open_tag, *body, *signature, *evil_body;
static const Authority *signers[RIM_CHAIN_LENGTH];

static char *part(const char *s, const char *from, const char *until) {
        const char *begin = strstr(s, from), *end = begin ? strstr(begin, until) : NULL;
        char *t = end ? strndup(begin, (size_t) (end - begin) + strlen(until)) : NULL;

        ck_assert_ptr_nonnull(t);
        return t;
}

static void setup(void) {
        _cleanup_free_ char *unsigned_ = NULL, *all = NULL;

        sim_setup();
        signers[0] = &maker.rim_l4;
        signers[1] = &maker.rim_l3;
        signers[2] = &maker.rim_ca;
        signers[3] = &maker.rim_root;
        unsigned_ = rim_body(DEVICE_GPU, RIM_VBIOS, MAKER_VBIOS);
        right = rim_sign(unsigned_, &maker.rim_l4, signers, RIM_CHAIN_LENGTH);
        open_tag = part(right, "<SoftwareIdentity", ">");
        body = part(right, "    <ns0:Entity", "</ns0:Payload>");
        signature = part(right, "<ds:Signature ", "</ds:Signature>");
        all = replaced(body, "active=\"True\"", "active=\"False\"");
        evil_body = replaced(all, "edition=\"GPU\"", "edition=\"CPU\"");
}

static void teardown(void) {
        char *all[] = { right, open_tag, body, signature, evil_body };

        for (size_t i = 0; i < ELEMENTSOF(all); i++)
                free(all[i]);
        sim_teardown();
}

static int judge_xml(const char *xml, Error *e) {
        _cleanup_(cert_pool_freep) CertPool *pool = cert_pool_new();
        _cleanup_(rim_freep) Rim *r = NULL;
        int k = rim_parse(pool, "made", xml, strlen(xml), &r, e);

        if (k == 0)
                k = rim_verify(r, e);
        return k < 0 ? k : cert_chain_verify(pool, r->chain, "made", maker.roots.rim, RIM_CHAIN_LENGTH, MAKER_TIME, e);
}

static void ck_refused(const char *what, const char *xml) {
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_msg(judge_xml(xml, &e) < 0, "%s is accepted: %.800s", what, xml);
        ck_assert_msg(e.code == EXIT_INVALID || e.code == EXIT_UNTRUSTED, "%s: %d", what, e.code);
        ck_assert_ptr_nonnull(e.message);
}

/* By its form, whatever the signature says. */
static void ck_not_the_form(const char *what, const char *xml) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r = judge_xml(xml, &e);

        ck_assert_msg(r == -EBADMSG, "%s: %s: %.800s", what, r == 0 ? "accepted" : e.message, xml);
}

/* The parts are those of a manifest that is right. */
START_TEST(test_parts) {
        _cleanup_free_ char *again = format("%s\n%s\n%s%s\n", open_tag, body, signature, END), *evil = format("%s\n%s\n%s%s\n", open_tag, evil_body, signature, END);
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_str_eq(again, right);
        ck_assert_msg(judge_xml(right, &e) == 0, "%s", e.message);
        ck_assert_int_eq(judge_xml(evil, &e), -EKEYREJECTED);
}
END_TEST

/* Where the signed element is, where the signature is, and where the one that would be read is. original: whole, without signature; sig; evil: the root's
 * start tag, and what is in it. */
static char *wrapped(unsigned variant, const char *original, const char *sig) {
        _cleanup_free_ char *object = format("<ds:Object>%s</ds:Object></ds:Signature>", original), *inside = replaced(sig, "</ds:Signature>", object),
                            *evil = format("%s%s%s", open_tag, evil_body, END);

        switch (variant) {
        case 1: return format("%s%s%s%s", open_tag, evil_body, inside, END);                        /* the original within the signature */
        case 2: return format("%s%s%s%s%s", open_tag, evil_body, sig, original, END);               /* behind it */
        case 3: return format("%s%s%s%s%s", open_tag, evil, original, sig, END);                    /* the other one first, side by side */
        case 4: return format("%s%s%s%s%s", open_tag, evil_body, original, sig, END);               /* the original within the other */
        case 5: return format("%s%s%s%s%s%s", open_tag, open_tag, evil_body, sig, END "", END);     /* the signature moved to the other */
        case 6: return format("%s%s%s%s%s%s", open_tag, open_tag, evil_body, inside, END "", END);
        case 7: return format("%s<ns0:Extensions>%s</ns0:Extensions>%s%s%s", open_tag, evil_body, original, sig, END); /* in an element that anything may be in */
        case 8: return format("%s%s%s<ds:Object>%s</ds:Object>%s", open_tag, evil_body, sig, original, END);
        /* The signed content is there, and twice what is looked for, in either order; or around it. */
        case 9: return format("%s%s%s%s%s", open_tag, evil_body, body, sig, END);
        case 10: return format("%s%s%s%s%s", open_tag, body, evil_body, sig, END);
        case 11: return format("<x>%s%s%s%s</x>", open_tag, body, sig, END);
        case 12: return format("%s<x>%s%s</x>%s%s", open_tag, body, sig, evil_body, END);
        default: return NULL;
        }
}

START_TEST(test_places) {
        static const char *const references[] = { "URI=\"\"", "URI=\"#made\"", "URI=\"#xpointer(id('made'))\"", "URI=\"#xpointer(/)\"", "URI=\"#xpath(//*[1])\"", "" };
        static const char *const ids[] = { "", " Id=\"made\"", " ID=\"made\"", " id=\"made\"", " xml:id=\"made\"", " AssertionID=\"made\"" };

        for (size_t r = 0; r < ELEMENTSOF(references); r++)
                for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                        _cleanup_free_ char *sig = replaced(signature, "URI=\"\"", references[r]), *tag = format("<SoftwareIdentity%s", ids[i]),
                                            *own = replaced(open_tag, "<SoftwareIdentity", tag), *original = format("%s%s%s", own, body, END);
                        char *xml;

                        for (unsigned variant = 1; (xml = wrapped(variant, original, sig)); variant++) {
                                _cleanup_free_ char *what = format("place %u, %s,%s", variant, references[r], ids[i]);

                                /* The one reference that may be covers all but the signature: so it does not fit, then. */
                                (r > 0 ? ck_not_the_form : ck_refused)(what, xml);
                                free(xml);
                        }
                }
}
END_TEST

/* The same identifier twice: which one is meant? Neither, as nothing is referred to by one. */
START_TEST(test_duplicate_ids) {
        static const char *const ids[] = { "Id", "ID", "id", "xml:id" };

        for (size_t i = 0; i < ELEMENTSOF(ids); i++)
                for (int with_reference = 0; with_reference < 2; with_reference++) {
                        _cleanup_free_ char *attribute = format("<ns0:Payload %s=\"made\"", ids[i]), *one = replaced(body, "<ns0:Payload", attribute),
                                            *two = replaced(evil_body, "<ns0:Payload", attribute), *sig = replaced(signature, "URI=\"\"", with_reference ? "URI=\"#made\"" : "URI=\"\""),
                                            *first = format("%s%s%s%s%s", open_tag, one, two, sig, END), *last = format("%s%s%s%s%s", open_tag, two, one, sig, END),
                                            *nested = replaced(two, "</ns0:Payload>", one);

                        void (*ck)(const char *, const char *) = with_reference ? ck_not_the_form : ck_refused;

                        ck(ids[i], first);
                        ck(ids[i], last);
                        free(first);
                        first = format("%s%s</ns0:Payload>%s%s", open_tag, nested, sig, END);
                        ck("nested", first);
                        /* One alone is one attribute more than was signed. */
                        free(last);
                        last = format("%s%s%s%s", open_tag, one, sig, END);
                        ck(ids[i], last);
                }
}
END_TEST

/* Algorithms, transforms and keys that a general verifier would follow. */
START_TEST(test_confusion) {
        static const struct { const char *what, *from, *to; } cases[] = {
                { "HMAC with a short output", "ecdsa-sha384\"></ds:SignatureMethod>", "hmac-sha384\"><ds:HMACOutputLength>1</ds:HMACOutputLength></ds:SignatureMethod>" },
                { "an output's length alone", "ecdsa-sha384\"></ds:SignatureMethod>", "ecdsa-sha384\"><ds:HMACOutputLength>0</ds:HMACOutputLength></ds:SignatureMethod>" },
                { "no algorithm", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", "" },
                { "another attribute beside it", "<ds:SignatureMethod ", "<ds:SignatureMethod a=\"\" " },
                { "RSA with MD5", "xmldsig-more#ecdsa-sha384", "xmldsig-more#rsa-md5" },
                { "XSLT", "<ds:Transforms>", "<ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"></ds:Transform>" },
                { "XPath filter", "<ds:Transforms>", "<ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2002/06/xmldsig-filter2\"></ds:Transform>" },
                { "base64", "<ds:Transforms>", "<ds:Transforms><ds:Transform Algorithm=\"" DSIG "base64\"></ds:Transform>" },
                { "decryption", "<ds:Transforms>", "<ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2002/07/decrypt#XML\"></ds:Transform>" },
                { "no transforms", "<ds:Transforms>", "<ds:Transforms/><ds:Transforms>" },
                { "exclusive, with prefixes of its own", "<ds:Transform Algorithm=\"http://www.w3.org/2006/12/xml-c14n11\"></ds:Transform>",
                  "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"><InclusiveNamespaces PrefixList=\"#default\"/></ds:Transform>" },
                { "Canonical XML 1.0", "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2006/12/xml-c14n11\"",
                  "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"" },
                { "two references", "</ds:Reference>", "</ds:Reference><ds:Reference URI=\"#x\"></ds:Reference>" },
                { "a manifest of references", "</ds:KeyInfo>", "</ds:KeyInfo><ds:Object><ds:Manifest></ds:Manifest></ds:Object>" },
                { "two SignedInfos", "<ds:SignedInfo>", "<ds:SignedInfo></ds:SignedInfo><ds:SignedInfo>" },
                { "two values", "<ds:SignatureValue>", "<ds:SignatureValue>AAAA</ds:SignatureValue><ds:SignatureValue>" },
                { "two digests", "<ds:DigestValue>", "<ds:DigestValue>AAAA</ds:DigestValue><ds:DigestValue>" },
                { "two KeyInfos", "<ds:KeyInfo>", "<ds:KeyInfo></ds:KeyInfo><ds:KeyInfo>" },
                { "no KeyInfo", "<ds:KeyInfo>", "<ds:NeyInfo></ds:NeyInfo><ds:KeyInfo>" },
                { "a key by value", "<ds:X509Data>", "<ds:KeyValue><ds:ECKeyValue></ds:ECKeyValue></ds:KeyValue><ds:X509Data>" },
                { "a key from elsewhere", "<ds:X509Data>", "<ds:RetrievalMethod URI=\"http://127.0.0.1:1/\"></ds:RetrievalMethod><ds:X509Data>" },
                { "a key by name", "<ds:X509Data>", "<ds:KeyName>x</ds:KeyName><ds:X509Data>" },
                { "a certificate by name", "<ds:X509Certificate>", "<ds:X509SubjectName>CN=x</ds:X509SubjectName><ds:X509Certificate>" },
                { "no certificate", "<ds:X509Data>", "<ds:X509Data></ds:X509Data><ds:X509Data>" },
                { "a digest cut by a comment", "<ds:DigestValue>", "<ds:DigestValue><!---->" },
                { "a value cut by a processing instruction", "<ds:SignatureValue>", "<ds:SignatureValue><?x?>" },
                { "a digest within an element", "<ds:DigestValue>", "<ds:DigestValue><x></x>" },
                { "signature of XML-DSig 2", "xmlns:ds=\"" DSIG "\"", "xmlns:ds=\"http://www.w3.org/2010/xmldsig2#\"" },
                { "signature of no namespace", "<ds:Signature xmlns:ds=\"" DSIG "\">", "<ds:Signature xmlns:ds=\"\">" },
                { "XInclude", "<ds:KeyInfo>", "<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"file:///etc/passwd\"/><ds:KeyInfo>" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *xml = replaced(right, cases[i].from, cases[i].to);

                ck_not_the_form(cases[i].what, xml);
        }
}
END_TEST

/* Parts of the content that look the same to one reader and not to another. */
START_TEST(test_content) {
        static const struct { const char *what, *from, *to; } cases[] = {
                { "XInclude", "</ns0:Payload>", "<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"file:///etc/passwd\"/></ns0:Payload>" },
                { "the default namespace taken away", "<ns0:Meta ", "<ns0:Meta xmlns=\"\" " },
                { "a prefix bound anew to the same", "<ns0:Meta ", "<ns0:Meta xmlns:ns2=\"urn:x\" " },
                { "a relative namespace", "<ns0:Meta ", "<ns0:Meta xmlns:y=\"x\" " },
                { "the prefix xml bound", "<ns0:Meta ", "<ns0:Meta xmlns:xml=\"urn:x\" " },
                { "a prefix that is not bound", "<ns0:Meta ", "<zz:Meta " },
                { "xml:base", "<ns0:Payload ", "<ns0:Payload xml:base=\"http://127.0.0.1:1/\" " },
                { "xml:space", "<ns0:Payload ", "<ns0:Payload xml:space=\"preserve\" " },
                { "a character that is not one", "Made Corporation", "&#1;Made Corporation" }, { "a surrogate", "Made Corporation", "&#xD800;Made Corporation" },
                { "a NUL", "Made Corporation", "&#0;Made Corporation" }, { "a line in a value", "Made Corporation", "Made&#10;Corporation" },
                { "a tab for a space", "Made Corporation", "Made\tCorporation!" }, { "an entity of HTML", "Made Corporation", "Made&nbsp;Corporation" },
                { "an overlong sequence", "Made Corporation", "Made\xc0\xa0" "Corporation" }, { "Latin 1", "Made Corporation", "Made\xa0" "Corporation" },
                { "CDATA", "</ns0:Entity>", "<![CDATA[]]></ns0:Entity>" }, { "a comment", "</ns0:Entity>", "<!----></ns0:Entity>" },
                { "an index in hexadecimal", "index=\"1\"", "index=\"0x1\"" }, { "an index with a blank", "index=\"1\"", "index=\" 1\"" },
                { "an attribute of the signed kind", "index=\"1\"", "ns2:index=\"1\"" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *xml = replaced(right, cases[i].from, cases[i].to);

                ck_refused(cases[i].what, xml);
        }
}
END_TEST

/* DTDs, in every form that can do something; none is so much as read. */
START_TEST(test_entities) {
        static const char *const doctypes[] = {
                "<!DOCTYPE SoftwareIdentity [<!ENTITY a SYSTEM \"file:///etc/hostname\">]>", "<!DOCTYPE SoftwareIdentity [<!ENTITY a SYSTEM \"http://127.0.0.1:1/\">]>",
                "<!DOCTYPE SoftwareIdentity [<!ENTITY % p \"<!ENTITY a 'x'>\">%p;]>", "<!DOCTYPE SoftwareIdentity [<!ENTITY a \"&a;\">]>",
                "<!DOCTYPE SoftwareIdentity [<!NOTATION n SYSTEM \"n\"><!ENTITY a SYSTEM \"x\" NDATA n>]>",
                /* Attributes that are not there, and are. */
                "<!DOCTYPE SoftwareIdentity [<!ENTITY a \"x\"><!ATTLIST ns0:Resource active CDATA #FIXED \"False\">]>",
                "<!DOCTYPE SoftwareIdentity [<!ENTITY a \"x\"><!ATTLIST ns0:Payload xmlns:ns2 CDATA \"urn:x\">]>",
                "<!DOCTYPE SoftwareIdentity [<!ENTITY a \"x\"><!ATTLIST ns0:Resource index ID #REQUIRED>]>",
                "<!DOCTYPE SoftwareIdentity PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\" \"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd\">",
                "<!DOCTYPE\nSoftwareIdentity[]>",
        };

        for (size_t i = 0; i < ELEMENTSOF(doctypes); i++) {
                _cleanup_free_ char *plain = format("%s%s", doctypes[i], right), *declared = format("<?xml version=\"1.0\"?>\n%s", plain),
                                    *standalone = format("<?xml version=\"1.0\" standalone=\"yes\"?>%s", plain), *late = format("%s%s", right, doctypes[i]),
                                    *in_value = replaced(plain, "Made Corporation", "Made &a;Corporation"), *in_text = replaced(plain, "</ns0:Entity>", "&a;</ns0:Entity>"),
                                    *in_digest = replaced(plain, "<ds:DigestValue>", "<ds:DigestValue>&a;");
                const char *all[] = { plain, declared, standalone, late, in_value, in_text, in_digest };

                for (size_t k = 0; k < ELEMENTSOF(all); k++)
                        ck_not_the_form(doctypes[i], all[k]);
        }
}
END_TEST

/* A signature is of one document: neither it nor parts of it are right on another, though the same key made both. */
START_TEST(test_transplant) {
        _cleanup_free_ char *other = rim_make(&maker, DEVICE_GPU, RIM_DRIVER, MAKER_DRIVER), *other_signature = part(other, "<ds:Signature ", "</ds:Signature>"),
                            *other_info = part(other, "<ds:SignedInfo>", "</ds:SignedInfo>"), *other_value = part(other, "<ds:SignatureValue>", "</ds:SignatureValue>"),
                            *info = part(right, "<ds:SignedInfo>", "</ds:SignedInfo>"), *value = part(right, "<ds:SignatureValue>", "</ds:SignatureValue>");
        char *xml[] = { replaced(right, signature, other_signature), replaced(right, info, other_info), replaced(right, value, other_value), NULL };

        for (size_t i = 0; xml[i]; i++) {
                ck_refused("a signature of another manifest", xml[i]);
                free(xml[i]);
        }
}
END_TEST

/* A stranger signs, and puts the right certificates beside his own; or after the right ones. */
START_TEST(test_other_signer) {
        CertSpec spec = { .name = "Stranger", .from = MAKER_START };
        _cleanup_free_ char *plain = format("%s\n%s\n%s", open_tag, evil_body, END);
        Authority stranger, issued;

        authority_make(&maker, NULL, &spec, &stranger);
        authority_make(&maker, &maker.gpu_ica, &spec, &issued);
        const Authority *chains[][5] = {
                { &stranger, &maker.rim_l4, &maker.rim_l3, &maker.rim_ca, &maker.rim_root }, { &maker.rim_l4, &maker.rim_l3, &maker.rim_ca, &maker.rim_root, &stranger },
                { &stranger, &maker.rim_l3, &maker.rim_ca, &maker.rim_root, NULL }, { &maker.rim_l4, &maker.rim_l3, &maker.rim_ca, &maker.rim_root, NULL },
                { &issued, &maker.rim_l3, &maker.rim_ca, &maker.rim_root, NULL }, { &stranger, NULL, NULL, NULL, NULL },
        };
        for (size_t i = 0; i < ELEMENTSOF(chains); i++)
                for (unsigned who = 0; who < 2; who++) {
                        _cleanup_free_ char *xml = NULL;
                        size_t n = 0;

                        while (n < 5 && chains[i][n])
                                n++;
                        xml = rim_sign(plain, who ? &issued : &stranger, chains[i], n);
                        ck_refused("a stranger's signature", xml);
                }
        authority_done(&stranger);
        authority_done(&issued);
}
END_TEST

/* All 4^4 chains of the four certificates: one of them is right. */
START_TEST(test_certificate_order) {
        _cleanup_free_ char *plain = format("%s\n%s\n%s", open_tag, body, END);
        size_t accepted = 0;

        for (unsigned i = 0; i < 4 * 4 * 4 * 4; i++) {
                const Authority *order[] = { signers[i % 4], signers[i / 4 % 4], signers[i / 16 % 4], signers[i / 64] };
                _cleanup_free_ char *xml = rim_sign(plain, order[0], order, RIM_CHAIN_LENGTH);
                _cleanup_error_ Error e = ERROR_INIT;
                bool ordered = memcmp(order, signers, sizeof order) == 0;

                ck_assert_msg((judge_xml(xml, &e) == 0) == ordered, "order %u", i);
                accepted += ordered;
        }
        ck_assert_uint_eq(accepted, 1);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("attest-wrapping");
        TCase *tc = tcase_create("wrapping");

        tcase_add_unchecked_fixture(tc, setup, teardown);
        tcase_add_test(tc, test_parts);
        tcase_add_test(tc, test_places);
        tcase_add_test(tc, test_duplicate_ids);
        tcase_add_test(tc, test_confusion);
        tcase_add_test(tc, test_content);
        tcase_add_test(tc, test_entities);
        tcase_add_test(tc, test_transplant);
        tcase_add_test(tc, test_other_signer);
        tcase_add_test(tc, test_certificate_order);
        suite_add_tcase(suite, tc);
        return run_suite(suite);
}
