/* SPDX-License-Identifier: Apache-2.0 */
/* The one profile of signature that reference manifests have: enveloped, the whole document, Canonical XML 1.1, SHA-384, ECDSA P-384. */
#include <libxml/c14n.h>

#include "attest/rim-xml.h"
#include "basic/strings.h"

#define NS_DSIG             "http://www.w3.org/2000/09/xmldsig#"
#define ALGORITHM_C14N      "http://www.w3.org/2006/12/xml-c14n11"
#define ALGORITHM_SIGNATURE "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
#define ALGORITHM_DIGEST    "http://www.w3.org/2001/04/xmldsig-more#sha384"
#define ALGORITHM_ENVELOPED "http://www.w3.org/2000/09/xmldsig#enveloped-signature"

/* That the element has this one attribute, without a namespace, or none at all (attribute NULL). */
static bool has_only(const xmlNode *node, const char *attribute, const char *value) {
        _cleanup_free_ char *found = NULL;
        const xmlAttr *a = node->properties;

        if (!attribute)
                return !a;
        if (!a || a->next || a->ns || !streq((const char *) a->name, attribute))
                return false;
        found = rim_attribute(node, NULL, attribute);
        return found && streq(found, value);
}

/* Steps to the next element, which must be this one, with this Algorithm (NULL: no attribute). NULL when it is something else. */
static xmlNode *next_is(xmlNode *from, const char *local, const char *algorithm) {
        xmlNode *node = rim_element(from, NULL);

        return rim_is(node, NS_DSIG, local) && has_only(node, algorithm ? "Algorithm" : NULL, algorithm) ? node : NULL;
}

/* That nothing but white space follows. */
static bool is_end(xmlNode *node) {
        bool text = false;
        return !rim_element(node, &text) && !text;
}

/* The bytes of an element with nothing but base64 text in it. *ret is owned by the caller. */
static int element_bytes(const xmlNode *node, uint8_t **ret, size_t *ret_size) {
        const xmlNode *text = node->children;

        if (!text || text->type != XML_TEXT_NODE || text->next)
                return -EBADMSG;
        return base64_decode((const char *) text->content, strlen((const char *) text->content), true, ret, ret_size);
}

static int fixed_bytes(const xmlNode *node, uint8_t *ret, size_t size) {
        _cleanup_free_ uint8_t *bytes = NULL;
        size_t n;

        if (element_bytes(node, &bytes, &n) < 0 || n != size)
                return -EBADMSG;
        memcpy(ret, bytes, size);
        return 0;
}

static int read_reference(xmlNode *reference, RimXml *x) {
        xmlNode *transforms, *one, *two, *method, *digest;

        transforms = next_is(reference->children, "Transforms", NULL);
        one = transforms ? next_is(transforms->children, "Transform", ALGORITHM_ENVELOPED) : NULL;
        two = one ? next_is(one->next, "Transform", ALGORITHM_C14N) : NULL;
        method = two && !one->children && !two->children && is_end(two->next) ? next_is(transforms->next, "DigestMethod", ALGORITHM_DIGEST) : NULL;
        digest = method && !method->children ? next_is(method->next, "DigestValue", NULL) : NULL;
        return digest && is_end(digest->next) ? fixed_bytes(digest, x->digest, sizeof x->digest) : -EBADMSG;
}

static int read_signed_info(xmlNode *info, RimXml *x) {
        xmlNode *canonical, *method, *reference;

        canonical = next_is(info->children, "CanonicalizationMethod", ALGORITHM_C14N);
        method = canonical && !canonical->children ? next_is(canonical->next, "SignatureMethod", ALGORITHM_SIGNATURE) : NULL;
        reference = method && !method->children ? rim_element(method->next, NULL) : NULL;
        /* The empty URI is the whole document: there is no Id to be pointed elsewhere. */
        if (!rim_is(reference, NS_DSIG, "Reference") || !has_only(reference, "URI", "") || !is_end(reference->next))
                return -EBADMSG;
        return read_reference(reference, x);
}

static int read_certificates(CertPool *pool, const char *name, xmlNode *key_info, CertChain *chain, Error *e) {
        xmlNode *data = next_is(key_info->children, "X509Data", NULL), *node;
        int r;

        if (!data || !is_end(data->next))
                return rim_error(e, name, "its signature is not of the one known form");
        for (node = data->children; !is_end(node); node = node->next) {
                _cleanup_free_ uint8_t *der = NULL;
                size_t size;

                node = next_is(node, "X509Certificate", NULL);
                if (!node || element_bytes(node, &der, &size) < 0)
                        return rim_error(e, name, "its signature is not of the one known form");
                r = cert_chain_append_der(pool, chain, name, der, size, e);
                if (r < 0)
                        return r;
        }
        return chain->n > 0 ? 0 : rim_error(e, name, "its signature names no certificate");
}

int rim_signature_read(CertPool *pool, const char *name, RimXml *x, CertChain *chain, Error *e) {
        xmlNode *root = xmlDocGetRootElement(x->doc), *info, *value, *key;

        for (xmlNode *node = root->children; node; node = node->next)
                if (rim_is(node, NS_DSIG, "Signature")) {
                        if (x->signature)
                                return rim_error(e, name, "it has several signatures");
                        x->signature = node;
                } else if (x->signature && !xmlIsBlankNode(node))
                        return rim_error(e, name, "something follows its signature");
        if (!x->signature)
                return rim_error(e, name, "it has no signature");
        info = has_only(x->signature, NULL, NULL) ? next_is(x->signature->children, "SignedInfo", NULL) : NULL;
        value = info ? next_is(info->next, "SignatureValue", NULL) : NULL;
        key = value ? next_is(value->next, "KeyInfo", NULL) : NULL;
        if (!key || !is_end(key->next) || read_signed_info(info, x) < 0 || fixed_bytes(value, x->value, sizeof x->value) < 0)
                return rim_error(e, name, "its signature is not of the one known form");
        x->signed_info = info;
        return read_certificates(pool, name, key, chain, e);
}

static bool is_below(const xmlNode *node, const xmlNode *ancestor) {
        for (; node; node = node->parent)
                if (node == ancestor)
                        return true;
        return false;
}

/* libxml2 asks for each node, and for each namespace in scope with the element it is in scope of. */
static int outside_signature(void *userdata, xmlNode *node, xmlNode *parent) {
        const RimXml *x = userdata;
        return !is_below(node->type == XML_NAMESPACE_DECL || node->type == XML_ATTRIBUTE_NODE ? parent : node, x->signature);
}

static int inside_signed_info(void *userdata, xmlNode *node, xmlNode *parent) {
        const RimXml *x = userdata;
        return is_below(node->type == XML_NAMESPACE_DECL || node->type == XML_ATTRIBUTE_NODE ? parent : node, x->signed_info);
}

int rim_canonical(const RimXml *x, bool signed_info, xmlBuffer **ret) {
        xmlBuffer *bytes = xmlBufferCreate();
        xmlOutputBuffer *out = bytes ? xmlOutputBufferCreateBuffer(bytes, NULL) : NULL;
        int r = out ? 0 : -ENOMEM;

        if (out && xmlC14NExecute(x->doc, signed_info ? inside_signed_info : outside_signature, (void *) x, XML_C14N_1_1, NULL, 0, out) < 0)
                r = -EBADMSG;
        if (out && xmlOutputBufferClose(out) < 0 && r == 0)
                r = -ENOMEM;
        if (r < 0) {
                xmlBufferFree(bytes);
                return r;
        }
        *ret = bytes;
        return 0;
}
