/* SPDX-License-Identifier: Apache-2.0 */
/* Who a device is, from the certificates made for it. */
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "attest/cert-chain.h"
#include "basic/strings.h"

#define OID_FWID     "2.23.133.5.4.1"   /* Hopper: CompositeDeviceID; its last field is the digest */
#define OID_TCB_INFO "2.23.133.5.4.1.1" /* Blackwell: DICE TcbInfo (TCG DICE Attestation Architecture, 6.1.1) */
#define TAG_FWIDS    6

void device_identity_free(DeviceIdentity *i) {
        free(i->hwmodel);
        free(i->ueid);
        free(i->serial);
        *i = (DeviceIdentity) {};
}

/* The one attribute of that kind in a certificate's subject, printable; NULL when there is none, or several. */
static char *subject_text(X509 *x, int nid) {
        X509_NAME *name = X509_get_subject_name(x);
        int i = X509_NAME_get_index_by_NID(name, nid, -1);
        _cleanup_free_ char *text = NULL;
        unsigned char *utf8 = NULL;
        int n;

        if (i < 0 || X509_NAME_get_index_by_NID(name, nid, i) >= 0)
                return NULL;
        n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i)));
        if (n < 0)
                return NULL;
        text = strndup((const char *) utf8, (size_t) n);
        OPENSSL_free(utf8);
        for (const char *p = text; p && *p; p++)
                if (*p < ' ' || *p > '~')
                        return NULL;
        return text && strlen(text) == (size_t) n && n <= 64 ? TAKE_PTR(text) : NULL;
}

static bool is_hex(const char *s) {
        return s && *s && strspn(s, "0123456789ABCDEF") == strlen(s);
}

/* The value of an extension that must be there once. */
static Bytes extension(X509 *x, const char *oid) {
        ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
        int i = object ? X509_get_ext_by_OBJ(x, object, -1) : -1;
        Bytes b = {};

        if (i >= 0 && X509_get_ext_by_OBJ(x, object, i) < 0) {
                const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(x, i));
                b = (Bytes) { ASN1_STRING_get0_data(value), (size_t) ASN1_STRING_length(value) };
        }
        ASN1_OBJECT_free(object);
        return b;
}

/* Reads one DER element of definite length off the front of *in; its tag and class must be these. */
static int der_take(Bytes *in, int tag, int class, bool constructed, Bytes *ret) {
        const unsigned char *p = in->data;
        int found_tag, found_class, r;
        long size;

        if (in->size == 0 || in->size > LONG_MAX)
                return -EBADMSG;
        r = ASN1_get_object(&p, &size, &found_tag, &found_class, (long) in->size);
        if ((r & 0x81) || found_tag != tag || found_class != class || !!(r & V_ASN1_CONSTRUCTED) != constructed)
                return -EBADMSG;
        *ret = (Bytes) { p, (size_t) size };
        in->size -= (size_t) (p - in->data) + (size_t) size;
        in->data = p + size;
        return 0;
}

static int take_digest(Bytes b, DeviceIdentity *i) {
        if (b.size != DIGEST_SIZE)
                return -EBADMSG;
        memcpy(i->fwid, b.data, DIGEST_SIZE);
        i->has_fwid = true;
        return 0;
}

/* SEQUENCE of optional, context-tagged fields; [6] is a list of { algorithm, digest }, of which the first counts. */
static int fwid_of_tcb_info(Bytes in, DeviceIdentity *i) {
        Bytes fields, list, first, algorithm, digest;

        if (der_take(&in, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL, true, &fields) < 0 || in.size > 0)
                return -EBADMSG;
        while (fields.size > 0) {
                const unsigned char *p = fields.data;
                int tag, class, r;
                long size;

                r = ASN1_get_object(&p, &size, &tag, &class, (long) fields.size);
                if (r & 0x81)
                        return -EBADMSG;
                if (class == V_ASN1_CONTEXT_SPECIFIC && tag == TAG_FWIDS) {
                        if (der_take(&fields, TAG_FWIDS, V_ASN1_CONTEXT_SPECIFIC, true, &list) < 0 ||
                            der_take(&list, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL, true, &first) < 0 ||
                            der_take(&first, V_ASN1_OBJECT, V_ASN1_UNIVERSAL, false, &algorithm) < 0 ||
                            der_take(&first, V_ASN1_OCTET_STRING, V_ASN1_UNIVERSAL, false, &digest) < 0)
                                return -EBADMSG;
                        return take_digest(digest, i);
                }
                fields.size -= (size_t) (p - fields.data) + (size_t) size;
                fields.data = p + size;
        }
        return 0;
}

static int read_fwid(X509 *leaf, DeviceIdentity *i) {
        static const uint8_t octet_string[] = { V_ASN1_OCTET_STRING, DIGEST_SIZE };
        Bytes b = extension(leaf, OID_TCB_INFO);

        if (b.data)
                return fwid_of_tcb_info(b, i);
        b = extension(leaf, OID_FWID);
        if (!b.data)
                return 0;
        if (b.size < DIGEST_SIZE + 2 || memcmp(b.data + b.size - DIGEST_SIZE - 2, octet_string, 2) != 0)
                return -EBADMSG;
        return take_digest((Bytes) { b.data + b.size - DIGEST_SIZE, DIGEST_SIZE }, i);
}

static char *decimal_serial(X509 *x) {
        BIGNUM *n = ASN1_INTEGER_to_BN(X509_get_serialNumber(x), NULL);
        char *decimal = n ? BN_bn2dec(n) : NULL, *copy = decimal ? strdup(decimal) : NULL;

        OPENSSL_free(decimal);
        BN_free(n);
        return copy;
}

int device_identity_read(const CertChain *c, const char *name, DeviceIdentity *ret, Error *e) {
        DeviceIdentity i = {};
        int r;

        if (c->n < 2)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: one certificate is not a device's chain", name);
        i.hwmodel = subject_text(c->certs[1]->x509, NID_commonName);
        i.ueid = decimal_serial(c->certs[0]->x509);
        i.serial = subject_text(c->certs[1]->x509, NID_serialNumber);
        if (!is_hex(i.serial)) {
                free(i.serial);
                i.serial = NULL;
        }
        r = i.hwmodel && i.ueid ? read_fwid(c->certs[0]->x509, &i) : -EBADMSG;
        ERR_clear_error();
        if (r < 0) {
                device_identity_free(&i);
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: its certificates do not say which device it is", name);
        }
        *ret = i;
        return 0;
}
