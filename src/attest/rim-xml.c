/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/rim-xml.h"

#include <libxml/parser.h>
#include <strings.h>

#define DEPTH_MAX 16

int rim_error(Error *e, const char *name, const char *what) {
        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not a reference manifest: %s", name, what),
                          "take it anew from NVIDIA's RIM service");
}

static void silent(void *ctx, const char *msg, ...) {
}

void rim_setup(void) {
        xmlInitParser();
        xmlSetGenericErrorFunc(NULL, silent);
}

/* A document with a DTD is refused before anything of the DTD is looked at. */
static void refuse_dtd(void *ctx, const xmlChar *name, const xmlChar *external, const xmlChar *system) {
        xmlStopParser(ctx);
}

static int check_nodes(const char *name, const xmlNode *node, Error *e) {
        unsigned depth = 0;

        while (node) {
                const xmlNode *next;

                if (node->type != XML_ELEMENT_NODE && node->type != XML_TEXT_NODE)
                        return rim_error(e, name, "it has other nodes than elements and text");
                if (node->type == XML_ELEMENT_NODE && node->children) {
                        if (++depth > DEPTH_MAX)
                                return rim_error(e, name, "its elements are nested too deeply");
                        node = node->children;
                        continue;
                }
                while (!(next = node->next) && depth > 0) {
                        node = node->parent;
                        depth--;
                }
                node = depth > 0 ? next : NULL;
        }
        return 0;
}

int rim_xml_read(const char *name, const void *data, size_t size, xmlDoc **ret, Error *e) {
        xmlParserCtxt *ctx;
        xmlDoc *doc;
        int r = 0;

        if (size == 0 || size > RIM_MAX)
                return rim_error(e, name, size == 0 ? "it is empty" : "it is too large");
        /* No NUL is in UTF-8 text: with this, UTF-16 and UTF-32 are out. */
        if (memchr(data, 0, size))
                return rim_error(e, name, "it is not UTF-8 text");
        ctx = xmlNewParserCtxt();
        if (!ctx)
                return error_oom(e);
        ctx->sax->internalSubset = refuse_dtd;
        doc = xmlCtxtReadMemory(ctx, data, (int) size, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
        if (!doc || !ctx->wellFormed || ctx->errNo != XML_ERR_OK || !ctx->nsWellFormed)
                r = rim_error(e, name, "its XML is not well-formed, or it has a DTD");
        else if (doc->intSubset || doc->extSubset)
                r = rim_error(e, name, "it has a DTD");
        else if (doc->version && strcmp((const char *) doc->version, "1.0") != 0)
                r = rim_error(e, name, "it is not XML 1.0");
        else if (doc->encoding && strcasecmp((const char *) doc->encoding, "UTF-8") != 0)
                r = rim_error(e, name, "it is not UTF-8 text");
        else if (!xmlDocGetRootElement(doc) || doc->children != xmlDocGetRootElement(doc) || doc->children->next)
                r = rim_error(e, name, "it has something beside its root element");
        else
                r = check_nodes(name, doc->children, e);
        xmlFreeParserCtxt(ctx);
        if (r < 0) {
                xmlFreeDoc(doc);
                return r;
        }
        *ret = doc;
        return 0;
}

RimXml *rim_xml_free(RimXml *x) {
        if (x)
                xmlFreeDoc(x->doc);
        free(x);
        return NULL;
}

bool rim_is(const xmlNode *node, const char *ns, const char *local) {
        return node && node->type == XML_ELEMENT_NODE && strcmp((const char *) node->name, local) == 0 && node->ns &&
               strcmp((const char *) node->ns->href, ns) == 0;
}

xmlNode *rim_element(xmlNode *node, bool *ret_text) {
        for (; node && node->type == XML_TEXT_NODE; node = node->next)
                if (!xmlIsBlankNode(node)) {
                        if (ret_text)
                                *ret_text = true;
                        return NULL;
                }
        return node;
}

char *rim_attribute(const xmlNode *node, const char *ns, const char *local) {
        for (const xmlAttr *a = node->properties; a; a = a->next)
                if (strcmp((const char *) a->name, local) == 0 && (ns ? a->ns && strcmp((const char *) a->ns->href, ns) == 0 : !a->ns))
                        return (char *) xmlNodeListGetString(node->doc, a->children, 1);
        return NULL;
}
