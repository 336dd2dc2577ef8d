/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of an import share: bundle-import.c decides, bundle-read.c reads the members. */
#pragma once

#include "repo/bundle-tar.h"
#include "repo/bundle.h"
#include "repo/keyring.h"
#include "repo/repository.h"

typedef struct Import {
        const ImportOptions *o;
        char **pins; /* fingerprints */
        Keyring *keyring;
        char *manifest_text, *signature, *key; /* the first members, until they are trusted */
        BundleManifest *manifest;
        const BundleFile **by_path;
        Repository *repo;
        Generation *next;
        int64_t mtime; /* of all members */
        bool same;     /* that state is there: what comes is held against the manifest, and kept nowhere */
        char *key_file, *vendor_keys, *repo_file;
        ImportReport report;
} Import;

/* Reads the bundle from its first byte to its last. The first three members go to import_trust(), the rest is held against the manifest and staged. */
int import_read(Import *x, Error *e);

/* The first three members are here: nothing was touched so far, and nothing will be unless the pinned key signed them. Opens the repository. */
int import_trust(Import *x, Error *e);
/* generation.json is here, as text: says what will be new, what has to be here already, and whether there is room. */
int import_take_generation(Import *x, const char *text, size_t size, Error *e);

int import_untrusted(const Import *x, const char *member, const char *what, Error *e);
