/* SPDX-License-Identifier: Apache-2.0 */
/* The CUDA archive's manifests/cuda_x86_64.xml: packages in a tree, each with patterns of the files that it installs. */
#pragma once

#include <regex.h>

#include "basic/error.h"
#include "basic/strings.h"

#define CUDA_MANIFEST "manifests/cuda_x86_64.xml"

typedef struct CudaRule {
        unsigned line;
        char *pattern;   /* extended regular expression of a path below the build path, anchored at both ends */
        char *prefix;    /* the literal directory part of the pattern, with its '/', or "" */
        char *directory; /* destination below the install path instead of the pattern's own directory, or NULL */
        regex_t regex;   /* compiled when first needed */
        size_t fed;      /* characters that it was run on since */
        bool compiled, uninstaller;
        size_t matched;  /* the caller's count */
} CudaRule;

typedef struct CudaPkgConfig {
        unsigned line;
        char *file, *name, *version, *description, *subdirectory; /* file: with .pc; subdirectory: "" or "/DIR" */
} CudaPkgConfig;

typedef struct CudaDesktop {
        unsigned line;
        char *filename, *name, *categories, *keywords, *icon, *exec, *try_exec; /* paths: below the install path */
} CudaDesktop;

typedef struct CudaPackage {
        unsigned line;
        char *name;
        char *build_path;   /* in the archive, no final '/'; "" is the archive's root */
        char *install_path; /* absolute; inherited from the package around it, or NULL */
        CudaRule *rules;
        size_t n_rules;
        char **directories; /* below the install path */
        size_t n_directories;
        CudaPkgConfig *pkgconfigs;
        size_t n_pkgconfigs;
        CudaDesktop *desktops;
        size_t n_desktops;
} CudaPackage;

typedef struct CudaManifest {
        char *version; /* of the toolkit: "MAJOR.MINOR" */
        CudaPackage **packages; /* the "CUDA Toolkit" package and all in it; nothing else of the installer's */
        size_t n_packages;
} CudaManifest;

/* name is for messages; hostile: no network, no entities, bounded depth, counts and pattern lengths. Errors name the line. */
int cuda_manifest_parse(const char *name, const char *data, size_t size, CudaManifest **ret, Error *e);
CudaManifest *cuda_manifest_free(CudaManifest *m);
DEFINE_CLEANUP(CudaManifest, cuda_manifest_free);

/* Whether the rule means the path (below the build path): 1 when the pattern matches it, or a directory above it; 0; or -ENOMEM. */
int cuda_rule_matches(CudaRule *rule, const char *path);
/* What cuda_rule_matches() costs at most: characters that it looks at, more for a longer pattern. */
uint64_t cuda_rule_work(const CudaRule *rule, const char *path);
/* Gives back the memory that matching took, which grows with what is matched. Harmless at any time. */
void cuda_rule_rest(CudaRule *rule);
