/* SPDX-License-Identifier: Apache-2.0 */
/* verify: release file, lock, stored artifact, build record. */
#include "repo/verify-chain.h"

#include <fcntl.h>
#include <unistd.h>

#include "basic/fs.h"
#include "basic/strings.h"

/* That each lock that is there can be read: inputs_load() reads them again, but what it cannot read need not be a lock. */
static int read_locks(Verify *v) {
        for (size_t i = 0; i < v->o->n_releases; i++) {
                _cleanup_free_ char *name = release_name(v->o->releases[i]), *path = name ? format("%s/locks/%s.lock", v->o->workspace, name) : NULL;
                _cleanup_(lock_freep) Lock *lock = NULL;
                int r;

                if (!path || verify_begin(v, "lock", "%s", name) < 0)
                        return error_oom(verify_why(v));
                if (access(path, F_OK) == 0 && (r = lock_load(path, &lock, verify_why(v))) < 0)
                        return r;
        }
        return 0;
}

/* Release file to lock, and the records, which have to be readable. */
int verify_locks(Verify *v) {
        int r = read_locks(v);

        if (r < 0)
                return r;
        (void) verify_begin(v, "lock", "%s", v->o->workspace);
        r = inputs_load(v->o->workspace, v->o->releases, v->o->n_releases, false, &v->inputs, verify_why(v));
        if (r < 0) {
                if (r != -ESTALE)
                        v->link = "record";
                return r;
        }
        for (size_t i = 0; i < v->inputs->n_releases; i++) {
                const InputRelease *ir = &v->inputs->releases[i];

                if (!ir->lock && v->copy)
                        continue; /* its publisher has them */
                (void) verify_begin(v, "lock", "%s", ir->name);
                r = ir->lock ? verify_passed(v) : verify_unchecked(v, "its lock is not here");
                if (r < 0)
                        return r;
                v->has_workspace = v->has_workspace || ir->lock;
        }
        v->has_workspace = v->has_workspace || v->inputs->n_packages > 0;
        return 0;
}

static int hash_stored(Verify *v, const char *path, const char *sha256) {
        char hex[SHA256_HEX_SIZE];
        int r = sha256_file(AT_FDCWD, path, hex);

        if (r == -ENOENT)
                return verify_unchecked(v, "it is not in the store");
        if (r < 0)
                return error_errno(verify_why(v), -r, "%s", path);
        if (!streq(hex, sha256))
                return error_hint(verify_why(v), verify_untrusted(v, "%s: its SHA-256 is %s, not the one its lock has", path, hex),
                                  "remove it, and fetch again");
        return verify_passed(v);
}

/* Lock to stored artifact: every one is read again. */
int verify_store(Verify *v) {
        _cleanup_strv_ char **seen = NULL;
        int r;

        for (size_t i = 0; i < v->inputs->n_releases; i++) {
                const InputRelease *ir = &v->inputs->releases[i];

                for (size_t j = 0; ir->lock && j < ir->lock->n_artifacts; j++) {
                        const LockedArtifact *a = ir->lock->artifacts[j];
                        _cleanup_free_ char *path = format("%s/store/sha256/%.2s/%s", v->o->workspace, a->sha256, a->sha256);

                        if (!path)
                                return error_oom(verify_why(v));
                        if (strv_contains(seen, a->sha256))
                                continue;
                        (void) verify_begin(v, "store", "%s", a->filename);
                        if ((r = hash_stored(v, path, a->sha256)) < 0)
                                return r;
                        if (strv_append(&seen, a->sha256) < 0)
                                return error_oom(verify_why(v));
                }
        }
        return 0;
}

/* Stored artifact to build record: the package was made from the very file that each of its releases locks. */
static int check_record_artifact(Verify *v, const InputPackage *p) {
        if (!p->artifact)
                return 0;
        for (size_t i = 0; i < v->inputs->n_releases; i++) {
                const InputRelease *ir = &v->inputs->releases[i];
                const LockedArtifact *a;

                if (!ir->lock || !strv_contains(p->releases, ir->name))
                        continue;
                a = lock_find(ir->lock, p->artifact);
                if (!a || !p->artifact_sha256 || !streq(a->sha256, p->artifact_sha256))
                        return error_hint(verify_why(v), verify_untrusted(v, "%s.json: %s was made from another file than %s locks", p->path,
                                                            p->file, ir->name), "build it again");
        }
        return 0;
}

int verify_records(Verify *v) {
        for (size_t i = 0; i < v->inputs->n_packages; i++) {
                const InputPackage *p = v->inputs->packages[i];
                char hex[SHA256_HEX_SIZE];
                int r;

                if (p->signer && p->artifact)
                        continue; /* the store's */
                (void) verify_begin(v, "record", "%s", p->file);
                if ((r = check_record_artifact(v, p)) < 0)
                        return r;
                r = sha256_file(AT_FDCWD, p->path, hex);
                if (r < 0)
                        return error_errno(verify_why(v), -r, "%s", p->path);
                if (!streq(hex, p->sha256))
                        return error_hint(verify_why(v), verify_untrusted(v, "%s: its SHA-256 is %s, not the one its build record has", p->path, hex),
                                          "build it again");
                if ((r = verify_passed(v)) < 0)
                        return r;
        }
        return 0;
}
