/* SPDX-License-Identifier: Apache-2.0 */
/* Reads rpm-md metadata that somebody else may have written: bounded, without entities or document types, every path checked. */
#pragma once

#include "release/freshness.h"

typedef struct RepomdFile {
        char *type, *href;  /* href: repodata/NAME */
        char *checksum, *open_checksum;     /* open: of the unpacked file, NULL for one that is not packed */
        const char *digest, *open_digest;   /* which: "sha256", or of a foreign one "sha384" or "sha512"; static */
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
/* The same for anybody's: better digests than SHA-256 are fine. */
int repomd_parse_foreign(const char *text, size_t size, const char *name, Repomd **ret, Error *e);
/* The text of a repomd.xml that says this, its timestamps the revision; owned by the caller. NULL: out of memory. */
char *repomd_render(const Repomd *r) _must_check_;
const RepomdFile *repomd_find(const Repomd *r, const char *type);

typedef struct PrimaryPackage {
        char *name, *evr, *arch, *nevra;
        char *checksum, *href; /* href: safe to join to the repository */
        const char *digest;    /* which: "sha256", or of a foreign one "sha384" or "sha512"; static */
        uint64_t size, header_start, header_end;
} PrimaryPackage;

typedef struct Primary {
        PrimaryPackage **packages; /* in file order */
        size_t n_packages;
} Primary;
Primary *primary_free(Primary *p);
DEFINE_CLEANUP(Primary, primary_free);
/* A package's own XML, from "<package" to its end. */
typedef struct XmlFragment {
        const char *text; /* not a copy */
        size_t size;
} XmlFragment;
/* -EBADMSG/EXIT_INVALID: malformed, something missing, a package or a path twice, a count that is not the announced one, anything but packages.
 * With ret_fragments each package's own XML, in the same order, owned by the caller: where in text it begins, and its size. A text that does not
 * allow that (comments, CDATA) is -EBADMSG/EXIT_INVALID. */
int primary_parse(const char *text, size_t size, const char *name, Primary **ret, XmlFragment **ret_fragments, Error *e);
/* The same for anybody's: better digests than SHA-256 are fine, one version may be there several times, in several places; and so may one file in
 * one place, which is then told once. */
int primary_parse_foreign(const char *text, size_t size, const char *name, Primary **ret, XmlFragment **ret_fragments, Error *e);

/* filelists.xml or other.xml: each package's own XML and its pkgid, which is the package's checksum, both owned by the caller. root is the
 * document's element: "filelists", "otherdata". */
typedef struct XmlPackage {
        XmlFragment fragment;
        char *pkgid;
} XmlPackage;
void xml_packages_free(XmlPackage *v, size_t n);
int xml_packages_parse(const char *text, size_t size, const char *name, const char *root, XmlPackage **ret, size_t *ret_n, Error *e);
