/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/publish.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "repo/comps.h"
#include "repo/index.h"
#include "repo/inputs.h"
#include "repo/keyring.h"
#include "repo/repo-file.h"
#include "repo/rpm-sign.h"
#include "repo/vendor-keys.h"
#include "repo/vendor-rpm.h"

#define HREF_DIGITS 12 /* of a digest, to tell two files of one name apart */

typedef struct Publish {
        const PublishOptions *o;
        Repository *repo;
        Inputs *inputs;
        Keyring *keyring; /* the signer's key alone */
        Generation *next;
        PublishReport report;
        char *vendor_keys; /* see vendor_keys_load() */
} Publish;

void publish_report_clear(PublishReport *r) {
        generation_free(r->generation);
        prove_report_free(r->proof);
        *r = (PublishReport){};
}

static void publish_done(Publish *p) {
        repository_free(p->repo);
        inputs_free(p->inputs);
        keyring_free(p->keyring);
        generation_free(p->next);
        free(p->vendor_keys);
        publish_report_clear(&p->report);
}

/* Another run's or this run's package of the same file name, in the kept generations, newest first. */
static const PublishedPackage *published_as(const Publish *p, const char *file) {
        for (size_t i = p->repo->n_generations; i-- > 0;)
                for (size_t j = 0; j < p->repo->generations[i]->n_packages; j++)
                        if (streq(p->repo->generations[i]->packages[j]->file, file))
                                return p->repo->generations[i]->packages[j];
        return NULL;
}

/* Whether the place of a file is taken, for clients that still read an older generation, by other bytes. */
static bool is_taken(const Publish *p, const char *href, const char *sha256) {
        for (size_t i = 0; i < p->repo->n_generations; i++)
                for (size_t j = 0; j < p->repo->generations[i]->n_packages; j++) {
                        const PublishedPackage *q = p->repo->generations[i]->packages[j];

                        if (streq(q->href, href) && !streq(q->sha256, sha256))
                                return true;
                }
        return false;
}

static int choose_href(const Publish *p, PublishedPackage *q, Error *e) {
        q->href = format("packages/%s", q->file);
        if (q->href && is_taken(p, q->href, q->sha256)) {
                free(q->href);
                q->href = format("packages/%.*s/%s", HREF_DIGITS, q->sha256, q->file);
        }
        return q->href ? 0 : error_oom(e);
}

/* That the published file is still the one that the manifest describes, by its size and signed header. */
static bool is_intact(const Publish *p, const PublishedPackage *old) {
        _cleanup_(rpm_file_freep) RpmFile *f = NULL;
        _cleanup_error_ Error ignored = ERROR_INIT;

        return rpm_file_open(p->repo->fd, old->href, &f, &ignored) >= 0 && f->size == old->size && streq(f->header_sha256, old->header_sha256);
}

static int check_replaced(const Publish *p, const InputPackage *in, const RpmFile *f, const PublishedPackage *old, Error *e) {
        int r;

        if (!old || p->o->replace || (streq(old->header_sha256, f->header_sha256) && (!in->signer || streq(old->sha256, in->sha256))))
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

static int reuse(Publish *p, const InputPackage *in, const PublishedPackage *old, PublishedPackage *q, Error *e) {
        p->report.reused_packages++;
        if (!(q->href = strdup(old->href)))
                return error_oom(e);
        progress_step(p->o->progress, old->size);
        return set_digests(q, old->sha256, old->size, in->signer ? NULL : old->unsigned_sha256, e);
}

static int open_staged(const Publish *p, const char *file, int *ret_fd, Error *e) {
        _cleanup_free_ char *path = path_join("packages", file);
        _cleanup_close_ int fd = -1;

        if (!path)
                return error_oom(e);
        fd = openat(p->repo->stage_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0 || fchmod(fd, 0644) < 0)
                return error_errno(e, errno, "%s/" STAGE "/%s", p->o->repo, path);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int digest_differs(const InputPackage *in, const char *found, const char *hint, Error *e) {
        return error_hint(e, error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: its SHA-256 is %s, not %s", in->path, found, in->sha256), "%s", hint);
}

static int stage_own(Publish *p, const InputPackage *in, const RpmFile *f, PublishedPackage *q, int fd, Error *e) {
        RpmSigned done;
        int r;

        r = rpm_sign_copy(f, p->o->signer, fd, p->o->progress, &done, e);
        if (r < 0)
                return r;
        if (!streq(done.unsigned_sha256, in->sha256))
                return digest_differs(in, done.unsigned_sha256, "it is not the file that its build record describes: build it again", e);
        p->report.signed_packages++;
        return set_digests(q, done.signed_sha256, done.size, done.unsigned_sha256, e);
}

static int stage_vendor(Publish *p, const InputPackage *in, const RpmFile *f, PublishedPackage *q, int fd, Error *e) {
        char hex[SHA256_HEX_SIZE];
        uint64_t size;
        int r;

        if (!in->signer_key)
                return error_set(e, ENOKEY, EXIT_UNTRUSTED, "%s: no key of its signer %s is among the release's artifacts", in->file, in->signer);
        r = vendor_rpm_check(in->path, in->signer_key, in->signer, NULL, e);
        if (r < 0)
                return r;
        r = copy_with_digest(f->fd, in->path, fd, p->o->progress, hex, &size, e);
        if (r < 0)
                return r;
        if (!streq(hex, in->sha256))
                return digest_differs(in, hex, "the stored file is damaged: remove it, and fetch again", e);
        p->report.vendor_packages++;
        return set_digests(q, hex, size, NULL, e);
}

static int stage_package(Publish *p, const InputPackage *in, const RpmFile *f, PublishedPackage *q, Error *e) {
        _cleanup_close_ int fd = -1;
        int r;

        r = open_staged(p, in->file, &fd, e);
        if (r < 0)
                return r;
        r = in->signer ? stage_vendor(p, in, f, q, fd, e) : stage_own(p, in, f, q, fd, e);
        if (r < 0)
                return r;
        if (fsync(fd) < 0)
                return error_errno(e, errno, "%s/" STAGE "/packages/%s", p->o->repo, in->file);
        q->staged = true;
        return choose_href(p, q, e);
}

static int check_name(const InputPackage *in, const RpmFile *f, Error *e) {
        _cleanup_free_ char *name = rpm_file_canonical_name(f);

        if (!name)
                return error_oom(e);
        if (rpm_file_is_source(f))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: it is a source package", in->path);
        if (!streq(name, in->file))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: the package in it would be called %s", in->file, name);
        if (!in->signer && f->signature_packet)
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: it is signed already", in->path), "packages/ holds unsigned packages: build it again");
        return 0;
}

static int take_package(Publish *p, const InputPackage *in, Error *e) {
        _cleanup_(published_package_freep) PublishedPackage *q = calloc(1, sizeof(*q));
        _cleanup_(rpm_file_freep) RpmFile *f = NULL;
        const char *signer = in->signer ? in->signer : p->o->signer->fingerprint;
        const PublishedPackage *old = published_as(p, in->file);
        int r;

        if (!q)
                return error_oom(e);
        r = rpm_file_open(AT_FDCWD, in->path, &f, e);
        if (r < 0)
                return error_hint(e, r, in->signer ? "run `gn8v-tee-repo fetch` first" : "build it again");
        if ((r = check_name(in, f, e)) < 0 || (r = check_replaced(p, in, f, old, e)) < 0 || (r = describe(in, f, signer, q, e)) < 0)
                return r;
        if (old && streq(old->signer, signer) && streq(old->header_sha256, f->header_sha256) &&
            streq(in->signer ? old->sha256 : old->unsigned_sha256 ? old->unsigned_sha256 : "", in->sha256) && is_intact(p, old))
                r = reuse(p, in, old, q, e);
        else
                r = stage_package(p, in, f, q, e);
        return r < 0 ? r : generation_add(p->next, &q, e);
}

/* What new files will need, at most; the total is of all packages. */
static int check_space(const Publish *p, uint64_t *ret_total, Error *e) {
        uint64_t need = 0, available, total = 0;
        int r;

        for (size_t i = 0; i < p->inputs->n_packages; i++) {
                struct stat st;

                if (stat(p->inputs->packages[i]->path, &st) < 0)
                        continue; /* told where it is opened */
                total += (uint64_t) st.st_size;
                if (!published_as(p, p->inputs->packages[i]->file))
                        need += (uint64_t) st.st_size;
        }
        r = free_space(p->o->repo, &available);
        if (r < 0)
                return error_errno(e, -r, "%s", p->o->repo);
        if (need > available)
                return error_hint(e, error_set(e, ENOSPC, EXIT_NO_SPACE, "%s: %" PRIu64 " MiB are needed there, %" PRIu64 " MiB are free", p->o->repo,
                                               (need >> 20) + 1, available >> 20), "make room, or give another directory: --repo");
        *ret_total = total;
        return 0;
}

static int by_href(const void *a, const void *b) {
        return strcmp((*(PublishedPackage *const *) a)->href, (*(PublishedPackage *const *) b)->href);
}

static int take_packages(Publish *p, Error *e) {
        Generation *g = p->next;
        uint64_t total = 0;
        int r = check_space(p, &total, e);

        if (p->o->progress)
                progress_begin(p->o->progress, "publish", total, true);
        for (size_t i = 0; r >= 0 && i < p->inputs->n_packages; i++)
                r = take_package(p, p->inputs->packages[i], e);
        progress_end(p->o->progress);
        if (r < 0)
                return r;
        if (g->n_packages == 0)
                return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s/packages: there is nothing to publish", p->o->workspace), "run `gn8v-tee-repo build` first");
        qsort(g->packages, g->n_packages, sizeof(*g->packages), by_href);
        return 0;
}

static int take_locks(Publish *p, Error *e) {
        for (size_t i = 0; i < p->inputs->n_releases; i++) {
                _cleanup_free_ char *s = format("%s %s", p->inputs->releases[i].name, p->inputs->releases[i].lock_sha256);

                if (!s || strv_append(&p->next->locks, s) < 0)
                        return error_oom(e);
        }
        return 0;
}

static int render_comps(Publish *p, char **ret, Error *e) {
        _cleanup_strv_ char **metapackages = NULL;
        _cleanup_free_ char *comps = NULL;
        char hex[SHA256_HEX_SIZE];

        for (size_t i = 0; i < p->o->n_releases; i++) {
                _cleanup_free_ char *name = release_metapackage(p->o->releases[i]);

                if (!name || (!strv_contains(metapackages, name) && strv_append(&metapackages, name) < 0))
                        return error_oom(e);
        }
        comps = comps_render(p->next, metapackages);
        if (!comps)
                return error_oom(e);
        if (sha256_buffer(comps, strlen(comps), hex) < 0 || !(p->next->comps_sha256 = strdup(hex)))
                return error_oom(e);
        *ret = TAKE_PTR(comps);
        return 0;
}

/* Opens a package of the next generation, at its place or staged, and checks our own signature on it. */
static int open_checked(Publish *p, const PublishedPackage *q, RpmFile **ret, Error *e) {
        _cleanup_free_ char *staged = q->staged ? format(STAGE "/packages/%s", q->file) : NULL;
        _cleanup_(rpm_file_freep) RpmFile *f = NULL;
        int r;

        if (q->staged && !staged)
                return error_oom(e);
        r = rpm_file_open(p->repo->fd, staged ? staged : q->href, &f, e);
        if (r >= 0 && f->size != q->size)
                r = error_set(e, EIO, EXIT_FAILED, "%s/%s: its size is not what was written", p->o->repo, f->path);
        if (r >= 0 && !q->vendor)
                r = keyring_verify_package(p->keyring, f, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(f);
        return 0;
}

/* Of the newest package, so that the same packages give the same repomd.xml. */
static int find_revision(Publish *p, Error *e) {
        const char *s = getenv("SOURCE_DATE_EPOCH");
        uint64_t epoch;

        if (s && *s) {
                if (parse_u64(s, &epoch) < 0 || epoch > INT64_MAX)
                        return error_set(e, EINVAL, EXIT_USAGE, "SOURCE_DATE_EPOCH: %s: not seconds since 1970", s);
                p->next->revision = (int64_t) epoch;
                return 0;
        }
        for (size_t i = 0; i < p->next->n_packages; i++)
                p->next->revision = MAX(p->next->revision, p->next->packages[i]->build_time);
        return 0;
}

static int write_file(Publish *p, const char *path, const void *data, size_t size, Error *e) {
        int r = write_file_atomic(p->repo->stage_fd, path, data, size, 0644);
        return r < 0 ? error_errno(e, -r, "%s/" STAGE "/%s", p->o->repo, path) : 0;
}

/* repomd.xml.asc and repomd.xml.key, and that anybody who has the key alone will find the signature good. */
static int sign_repomd(Publish *p, const char *repomd, Error *e) {
        _cleanup_free_ char *armored = NULL, *key = NULL;
        _cleanup_free_ void *signature = NULL;
        char hex[SHA256_HEX_SIZE];
        size_t size;
        int r;

        r = signer_sign(p->o->signer, repomd, strlen(repomd), p->next->revision, &signature, &size, e);
        if (r < 0)
                return r;
        armored = openpgp_armor("SIGNATURE", signature, size);
        key = openpgp_armor("PUBLIC KEY BLOCK", p->o->signer->public_key, p->o->signer->public_key_size);
        if (!armored || !key)
                return error_oom(e);
        if ((r = keyring_verify(p->keyring, repomd, strlen(repomd), armored, strlen(armored), "repomd.xml", e)) < 0 ||
            (r = write_file(p, "repodata/repomd.xml.asc", armored, strlen(armored), e)) < 0 ||
            (r = write_file(p, "repodata/repomd.xml.key", key, strlen(key), e)) < 0)
                return r;
        if (sha256_buffer(repomd, strlen(repomd), hex) < 0 || !(p->next->repomd_sha256 = strdup(hex)))
                return error_oom(e);
        return 0;
}

static int index_packages(Publish *p, const char *comps, Error *e) {
        _cleanup_close_ int dir = openat(p->repo->stage_fd, "repodata", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_(index_freep) Index *x = NULL;
        _cleanup_free_ char *repomd = NULL;
        const IndexFile *files;
        size_t n;
        int r;

        if (dir < 0)
                return error_errno(e, errno, "%s/" STAGE "/repodata", p->o->repo);
        r = index_new(dir, p->next->n_packages, &x, e);
        for (size_t i = 0; r >= 0 && i < p->next->n_packages; i++) {
                _cleanup_(rpm_file_freep) RpmFile *f = NULL;

                r = open_checked(p, p->next->packages[i], &f, e);
                if (r >= 0)
                        r = index_add(x, f, p->next->packages[i]->href, p->next->packages[i]->sha256, e);
        }
        if (r < 0 || (r = index_finish(x, comps, p->next->revision, &repomd, e)) < 0)
                return r;
        files = index_files(x, &n);
        for (size_t i = 0; i < n; i++)
                if (strv_append(&p->next->metadata, files[i].name) < 0)
                        return error_oom(e);
        return sign_repomd(p, repomd, e);
}

static int prove_staged(Publish *p, Error *e) {
        _cleanup_free_ char *stage = path_join(p->o->repo, STAGE);
        int r;

        if (!stage)
                return error_oom(e);
        r = prove(&(ProveOptions){ .repo = stage, .platforms = p->o->platforms, .beside = p->o->beside, .releases = p->o->releases,
                                   .n_releases = p->o->n_releases }, &p->report.proof, e);
        return r < 0 ? r : prove_report_error(p->report.proof, e);
}

static int stage_generation(Publish *p, Error *e) {
        static const char *const fixed[] = { "repomd.xml", "repomd.xml.asc", "repomd.xml.key" };
        _cleanup_free_ char *manifest = NULL;
        _cleanup_strv_ char **names = NULL;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(fixed); i++)
                if (strv_append(&names, fixed[i]) < 0)
                        return error_oom(e);
        STRV_FOREACH(s, p->next->metadata)
                if (strv_append(&names, *s) < 0)
                        return error_oom(e);
        STRV_FOREACH(s, names) {
                _cleanup_free_ char *from = path_join("repodata", *s), *to = path_join("generation", *s);

                if (!from || !to)
                        return error_oom(e);
                if (linkat(p->repo->stage_fd, from, p->repo->stage_fd, to, 0) < 0)
                        return error_errno(e, errno, "%s/" STAGE "/%s", p->o->repo, to);
        }
        r = generation_to_json(p->next, &manifest, e);
        return r < 0 ? r : write_file(p, "generation/manifest.json", manifest, strlen(manifest), e);
}

/* Only if it differs: nothing is touched that does not change. */
static int write_top(Publish *p, const char *name, const char *text, Error *e) {
        _cleanup_free_ char *old = NULL;
        int r;

        if (read_file(p->repo->fd, name, 1024 * 1024, &old, NULL) >= 0 && streq(old, text))
                return 0;
        r = write_file_atomic(p->repo->fd, name, text, strlen(text), 0644);
        return r < 0 ? error_errno(e, -r, "%s/%s", p->o->repo, name) : 0;
}

static int write_tops(Publish *p, const char *repo_file, Error *e) {
        _cleanup_free_ char *key = openpgp_armor("PUBLIC KEY BLOCK", p->o->signer->public_key, p->o->signer->public_key_size);
        int r;

        if (!key)
                return error_oom(e);
        if ((r = write_top(p, REPO_KEY_FILE, key, e)) < 0 || (p->vendor_keys && (r = write_top(p, VENDOR_KEY_FILE, p->vendor_keys, e)) < 0))
                return r;
        return write_top(p, REPO_FILE, repo_file, e);
}

static int render_repo_file(const Publish *p, char **ret, Error *e) {
        _cleanup_free_ char *real = NULL, *url = NULL;

        if (p->o->baseurl)
                return repo_file_render(p->o->template, p->o->baseurl, NULL, p->vendor_keys, ret, e);
        real = realpath(p->o->repo, NULL);
        if (!real)
                return error_errno(e, errno, "%s", p->o->repo);
        if (!(url = format("file://%s", real)))
                return error_oom(e);
        return error_hint(e, repo_file_render(p->o->template, url, NULL, p->vendor_keys, ret, e), "give --baseurl");
}

/* packages/ of the workspace must never become packages/ of the repository: what is in no generation is removed there. */
static int check_apart(const PublishOptions *o, Error *e) {
        struct stat a, b;

        if (stat(o->workspace, &a) == 0 && stat(o->repo, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
                return error_set(e, EINVAL, EXIT_USAGE, "%s: the workspace itself cannot be the repository", o->repo);
        return 0;
}

static int next_generation(Publish *p, Error *e) {
        Generation *g = p->next = calloc(1, sizeof(*g));

        if (!g || !(g->key = strdup(p->o->signer->fingerprint)))
                return error_oom(e);
        g->number = p->repo->n_generations > 0 ? p->repo->generations[p->repo->n_generations - 1]->number + 1 : 1;
        return 0;
}

/* The new state, complete, in the staging area. */
static int make_next(Publish *p, const char *comps, Error *e) {
        int r;

        if ((r = index_packages(p, comps, e)) < 0 || (r = prove_staged(p, e)) < 0 || (r = stage_generation(p, e)) < 0)
                return r;
        return repository_link_metadata(p->repo, p->o->keep, e);
}

static int run(Publish *p, Error *e) {
        _cleanup_free_ char *comps = NULL, *repo_file = NULL;
        int r;

        if ((r = inputs_load(p->o->workspace, p->o->releases, p->o->n_releases, true, &p->inputs, e)) < 0 ||
            (r = keyring_new(p->o->signer->public_key, p->o->signer->public_key_size, "signing key", &p->keyring, e)) < 0 ||
            (r = repository_open(p->o->repo, &p->repo, e)) < 0 || (r = check_apart(p->o, e)) < 0 ||
            (r = vendor_keys_load(p->o->workspace, p->o->releases, p->o->n_releases, &p->vendor_keys, e)) < 0 ||
            (r = render_repo_file(p, &repo_file, e)) < 0 || (r = next_generation(p, e)) < 0 || (r = take_packages(p, e)) < 0 || (r = take_locks(p, e)) < 0 ||
            (r = render_comps(p, &comps, e)) < 0 || (r = find_revision(p, e)) < 0)
                return r;
        p->report.changed = !p->repo->current || !generation_same(p->repo->current, p->next);
        if (p->report.changed && ((r = make_next(p, comps, e)) < 0 || (r = repository_switch(p->repo, p->next, e)) < 0))
                return r;
        if ((r = write_tops(p, repo_file, e)) < 0)
                return r;
        return repository_clean(p->repo, p->report.changed ? p->next : p->repo->current, p->o->keep, &p->report.removed_packages, e);
}

int publish(const PublishOptions *o, PublishReport *ret, Error *e) {
        _cleanup_(publish_done) Publish p = { .o = o };
        int r;

        r = run(&p, e);
        if (r < 0)
                return r;
        if (!p.report.changed) {
                /* The generation that stays: its number is what is told. */
                p.next->number = p.repo->current->number;
                free(p.next->repomd_sha256);
                p.next->repomd_sha256 = strdup(p.repo->current->repomd_sha256);
        }
        p.report.generation = TAKE_PTR(p.next);
        *ret = p.report;
        p.report = (PublishReport){};
        return 0;
}
