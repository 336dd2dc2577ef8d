/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate chains of devices and of reference manifests, leaf first, up to a pinned root. All is P-384 with SHA-384. */
#pragma once

#include <openssl/x509.h>

#include "attest/bytes.h"
#include "attest/spdm.h"
#include "basic/digest.h"
#include "basic/error.h"

#define CHAIN_MAX           8
#define DEVICE_CHAIN_LENGTH 5 /* AK, BROM, provisioner, identity, root */
#define RIM_CHAIN_LENGTH    4 /* L4, L3, CA, root */
#define CHAIN_TEXT_MAX      ((size_t) 1 << 16)

/* Who is believed: SHA-256 of root certificates, lower-case hex, NULL-terminated. A parameter everywhere, so that tests have roots of their own;
 * the program only ever gives trust_roots_nvidia. */
typedef struct TrustRoots {
        const char *const *device, *const *rim;
} TrustRoots;
extern const TrustRoots trust_roots_nvidia;

/* The certificates seen so far, each kept, read and its signature verified once. */
typedef struct CertPool CertPool;
CertPool *cert_pool_new(void);
CertPool *cert_pool_free(CertPool *p);
DEFINE_CLEANUP(CertPool, cert_pool_free);

typedef struct PooledCert {
        X509 *x509;
        char sha256[SHA256_HEX_SIZE];          /* of its DER bytes */
        const struct PooledCert *verified_by;  /* whose key its signature was verified with; NULL: not yet */
        int64_t not_before, not_after;         /* seconds since the epoch */
} PooledCert;

typedef struct CertChain {
        PooledCert *certs[CHAIN_MAX]; /* the pool's */
        size_t n;
        int64_t not_before, not_after; /* when all of them are valid */
} CertChain;

CertChain *cert_chain_new(void);
CertChain *cert_chain_free(CertChain *c);
DEFINE_CLEANUP(CertChain, cert_chain_free);
/* name is for messages. Text around certificates is passed over. -EBADMSG, EXIT_INVALID: not certificates, or more than CHAIN_MAX. */
int cert_chain_from_pem(CertPool *pool, const char *name, const char *pem, size_t size, CertChain **ret, Error *e);
int cert_chain_append_der(CertPool *pool, CertChain *c, const char *name, const void *der, size_t size, Error *e);

/* That these are exactly `length` certificates, each issued by the next, in this order, the last with a digest in roots; extensions as OpenSSL
 * (RFC 5280, strict) wants them; every signature; then that all are valid at that second. -EKEYREJECTED, EXIT_UNTRUSTED; -EKEYEXPIRED,
 * EXIT_UNTRUSTED when only the time is wrong. */
int cert_chain_verify(CertPool *pool, const CertChain *c, const char *name, const char *const *roots, size_t length, int64_t at, Error *e);

/* ECDSA P-384/SHA-384 by the leaf's key over data; signature: r and s, 48 bytes each, big-endian. -EKEYREJECTED, without a word. */
int cert_chain_check_signature(const CertChain *c, Bytes data, Bytes signature);

/* What a device's certificates say about it. */
typedef struct DeviceIdentity {
        char *hwmodel;  /* common name of the BROM certificate */
        char *ueid;     /* the leaf's serial number, decimal */
        char *serial;   /* serialNumber of the BROM certificate's subject, upper-case hex: a byte, then the device's PDI; or NULL */
        bool has_fwid;
        uint8_t fwid[DIGEST_SIZE]; /* of the leaf: the firmware that its key was made for (TCG DICE, 2.23.133.5.4.1) */
} DeviceIdentity;
void device_identity_free(DeviceIdentity *i);
int device_identity_read(const CertChain *c, const char *name, DeviceIdentity *ret, Error *e);
