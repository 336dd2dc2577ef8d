/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "basic/fs.h"
#include "cmd/output.h"
#include "cmd/repo.h"
#include "repo/diff.h"

static void help(void) {
        printf("gn8v-tee-repo diff [OPTION...] A [B]\n\n"
               "What changes from one published state to another: packages, sizes, files.\n"
               "A and B are a generation's number, current, previous, or the directory of\n"
               "another repository; B is current when it is not given.\n\n"
               "      --files          name every file that came, went or changed\n"
               "      --repo=DIR       the repository (default: WORKSPACE/repo)\n"
               "      --json           one JSON document on standard output\n"
               "  -h, --help           this text\n\n"
               "Exit codes: 0 the same; 1 no such generation; 3 they differ; 6 malformed.\n");
}

static json_t *to_json(const Diff *d, const PublishedState *a, const PublishedState *b) {
        json_t *packages = json_array();

        for (size_t i = 0; i < d->n; i++) {
                const DiffPackage *p = &d->packages[i];
                json_t *files = json_array();

                for (size_t j = 0; j < p->n_files; j++)
                        (void) json_array_append_new(files, json_pack("{s:s, s:s, s:s?}", "path", p->files[j].path, "change",
                                                                      diff_kind_to_string(p->files[j].kind), "what", p->files[j].what));
                (void) json_array_append_new(packages, json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:I, s:I, s:b, s:o}", "name", p->name, "arch", p->arch,
                                                                 "change", diff_kind_to_string(p->kind), "old", p->old_evr, "new", p->new_evr,
                                                                 "old_size", (json_int_t) p->old_size, "new_size", (json_int_t) p->new_size,
                                                                 "resigned", p->resigned, "files", files));
        }
        return json_pack("{s:{s:s, s:I}, s:{s:s, s:I}, s:o}", "a", "repo", a->path, "generation", (json_int_t) a->generation->number, "b", "repo",
                         b->path, "generation", (json_int_t) b->generation->number, "packages", packages);
}

static void print_files(const DiffPackage *p) {
        static const char marks[] = { [DIFF_ADDED] = '+', [DIFF_REMOVED] = '-', [DIFF_CHANGED] = '~' };

        for (size_t j = 0; j < p->n_files; j++)
                printf("    %c %s%s%s%s\n", marks[p->files[j].kind], p->files[j].path, p->files[j].what ? " (" : "", or_empty(p->files[j].what),
                       p->files[j].what ? ")" : "");
}

static void print_package(const DiffPackage *p) {
        size_t n[3] = {};

        if (p->kind != DIFF_CHANGED) {
                printf("%c %s %s, %" PRIu64 " bytes\n", p->kind == DIFF_ADDED ? '+' : '-', p->name, p->kind == DIFF_ADDED ? p->new_evr : p->old_evr,
                       p->kind == DIFF_ADDED ? p->new_size : p->old_size);
                return;
        }
        for (size_t j = 0; j < p->n_files; j++)
                n[p->files[j].kind]++;
        printf("~ %s %s%s%s, %+" PRId64 " bytes", p->name, p->old_evr, streq(p->old_evr, p->new_evr) ? "" : " -> ",
               streq(p->old_evr, p->new_evr) ? "" : p->new_evr, (int64_t) p->new_size - (int64_t) p->old_size);
        if (p->resigned)
                printf("; the same package, signed anew\n");
        else
                printf("; files: %zu new, %zu gone, %zu changed\n", n[DIFF_ADDED], n[DIFF_REMOVED], n[DIFF_CHANGED]);
}

static int run(const Repo *repo, const char *path, const char *first, const char *second, bool files, Error *e) {
        _cleanup_published_state_ PublishedState a = { .repo_fd = -1 }, b = { .repo_fd = -1 };
        _cleanup_(diff_clear) Diff d = {};
        int r;

        if ((r = published_state_open(path, first, &a, e)) < 0 || (r = published_state_open(path, second, &b, e)) < 0 || (r = diff_make(&a, &b, &d, e)) < 0)
                return r;
        if (repo->json)
                r = print_json(to_json(&d, &a, &b), e);
        else
                for (size_t i = 0; i < d.n; i++) {
                        print_package(&d.packages[i]);
                        if (files)
                                print_files(&d.packages[i]);
                }
        return r < 0 ? r : d.n > 0 ? EXIT_DIFFERS : EXIT_OK;
}

int verb_diff(Repo *repo, int argc, char *argv[], Error *e) {
        enum { ARG_FILES = 256, ARG_REPO };
        static const Option options[] = {
                { "files", ARG_FILES, NULL },
                { "repo", ARG_REPO, "DIR" },
                {}
        };
        _cleanup_free_ char *path = NULL;
        const char *dir = NULL;
        bool files = false;
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case ARG_FILES: files = true; break;
                case ARG_REPO: dir = optarg; break;
                case 'h': help(); return EXIT_OK;
                default: return option_status();
                }
        if (argc - optind < 1 || argc - optind > 2)
                return verb_usage("diff", "one or two states are compared, not %d", argc - optind);
        if ((r = repo_directory(repo, dir, false, &path, e)) < 0)
                return r;
        return run(repo, path, argv[optind], argc - optind > 1 ? argv[optind + 1] : "current", files, e);
}
