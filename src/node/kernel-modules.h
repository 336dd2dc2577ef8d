/* SPDX-License-Identifier: Apache-2.0 */
/* Which modules an installed kernel has, by depmod's own lists: /lib/modules/KERNEL/modules.dep and modules.builtin. */
#pragma once

#include "node/node.h"

typedef enum KernelModule {
        MODULE_UNKNOWN, /* there are no lists to look into */
        MODULE_ABSENT,
        MODULE_FILE,
        MODULE_BUILTIN,
} KernelModule;

typedef struct KernelModules {
        char *files, *builtin; /* the lists' texts, or NULL */
} KernelModules;

/* 0, or -ENOMEM; lists that cannot be read are left out. */
int kernel_modules_load(Node *n, const char *kernel, KernelModules *ret);
void kernel_modules_free(KernelModules *m);
#define _cleanup_kernel_modules_ _cleanup_(kernel_modules_free)
/* '-' and '_' are the same in a module's name. */
KernelModule kernel_modules_find(const KernelModules *m, const char *name);
