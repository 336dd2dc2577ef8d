/* SPDX-License-Identifier: Apache-2.0 */
/* Reads rpm-md metadata that somebody else may have written: bounded, without entities or document types, every path checked. */
#pragma once

#include "release/freshness.h"

typedef struct RepomdFile {
        char *type, *href;  /* href: repodata/NAME */
        char *sha256, *open_sha256; /* open: of the unpacked file, NULL for one that is not packed */
        uint64_t size, open_size;
} RepomdFile;

typedef struct Repomd {
        char *revision;
        Freshness freshness;
        RepomdFile *files;
        size_t n_files;
} Repomd;
Repomd *repomd_free(Repomd *r);
DEFINE_CLEANUP(Repomd, repomd_free);
/* name is for messages. -EBADMSG/EXIT_INVALID: malformed, a type twice, a digest that is not SHA-256, a path that leaves repodata/. */
int repomd_parse(const char *text, size_t size, const char *name, Repomd **ret, Error *e);
/* The text of a repomd.xml that says this, its timestamps the revision; owned by the caller. NULL: out of memory. */
char *repomd_render(const Repomd *r) _must_check_;
const RepomdFile *repomd_find(const Repomd *r, const char *type);

typedef struct PrimaryPackage {
        char *name, *evr, *arch, *nevra;
        char *sha256, *href; /* href: safe to join to the repository */
        uint64_t size, header_start, header_end;
} PrimaryPackage;

typedef struct Primary {
        PrimaryPackage **packages; /* in file order */
        size_t n_packages;
} Primary;
Primary *primary_free(Primary *p);
DEFINE_CLEANUP(Primary, primary_free);
/* -EBADMSG/EXIT_INVALID: malformed, something missing, a package or a path twice, a count that is not the announced one. */
int primary_parse(const char *text, size_t size, const char *name, Primary **ret, Error *e);
