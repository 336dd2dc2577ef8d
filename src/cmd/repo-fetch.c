/* SPDX-License-Identifier: Apache-2.0 */

#include "basic/log.h"
#include "cmd/repo-fetching.h"
#include "repo/obtain.h"
#include "repo/resolve.h"
#include "repo/workspace-lock.h"

static void help(void) {
        printf("gn8v-tee-repo fetch [OPTION...] [RELEASE...]\n\n"
               "Fill the store with the artifacts that the locks name. What is there already is\n"
               "not fetched again; what was broken off is continued; a file with another digest\n"
               "is put aside (store/rejected), never used. Vendor RPMs must have their signer.\n"
               "Locked reference manifests (RIM) are got, and judged again, by gn8v-tee-attest.\n\n"
               FETCHING_RIM_HELP
               FETCHING_HELP
               "      --json               one JSON array on standard output\n"
               "  -h, --help               this text\n\n"
               "Exit codes: 0 all there; 1 failed; 3 a lock is missing or stale; 5 a digest,\n"
               "size, key or signature is wrong; 6 malformed; 7 no URL worked; 8 no space; 9\n"
               "another run is at work.\n");
}

typedef struct Wanted {
        Lock **locks;
        Want *wants;
        RimWant *rims;
        const Release **rim_releases; /* of each of rims */
        size_t n_locks, n_wants, n_rims;
} Wanted;

static void wanted_clear(Wanted *w) {
        for (size_t i = 0; i < w->n_wants; i++)
                want_clear(&w->wants[i]);
        for (size_t i = 0; i < w->n_locks; i++)
                lock_free(w->locks[i]);
        for (size_t i = 0; i < w->n_rims; i++)
                rim_want_clear(&w->rims[i]);
        free(w->rims);
        free(w->rim_releases);
        free(w->wants);
        free(w->locks);
}

static int collect_rims(Wanted *w, const Release *release, const Lock *lock, Error *e) {
        for (size_t i = 0; i < lock->n_artifacts; i++) {
                const LockedArtifact *l = lock->artifacts[i];
                const Release **releases;
                RimWant *rims;

                if (!locked_is_rim(l))
                        continue;
                rims = reallocarray(w->rims, w->n_rims + 1, sizeof(RimWant));
                if (!rims)
                        return error_oom(e);
                w->rims = rims;
                releases = reallocarray(w->rim_releases, w->n_rims + 1, sizeof(*releases));
                if (!releases)
                        return error_oom(e);
                w->rim_releases = releases;
                releases[w->n_rims] = release;
                rims[w->n_rims++] = (RimWant){ .id = l->name, .sha256 = l->sha256 };
        }
        return 0;
}

static int collect(const Repo *repo, Wanted *w, Error *e) {
        size_t n = 0;

        for (size_t i = 0; i < repo->n_releases; i++)
                n += repo->releases[i]->n_artifacts;
        w->locks = calloc(repo->n_releases + 1, sizeof(Lock *));
        w->wants = calloc(n + 1, sizeof(Want));
        if (!w->locks || !w->wants)
                return error_oom(e);
        for (size_t i = 0; i < repo->n_releases; i++) {
                const Release *release = repo->releases[i];
                int r = workspace_lock_load(repo->workspace, release, &w->locks[i], e);

                if (r < 0)
                        return r;
                w->n_locks++;
                for (size_t j = 0; j < release->n_artifacts; j++) {
                        const LockedArtifact *l = lock_find(w->locks[i], release->artifacts[j]->name);

                        w->wants[w->n_wants++] = (Want){ .release = release, .artifact = release->artifacts[j], .sha256 = l->sha256,
                                                         .size = l->size, .locked = l->first_use };
                }
                r = collect_rims(w, release, w->locks[i], e);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void add_json(json_t *all, const Store *store, const Release *release, const char *artifact, const char *sha256, bool fetched) {
        _cleanup_free_ char *name = release_name(release), *path = store_path(store, sha256);

        if (name && path)
                (void) json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s, s:b}", "release", name, "artifact", artifact, "sha256", sha256, "path",
                                                            path, "fetched", (int) fetched));
}

static json_t *to_json(const Store *store, const Wanted *w) {
        json_t *all = json_array();

        for (size_t i = 0; i < w->n_wants; i++)
                add_json(all, store, w->wants[i].release, w->wants[i].artifact->name, w->wants[i].sha256, w->wants[i].fetched);
        for (size_t i = 0; i < w->n_rims; i++)
                add_json(all, store, w->rim_releases[i], w->rims[i].id, w->rims[i].sha256, w->rims[i].fetched);
        return all;
}

static int print(const Repo *repo, const Store *store, const Wanted *w, Error *e) {
        size_t fetched = 0;

        for (size_t i = 0; i < w->n_wants; i++) {
                fetched += w->wants[i].fetched;
                STRV_FOREACH(s, w->wants[i].warnings)
                        log_warning("%s: it came, but not from every URL:\n%s", w->wants[i].artifact->filename, *s);
        }
        for (size_t i = 0; i < w->n_rims; i++)
                fetched += w->rims[i].fetched;
        if (repo->json)
                return print_json(to_json(store, w), e);
        log_info("%s: %zu artifacts, %zu reference manifests (releases: %zu), %zu fetched now", store->path, w->n_wants, w->n_rims, w->n_locks,
                 fetched);
        return 0;
}

static int fetch(Repo *repo, FetchOptions *options, const RimOptions *rims, Error *e) {
        _cleanup_(store_freep) Store *store = NULL;
        _cleanup_(wanted_clear) Wanted wanted = {};
        Progress progress;
        int r;

        r = collect(repo, &wanted, e);
        if (r >= 0)
                r = store_open(repo->workspace, true, &store, e);
        if (r >= 0)
                r = store_lock(store, e);
        if (r >= 0)
                r = rims_obtain(store, wanted.rims, wanted.n_rims, rims, e);
        if (r < 0)
                return r;
        fetching_begin(options, &progress, repo);
        r = obtain(store, wanted.wants, wanted.n_wants, options, e);
        progress_end(&progress);
        if (r < 0)
                return r;
        return print(repo, store, &wanted, e);
}

int verb_fetch(Repo *repo, int argc, char *argv[], Error *e) {
        enum { ARG_TIMEOUT = 256, ARG_RIM_URL, ARG_RIM_DIR };
        static const Option options[] = {
                { "rim-url", ARG_RIM_URL, "URL" },
                { "rim-dir", ARG_RIM_DIR, "DIR" },
                { "parallel", 'j', "N" },
                { "timeout", ARG_TIMEOUT, "SECONDS" },
                {}
        };
        _cleanup_strv_ char **urls = NULL;
        FetchOptions fetching = {};
        RimOptions rims = {};
        int c, r = EXIT_OK;

        while ((c = option_next(argc, argv, options)) >= 0) {
                switch (c) {
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
        r = repo_load_releases(repo, argc - optind, argv + optind, e);
        rims.urls = urls;
        rims.timeout_sec = MIN(fetching.timeout_sec, 600u);
        return r < 0 ? r : fetch(repo, &fetching, &rims, e);
}
