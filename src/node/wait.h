/* SPDX-License-Identifier: Apache-2.0 */
/* Waits until the GPU services have come to an end of their start, good or bad. Woken by systemd's signals, by the kernel's events (a GPU that the
 * driver binds) and by signals to this process; never by a clock, but for what a display shows and for the limit. */
#pragma once

#include "node/bus.h"
#include "node/units.h"

#define WAIT_FOREVER_SEC 1800 /* the limit where a unit's start has none of its own */
#define WAIT_UNITS_MAX   3

typedef enum WaitEnd {
        WAIT_GOES_ON,
        WAIT_READY,       /* all are active */
        WAIT_FAILED,      /* one failed */
        WAIT_NOT_STARTED, /* one does not run, and nothing will start it */
        WAIT_REBOOT,      /* the same, and only a reboot will */
        WAIT_LIMIT,       /* it took too long */
        WAIT_INTERRUPTED, /* SIGINT, SIGTERM or SIGHUP */
        WAIT_NO_SYSTEMD,  /* there is none to ask */
        _WAIT_END_MAX,
} WaitEnd;

typedef struct WaitUnit {
        const char *name;
        UnitState state;
        char *result; /* of a failed service: "timeout", "exit-code", ...; or NULL */
        Enablement enablement;
} WaitUnit;

typedef struct WaitView {
        WaitUnit units[WAIT_UNITS_MAX]; /* in the order of their start */
        size_t n;
        size_t gpus, expected; /* attached to the driver, of; expected 0: not known */
        unsigned elapsed_sec, limit_sec;
        int signal; /* WAIT_INTERRUPTED: which */
} WaitView;

/* What these states mean. reboot: why a reboot is due, or NULL. *ret_why: one sentence, owned by the caller; NULL while it goes on, and when
 * out of memory. */
WaitEnd wait_decide(const WaitUnit *units, size_t n, const char *reboot, char **ret_why);

/* limit_sec 0: what systemd gives the units to start (TimeoutStartSec=), added up. tell() is called with every change, and each second if every_second.
 * *ret_why is owned by the caller. */
int wait_for_gpus(Node *n, unsigned limit_sec, bool every_second, void (*tell)(const WaitView *v, void *userdata), void *userdata,
                  WaitEnd *ret, char **ret_why, int *ret_signal, Error *e);
