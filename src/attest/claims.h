/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict in the words of NVIDIA's tools: claims 2.0 and 3.0 (x-nvidia-...), in the order in which its local verifiers write them. */
#pragma once

#include <jansson.h>

#include "attest/verdict.h"

typedef enum ClaimsVersion { CLAIMS_2_0, CLAIMS_3_0, _CLAIMS_VERSION_MAX } ClaimsVersion;
const char *claims_version_to_string(ClaimsVersion version);
int claims_version_from_string(const char *s); /* or -EINVAL */

/* Adds nbf (two minutes before the verdict's time), exp (an hour after it, or after now where the verdict is of a time to come), iat (issued: when
 * the claims are written) and jti. So what reproduces an old verdict is no token of today. 0 or -1. */
int claims_put_times(json_t *claims, int64_t at, int64_t issued);

/* "LOCAL_GPU_VERIFIER", "LOCAL_SWITCH_VERIFIER"; "LOCAL_GPU_CLAIMS", "LOCAL_SWITCH_CLAIMS" */
const char *claims_issuer(DeviceKind kind);
const char *claims_group(DeviceKind kind);

/* One device's claims, a new reference; NULL when out of memory. issued: seconds since the epoch. What NVIDIA has no name for is x-gn8v-tee-...:
 * verdict-time (seconds since the epoch), revocation-checked (there is an answer on every certificate that is asked about), and of a device
 * fwid-compared (NVIDIA's own fwid-match is true, too, where the report has none). */
json_t *claims_of_device(const Verdict *v, const DeviceVerdict *d, ClaimsVersion version, int64_t issued);
/* Those of all devices of one kind, without submods. What NVIDIA has no name for is x-gn8v-tee-CHECK: true, false, or null when unchecked. */
json_t *claims_overall(const Verdict *v, DeviceKind kind, ClaimsVersion version, int64_t issued);
/* { group: [ overall, { device: claims } ] } of every kind there is: what a token says, without its signatures. */
json_t *claims_all(const Verdict *v, ClaimsVersion version, int64_t issued);
