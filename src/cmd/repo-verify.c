/* SPDX-License-Identifier: Apache-2.0 */

#include "basic/fs.h"
#include "basic/log.h"
#include "cmd/repo-proof.h"
#include "repo/verify.h"

static void help(void) {
        printf("gn8v-tee-repo verify [OPTION...] [RELEASE...]\n\n"
               "Follow the chain, offline: release file, lock, stored artifact, build record,\n"
               "signed package and its payload, primary.xml, repomd.xml, signature, fingerprint;\n"
               "and what lies beside it: .repo file, metalink, keys, kept generations.\n"
               "Ends at the first broken link, and names it.\n\n"
               "      --key=FPR         fingerprint of the key that must have signed (default:\n"
               "                        those of the keys beside the repository); may be\n"
               "                        repeated: any other key is refused\n"
               "      --at-least=SERIAL an older state than this one is a replay (default: the\n"
               "                        newest that this workspace has seen)\n"
               "      --repo=DIR        the repository (default: WORKSPACE/repo)\n"
               "      --json            one JSON document on standard output\n"
               "  -h, --help            this text\n\n"
               "Exit codes: 0 all links hold; 1 there is no repository; 3 an older state, or\n"
               "expired; 5 one is broken (6: malformed); 11 those that could be checked hold,\n"
               "but not all could be: without a workspace the repository alone is checked.\n");
}

static const char *const states[] = { [VERIFY_OK] = "ok", [VERIFY_BROKEN] = "broken", [VERIFY_UNCHECKED] = "unchecked" };

static void tell(void *data, const VerifyLink *l) {
        printf("%-9s  %-9s  %s%s%s\n", states[l->state], l->link, l->subject, l->detail && l->state == VERIFY_UNCHECKED ? ": " : "",
               l->detail && l->state == VERIFY_UNCHECKED ? l->detail : "");
}

static json_t *to_json(const VerifyReport *r) {
        json_t *links = json_array(), *keys = json_array();

        for (size_t i = 0; i < r->n_links; i++)
                (void) json_array_append_new(links, json_pack("{s:s, s:s, s:s, s:s?}", "link", r->links[i].link, "subject", r->links[i].subject,
                                                              "state", states[r->links[i].state], "detail", r->links[i].detail));
        STRV_FOREACH(s, r->keys)
                (void) json_array_append_new(keys, json_string(*s));
        return json_pack("{s:b, s:I, s:s?, s:o, s:o}", "ok", !r->broken && r->n_unchecked == 0, "unchecked", (json_int_t) r->n_unchecked,
                         "key", r->keys ? r->keys[0] : NULL, "keys", keys, "links", links);
}

static int run(Repo *repo, VerifyOptions *o, Error *e) {
        _cleanup_(verify_report_freep) VerifyReport *report = NULL;
        int r;

        r = verify(o, &report, e);
        if (r < 0)
                return r;
        if (repo->json && (r = print_json(to_json(report), e)) < 0)
                return r;
        if (report->broken) {
                /* The link's own error is the one to tell. */
                error_clear(e);
                *e = report->error;
                report->error = ERROR_INIT;
                return -EKEYREJECTED;
        }
        if (report->n_unchecked > 0)
                return error_set(e, EAGAIN, EXIT_UNCHECKED, "%zu of %zu links could not be checked; the others hold", report->n_unchecked, report->n_links);
        if (!repo->json && !repo->quiet)
                log_info("all %zu links hold", report->n_links);
        return EXIT_OK;
}

int verb_verify(Repo *repo, int argc, char *argv[], Error *e) {
        enum { ARG_KEY = 256, ARG_AT_LEAST, ARG_REPO };
        static const Option options[] = {
                { "key", ARG_KEY, "FPR" },
                { "at-least", ARG_AT_LEAST, "SERIAL" },
                { "repo", ARG_REPO, "DIR" },
                {}
        };
        _cleanup_free_ char *path = NULL;
        _cleanup_strv_ char **keys = NULL;
        VerifyOptions o = {};
        Progress progress = {};
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case ARG_KEY:
                        if (strv_append(&keys, optarg) < 0)
                                return error_oom(e);
                        break;
                case ARG_AT_LEAST:
                        if (option_number(optarg, 0, INT64_MAX, &o.at_least) != EXIT_OK)
                                return EXIT_USAGE;
                        break;
                case ARG_REPO: o.repo = optarg; break;
                case 'h': help(); return EXIT_OK;
                default: return option_status();
                }
        r = repo_load_releases(repo, argc - optind, argv + optind, e);
        if (r < 0)
                return r;
        if ((r = repo_directory(repo, o.repo, true, &path, e)) < 0)
                return r;
        o.workspace = repo->workspace;
        o.repo = path;
        o.keys = keys;
        o.releases = repo->releases;
        o.n_releases = repo->n_releases;
        o.all = optind == argc;
        o.progress = repo->quiet ? NULL : &progress;
        o.tell = repo->json || repo->quiet ? NULL : tell;
        return run(repo, &o, e);
}
