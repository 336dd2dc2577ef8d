/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/fs.h"
#include "cmd/repo.h"

int parse_days(const char *s, int64_t *ret) {
        uint64_t days;

        if (parse_u64(s, &days) < 0 || days == 0 || days > VALID_DAYS_MAX)
                return -EINVAL;
        *ret = (int64_t) days * 24 * 60 * 60;
        return 0;
}

int repo_load_releases(Repo *repo, int argc, char *argv[], Error *e) {
        Release **v;
        size_t n;
        int r;

        if (argc == 0)
                return release_load_directory(repo->releases_dir, &repo->releases, &repo->n_releases, e);
        v = calloc((size_t) argc, sizeof(Release *));
        if (!v)
                return error_oom(e);
        for (n = 0; n < (size_t) argc; n++) {
                _cleanup_free_ char *path = NULL;

                if (strchr(argv[n], '/') || argv[n][0] == '.')
                        r = error_set(e, EINVAL, EXIT_USAGE, "%s: not a release's name", argv[n]);
                else if (!(path = format("%s/%s.conf", repo->releases_dir, argv[n])))
                        r = error_oom(e);
                else
                        r = release_load(path, &v[n], e);
                if (r < 0) {
                        release_free_many(v, n);
                        return error_hint(e, r, "'gn8v-tee-repo list' shows the releases there are");
                }
        }
        repo->releases = v;
        repo->n_releases = n;
        return 0;
}
