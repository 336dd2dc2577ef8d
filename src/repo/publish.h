/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing: copy and sign, index, prove, switch. A run that fails or is killed at any instant leaves the old repository as it was. */
#pragma once

#include "basic/progress.h"
#include "release/release.h"
#include "repo/prove.h"
#include "repo/repository.h"
#include "repo/signer.h"

typedef struct PublishOptions {
        const char *workspace, *repo;
        Release *const *releases;
        size_t n_releases;
        const Signers *signers;   /* the first one's packages; the metadata are signed by each */
        char *const *platforms;   /* see prove.h */
        char *const *beside;
        const char *baseurl;      /* NULL: as it is there now; "" or nothing is there: file:// and the repository's path */
        char *const *mirror_urls; /* see metalink_stage() */
        const char *template;     /* of the .repo file */
        int64_t valid_sec;        /* after which the published state is not to be believed; 0: as long as the one before it; -1: for ever */
        unsigned keep;            /* generations, this one included; at least 1 */
        bool replace;             /* a package may be published again with other content under the same version */
        Progress *progress;       /* begun and ended here; NULL: none */
} PublishOptions;

typedef struct PublishReport {
        Generation *generation;  /* the published one */
        bool changed;            /* false: there was nothing to publish, generation is the old one */
        size_t signed_packages, vendor_packages, reused_packages, removed_packages;
        size_t repaired_packages; /* that were published, and not there any more as they were */
        bool repaired_metadata;   /* so were the metadata or their signature: see publish_look() */
        ProveReport *proof;      /* NULL if nothing changed */
        char **beside;           /* see repository.h */
} PublishReport;
void publish_report_clear(PublishReport *r);

/* ret is filled on success. On -ENOTSUP/EXIT_UNSOLVABLE the message has libsolv's reasons. */
int publish(const PublishOptions *o, PublishReport *ret, Error *e);
