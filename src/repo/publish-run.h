/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of one publish share: publish.c does it, publish-known.c knows what need not be done again. */
#pragma once

#include "repo/index.h"
#include "repo/keyring.h"
#include "repo/publish-package.h"
#include "repo/publish.h"

typedef struct PackageJob {
        const InputPackage *in;
        size_t number; /* in the order of names */
        PackageOrigin origin;
} PackageJob;

/* For the proof: see WorldKnown. */
typedef struct Known {
        WorldKnown world;
        bool *gone;
        char *primary;
        char **nevras;
} Known;

typedef struct Publish {
        const PublishOptions *o;
        Repository *repo;
        Inputs *inputs;
        Keyring *keyring; /* the signers' keys alone */
        PackageContext packages;
        PublishedPackage **taken; /* one an input */
        PackageJob *jobs;         /* one an input that is not known, largest first */
        size_t n_jobs;
        IndexEntry *entries; /* one a package of next */
        size_t n_entries;
        Memo *memo;
        Index *index;
        Known known;
        int64_t started_ns;
        Generation *next;
        PublishReport report;
        Freshness found; /* as what is published says, where no generation tells; zeros: nothing does */
        char *vendor_keys; /* see vendor_keys_load() */
        char *comps, *repo_file; /* their texts */
} Publish;

/* Where something is published, and no generation is left to tell by whom: refuses what is not signed by our keys. */
int publish_claim(Publish *p, Error *e);
/* What is published and damaged: which packages had to be taken anew, and, where nothing else makes a new state, whether metadata and signature are whole. */
void publish_look(Publish *p);

/* What libsolv need not be told again: p->known. */
int publish_find_known(Publish *p, Error *e);
/* What was done now need not be done again: not signing, nor reading, nor describing. It is written before the switch, and counts from then on. */
void publish_write_memo(Publish *p);
void publish_remember(Publish *p);
