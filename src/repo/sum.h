/* SPDX-License-Identifier: Apache-2.0 */
/* Whether bytes of our own are what was written, at the speed of memory: against damage, and not against anybody. Never written but where the
 * same machine reads it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* sum: of what is before them; 0: nothing is. Bytes that differ in one aligned word alone have another sum for certain. */
uint64_t sum_add(uint64_t sum, const void *data, size_t size);
