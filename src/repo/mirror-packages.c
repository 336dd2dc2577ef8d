/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/mirror-packages.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/parallel.h"
#include "repo/rpm-file.h"
#include "repo/signed-store.h"
#include "repo/whole.h"

#define BATCH 256 /* downloads that are set up at a time */

void mirror_packages_clear(MirrorPackages *m) {
        for (size_t i = 0; i < m->n; i++) {
                published_package_free(m->v[i].published);
                free(m->v[i].path);
        }
        free(TAKE_PTR(m->v));
        m->n = m->n_new = 0;
        m->new_bytes = m->need = 0;
}

static int by_href(const void *a, const void *b) {
        return strcmp((*(const MirrorPackage *const *) a)->p->href, (*(const MirrorPackage *const *) b)->p->href);
}

static int check_places(const MirrorPackages *m, Error *e) {
        _cleanup_free_ const MirrorPackage **sorted = calloc(m->n + 1, sizeof(*sorted));

        if (!sorted)
                return error_oom(e);
        for (size_t i = 0; i < m->n; i++) {
                if (!href_is_safe(m->v[i].p->href))
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: %s is no place for a package", m->v[i].source->url, m->v[i].p->href);
                sorted[i] = &m->v[i];
        }
        qsort(sorted, m->n, sizeof(*sorted), by_href);
        for (size_t i = 1; i < m->n; i++)
                if (by_href(&sorted[i - 1], &sorted[i]) == 0)
                        return error_set(e, EEXIST, EXIT_INVALID, "%s and %s both have %s", sorted[i - 1]->source->url, sorted[i]->source->url, sorted[i]->p->href);
        return 0;
}

/* Whether it lies at its place; a digest that is not the manifest's has to be taken anew. */
static bool is_here(const MirrorPackages *m, const MirrorPackage *x, const Generation *g, const PublishedPackage *q) {
        _cleanup_error_ Error ignored = ERROR_INIT;
        _cleanup_close_ int fd = -1;

        if (q->size != x->p->size || whole_package(m->repo, g, q, NULL) < 0)
                return false;
        if (streq(x->p->digest, "sha256"))
                return streq(q->sha256, x->p->checksum);
        fd = openat(m->repo->fd, q->href, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        return fd >= 0 && metadata_check(fd, q->href, &(RepomdFile){ .digest = x->p->digest, .checksum = x->p->checksum }, NULL, NULL, &ignored) >= 0;
}

static void find_old(const MirrorPackages *m, MirrorPackage *x) {
        for (size_t i = m->repo->n_generations; i-- > 0;) {
                const PublishedPackage *q = generation_find_href(m->repo->generations[i], x->p->href);

                if (q) {
                        x->old = is_here(m, x, m->repo->generations[i], q) ? q : NULL;
                        return;
                }
        }
}

int mirror_packages_plan(MirrorPackages *m, const MirrorSource *sources, const MirrorPick *picks, size_t n, Error *e) {
        uint64_t available;
        int r;

        if (!(m->v = calloc(n + 1, sizeof(*m->v))))
                return error_oom(e);
        m->n = n;
        for (size_t i = 0; i < m->n; i++) {
                const MirrorSource *s = &sources[picks[i].source];

                m->v[i] = (MirrorPackage){ .p = s->primary->packages[picks[i].at], .source = s };
        }
        if ((r = check_places(m, e)) < 0)
                return r;
        for (size_t i = 0; i < m->n; i++) {
                MirrorPackage *x = &m->v[i];

                find_old(m, x);
                if (x->old)
                        continue;
                m->n_new++;
                m->new_bytes += x->p->size;
                if (streq(x->p->digest, "sha256") && store_has(m->store, x->p->checksum))
                        continue;
                if (__builtin_add_overflow(m->need, x->p->size, &m->need))
                        m->need = UINT64_MAX;
        }
        if ((r = free_space(m->o->dir, &available)) < 0)
                return error_errno(e, -r, "%s", m->o->dir);
        if (!m->o->dry_run && m->need > available)
                return error_hint(e, error_set(e, ENOSPC, EXIT_NO_SPACE, "%s: %" PRIu64 " MiB are needed there, %" PRIu64 " MiB are free", m->o->dir, (m->need >> 20) + 1,
                                               available >> 20), "make room, or mirror only some packages: --package");
        return 0;
}

static int check_other_digest(FetchItem *item, const char *path, Error *e) {
        const MirrorPackage *x = item->userdata;
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return error_errno(e, errno, "%s", path);
        return metadata_check(fd, path, &(RepomdFile){ .digest = x->p->digest, .checksum = x->p->checksum, .size = x->p->size }, NULL, NULL, e);
}

typedef struct Batch {
        FetchItem items[BATCH];
        char **urls[BATCH];
        MirrorPackage *packages[BATCH];
        size_t n;
} Batch;

static int add_to_batch(Batch *b, MirrorPackage *x, Error *e) {
        bool known = streq(x->p->digest, "sha256");

        if (!(b->urls[b->n] = mirror_source_urls(x->source, x->p->href)))
                return error_oom(e);
        b->packages[b->n] = x;
        b->items[b->n] = (FetchItem){ .label = path_basename(x->p->href), .filename = path_basename(x->p->href), .urls = b->urls[b->n], .size = x->p->size,
                                      .size_max = x->p->size, .sha256 = known ? x->p->checksum : NULL, .check = known ? NULL : check_other_digest, .userdata = x,
                                      .hint = MIRROR_CHANGING_HINT, .absent_hint = MIRROR_CHANGING_HINT };
        b->n++;
        return 0;
}

static int fetch_batch(MirrorPackages *m, Batch *b, Error *e) {
        int r = fetch_all(m->store, b->items, b->n, m->o->fetch, e);

        for (size_t i = 0; i < b->n; i++) {
                const char *hex = b->items[i].ret_sha256 ? b->items[i].ret_sha256 : b->items[i].sha256;

                if (r >= 0 && !(b->packages[i]->path = store_path(m->store, hex)))
                        r = error_oom(e);
                fetch_item_clear(&b->items[i]);
                strv_free(b->urls[i]);
        }
        b->n = 0;
        return r;
}

/* No two items of one batch may have one digest: the later one finds it in the store. */
static bool is_in_batch(const Batch *b, const MirrorPackage *x) {
        for (size_t i = 0; i < b->n; i++)
                if (streq(b->packages[i]->p->checksum, x->p->checksum))
                        return true;
        return false;
}

int mirror_packages_fetch(MirrorPackages *m, Error *e) {
        _cleanup_free_ Batch *b = calloc(1, sizeof(*b));
        int r = 0;

        if (!b)
                return error_oom(e);
        for (size_t i = 0; r >= 0 && i < m->n; i++) {
                MirrorPackage *x = &m->v[i];

                if (x->old)
                        continue;
                if (b->n == BATCH || is_in_batch(b, x))
                        r = fetch_batch(m, b, e);
                if (r >= 0)
                        r = add_to_batch(b, x, e);
        }
        if (r >= 0)
                return fetch_batch(m, b, e);
        for (size_t i = 0; i < b->n; i++)
                strv_free(b->urls[i]);
        return r;
}

static int describe(const RpmFile *f, const PrimaryPackage *p, const char *sha256, const char *signer, PublishedPackage *q, Error *e) {
        q->href = strdup(p->href);
        q->file = strdup(path_basename(p->href));
        q->name = strdup(p->name);
        q->evr = strdup(p->evr);
        q->arch = strdup(p->arch);
        q->nevra = strdup(p->nevra);
        q->sha256 = strdup(sha256);
        q->header_sha256 = strdup(f->header_sha256);
        q->signer = strdup(signer ? signer : "none");
        q->size = f->size;
        q->vendor = true;
        return q->href && q->file && q->name && q->evr && q->arch && q->nevra && q->sha256 && q->header_sha256 && q->signer ? 0 : error_oom(e);
}

static int take_package(void *data, size_t i, Error *e) {
        MirrorPackages *m = data;
        MirrorPackage *x = &m->v[i];
        PublishedPackage *q = x->published = calloc(1, sizeof(*q));
        _cleanup_(rpm_file_freep) RpmFile *f = NULL;
        _cleanup_free_ char *to = NULL;
        const char *signer = NULL;
        int r;

        if (!q)
                return error_oom(e);
        if ((r = x->old ? rpm_file_open(m->repo->fd, x->old->href, &f, e) : rpm_file_open(AT_FDCWD, x->path, &f, e)) < 0)
                return error_hint(e, r, "it is %s/%s", x->source->url, x->p->href);
        free(f->path); /* a digest tells nobody anything */
        if (!(f->path = path_join(x->source->url, x->p->href)))
                return error_oom(e);
        if (!rpm_file_is_source(f) && !streq(f->nevra, x->p->nevra))
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: it is %s, not %s as primary.xml says", f->path, f->nevra, x->p->nevra);
        if (!m->o->no_signatures && (r = mirror_keys_verify_package(m->keys, f, &signer, e)) < 0)
                return error_hint(e, r, "if another key signs its packages, name that, too: --key-file");
        if ((r = describe(f, x->p, x->old ? x->old->sha256 : path_basename(x->path), signer, q, e)) < 0 || x->old)
                return r;
        q->staged = true;
        q->stage = format("%zu", i);
        to = q->stage ? path_join("packages", q->stage) : NULL;
        if (!to)
                return error_oom(e);
        if (linkat(AT_FDCWD, x->path, m->repo->stage_fd, to, 0) < 0 || fchmodat(m->repo->stage_fd, to, 0644, 0) < 0 || (r = file_seal(f->fd, f->build_time, q->sha256)) < 0)
                return error_errno(e, errno, "%s/" STAGE "/%s", m->o->dir, to);
        return 0;
}

int mirror_packages_stage(MirrorPackages *m, Error *e) {
        return parallel_run(m->n, take_package, m, e);
}
