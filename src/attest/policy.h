/* SPDX-License-Identifier: Apache-2.0 */
/* A policy of NVIDIA's local verifiers: claims that must be there, with these very values. Others may be there, too. */
#pragma once

#include "attest/claims.h"

#define POLICY_MAX ((size_t) 1 << 20) /* bytes */

typedef struct Policy {
        char *path;
        json_t *overall, *detached; /* rules, or NULL */
        json_t *root;
        ClaimsVersion version;      /* of the claims that it is about: its x-nvidia-ver, 2.0 unless it says so */
        int kind;                   /* DeviceKind that its issuer tells, or -1: every kind that there is */
} Policy;

/* EXIT_INVALID when it is not { "authorization-rules": { "overall-claims": {...}, "detached-claims": {...} } }. */
int policy_load(const char *path, Policy **ret, Error *e);
int policy_parse(const char *path, const char *data, size_t size, Policy **ret, Error *e);
Policy *policy_free(Policy *p);
DEFINE_CLEANUP(Policy, policy_free);

/* Whether the verdict's claims are as the policy wants them. -EACCES, EXIT_POLICY naming the first that is not. */
int policy_check(const Policy *p, const Verdict *v, Error *e);
