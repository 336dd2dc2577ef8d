/* SPDX-License-Identifier: Apache-2.0 */
/* One file out of several repositories' of the same kind, so that a client of the result sees what a client of all of them sees. Nothing is left out: what
 * several say alike is said once, what they say differently of the same thing is joined, and told in *warnings where it cannot be. The same input,
 * the same bytes; an element or document that only one has is passed on as it came. */
#pragma once

#include "basic/error.h"

/* Of one input, and of all together, unpacked. */
#define MERGE_MAX (256u * 1024 * 1024)

typedef struct MergeInput {
        const char *name, *source; /* for messages: the file, and the repository that has it */
        const char *text;
        size_t size;
} MergeInput;

/* updateinfo.xml: advisories by their id. Of two versions of one the newer one's words count, and the packages of both. *ret is owned by the caller, as in the
 * others. -EBADMSG/EXIT_INVALID names the input. */
int merge_updateinfo(const MergeInput *v, size_t n, char **ret, Error *e);

/* comps.xml: groups, categories, environments by their id, and the packages or groups that any has in them; the first one's words count. */
int merge_comps(const MergeInput *v, size_t n, char **ret, Error *e);

/* modules.yaml: all documents; a stream by name, stream, version, context and architecture. */
int merge_modules(const MergeInput *v, size_t n, char **ret, char ***warnings, Error *e);
