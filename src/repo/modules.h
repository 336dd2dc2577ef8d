/* SPDX-License-Identifier: Apache-2.0 */
/* modules.yaml: which packages belong to which module's stream, and which streams are chosen by themselves. Documents are kept as pieces of the text; of
 * each only what tells it from others is read, by libyaml, whose aliases are never followed. */
#pragma once

#include "basic/error.h"

typedef enum ModuleKind { MODULE_STREAM, MODULE_DEFAULTS, MODULE_OTHER } ModuleKind;

typedef struct ModuleDocument {
        const char *text;  /* not a copy: from "---", without "..." */
        size_t size;
        ModuleKind kind;
        char *name, *stream; /* of defaults: stream is the default one, or NULL */
        char *version, *context, *arch; /* version: of defaults when they were modified, or NULL */
        char **artifacts;    /* NAME-EVR.ARCH, without an epoch of 0; sorted */
        size_t n_artifacts;
        char **profiles;     /* of defaults: "STREAM\nPROFILE", in order; a stream without any is "STREAM\n" */
} ModuleDocument;

typedef struct Modules {
        ModuleDocument *v;
        size_t n;
} Modules;
void modules_clear(Modules *m);

/* Appends the documents of a text, which must outlive them. name is for messages. -EBADMSG/EXIT_INVALID: no YAML, or nested too deep. */
int modules_parse(const char *text, size_t size, const char *name, Modules *m, Error *e);
