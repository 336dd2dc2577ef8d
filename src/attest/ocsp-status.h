/* SPDX-License-Identifier: Apache-2.0 */
/* Whether certificates were revoked: the interface. Who answers (a responder, a cache, a bundle) is given to the verdict; nobody: not asked. */
#pragma once

#include "attest/cert-chain.h"
#include "attest/check.h"

#define OCSP_DEVICE_FIRST 1 /* of the device's chain: the responder does not know the leaf */
#define OCSP_RIM_FIRST    0

typedef enum OcspStatus {
        OCSP_NOT_ASKED,
        OCSP_GOOD,
        OCSP_UNREACHABLE, /* no answer, or none that can be believed */
        OCSP_UNKNOWN,
        OCSP_HELD,        /* revoked for now (certificateHold) */
        OCSP_REVOKED,
} OcspStatus;

typedef struct OcspResult {
        OcspStatus status;
        const char *reason;   /* of a revocation, in OpenSSL's words; static */
        bool nonce_matches, response_valid;
        int64_t next_update;  /* the first of a chain's; 0: not told */
} OcspResult;

typedef struct OcspQuery {
        X509 *cert, *issuer;
} OcspQuery;

typedef struct OcspSource {
        void *userdata;
        /* Called once with all distinct questions before the first ask(), so that they can be sent together; may be NULL. */
        void (*prepare)(void *userdata, const OcspQuery *queries, size_t n);
        /* -errno, with e filled: could not be asked (*ret is not touched); an answer that is not to be believed is EXIT_UNTRUSTED. */
        int (*ask)(void *userdata, const OcspQuery *query, OcspResult *ret, Error *e);
        bool allow_hold;
} OcspSource;

/* The questions of one chain (certificates first to last but one, each with its issuer) appended to *queries unless they are there. -ENOMEM. */
int ocsp_collect(const CertChain *c, size_t first, OcspQuery **queries, size_t *n);
/* The worst answer of a chain, and the check of it. source NULL: skipped. */
void ocsp_check_chain(const OcspSource *source, const CertChain *c, size_t first, Check *checks, CheckId id, OcspResult *ret);
