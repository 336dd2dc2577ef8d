/* SPDX-License-Identifier: Apache-2.0 */
/* initramfs:KERNEL. Rebuilt once when what it takes in from us has changed: modprobe.d and dracut.conf.d. */
#pragma once

#include "node/node.h"

/* Builds KERNEL's initramfs anew beside the old one, and puts it in its place when it is whole. */
int initramfs_rebuild(Node *n, const char *kernel, Error *e);
/* Which of the release's modules were seen in KERNEL's image when apply had it built: *ret is a list of their names, or NULL. 1: it is still that
 * image; 0: nobody looked into the present one; -ENOMEM. Looking needs a decompressor and half a second: too slow for every status. */
int initramfs_seen_modules(Node *n, const char *kernel, char ***ret);
/* Removes images that a killed run left half built. */
void initramfs_sweep(Node *n);
