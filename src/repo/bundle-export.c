/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/bundle.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/bundle-tar.h"
#include "repo/diff.h"
#include "repo/keyring.h"
#include "repo/metadata.h"
#include "repo/repo-file.h"
#include "repo/vendor-keys.h"
#include "repo/whole.h"

#define CHUNK      (1024 * 1024)
#define OPEN_TRIES 5

typedef struct Export {
        const ExportOptions *o;
        PublishedState state, since;
        BundleManifest *manifest;
        char *from; /* generations/N */
        char *manifest_text, *signature, *key;
        char *generation_text;
        char *temporary;
        int dir_fd, out_fd;
        uint64_t written;
        char *buffer;
} Export;

static void export_done(Export *x) {
        if (x->temporary)
                (void) unlinkat(x->dir_fd, x->temporary, 0);
        safe_close(x->out_fd);
        safe_close(x->dir_fd);
        published_state_close(&x->state);
        published_state_close(&x->since);
        bundle_manifest_free(x->manifest);
        free(x->from);
        free(x->manifest_text);
        free(x->signature);
        free(x->key);
        free(x->generation_text);
        free(x->temporary);
        free(x->buffer);
}

static int differs(const Export *x, const char *path, Error *e) {
        return error_hint(e, error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s/%s: it is not the file that generation %" PRIu64 " was published with",
                                       x->o->repo, path, x->state.generation->number), "'gn8v-tee-repo verify' finds what else was changed");
}

static int open_states(Export *x, Error *e) {
        const Generation *g;
        int r = published_state_open(x->o->repo, x->o->generation, &x->state, e);

        if (r < 0 || (x->o->since && (r = published_state_open(x->o->repo, x->o->since, &x->since, e)) < 0))
                return r;
        g = x->state.generation;
        if (!signers_have(x->o->signers, g->key))
                return error_hint(e, error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: generation %" PRIu64 " was signed by key %s, not by %s", x->o->repo,
                                               g->number, g->key, x->o->signers->v[0]->fingerprint), "who imports it trusts that key alone: give it, or publish with the new one first");
        for (size_t i = 0; i < x->o->signers->n; i++)
                if (!streq(x->o->signers->v[i]->fingerprint, g->key) && !(g->also && streq(x->o->signers->v[i]->fingerprint, g->also)))
                        return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: generation %" PRIu64 " was not signed by key %s", x->o->repo, g->number,
                                         x->o->signers->v[i]->fingerprint);
        if (x->since.generation && x->since.generation->number >= g->number)
                return error_set(e, EINVAL, EXIT_USAGE, "--since: generation %" PRIu64 " is not older than %" PRIu64, x->since.generation->number, g->number);
        x->from = format("generations/%" PRIu64, g->number);
        x->manifest->generation = g->number;
        x->manifest->since = x->since.generation ? x->since.generation->number : 0;
        x->manifest->key = strdup(g->key);
        memcpy(x->manifest->repomd_sha256, g->repomd_sha256, SHA256_HEX_SIZE);
        return x->from && x->manifest->key ? 0 : error_oom(e);
}

/* One of the repository's own files, as it stands; path is below the repository, name in the bundle. */
static int add_file(Export *x, const char *path, const char *name, bool required, Error *e) {
        _cleanup_close_ int fd = open_beneath(x->state.repo_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
        char hex[SHA256_HEX_SIZE];
        struct stat st;

        if (fd == -ENOENT && !required)
                return 0;
        if (fd < 0)
                return error_errno(e, -fd, "%s/%s", x->o->repo, path);
        if (fstat(fd, &st) < 0 || sha256_fd(fd, hex) < 0)
                return error_errno(e, errno, "%s/%s", x->o->repo, path);
        return bundle_manifest_add(x->manifest, name, (uint64_t) st.st_size, hex, e);
}

static int add_metadata(Export *x, const char *name, bool required, Error *e) {
        _cleanup_free_ char *path = path_join(x->from, name), *member = path_join("repodata", name);

        return path && member ? add_file(x, path, member, required, e) : error_oom(e);
}

/* That the metadata are the signed ones: an export of what nobody could verify would be found out too late. */
static int check_signature(Export *x, Error *e) {
        _cleanup_free_ char *path = path_join(x->from, "repomd.xml"), *asc = path_join(x->from, "repomd.xml.asc"), *text = NULL, *signature = NULL;
        _cleanup_(keyring_freep) Keyring *keyring = NULL;
        _cleanup_(repomd_freep) Repomd *repomd = NULL;
        char hex[SHA256_HEX_SIZE];
        size_t size, signature_size;
        int r;

        if (!path || !asc)
                return error_oom(e);
        if ((r = keyring_new_own(x->o->signers, &keyring, e)) < 0)
                return r;
        if ((r = read_file(x->state.repo_fd, path, REPOMD_MAX, &text, &size)) < 0)
                return error_errno(e, -r, "%s/%s", x->o->repo, path);
        if ((r = read_file(x->state.repo_fd, asc, BUNDLE_SIGNATURE_MAX, &signature, &signature_size)) < 0)
                return error_errno(e, -r, "%s/%s", x->o->repo, asc);
        if (sha256_buffer(text, size, hex) < 0 || !streq(hex, x->state.generation->repomd_sha256))
                return differs(x, path, e);
        if ((r = keyring_verify(keyring, text, size, signature, signature_size, path, NULL, NULL, e)) < 0 || (r = repomd_parse_foreign(text, size, path, &repomd, e)) < 0)
                return r;
        return whole_metadata(x->state.repo_fd, x->o->repo, x->state.generation, repomd, e);
}

static bool is_left_out(const Export *x, const PublishedPackage *p) {
        const PublishedPackage *q = x->since.generation ? generation_find_href(x->since.generation, p->href) : NULL;

        return q && streq(q->sha256, p->sha256);
}

static int collect(Export *x, Error *e) {
        static const char *const fixed[] = { "repomd.xml", "repomd.xml.asc", "repomd.xml.key" };
        const Generation *g = x->state.generation;
        char hex[SHA256_HEX_SIZE];
        int r;

        if ((r = vendor_keys_cover(x->state.repo_fd, x->o->repo, g, e)) < 0)
                return r;
        x->key = signers_public_keys(x->o->signers);
        if (!x->key || sha256_buffer(x->key, strlen(x->key), hex) < 0)
                return error_oom(e);
        if ((r = bundle_manifest_add(x->manifest, BUNDLE_KEY, strlen(x->key), hex, e)) < 0 || (r = add_file(x, REPO_KEY_FILE, REPO_KEY_FILE, true, e)) < 0 ||
            (r = add_file(x, VENDOR_KEY_FILE, VENDOR_KEY_FILE, false, e)) < 0 || (r = add_file(x, REPO_FILE, REPO_FILE, false, e)) < 0 ||
            (r = generation_to_json(g, &x->generation_text, e)) < 0)
                return r;
        if (sha256_buffer(x->generation_text, strlen(x->generation_text), hex) < 0)
                return error_oom(e);
        if ((r = bundle_manifest_add(x->manifest, BUNDLE_GENERATION, strlen(x->generation_text), hex, e)) < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(fixed); i++)
                if ((r = add_metadata(x, fixed[i], true, e)) < 0)
                        return r;
        STRV_FOREACH(s, g->metadata)
                if ((r = add_metadata(x, *s, true, e)) < 0)
                        return r;
        for (size_t i = 0; i < g->n_packages; i++)
                if (!is_left_out(x, g->packages[i]) &&
                    (r = bundle_manifest_add(x->manifest, g->packages[i]->href, g->packages[i]->size, g->packages[i]->sha256, e)) < 0)
                        return r;
        return 0;
}

static int sign(Export *x, Error *e) {
        int r = bundle_manifest_to_json(x->manifest, &x->manifest_text, e);

        return r < 0 ? r : signers_sign_armored(x->o->signers, x->manifest_text, strlen(x->manifest_text), x->state.generation->revision, &x->signature, e);
}

/* -ESTALE: that of another run, which has been moved to its place since it was opened. */
static int open_locked(Export *x) {
        struct stat a, b;
        int r;

        x->out_fd = openat(x->dir_fd, x->temporary, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (x->out_fd < 0)
                return -errno;
        if ((r = lock_fd(x->out_fd)) < 0)
                return r;
        return fstat(x->out_fd, &a) < 0 || fstatat(x->dir_fd, x->temporary, &b, AT_SYMLINK_NOFOLLOW) < 0 || a.st_ino != b.st_ino || a.st_dev != b.st_dev ? -ESTALE : 0;
}

/* Beside its place: .NAME.new, locked. What a killed run left is written over. */
static int open_output(Export *x, Error *e) {
        const char *name = path_basename(x->o->file);
        _cleanup_free_ char *dir = strndup(x->o->file, (size_t) (name - x->o->file));
        int r = -ESTALE;

        if (!dir || !(x->temporary = format(".%s.new", name)))
                return error_oom(e);
        if (!*name || is_folder(AT_FDCWD, x->o->file))
                return error_hint(e, error_set(e, EISDIR, EXIT_USAGE, "%s: is a directory, and an export is one file", x->o->file), "name a file that is to be made");
        if (is_special(AT_FDCWD, x->o->file))
                return error_hint(e, error_set(e, EEXIST, EXIT_USAGE, "%s: it is a device, or a pipe", x->o->file), "name a file that is to be made");
        x->dir_fd = open(*dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (x->dir_fd < 0)
                return error_errno(e, errno, "%s", *dir ? dir : ".");
        for (unsigned i = 0; i < OPEN_TRIES && r == -ESTALE; i++) {
                x->out_fd = safe_close(x->out_fd);
                r = open_locked(x);
        }
        if (r == -ESTALE || r == -EWOULDBLOCK) {
                free(TAKE_PTR(x->temporary)); /* another's: not to be removed */
                return error_hint(e, error_set(e, EWOULDBLOCK, EXIT_LOCKED, "%s: another run is exporting to it", x->o->file),
                                  "try again when that run has ended, or wait for it: gn8v-tee-repo --lock-timeout=SECONDS");
        }
        if (r < 0)
                return error_errno(e, -r, "%s%s", dir, x->temporary);
        return ftruncate(x->out_fd, 0) < 0 || fchmod(x->out_fd, 0644) < 0 ? error_errno(e, errno, "%s", x->o->file) : 0;
}

static int check_space(const Export *x, Error *e) {
        uint64_t need = 0, available;
        _cleanup_free_ char *path = format("/proc/self/fd/%d", x->dir_fd);

        for (size_t i = 0; i < x->manifest->n_files; i++)
                if (__builtin_add_overflow(need, x->manifest->files[i].size, &need))
                        need = UINT64_MAX;
        if (!path)
                return error_oom(e);
        if (free_space(path, &available) < 0 || need <= available)
                return 0;
        return error_hint(e, error_set(e, ENOSPC, EXIT_NO_SPACE, "%s: %" PRIu64 " MiB are needed there, %" PRIu64 " MiB are free", x->o->file, (need >> 20) + 1,
                                       available >> 20), "make room, or write it to another disk");
}

static int put(Export *x, const void *data, size_t size, Error *e) {
        int r = write_all(x->out_fd, data, size);

        x->written += size;
        return r < 0 ? error_errno(e, -r, "%s", x->o->file) : 0;
}

static int put_zeros(Export *x, size_t n, Error *e) {
        static const char zeros[BUNDLE_TAR_RECORD + 2 * BUNDLE_TAR_BLOCK];

        return put(x, zeros, n, e);
}

/* Only name, size and one date for all: nothing of this machine gets in. */
static int begin_member(Export *x, const char *name, uint64_t size, Error *e) {
        _cleanup_free_ char *header = NULL;
        size_t n;

        return bundle_tar_header(name, size, x->state.generation->revision, &header, &n) < 0 ? error_oom(e) : put(x, header, n, e);
}

static int write_text(Export *x, const char *name, const char *text, Error *e) {
        size_t size = strlen(text);
        int r;

        if ((r = begin_member(x, name, size, e)) < 0 || (r = put(x, text, size, e)) < 0)
                return r;
        return put_zeros(x, bundle_tar_padding(size), e);
}

static int copy_file(Export *x, const BundleFile *f, const char *path, Error *e) {
        _cleanup_close_ int fd = open_beneath(x->state.repo_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
        _cleanup_(digest_freep) Digest *d = digest_new("sha256");
        _cleanup_free_ char *hex = NULL;
        uint64_t left = f->size;
        struct stat st;
        int r;

        if (!d)
                return error_oom(e);
        if (fd < 0)
                return error_errno(e, -fd, "%s/%s", x->o->repo, path);
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t) st.st_size != f->size)
                return differs(x, path, e);
        if ((r = begin_member(x, f->path, f->size, e)) < 0)
                return r;
        while (left > 0) {
                ssize_t n = read(fd, x->buffer, (size_t) MIN(left, (uint64_t) CHUNK));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_errno(e, errno, "%s/%s", x->o->repo, path);
                if (n == 0)
                        return differs(x, path, e);
                if (digest_update(d, x->buffer, (size_t) n) < 0)
                        return error_set(e, EIO, EXIT_FAILED, "cannot compute a digest");
                if ((r = put(x, x->buffer, (size_t) n, e)) < 0)
                        return r;
                left -= (uint64_t) n;
                progress_step(x->o->progress, (uint64_t) n);
        }
        hex = digest_hex(d);
        if (!hex)
                return error_oom(e);
        return streq(hex, f->sha256) ? put_zeros(x, bundle_tar_padding(f->size), e) : differs(x, path, e);
}

static int write_members(Export *x, Error *e) {
        int r;

        if ((r = write_text(x, BUNDLE_MANIFEST, x->manifest_text, e)) < 0 || (r = write_text(x, BUNDLE_SIGNATURE, x->signature, e)) < 0)
                return r;
        for (size_t i = 0; i < x->manifest->n_files; i++) {
                const BundleFile *f = &x->manifest->files[i];
                const char *metadata = startswith(f->path, "repodata/");
                _cleanup_free_ char *path = metadata ? path_join(x->from, metadata) : strdup(f->path);

                if (!path)
                        return error_oom(e);
                r = streq(f->path, BUNDLE_KEY)        ? write_text(x, f->path, x->key, e)
                    : streq(f->path, BUNDLE_GENERATION) ? write_text(x, f->path, x->generation_text, e)
                                                        : copy_file(x, f, path, e);
                if (r < 0)
                        return r;
        }
        return put_zeros(x, bundle_tar_ending(x->written), e);
}

static int write_bundle(Export *x, Error *e) {
        uint64_t total = 0;
        int r;

        for (size_t i = 0; i < x->manifest->n_files; i++)
                total += x->manifest->files[i].size;
        if (!(x->buffer = malloc(CHUNK)))
                return error_oom(e);
        if (x->o->progress)
                progress_begin(x->o->progress, "export", total, true);
        r = write_members(x, e);
        progress_end(x->o->progress);
        return r;
}

static int put_in_place(Export *x, Error *e) {
        if (fsync(x->out_fd) < 0 || renameat(x->dir_fd, x->temporary, x->dir_fd, path_basename(x->o->file)) < 0)
                return error_errno(e, errno, "%s", x->o->file);
        free(TAKE_PTR(x->temporary));
        return fsync(x->dir_fd) < 0 ? error_errno(e, errno, "%s", x->o->file) : 0;
}

int bundle_export(const ExportOptions *o, BundleManifest **ret, uint64_t *ret_size, Error *e) {
        _cleanup_(export_done) Export x = { .o = o, .dir_fd = -1, .out_fd = -1, .state.repo_fd = -1, .since.repo_fd = -1 };
        struct stat st;
        int r;

        x.manifest = calloc(1, sizeof(*x.manifest));
        if (!x.manifest)
                return error_oom(e);
        if ((r = open_states(&x, e)) < 0 || (r = check_signature(&x, e)) < 0 || (r = collect(&x, e)) < 0 || (r = sign(&x, e)) < 0 ||
            (r = open_output(&x, e)) < 0 || (r = check_space(&x, e)) < 0 || (r = write_bundle(&x, e)) < 0)
                return r;
        if (fstat(x.out_fd, &st) < 0)
                return error_errno(e, errno, "%s", o->file);
        if ((r = put_in_place(&x, e)) < 0)
                return r;
        if (ret_size)
                *ret_size = (uint64_t) st.st_size;
        if (ret)
                *ret = TAKE_PTR(x.manifest);
        return 0;
}
