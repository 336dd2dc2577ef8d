/* SPDX-License-Identifier: Apache-2.0 */
/* What each kind of vendor archive brings to wrap: how its members are staged, and how they are planned. Internal to wrap. */
#pragma once

#include "repo/placement.h"

typedef struct WrapContext {
        const Release *release;
        const Artifact *artifact;
        const WrapOptions *options;
        const char *archive; /* path, for messages */
        const char *manifest_name; /* "ARCHIVE: .manifest", for messages */
        Plan *plan;
        void *state;         /* of the kind */
} WrapContext;

typedef struct WrapFormat {
        ArchiveFormat format;
        bool self_extracting; /* a shell header comes first */
        bool digest;          /* even when placing: the archive has its own list of digests to hold against */
        const char *manifest; /* for messages */
        const char *const *packages; /* NULL-terminated PACKAGE_* */
        bool (*capture)(const char *name);
        bool (*shared_library)(const char *name);
        int (*captured)(void *context, Member *m, Error *e); /* WrapContext */
        bool (*wanted)(void *context, const char *name);
        int (*plan)(WrapContext *c, Stage *s, Error *e);
        void (*done)(WrapContext *c); /* frees c->state */
} WrapFormat;

extern const WrapFormat wrap_driver, wrap_cuda, wrap_cublas;

/* Adds a copy of the licence member as /usr/share/licenses/PACKAGE/LICENSE, for the artifact's i-th RPM; warns when m is NULL. */
int wrap_licence(WrapContext *c, const char *package, size_t i, Member *m, Error *e);
/* Adds text to the plan. */
int wrap_text(WrapContext *c, const char *package, const char *path, mode_t mode, Text *t, Error *e);

/* Parts of the driver's packages that no archive holds. */
int driver_extras(WrapContext *c, Error *e);
int kmod_extras(WrapContext *c, char *const *modules, Error *e);
