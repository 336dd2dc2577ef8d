/* SPDX-License-Identifier: Apache-2.0 */
#include <locale.h>

#include "basic/fs.h"
#include "basic/log.h"
#include "basic/process.h"
#include "cmd/repo.h"

#define LOCK_TIMEOUT_MAX (7 * 24 * 60 * 60)
#define RELEASES_DIR "/usr/share/gn8v-tee-repo/releases"

/* Four programs have this beginning, for most of a short run is spent loading libraries: the one that is called has no verb, but knows which program
 * has it; one has what needs few libraries, one what needs no network, one the rest. A verb that is not linked in is NULL. */
#pragma weak verb_lock
#pragma weak verb_fetch
#pragma weak verb_build
#pragma weak verb_add
#pragma weak verb_remove
#pragma weak verb_publish
#pragma weak verb_solve
#pragma weak verb_verify
#pragma weak verb_generations
#pragma weak verb_diff
#pragma weak verb_rollback
#pragma weak verb_export
#pragma weak verb_import
#pragma weak verb_mirror
#pragma weak verb_prune
#pragma weak verb_sbom
#pragma weak verb_list
#pragma weak verb_wrap
#pragma weak verb_render

#define LIGHT "gn8v-tee-repo-light"
#define LOCAL "gn8v-tee-repo-local"
#define FULL "gn8v-tee-repo-full"

static const Verb verbs[] = {
        { "lock", "[RELEASE...]", "take every URL, size and digest", verb_lock },
        { "fetch", "[RELEASE...]", "fill the store from the locks", verb_fetch },
        { "build", "[RELEASE...]", "make packages that are missing or old", verb_build },
        { "add", "FILE.rpm...", "publish others' packages, too", verb_add },
        { "remove", "NAME...", "take such packages away again", verb_remove },
        { "publish", "--key=FPR [RELEASE...]", "sign, index, prove, switch", verb_publish, LOCAL },
        { "solve", "[RELEASE...]", "prove that all installs and upgrades", verb_solve, LIGHT },
        { "verify", "[RELEASE...]", "follow the chain to the key, offline", verb_verify },
        { "generations", "", "list the published states that are kept", verb_generations, LOCAL },
        { "diff", "A [B]", "what changes between published states", verb_diff },
        { "rollback", "--key=FPR [GENERATION]", "publish an earlier state again", verb_rollback },
        { "export", "--key=FPR FILE", "write a published state to one signed file", verb_export },
        { "import", "FILE", "publish the state that such a file holds", verb_import },
        { "mirror", "URL DIR", "copy a repository, or what packages need", verb_mirror },
        { "prune", "--keep=N", "remove older published states", verb_prune, LOCAL },
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

static char **words; /* of the command line */

/* Another of our programs with the same words: installed, or beside this one in a build folder. */
static int run_program(const char *name, const char *verb) {
        _cleanup_free_ char *self = realpath("/proc/self/exe", NULL), *dir = NULL, *installed = NULL, *beside = NULL;

        dir = self ? strndup(self, (size_t) (strrchr(self, '/') - self)) : strdup("/usr/bin");
        if (!dir || !(installed = format("%s/../libexec/gn8v-tee-repo/%s", dir, name)) || !(beside = path_join(dir, name))) {
                fprintf(stderr, "gn8v-tee-repo: out of memory\n");
                return EXIT_FAILED;
        }
        if (self && streq(path_basename(self), name))
                return verb_usage(verb, "not a verb of this program");
        (void) execv(installed, words);
        if (errno == ENOENT)
                (void) execv(beside, words);
        fprintf(stderr, "gn8v-tee-repo: %s: %s\nInstall gn8v-tee-repo again\n", installed, strerror(errno));
        return EXIT_FAILED;
}

int run_full(const char *verb) {
        return run_program(FULL, verb);
}

/* The next action of what may go wrong with any file, where nobody had one that is better. */
static int hint_of_files(int r, Error *e) {
        switch (r) {
        case -EACCES:
        case -EPERM: return error_hint(e, r, "run it as the owner of that file or directory, or change who may use it");
        case -ENOSPC:
        case -EDQUOT: return error_hint(e, r, "make room on that disk, and run it again");
        case -ENOENT: return error_hint(e, r, "is that path right? What is named has to be there");
        case -EISDIR:
        case -ENOTDIR: return error_hint(e, r, "is that path right? It is another kind of file than what is wanted");
        default: return r;
        }
}

static int run_verb(Repo *repo, int argc, char *argv[]) {
        const char *names[ELEMENTSOF(verbs) + 1] = {};

        for (size_t i = 0; i < ELEMENTSOF(verbs); i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                int r;

                names[i] = verbs[i].name;
                if (!streq(argv[0], verbs[i].name))
                        continue;
                if (!verbs[i].run)
                        return run_program(verbs[i].program ? verbs[i].program : FULL, argv[0]);
                optind = 0;
                r = verbs[i].run(repo, argc, argv, &e);
                release_free_many(repo->releases, repo->n_releases);
                return output_done(hint_of_files(r, &e), &e);
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

        words = argv;
        open_standard_streams();
        (void) setlocale(LC_CTYPE, "");
        log_setup(program.name, LOG_NORMAL);
        program_begin(&program, argc, argv);
        r = options_before_verb(argc, argv, help);
        if (r >= 0)
                return r;
        return optind < argc ? run_verb(&repo, argc - optind, argv + optind) : verb_usage(NULL, "a verb is missing");
}
