/* SPDX-License-Identifier: Apache-2.0 */
/* libsolv's own readers: of metadata in whatever form and compression, and of packages. They bring rpm's libraries with them. */
#include "repo/solve-world.h"

#include <fcntl.h>
#include <solv/repo_repomdxml.h>
#include <solv/repo_rpmdb.h>
#include <solv/repo_rpmmd.h>
#include <solv/solv_xfopen.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/dependency-scan.h"
#include "repo/rpm-file.h"

/* The file of a type ("primary") that repodata/repomd.xml names; an empty string when it names none. */
static int metadata_path(Pool *pool, const char *dir, const char *type, char **ret, Error *e) {
        _cleanup_free_ char *repomd = path_join(dir, "repodata/repomd.xml");
        _cleanup_fclose_ FILE *f = NULL;
        Dataiterator di;
        Repo *scratch;
        int r = 0;

        if (!repomd)
                return error_oom(e);
        f = fopen(repomd, "re");
        if (!f)
                return error_errno(e, errno, "%s", repomd);
        scratch = repo_create(pool, "repomd");
        if (repo_add_repomdxml(scratch, f, 0) != 0)
                r = error_set(e, EBADMSG, EXIT_INVALID, "%s: malformed", repomd);
        *ret = strdup("");
        dataiterator_init(&di, pool, scratch, SOLVID_META, REPOSITORY_REPOMD_TYPE, type, SEARCH_STRING);
        dataiterator_prepend_keyname(&di, REPOSITORY_REPOMD);
        while (r >= 0 && dataiterator_step(&di)) {
                const char *href;

                dataiterator_setpos_parent(&di);
                href = pool_lookup_str(pool, SOLVID_POS, REPOSITORY_REPOMD_LOCATION);
                if (!href || !path_is_safe(href)) {
                        r = error_set(e, EBADMSG, EXIT_INVALID, "%s: %s has no usable location", repomd, type);
                        break;
                }
                free(*ret);
                *ret = path_join(dir, href);
                break;
        }
        dataiterator_free(&di);
        repo_free(scratch, 1);
        if (!*ret)
                return error_oom(e);
        if (r < 0) {
                free(*ret);
                *ret = NULL;
        }
        return r;
}

static int add_metadata(Repo *repo, const char *dir, const char *type, int flags, bool required, Error *e) {
        _cleanup_free_ char *path = NULL;
        DependencyScan scan;
        FILE *f;
        int r;

        r = metadata_path(repo->pool, dir, type, &path, e);
        if (r < 0)
                return r;
        if (!*path)
                return required ? error_set(e, EBADMSG, EXIT_INVALID, "%s/repodata/repomd.xml: it names no %s", dir, type) : 0;
        f = solv_xfopen(path, "r");
        if (!f)
                return error_errno(e, errno ? errno : EIO, "%s", path);
        f = dependency_scan_open(&scan, f);
        if (!f)
                return error_oom(e);
        if (repo_add_rpmmd(repo, f, NULL, flags) != 0 || scan.is_bad)
                r = scan.is_bad ? dependency_scan_error(&scan, path, e) :
                    error_set(e, EBADMSG, EXIT_INVALID, "%s: malformed: %s", path, pool_errstr(repo->pool));
        (void) fclose(f);
        return r;
}

static int add_rpms(Repo *repo, char *const *rpms, Error *e) {
        STRV_FOREACH(s, rpms) {
                _cleanup_(rpm_file_freep) RpmFile *f = NULL;
                int r = rpm_file_open(AT_FDCWD, *s, &f, e); /* refuses what must not be read further */

                if (r < 0)
                        return r;
                if (repo_add_rpm(repo, *s, REPO_REUSE_REPODATA | REPO_NO_INTERNALIZE) == 0)
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: not a package: %s", *s, pool_errstr(repo->pool));
        }
        return 0;
}

const WorldReaders world_readers = { .metadata = add_metadata, .rpms = add_rpms };
