/* SPDX-License-Identifier: Apache-2.0 */
/* initramfs:KERNEL. Rebuilt once when what it takes in from us has changed: modprobe.d and dracut.conf.d. */
#pragma once

#include "node/node.h"

/* Builds KERNEL's initramfs anew beside the old one, and puts it in its place when it is whole. */
int initramfs_rebuild(Node *n, const char *kernel, Error *e);
/* Removes images that a killed run left half built. */
void initramfs_sweep(Node *n);
