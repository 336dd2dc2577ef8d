/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#define __init
#define __exit
#define GN8V_PASTE2(a, b) a##b
#define GN8V_PASTE(a, b) GN8V_PASTE2(a, b)
#define MODULE_INFO(tag, text) static const char GN8V_PASTE(modinfo_, __COUNTER__)[] __attribute__((used, section(".modinfo"))) = #tag "=" text
#define MODULE_LICENSE(text) MODULE_INFO(license, text)
#define MODULE_SOFTDEP(text) MODULE_INFO(softdep, text)
#define MODULE_VERSION(text) MODULE_INFO(version, text)
#define MODULE_DESCRIPTION(text) MODULE_INFO(description, text)
#define module_init(function) int init_module(void) __attribute__((alias(#function)))
#define module_exit(function) void cleanup_module(void) __attribute__((alias(#function)))
