/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/publish-package.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "repo/rpm-sign.h"
#include "repo/vendor-rpm.h"

#define HREF_DIGITS 12 /* of a digest, to tell two files of one name apart */

PublishedPackage *package_published_as(const Repository *repo, const char *file, size_t guess) {
        PublishedPackage *found = NULL;

        for (size_t i = repo->n_generations; i-- > 0 && !found;)
                found = generation_find_file(repo->generations[i], file, guess);
        return found;
}

/* Whether the place of a file is taken, for clients that still read an older generation, by other bytes. */
static bool is_taken(const Repository *repo, const char *href, const char *sha256) {
        for (size_t i = 0; i < repo->n_generations; i++) {
                const PublishedPackage *q = generation_find_href(repo->generations[i], href);

                if (q && !streq(q->sha256, sha256))
                        return true;
        }
        return false;
}

static int choose_href(const Repository *repo, PublishedPackage *q, Error *e) {
        q->href = format("packages/%s", q->file);
        if (q->href && is_taken(repo, q->href, q->sha256)) {
                free(q->href);
                q->href = format("packages/%.*s/%s", HREF_DIGITS, q->sha256, q->file);
        }
        return q->href ? 0 : error_oom(e);
}

static int check_replaced(const PackageContext *c, const InputPackage *in, const RpmFile *f, const PublishedPackage *old, Error *e) {
        int r;

        if (!old || c->o->replace || (streq(old->header_sha256, f->header_sha256) && (!in->signer || streq(old->sha256, in->sha256))))
                return 0;
        r = error_set(e, EEXIST, EXIT_DIFFERS, "%s: %s is published already, with other content", in->path, f->nevra);
        return error_hint(e, r, "machines that have it would never get this one: raise Revision in the release file, and build again (or publish --replace)");
}

static int describe(const InputPackage *in, const RpmFile *f, const char *signer, PublishedPackage *q, Error *e) {
        q->file = strdup(in->file);
        q->name = strdup(f->name);
        q->evr = strdup(f->evr);
        q->arch = strdup(f->arch);
        q->nevra = strdup(f->nevra);
        q->header_sha256 = strdup(f->header_sha256);
        q->signer = strdup(signer);
        q->vendor = in->signer;
        q->build_time = f->build_time;
        STRV_FOREACH(s, in->releases)
                if (strv_append(&q->releases, *s) < 0)
                        return error_oom(e);
        if (!q->file || !q->name || !q->evr || !q->arch || !q->nevra || !q->header_sha256 || !q->signer)
                return error_oom(e);
        return 0;
}

static int set_digests(PublishedPackage *q, const char *sha256, uint64_t size, const char *unsigned_sha256, Error *e) {
        q->sha256 = strdup(sha256);
        q->size = size;
        if (!q->sha256 || (unsigned_sha256 && !(q->unsigned_sha256 = strdup(unsigned_sha256))))
                return error_oom(e);
        return 0;
}

static int reuse(const PackageContext *c, const InputPackage *in, const PublishedPackage *old, PublishedPackage *q, Error *e) {
        if (!(q->href = strdup(old->href)))
                return error_oom(e);
        progress_step(c->o->progress, old->size);
        return set_digests(q, old->sha256, old->size, in->signer ? NULL : old->unsigned_sha256, e);
}

static int open_staged(const PackageContext *c, const char *path, int *ret_fd, Error *e) {
        _cleanup_close_ int fd = openat(c->repo->stage_fd, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

        if (fd < 0 || fchmod(fd, 0644) < 0)
                return error_errno(e, errno, "%s/" STAGE "/%s", c->o->repo, path);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int digest_differs(const InputPackage *in, const char *found, const char *hint, Error *e) {
        return error_hint(e, error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: its SHA-256 is %s, not %s", in->path, found, in->sha256), "%s", hint);
}

/* Signed before: the same file again, without a byte of it being read. Only its header is compared with the package's. */
static bool link_signed(const PackageContext *c, const InputPackage *in, const RpmFile *f, const char *path, char sha256[static SHA256_HEX_SIZE], uint64_t *ret_size) {
        _cleanup_(rpm_file_freep) RpmFile *known = NULL;
        _cleanup_error_ Error ignored = ERROR_INIT;

        if (in->signer || !signed_store_take(c->known, in->sha256, c->repo->stage_fd, path, sha256))
                return false;
        if (rpm_file_open(c->repo->stage_fd, path, &known, &ignored) >= 0 && streq(known->header_sha256, f->header_sha256)) {
                *ret_size = known->size;
                progress_step(c->o->progress, known->size);
                return true;
        }
        (void) unlinkat(c->repo->stage_fd, path, 0);
        return false;
}

static bool is_unchanged(const InputPackage *in, const RpmFile *f) {
        struct stat st;
        FileId id;

        if (fstat(f->fd, &st) < 0)
                return false;
        id = file_id(&st);
        return file_id_same(&in->id, &id);
}

static int stage_own(const PackageContext *c, const InputPackage *in, const RpmFile *f, PublishedPackage *q, int fd, Error *e) {
        bool sealed = in->sealed && is_unchanged(in, f);
        RpmSigned done;
        int r;

        r = rpm_sign_copy(f, c->o->signers->v[0], sealed ? in->sha256 : NULL, fd, c->o->progress, &done, e);
        if (r < 0)
                return r;
        if (sealed && !is_unchanged(in, f))
                return error_hint(e, error_set(e, EBUSY, EXIT_FAILED, "%s: it changed while it was read", in->path), "let nothing write to packages/ while it is published");
        if (!streq(done.unsigned_sha256, in->sha256))
                return digest_differs(in, done.unsigned_sha256, "it is not the file that its build record describes: build it again", e);
        return set_digests(q, done.signed_sha256, done.size, done.unsigned_sha256, e);
}

/* A vendor's key, read once for all that it signed. */
struct VendorKey {
        char *path, *signer;
        OpenpgpKey *key;
};

void package_context_done(PackageContext *c) {
        for (size_t i = 0; i < c->n_vendor_keys; i++) {
                free(c->vendor_keys[i].path);
                free(c->vendor_keys[i].signer);
                openpgp_key_free(c->vendor_keys[i].key);
        }
        free(c->vendor_keys);
        signed_store_free(c->known);
}

static int vendor_key(PackageContext *c, const InputPackage *in, const OpenpgpKey **ret, Error *e) {
        struct VendorKey *grown, *k;
        int r;

        for (size_t i = 0; i < c->n_vendor_keys; i++)
                if (streq(c->vendor_keys[i].path, in->signer_key) && streq(c->vendor_keys[i].signer, in->signer)) {
                        *ret = c->vendor_keys[i].key;
                        return 0;
                }
        grown = reallocarray(c->vendor_keys, c->n_vendor_keys + 1, sizeof(*grown));
        if (!grown)
                return error_oom(e);
        c->vendor_keys = grown;
        k = &grown[c->n_vendor_keys++];
        *k = (struct VendorKey){ .path = strdup(in->signer_key), .signer = strdup(in->signer) };
        if (!k->path || !k->signer)
                r = error_oom(e);
        else
                r = openpgp_key_load(in->signer_key, in->signer, &k->key, e);
        if (r < 0) {
                free(k->path);
                free(k->signer);
                c->n_vendor_keys--;
                return r;
        }
        *ret = k->key;
        return 0;
}

/* The store's name for the file is its digest, which was taken as it came: it is not taken again, unless the file is not as the store left it. */
static int check_stored(const InputPackage *in, const RpmFile *f, Error *e) {
        char hex[SHA256_HEX_SIZE];
        struct stat st;
        int r;

        if (fstat(f->fd, &st) == 0 && (st.st_mode & 0222) == 0 && f->size == in->size)
                return 0;
        r = sha256_fd(f->fd, hex);
        if (r < 0)
                return error_errno(e, -r, "%s", in->path);
        return streq(hex, in->sha256) ? 0 : digest_differs(in, hex, "the stored file is damaged: remove it, and fetch again", e);
}

static int stage_vendor(PackageContext *c, const InputPackage *in, const RpmFile *f, PublishedPackage *q, int fd, Error *e) {
        const OpenpgpKey *key = NULL;
        int r;

        if (!in->signer_key)
                return error_set(e, ENOKEY, EXIT_UNTRUSTED, "%s: no key of its signer %s is among the release's artifacts", in->file, in->signer);
        if ((r = check_stored(in, f, e)) < 0)
                return r;
        (void) pthread_mutex_lock(&c->vendor);
        r = vendor_key(c, in, &key, e);
        if (r >= 0)
                r = vendor_rpm_check_header(in->path, key, in->signer_key, e);
        (void) pthread_mutex_unlock(&c->vendor);
        if (r < 0)
                return r;
        if (lseek(f->fd, 0, SEEK_SET) < 0)
                return error_errno(e, errno, "%s", in->path);
        if ((r = copy_bytes(f->fd, fd)) < 0)
                return error_errno(e, -r, "copying %s", in->path);
        progress_step(c->o->progress, f->size);
        return set_digests(q, in->sha256, f->size, NULL, e);
}

static int stage_package(PackageContext *c, const InputPackage *in, const RpmFile *f, PublishedPackage *q, PackageOrigin *ret, Error *e) {
        _cleanup_free_ char *path = path_join("packages", in->file);
        char sha256[SHA256_HEX_SIZE];
        _cleanup_close_ int fd = -1;
        uint64_t size;
        int r;

        if (!path)
                return error_oom(e);
        q->staged = true;
        if (link_signed(c, in, f, path, sha256, &size)) {
                *ret = PACKAGE_REUSED;
                r = set_digests(q, sha256, size, in->sha256, e);
                return r < 0 ? r : choose_href(c->repo, q, e);
        }
        *ret = in->signer ? PACKAGE_VENDOR : PACKAGE_SIGNED;
        if ((r = open_staged(c, path, &fd, e)) < 0 || (r = in->signer ? stage_vendor(c, in, f, q, fd, e) : stage_own(c, in, f, q, fd, e)) < 0)
                return r;
        /* The time of a published file is the package's, not ours. */
        if ((r = file_seal(fd, f->build_time, q->sha256)) < 0)
                return error_errno(e, -r, "%s/" STAGE "/%s", c->o->repo, path);
        return choose_href(c->repo, q, e);
}

static int check_name(const InputPackage *in, const RpmFile *f, Error *e) {
        _cleanup_free_ char *name = rpm_file_canonical_name(f);

        if (!name)
                return error_oom(e);
        if (!streq(name, in->file))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: the package in it would be called %s", in->file, name);
        if (!in->signer && f->signature_packet)
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: it is signed already", in->path), "packages/ holds unsigned packages: build it again");
        return 0;
}

/* Published already, by the same key, from the same file. */
static bool is_same(const InputPackage *in, const RpmFile *f, const PublishedPackage *old, const char *signer) {
        const char *made_from = in->signer ? old->sha256 : old->unsigned_sha256;

        return streq(old->signer, signer) && streq(old->header_sha256, f->header_sha256) && made_from && streq(made_from, in->sha256);
}

static const char *signer_of(const PackageContext *c, const InputPackage *in) {
        return in->signer ? in->signer : c->o->signers->v[0]->fingerprint;
}

/* Package, record and published file are the files they were when all of them were checked: nothing is opened. */
static bool is_known(const PackageContext *c, const InputPackage *in, const PublishedPackage *old) {
        const MemoEntry *x = in->memo;
        const FileId *id = &in->published;

        return old && old->vendor == (in->signer != NULL) && streq(old->sha256, x->sha256) && streq(old->signer, signer_of(c, in)) &&
               streq(in->signer ? old->sha256 : old->unsigned_sha256 ? old->unsigned_sha256 : "", in->sha256) &&
               streq(old->href, memo_string(c->memo, x->href)) && id->ino == x->published.ino && id->dev == x->published.dev && id->size == x->published.size &&
               id->mtime_ns == x->published.mtime_ns;
}

int package_recall(const PackageContext *c, const InputPackage *in, size_t guess, PublishedPackage **ret, Error *e) {
        PublishedPackage *old = in->memo ? package_published_as(c->repo, in->file, guess) : NULL, *q;

        if (!in->memo || !is_known(c, in, old))
                return 0;
        if (!(q = published_package_keep(old, in->releases)))
                return error_oom(e);
        q->input = in;
        q->known = true;
        q->build_time = in->memo->build_time;
        progress_step(c->o->progress, old->size);
        *ret = q;
        return 0;
}

int package_take(PackageContext *c, const InputPackage *in, PublishedPackage **ret, PackageOrigin *ret_origin, Error *e) {
        const char *signer = signer_of(c, in);
        const PublishedPackage *old = package_published_as(c->repo, in->file, 0);
        _cleanup_(published_package_freep) PublishedPackage *q = NULL;
        _cleanup_(rpm_file_freep) RpmFile *f = NULL;
        int r;

        *ret_origin = PACKAGE_REUSED;
        q = calloc(1, sizeof(*q));
        if (!q)
                return error_oom(e);
        q->input = in;
        r = rpm_file_open(AT_FDCWD, in->path, &f, e);
        if (r < 0)
                return error_hint(e, r, in->signer ? "run `gn8v-tee-repo fetch` first" : "build it again");
        if ((r = check_name(in, f, e)) < 0 || (r = check_replaced(c, in, f, old, e)) < 0 || (r = describe(in, f, signer, q, e)) < 0)
                return r;
        if (old && is_same(in, f, old, signer) && repository_has_sealed(c->repo, old, f->build_time))
                r = reuse(c, in, old, q, e);
        else
                r = stage_package(c, in, f, q, ret_origin, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(q);
        return 0;
}
