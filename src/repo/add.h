/* SPDX-License-Identifier: Apache-2.0 */
/* Packages of others than this program's build, in the same repository: WORKSPACE/packages/FILE, with a record that says where each came from.
 * Unsigned ones are signed by publish like our own; a signature that is there stays, and its key is kept beside: packages/RPM-GPG-KEY-FINGERPRINT. */
#pragma once

#include "basic/error.h"

#define ADDED_KEY "RPM-GPG-KEY-" /* before a fingerprint */

typedef struct AddedPackage {
        char *file;   /* NAME-VERSION-RELEASE.ARCH.rpm */
        char *sha256;
        uint64_t size;
        char *signer; /* fingerprint of the key whose signature stays; NULL: ours will */
        char *origin; /* name of the file that was added */
        char *date;   /* YYYY-MM-DD, of that day */
        bool changed; /* it was not there before, or is not any more */
        bool is_new;  /* its file was not there before */
} AddedPackage;

typedef struct AddedPackages {
        AddedPackage *v;
        size_t n;
} AddedPackages;
void added_packages_clear(AddedPackages *a);

typedef struct AddOptions {
        const char *workspace;
        char *const *files;
        char *const *key_files;    /* public keys that may have signed them, one in each */
        char *const *fingerprints; /* which of those are meant; NULL: all */
} AddOptions;

/* Checks all, then adds all. One that is there already, with the same bytes, is not changed. -EBADMSG/EXIT_INVALID: no package, or one that metadata cannot describe;
 * -EKEYREJECTED/EXIT_UNTRUSTED: damaged, or another's signature; -EEXIST/EXIT_DIFFERS: other bytes are there under its name; -EWOULDBLOCK/EXIT_LOCKED. */
int packages_add(const AddOptions *o, AddedPackages *ret, Error *e);

/* Takes away what was added, and keys that signed nothing else: names of packages, or of their files with or without ".rpm". What is published stays until
 * the next publish. All of them or none: what a killed run has begun, the next one ends, and takes for its own. -ENOENT/EXIT_FAILED: none such was added. */
int packages_remove(const char *workspace, char *const *names, AddedPackages *ret, Error *e);

/* Ends a removal that was broken off, before packages are read; mostly there is none. */
int packages_settle(const char *workspace, Error *e);

/* All that were added, by file name. */
int packages_added(const char *workspace, AddedPackages *ret, Error *e);
