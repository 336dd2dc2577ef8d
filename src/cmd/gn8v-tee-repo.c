/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <locale.h>

#include "basic/fs.h"
#include "basic/log.h"
#include "basic/process.h"
#include "cmd/repo.h"
#include "repo/repo-file.h"

#define LOCK_TIMEOUT_MAX (7 * 24 * 60 * 60)
#define RELEASES_DIR "/usr/share/gn8v-tee-repo/releases"

static const Verb verbs[] = {
        { "lock", "[RELEASE...]", "take every URL, size and digest", verb_lock },
        { "fetch", "[RELEASE...]", "fill the store from the locks", verb_fetch },
        { "build", "[RELEASE...]", "make packages that are missing or old", verb_build },
        { "add", "FILE.rpm...", "publish others' packages, too", verb_add },
        { "remove", "NAME...", "take such packages away again", verb_remove },
        { "publish", "--key=FPR [RELEASE...]", "sign, index, prove, switch", verb_publish },
        { "solve", "[RELEASE...]", "prove that all installs and upgrades", verb_solve },
        { "verify", "[RELEASE...]", "follow the chain to the key, offline", verb_verify },
        { "generations", "", "list the published states that are kept", verb_generations },
        { "diff", "A [B]", "what changes between published states", verb_diff },
        { "rollback", "--key=FPR [GENERATION]", "publish an earlier state again", verb_rollback },
        { "export", "--key=FPR FILE", "write a published state to one signed file", verb_export },
        { "import", "FILE", "publish the state that such a file holds", verb_import },
        { "mirror", "URL DIR", "copy a repository, or what packages need", verb_mirror },
        { "prune", "--keep=N", "remove older published states", verb_prune },
        { "sbom", "RELEASE", "write what it is made of, as SPDX JSON", verb_sbom },
        { "list", "[RELEASE...]", "show the artifacts and their state", verb_list },
        { "wrap", "OPTION... ARCHIVE", "place a vendor archive's files (for specs)", verb_wrap },
        { "render", "OPTION...", "write the metapackage's files (for specs)", verb_render },
};

static void help(void) {
        printf("gn8v-tee-repo [OPTION...] VERB [OPTION...] [ARGUMENT...]\n\n"
               "Build, sign and publish the gn8v-tee package repository.\n\n"
               "Verbs:\n");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                printf("  %-11s %-22s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].summary);
        printf("\nOptions:\n"
               "  -C, --workspace=DIR  locks, store, packages, repo are here (default: .)\n"
               "      --releases=DIR   release files (default: repo/releases, else\n"
               "                       " RELEASES_DIR ")\n"
               "      --lock-timeout=SECONDS\n"
               "                       wait that long for another run to end (default: 0)\n"
               "      --json           one JSON document on standard output\n"
               "  -q, --quiet          warnings and errors only\n"
               "  -v, --verbose        say more\n"
               "      --version        print the version\n"
               "  -h, --help           this text; VERB --help tells more\n\n"
               "RELEASE is PROFILE-VERSION; without one, every release is meant.\n"
               "Exit codes: 0 done; 2 wrong words on the command line; VERB --help and\n"
               "gn8v-tee-repo(1) have the others.\n");
}

int take_days(const char *value, int64_t *ret) {
        uint64_t days;

        if (streq(value, "none")) {
                *ret = -1;
                return EXIT_OK;
        }
        if (parse_u64(value, &days) < 0 || days == 0 || days > VALID_DAYS_MAX) {
                _cleanup_free_ char *why = format("not a number from 1 to %d, nor none", VALID_DAYS_MAX);

                return option_refuse(why ? why : "not a number of days");
        }
        *ret = (int64_t) days * 24 * 60 * 60;
        return EXIT_OK;
}

int take_mirror_url(const char *url, char ***urls, Error *e) {
        int r;

        if (streq(url, "none")) {
                if (strv_length(*urls) > 0)
                        return error_set(e, EINVAL, EXIT_USAGE, "--mirror-url none: another one is given, too");
                if (!*urls && !(*urls = calloc(1, sizeof(**urls))))
                        return error_oom(e);
                return 0;
        }
        if ((r = repo_url_check("--mirror-url", url, e)) < 0)
                return r;
        return strv_append(urls, url) < 0 ? error_oom(e) : 0;
}

int repo_load_releases(Repo *repo, int argc, char *argv[], Error *e) {
        Release **v;
        size_t n;
        int r;

        if (argc == 0)
                return release_load_directory(repo->releases_dir, &repo->releases, &repo->n_releases, e);
        v = calloc((size_t) argc, sizeof(Release *));
        if (!v)
                return error_oom(e);
        for (n = 0; n < (size_t) argc; n++) {
                _cleanup_free_ char *path = NULL;

                if (strchr(argv[n], '/') || argv[n][0] == '.')
                        r = error_set(e, EINVAL, EXIT_USAGE, "%s: not a release's name", argv[n]);
                else if (!(path = format("%s/%s.conf", repo->releases_dir, argv[n])))
                        r = error_oom(e);
                else
                        r = release_load(path, &v[n], e);
                if (r < 0) {
                        release_free_many(v, n);
                        return error_hint(e, r, "'gn8v-tee-repo list' shows the releases there are");
                }
        }
        repo->releases = v;
        repo->n_releases = n;
        return 0;
}

int repo_directory(const Repo *repo, const char *dir, bool must_be, char **ret, Error *e) {
        _cleanup_free_ char *path = dir ? strdup(dir) : path_join(repo->workspace, "repo");
        int r;

        if (!path)
                return error_oom(e);
        if (must_be && !dir && access(repo->workspace, F_OK) < 0)
                return error_hint(e, error_errno(e, errno, "%s", repo->workspace), "-C names the workspace: the directory with locks, store, packages and repo");
        if (must_be && !is_folder(AT_FDCWD, path)) {
                r = error_set(e, ENOENT, EXIT_FAILED, "%s: there is no repository", path);
                return error_hint(e, r, dir ? "--repo names the directory that was published to, or copied" : "publish first, or name the repository: --repo");
        }
        *ret = TAKE_PTR(path);
        return 0;
}

static int run_verb(Repo *repo, int argc, char *argv[]) {
        const char *names[ELEMENTSOF(verbs) + 1] = {};

        for (size_t i = 0; i < ELEMENTSOF(verbs); i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                int r;

                names[i] = verbs[i].name;
                if (!streq(argv[0], verbs[i].name))
                        continue;
                optind = 0;
                r = verbs[i].run(repo, argc, argv, &e);
                release_free_many(repo->releases, repo->n_releases);
                return output_done(r, &e);
        }
        return verb_unknown(argv[0], names);
}

enum { ARG_RELEASES = ARG_COMMON_OTHER, ARG_LOCK_TIMEOUT };

static const Option common[] = {
        { "workspace", 'C', "DIR" },
        { "releases", ARG_RELEASES, "DIR" },
        { "lock-timeout", ARG_LOCK_TIMEOUT, "SECONDS" },
        OPTION_JSON,
        { "quiet", 'q', NULL },
        { "verbose", 'v', NULL },
        OPTION_VERSION,
        OPTION_HELP,
        {}
};

static int take_common(void *userdata, int id, const char *value) {
        Repo *repo = userdata;
        uint64_t seconds;
        int r;

        switch (id) {
        case 'C': repo->workspace = value; repo->workspace_given = true; break;
        case ARG_RELEASES: repo->releases_dir = value; break;
        case ARG_LOCK_TIMEOUT:
                if ((r = option_number(value, 0, LOCK_TIMEOUT_MAX, &seconds)) != EXIT_OK)
                        return r;
                lock_set_timeout((unsigned) seconds);
                break;
        case ARG_COMMON_JSON: repo->json = true; break;
        case 'q': repo->quiet = true; log_setup("gn8v-tee-repo", LOG_QUIET); break;
        case 'v': log_setup("gn8v-tee-repo", LOG_VERBOSE); break;
        default: break;
        }
        return EXIT_OK;
}

int main(int argc, char *argv[]) {
        Repo repo = { .workspace = ".", .releases_dir = access("repo/releases", R_OK) == 0 ? "repo/releases" : RELEASES_DIR };
        const Program program = { "gn8v-tee-repo", common, take_common, &repo };
        int r;

        open_standard_streams();
        (void) setlocale(LC_CTYPE, "");
        log_setup(program.name, LOG_NORMAL);
        program_begin(&program, argc, argv);
        r = options_before_verb(argc, argv, help);
        if (r >= 0)
                return r;
        return optind < argc ? run_verb(&repo, argc - optind, argv + optind) : verb_usage(NULL, "a verb is missing");
}
