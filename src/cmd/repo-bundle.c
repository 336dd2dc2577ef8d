/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs for a network that files are carried to: export and import. */
#include <inttypes.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "cmd/output.h"
#include "cmd/repo-signer.h"
#include "cmd/repo.h"
#include "repo/bundle.h"
#include "repo/diff.h"

static void help_export(void) {
        printf("gn8v-tee-repo export --key=FPR [OPTION...] FILE\n\n"
               "Write a published state to one signed file, for a network that has no other way\n"
               "in: metadata, packages, keys. The same state gives the same bytes.\n\n"
               "      --key=FPR, --gnupghome=DIR, --passphrase-file=FILE, --passphrase-fd=N,\n"
               "      --key-file=URI, --user-id=TEXT, --key-created=DATE\n"
               "                       the key that published that state; see publish\n"
               "      --also-key=FPR, --also-key-file=URI\n"
               "                       the other one, while one key replaces another\n"
               "      --generation=N   the state to export: a number, or previous (default:\n"
               "                       current)\n"
               "      --since=N        leave out the packages that generation N has: whoever\n"
               "                       imports it has imported that one\n"
               "      --repo=DIR       the repository (default: WORKSPACE/repo)\n"
               "      --json           one JSON document on standard output\n"
               "  -h, --help           this text\n\n"
               "Exit codes: 0 written; 1 no such generation; 5 a file is not as it was\n"
               "published, or the key is another; 6 malformed; 8 no space; 9 another run\n"
               "is at work.\n");
}

static void help_import(void) {
        printf("gn8v-tee-repo import [OPTION...] FILE\n\n"
               "Make the state in an exported file the published one. The signature is checked\n"
               "before anything is touched, and every file against what was signed; a run that\n"
               "fails or is killed leaves the old state.\n\n"
               "      --key=FPR        full fingerprint of the exporter's key (default: of those\n"
               "                       that signed the state which is there); may be repeated:\n"
               "                       one of them must have signed\n"
               "      --repo=DIR       the repository (default: WORKSPACE/repo)\n"
               "      --baseurl=URL    where clients will find it (default: as it is there now,\n"
               "                       else file:// and the repository's path, which none asks\n"
               "                       for)\n"
               "      --keep=N         generations kept (default: %d)\n"
               "      --mirror-url=URL see publish (default: as it is there now)\n"
               "      --allow-older    a state that is older than one that was there, or expired\n"
               "      --json           one JSON document on standard output\n"
               "  -h, --help           this text\n\n"
               "Exit codes: 0 imported, or there already; 1 packages that it leaves out are not\n"
               "there; 3 older or expired; 5 another key, or changed; 6 not such a file, or cut;\n"
               "8 no space; 9 another run is at work.\n", KEEP_DEFAULT);
}

static int no_file(const char *verb, int argc, char *argv[]) {
        return optind >= argc ? verb_usage(verb, "the FILE is missing") : verb_too_many(verb, argv[optind + 1]);
}

static int run_export(const Repo *repo, SignerArguments *a, ExportOptions *o, Error *e) {
        _cleanup_(bundle_manifest_freep) BundleManifest *m = NULL;
        _cleanup_(signers_clear) Signers signers = {};
        Progress progress = {};
        uint64_t size;
        int r;

        r = signers_from_arguments(a, &signers, e);
        if (r < 0)
                return r;
        o->signers = &signers;
        o->progress = repo->quiet ? NULL : &progress;
        r = bundle_export(o, &m, &size, e);
        if (r < 0)
                return r;
        if (repo->json)
                return print_json(json_pack("{s:o, s:I, s:I, s:I, s:I, s:s, s:s}", "file", json_text(o->file), "generation", (json_int_t) m->generation, "since",
                                            (json_int_t) m->since, "files", (json_int_t) m->n_files, "size", (json_int_t) size, "key", m->key,
                                            "repomd_sha256", m->repomd_sha256), e);
        if (!repo->quiet)
                printf("%s: generation %" PRIu64 ", %zu files, %.1f MiB, signed by %s\n", o->file, m->generation, m->n_files, (double) size / (1024 * 1024), m->key);
        return EXIT_OK;
}

int verb_export(Repo *repo, int argc, char *argv[], Error *e) {
        enum { ARG_REPO = 256, ARG_GENERATION, ARG_SINCE };
        static const Option options[] = {
                SIGNER_OPTIONS,
                { "repo", ARG_REPO, "DIR" },
                { "generation", ARG_GENERATION, "N" },
                { "since", ARG_SINCE, "N" },
                {}
        };
        ExportOptions o = { .generation = "current" };
        _cleanup_free_ char *path = NULL;
        _cleanup_(signer_arguments_clear) SignerArguments signer = {};
        const char *dir = NULL;
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case ARG_REPO: dir = optarg; break;
                case ARG_GENERATION:
                case ARG_SINCE:
                        if (!generation_word_is_valid(optarg))
                                return option_refuse("neither a generation's number, current nor previous");
                        *(c == ARG_SINCE ? &o.since : &o.generation) = optarg;
                        break;
                case 'h': help_export(); return EXIT_OK;
                default:
                        if (!signer_argument(&signer, c, optarg))
                                return option_status();
                }
        if (optind + 1 != argc)
                return no_file("export", argc, argv);
        if (!signer_named(&signer))
                return verb_usage("export", "--key is missing: the full fingerprint of the key that published it");
        if (signer_arguments_wrong(&signer))
                return verb_usage("export", "%s", signer_arguments_wrong(&signer));
        if ((r = repo_directory(repo, dir, true, &path, e)) < 0)
                return r;
        o.repo = path;
        o.file = argv[optind];
        return run_export(repo, &signer, &o, e);
}

static int run_import(const Repo *repo, ImportOptions *o, Error *e) {
        _cleanup_(import_report_clear) ImportReport report = {};
        Progress progress = {};
        int r;

        o->progress = repo->quiet ? NULL : &progress;
        r = bundle_import(o, &report, e);
        if (r < 0)
                return r;
        if (repo->json)
                return print_json(json_pack("{s:o, s:I, s:b, s:I, s:I, s:I, s:s, s:o, s:o}", "repo", json_text(o->repo), "generation", (json_int_t) report.generation, "changed",
                                            report.changed, "packages", (json_int_t) report.n_packages, "new", (json_int_t) report.new_packages,
                                            "removed", (json_int_t) report.removed_packages, "key", report.key, "beside", json_texts(report.beside),
                                            "repaired", json_texts(report.repaired)), e);
        if (repo->quiet)
                return EXIT_OK;
        if (report.repaired)
                print_repaired(o->repo, report.generation, report.repaired);
        else if (report.changed)
                printf("%s: generation %" PRIu64 ", %zu packages, %zu of them new, signed by %s\n", o->repo, report.generation, report.n_packages,
                       report.new_packages, report.key);
        else
                print_unchanged(o->repo, report.generation, "there already", "nothing to do", report.beside);
        return EXIT_OK;
}

int verb_import(Repo *repo, int argc, char *argv[], Error *e) {
        enum { ARG_REPO = 256, ARG_KEY, ARG_BASEURL, ARG_KEEP, ARG_MIRROR_URL, ARG_ALLOW_OLDER };
        static const Option options[] = {
                { "repo", ARG_REPO, "DIR" },
                { "key", ARG_KEY, "FPR" },
                { "baseurl", ARG_BASEURL, "URL" },
                { "keep", ARG_KEEP, "N" },
                { "mirror-url", ARG_MIRROR_URL, "URL" },
                { "allow-older", ARG_ALLOW_OLDER, NULL },
                {}
        };
        ImportOptions o = { .keep = KEEP_DEFAULT };
        _cleanup_strv_ char **mirror_urls = NULL;
        _cleanup_free_ char *path = NULL;
        _cleanup_strv_ char **keys = NULL;
        const char *dir = NULL;
        uint64_t keep;
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case ARG_REPO: dir = optarg; break;
                case ARG_KEY:
                        if (strv_append(&keys, optarg) < 0)
                                return error_oom(e);
                        break;
                case ARG_BASEURL:
                        if ((r = take_baseurl(optarg, &o.baseurl, e)) < 0)
                                return r;
                        break;
                case ARG_KEEP:
                        if (option_number(optarg, 1, KEEP_MAX, &keep) != EXIT_OK)
                                return EXIT_USAGE;
                        o.keep = (unsigned) keep;
                        break;
                case ARG_MIRROR_URL:
                        if ((r = take_mirror_url(optarg, &mirror_urls, e)) < 0)
                                return r;
                        break;
                case ARG_ALLOW_OLDER: o.allow_older = true; break;
                case 'h': help_import(); return EXIT_OK;
                default: return option_status();
                }
        if (optind + 1 != argc)
                return no_file("import", argc, argv);
        if ((r = repo_directory(repo, dir, false, &path, e)) < 0)
                return r;
        o.workspace = repo->workspace;
        o.repo = path;
        o.file = argv[optind];
        o.keys = keys;
        o.mirror_urls = mirror_urls;
        return run_import(repo, &o, e);
}
