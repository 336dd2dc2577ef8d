/* SPDX-License-Identifier: Apache-2.0 */
/* A reference integrity manifest: NVIDIA's signed list of what a driver or a firmware must measure as. A SWID tag (ISO/IEC 19770-2:2015, TCG RIM),
 * with an enveloped XML signature (XML-DSig 1.1) of exactly one profile: every other algorithm, transform, reference or element is refused. */
#pragma once

#include "attest/cert-chain.h"

#define RIM_MAX              ((size_t) 1 << 20) /* bytes of XML */
#define RIM_ALTERNATIVES_MAX 16

typedef struct RimValue {
        bool present, active;
        unsigned size; /* bytes of the measurement */
        unsigned n;    /* alternatives: any of them is right */
        uint8_t (*hashes)[DIGEST_SIZE];
} RimValue;

typedef struct RimXml RimXml;

typedef struct Rim {
        char *name;       /* where it came from, for messages */
        CertChain *chain; /* of its signer, leaf first */
        RimXml *xml;      /* until rim_verify() */
        /* Set by rim_verify(), from what the signature covers, and by nothing else. */
        bool verified;
        char *version;         /* colloquialVersion */
        char *edition, *product;
        char *manufacturer_id; /* FirmwareManufacturerId, or NULL */
        RimValue values[MEASUREMENT_MAX]; /* by index */
        unsigned n_active;
} Rim;

/* Reads the XML and checks its structure and the signature's profile; nothing of its content is believed yet.
 * -EBADMSG, EXIT_INVALID. */
int rim_parse(CertPool *pool, const char *name, const void *data, size_t size, Rim **ret, Error *e);
/* Checks digest and signature with the first certificate's key (the chain itself is cert_chain_verify()'s), then reads the content from the very
 * nodes that were digested. -EKEYREJECTED, EXIT_UNTRUSTED, or -EBADMSG, EXIT_INVALID. Once. */
int rim_verify(Rim *r, Error *e);
Rim *rim_free(Rim *r);
DEFINE_CLEANUP(Rim, rim_free);
/* Once in a program, before another thread: libxml2's tables. */
void rim_setup(void);
