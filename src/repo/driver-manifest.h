/* SPDX-License-Identifier: Apache-2.0 */
/* The driver archive's `.manifest`: NVIDIA's list of what goes where. Grammar and types are those of nvidia-installer. */
#pragma once

#include <sys/types.h>

#include "basic/error.h"
#include "basic/strings.h"

#define DRIVER_MANIFEST ".manifest"

/* Words of an entry behind its type, in this order. */
enum { WORD_ARCH = 1, WORD_PATH = 2, WORD_INHERIT = 4, WORD_TARGET = 8 };

/* What the path word (or the inherited path) is for. */
typedef enum DriverPath {
        PATH_NONE,     /* nothing */
        PATH_BELOW,    /* a directory below that of the type */
        PATH_ABSOLUTE, /* the directory itself */
} DriverPath;

typedef enum DriverRole {
        ROLE_FILE,
        ROLE_LIBRARY,       /* needs its SONAME link */
        ROLE_LINK,
        ROLE_GLVND,         /* library of the vendor-neutral dispatch: the distribution may have its own */
        ROLE_GLVND_LINK,
        ROLE_KERNEL_SOURCE, /* only that of the open modules */
        ROLE_DESKTOP,       /* template */
        ROLE_LIBRARY_LINK,  /* its target becomes an absolute path in the library directory */
        ROLE_UNIT_LINK,     /* its target becomes the unit of the same name */
        ROLE_DROPPED,       /* of the installer, or made by it: in no package */
} DriverRole;

typedef struct DriverType {
        const char *name;
        unsigned words;
        DriverPath path;
        DriverRole role;
        const char *directory; /* on EL8 x86_64: %L is the library directory, %V the version; NULL: PATH_ABSOLUTE or dropped */
} DriverType;

/* NULL when unknown. */
const DriverType *driver_type(const char *name);
extern const DriverType driver_types[];
extern const size_t n_driver_types;

typedef struct DriverEntry {
        unsigned line;      /* physical, from 1 */
        const DriverType *type;
        char *file;         /* in the archive, "./" removed */
        mode_t mode;
        bool compat32;
        char *path;         /* the path word, or the inherited path; "" when there is none */
        char *target;       /* of a link */
        char *destination;  /* absolute; NULL when dropped */
} DriverEntry;

typedef struct DriverManifest {
        char *version;
        char **modules; /* kernel modules, in order */
        DriverEntry *entries;
        size_t n_entries;
} DriverManifest;

/* name is for messages; every error names the line. size bytes at most 16 MiB, hostile. -EBADMSG when malformed. */
int driver_manifest_parse(const char *name, const char *data, size_t size, DriverManifest **ret, Error *e);
DriverManifest *driver_manifest_free(DriverManifest *m);
DEFINE_CLEANUP(DriverManifest, driver_manifest_free);
