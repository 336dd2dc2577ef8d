/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/whole.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/metadata.h"
#include "repo/openpgp-read.h"
#include "repo/parallel.h"
#include "repo/signed-store.h"

#define SIGNATURE_MAX (1024u * 1024)

static int differs(const Repository *r, const Generation *g, const char *path, Error *e) {
        return error_hint(e, error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s/%s: it is not the file that generation %" PRIu64 " was published with", r->path, path, g->number),
                          "'gn8v-tee-repo verify' finds what else was changed");
}

int whole_package(const Repository *r, const Generation *g, const PublishedPackage *p, Error *e) {
        _cleanup_close_ int fd = open_beneath(r->fd, p->href, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
        char hex[SHA256_HEX_SIZE];
        struct stat st;
        int k;

        if (fd < 0)
                return error_errno(e, -fd, "%s/%s", r->path, p->href);
        if (fstat(fd, &st) < 0)
                return error_errno(e, errno, "%s/%s", r->path, p->href);
        if (!S_ISREG(st.st_mode) || (uint64_t) st.st_size != p->size)
                return differs(r, g, p->href, e);
        if (file_is_sealed(fd, p->sha256))
                return 0;
        if ((k = sha256_fd(fd, hex)) < 0)
                return error_errno(e, -k, "%s/%s", r->path, p->href);
        if (!streq(hex, p->sha256))
                return differs(r, g, p->href, e);
        (void) file_seal(fd, st.st_mtim.tv_sec, p->sha256);
        return 0;
}

/* One that repomd.xml names; dir: below the repository. */
static int check_metadata(int repo_fd, const char *repo_path, const char *dir, const RepomdFile *f, Error *e) {
        _cleanup_free_ char *path = path_join(dir, path_basename(f->href)), *full = path ? path_join(repo_path, path) : NULL;
        _cleanup_close_ int fd = -1;

        if (!full)
                return error_oom(e);
        fd = open_beneath(repo_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
        if (fd < 0)
                return error_errno(e, -fd, "%s", full);
        return metadata_check(fd, full, &(RepomdFile){ .digest = f->digest, .checksum = f->checksum, .size = f->size }, NULL, NULL, e);
}

int whole_metadata(int repo_fd, const char *repo_path, const Generation *g, const Repomd *m, Error *e) {
        _cleanup_free_ char *dir = format("generations/%" PRIu64, g->number);
        int r = dir ? 0 : error_oom(e);

        for (size_t i = 0; r >= 0 && i < m->n_files; i++)
                r = strv_contains(g->metadata, path_basename(m->files[i].href))
                            ? check_metadata(repo_fd, repo_path, dir, &m->files[i], e)
                            : error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s/%s/manifest.json: it lacks %s, which repomd.xml names", repo_path, dir, m->files[i].href);
        return r;
}

typedef struct Whole {
        const Repository *r;
        const Generation *g;
        Keyring *const *keyrings;
        size_t n_keyrings;
        bool needs_key;
        Repomd *repomd;
        char *repomd_text;
        size_t repomd_size;
        bool *broken; /* as g->packages */
        char **paths; /* what is found */
} Whole;

static void whole_done(Whole *w) {
        repomd_free(w->repomd);
        free(w->repomd_text);
        free(w->broken);
        strv_free(w->paths);
}

static int add(Whole *w, const char *dir, const char *name, Error *e) {
        _cleanup_free_ char *path = dir ? path_join(dir, name) : strdup(name);
        return path && strv_append(&w->paths, path) >= 0 ? 0 : error_oom(e);
}

static bool is_signed(const Whole *w, const char *signature) {
        for (size_t i = 0; i < w->n_keyrings; i++)
                if (keyring_verify(w->keyrings[i], w->repomd_text, w->repomd_size, signature, strlen(signature), "repomd.xml", NULL, NULL, NULL) >= 0)
                        return true;
        return false;
}

static bool is_key(const Whole *w, const char *text, size_t size) {
        _cleanup_(keyring_freep) Keyring *k = NULL;
        _cleanup_error_ Error ignored = ERROR_INIT;
        return keyring_new(text, size, "repomd.xml.key", &k, &ignored) >= 0 && strv_contains(keyring_fingerprints(k), w->g->key);
}

/* The signature, or the key beside it. */
static int check_beside(Whole *w, const char *dir, const char *name, Error *e) {
        _cleanup_free_ char *path = path_join(dir, name), *text = NULL;
        _cleanup_free_ unsigned char *packets = NULL;
        size_t size, n;

        if (!path)
                return error_oom(e);
        if (read_regular_file(w->r->fd, path, SIGNATURE_MAX, &text, &size) >= 0 && (!startswith(text, "-----BEGIN") || openpgp_read_blocks(text, size, &packets, &n) >= 0) &&
            (endswith(name, ".key") ? is_key(w, text, size) : is_signed(w, text)))
                return 0;
        return add(w, dir, name, e);
}

static bool is_one_file(const Whole *w, const char *dir, const char *name) {
        _cleanup_free_ char *a = path_join(dir, name), *b = path_join("repodata", name);
        struct stat x, y;

        return a && b && fstatat(w->r->fd, a, &x, AT_SYMLINK_NOFOLLOW) == 0 && fstatat(w->r->fd, b, &y, AT_SYMLINK_NOFOLLOW) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* The generation's own directory; repodata/ has the same files, unless somebody copied them without their links. */
static int check_dir(Whole *w, const char *own, const char *dir, Error *e) {
        bool second = !streq(own, dir);
        int r = 0;

        for (size_t i = 0; r >= 0 && i < w->repomd->n_files; i++) {
                const char *name = path_basename(w->repomd->files[i].href);

                if (!(second && is_one_file(w, own, name)) && check_metadata(w->r->fd, w->r->path, dir, &w->repomd->files[i], NULL) < 0)
                        r = add(w, dir, name, e);
        }
        if (r >= 0 && !streq(w->g->key, "none"))
                r = check_beside(w, dir, "repomd.xml.asc", e);
        return r >= 0 && w->needs_key ? check_beside(w, dir, "repomd.xml.key", e) : r;
}

static int check_package(void *data, size_t i, Error *e) {
        Whole *w = data;

        (void) e;
        w->broken[i] = whole_package(w->r, w->g, w->g->packages[i], NULL) < 0;
        return 0;
}

/* The published repomd.xml was read when the repository was opened, and it is the one that this generation has: clients alone open it by that name, see readers.h. */
static int read_repomd(Whole *w, const char *own, Error *e) {
        _cleanup_free_ char *path = path_join(own, "repomd.xml");
        char hex[SHA256_HEX_SIZE];

        if (!path)
                return error_oom(e);
        if (read_regular_file(w->r->fd, path, REPOMD_MAX, &w->repomd_text, &w->repomd_size) < 0 || sha256_buffer(w->repomd_text, w->repomd_size, hex) < 0 ||
            !streq(hex, w->g->repomd_sha256) || repomd_parse_foreign(w->repomd_text, w->repomd_size, "repomd.xml", &w->repomd, NULL) < 0)
                return add(w, own, "repomd.xml", e);
        return 0;
}

int whole_state(const Repository *r, const Generation *g, Keyring *const *keyrings, size_t n_keyrings, bool needs_key, char ***ret, Error *e) {
        _cleanup_(whole_done) Whole w = { .r = r, .g = g, .keyrings = keyrings, .n_keyrings = n_keyrings, .needs_key = needs_key, .broken = calloc(g->n_packages + 1, sizeof(bool)) };
        _cleanup_free_ char *own = format("generations/%" PRIu64, g->number);
        int k;

        if (!w.broken || !own)
                return error_oom(e);
        if ((k = read_repomd(&w, own, e)) < 0 || (w.repomd && ((k = check_dir(&w, own, own, e)) < 0 || (k = check_dir(&w, own, "repodata", e)) < 0)) ||
            (k = parallel_run(g->n_packages, check_package, &w, e)) < 0)
                return k;
        for (size_t i = 0; i < g->n_packages; i++)
                if (w.broken[i] && (k = add(&w, NULL, g->packages[i]->href, e)) < 0)
                        return k;
        *ret = TAKE_PTR(w.paths);
        return 0;
}
