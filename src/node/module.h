/* SPDX-License-Identifier: Apache-2.0 */
/* module:KERNEL. The NVIDIA module of the kernel that will boot, built by DKMS. */
#pragma once

#include "node/resource.h"

/* Path of KERNEL's nvidia module, owned by the caller; NULL in *ret: there is none. */
int module_find(Node *n, const char *kernel, char **ret);
/* Its version, owned by the caller; NULL in *ret: there is no module, or no way to know. */
int module_version(Node *n, const char *kernel, char **ret);
/* Whether a resource of this type is that of the kernel which the next boot starts by default. */
bool module_is_for_next_boot(Node *n, const Resource *r);
