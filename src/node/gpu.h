/* SPDX-License-Identifier: Apache-2.0 */
/* The GPUs of a node: on the bus, at the driver, and as NVIDIA's management library describes them. */
#pragma once

#include "node/nvml.h"
#include "node/pci.h"

typedef struct GpuFacts {
        PciDevices pci;
        char *module;    /* version of the loaded nvidia module, or NULL */
        bool driver;     /* there is one to ask: it is loaded, or has made its device node */
        char **attached; /* addresses in /proc/driver/nvidia/gpus */
        bool asked;      /* the library was asked: nvml says what came of it */
        char *not_asked; /* else: why not, in one sentence; NULL: there is no driver to ask */
        Nvml nvml;
} GpuFacts;

#define CPUINFO_HEAD ((size_t) 64 * 1024) /* the first processor's lines: they are all alike, and 192 of them are slow to read */

/* A confidential virtual machine by what its processor says; cpuinfo: the head of /proc/cpuinfo. */
bool is_tdx_guest(const char *cpuinfo);

/* Whether opening a GPU now can do no harm. Confidential computing gives a GPU one session for each of its resets: whoever opens it first must
 * keep it open, and that is nvidia-persistenced, after the Fabric Manager where there are NVSwitches. So: once these are active, or where there
 * is no confidential virtual machine and therefore no such session. *ret_why is owned by the caller, and set when the answer is no. */
int gpu_may_open(Node *n, const PciDevices *pci, bool *ret, char **ret_why, Error *e);

/* Looks, and asks the library if it may. */
int gpu_facts(Node *n, GpuFacts *ret, Error *e);
void gpu_facts_free(GpuFacts *f);
#define _cleanup_gpu_facts_ _cleanup_(gpu_facts_free)
