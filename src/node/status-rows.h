/* SPDX-License-Identifier: Apache-2.0 */
/* What the groups of status are made with: one file a group, one function each, that appends its rows. */
#pragma once

#include "node/metadata.h"
#include "node/resource.h"
#include "node/status.h"

/* What is to be done first stands first: the machine's next action is the first one that is needed. */
enum {
        FIRST_RELEASE,
        FIRST_INSTANCE,
        FIRST_HEADERS, /* before any reboot: the kernel that boots must have its module */
        FIRST_JOURNAL,
        FIRST_APPLY,
        FIRST_KERNEL,
        FIRST_REBOOT,
        FIRST_DRIVER,
        FIRST_WAIT,
        FIRST_SERVICE,
        FIRST_GPUS,
        FIRST_LAST,
        FIRST_NEVER, /* worth saying about its row, but no reason to act: what could not be looked at */
};

typedef struct StatusContext {
        Node *node;          /* release (or NULL) and journal are loaded */
        ResourceList plan;   /* probed */
        bool journal_hidden; /* it is there, but only root may read it */
        char *reboot;        /* why a reboot is due, or NULL */
        bool starting;       /* a GPU service of the release is about to run: what it does is not there yet */
        Metadata metadata;   /* what the cloud says about this instance, or why it does not */
        Status status;
        const char *group;   /* of the rows that are added */
        bool failed;         /* out of memory: remembered, told once at the end */
} StatusContext;

/* Appends a row; expected may be NULL; what was found is formatted (NULL: nothing). */
void row_add(StatusContext *c, RowState state, const char *name, const char *expected, const char *found, ...) _printf_(5, 6);
/* Gives the row added last its one sentence, unless it has one. */
void row_next(StatusContext *c, unsigned priority, const char *fmt, ...) _printf_(3, 4);
#define row_next_reboot(c) row_next(c, FIRST_REBOOT, "reboot")
#define row_next_wait(c) row_next(c, FIRST_WAIT, "wait: attaching the GPUs takes minutes; use none of them before: gn8v-tee status --wait")
/* A row for a resource as plan sees it; what the last apply said about it is in the journal. */
void row_add_resource(StatusContext *c, const char *name, const Resource *r, unsigned priority);
/* The first line of a small file, owned by the caller; NULL: not readable. */
char *first_line(Node *n, const char *path);

/* The groups. Each looks at c->node, c->plan and c->node->release, which may be NULL. */
void status_instance(StatusContext *c);
void status_tdx(StatusContext *c);
void status_kernel(StatusContext *c);
void status_crypto(StatusContext *c);
void status_driver(StatusContext *c);
void status_software(StatusContext *c);
void status_services(StatusContext *c);
void status_clients(StatusContext *c);
void status_gpu(StatusContext *c);
void status_gpu_rows(StatusContext *c, const GpuFacts *f); /* the rows alone, of facts that are known */
void status_attest(StatusContext *c);
void status_system(StatusContext *c);
void status_journal(StatusContext *c);
