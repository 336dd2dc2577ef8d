/* SPDX-License-Identifier: Apache-2.0 */
/* One step of a plan: what plan.c and plan-revert.c are made of. */
#pragma once

#include "node/plan.h"

/* Loads what is not loaded yet: the release (none: n->release stays NULL) and the journal, each entry of which is checked. */
int plan_load(Node *n, Error *e);
/* Finds out what is there; a failure is the resource's own (r->error), and its action says so. */
void plan_probe(Node *n, Resource *r);
/* Removes what a run that was killed has left half written. */
void plan_sweep(Node *n);
/* The journal's entry for a resource, made if there is none; NULL: out of memory. */
JournalEntry *plan_entry(Node *n, const char *id);
/* Does what r->action says, writes it to the journal, reports and counts it. */
void plan_act(Node *n, Resource *r, PlanReport report, void *userdata, PlanResult *c);
void plan_count(PlanResult *c, const Resource *r, Event event, PlanReport report, void *userdata);
