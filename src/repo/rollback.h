/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing an earlier state again: as a new generation, because the serial only grows, or clients would take it for a replay. */
#pragma once

#include "repo/repository.h"
#include "repo/signer.h"

typedef struct RollbackOptions {
        const char *workspace, *repo;
        uint64_t generation;  /* to go back to; 0: the one before the published one */
        const Signers *signers; /* one must be the key of that generation */
        int64_t valid_sec;    /* see publish.h: of the published state, not of the earlier one */
        unsigned keep;        /* see publish.h */
        char **mirror_urls;   /* see metalink_stage() */
} RollbackOptions;

/* A named generation whose packages are what is published already is only finished: what a killed run left to be done is done.
 * *ret: what is published now, owned by the caller. Refused, and nothing changed: a generation that is not kept, whose packages are not
 * all there as they were, or that another key signed. */
int rollback(const RollbackOptions *o, Generation **ret, Error *e);
