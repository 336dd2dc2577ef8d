/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "cmd/output.h"
#include "cmd/repo-signer.h"
#include "cmd/repo.h"
#include "repo/rollback.h"

static void help(void) {
        printf("gn8v-tee-repo rollback --key=FPR [OPTION...] [GENERATION]\n\n"
               "Publish an earlier state again: the named generation, or the one before the\n"
               "published one. It gets a new number, because clients that remember the number\n"
               "they saw would take the old one for a replay. Machines that have newer packages\n"
               "keep them until 'dnf distro-sync'.\n\n"
               "      --key=FPR, --gnupghome=DIR, --passphrase-file=FILE, --passphrase-fd=N,\n"
               "      --key-file=URI, --user-id=TEXT, --key-created=DATE\n"
               "                       the key that published that generation; see publish\n"
               "      --also-key=FPR, --also-key-file=URI\n"
               "                       the other one, while one key replaces another\n"
               "      --repo=DIR       the repository (default: WORKSPACE/repo)\n"
               "      --keep=N         generations kept (default: %d)\n"
               "      --valid-days=N   see publish (default: as of the published state)\n"
               "      --mirror-url=URL see publish (default: as it is there now)\n"
               "      --json           one JSON document on standard output\n"
               "  -h, --help           this text\n\n"
               "Exit codes: 0 published, or there already; 1 no such generation; 5 its packages\n"
               "are not as they were, or another key's; 6 malformed; 8 no space; 9 another run\n"
               "is at work.\n", KEEP_DEFAULT);
}

static int run(const Repo *repo, SignerArguments *signer, RollbackOptions *o, Error *e) {
        _cleanup_(generation_freep) Generation *g = NULL;
        _cleanup_(signers_clear) Signers s = {};
        int r;

        r = signers_from_arguments(signer, &s, e);
        if (r < 0)
                return r;
        o->signers = &s;
        r = rollback(o, &g, e);
        if (r < 0)
                return r;
        if (repo->json)
                return print_json(json_pack("{s:o, s:I, s:I, s:s}", "repo", json_text(o->repo), "generation", (json_int_t) g->number, "packages",
                                            (json_int_t) g->n_packages, "repomd_sha256", g->repomd_sha256), e);
        if (!repo->quiet)
                printf("%s: generation %" PRIu64 ", %zu packages\n", o->repo, g->number, g->n_packages);
        return EXIT_OK;
}

int verb_rollback(Repo *repo, int argc, char *argv[], Error *e) {
        enum { ARG_REPO = 256, ARG_KEEP, ARG_VALID_DAYS, ARG_MIRROR_URL };
        static const Option options[] = {
                SIGNER_OPTIONS,
                { "repo", ARG_REPO, "DIR" },
                { "keep", ARG_KEEP, "N" },
                { "valid-days", ARG_VALID_DAYS, "N" },
                { "mirror-url", ARG_MIRROR_URL, "URL" },
                {}
        };
        _cleanup_free_ char *path = NULL;
        RollbackOptions o = { .keep = KEEP_DEFAULT };
        _cleanup_(signer_arguments_clear) SignerArguments signer = {};
        uint64_t keep;
        _cleanup_strv_ char **mirror_urls = NULL;
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case ARG_REPO: o.repo = optarg; break;
                case ARG_KEEP:
                        if (option_number(optarg, 1, KEEP_MAX, &keep) != EXIT_OK)
                                return EXIT_USAGE;
                        o.keep = (unsigned) keep;
                        break;
                case ARG_VALID_DAYS:
                        if (take_days(optarg, &o.valid_sec) != EXIT_OK)
                                return EXIT_USAGE;
                        break;
                case ARG_MIRROR_URL:
                        if ((r = take_mirror_url(optarg, &mirror_urls, e)) < 0)
                                return r;
                        break;
                case 'h': help(); return EXIT_OK;
                default:
                        if (!signer_argument(&signer, c, optarg))
                                return option_status();
                }
        if (argc - optind > 1)
                return verb_too_many("rollback", argv[optind + 1]);
        if ((optind < argc && (parse_u64(argv[optind], &o.generation) < 0 || o.generation == 0)))
                return verb_usage("rollback", "%s: not a generation's number", argv[optind]);
        if (!signer_named(&signer))
                return verb_usage("rollback", "--key is missing: the key that published that generation");
        if (signer_arguments_wrong(&signer))
                return verb_usage("rollback", "%s", signer_arguments_wrong(&signer));
        if ((r = repo_directory(repo, o.repo, true, &path, e)) < 0)
                return r;
        o.workspace = repo->workspace;
        o.repo = path;
        o.mirror_urls = mirror_urls;
        return run(repo, &signer, &o, e);
}
