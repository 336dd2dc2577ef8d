/* SPDX-License-Identifier: Apache-2.0 */
/* verify: a copy that mirror has made. Its keys are those that were pinned then, and its manifest has who signed each package. That it says to be a copy is
 * nobody's signed word: no link of what it is a copy of is taken for checked because of it. */
#include "repo/verify-chain.h"

#include <fcntl.h>
#include <inttypes.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/openpgp-read.h"
#include "repo/repo-file.h"
#include "repo/vendor-keys.h"

#define GENERATIONS_MAX 1000
#define MANIFEST_MAX    ((size_t) 64 * 1024 * 1024)
#define KEY_FILE_MAX    ((size_t) 1024 * 1024)

/* Of a repository that is no copy the manifests need not be parsed. */
static bool may_be_copy(const Verify *v, uint64_t number) {
        _cleanup_free_ char *path = format("generations/%" PRIu64 "/manifest.json", number), *text = NULL;
        size_t size;

        return path && read_regular_file(v->repo_fd, path, MANIFEST_MAX, &text, &size) >= 0 && memmem(text, size, "\"" MIRROR_LOCK, strlen("\"" MIRROR_LOCK));
}

int verify_copy(Verify *v) {
        _cleanup_error_ Error ignored = ERROR_INIT;
        _cleanup_free_ uint64_t *numbers = NULL;
        char hex[SHA256_HEX_SIZE];
        size_t n = 0;

        /* What is wrong with them is told where they are checked. */
        if (sha256_file(v->repo_fd, "repodata/repomd.xml", hex) < 0 || generations_list(v->repo_fd, v->o->repo, GENERATIONS_MAX, &numbers, &n, &ignored) < 0)
                return 0;
        while (n-- > 0) {
                _cleanup_(generation_freep) Generation *g = NULL;

                if (!may_be_copy(v, numbers[n]))
                        return 0;
                if (generation_load(v->repo_fd, v->o->repo, numbers[n], &g, &ignored) < 0)
                        return 0;
                if (g && generation_is_mirror(g) && streq(g->repomd_sha256, hex)) {
                        v->copy = TAKE_PTR(g);
                        return 0;
                }
        }
        return 0;
}

/* Whether this workspace is about what was copied: all of what this program has published (others have no serial), and a package of that is signed by who
 * published it, and by name one that the workspace has made. A name in common alone says nothing: others have the vendors' packages, too. */
static bool is_about(const Verify *v) {
        const Generation *g = v->copy;

        if (strv_length(g->locks) != 2 || g->freshness.serial == 0)
                return false;
        for (size_t i = 0; i < g->n_packages; i++) {
                const InputPackage *in = streq(g->packages[i]->signer, g->key) ? inputs_find(v->inputs, g->packages[i]->file) : NULL;

                if (in && !in->signer)
                        return true;
        }
        return false;
}

int verify_copy_workspace(Verify *v) {
        if (!v->copy || is_about(v))
                return 0;
        inputs_free(v->inputs);
        v->inputs = calloc(1, sizeof(*v->inputs));
        if (!v->inputs)
                return error_oom(verify_why(v));
        if (!v->has_workspace)
                return 0;
        v->has_workspace = false;
        (void) verify_begin(v, "lock", "%s", v->o->workspace);
        return verify_unchecked(v, "the repository is a copy, and not of what this workspace has made");
}

static int add_vendor(Verify *v, const char *fingerprint) {
        bool used = false;

        for (size_t i = 0; i < v->copy->n_packages && !used; i++)
                used = streq(v->copy->packages[i]->signer, fingerprint);
        if (!used)
                return verify_untrusted(v, "%s/" VENDOR_KEY_FILE ": key %s signed none of its packages", v->o->repo, fingerprint);
        (void) verify_begin(v, "key", "%s", fingerprint);
        if (v->pins)
                return strv_contains(v->pins, fingerprint) ? verify_passed(v) : verify_unchecked(v, "--key does not name it; it signed packages");
        return verify_unchecked(v, VERIFY_FOUND_BESIDE);
}

/* Of those that signed packages, and not the metadata. */
int verify_copy_keys(Verify *v) {
        _cleanup_free_ char *text = NULL, *name = path_join(v->o->repo, VENDOR_KEY_FILE);
        _cleanup_strv_ char **fingerprints = NULL;
        size_t size;
        int r = 0;

        if (!v->copy || faccessat(v->repo_fd, VENDOR_KEY_FILE, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                return 0;
        (void) verify_begin(v, "key", VENDOR_KEY_FILE);
        if (!name)
                return error_oom(verify_why(v));
        if ((r = verify_read(v, VENDOR_KEY_FILE, KEY_FILE_MAX, &text, &size)) < 0 || (r = vendor_keys_fingerprints(text, name, &fingerprints, verify_why(v))) < 0 ||
            (r = mirror_keys_load_text(&v->vendors, text, size, name, verify_why(v))) < 0)
                return r;
        STRV_FOREACH(s, fingerprints)
                if ((r = add_vendor(v, *s)) < 0)
                        return r;
        return 0;
}

static int check_signer(Verify *v, const RpmFile *f, const char **ret) {
        _cleanup_error_ Error by_repository = ERROR_INIT, by_others = ERROR_INIT;
        const char *why;

        if (v->keyring && keyring_verify_package(v->keyring, f, ret, &by_repository) >= 0)
                return 0;
        if (v->vendors.n > 0 && mirror_keys_verify_package(&v->vendors, f, ret, &by_others) >= 0)
                return 0;
        why = v->vendors.n > 0 ? by_others.message : v->keyring ? by_repository.message : NULL;
        return why ? verify_untrusted(v, "%s", why) : verify_untrusted(v, "%s: the key that signed it is not beside the repository", f->path);
}

int verify_copied_package(Verify *v, const PrimaryPackage *p, const RpmFile *f) {
        const PublishedPackage *q = generation_find_href(v->copy, p->href);
        const char *signer;
        int r;

        if (!q)
                return verify_untrusted(v, "%s/%s: the manifest of its generation does not have it", v->o->repo, p->href);
        if (streq(q->signer, "none"))
                return verify_unchecked(v, "nobody signed it, or was asked for when it was copied");
        if ((r = check_signer(v, f, &signer)) < 0)
                return r;
        if (!streq(signer, q->signer))
                return verify_untrusted(v, "%s/%s: signed by key %s, not by %s as when it was copied", v->o->repo, p->href, signer, q->signer);
        return verify_passed(v);
}
