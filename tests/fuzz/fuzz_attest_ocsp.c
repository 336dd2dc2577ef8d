/* SPDX-License-Identifier: Apache-2.0 */
/* A responder's answer, about a certificate of the seed; and the service's JSON, the settings and a child's lines, which begin alike. */
#include "attest/collateral.h"
#include "attest/collect.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const uint8_t nonce[OCSP_NONCE_SIZE];
        static X509 *cert;
        OcspQuery query;
        OcspQuestion q = { .query = &query, .at = 1750000000, .name = "fuzz" };
        _cleanup_error_ Error e = ERROR_INIT, f = ERROR_INIT, g = ERROR_INIT, h = ERROR_INIT;
        _cleanup_(collateral_settings_free) CollateralSettings s = {};
        _cleanup_collected_ Collected c = COLLECTED_EMPTY;
        _cleanup_free_ char *rim = NULL;
        OcspResult result;
        size_t n;

        if (!cert) {
                EVP_PKEY *key = EVP_EC_gen("P-384");
                cert = X509_new();
                if (!key || !cert || X509_set_pubkey(cert, key) != 1)
                        abort();
        }
        query = (OcspQuery) { cert, cert };
        (void) ocsp_response_read(&q, data, size, &result, &e);
        q.nonce = nonce;
        q.digest = "sha384";
        (void) ocsp_response_read(&q, data, size, &result, &f);
        (void) rim_answer_parse("fuzz", "A", (const char *) data, size, &rim, &n, &g);
        (void) collateral_settings_parse("fuzz", (const char *) data, size, &s, &h);
        (void) collect_parse((const char *) data, size, &c);
        return 0;
}
