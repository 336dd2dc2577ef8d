/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs that download share: options, the bar, and what is said of each file. */
#pragma once

#include "cmd/repo.h"
#include "repo/fetch.h"

#define FETCHING_HELP                                                                \
        "  -j, --parallel=N         downloads at a time (default: 4)\n"                    \
        "      --timeout=SECONDS    to connect, and to go without data (default: 30)\n"

/* Where reference manifests are taken from. */
#define FETCHING_RIM_HELP                                                            \
        "      --rim-url=URL        ask this server for manifests; may be repeated\n" \
        "      --rim-dir=DIR        take manifests (ID.xml) from there if they are there\n"

/* Takes the argument of --rim-url. */
int fetching_rim_url(const char *value, char ***urls);

/* Takes the argument of --parallel or --timeout (a positive number up to max) into *ret: EXIT_OK, or EXIT_USAGE when it was told. */
int fetching_number(const char *value, unsigned max, unsigned *ret);

/* Fills the options for a run: the bar, and a line for each file, unless quiet. progress_end() is the caller's. */
void fetching_begin(FetchOptions *options, Progress *progress, const Repo *repo);
