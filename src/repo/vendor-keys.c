/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/vendor-keys.h"

#include <dirent.h>
#include <fcntl.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/add.h"
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

static int by_text(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Those of packages that were added with the signature they had. */
static int append_added(const char *workspace, char ***seen, Text *t, Error *e) {
        _cleanup_free_ char *folder = path_join(workspace, "packages");
        _cleanup_strv_ char **names = NULL;
        DIR *d = folder ? opendir(folder) : NULL;
        struct dirent *entry;
        int r = 0;

        if (!folder)
                return error_oom(e);
        if (!d)
                return errno == ENOENT ? 0 : error_errno(e, errno, "%s", folder);
        while (r >= 0 && (entry = readdir(d)))
                if (startswith(entry->d_name, ADDED_KEY))
                        r = strv_append(&names, entry->d_name);
        (void) closedir(d);
        if (r < 0)
                return error_oom(e);
        if (names)
                qsort(names, strv_length(names), sizeof(*names), by_text);
        STRV_FOREACH(name, names) {
                _cleanup_(openpgp_key_freep) OpenpgpKey *key = NULL;
                const char *fingerprint = startswith(*name, ADDED_KEY);
                _cleanup_free_ char *path = path_join(folder, *name), *armored = NULL;

                if (!path)
                        return error_oom(e);
                if (strv_contains(*seen, fingerprint))
                        continue;
                if ((r = openpgp_key_load(path, fingerprint, &key, e)) < 0)
                        return r;
                if (!(armored = openpgp_armor("PUBLIC KEY BLOCK", key->packets, key->size)) || strv_append(seen, fingerprint) < 0)
                        return error_oom(e);
                text_append(t, armored);
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
