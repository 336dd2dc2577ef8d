/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs about whole published states: generations and prune. */
#include <fcntl.h>
#include <inttypes.h>
#include <time.h>

#include "basic/fs.h"
#include "cmd/output.h"
#include "cmd/repo.h"
#include "repo/diff.h"
#include "repo/signed-store.h"

static void help_generations(void) {
        printf("gn8v-tee-repo generations [OPTION...]\n\n"
               "List the published states that are kept, the newest last.\n\n"
               "      --repo=DIR       the repository (default: WORKSPACE/repo)\n"
               "      --json           one JSON array on standard output\n"
               "  -h, --help           this text\n\n"
               "Exit codes: 0 listed; 1 nothing is published; 6 malformed.\n");
}

static void help_prune(void) {
        printf("gn8v-tee-repo prune --keep=N [OPTION...]\n\n"
               "Remove all but the newest N published states, and the package files that none\n"
               "of those has. The published one always stays.\n\n"
               "      --keep=N         states to keep, the published one included\n"
               "      --repo=DIR       the repository (default: WORKSPACE/repo)\n"
               "      --json           one JSON document on standard output\n"
               "  -h, --help           this text\n\n"
               "Exit codes: 0 done; 1 failed; 6 malformed; 9 another run is at\n"
               "work.\n");
}

static char *date_text(int64_t seconds) {
        time_t t = (time_t) seconds;
        char text[32];
        struct tm tm;

        return gmtime_r(&t, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0 ? strdup(text) : strdup("?");
}

static uint64_t total_size(const Generation *g) {
        uint64_t total = 0;

        for (size_t i = 0; i < g->n_packages; i++)
                total += g->packages[i]->size;
        return total;
}

static int generations_json(const PublishedState *s, Error *e) {
        json_t *all = json_array();

        for (size_t i = 0; i < s->n_generations; i++) {
                const Generation *g = s->generations[i];
                _cleanup_free_ char *date = date_text(g->revision);
                json_t *locks = json_array();

                STRV_FOREACH(l, g->locks)
                        (void) json_array_append_new(locks, json_string(*l));
                (void) json_array_append_new(all, json_pack("{s:I, s:b, s:I, s:s?, s:I, s:I, s:s, s:s?, s:s, s:o}", "generation", (json_int_t) g->number,
                                                            "current", g == s->generation, "revision", (json_int_t) g->revision, "date", date,
                                                            "packages", (json_int_t) g->n_packages, "size", (json_int_t) total_size(g), "key", g->key, "also", g->also,
                                                            "repomd_sha256", g->repomd_sha256, "locks", locks));
        }
        return print_json(all, e);
}

static void generations_text(const PublishedState *s) {
        printf("GENERATION  NEWEST PACKAGE        PACKAGES        MIB  KEY\n");
        for (size_t i = 0; i < s->n_generations; i++) {
                const Generation *g = s->generations[i];
                _cleanup_free_ char *date = date_text(g->revision);

                printf("%9" PRIu64 "%s  %-20s  %8zu  %9.1f  %s%s%s\n", g->number, g == s->generation ? "*" : " ", or_dash(date), g->n_packages,
                       (double) total_size(g) / (1024 * 1024), g->key, g->also ? " " : "", g->also ? g->also : "");
        }
}

int verb_generations(Repo *repo, int argc, char *argv[], Error *e) {
        enum { ARG_REPO = 256 };
        static const Option options[] = {
                { "repo", ARG_REPO, "DIR" }, {}
        };
        _cleanup_published_state_ PublishedState s = { .repo_fd = -1 };
        _cleanup_free_ char *path = NULL;
        const char *dir = NULL;
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case ARG_REPO: dir = optarg; break;
                case 'h': help_generations(); return EXIT_OK;
                default: return option_status();
                }
        if (optind < argc)
                return verb_too_many("generations", argv[optind]);
        if ((r = repo_directory(repo, dir, true, &path, e)) < 0)
                return r;
        r = published_state_open(path, "current", &s, e);
        if (r < 0)
                return r;
        if (repo->json)
                return generations_json(&s, e);
        generations_text(&s);
        return EXIT_OK;
}

static int prune(const Repo *repo, const char *path, unsigned keep, Error *e) {
        _cleanup_(repository_freep) Repository *r = NULL;
        size_t before, packages;
        uint64_t freed;
        int k;

        k = repository_open_published(path, &r, e);
        if (k < 0)
                return k;
        before = r->n_generations;
        k = repository_clean(r, r->current, keep, &packages, e);
        if (k < 0)
                return k;
        freed = r->freed;
        signed_store_sweep(repo->workspace, &freed);
        if (repo->json)
                return print_json(json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "repo", json_text(path), "generation", (json_int_t) r->current->number, "removed_generations",
                                            (json_int_t) (before > keep ? before - keep : 0), "removed_packages", (json_int_t) packages, "freed_bytes",
                                            (json_int_t) freed, "kept_generations", (json_int_t) MIN(before, (size_t) keep)), e);
        if (!repo->quiet)
                printf("%s: %zu generations and %zu package files removed, %.1f MiB freed\n", path, before > keep ? before - keep : 0, packages,
                       (double) freed / (1024 * 1024));
        return EXIT_OK;
}

int verb_prune(Repo *repo, int argc, char *argv[], Error *e) {
        enum { ARG_KEEP = 256, ARG_REPO };
        static const Option options[] = {
                { "keep", ARG_KEEP, "N" }, { "repo", ARG_REPO, "DIR" }, {}
        };
        _cleanup_free_ char *path = NULL;
        const char *dir = NULL;
        uint64_t keep = 0;
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case ARG_KEEP:
                        if (option_number(optarg, 1, KEEP_MAX, &keep) != EXIT_OK)
                                return EXIT_USAGE;
                        break;
                case ARG_REPO: dir = optarg; break;
                case 'h': help_prune(); return EXIT_OK;
                default: return option_status();
                }
        if (optind < argc)
                return verb_too_many("prune", argv[optind]);
        if (keep == 0)
                return verb_usage("prune", "--keep is missing: how many states stay");
        if ((r = repo_directory(repo, dir, true, &path, e)) < 0)
                return r;
        return prune(repo, path, (unsigned) keep, e);
}
