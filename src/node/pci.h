/* SPDX-License-Identifier: Apache-2.0 */
/* NVIDIA's devices on the PCI bus, as /sys lists them, before and without any driver. */
#pragma once

#include "node/node.h"

typedef struct PciDevices {
        char **gpus, **nvswitches; /* addresses, "0000:10:00.0" */
        bool hidden;               /* there is no such folder in /sys: nothing is known */
} PciDevices;

/* -errno without a message, for what cannot be read. */
int pci_list(Node *n, PciDevices *ret);
void pci_free(PciDevices *p);
#define _cleanup_pci_ _cleanup_(pci_free)
