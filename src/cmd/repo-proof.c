/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/repo-proof.h"

#include "repo/repo-file.h"

json_t *proof_to_json(const ProveReport *r) {
        json_t *checks = json_array();

        for (size_t i = 0; i < r->n_checks; i++) {
                const ProveCheck *c = &r->checks[i];
                json_t *problems = json_array();

                STRV_FOREACH(s, c->problems)
                        (void) json_array_append_new(problems, json_string(*s));
                (void) json_array_append_new(checks, json_pack("{s:s, s:s, s:b, s:o}", "check", c->kind, "subject", c->subject,
                                                               "ok", !c->problems, "problems", problems));
        }
        return json_pack("{s:b, s:I, s:o}", "ok", r->n_failed == 0, "packages", (json_int_t) r->n_packages, "checks", checks);
}

void proof_print(const ProveReport *r) {
        for (size_t i = 0; i < r->n_checks; i++) {
                printf("%-6s  %-11s  %s\n", r->checks[i].problems ? "FAILED" : "ok", r->checks[i].kind, r->checks[i].subject);
                STRV_FOREACH(s, r->checks[i].problems)
                        printf("        %s\n", *s);
        }
}

int proof_default_platform(const Repo *repo, char ***platforms, Error *e) {
        _cleanup_free_ char *path = NULL;
        int r;

        if (*platforms)
                return 0;
        r = repo_data_path(repo->releases_dir, "platform/el8.provides", &path, e);
        if (r < 0)
                return error_hint(e, r, "say what the target provides: --platform FILE");
        return strv_append(platforms, path) < 0 ? error_oom(e) : 0;
}

