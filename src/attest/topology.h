/* SPDX-License-Identifier: Apache-2.0 */
/* Which GPU is linked to which switch, as the signed reports tell it: NVIDIA's rules, and the binding to the devices that were attested. */
#pragma once

#include "attest/check.h"
#include "attest/spdm.h"

#define TOPOLOGY_GPUS     8
#define TOPOLOGY_SWITCHES 4

typedef struct TopologyDevice {
        const char *name;
        const Report *report; /* NULL: it could not be read */
        const char *serial;   /* of the BROM certificate; NULL: not told */
} TopologyDevice;

/* Sets CHECK_GPU_LINKS to CHECK_IDENTITY_BOUND. */
void topology_check(const TopologyDevice *gpus, size_t n_gpus, const TopologyDevice *switches, size_t n_switches, Check *checks);
/* That each switch's own PDI is that of its BROM certificate: CHECK_IDENTITY_BOUND alone. */
void topology_check_identity(const TopologyDevice *switches, size_t n_switches, Check *checks);
