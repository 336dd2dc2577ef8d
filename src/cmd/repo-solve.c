/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/log.h"
#include "cmd/repo-proof.h"

/* The program that loads few libraries has neither. */
#pragma weak solve_packages
#pragma weak world_readers

static void help(void) {
        printf("gn8v-tee-repo solve [OPTION...] [RELEASE...]\n\n"
               "Prove by libsolv, as dnf with best=True decides, that every package installs,\n"
               "that each metapackage brings all pins of its release, that those of different\n"
               "profiles exclude each other, and that older releases upgrade to the newest.\n"
               "Without --repo the workspace's packages and stored vendor RPMs are tried.\n\n"
               "      --repo=DIR        a repository: the directory with repodata/\n"
               "      --platform=PATH   what the target system provides: a list, or a mirror's\n"
               "                        directory with repodata/; may be repeated (default:\n"
               "                        platform/el8.provides)\n"
               "      --beside=DIR      a repository that is enabled beside this one: upgrades\n"
               "                        must leave the pins alone; may be repeated\n"
               "      --json            one JSON document on standard output\n"
               "  -h, --help            this text\n\n"
               "Exit codes: 0 proven; 1 no packages, no such repository or platform; 3 a lock\n"
               "is missing or stale; 5 metadata without the digest that repomd.xml states;\n"
               "6 malformed; 10 something is not proven.\n");
}

/* What the program that loads few libraries cannot do: packages, and metadata that is not plain. Nothing that can be read only once may be begun then. */
static bool is_plain(const ProveOptions *o) {
        struct stat st;

        STRV_FOREACH(s, o->platforms)
                if (stat(*s, &st) < 0 || !S_ISREG(st.st_mode))
                        return false;
        return o->repo;
}

static int run(Repo *repo, ProveOptions *o, Error *e) {
        _cleanup_(prove_report_freep) ProveReport *report = NULL;
        _cleanup_strv_ char **rpms = NULL;
        int r;

        if (!solve_packages && !is_plain(o))
                return run_full("solve");
        if (!o->repo && (r = solve_packages(repo, &rpms, e)) < 0)
                return r;
        o->readers = solve_packages ? &world_readers : NULL;
        o->rpms = rpms;
        o->releases = repo->releases;
        o->n_releases = repo->n_releases;
        r = prove(o, &report, e);
        if (r == -EOPNOTSUPP && !solve_packages)
                return run_full("solve");
        if (r < 0)
                return r;
        if (repo->json) {
                r = print_json(proof_to_json(report), e);
                return r < 0 ? r : report->n_failed > 0 ? EXIT_UNSOLVABLE : EXIT_OK;
        }
        if (repo->quiet) {
                r = prove_report_error(report, e);
                return r < 0 ? r : EXIT_OK;
        }
        proof_print(report);
        if (report->n_failed > 0)
                return error_hint(e, error_set(e, ENOTSUP, EXIT_UNSOLVABLE, "%zu of %zu checks failed", report->n_failed, report->n_checks),
                                  "build what is missing; if the target has it, say so in the platform file (--platform)");
        return EXIT_OK;
}

int verb_solve(Repo *repo, int argc, char *argv[], Error *e) {
        enum { ARG_REPO = 256, ARG_PLATFORM, ARG_BESIDE };
        static const Option options[] = {
                { "repo", ARG_REPO, "DIR" },
                { "platform", ARG_PLATFORM, "PATH" },
                { "beside", ARG_BESIDE, "DIR" },
                {}
        };
        _cleanup_strv_ char **platforms = NULL, **beside = NULL;
        ProveOptions o = {};
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case ARG_REPO: o.repo = optarg; break;
                case ARG_PLATFORM:
                        if (strv_append(&platforms, optarg) < 0)
                                return error_oom(e);
                        break;
                case ARG_BESIDE:
                        if (strv_append(&beside, optarg) < 0)
                                return error_oom(e);
                        break;
                case 'h': help(); return EXIT_OK;
                default: return option_status();
                }
        if ((r = repo_load_releases(repo, argc - optind, argv + optind, e)) < 0 || (r = proof_default_platform(repo, &platforms, e)) < 0)
                return r;
        o.platforms = platforms;
        o.beside = beside;
        return run(repo, &o, e);
}
