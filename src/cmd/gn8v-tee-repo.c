/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
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
        { "rollback", "--key=FPR [N]", "publish an earlier state again", verb_rollback },
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
        printf("gn8v-tee-repo [OPTION...] VERB [RELEASE...]\n\n"
               "Build, sign and publish the gn8v-tee package repository.\n\n"
               "Verbs:\n");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                printf("  %-11s %-22s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].summary);
        printf("\nOptions:\n"
               "  -C, --workspace=DIR  locks, store, packages, repo are here (default: .)\n"
               "      --releases=DIR   release files (default: repo/releases, else\n"
               "                       " RELEASES_DIR ")\n"
               "      --lock-timeout=SECONDS\n"
               "                       wait so long for another run to end (default: 0)\n"
               "      --json           one JSON document on standard output\n"
               "  -q, --quiet          errors only\n"
               "  -v, --verbose        say more\n"
               "      --version        print the version\n"
               "  -h, --help           this text; VERB --help tells more\n\n"
               "RELEASE is PROFILE-VERSION; without one, every release is meant.\n"
               "Exit codes and files: gn8v-tee-repo(1).\n");
}

int verb_usage(const char *verb, const char *fmt, ...) {
        va_list ap;

        fprintf(stderr, "gn8v-tee-repo: %s: ", verb);
        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fprintf(stderr, "\nTry: gn8v-tee-repo %s --help\n", verb);
        return EXIT_USAGE;
}

int parse_days(const char *s, int64_t *ret) {
        uint64_t days;

        if (streq(s, "none")) {
                *ret = -1;
                return 0;
        }
        if (parse_u64(s, &days) < 0 || days == 0 || days > VALID_DAYS_MAX)
                return -EINVAL;
        *ret = (int64_t) days * 24 * 60 * 60;
        return 0;
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

static int run_verb(Repo *repo, int argc, char *argv[]) {
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (streq(argv[0], verbs[i].name)) {
                        _cleanup_error_ Error e = ERROR_INIT;
                        int r;

                        optind = 0;
                        r = verbs[i].run(repo, argc, argv, &e);
                        release_free_many(repo->releases, repo->n_releases);
                        if (fflush(stdout) != 0 || ferror(stdout))
                                r = error_errno(&e, errno ? errno : EIO, "standard output");
                        return r < 0 ? (int) log_error(&e, r) : r;
                }
        fprintf(stderr, "gn8v-tee-repo: %s: there is no such verb\nTry: gn8v-tee-repo --help\n", argv[0]);
        return EXIT_USAGE;
}

int main(int argc, char *argv[]) {
        enum { ARG_RELEASES = 256, ARG_JSON, ARG_LOCK_TIMEOUT, ARG_VERSION };
        static const struct option options[] = {
                { "workspace", required_argument, NULL, 'C' },
                { "releases", required_argument, NULL, ARG_RELEASES },
                { "lock-timeout", required_argument, NULL, ARG_LOCK_TIMEOUT },
                { "json", no_argument, NULL, ARG_JSON },
                { "quiet", no_argument, NULL, 'q' },
                { "verbose", no_argument, NULL, 'v' },
                { "version", no_argument, NULL, ARG_VERSION },
                { "help", no_argument, NULL, 'h' },
                {}
        };
        Repo repo = { .workspace = "." };
        LogLevel level = LOG_NORMAL;
        uint64_t seconds;
        int c;

        open_standard_streams();
        (void) setlocale(LC_CTYPE, "");
        while ((c = getopt_long(argc, argv, "+C:qvh", options, NULL)) >= 0)
                switch (c) {
                case 'C': repo.workspace = optarg; break;
                case ARG_RELEASES: repo.releases_dir = optarg; break;
                case ARG_LOCK_TIMEOUT:
                        if (parse_u64(optarg, &seconds) < 0 || seconds > LOCK_TIMEOUT_MAX) {
                                fprintf(stderr, "gn8v-tee-repo: --lock-timeout %s: not a number of seconds from 0 to %d\n", optarg, LOCK_TIMEOUT_MAX);
                                return EXIT_USAGE;
                        }
                        lock_set_timeout((unsigned) seconds);
                        break;
                case ARG_JSON: repo.json = true; break;
                case 'q': level = LOG_QUIET; repo.quiet = true; break;
                case 'v': level = LOG_VERBOSE; break;
                case ARG_VERSION: puts("gn8v-tee-repo " GN8V_VERSION); return EXIT_OK;
                case 'h': help(); return EXIT_OK;
                default: fprintf(stderr, "Try: gn8v-tee-repo --help\n"); return EXIT_USAGE;
                }
        log_setup("gn8v-tee-repo", level);
        if (!repo.releases_dir)
                repo.releases_dir = access("repo/releases", R_OK) == 0 ? "repo/releases" : RELEASES_DIR;
        if (optind >= argc) {
                fprintf(stderr, "gn8v-tee-repo: a verb is missing\nTry: gn8v-tee-repo --help\n");
                return EXIT_USAGE;
        }
        return run_verb(&repo, argc - optind, argv + optind);
}
