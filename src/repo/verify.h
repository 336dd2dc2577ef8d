/* SPDX-License-Identifier: Apache-2.0 */
/* Follows the chain from the release file to the fingerprint, offline, and finds its first broken link. The workspace is ours; the
 * repository may be anybody's. */
#pragma once

#include "basic/progress.h"
#include "release/release.h"

typedef enum VerifyState { VERIFY_OK, VERIFY_BROKEN, VERIFY_UNCHECKED } VerifyState;

typedef struct VerifyLink {
        const char *link; /* "lock", "store", "record", "key", "signature", "repomd", "freshness", "beside", "primary", "package", "payload", "generation"; static */
        char *subject;
        VerifyState state;
        char *detail;     /* what is wrong, or why it could not be checked; may be NULL */
} VerifyLink;

typedef struct VerifyReport {
        VerifyLink *links; /* in the order of the checks; a broken one is the last */
        size_t n_links, n_unchecked;
        bool broken;
        Error error;       /* of the broken link */
        char **keys;       /* fingerprints of the repository's keys, once they are known */
} VerifyReport;
VerifyReport *verify_report_free(VerifyReport *r);
DEFINE_CLEANUP(VerifyReport, verify_report_free);

typedef struct VerifyOptions {
        const char *workspace;
        const char *repo;
        Release *const *releases;
        size_t n_releases;
        bool all;                /* releases are all there are: a package that belongs to none of them is one too many */
        char *const *keys;       /* full fingerprints: the repository may have these keys and no other; NULL: those that are beside it */
        uint64_t at_least;       /* a serial that was seen elsewhere: an older state is a replay */
        Progress *progress;      /* may be NULL */
        /* Told of every link as it is checked; may be NULL. */
        void (*tell)(void *data, const VerifyLink *link);
        void *data;
} VerifyOptions;

/* 0 when the chain was followed, to its end or to the broken link: see the report. -errno when that was not possible at all. */
int verify(const VerifyOptions *o, VerifyReport **ret, Error *e);
