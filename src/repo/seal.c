/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/seal.h"

#include <fcntl.h>
#include <unistd.h>

#include "basic/fs.h"

/* repository_sync() puts it on the disk. */
static int write_file(Repository *r, const char *path, const void *data, size_t size, Error *e) {
        int k = write_file_new(r->stage_fd, path, data, size, 0644);
        return k < 0 ? error_errno(e, -k, "%s/" STAGE "/%s", r->path, path) : 0;
}

/* Every one of them signed: a signature that is missing would be found out by the clients that know that key alone. */
static int check_signatures(const Signers *signers, Keyring *keyring, const char *repomd, const char *armored, Error *e) {
        _cleanup_strv_ char **signed_by = NULL;
        int k = keyring_verify(keyring, repomd, strlen(repomd), armored, strlen(armored), "repomd.xml", &signed_by, NULL, e);

        for (size_t i = 0; k >= 0 && i < signers->n; i++)
                if (!strv_contains(signed_by, signers->v[i]->fingerprint))
                        k = error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "repomd.xml: not signed by key %s", signers->v[i]->fingerprint);
        return k;
}

int seal_repomd(Repository *r, Generation *g, const Signers *signers, Keyring *keyring, const char *repomd, Error *e) {
        _cleanup_free_ char *armored = NULL, *key = signers_public_keys(signers);
        char hex[SHA256_HEX_SIZE];
        int k;

        if (!key)
                return error_oom(e);
        if ((k = signers_sign_armored(signers, repomd, strlen(repomd), g->revision, &armored, e)) < 0 ||
            (k = check_signatures(signers, keyring, repomd, armored, e)) < 0 ||
            (k = write_file(r, "repodata/repomd.xml.asc", armored, strlen(armored), e)) < 0 ||
            (k = write_file(r, "repodata/repomd.xml.key", key, strlen(key), e)) < 0)
                return k;
        if (sha256_buffer(repomd, strlen(repomd), hex) < 0 || !(g->repomd_sha256 = strdup(hex)))
                return error_oom(e);
        return 0;
}

int seal_generation(Repository *r, const Generation *g, Error *e) {
        static const char *const fixed[] = { "repomd.xml", "repomd.xml.asc", "repomd.xml.key" };
        _cleanup_free_ char *manifest = NULL;
        _cleanup_strv_ char **names = NULL;
        int k;

        for (size_t i = 0; i < ELEMENTSOF(fixed); i++)
                if (strv_append(&names, fixed[i]) < 0)
                        return error_oom(e);
        STRV_FOREACH(s, g->metadata)
                if (strv_append(&names, *s) < 0)
                        return error_oom(e);
        STRV_FOREACH(s, names) {
                _cleanup_free_ char *from = path_join("repodata", *s), *to = path_join("generation", *s);

                if (!from || !to)
                        return error_oom(e);
                /* Somebody else's may be unsigned, or come without its key. */
                if (linkat(r->stage_fd, from, r->stage_fd, to, 0) < 0 && !(errno == ENOENT && generation_is_mirror(g) && startswith(*s, "repomd.xml.")))
                        return error_errno(e, errno, "%s/" STAGE "/%s", r->path, to);
        }
        k = generation_to_json(g, &manifest, e);
        return k < 0 ? k : write_file(r, "generation/manifest.json", manifest, strlen(manifest), e);
}

int seal_top(Repository *r, const char *name, const char *text, Error *e) {
        _cleanup_free_ char *old = NULL;
        int k;

        if (text && read_file(r->fd, name, 1024 * 1024, &old, NULL) >= 0 && streq(old, text))
                return 0;
        k = text ? write_file_atomic(r->fd, name, text, strlen(text), 0644) : unlinkat(r->fd, name, 0) < 0 ? -errno : 0;
        if (!text && k == -ENOENT)
                return 0;
        return k < 0 ? error_errno(e, -k, "%s/%s", r->path, name) : strv_append(&r->beside, name) < 0 ? error_oom(e) : 0;
}
