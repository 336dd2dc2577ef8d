/* SPDX-License-Identifier: Apache-2.0 */
/* The XML of a manifest: how it is read, what of it the signature covers, and the canonical bytes of that. */
#pragma once

#include <libxml/tree.h>

#include "attest/rim.h"

#define NS_SWID   "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"
#define NS_SHA384 "http://www.w3.org/2001/04/xmlenc#sha384"
#define NS_TCG    "https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-information-model/"

struct RimXml {
        xmlDoc *doc;
        xmlNode *signature, *signed_info;
        uint8_t digest[DIGEST_SIZE], value[SIGNATURE_SIZE]; /* as the signature states them */
};

/* Elements and text only, no DTD, no comment, CDATA or processing instruction, UTF-8, nothing fetched. */
int rim_xml_read(const char *name, const void *data, size_t size, xmlDoc **ret, Error *e);
RimXml *rim_xml_free(RimXml *x);
int rim_error(Error *e, const char *name, const char *what);

/* Whether node is the element `local` of that namespace. */
bool rim_is(const xmlNode *node, const char *ns, const char *local);
/* The first element at or behind node; nothing but white space may be skipped, else NULL and *ret_text is set (may be NULL). */
xmlNode *rim_element(xmlNode *node, bool *ret_text);
/* Value of an attribute (ns NULL: of none), whole text, or NULL. Owned by the caller: xmlFree(). */
char *rim_attribute(const xmlNode *node, const char *ns, const char *local);

/* Finds the signature, the root's last element, and checks that it is of the one profile; adds its certificates to chain. */
int rim_signature_read(CertPool *pool, const char *name, RimXml *x, CertChain *chain, Error *e);
/* Canonical XML 1.1, without comments: of the whole document without its signature, or of SignedInfo. -EBADMSG: it has none (a namespace's URI is
 * relative, which Canonical XML forbids). */
int rim_canonical(const RimXml *x, bool signed_info, xmlBuffer **ret);
/* Golden values and versions from the document (never from below its signature). */
int rim_content_read(Rim *r, const RimXml *x, Error *e);
