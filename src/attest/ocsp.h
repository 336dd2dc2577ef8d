/* SPDX-License-Identifier: Apache-2.0 */
/* One question to an OCSP responder (RFC 6960), and whether an answer to it is to be believed. */
#pragma once

#include "attest/ocsp-status.h"

#define OCSP_RESPONSE_MAX ((size_t) 1 << 16)
#define OCSP_NONCE_SIZE   32 /* RFC 8954 */
#define OCSP_CLOCK_SKEW   300 /* seconds that a responder's clock may be before or behind */

typedef struct OcspQuestion {
        const OcspQuery *query;
        const char *digest;   /* of the CertID: "sha1", "sha256", "sha384"; NULL when reading: any of these */
        const uint8_t *nonce; /* OCSP_NONCE_SIZE bytes; NULL: none, so that the answer may be an old one that is still valid */
        int64_t at;           /* seconds since the epoch */
        const char *name;     /* of the answer, for messages */
} OcspQuestion;

/* The request in DER, owned by the caller: free(). -ENOMEM. */
int ocsp_request_make(const OcspQuestion *q, uint8_t **ret, size_t *ret_size);

/* What the answer says. Believed is only one that was signed with ECDSA on P-384 or larger and SHA-384 or better, by the issuer of the certificate
 * (which the caller has verified up to a pinned root), or by whom this issuer itself has certified for that (extended key usage OCSPSigning);
 * that is valid at that time; has the nonce; and tells of exactly this certificate, once. -EKEYREJECTED, EXIT_UNTRUSTED: it is not to be believed;
 * -EKEYEXPIRED, EXIT_UNTRUSTED: it would be, at another time; -EBADMSG, EXIT_UNCHECKED: it is no answer, or the responder says that it has none. */
int ocsp_response_read(const OcspQuestion *q, const void *der, size_t size, OcspResult *ret, Error *e);
