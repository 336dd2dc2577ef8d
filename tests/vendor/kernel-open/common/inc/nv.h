/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#pragma once
#include <linux/module.h>
#include <linux/init.h>

/* A module that loads, and no more. */
#define NV_LOOKALIKE(name) \
        static int __init name##_init(void) { return 0; } \
        static void __exit name##_exit(void) {} \
        module_init(name##_init); \
        module_exit(name##_exit); \
        MODULE_LICENSE("Dual MIT/GPL")
