/* SPDX-License-Identifier: Apache-2.0 */
/* Which units of this instance use a GPU, as far as files and processes tell. */
#pragma once

#include "node/node.h"
#include "node/units.h"

typedef struct Client {
        char *unit;
        Enablement enablement; /* UNIT_ENABLED also for what an enabled timer, socket or path starts */
        bool ordered;          /* after persistenced */
        bool asked;            /* "order add" named it */
        const char *by;        /* static: who ordered it, or NULL */
        char **why;            /* sentences: what makes it look like a client; empty: only because it was ordered by hand */
} Client;

typedef struct Clients {
        Client *v; /* sorted by name */
        size_t n;
        bool hidden; /* some processes could not be looked at */
} Clients;

/* Every enabled or running unit that looks like a GPU client, and every one that "order add" named. Release and journal must be loaded. */
int clients_find(Node *n, Clients *ret, Error *e);
void clients_free(Clients *c);
#define _cleanup_clients_ _cleanup_(clients_free)

/* The unit of a process that has an NVIDIA device or library open, as clients_find() sees it: called for each; non-zero stops. */
typedef int (*OnGpuProcess)(const char *unit, const char *what, void *userdata);
int gpu_processes(Node *n, OnGpuProcess on, void *userdata, bool *ret_hidden);
