/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/rim.h"

#include <openssl/evp.h>

#include "attest/rim-xml.h"
#include "basic/strings.h"

int rim_parse(CertPool *pool, const char *name, const void *data, size_t size, Rim **ret, Error *e) {
        _cleanup_(rim_freep) Rim *r = calloc(1, sizeof(Rim));
        int k;

        if (!r || !(r->name = strdup(name)) || !(r->chain = cert_chain_new()) || !(r->xml = calloc(1, sizeof(RimXml))))
                return error_oom(e);
        k = rim_xml_read(name, data, size, &r->xml->doc, e);
        if (k < 0)
                return k;
        if (!rim_is(xmlDocGetRootElement(r->xml->doc), NS_SWID, "SoftwareIdentity"))
                return rim_error(e, name, "its root element is not SoftwareIdentity of ISO/IEC 19770-2:2015");
        k = rim_signature_read(pool, name, r->xml, r->chain, e);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(r);
        return 0;
}

Rim *rim_free(Rim *r) {
        if (!r)
                return NULL;
        for (size_t i = 0; i < MEASUREMENT_MAX; i++)
                free(r->values[i].hashes);
        (void) rim_xml_free(r->xml);
        (void) cert_chain_free(r->chain);
        free(r->name);
        free(r->version);
        free(r->edition);
        free(r->product);
        free(r->manufacturer_id);
        free(r);
        return NULL;
}

static int no_canonical_form(const Rim *r, int k, Error *e) {
        return k == -ENOMEM ? error_oom(e) : rim_error(e, r->name, "it has no canonical form");
}

static int check_digest(const Rim *r, Error *e) {
        uint8_t digest[EVP_MAX_MD_SIZE];
        xmlBuffer *bytes;
        bool same;
        int k;

        k = rim_canonical(r->xml, false, &bytes);
        if (k < 0)
                return no_canonical_form(r, k, e);
        same = EVP_Digest(xmlBufferContent(bytes), (size_t) xmlBufferLength(bytes), digest, NULL, EVP_sha384(), NULL) == 1 &&
               memcmp(digest, r->xml->digest, DIGEST_SIZE) == 0;
        xmlBufferFree(bytes);
        return same ? 0 : error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: its signature is wrong: the document was changed after it was signed", r->name);
}

static int check_signature(const Rim *r, Error *e) {
        xmlBuffer *bytes;
        int k;

        k = rim_canonical(r->xml, true, &bytes);
        if (k < 0)
                return no_canonical_form(r, k, e);
        k = cert_chain_check_signature(r->chain, (Bytes) { xmlBufferContent(bytes), (size_t) xmlBufferLength(bytes) },
                                       (Bytes) { r->xml->value, SIGNATURE_SIZE });
        xmlBufferFree(bytes);
        return k < 0 ? error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: its signature is wrong: it was not made by its first certificate's key", r->name) : 0;
}

int rim_verify(Rim *r, Error *e) {
        int k;

        if (!r->xml)
                return r->verified ? 0 : error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: its signature is wrong", r->name);
        k = check_digest(r, e);
        if (k == 0)
                k = check_signature(r, e);
        if (k == 0)
                k = rim_content_read(r, r->xml, e);
        r->verified = k == 0;
        r->xml = rim_xml_free(r->xml);
        return k;
}
