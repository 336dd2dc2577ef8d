/* SPDX-License-Identifier: Apache-2.0 */
/* The concrete spec: %global lines in front of specs/KIND.spec, which has no version of its own. */
#pragma once

#include "basic/error.h"
#include "basic/strings.h"
#include "release/lock.h"

/* Appends "%global NAME VALUE". The value comes from a file somebody wrote: one that rpm could take for a macro, a continued line or
 * another directive is refused, with origin and key named. -EBADMSG/EXIT_INVALID. */
int spec_define(Text *t, const char *origin, const char *name, const char *value, Error *e);

/* What the specs driver, cuda and cublas need of an artifact; release is the one whose file goes into the build as Source1. */
int spec_define_artifact(Text *t, const Release *release, const Artifact *a, Error *e);
/* What the spec meta needs: the release itself and every pin, as exact requirements. */
int spec_define_release(Text *t, const Release *release, Error *e);

/* The whole spec: the given definitions, those that every build needs (payload, digests, host, paths that not every rpm knows), the text
 * of SPECS_DIR/KIND.spec with its %include lines replaced by the files (comments dropped), a changelog of one entry. date: seconds, UTC.
 * *ret is owned by the caller. The same arguments give the same bytes, wherever and whenever. */
int spec_generate(const char *specs_dir, const char *kind, const char *definitions, int64_t date, const char *change, char **ret, Error *e);
