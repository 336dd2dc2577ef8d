/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/ocsp.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "basic/strings.h"

static const char *const digests[] = { "sha384", "sha256", "sha1" };

/* A request object: what is sent, and what a nonce is compared with. */
static OCSP_REQUEST *make_request(const OcspQuestion *q) {
        const EVP_MD *md = EVP_get_digestbyname(q->digest ? q->digest : digests[0]);
        OCSP_CERTID *id = md ? OCSP_cert_to_id(md, q->query->cert, q->query->issuer) : NULL;
        OCSP_REQUEST *request = OCSP_REQUEST_new();

        if (!id || !request || !OCSP_request_add0_id(request, id)) {
                OCSP_CERTID_free(id);
                OCSP_REQUEST_free(request);
                return NULL;
        }
        if (q->nonce && OCSP_request_add1_nonce(request, (unsigned char *) q->nonce, OCSP_NONCE_SIZE) != 1) {
                OCSP_REQUEST_free(request);
                return NULL;
        }
        return request;
}

int ocsp_request_make(const OcspQuestion *q, uint8_t **ret, size_t *ret_size) {
        OCSP_REQUEST *request = make_request(q);
        unsigned char *der = NULL;
        int size = request ? i2d_OCSP_REQUEST(request, &der) : -1;
        uint8_t *copy = size > 0 ? malloc((size_t) size) : NULL;

        if (copy)
                memcpy(copy, der, (size_t) size);
        OPENSSL_free(der);
        OCSP_REQUEST_free(request);
        ERR_clear_error();
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        *ret_size = (size_t) size;
        return 0;
}

static int refuse(const OcspQuestion *q, Error *e, const char *why) {
        return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: %s", q->name, why);
}

/* Seconds since the epoch; -1: not a time. */
static int64_t seconds(const ASN1_GENERALIZEDTIME *t) {
        struct tm tm = {};

        return t && ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t) timegm(&tm) : -1;
}

static bool is_strong(X509 *signer, OCSP_BASICRESP *basic) {
        EVP_PKEY *key = X509_get0_pubkey(signer);
        int response = OBJ_obj2nid(OCSP_resp_get0_tbs_sigalg(basic)->algorithm), cert = X509_get_signature_nid(signer);

        return key && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_bits(key) >= 384 &&
               (response == NID_ecdsa_with_SHA384 || response == NID_ecdsa_with_SHA512) &&
               (cert == NID_ecdsa_with_SHA384 || cert == NID_ecdsa_with_SHA512);
}

/* The issuer is the anchor: it was verified up to the pinned root already, and RFC 6960 (4.2.2.2) lets nobody else answer or delegate. */
static int check_signer(const OcspQuestion *q, OCSP_BASICRESP *basic, Error *e) {
        X509_STORE *store = X509_STORE_new();
        STACK_OF(X509) *certs = sk_X509_new_null();
        X509 *signer = NULL;
        int r = 0;

        if (!store || !certs || X509_STORE_add_cert(store, q->query->issuer) != 1 || sk_X509_push(certs, q->query->issuer) <= 0)
                r = error_oom(e);
        if (r == 0) {
                X509_VERIFY_PARAM *param = X509_STORE_get0_param(store);

                (void) X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_X509_STRICT);
                X509_VERIFY_PARAM_set_time(param, (time_t) q->at);
                if (OCSP_basic_verify(basic, certs, store, 0) != 1 || OCSP_resp_get0_signer(basic, &signer, certs) != 1)
                        r = refuse(q, e, "not signed by the certificate's issuer, nor by a responder that the issuer has certified for it");
                else if (!is_strong(signer, basic))
                        r = refuse(q, e, "signed with less than ECDSA on P-384 and SHA-384");
                else if (X509_cmp(signer, q->query->issuer) != 0 && !(X509_get_extended_key_usage(signer) & XKU_OCSP_SIGN))
                        r = refuse(q, e, "its signer is not certified for OCSP");
        }
        sk_X509_free(certs);
        X509_STORE_free(store);
        ERR_clear_error();
        return r;
}

/* The one answer about exactly this certificate; two that might contradict each other are none. */
static OCSP_SINGLERESP *find(const OcspQuestion *q, OCSP_BASICRESP *basic) {
        OCSP_SINGLERESP *found = NULL;
        unsigned n = 0;

        for (size_t i = 0; i < ELEMENTSOF(digests); i++) {
                const EVP_MD *md = EVP_get_digestbyname(digests[i]);
                OCSP_CERTID *id;

                if (q->digest && !streq(q->digest, digests[i]))
                        continue;
                id = md ? OCSP_cert_to_id(md, q->query->cert, q->query->issuer) : NULL;
                for (int at = -1; id && (at = OCSP_resp_find(basic, id, at)) >= 0; n++)
                        found = OCSP_resp_get0(basic, at);
                OCSP_CERTID_free(id);
        }
        return n == 1 ? found : NULL;
}

static int check_times(const OcspQuestion *q, const ASN1_GENERALIZEDTIME *produced, const ASN1_GENERALIZEDTIME *this_update,
                       const ASN1_GENERALIZEDTIME *next_update, int64_t *ret_next, Error *e) {
        int64_t made = seconds(produced), from = seconds(this_update), until = seconds(next_update);
        _cleanup_free_ char *text = NULL;

        if (from < 0 || made < 0 || (next_update && until < from))
                return refuse(q, e, "its times make no sense");
        if (!next_update && !q->nonce)
                return refuse(q, e, "it does not say until when it holds");
        if (from > q->at + OCSP_CLOCK_SKEW || made > q->at + OCSP_CLOCK_SKEW) {
                text = time_to_text(MAX(from, made));
                return error_set(e, EKEYEXPIRED, EXIT_UNTRUSTED, "%s: not valid before %s", q->name, text ? text : "?");
        }
        if (next_update && until < q->at - OCSP_CLOCK_SKEW) {
                text = time_to_text(until);
                return error_set(e, EKEYEXPIRED, EXIT_UNTRUSTED, "%s: expired at %s", q->name, text ? text : "?");
        }
        *ret_next = next_update ? until : 0;
        return 0;
}

static OcspStatus to_status(int status, int reason) {
        switch (status) {
        case V_OCSP_CERTSTATUS_GOOD: return OCSP_GOOD;
        case V_OCSP_CERTSTATUS_REVOKED: return reason == OCSP_REVOKED_STATUS_CERTIFICATEHOLD ? OCSP_HELD : OCSP_REVOKED;
        default: return OCSP_UNKNOWN;
        }
}

static int read_basic(const OcspQuestion *q, OCSP_BASICRESP *basic, OcspResult *ret, Error *e) {
        ASN1_GENERALIZEDTIME *revoked_at = NULL, *this_update = NULL, *next_update = NULL;
        OCSP_REQUEST *request;
        OCSP_SINGLERESP *single;
        int64_t next = 0;
        int nonce = 1, status, reason = -1, r;

        r = check_signer(q, basic, e);
        if (r < 0)
                return r;
        if (q->nonce) {
                request = make_request(q);
                if (!request)
                        return error_oom(e);
                nonce = OCSP_check_nonce(request, basic);
                OCSP_REQUEST_free(request);
        }
        if (nonce < 0)
                return refuse(q, e, "it has no nonce, and may be an old one");
        if (nonce != 1)
                return refuse(q, e, "it has another nonce than the request: it answers another request");
        single = find(q, basic);
        if (!single)
                return refuse(q, e, "it does not tell of the certificate that was asked about, or more than once");
        status = OCSP_single_get0_status(single, &reason, &revoked_at, &this_update, &next_update);
        r = check_times(q, OCSP_resp_get0_produced_at(basic), this_update, next_update, &next, e);
        if (r < 0)
                return r;
        *ret = (OcspResult) { .status = to_status(status, reason), .nonce_matches = q->nonce != NULL, .response_valid = true, .next_update = next,
                              .reason = status == V_OCSP_CERTSTATUS_REVOKED ? OCSP_crl_reason_str(reason) : NULL };
        return 0;
}

int ocsp_response_read(const OcspQuestion *q, const void *der, size_t size, OcspResult *ret, Error *e) {
        const unsigned char *p = der;
        OCSP_RESPONSE *response;
        OCSP_BASICRESP *basic = NULL;
        int r, status;

        if (size > OCSP_RESPONSE_MAX)
                return error_set(e, EBADMSG, EXIT_UNCHECKED, "%s: larger than %zu bytes", q->name, OCSP_RESPONSE_MAX);
        response = d2i_OCSP_RESPONSE(NULL, &p, (long) size);
        if (!response || p != (const unsigned char *) der + size) {
                OCSP_RESPONSE_free(response);
                ERR_clear_error();
                return error_set(e, EBADMSG, EXIT_UNCHECKED, "%s: not an OCSP response", q->name);
        }
        /* Nobody has signed this: it proves nothing, but that there is no answer. */
        status = OCSP_response_status(response);
        if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
                r = error_set(e, EBADMSG, EXIT_UNCHECKED, "%s: the responder does not answer: %s", q->name, OCSP_response_status_str(status));
        else if (!(basic = OCSP_response_get1_basic(response)))
                r = error_set(e, EBADMSG, EXIT_UNCHECKED, "%s: not an OCSP response", q->name);
        else
                r = read_basic(q, basic, ret, e);
        OCSP_BASICRESP_free(basic);
        OCSP_RESPONSE_free(response);
        ERR_clear_error();
        return r;
}
