/* SPDX-License-Identifier: Apache-2.0 */
/* libsolv's own readers: of metadata in whatever form and compression, and of packages. They bring rpm's libraries with them. */
#include "repo/solve-world.h"

#include <fcntl.h>
#include <solv/chksum.h>
#include <solv/repo_repomdxml.h>
#include <solv/repo_rpmdb.h>
#include <solv/repo_rpmmd.h>
#include <solv/solv_xfopen.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/dependency-scan.h"
#include "repo/rpm-file.h"

/* A file that repodata/repomd.xml names, and what it says of it. */
typedef struct Named {
        char *path, *digest, *hex; /* path: NULL if there is none; digest, hex: if it states none, as ours of a selection that is being made */
} Named;

static void named_clear(Named *n) {
        free(n->path);
        free(n->digest);
        free(n->hex);
}

static int take_named(Pool *pool, const char *dir, const char *repomd, const char *type, Named *ret, Error *e) {
        const char *href = pool_lookup_str(pool, SOLVID_POS, REPOSITORY_REPOMD_LOCATION), *hex;
        Id digest = 0;

        if (!href || !path_is_safe(href))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: %s has no usable location", repomd, type);
        hex = pool_lookup_checksum(pool, SOLVID_POS, REPOSITORY_REPOMD_CHECKSUM, &digest);
        *ret = (Named){ .path = path_join(dir, href), .digest = hex ? strdup(solv_chksum_type2str(digest)) : NULL, .hex = hex ? strdup(hex) : NULL };
        return ret->path && (!hex || (ret->digest && ret->hex)) ? 0 : error_oom(e);
}

static int find_named(Pool *pool, const char *dir, const char *repomd, const char *type, Named *ret, Error *e) {
        _cleanup_fclose_ FILE *f = NULL;
        Dataiterator di;
        Repo *scratch;
        int r = 0;

        f = fopen(repomd, "re");
        if (!f)
                return error_errno(e, errno, "%s", repomd);
        scratch = repo_create(pool, "repomd");
        if (repo_add_repomdxml(scratch, f, 0) != 0)
                r = error_set(e, EBADMSG, EXIT_INVALID, "%s: malformed", repomd);
        dataiterator_init(&di, pool, scratch, SOLVID_META, REPOSITORY_REPOMD_TYPE, type, SEARCH_STRING);
        dataiterator_prepend_keyname(&di, REPOSITORY_REPOMD);
        if (r >= 0 && dataiterator_step(&di)) {
                dataiterator_setpos_parent(&di);
                r = take_named(pool, dir, repomd, type, ret, e);
        }
        dataiterator_free(&di);
        repo_free(scratch, 1);
        return r;
}

static int add_metadata(Repo *repo, const char *dir, const char *type, int flags, bool required, Error *e) {
        _cleanup_free_ char *repomd = path_join(dir, "repodata/repomd.xml");
        _cleanup_(named_clear) Named named = {};
        _cleanup_close_ int fd = -1;
        DependencyScan scan;
        const char *path;
        FILE *f;
        int r;

        if (!repomd)
                return error_oom(e);
        if ((r = find_named(repo->pool, dir, repomd, type, &named, e)) < 0)
                return r;
        if (!(path = named.path))
                return required ? error_set(e, EBADMSG, EXIT_INVALID, "%s: it names no %s", repomd, type) : 0;
        if ((fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) < 0)
                return error_errno(e, errno, "%s", path);
        if (named.hex && (r = world_check_digest(fd, path, repomd, named.digest, named.hex, e)) < 0)
                return r;
        f = solv_xfopen_fd(path, fd, "r");
        if (!f)
                return error_errno(e, errno ? errno : EIO, "%s", path);
        (void) TAKE_FD(fd);
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
