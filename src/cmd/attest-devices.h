/* SPDX-License-Identifier: Apache-2.0 */
/* The devices of this machine: what collect and run take from them. */
#pragma once

#include "attest/collect.h"
#include "cmd/attest.h"

typedef enum DeviceChoice { DEVICES_ALL, DEVICES_GPUS, DEVICES_SWITCHES, _DEVICES_MAX } DeviceChoice;

typedef struct CollectedSystem {
        Collected gpus, switches;
        bool has_gpus, has_switches; /* they were asked */
} CollectedSystem;
void collected_system_free(CollectedSystem *s);

/* Evidence of all devices that are chosen; EXIT_UNCHECKED when one has none. */
int devices_collect(const uint8_t nonce[static NONCE_SIZE], DeviceChoice choice, CollectedSystem *ret, Error *e);
int devices_nonce(uint8_t ret[static NONCE_SIZE], Error *e);
