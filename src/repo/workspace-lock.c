/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/workspace-lock.h"

#include <fcntl.h>

#include "basic/fs.h"
#include "basic/strings.h"

char *workspace_lock_path(const char *workspace, const Release *r) {
        _cleanup_free_ char *name = release_name(r);

        return name ? format("%s/locks/%s.lock", workspace, name) : NULL;
}

int release_digest(const Release *r, char ret[static SHA256_HEX_SIZE], Error *e) {
        int k = sha256_file(AT_FDCWD, r->path, ret);

        return k < 0 ? error_errno(e, -k, "%s", r->path) : 0;
}

int workspace_lock_load(const char *workspace, const Release *r, Lock **ret, Error *e) {
        _cleanup_free_ char *path = workspace_lock_path(workspace, r), *name = release_name(r);
        _cleanup_(lock_freep) Lock *l = NULL;
        char hex[SHA256_HEX_SIZE];
        int k;

        if (!path || !name)
                return error_oom(e);
        if (access(path, F_OK) < 0 && errno == ENOENT)
                return error_hint(e, error_set(e, ENOENT, EXIT_DIFFERS, "%s: %s is not locked yet", path, name),
                                  "Lock it first: gn8v-tee-repo lock %s", name);
        k = lock_load(path, &l, e);
        if (k >= 0)
                k = release_digest(r, hex, e);
        if (k >= 0)
                k = lock_check(l, r, hex, e);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(l);
        return 0;
}
