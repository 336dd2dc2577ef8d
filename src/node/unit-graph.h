/* SPDX-License-Identifier: Apache-2.0 */
/* Which unit starts after which, by the files: what would become a loop is seen before it is written. */
#pragma once

#include "node/node.h"

typedef struct UnitEdge {
        char *unit, *after;
} UnitEdge;

typedef struct UnitGraph {
        UnitEdge *edges;
        size_t n, allocated;
        bool failed; /* out of memory while reading */
} UnitGraph;

/* Reads every unit file and drop-in, with the dependencies that systemd adds by itself (systemd.service(5), systemd.special(7)). */
int unit_graph_load(Node *n, UnitGraph *ret, Error *e);
void unit_graph_free(UnitGraph *g);
#define _cleanup_unit_graph_ _cleanup_(unit_graph_free)

/* The units from the first to the last of a shortest chain in which each starts after the next, owned by the caller; NULL in *ret when
 * unit does not start after the other, directly or not. */
int unit_graph_chain(const UnitGraph *g, const char *unit, const char *after, char ***ret);
