/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/repo.h"
#include "basic/strings.h"
#include "repo/inputs.h"

int solve_packages(const Repo *repo, char ***rpms, Error *e) {
        _cleanup_(inputs_freep) Inputs *in = NULL;
        int r;

        r = inputs_load(repo->workspace, repo->releases, repo->n_releases, true, &in, e);
        if (r < 0)
                return r;
        if (in->n_packages == 0)
                return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s/packages: there is no package", repo->workspace),
                                  "run `gn8v-tee-repo build` first, or name a repository: --repo");
        for (size_t i = 0; i < in->n_packages; i++)
                if (strv_append(rpms, in->packages[i]->path) < 0)
                        return error_oom(e);
        return 0;
}
