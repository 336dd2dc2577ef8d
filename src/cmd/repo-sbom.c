/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "basic/fs.h"
#include "cmd/output.h"
#include "cmd/repo.h"
#include "repo/repo-file.h"
#include "repo/workspace-lock.h"
#include "repo/sbom.h"

static void help(void) {
        printf("gn8v-tee-repo sbom [OPTION...] RELEASE\n\n"
               "Write what a published release is made of, as SPDX 2.3 in JSON: its packages and\n"
               "the vendors' files that they were made from, with digests, licences, and what\n"
               "needs what. The same state gives the same bytes.\n\n"
               "      --output=FILE      write it there, not to standard output\n"
               "      --baseurl=URL      where the repository is served, for package locations\n"
               "      --repo=DIR         the repository (default: WORKSPACE/repo)\n"
               "      --generation=N     a generation's number, or previous (default: current)\n"
               "      --json             with --output: say as JSON what was written\n"
               "  -h, --help             this text\n\n"
               "Exit codes: 0 written; 1 not published; 3 the lock is missing or stale, or it\n"
               "was published with another one; 5 a package is not as it was published; 6\n"
               "malformed; 8 no space.\n");
}

static int load_lock(const Repo *repo, const Release *release, Lock **ret, char ret_sha256[static SHA256_HEX_SIZE], Error *e) {
        _cleanup_free_ char *name = release_name(release), *path = name ? format("%s/locks/%s.lock", repo->workspace, name) : NULL;
        int r;

        if (!path)
                return error_oom(e);
        if ((r = workspace_lock_load(repo->workspace, release, ret, e)) < 0)
                return error_hint(e, r, "'gn8v-tee-repo lock %s' makes it", name);
        r = sha256_file(AT_FDCWD, path, ret_sha256);
        return r < 0 ? error_errno(e, -r, "%s", path) : 0;
}

/* Written to a file, it leaves standard output to what --json says of it. */
static int write_out(const Repo *repo, const char *output, const char *text, Error *e) {
        int r;

        if (output) {
                if ((r = write_output(output, text, e)) < 0)
                        return r;
                return repo->json ? print_json(json_pack("{s:o, s:I}", "file", json_text(output), "size", (json_int_t) strlen(text)), e) : 0;
        }
        output_told();
        return fputs(text, stdout) < 0 || fflush(stdout) != 0 ? error_errno(e, errno, "standard output") : 0;
}

static int run(Repo *repo, const char *path, const char *generation, const char *baseurl, const char *output, char *name, Error *e) {
        _cleanup_published_state_ PublishedState state = { .repo_fd = -1 };
        _cleanup_free_ char *text = NULL, *base = baseurl ? strdup(baseurl) : NULL;
        _cleanup_(lock_freep) Lock *lock = NULL;
        char lock_sha256[SHA256_HEX_SIZE];
        SbomOptions o = { .state = &state, .lock_sha256 = lock_sha256 };
        int r;

        if (baseurl && !base)
                return error_oom(e);
        while (base && endswith(base, "/"))
                base[strlen(base) - 1] = '\0';
        if ((r = repo_load_releases(repo, 1, &name, e)) < 0 || (r = load_lock(repo, repo->releases[0], &lock, lock_sha256, e)) < 0 ||
            (r = published_state_open(path, generation, &state, e)) < 0)
                return r;
        o.release = repo->releases[0];
        o.lock = lock;
        o.baseurl = base;
        r = sbom_make(&o, &text, e);
        return r < 0 ? r : write_out(repo, output, text, e);
}

int verb_sbom(Repo *repo, int argc, char *argv[], Error *e) {
        enum { ARG_OUTPUT = 256, ARG_BASEURL, ARG_REPO, ARG_GENERATION };
        static const Option options[] = {
                { "output", ARG_OUTPUT, "FILE" },
                { "baseurl", ARG_BASEURL, "URL" },
                { "repo", ARG_REPO, "DIR" },
                { "generation", ARG_GENERATION, "N" },
                {}
        };
        const char *dir = NULL, *generation = "current", *baseurl = NULL, *output = NULL;
        _cleanup_free_ char *path = NULL;
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case ARG_OUTPUT: output = optarg; break;
                case ARG_BASEURL: baseurl = optarg; break;
                case ARG_REPO: dir = optarg; break;
                case ARG_GENERATION:
                        if (!generation_word_is_valid(optarg))
                                return option_refuse("neither a generation's number, current nor previous");
                        generation = optarg;
                        break;
                case 'h': help(); return EXIT_OK;
                default: return option_status();
                }
        if (optind + 1 != argc)
                return verb_usage("sbom", "one RELEASE is needed");
        if (baseurl && (r = repo_url_check("--baseurl", baseurl, e)) < 0)
                return r;
        if ((r = repo_directory(repo, dir, true, &path, e)) < 0)
                return r;
        return run(repo, path, generation, baseurl, output, argv[optind], e);
}
