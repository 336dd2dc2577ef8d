/* SPDX-License-Identifier: Apache-2.0 */
/* One package on its way to the repository: checked, then reused, linked, signed or copied. */
#pragma once

#include <pthread.h>

#include "repo/inputs.h"
#include "repo/publish.h"
#include "repo/rpm-file.h"
#include "repo/signed-store.h"

/* What all packages of a run share; nothing in it changes while they are taken. */
typedef struct PackageContext {
        const PublishOptions *o;
        Repository *repo;
        SignedStore *known;
        const Memo *memo;
        pthread_mutex_t vendor; /* librpm's messages are one for all; and for vendor_keys */
        struct VendorKey *vendor_keys; /* those that were needed yet: gpg takes its time for each */
        size_t n_vendor_keys;
} PackageContext;
void package_context_done(PackageContext *c);

typedef enum PackageOrigin {
        PACKAGE_REUSED, /* it is published already, or was signed before */
        PACKAGE_SIGNED,
        PACKAGE_VENDOR,
} PackageOrigin;

/* Another run's or this run's package of the same file name, in the kept generations, newest first; NULL: there is none. guess: where it may be. */
PublishedPackage *package_published_as(const Repository *repo, const char *file, size_t guess);

/* One of which nothing has changed since it was published, and its published file neither: *ret is NULL if that is not known. In any thread. */
int package_recall(const PackageContext *c, const InputPackage *in, size_t guess, PublishedPackage **ret, Error *e);

/* Takes one: what is new of it stands in the staging area afterwards, not yet fsync'ed. In any thread. */
int package_take(PackageContext *c, const InputPackage *in, PublishedPackage **ret, PackageOrigin *ret_origin, Error *e);
