/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/xml.h"

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/archive.h"

#define DEPTH_MAX 16

void xml_done(Xml *x) {
        if (x->reader)
                xmlFreeTextReader(x->reader);
        free(x->problem);
}

static void keep_problem(void *arg, const char *message, xmlParserSeverities severity, xmlTextReaderLocatorPtr locator) {
        Xml *x = arg;

        if (!x->problem && message)
                x->problem = format("line %d: %.*s", xmlTextReaderLocatorLineNumber(locator), (int) strcspn(message, "\n"), message);
}

int xml_open(Xml *x, const char *text, size_t size, const char *name, Error *e) {
        *x = (Xml){ .name = name, .e = e, .plain = true };
        if (size > INT32_MAX)
                return error_set(e, EFBIG, EXIT_INVALID, "%s: %zu bytes are too many", name, size);
        /* No network, no DTD, entities not replaced: those there are, are refused below. */
        x->reader = xmlReaderForMemory(text, (int) size, NULL, NULL, XML_PARSE_NONET | XML_PARSE_COMPACT);
        if (!x->reader)
                return error_oom(e);
        xmlTextReaderSetErrorHandler(x->reader, keep_problem, x);
        return 0;
}

int xml_bad(Xml *x, const char *what) {
        return error_set(x->e, EBADMSG, EXIT_INVALID, "%s: %s", x->name, what);
}

/* The next node: 1, 0 at the end, or negative. */
int xml_next(Xml *x) {
        int r = xmlTextReaderRead(x->reader);

        if (r < 0)
                return xml_bad(x, x->problem ? x->problem : "malformed XML");
        if (r == 0)
                return 0;
        switch (xmlTextReaderNodeType(x->reader)) {
        case XML_READER_TYPE_DOCUMENT_TYPE:
        case XML_READER_TYPE_ENTITY_REFERENCE:
        case XML_READER_TYPE_ENTITY:
                return xml_bad(x, "a document type or an entity is in it");
        case XML_READER_TYPE_COMMENT:
        case XML_READER_TYPE_CDATA:
        case XML_READER_TYPE_PROCESSING_INSTRUCTION:
                x->plain = false;
                return 1;
        default:
                return xmlTextReaderDepth(x->reader) > DEPTH_MAX ? xml_bad(x, "elements are nested too deep") : 1;
        }
}

const char *xml_element(Xml *x) {
        return xmlTextReaderNodeType(x->reader) == XML_READER_TYPE_ELEMENT ? (const char *) xmlTextReaderConstLocalName(x->reader) : "";
}

bool xml_ends(Xml *x, int depth) {
        return xmlTextReaderNodeType(x->reader) == XML_READER_TYPE_END_ELEMENT && xmlTextReaderDepth(x->reader) == depth;
}

/* What may be said once only. */
int xml_take(Xml *x, char *value, char **ret, const char *what) {
        _cleanup_free_ char *s = value;

        if (!s)
                return xml_bad(x, what);
        if (*ret)
                return xml_bad(x, what);
        *ret = TAKE_PTR(s);
        return 0;
}

int xml_take_text(Xml *x, char **ret, const char *what) {
        xmlChar *s = xmlTextReaderReadString(x->reader);
        char *copy = s ? strdup((const char *) s) : NULL;

        xmlFree(s);
        return xml_take(x, copy, ret, what);
}

int xml_take_attribute(Xml *x, const char *attribute, char **ret, const char *what) {
        xmlChar *s = xmlTextReaderGetAttribute(x->reader, (const xmlChar *) attribute);
        char *copy = s ? strdup((const char *) s) : NULL;

        xmlFree(s);
        return xml_take(x, copy, ret, what);
}

int xml_take_number(Xml *x, const char *attribute, uint64_t *ret, const char *what) {
        _cleanup_free_ char *s = NULL;
        int r = attribute ? xml_take_attribute(x, attribute, &s, what) : xml_take_text(x, &s, what);

        if (r < 0)
                return r;
        return parse_u64(s, ret) < 0 ? xml_bad(x, what) : 0;
}

/* SHA-1, MD5 and what nobody knows are no digests: a signature over them would sign nothing. */
int xml_take_checksum(Xml *x, char **ret, const char **ret_digest, const char *what) {
        static const struct {
                const char *name;
                size_t digits;
        } digests[] = { { "sha256", 64 }, { "sha384", 96 }, { "sha512", 128 } };
        _cleanup_free_ char *type = NULL;
        int r = xml_take_attribute(x, "type", &type, what);

        if (r < 0 || (r = xml_take_text(x, ret, what)) < 0)
                return r;
        for (size_t i = 0; i < (x->foreign ? ELEMENTSOF(digests) : 1); i++)
                if (streq(type, digests[i].name) && strlen(*ret) == digests[i].digits && strspn(*ret, "0123456789abcdef") == digests[i].digits) {
                        *ret_digest = digests[i].name;
                        return 0;
                }
        return x->foreign ? error_hint(x->e, error_set(x->e, EBADMSG, EXIT_UNTRUSTED, "%s: a %s checksum protects nothing: SHA-256 or better is needed", x->name,
                                                       text_is_printable(type) ? type : "nameless"), "ask whoever makes the repository for one with sha256") : xml_bad(x, what);
}

int xml_take_href(Xml *x, char **ret, const char *prefix) {
        int r = xml_take_attribute(x, "href", ret, "a location is missing, or there are two");
        xmlChar *base;

        if (r < 0)
                return r;
        base = xmlTextReaderGetAttribute(x->reader, (const xmlChar *) "xml:base");
        if (base) {
                xmlFree(base);
                return xml_bad(x, "a location is on another server (xml:base)");
        }
        return path_is_safe(*ret) && startswith(*ret, prefix) && text_is_printable(*ret) ? 0 : xml_bad(x, "a location leaves the repository");
}
