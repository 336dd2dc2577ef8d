/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/fs.h"
#include "basic/log.h"
#include "cmd/repo-signer.h"
#include "cmd/repo.h"
#include "repo/build.h"

#define DATA_DIR "/usr/share/gn8v-tee-repo"

static void help(void) {
        printf("gn8v-tee-repo build [OPTION...] [RELEASE...]\n\n"
               "Make the packages of the releases from the stored vendor files; what is up to\n"
               "date is left alone. The vendor's installers are read, never run.\n\n"
               "  -s, --source=TARBALL  build the project's own packages, too ('make dist')\n"
               "      --specs=DIR       specs (default: specs, else\n"
               "                        " DATA_DIR "/specs)\n"
               "      --mock=CONFIG     build in mock, for EL8, instead of on this machine;\n"
               "                        alinux3-x86_64, alinux3-vpc-x86_64 and\n"
               "                        rocky-8-x86_64 come with this program\n"
               "      --key=FPR         build gn8v-tee-release with this public key\n"
               "      --gnupghome=DIR   where the key is (default: gpg's own)\n"
               "      --key-file=URI    OpenSSL's key instead; as for 'publish', with\n"
               "      --user-id=TEXT, and\n"
               "      --key-created=DATE; and\n"
               "      --passphrase-file=FILE or --passphrase-fd=N\n"
               "      --also-key=FPR, --also-key-file=URI\n"
               "                        this public key, too: of the key that replaces it, or\n"
               "                        that it replaces; the options behind it are its own\n"
               "      --baseurl=URL     where instances find the repository (with --key)\n"
               "      --revision=N      of gn8v-tee-release: raise it when the URL or the\n"
               "                        keys change\n"
               "      --own             no releases: only what --source and --key give\n"
               "  -f, --force           build what is up to date, too\n"
               "  -j, --jobs=N          packages at once (default: the number of CPUs)\n"
               "      --json            one JSON array on standard output\n"
               "  -h, --help            this text\n\n"
               "Packages and their records go to WORKSPACE/packages, logs of failed builds to\n"
               "WORKSPACE/logs. A toolkit needs about 3 times its archive's size meanwhile.\n\n"
               "Exit codes: 0 built, or up to date; 1 a build failed; 3 a lock is missing or\n"
               "stale; 5 a stored file or a key is not what it should be; 6 malformed; 8 no\n"
               "space; 9 another run is at work.\n");
}

static void tell(void *userdata, BuildEvent event, const BuildJob *job, double seconds) {
        switch (event) {
        case BUILD_UP_TO_DATE: log_debug("%s: up to date", job->name); break;
        case BUILD_STARTED: log_info("%s: building", job->name); break;
        case BUILD_DONE: log_info("%s: built in %.1f s", job->name, seconds); break;
        case BUILD_FAILED: log_debug("%s: failed after %.1f s", job->name, seconds); break;
        }
}

static json_t *to_json(const BuildResult *result) {
        json_t *list = json_array();

        for (size_t i = 0; i < result->n_outcomes; i++)
                STRV_FOREACH(file, result->outcomes[i].files)
                        (void) json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "build", result->outcomes[i].name, "package", *file, "fresh",
                                                                     result->outcomes[i].fresh));
        return list;
}

static void print_text(const BuildResult *result) {
        size_t fresh = 0, total = 0;

        for (size_t i = 0; i < result->n_outcomes; i++)
                STRV_FOREACH(file, result->outcomes[i].files) {
                        total++;
                        fresh += result->outcomes[i].fresh;
                        printf("%s\n", *file);
                }
        log_info("%zu packages: %zu built, %zu up to date", total, fresh, total - fresh);
}

/* Where mock looks for what a configuration includes. One that comes with this program, beside the specs, is found by its name; a path, which for
 * mock is what ends in .cfg, may have its templates beside it. All others are mock's own (NULL). */
static int find_mock_dir(const char *specs_dir, const char *config, char **ret, Error *e) {
        const char *slash = strrchr(config, '/');
        bool is_path = endswith(config, ".cfg");
        _cleanup_free_ char *dir = NULL, *file = NULL;

        if (is_path)
                dir = slash ? strndup(config, (size_t) (slash - config) + 1) : strdup(".");
        else
                dir = format("%s/../mock-configs", specs_dir);
        if (dir)
                file = is_path ? path_join(dir, "templates") : format("%s/%s.cfg", dir, config);
        if (!file)
                return error_oom(e);
        if ((slash && !is_path) || access(file, R_OK) < 0)
                return 0;
        *ret = realpath(dir, NULL);
        return *ret ? 0 : error_errno(e, errno, "%s", dir);
}

int verb_build(Repo *repo, int argc, char *argv[], Error *e) {
        enum { ARG_SPECS = 256, ARG_MOCK, ARG_BASEURL, ARG_REVISION, ARG_OWN };
        static const Option options[] = {
                { "source", 's', "TARBALL" },
                { "specs", ARG_SPECS, "DIR" },
                { "mock", ARG_MOCK, "CONFIG" },
                SIGNER_OPTIONS,
                { "baseurl", ARG_BASEURL, "URL" },
                { "revision", ARG_REVISION, "N" },
                { "own", ARG_OWN, NULL },
                { "force", 'f', NULL },
                { "jobs", 'j', "N" },
                {}
        };
        BuildOptions o = { .tell = tell };
        _cleanup_(build_result_freep) BuildResult *result = NULL;
        _cleanup_free_ char *mock_dir = NULL, *key = NULL;
        _cleanup_(signer_arguments_clear) SignerArguments signer = {};
        uint64_t jobs = 0, revision;
        bool own = false;
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case 's': o.source = optarg; break;
                case ARG_SPECS: o.specs_dir = optarg; break;
                case ARG_MOCK: o.mock = optarg; break;
                case ARG_BASEURL: o.baseurl = optarg; break;
                case ARG_REVISION:
                        if (option_number(optarg, 0, UINT32_MAX, &revision) != EXIT_OK)
                                return EXIT_USAGE;
                        o.revision = optarg;
                        break;
                case ARG_OWN: own = true; break;
                case 'f': o.force = true; break;
                case 'j':
                        if (option_number(optarg, 1, 64, &jobs) != EXIT_OK)
                                return EXIT_USAGE;
                        o.jobs = (unsigned) jobs;
                        break;
                case 'h': help(); return EXIT_OK;
                default:
                        if (!signer_argument(&signer, c, optarg))
                                return option_status();
                }
        if (signer_named(&signer) != (o.baseurl != NULL))
                return verb_usage("build", "--key (or --key-file) and --baseurl belong together");
        if (signer_arguments_wrong(&signer))
                return verb_usage("build", "%s", signer_arguments_wrong(&signer));
        if (own && (optind < argc || (!o.source && !o.baseurl)))
                return verb_usage("build", "--own is for --source and --key, without releases");
        o.workspace = repo->workspace;
        o.releases_dir = repo->releases_dir;
        if (!o.specs_dir)
                o.specs_dir = access("specs/driver.spec", R_OK) == 0 ? "specs" : DATA_DIR "/specs";
        r = own ? 0 : repo_load_releases(repo, argc - optind, argv + optind, e);
        if (r < 0)
                return r;
        if (o.mock) {
                r = find_mock_dir(o.specs_dir, o.mock, &mock_dir, e);
                if (r < 0)
                        return r;
                o.mock_dir = mock_dir;
        }
        if (o.baseurl) {
                r = signer_public_keys(&signer, &key, &o.key_date, e);
                if (r < 0)
                        return r;
                o.key = key;
        }
        r = build_run(&o, repo->releases, repo->n_releases, &result, e);
        if (r < 0)
                return r;
        if (repo->json)
                return print_json(to_json(result), e);
        print_text(result);
        return EXIT_OK;
}
