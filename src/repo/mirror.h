/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of other people's repositories: all of one, its metadata byte for byte, or what some packages need over several, with metadata of
 * our own. Whatever happens to a run, clients of the copy see the old state or the new one; the next run continues what was fetched.
 *
 *     DIR/.mirror/   what has come so far; gone when the copy stands, and when a run fails that has fetched nothing worth keeping
 *     DIR/...        packages where the source has them, repodata/, generations/, as repository.h says
 *     DIR/RPM-GPG-KEY-gn8v-tee, DIR/RPM-GPG-KEY-gn8v-tee-vendor   of the pinned keys those that signed the metadata, and those that signed its packages
 *     DIR/gn8v-tee.repo                                           of a whole copy of what has one */
#pragma once

#include "repo/fetch.h"
#include "repo/keyring.h"
#include "repo/metadata.h"
#include "repo/repository.h"
#include "repo/signer.h"

typedef struct MirrorOptions {
        const char *url, *dir;      /* url: as mirror_place_kind() reads it */
        char *const *also;          /* the same: other repositories that a closure may be taken from */
        char *const *packages;      /* names; none: everything that the four below leave */
        char *const *excludes;      /* globs: of names, or of NEVRAs */
        char *const *arches;        /* only these and noarch; none: all. Not for a closure */
        bool newest;                /* of each name and architecture, and of each module's stream. Not for a closure */
        char *const *modules;       /* "NAME:STREAM" that clients enable, besides the defaults; for a closure */
        bool module_hotfixes;       /* clients do not filter by modules */
        char *const *platforms;     /* what the machines have already: see prove.h */
        const char *arch;           /* of the closure */
        bool weak;                  /* weak dependencies belong to the closure */
        char *const *fingerprints;  /* pinned keys: 40 hex digits each */
        char *const *key_files;     /* where those keys are; without fingerprints, their keys are the pins */
        bool no_repo_signature;     /* only packages are signed */
        bool no_signatures;         /* nothing is; there are no pins then */
        bool allow_older;
        bool allow_unsigned;        /* a copy without a signature may take the place of one that has it */
        const Signers *signers;     /* of metadata of our own; NULL: they are not signed */
        char *const *mirror_urls;   /* see metalink_stage() */
        const char *baseurl;        /* of a copy that has a gn8v-tee.repo: see repo_file_place() */
        unsigned keep;              /* generations, this one included; at least 1 */
        bool dry_run;               /* find out what would be copied, and leave dir as it was */
        const FetchOptions *fetch;
} MirrorOptions;

typedef struct MirrorWanted {
        char *nevra, *href, *url; /* url: of the repository */
        uint64_t size;
        bool is_new;              /* it has to be fetched */
} MirrorWanted;

typedef struct MirrorReport {
        uint64_t generation; /* 0 of a dry run */
        bool changed;
        MirrorWanted *wanted; /* of a dry run: every package */
        size_t n_wanted;
        char *key; /* fingerprint of who signed the metadata; NULL: nobody */
        size_t n_packages, new_packages, removed_packages;
        uint64_t new_bytes;
        char **warnings;
        char **beside; /* see repository.h */
        char **repaired; /* files of the state that was there already which were not as they should be, below dir; NULL: all were */
        bool key_is_missing; /* of those that are pinned: if it signed a package, that is found out when it is fetched */
} MirrorReport;
void mirror_report_clear(MirrorReport *r);

/* -EKEYREJECTED or -EBADMSG/EXIT_UNTRUSTED: a key, a signature or a digest is wrong; -EBADMSG/EXIT_INVALID: malformed metadata;
 * -EHOSTUNREACH/EXIT_UNREACHABLE; -ESTALE/EXIT_DIFFERS: older than what is here, or expired; -ENOTSUP/EXIT_UNSOLVABLE: a closure that does not
 * exist; -ENOSPC/EXIT_NO_SPACE; -EWOULDBLOCK/EXIT_LOCKED. The copy is as it was then. */
int mirror(const MirrorOptions *o, MirrorReport *ret, Error *e);
