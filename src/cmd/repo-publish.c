/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <time.h>

#include "basic/fs.h"
#include "basic/log.h"
#include "cmd/repo-proof.h"
#include "cmd/repo-signer.h"
#include "repo/publish.h"
#include "repo/repo-file.h"

#define KEY_VALID_DAYS     30
#define KEY_VALID_DAYS_MAX 36500

static void help(void) {
        printf("gn8v-tee-repo publish --key=FPR [OPTION...] [RELEASE...]\n\n"
               "Sign the workspace's packages, index them, prove that they install and upgrade,\n"
               "and make them the repository in one step. A run that fails, or is killed, leaves\n"
               "the repository as it was. What is published already is not signed again.\n\n"
               "      --key=FPR          full fingerprint of the signing key: RSA, 3072 bits or\n"
               "                         more; of a subkey: with a warning\n"
               "      --key-valid-for=DAYS\n"
               "                         refuse a key that expires sooner (default: %d)\n"
               "      --gnupghome=DIR    where the key is (default: gpg's own)\n"
               "      --passphrase-file=FILE, --passphrase-fd=N\n"
               "                         the key's passphrase, or the token's PIN: the first\n"
               "                         line. Without it the agent must know it, or you are\n"
               "                         asked on the terminal\n"
               "      --key-file=URI     not GnuPG's key: a PEM file, a token (pkcs11:...), or\n"
               "                         another URI that an OpenSSL provider knows; with it\n"
               "      --user-id=TEXT     the name of the key, and\n"
               "      --key-created=DATE its day, YYYY-MM-DD\n"
               "      --also-key=FPR, --also-key-file=URI\n"
               "                         a second key, while one replaces the other: signs the\n"
               "                         metadata, too; options behind it are its own\n"
               "      --repo=DIR         the repository (default: WORKSPACE/repo)\n"
               "      --baseurl=URL      where clients will find it (default: as it is there\n"
               "                         now, else file:// and DIR, which none asks for)\n"
               "      --platform=PATH    what the target system provides: a list, or a mirror's\n"
               "                         directory with repodata/; may be repeated (default:\n"
               "                         platform/el8.provides)\n"
               "      --beside=DIR       a repository that is enabled beside this one: upgrades\n"
               "                         must leave the pins alone; may be repeated\n"
               "      --mirror-url=URL   write repodata/metalink.xml, with this place of the\n"
               "                         repository; may be repeated, the preferred one first\n"
               "                         (default: those that are there now; none: no metalink)\n"
               "      --keep=N           generations kept for clients in flight (default: %d)\n"
               "      --valid-days=N     say in the signed metadata that they expire then;\n"
               "                         publish again, even unchanged, before that (default: as\n"
               "                         long as the state before; none: they do not)\n"
               "      --replace          publish other content under a version that is\n"
               "                         published already\n"
               "      --json             one JSON document on standard output\n"
               "  -h, --help             this text\n\n"
               "The repository then holds the packages of the named releases (default: all), and\n"
               "those that belong to no release.\n\n"
               "Exit codes: 0 published, or nothing to do; 1 failed; 3 a lock is missing or\n"
               "stale, or other content is published already; 5 a package or a key is not what\n"
               "it should be; 6 malformed; 8 no space; 9 another run is at work; 10 it would not\n"
               "install or upgrade.\n", KEY_VALID_DAYS, KEEP_DEFAULT);
}

static int report_json(const PublishReport *r, const char *path, Error *e) {
        const Generation *g = r->generation;
        json_t *packages = json_array(), *j;

        for (size_t i = 0; i < g->n_packages; i++) {
                const PublishedPackage *p = g->packages[i];

                (void) json_array_append_new(packages, json_pack("{s:s, s:s, s:s, s:I, s:s, s:b, s:b}", "nevra", p->nevra, "href", p->href,
                                                                 "sha256", p->sha256, "size", (json_int_t) p->size, "signer", p->signer,
                                                                 "vendor", p->vendor, "new", p->staged));
        }
        j = json_pack("{s:o, s:I, s:b, s:s, s:s?, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o, s:o}", "repo", json_text(path), "generation", (json_int_t) g->number,
                      "changed", r->changed, "key", g->key, "also", g->also, "repomd_sha256", g->repomd_sha256, "revision", (json_int_t) g->revision,
                      "signed", (json_int_t) r->signed_packages, "vendor", (json_int_t) r->vendor_packages,
                      "reused", (json_int_t) r->reused_packages, "removed", (json_int_t) r->removed_packages,
                      "repaired", (json_int_t) r->repaired_packages, "repaired_metadata", r->repaired_metadata, "packages", packages,
                      "beside", json_texts(r->beside));
        if (j && r->proof)
                (void) json_object_set_new(j, "proof", proof_to_json(r->proof));
        return print_json(j, e);
}

static void report_text(const PublishReport *r, const char *path) {
        if (!r->changed) {
                print_unchanged(path, r->generation->number, "up to date", "nothing to publish", r->beside);
                return;
        }
        printf("%s: generation %" PRIu64 ", %zu packages: %zu signed, %zu of vendors, %zu as before; %zu checks proven\n", path,
               r->generation->number, r->generation->n_packages, r->signed_packages, r->vendor_packages, r->reused_packages, r->proof->n_checks);
        if (r->repaired_packages > 0)
                printf("%s: repaired: %zu of its packages were damaged or missing\n", path, r->repaired_packages);
        if (r->repaired_metadata)
                printf("%s: repaired: its metadata or their signature were damaged or missing\n", path);
        for (size_t i = 0; i < r->generation->n_packages; i++)
                log_debug("%s%s", r->generation->packages[i]->nevra, r->generation->packages[i]->staged ? " (new)" : "");
}

typedef struct Arguments {
        SignerArguments signer;
        unsigned valid_days;
        const char *repo;
        char **platforms, **beside, **mirror_urls;
} Arguments;

static void arguments_done(Arguments *a) {
        strv_free(a->platforms);
        strv_free(a->beside);
        strv_free(a->mirror_urls);
        signer_arguments_clear(&a->signer);
}

static int run(Repo *repo, Arguments *a, PublishOptions *o, Error *e) {
        _cleanup_(publish_report_clear) PublishReport report = {};
        _cleanup_(signers_clear) Signers signers = {};
        _cleanup_free_ char *path = NULL, *template = NULL;
        Progress progress = {};
        int r;

        if ((r = repo_directory(repo, a->repo, false, &path, e)) < 0 || (r = proof_default_platform(repo, &a->platforms, e)) < 0 || (r = repo_data_path(repo->releases_dir, REPO_TEMPLATE, &template, e)) < 0 ||
            (r = signers_from_arguments(&a->signer, &signers, e)) < 0)
                return r;
        for (size_t i = 0; i < signers.n; i++)
                if ((r = signer_check_expiry(signers.v[i], time(NULL), a->valid_days, e)) < 0)
                        return r;
        o->workspace = repo->workspace;
        o->repo = path;
        o->releases = repo->releases;
        o->n_releases = repo->n_releases;
        o->signers = &signers;
        o->platforms = a->platforms;
        o->beside = a->beside;
        o->mirror_urls = a->mirror_urls;
        o->template = template;
        o->progress = repo->quiet ? NULL : &progress;
        r = publish(o, &report, e);
        if (r < 0)
                return r;
        if (repo->json)
                return report_json(&report, path, e);
        if (!repo->quiet)
                report_text(&report, path);
        return EXIT_OK;
}

int verb_publish(Repo *repo, int argc, char *argv[], Error *e) {
        enum { ARG_REPO = 256, ARG_BASEURL, ARG_PLATFORM, ARG_BESIDE, ARG_MIRROR_URL, ARG_KEEP, ARG_VALID_DAYS, ARG_REPLACE, ARG_KEY_VALID_FOR };
        static const Option options[] = {
                SIGNER_OPTIONS,
                { "repo", ARG_REPO, "DIR" },
                { "baseurl", ARG_BASEURL, "URL" },
                { "platform", ARG_PLATFORM, "PATH" },
                { "beside", ARG_BESIDE, "DIR" },
                { "mirror-url", ARG_MIRROR_URL, "URL" },
                { "keep", ARG_KEEP, "N" },
                { "valid-days", ARG_VALID_DAYS, "N" },
                { "replace", ARG_REPLACE, NULL },
                { "key-valid-for", ARG_KEY_VALID_FOR, "DAYS" },
                {}
        };
        _cleanup_(arguments_done) Arguments a = { .signer.late = true, .valid_days = KEY_VALID_DAYS };
        PublishOptions o = { .keep = KEEP_DEFAULT };
        uint64_t keep, days;
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case ARG_REPO: a.repo = optarg; break;
                case ARG_BASEURL:
                        if ((r = take_baseurl(optarg, &o.baseurl, e)) < 0)
                                return r;
                        break;
                case ARG_PLATFORM:
                        if (strv_append(&a.platforms, optarg) < 0)
                                return error_oom(e);
                        break;
                case ARG_BESIDE:
                        if (strv_append(&a.beside, optarg) < 0)
                                return error_oom(e);
                        break;
                case ARG_MIRROR_URL:
                        if ((r = take_mirror_url(optarg, &a.mirror_urls, e)) < 0)
                                return r;
                        break;
                case ARG_KEEP:
                        if (option_number(optarg, 1, KEEP_MAX, &keep) != EXIT_OK)
                                return EXIT_USAGE;
                        o.keep = (unsigned) keep;
                        break;
                case ARG_VALID_DAYS:
                        if (take_days(optarg, &o.valid_sec) != EXIT_OK)
                                return EXIT_USAGE;
                        break;
                case ARG_KEY_VALID_FOR:
                        if (option_number(optarg, 0, KEY_VALID_DAYS_MAX, &days) != EXIT_OK)
                                return EXIT_USAGE;
                        a.valid_days = (unsigned) days;
                        break;
                case ARG_REPLACE: o.replace = true; break;
                case 'h': help(); return EXIT_OK;
                default:
                        if (!signer_argument(&a.signer, c, optarg))
                                return option_status();
                }
        if (!signer_named(&a.signer))
                return verb_usage("publish", "--key is missing: the full fingerprint of the key that signs");
        if (signer_arguments_wrong(&a.signer))
                return verb_usage("publish", "%s", signer_arguments_wrong(&a.signer));
        r = repo_load_releases(repo, argc - optind, argv + optind, e);
        return r < 0 ? r : run(repo, &a, &o, e);
}
