/* SPDX-License-Identifier: Apache-2.0 */
/* Vendor archives, read and placed: what each RPM made from an artifact holds, to write it or only to know it. */
#pragma once

#include <sys/types.h>

#include "basic/digest.h"
#include "basic/progress.h"
#include "release/release.h"

/* The file lists' names, and the value of WrapFile.package; all static strings. */
#define PACKAGE_DRIVER "driver" /* gn8v-tee-driver-BRANCH */
#define PACKAGE_KMOD   "kmod"   /* gn8v-tee-kmod-BRANCH-dkms */
#define PACKAGE_CUDA   "cuda"   /* gn8v-tee-cuda-MAJOR-MINOR */
#define PACKAGE_CUBLAS "cublas" /* gn8v-tee-cublas-MAJOR-MINOR */
#define PACKAGE_META   "meta"   /* gn8v-tee-PROFILE */
#define PACKAGE_RIMS   "rims"   /* gn8v-tee-rims: from locks, see rims-package.h */

typedef enum WrapKind { WRAP_FILE, WRAP_LINK, WRAP_DIRECTORY } WrapKind;

typedef struct WrapFile {
        const char *package; /* PACKAGE_* */
        char *path;          /* absolute, as on the instance */
        WrapKind kind;
        mode_t mode;         /* permission bits; 0777 for a link */
        uint64_t size;       /* bytes; 0 but for a file */
        char sha256[SHA256_HEX_SIZE]; /* of a file */
        char *target;        /* of a link, else NULL */
} WrapFile;

typedef struct WrapList {
        WrapFile *files; /* sorted by path; only directories that the package owns */
        size_t n_files;
} WrapList;
WrapList *wrap_list_free(WrapList *l);
DEFINE_CLEANUP(WrapList, wrap_list_free);

typedef struct WrapOptions {
        bool compat32;      /* 32-bit libraries of the driver, too */
        bool no_glvnd;      /* leave the vendor-neutral libraries (libglvnd, libOpenCL.so.1) to the distribution */
        Progress *progress; /* stepped by the bytes read of the archive; may be NULL */
} WrapOptions;

typedef struct WrapSummary {
        size_t files, links, directories, dropped; /* dropped: members of the archive that no package gets */
        uint64_t bytes;                            /* of the files */
        char **warnings;
} WrapSummary;
void wrap_summary_clear(WrapSummary *s);

/* Reads the archive of an artifact (driver, cuda, cublas) once, executing nothing, and writes what its packages hold below the
 * directory `into` (a build root; made if missing), and one rpm file list a package into `lists` (NAME.list; made if missing).
 * Every mode, link and byte is final. The archive's digest is not checked here: fetch has done it. ret_summary may be NULL.
 * -EBADMSG/EXIT_INVALID for a malformed archive, -ENOSPC/EXIT_NO_SPACE; after a failure nothing is left staged. */
int wrap_place(const Release *r, const Artifact *a, const char *archive, const char *into, const char *lists,
               const WrapOptions *o, WrapSummary *ret_summary, Error *e);

/* The same without writing anything: what wrap_place() would write, with digests. For verify. */
int wrap_describe(const Release *r, const Artifact *a, const char *archive, const WrapOptions *o, WrapList **ret, Error *e);

/* The metapackage's files, from the release alone: written, or only described. */
int render_place(const Release *r, const char *into, const char *lists, WrapSummary *ret_summary, Error *e);
int render_describe(const Release *r, WrapList **ret, Error *e);
