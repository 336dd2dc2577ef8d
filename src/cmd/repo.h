/* SPDX-License-Identifier: Apache-2.0 */
/* What every verb of gn8v-tee-repo gets. One file a verb: src/cmd/repo-VERB.c. */
#pragma once

#include "basic/error.h"
#include "release/release.h"

#define KEEP_DEFAULT   3 /* generations */
#define KEEP_MAX       1000
#define VALID_DAYS_MAX 3650

typedef struct Repo {
        const char *workspace;    /* -C, default "." */
        const char *releases_dir; /* --releases */
        bool json, quiet;
        Release **releases;       /* those named on the command line after the verb's options, or all; sorted by name */
        size_t n_releases;
} Repo;

typedef struct Verb {
        const char *name, *arguments, *summary;
        /* Parses its own options (getopt_long; --help and usage errors through verb_help/verb_usage), does the work.
         * Returns an ExitCode (>= 0), or -errno with e filled. */
        int (*run)(Repo *repo, int argc, char *argv[], Error *e);
} Verb;

/* Loads repo->releases: those named in argv (PROFILE-VERSION), or every one in releases_dir. */
int repo_load_releases(Repo *repo, int argc, char *argv[], Error *e);
/* For a verb's unknown option or wrong count of words: a one-line reason and "Try ... --help". */
int verb_usage(const char *verb, const char *fmt, ...) _printf_(2, 3);

/* A number of days, as seconds; "none" is -1: 0 or -EINVAL. */
int parse_days(const char *s, int64_t *ret);

/* Takes an argument of --mirror-url: a URL, or "none", which makes the list empty instead of NULL; see metalink_stage(). */
int take_mirror_url(const char *url, char ***urls, Error *e);

int verb_lock(Repo *repo, int argc, char *argv[], Error *e);
int verb_fetch(Repo *repo, int argc, char *argv[], Error *e);
int verb_build(Repo *repo, int argc, char *argv[], Error *e);
int verb_add(Repo *repo, int argc, char *argv[], Error *e);
int verb_remove(Repo *repo, int argc, char *argv[], Error *e);
int verb_publish(Repo *repo, int argc, char *argv[], Error *e);
int verb_solve(Repo *repo, int argc, char *argv[], Error *e);
int verb_verify(Repo *repo, int argc, char *argv[], Error *e);
int verb_generations(Repo *repo, int argc, char *argv[], Error *e);
int verb_rollback(Repo *repo, int argc, char *argv[], Error *e);
int verb_export(Repo *repo, int argc, char *argv[], Error *e);
int verb_import(Repo *repo, int argc, char *argv[], Error *e);
int verb_mirror(Repo *repo, int argc, char *argv[], Error *e);
int verb_sbom(Repo *repo, int argc, char *argv[], Error *e);
int verb_prune(Repo *repo, int argc, char *argv[], Error *e);
int verb_diff(Repo *repo, int argc, char *argv[], Error *e);
int verb_list(Repo *repo, int argc, char *argv[], Error *e);
int verb_wrap(Repo *repo, int argc, char *argv[], Error *e);
int verb_render(Repo *repo, int argc, char *argv[], Error *e);
