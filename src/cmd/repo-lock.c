/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "basic/log.h"
#include "cmd/repo-fetching.h"
#include "repo/resolve.h"
#include "repo/workspace-lock.h"

static void help(void) {
        printf("gn8v-tee-repo lock [OPTION...] [RELEASE...]\n\n"
               "Write locks/RELEASE.lock: every artifact with URLs, size and SHA-256. What the\n"
               "release pins is copied. What has no digest there is fetched, its signer checked,\n"
               "and frozen as it was first seen, with the date (SOURCE_DATE_EPOCH is heeded).\n\n"
               "Also the reference manifests (RIM) that the release wants, so that its GPUs can\n"
               "be attested: gn8v-tee-attest gets and judges them.\n\n"
               "      --refresh            take the digests of first use anew\n"
               "      --check              write nothing: say whether the locks are current\n"
               "      --without-rims       lock no manifests\n"
               FETCHING_RIM_HELP
               FETCHING_HELP
               "      --json               one JSON array on standard output\n"
               "  -h, --help               this text\n\n"
               "Exit codes: 0 locked; 1 failed; 3 --check: a lock is missing or stale; 5 a file\n"
               "is not what it should be; 6 malformed; 7 no URL worked; 8 no space; 9 another\n"
               "run is at work; 11 a manifest is not published.\n");
}

static int64_t now(void) {
        const char *epoch = getenv("SOURCE_DATE_EPOCH");
        uint64_t n;

        return epoch && parse_u64(epoch, &n) >= 0 && n <= INT64_MAX ? (int64_t) n : (int64_t) time(NULL);
}

static int check(Repo *repo, Error *e) {
        json_t *all = json_array();
        bool stale = false;
        int r;

        for (size_t i = 0; i < repo->n_releases; i++) {
                _cleanup_(lock_freep) Lock *l = NULL;
                _cleanup_error_ Error why = ERROR_INIT;
                _cleanup_free_ char *name = release_name(repo->releases[i]);

                r = name ? workspace_lock_load(repo->workspace, repo->releases[i], &l, &why) : -ENOMEM;

                if (r == -ENOMEM) {
                        json_decref(all);
                        return error_oom(e);
                }
                stale = stale || r < 0;
                if (repo->json)
                        (void) json_array_append_new(all, json_pack("{s:s, s:b, s:s*}", "release", name, "current", r >= 0, "reason",
                                                                    why.message));
                else
                        printf("%-24s %s\n", name, r >= 0 ? "current" : why.message);
        }
        if (!repo->json)
                json_decref(all);
        else if ((r = print_json(all, e)) < 0)
                return r;
        return stale ? EXIT_DIFFERS : EXIT_OK;
}

static int print(const Repo *repo, const Resolution *v, size_t n, Error *e) {
        json_t *all = json_array();

        for (size_t i = 0; i < n; i++) {
                STRV_FOREACH(s, v[i].warnings)
                        log_warning("%s", *s);
                if (v[i].n_rims == 0)
                        log_warning("%s: no reference manifest is locked%s: without the network such an instance could not be attested", v[i].lock->release,
                                    v[i].lock->without_rims ? " (--without-rims)" : ", as the release file says");
                if (repo->json)
                        (void) json_array_append_new(all, json_pack("{s:s, s:s, s:b, s:I, s:I, s:I}", "release", v[i].lock->release, "path",
                                                                    v[i].lock->path, "changed", (int) v[i].changed, "artifacts",
                                                                    (json_int_t) (v[i].lock->n_artifacts - v[i].n_rims), "rims",
                                                                    (json_int_t) v[i].n_rims, "fetched",
                                                                    (json_int_t) v[i].n_fetched));
                else
                        log_info("%s: %s (%zu artifacts, %zu reference manifests)", v[i].lock->path, v[i].changed ? "written" : "is current",
                                 v[i].lock->n_artifacts - v[i].n_rims, v[i].n_rims);
        }
        if (repo->json)
                return print_json(all, e);
        json_decref(all);
        return 0;
}

static int lock(Repo *repo, bool refresh, FetchOptions *options, const RimOptions *rims, Error *e) {
        _cleanup_(store_freep) Store *store = NULL;
        Resolution *v = NULL;
        Progress progress;
        int r;

        r = store_open(repo->workspace, true, &store, e);
        if (r >= 0)
                r = store_lock(store, e);
        if (r < 0)
                return r;
        v = calloc(MAX(repo->n_releases, (size_t) 1), sizeof(Resolution));
        if (!v)
                return error_oom(e);
        fetching_begin(options, &progress, repo);
        r = resolve_releases(repo->workspace, store, repo->releases, repo->n_releases, refresh, now(), options, rims, v, e);
        progress_end(&progress);
        if (r >= 0)
                r = print(repo, v, repo->n_releases, e);
        for (size_t i = 0; i < repo->n_releases; i++)
                resolution_clear(&v[i]);
        free(v);
        return r < 0 ? r : EXIT_OK;
}

int verb_lock(Repo *repo, int argc, char *argv[], Error *e) {
        enum { ARG_REFRESH = 256, ARG_CHECK, ARG_WITHOUT_RIMS, ARG_RIM_URL, ARG_RIM_DIR, ARG_TIMEOUT };
        static const Option options[] = {
                { "refresh", ARG_REFRESH, NULL },
                { "check", ARG_CHECK, NULL },
                { "without-rims", ARG_WITHOUT_RIMS, NULL },
                { "rim-url", ARG_RIM_URL, "URL" },
                { "rim-dir", ARG_RIM_DIR, "DIR" },
                { "parallel", 'j', "N" },
                { "timeout", ARG_TIMEOUT, "SECONDS" },
                {}
        };
        bool refresh = false, check_only = false;
        _cleanup_strv_ char **urls = NULL;
        FetchOptions fetching = {};
        RimOptions rims = {};
        int c, r = EXIT_OK;

        while ((c = option_next(argc, argv, options)) >= 0) {
                switch (c) {
                case ARG_REFRESH: refresh = true; break;
                case ARG_CHECK: check_only = true; break;
                case ARG_WITHOUT_RIMS: rims.without = true; break;
                case ARG_RIM_URL: r = fetching_rim_url(optarg, &urls); break;
                case ARG_RIM_DIR: rims.directory = optarg; break;
                case 'j': r = fetching_number(optarg, 64, &fetching.parallel); break;
                case ARG_TIMEOUT: r = fetching_number(optarg, 3600, &fetching.timeout_sec); break;
                case 'h': help(); return EXIT_OK;
                default: return option_status();
                }
                if (r != EXIT_OK)
                        return r;
        }
        if (refresh && check_only)
                return verb_usage("lock", "--refresh and --check exclude each other");
        if (rims.without && (rims.directory || urls))
                return verb_usage("lock", "--without-rims excludes --rim-url and --rim-dir");
        rims.urls = urls;
        rims.timeout_sec = MIN(fetching.timeout_sec, 600u);
        r = repo_load_releases(repo, argc - optind, argv + optind, e);
        if (r < 0)
                return r;
        return check_only ? check(repo, e) : lock(repo, refresh, &fetching, &rims, e);
}
