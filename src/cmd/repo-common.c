/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <inttypes.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "cmd/repo.h"
#include "repo/repo-file.h"

int take_days(const char *value, int64_t *ret) {
        uint64_t days;

        if (streq(value, "none")) {
                *ret = -1;
                return EXIT_OK;
        }
        if (parse_u64(value, &days) < 0 || days == 0 || days > VALID_DAYS_MAX) {
                _cleanup_free_ char *why = format("not a number from 1 to %d, nor none", VALID_DAYS_MAX);

                return option_refuse(why ? why : "not a number of days");
        }
        *ret = (int64_t) days * 24 * 60 * 60;
        return EXIT_OK;
}

int take_baseurl(const char *url, const char **ret, Error *e) {
        int r = streq(url, "none") ? 0 : repo_url_check("--baseurl", url, e);

        if (r >= 0)
                *ret = streq(url, "none") ? "" : url;
        return r;
}

int take_mirror_url(const char *url, char ***urls, Error *e) {
        int r;

        if (streq(url, "none")) {
                if (strv_length(*urls) > 0)
                        return error_set(e, EINVAL, EXIT_USAGE, "--mirror-url none: another one is given, too");
                if (!*urls && !(*urls = calloc(1, sizeof(**urls))))
                        return error_oom(e);
                return 0;
        }
        if (*urls && strv_length(*urls) == 0)
                return error_set(e, EINVAL, EXIT_USAGE, "--mirror-url %s: none is given, too", url);
        if ((r = repo_url_check("--mirror-url", url, e)) < 0)
                return r;
        return strv_append(urls, url) < 0 ? error_oom(e) : 0;
}

void print_unchanged(const char *path, uint64_t generation, const char *what, const char *nothing, char *const *beside) {
        _cleanup_free_ char *names = beside ? strv_join(beside, ", ") : NULL;

        printf("%s: generation %" PRIu64 " is %s%s%s\n", path, generation, what, names ? "; changed beside it: " : ", ", names ? names : nothing);
}

void print_repaired(const char *path, uint64_t generation, char *const *repaired) {
        printf("%s: generation %" PRIu64 " was not whole; repaired: %zu file%s\n", path, generation, strv_length(repaired), strv_length(repaired) == 1 ? "" : "s");
        STRV_FOREACH(s, repaired)
                printf("  %s\n", *s);
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

int repo_directory(const Repo *repo, const char *dir, bool must_be, char **ret, Error *e) {
        _cleanup_free_ char *path = dir ? strdup(dir) : path_join(repo->workspace, "repo");
        int r;

        if (!path)
                return error_oom(e);
        if (must_be && !dir && access(repo->workspace, F_OK) < 0)
                return error_hint(e, error_errno(e, errno, "%s", repo->workspace), "-C names the workspace: the directory with locks, store, packages and repo");
        if (must_be && !is_folder(AT_FDCWD, path)) {
                r = error_set(e, ENOENT, EXIT_FAILED, "%s: there is no repository", path);
                return error_hint(e, r, dir ? "--repo names the directory that was published to, or copied" : "publish first, or name the repository: --repo");
        }
        *ret = TAKE_PTR(path);
        return 0;
}
