/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "basic/fs.h"
#include "basic/log.h"
#include "cmd/output.h"
#include "cmd/repo-fetching.h"
#include "cmd/repo-signer.h"
#include "repo/keyring.h"
#include "repo/mirror-places.h"
#include "repo/mirror.h"
#include "repo/repo-file.h"

static void help(void) {
        printf("gn8v-tee-repo mirror [OPTION...] URL DIR\n\n"
               "Copy somebody's repository: all of it, its metadata byte for byte, or what named\n"
               "packages need. DIR is the old state or the new one, whatever happens; a run that\n"
               "was broken off is continued; only what changed is fetched. URL (of --also, too)\n"
               "may be mirrorlist:URL or metalink:URL: the places that are named there are tried\n"
               "in turn.\n\n"
               "Whom to trust:\n"
               "      --key=FPR            a signing key, full fingerprint; may be repeated\n"
               "      --key-file=FILE      where such keys are; may be repeated. Without --key,\n"
               "                           all keys in it are trusted\n"
               "      --no-repo-signature  only its packages are signed (a distribution's)\n"
               "      --no-signatures      nothing is signed, and no key is given\n"
               "      --allow-older        a state that is older than the one in DIR, or expired\n\n"
               "What to copy:\n"
               "      --package=NAME       this one and what it needs, not everything; may be\n"
               "                           repeated\n"
               "      --also=URL           another repository, of which the same is copied; may\n"
               "                           be repeated. Modules, advisories and groups of all\n"
               "                           are merged\n"
               "      --exclude=GLOB       not these names, or NAME-VERSION-RELEASE.ARCH; may be\n"
               "                           repeated\n"
               "      --newest             of everything only the newest version\n"
               "      --arch=ARCH          with --package, of the machines (default: x86_64);\n"
               "                           else only its packages and noarch, may be repeated\n"
               "      --weak               with --package, also what packages recommend\n"
               "      --platform=PATH      with --package, what the machines have already; see\n"
               "                           publish; may be repeated\n"
               "      --module=NAME:STREAM with --package, a stream that the machines have\n"
               "                           enabled, beside the defaults; may be repeated\n"
               "      --module-hotfixes    with --package, they do not filter by modules\n"
               "      --dry-run            read metadata only: tell what would be copied, and\n"
               "                           how much that is\n\n"
               "What to write:\n"
               "      --sign-key=FPR, --gnupghome=DIR, --passphrase-file=FILE,\n"
               "      --passphrase-fd=N, --sign-key-file=URI, --user-id=TEXT,\n"
               "      --key-created=DATE   who signs metadata of our own, which any of the\n"
               "                           options above makes; see publish\n"
               "      --also-sign-key=FPR, --also-sign-key-file=URI\n"
               "                           the other one, while one key replaces another\n"
               "      --allow-unsigned     without it, though what is in DIR is signed\n"
               "      --baseurl=URL        where clients will find DIR: for gn8v-tee.repo, of\n"
               "                           what has one; see import\n"
               "      --mirror-url=URL     write repodata/metalink.xml, with this place of DIR;\n"
               "                           may be repeated (default: as it is there now;\n"
               "                           none: no metalink)\n"
               "      --keep=N             states kept, this one included (default: %d)\n\n"
               FETCHING_HELP
               "      --limit-rate=N[kMG]  bytes a second, all downloads together\n"
               "      --ca-file=FILE       who may have signed a server's certificate\n"
               "      --client-cert=FILE, --client-key=FILE\n"
               "                           shown to servers that ask for it\n"
               "      --json               one JSON document on standard output\n"
               "  -h, --help               this text\n\n"
               "Exit codes: 0 copied, or nothing new; 1 failed; 3 older or expired; 5 a key,\n"
               "signature or digest is wrong; 6 malformed; 7 unreachable; 8 no space; 9 another\n"
               "run is at work; 10 what a package needs is not there; 11 --dry-run lacks one\n"
               "of the keys.\n", KEEP_DEFAULT);
}

typedef struct Arguments {
        char **keys, **key_files, **packages, **also, **excludes, **arches, **modules, **platforms, **mirror_urls;
        SignerArguments signer;
} Arguments;

static void arguments_done(Arguments *a) {
        strv_free(a->keys);
        strv_free(a->key_files);
        strv_free(a->packages);
        strv_free(a->also);
        strv_free(a->excludes);
        strv_free(a->arches);
        strv_free(a->modules);
        strv_free(a->platforms);
        strv_free(a->mirror_urls);
        signer_arguments_clear(&a->signer);
}

static json_t *wanted_json(const MirrorReport *r) {
        json_t *all = json_array();

        for (size_t i = 0; i < r->n_wanted; i++) {
                const MirrorWanted *w = &r->wanted[i];

                (void) json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:I, s:b}", "nevra", w->nevra, "url", w->url, "location", w->href, "size",
                                                            (json_int_t) w->size, "new", w->is_new));
        }
        return all;
}

static int report_dry(const Repo *repo, const MirrorOptions *o, const MirrorReport *r, Error *e) {
        uint64_t all = 0;

        for (size_t i = 0; i < r->n_wanted; i++)
                all += r->wanted[i].size;
        if (repo->json)
                return print_json(json_pack("{s:o, s:o, s:b, s:b, s:I, s:I, s:I, s:I, s:o}", "url", json_text(o->url), "dir", json_text(o->dir), "dry_run", true, "changed", true, "packages",
                                            (json_int_t) r->n_wanted, "size", (json_int_t) all, "new", (json_int_t) r->new_packages, "new_bytes",
                                            (json_int_t) r->new_bytes, "wanted", wanted_json(r)), e);
        for (size_t i = 0; !repo->quiet && i < r->n_wanted; i++)
                printf("%s %10.1f KiB  %s\n", r->wanted[i].is_new ? "+" : " ", (double) r->wanted[i].size / 1024, r->wanted[i].nevra);
        printf("%s: %zu packages (%.1f MiB) would be there, %zu of them new (%.1f MiB)\n", o->dir, r->n_wanted, (double) all / (1024 * 1024), r->new_packages,
               (double) r->new_bytes / (1024 * 1024));
        return EXIT_OK;
}

static int report(const Repo *repo, const MirrorOptions *o, const MirrorReport *r, Error *e) {
        STRV_FOREACH(s, r->warnings)
                log_warning("%s", *s);
        if (o->dry_run && r->changed) {
                int k = report_dry(repo, o, r, e);
                return k == EXIT_OK && r->key_is_missing && r->new_packages > 0 ? EXIT_UNCHECKED : k;
        }
        if (repo->json)
                return print_json(json_pack("{s:o, s:o, s:I, s:b, s:I, s:I, s:I, s:I, s:s?, s:o, s:o}", "url", json_text(o->url), "dir", json_text(o->dir), "generation", (json_int_t) r->generation,
                                            "changed", r->changed, "packages", (json_int_t) r->n_packages, "new", (json_int_t) r->new_packages, "new_bytes",
                                            (json_int_t) r->new_bytes, "removed", (json_int_t) r->removed_packages, "key", r->key, "beside",
                                            json_texts(r->beside), "repaired", json_texts(r->repaired)), e);
        if (repo->quiet)
                return EXIT_OK;
        if (r->repaired)
                print_repaired(o->dir, r->generation, r->repaired);
        else if (r->changed)
                printf("%s: generation %" PRIu64 ", %zu packages, %zu of them new (%.1f MiB), metadata signed by %s\n", o->dir, r->generation, r->n_packages,
                       r->new_packages, (double) r->new_bytes / (1024 * 1024), r->key ? r->key : "nobody");
        else
                print_unchanged(o->dir, r->generation, "up to date", "nothing to copy", r->beside);
        return EXIT_OK;
}

static int run(Repo *repo, Arguments *a, MirrorOptions *o, FetchOptions *fetching, Error *e) {
        _cleanup_(mirror_report_clear) MirrorReport result = {};
        _cleanup_(signers_clear) Signers signers = {};
        Progress progress;
        int r;

        if (signer_named(&a->signer) && (r = signers_from_arguments(&a->signer, &signers, e)) < 0)
                return r;
        fetching_begin(fetching, &progress, repo);
        fetching->done = NULL; /* thousands of files: the bar and the sum will do */
        o->fetch = fetching;
        o->signers = signers.n > 0 ? &signers : NULL;
        o->fingerprints = a->keys;
        o->key_files = a->key_files;
        o->packages = a->packages;
        o->also = a->also;
        o->excludes = a->excludes;
        o->modules = a->modules;
        if (a->packages)
                o->arch = a->arches ? a->arches[0] : "x86_64";
        else
                o->arches = a->arches;
        o->platforms = a->platforms;
        o->mirror_urls = a->mirror_urls;
        r = mirror(o, &result, e);
        progress_end(&progress);
        return r < 0 ? r : report(repo, o, &result, e);
}

static int take_key(Arguments *a, const char *value, Error *e) {
        _cleanup_free_ char *fingerprint = NULL;
        int r = fingerprint_normalize(value, &fingerprint, e);

        return r < 0 ? r : strv_append(&a->keys, fingerprint) < 0 ? error_oom(e) : 0;
}

/* "500k": bytes a second. */
static int parse_rate(const char *s, uint64_t *ret) {
        size_t n = strcspn(s, "kMG");
        _cleanup_free_ char *digits = strndup(s, n);
        unsigned shift = s[n] == 'k' ? 10 : s[n] == 'M' ? 20 : s[n] == 'G' ? 30 : 0;
        uint64_t value;

        if (!digits || parse_u64(digits, &value) < 0 || value == 0 || value > UINT64_C(1) << 33 || (s[n] && s[n + 1]))
                return -EINVAL;
        *ret = value << shift;
        return 0;
}

/* What is wrong with the words together, or NULL. */
static const char *wrong(const Arguments *a, const MirrorOptions *o) {
        bool keys = a->keys || a->key_files;

        if (!keys && !o->no_signatures)
                return "--key or --key-file is missing: whose signature is to be trusted (--no-signatures: nobody's)";
        if (keys && o->no_signatures)
                return "--no-signatures goes with neither --key nor --key-file";
        if (!a->packages && (a->platforms || o->weak || a->modules || o->module_hotfixes))
                return "--platform, --weak, --module and --module-hotfixes belong to --package";
        if (a->packages && (o->newest || strv_length(a->arches) > 1))
                return "with --package the newest that fits is taken, for one --arch";
        if (!a->packages && !a->also && !a->excludes && !a->arches && !o->newest && signer_named(&a->signer))
                return "--sign-key belongs to a selection: a whole copy keeps its own metadata";
        return signer_arguments_wrong(&a->signer);
}

static int check_source(const char *what, const char *source, Error *e) {
        const char *url;

        (void) mirror_place_kind(source, &url);
        return repo_url_check(what, url, e);
}

static int check_urls(const Arguments *a, const MirrorOptions *o, Error *e) {
        int r = check_source("repository", o->url, e);

        STRV_FOREACH(s, a->also)
                if (r >= 0)
                        r = check_source("--also", *s, e);
        return r;
}

int verb_mirror(Repo *repo, int argc, char *argv[], Error *e) {
        enum { ARG_KEY = 256, ARG_KEY_FILE, ARG_NO_REPO_SIGNATURE, ARG_NO_SIGNATURES, ARG_ALLOW_OLDER, ARG_ALLOW_UNSIGNED, ARG_PACKAGE, ARG_ALSO, ARG_EXCLUDE, ARG_NEWEST,
               ARG_WEAK, ARG_PLATFORM, ARG_ARCH, ARG_MODULE, ARG_MODULE_HOTFIXES, ARG_DRY_RUN, ARG_LIMIT_RATE, ARG_CA_FILE, ARG_CLIENT_CERT, ARG_CLIENT_KEY,
               ARG_MIRROR_URL, ARG_BASEURL, ARG_KEEP, ARG_TIMEOUT };
        static const Option options[] = {
                { "key", ARG_KEY, "FPR" },
                { "key-file", ARG_KEY_FILE, "FILE" },
                { "no-repo-signature", ARG_NO_REPO_SIGNATURE, NULL },
                { "no-signatures", ARG_NO_SIGNATURES, NULL },
                { "allow-older", ARG_ALLOW_OLDER, NULL },
                { "allow-unsigned", ARG_ALLOW_UNSIGNED, NULL },
                { "package", ARG_PACKAGE, "NAME" },
                { "also", ARG_ALSO, "URL" },
                { "exclude", ARG_EXCLUDE, "GLOB" },
                { "newest", ARG_NEWEST, NULL },
                { "weak", ARG_WEAK, NULL },
                { "platform", ARG_PLATFORM, "PATH" },
                { "arch", ARG_ARCH, "ARCH" },
                { "module", ARG_MODULE, "NAME:STREAM" },
                { "module-hotfixes", ARG_MODULE_HOTFIXES, NULL },
                { "dry-run", ARG_DRY_RUN, NULL },
                { "limit-rate", ARG_LIMIT_RATE, "N[kMG]" },
                { "ca-file", ARG_CA_FILE, "FILE" },
                { "client-cert", ARG_CLIENT_CERT, "FILE" },
                { "client-key", ARG_CLIENT_KEY, "FILE" },
                { "sign-key", ARG_SIGNER_KEY, "FPR" },
                { "sign-key-file", ARG_SIGNER_KEY_FILE, "URI" },
                { "gnupghome", ARG_SIGNER_GNUPGHOME, "DIR" },
                { "also-sign-key", ARG_SIGNER_ALSO_KEY, "FPR" },
                { "also-sign-key-file", ARG_SIGNER_ALSO_KEY_FILE, "URI" },
                { "passphrase-file", ARG_SIGNER_PASSPHRASE_FILE, "FILE" },
                { "passphrase-fd", ARG_SIGNER_PASSPHRASE_FD, "N" },
                { "user-id", ARG_SIGNER_USER_ID, "TEXT" },
                { "key-created", ARG_SIGNER_CREATED, "DATE" },
                { "baseurl", ARG_BASEURL, "URL" },
                { "mirror-url", ARG_MIRROR_URL, "URL" },
                { "keep", ARG_KEEP, "N" },
                { "parallel", 'j', "N" },
                { "timeout", ARG_TIMEOUT, "SECONDS" },
                {}
        };
        MirrorOptions o = { .keep = KEEP_DEFAULT, .arch = "" };
        _cleanup_(arguments_done) Arguments a = {};
        FetchOptions fetching = {};
        uint64_t keep;
        int c, r = 0;

        while (r == 0 && (c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case ARG_KEY: r = take_key(&a, optarg, e); break;
                case ARG_KEY_FILE: r = strv_append(&a.key_files, optarg); break;
                case ARG_NO_REPO_SIGNATURE: o.no_repo_signature = true; break;
                case ARG_NO_SIGNATURES: o.no_signatures = true; break;
                case ARG_ALLOW_OLDER: o.allow_older = true; break;
                case ARG_ALLOW_UNSIGNED: o.allow_unsigned = true; break;
                case ARG_PACKAGE: r = strv_append(&a.packages, optarg); break;
                case ARG_ALSO: r = strv_append(&a.also, optarg); break;
                case ARG_WEAK: o.weak = true; break;
                case ARG_PLATFORM: r = strv_append(&a.platforms, optarg); break;
                case ARG_ARCH: r = strv_append(&a.arches, optarg); break;
                case ARG_EXCLUDE: r = strv_append(&a.excludes, optarg); break;
                case ARG_NEWEST: o.newest = true; break;
                case ARG_MODULE: r = strv_append(&a.modules, optarg); break;
                case ARG_MODULE_HOTFIXES: o.module_hotfixes = true; break;
                case ARG_DRY_RUN: o.dry_run = true; break;
                case ARG_LIMIT_RATE:
                        if (parse_rate(optarg, &fetching.rate) < 0)
                                return option_refuse("not a number of bytes, with k, M or G");
                        break;
                case ARG_CA_FILE: fetching.ca_file = optarg; break;
                case ARG_CLIENT_CERT: fetching.client_cert = optarg; break;
                case ARG_CLIENT_KEY: fetching.client_key = optarg; break;
                case ARG_BASEURL: r = take_baseurl(optarg, &o.baseurl, e); break;
                case ARG_MIRROR_URL: r = take_mirror_url(optarg, &a.mirror_urls, e); break;
                case ARG_KEEP:
                        if (option_number(optarg, 1, KEEP_MAX, &keep) != EXIT_OK)
                                return EXIT_USAGE;
                        o.keep = (unsigned) keep;
                        break;
                case 'j': r = fetching_number(optarg, 64, &fetching.parallel); break;
                case ARG_TIMEOUT: r = fetching_number(optarg, 3600, &fetching.timeout_sec); break;
                case 'h': help(); return EXIT_OK;
                default:
                        if (!signer_argument(&a.signer, c, optarg))
                                return option_status();
                }
        if (r != 0)
                return r == -ENOMEM ? error_oom(e) : r;
        if (optind + 2 != argc)
                return verb_usage("mirror", "two words are needed: the URL to copy from, the DIR to copy to");
        if (wrong(&a, &o))
                return verb_usage("mirror", "%s", wrong(&a, &o));
        o.url = argv[optind];
        o.dir = argv[optind + 1];
        if ((r = check_urls(&a, &o, e)) < 0)
                return r;
        return run(repo, &a, &o, &fetching, e);
}
