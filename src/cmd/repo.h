/* SPDX-License-Identifier: Apache-2.0 */
/* What every verb of gn8v-tee-repo gets. One file a verb: src/cmd/repo-VERB.c. */
#pragma once

#include "basic/error.h"
#include "cmd/options.h"
#include "cmd/output.h"
#include "release/release.h"

#define KEEP_DEFAULT   3 /* generations */
#define KEEP_MAX       1000
#define VALID_DAYS_MAX 3650

typedef struct Repo {
        const char *workspace;    /* -C, default "." */
        const char *releases_dir; /* --releases */
        bool workspace_given, json, quiet;
        Release **releases;       /* those named on the command line after the verb's options, or all; sorted by name */
        size_t n_releases;
} Repo;

typedef struct Verb {
        const char *name, *arguments, *summary;
        /* Parses its own options (option_next(); common ones may be among them, so repo is looked at behind that), does the work.
         * Returns an ExitCode (>= 0), or -errno with e filled. */
        int (*run)(Repo *repo, int argc, char *argv[], Error *e);
        const char *program; /* that has it; NULL: the one with all libraries */
} Verb;

/* Loads repo->releases: those named in argv (PROFILE-VERSION), or every one in releases_dir. */
int repo_load_releases(Repo *repo, int argc, char *argv[], Error *e);
/* The repository that a verb is about, owned by the caller: dir (--repo) or the workspace's. With must_be it is an error when it is not there. */
int repo_directory(const Repo *repo, const char *dir, bool must_be, char **ret, Error *e);

/* The value of --valid-days: days, as seconds; "none" is -1. 0, or EXIT_USAGE (told). */
int take_days(const char *value, int64_t *ret);

/* Takes an argument of --baseurl: a URL, or "none", which becomes an empty string; see repo_file_place(). */
int take_baseurl(const char *url, const char **ret, Error *e);

/* Takes an argument of --mirror-url: a URL, or "none", which makes the list empty instead of NULL; see metalink_stage(). */
int take_mirror_url(const char *url, char ***urls, Error *e);

/* That the state which was asked for was there, and what of it had to be made good. */
void print_repaired(const char *path, uint64_t generation, char *const *repaired);

/* That the published state is the one that was asked for; and what beside it (see repository.h) is not what it was, or else that there was nothing to be done. */
void print_unchanged(const char *path, uint64_t generation, const char *what, const char *nothing, char *const *beside);

/* The verb by the program that has all of it and loads all libraries, with the words that this one was called with: returns only if it cannot be run. */
int run_full(const char *verb);
/* The paths of the workspace's packages and stored vendor RPMs are appended. */
int solve_packages(const Repo *repo, char ***rpms, Error *e);

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
