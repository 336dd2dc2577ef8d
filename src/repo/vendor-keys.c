/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/vendor-keys.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/add.h"
#include "repo/keyring.h"
#include "repo/openpgp-key.h"
#include "repo/resolve.h"
#include "repo/signer.h"

#define KEY_MAX (1024 * 1024)

static bool signs_something(const Release *r, const Artifact *key) {
        for (size_t i = 0; i < r->n_artifacts; i++)
                if (r->artifacts[i]->kind == ARTIFACT_RPM && r->artifacts[i]->signer && streq(r->artifacts[i]->signer, key->fingerprint))
                        return true;
        return false;
}

static int append_key(const char *workspace, const LockedArtifact *l, Text *t, Error *e) {
        _cleanup_free_ char *path = format("%s/store/sha256/%.2s/%s", workspace, l->sha256, l->sha256), *data = NULL, *armored = NULL;
        const char *text;
        size_t size;
        int r;

        if (!path)
                return error_oom(e);
        r = read_file(AT_FDCWD, path, KEY_MAX, &data, &size);
        if (r < 0)
                return error_hint(e, error_errno(e, -r, "%s: %s", l->filename, path), "run `gn8v-tee-repo fetch` first");
        text = strstr(data, "-----BEGIN PGP PUBLIC KEY BLOCK-----");
        if (!text) {
                text = armored = openpgp_armor("PUBLIC KEY BLOCK", data, size);
                if (!armored)
                        return error_oom(e);
        }
        text_append(t, text);
        if (!endswith(text, "\n"))
                text_append(t, "\n");
        return 0;
}

/* Of ten thousand packages the records are read only if one of them was added with its signature. */
static int has_added_keys(const char *workspace, bool *ret, Error *e) {
        _cleanup_free_ char *folder = path_join(workspace, "packages");
        DIR *d = folder ? opendir(folder) : NULL;
        struct dirent *entry;

        *ret = false;
        if (!folder)
                return error_oom(e);
        if (!d)
                return errno == ENOENT ? 0 : error_errno(e, errno, "%s", folder);
        while (!*ret && (entry = readdir(d)))
                *ret = startswith(entry->d_name, ADDED_KEY);
        (void) closedir(d);
        return 0;
}

/* Those of packages that were added with the signature they had; a key that a broken off run has left signed none. */
static int append_added(const char *workspace, char ***seen, Text *t, Error *e) {
        _cleanup_(added_packages_clear) AddedPackages added = {};
        bool any;
        int r = has_added_keys(workspace, &any, e);

        if (r < 0 || !any)
                return r;
        r = packages_added(workspace, &added, e);
        for (size_t i = 0; r >= 0 && i < added.n; i++) {
                const char *fingerprint = added.v[i].signer;
                _cleanup_(openpgp_key_freep) OpenpgpKey *key = NULL;
                _cleanup_free_ char *path = NULL, *armored = NULL;

                if (!fingerprint || strv_contains(*seen, fingerprint))
                        continue;
                if (!(path = format("%s/packages/" ADDED_KEY "%s", workspace, fingerprint)))
                        return error_oom(e);
                if ((r = openpgp_key_load(path, fingerprint, &key, e)) < 0)
                        return r;
                if (!(armored = openpgp_armor("PUBLIC KEY BLOCK", key->packets, key->size)) || strv_append(seen, fingerprint) < 0)
                        return error_oom(e);
                text_append(t, armored);
        }
        return r;
}

int vendor_keys_fingerprints(const char *text, const char *name, char ***ret, Error *e) {
        static const char end[] = "-----END PGP PUBLIC KEY BLOCK-----";
        _cleanup_strv_ char **all = NULL;
        const char *at, *behind;

        for (at = text; (behind = strstr(at, end)); at = behind) {
                _cleanup_(keyring_freep) Keyring *k = NULL;
                int r;

                behind += strlen(end);
                behind += *behind == '\n';
                if ((r = keyring_new(at, (size_t) (behind - at), name, &k, e)) < 0)
                        return r;
                STRV_FOREACH(s, keyring_fingerprints(k))
                        if (strv_append(&all, *s) < 0)
                                return error_oom(e);
        }
        if (at == text || at[strspn(at, " \t\r\n")])
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: not armored keys alone", name);
        *ret = TAKE_PTR(all);
        return 0;
}

int vendor_keys_cover(int repo_fd, const char *repo, const Generation *g, Error *e) {
        _cleanup_free_ char *name = path_join(repo, VENDOR_KEY_FILE), *text = NULL;
        _cleanup_strv_ char **given = NULL;
        size_t size;
        int r;

        if (!name)
                return error_oom(e);
        r = read_file(repo_fd, VENDOR_KEY_FILE, KEY_MAX, &text, &size);
        if (r < 0 && r != -ENOENT)
                return error_errno(e, -r, "%s", name);
        if (r >= 0 && (r = vendor_keys_fingerprints(text, name, &given, e)) < 0)
                return r;
        for (size_t i = 0; i < g->n_packages; i++) {
                const PublishedPackage *p = g->packages[i];

                if (p->vendor && p->signer && !strv_contains(given, p->signer))
                        return error_hint(e, error_set(e, ENOKEY, EXIT_UNTRUSTED, "%s: key %s, which signed %s of generation %" PRIu64 ", is not in it any more", name, p->signer,
                                                       p->href, g->number), "clients could not check that package: add it again (gn8v-tee-repo add --key-file), and publish");
        }
        return 0;
}

int vendor_keys_load(const char *workspace, Release *const *releases, size_t n, char **ret, Error *e) {
        _cleanup_strv_ char **seen = NULL;
        _cleanup_text_ Text t = {};
        char *text;
        int r;

        for (size_t i = 0; i < n; i++) {
                _cleanup_(lock_freep) Lock *lock = NULL;

                for (size_t k = 0; k < releases[i]->n_artifacts; k++) {
                        const Artifact *a = releases[i]->artifacts[k];
                        const LockedArtifact *l;

                        if (a->kind != ARTIFACT_KEY || !a->fingerprint || !signs_something(releases[i], a) || strv_contains(seen, a->fingerprint))
                                continue;
                        if (!lock && (r = resolve_load_lock(workspace, releases[i], &lock, e)) < 0)
                                return r;
                        l = lock_find(lock, a->name);
                        if (!l)
                                return error_set(e, EBADMSG, EXIT_INVALID, "%s: artifact %s is not in it", lock->path, a->name);
                        if ((r = append_key(workspace, l, &t, e)) < 0)
                                return r;
                        if (strv_append(&seen, a->fingerprint) < 0)
                                return error_oom(e);
                }
        }
        if ((r = append_added(workspace, &seen, &t, e)) < 0)
                return r;
        if (!seen) {
                *ret = NULL;
                return 0;
        }
        text = text_take(&t);
        if (!text)
                return error_oom(e);
        *ret = text;
        return 0;
}
