/* SPDX-License-Identifier: Apache-2.0 */
/* What every verb of gn8v-tee-attest gets. One file a verb: src/cmd/attest-VERB.c. */
#pragma once

#include <jansson.h>

#include "attest/verdict.h"
#include "basic/error.h"
#include "cmd/options.h"
#include "cmd/output.h"

typedef struct Attest {
        const TrustRoots *roots;
        bool json, quiet, verbose;
} Attest;

typedef struct AttestVerb {
        const char *name, *arguments, *summary;
        /* As repo.h's: parses its own options, does the work. Returns an ExitCode (>= 0), or -errno with e filled. */
        int (*run)(Attest *attest, int argc, char *argv[], Error *e);
} AttestVerb;

/* attest-roots.c: NVIDIA's. The tests link another file in its place; the program has no switch for it. */
const TrustRoots *attest_roots(void);

int verb_attest_verify(Attest *attest, int argc, char *argv[], Error *e);
int verb_attest_collect(Attest *attest, int argc, char *argv[], Error *e);
int verb_attest_run(Attest *attest, int argc, char *argv[], Error *e);
int verb_attest_fetch(Attest *attest, int argc, char *argv[], Error *e);
int verb_attest_rim(Attest *attest, int argc, char *argv[], Error *e);
int verb_attest_gate(Attest *attest, int argc, char *argv[], Error *e);

#define ATTEST_TIMEOUT_MAX 600 /* seconds */
/* The value of --at, which is a time or a date: EXIT_OK, or EXIT_USAGE (told). */
int attest_take_time(const char *value, int64_t *ret);

/* attest-table.c: the verdict for people, on standard output; and as JSON. */
void attest_print_table(const Verdict *v, bool all);
/* claims: ClaimsVersion of NVIDIA's claims to be in it, or -1; alone, without what we say ourselves, unless whole. */
/* refused: which policy refuses it, and why; NULL: none. */
int attest_print_json(const Verdict *v, const char *refused, bool whole, int claims, Error *e);
