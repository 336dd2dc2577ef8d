/* SPDX-License-Identifier: Apache-2.0 */
/* The facts about GPUs as `status --json` prints them. */
#pragma once

#include <jansson.h>

#include "node/gpu.h"

/* A new reference; NULL: out of memory. What is not known is null. */
json_t *gpu_to_json(const GpuFacts *f);
