/* SPDX-License-Identifier: Apache-2.0 */
/* Desired against found, and making it so: the engine behind plan, apply, revert and pause. */
#pragma once

#include "node/resource.h"

typedef enum Event {
        EVENT_BEGIN,   /* something slow begins */
        EVENT_DONE,    /* changed, or reverted */
        EVENT_KEPT,    /* the administrator's, left as it is */
        EVENT_WAIT,    /* cannot be done yet */
        EVENT_DEFERRED,
        EVENT_REFUSED,
        EVENT_FAILED,
} Event;

typedef void (*PlanReport)(const Resource *r, Event event, void *userdata);

typedef struct PlanResult {
        size_t changed, failed, waiting, deferred, refused;
} PlanResult;

/* Loads release and journal, and probes everything: what is wanted, then what the journal has and the release does not want.
 * A probe that fails leaves its error in the resource. */
int plan_make(Node *n, ResourceList *ret, Error *e);
/* Whether a resource of a plan is anything to do (now or later). */
bool plan_has_work(const ResourceList *l);

/* Makes it so. Failures of single resources are journaled, reported and counted; -errno only when nothing can be done at all.
 * The lock must be held. */
int plan_apply(Node *n, ResourceList *l, PlanReport report, void *userdata, PlanResult *ret, Error *e);

/* A kernel is being removed: what the journal has for it goes along. The lock must be held. */
int plan_forget_kernel(Node *n, const char *kernel, Error *e);

/* Stops, masks and remembers the services that must not open the GPU during a transaction. */
int plan_pause(Node *n, PlanReport report, void *userdata, PlanResult *ret, Error *e);

/* Orders units after persistenced, or takes back what plan_order() did before; ret has a resource each, with what became of it. Nothing is
 * started or stopped. Each name must have been checked (order_resolve()). The lock must be held. */
int plan_order(Node *n, char *const *units, bool add, PlanReport report, void *userdata, ResourceList *ret, PlanResult *ret_result, Error *e);

/* Puts back everything that the journal has, last first. */
int plan_revert(Node *n, PlanReport report, void *userdata, PlanResult *ret, Error *e);
/* What revert had to leave until our files were gone (the initramfs). */
int plan_finish(Node *n, PlanReport report, void *userdata, PlanResult *ret, Error *e);

