/* SPDX-License-Identifier: Apache-2.0 */
/* A vendor's RPM, published as it is: who signed it, and what it says it is. */
#pragma once

#include "repo/openpgp-key.h"

typedef struct VendorRpm {
        char *name, *version, *release, *arch;
} VendorRpm;

void vendor_rpm_clear(VendorRpm *v);
#define _cleanup_vendor_rpm_ _cleanup_(vendor_rpm_clear)

/* Checks that the package file at path is whole and signed by the key in key_path, whose fingerprint must be the given one: every digest
 * and every signature, of the header and the payload, must be good, and there must be a signature. Else -EKEYREJECTED/EXIT_UNTRUSTED;
 * -EBADMSG/EXIT_INVALID when it is no RPM package. ret (may be NULL) is filled only on success. */
int vendor_rpm_check(const char *path, const char *key_path, const char *fingerprint, VendorRpm *ret, Error *e);
/* The same for a file whose digest is known: the header's digests and signature, which have the payload's digest, without reading the payload. */
int vendor_rpm_check_header(const char *path, const OpenpgpKey *key, const char *key_path, Error *e);

/* That a checked package is NAME-VERSION-RELEASE, and for x86_64 or noarch; path is for the message. -EBADMSG/EXIT_UNTRUSTED. */
int vendor_rpm_expect(const VendorRpm *v, const char *path, const char *name, const char *version, const char *release, Error *e);
