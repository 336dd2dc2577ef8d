/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of verify share: verify.c walks the chain, verify-workspace.c knows release file, lock, store and build record,
 * verify-metadata.c the key, repomd.xml and what it names, verify-tops.c what lies beside that and nothing signs, verify-packages.c each package
 * and its payload, verify-generations.c the generations, and files that nothing names; verify-copy.c what is different in a copy. */
#pragma once

#include <pthread.h>

#include "repo/generation.h"
#include "repo/index.h"
#include "repo/inputs.h"
#include "repo/keyring.h"
#include "repo/mirror-keys.h"
#include "repo/rpmmd.h"
#include "repo/verify.h"
#include "repo/wrap.h"

/* Archives that were described: a driver's is asked for twice. */
typedef struct Archives {
        pthread_mutex_t lock;
        WrapList **lists;
        char **lists_of; /* digests, in the same order */
} Archives;

typedef struct Verify {
        const VerifyOptions *o;
        VerifyReport *report;
        const char *link; /* that is being checked */
        char *subject;
        int repo_fd;
        Inputs *inputs;
        bool has_workspace;
        Generation *copy;  /* the published state of a copy; NULL: it is none */
        Keyring *keyring;  /* NULL: of a copy whose metadata nobody signed */
        MirrorKeys vendors; /* of a copy: others that signed packages */
        char **pins;       /* of o->keys; NULL: there are none */
        char *key_text;    /* repomd.xml.key */
        char *repomd_text;
        size_t repomd_size;
        Repomd *repomd;
        char *texts[INDEX_STREAMS];            /* primary.xml, filelists.xml, other.xml */
        Primary *primary;
        XmlFragment *fragments;                /* of primary.xml, a package each */
        XmlPackage *others[INDEX_STREAMS];     /* of the other two, in the same order; NULL: the metadata are not ours */
        size_t n_others;
        char (*header_sha256)[SHA256_HEX_SIZE]; /* of each package's header, once that was read */
        Archives *archives;
        pthread_mutex_t *vendor; /* librpm's messages are one for all */
} Verify;

/* What follows is about this link. */
int verify_begin(Verify *v, const char *link, const char *fmt, ...) _printf_(3, 4);
/* The link begun last has this state; takes detail. */
int verify_conclude(Verify *v, VerifyState state, char *detail);
int verify_passed(Verify *v);
int verify_unchecked(Verify *v, const char *why);
/* The error of the link that breaks. */
Error *verify_why(Verify *v);
/* For most of what can be found. */
#define verify_untrusted(v, ...) error_set(verify_why(v), EKEYREJECTED, EXIT_UNTRUSTED, __VA_ARGS__)

/* What is said of a key that nobody named. */
#define VERIFY_FOUND_BESIDE "found beside the repository: compare it, or give --key"

/* The links, in the order of the walk; each needs those before it. */
int verify_copy(Verify *v);
int verify_locks(Verify *v);
int verify_copy_workspace(Verify *v);
int verify_store(Verify *v);
int verify_records(Verify *v);
int verify_key(Verify *v);
int verify_copy_keys(Verify *v);
int verify_signature(Verify *v);
int verify_metadata(Verify *v);
int verify_freshness(Verify *v);
int verify_tops(Verify *v);
int verify_releases(Verify *v);
int verify_complete(Verify *v);
int verify_packages(Verify *v);
int verify_generations(Verify *v);

/* A package of a copy, which is as primary.xml says: signed by who signed it when it was copied. */
int verify_copied_package(Verify *v, const PrimaryPackage *p, const RpmFile *f);

/* A regular file of the repository, which may be anybody's: open, or whole and NUL-terminated. -errno with the error of the link. */
int verify_open(Verify *v, const char *path, int *ret_fd);
int verify_read(Verify *v, const char *path, size_t max, char **ret, size_t *ret_size);
