/* SPDX-License-Identifier: Apache-2.0 */
/* systemd, asked over D-Bus: by its own socket as root, else by the system bus. Every call has a time limit: a manager that hangs costs that
 * and no more. Functions return -errno without a message; -ETIMEDOUT is the limit. */
#pragma once

#include "basic/macro.h"

#define BUS_CALL_MS 1000 /* it answers in less than one, when it answers */

typedef struct Bus Bus;

/* What systemd knows of a unit; all owned by the caller. */
typedef struct UnitState {
        char *load, *active, *sub; /* "loaded", "not-found", ...; "active", "activating", ...; "running", "start-post", ... */
        char *job;                 /* a queued job's type: "start", "stop", ...; NULL: none */
} UnitState;
void unit_state_free(UnitState *s);
#define _cleanup_unit_state_ _cleanup_(unit_state_free)

int bus_open(Bus **ret);
Bus *bus_close(Bus *b);
DEFINE_CLEANUP(Bus, bus_close);

int bus_unit_state(Bus *b, const char *unit, UnitState *ret);
/* Why a service ended: "success", "timeout", "exit-code", "signal", ...; owned by the caller. */
int bus_service_result(Bus *b, const char *unit, char **ret);
/* How long its start may take, in microseconds; UINT64_MAX: for ever. */
int bus_start_limit(Bus *b, const char *unit, uint64_t *ret);

/* From now on bus_changed() tells whether something happened to these units, or to a job, since it was last asked. */
int bus_subscribe(Bus *b, const char *const *units, size_t n);
/* For poll(): descriptor, events, and how long it may wait (milliseconds, -1: for ever). */
int bus_poll(Bus *b, int *ret_fd, short *ret_events, int *ret_timeout_ms);
/* Takes what has arrived: 1 something changed, 0 nothing; -errno when the connection is lost. */
int bus_changed(Bus *b);
