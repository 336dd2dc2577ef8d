/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/mirror.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/metalink.h"
#include "repo/mirror-select.h"
#include "repo/mirror-source.h"
#include "repo/parallel.h"
#include "repo/rpm-file.h"
#include "repo/seal.h"

#define WORK       ".mirror"
#define BATCH      256 /* downloads that are set up at a time */
#define ROUNDS_MAX 3   /* a source may change while it is read */

typedef struct MirrorPackage {
        const PrimaryPackage *p;
        const MirrorSource *source;
        const PublishedPackage *old; /* it is here already */
        char *path;                  /* else: what was fetched */
        PublishedPackage *published;
} MirrorPackage;

typedef struct Mirror {
        const MirrorOptions *o;
        Repository *repo;
        Store *store;
        char *work;
        MirrorKeys keys;
        MirrorSource *sources;
        size_t n_sources;
        MirrorPick *picks;
        MirrorPackage *packages;
        size_t n_packages;
        char **locks;
        Generation *next;
        MirrorReport report;
} Mirror;

void mirror_report_clear(MirrorReport *r) {
        free(r->key);
        strv_free(r->warnings);
        *r = (MirrorReport){};
}

/* What belongs to one reading of the sources. */
static void forget_round(Mirror *m) {
        for (size_t i = 0; i < m->n_packages; i++) {
                published_package_free(m->packages[i].published);
                free(m->packages[i].path);
        }
        for (size_t i = 0; i < m->n_sources; i++)
                mirror_source_clear(&m->sources[i]);
        free(TAKE_PTR(m->packages));
        free(TAKE_PTR(m->picks));
        free(TAKE_PTR(m->sources));
        m->locks = strv_free(m->locks);
        m->n_packages = m->n_sources = 0;
}

static void mirror_done(Mirror *m) {
        forget_round(m);
        store_free(m->store);
        repository_free(m->repo);
        mirror_keys_clear(&m->keys);
        generation_free(m->next);
        free(m->work);
        mirror_report_clear(&m->report);
}

static bool is_selection(const Mirror *m) {
        return strv_length(m->o->packages) > 0;
}

static int open_places(Mirror *m, Error *e) {
        int r = repository_open(m->o->dir, &m->repo, e);

        if (r < 0)
                return r;
        if (m->repo->current && !generation_is_mirror(m->repo->current))
                return error_hint(e, error_set(e, EEXIST, EXIT_FAILED, "%s: a repository is published there that is no mirror", m->o->dir), "give another directory");
        if (!(m->work = path_join(m->o->dir, WORK)))
                return error_oom(e);
        if ((r = mkdir_parents(AT_FDCWD, m->work, 0755)) < 0)
                return error_errno(e, -r, "%s", m->work);
        if ((r = store_open(m->work, true, &m->store, e)) < 0)
                return r;
        return store_lock(m->store, e);
}

static int open_sources(Mirror *m, Error *e) {
        int r;

        m->sources = calloc(strv_length(m->o->also) + 1, sizeof(*m->sources));
        if (!m->sources)
                return error_oom(e);
        if ((r = mirror_source_open(&m->sources[m->n_sources++], m->o->url, m->store, &m->keys, m->o, e)) < 0)
                return r;
        STRV_FOREACH(s, m->o->also)
                if ((r = mirror_source_open(&m->sources[m->n_sources++], *s, m->store, &m->keys, m->o, e)) < 0)
                        return r;
        STRV_FOREACH(s, m->o->fingerprints)
                if (!mirror_keys_have(&m->keys, *s)) {
                        _cleanup_free_ char *warning = format("%s: key %s is not beside it, nor in a --key-file: nothing may be signed by it", m->o->url, *s);

                        if (!warning || strv_append(&m->report.warnings, warning) < 0)
                                return error_oom(e);
                }
        return mirror_keys_missing(&m->keys, m->o->url, m->o->fingerprints, e);
}

static int add_lock(Mirror *m, char *lock, Error *e) {
        _cleanup_free_ char *s = lock;
        return s && strv_append(&m->locks, s) >= 0 ? 0 : error_oom(e);
}

/* What this copy is of: the same again means that there is nothing to do. */
static int make_locks(Mirror *m, Error *e) {
        int r = add_lock(m, format(MIRROR_LOCK "%s", m->sources[0].url), e);

        for (size_t i = 0; r >= 0 && i < m->n_sources; i++)
                r = add_lock(m, format("%s %s", m->sources[i].repomd_sha256, m->sources[i].url), e);
        STRV_FOREACH(s, m->o->packages)
                if (r >= 0)
                        r = add_lock(m, format("package %s", *s), e);
        return r >= 0 && is_selection(m) ? add_lock(m, format("%s%s", m->o->arch, m->o->weak ? " weak" : ""), e) : r;
}

static const char *key_of(const Mirror *m) {
        const char *key = is_selection(m) ? (m->o->signers ? m->o->signers->v[0]->fingerprint : NULL) : m->sources[0].signer;
        return key ? key : "none";
}

static const char *also_of(const Mirror *m) {
        return is_selection(m) && m->o->signers ? signers_also(m->o->signers) : "";
}

static bool is_same(const Mirror *m) {
        const Generation *g = m->repo->current;

        /* What the platform has is not remembered: a selection for one is always made. */
        if (!g || (is_selection(m) && m->o->platforms) || !streq(g->key, key_of(m)) || !streq(g->also ? g->also : "", also_of(m)) || strv_length(g->locks) != strv_length(m->locks))
                return false;
        for (size_t i = 0; m->locks[i]; i++)
                if (!streq(g->locks[i], m->locks[i]))
                        return false;
        return true;
}

static int64_t revision_of(const Repomd *r) {
        uint64_t n;
        return r->revision && parse_u64(r->revision, &n) >= 0 && n <= INT64_MAX ? (int64_t) n : 0;
}

/* Somebody who cannot sign can still serve again what was signed once. */
static int check_newer(const Mirror *m, Error *e) {
        const MirrorSource *s = &m->sources[0];
        const Generation *g = m->repo->current;
        _cleanup_(repomd_freep) Repomd *old = NULL;
        _cleanup_free_ char *text = NULL;
        size_t size;
        int64_t now;
        int r;

        if (m->o->allow_older)
                return 0;
        if ((r = freshness_now(&now, e)) < 0)
                return r;
        if (g && !is_selection(m) && read_file(m->repo->fd, "repodata/repomd.xml", REPOMD_MAX, &text, &size) >= 0)
                (void) repomd_parse_foreign(text, size, "repomd.xml", &old, NULL);
        if ((r = freshness_check(&s->repomd->freshness, old ? old->freshness.serial : 0, now, s->url, e)) < 0)
                return r;
        if (!g || !streq(g->locks[0] + strlen(MIRROR_LOCK), s->url) || revision_of(s->repomd) >= g->revision)
                return 0;
        return error_hint(e, error_set(e, ESTALE, EXIT_DIFFERS, "%s: its revision %" PRIi64 " is older than %" PRIi64 ", which %s has", s->url, revision_of(s->repomd),
                                       g->revision, m->o->dir), "the source is behind, or an older state is served again; if you mean to go back: --allow-older");
}

static int load_sources(Mirror *m, Error *e) {
        _cleanup_close_ int dir = openat(m->repo->fd, "repodata", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_free_ char *path = path_join(m->o->dir, "repodata");
        int r = path ? 0 : error_oom(e);

        for (size_t i = 0; r >= 0 && i < m->n_sources; i++)
                r = mirror_source_load(&m->sources[i], m->store, dir, path, is_selection(m), m->o, e);
        return r;
}

static int pick_packages(Mirror *m, Error *e) {
        _cleanup_free_ char *scratch = format("%s/" STAGE "/solve", m->o->dir);
        int r;

        if (!scratch)
                return error_oom(e);
        if (is_selection(m)) {
                if ((r = mirror_select(m->sources, m->n_sources, m->o, scratch, &m->picks, &m->n_packages, e)) < 0)
                        return r;
                if ((r = remove_tree(AT_FDCWD, scratch)) < 0)
                        return error_errno(e, -r, "%s", scratch);
        } else {
                m->n_packages = m->sources[0].primary->n_packages;
                if (!(m->picks = calloc(m->n_packages + 1, sizeof(*m->picks))))
                        return error_oom(e);
                for (size_t i = 0; i < m->n_packages; i++)
                        m->picks[i] = (MirrorPick){ .at = i };
        }
        return 0;
}

static int by_href(const void *a, const void *b) {
        return strcmp((*(const MirrorPackage *const *) a)->p->href, (*(const MirrorPackage *const *) b)->p->href);
}

static int check_places(const Mirror *m, Error *e) {
        _cleanup_free_ const MirrorPackage **sorted = calloc(m->n_packages + 1, sizeof(*sorted));

        if (!sorted)
                return error_oom(e);
        for (size_t i = 0; i < m->n_packages; i++) {
                if (!href_is_safe(m->packages[i].p->href))
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: %s is no place for a package", m->packages[i].source->url, m->packages[i].p->href);
                sorted[i] = &m->packages[i];
        }
        qsort(sorted, m->n_packages, sizeof(*sorted), by_href);
        for (size_t i = 1; i < m->n_packages; i++)
                if (by_href(&sorted[i - 1], &sorted[i]) == 0)
                        return error_set(e, EEXIST, EXIT_INVALID, "%s and %s both have %s", sorted[i - 1]->source->url, sorted[i]->source->url, sorted[i]->p->href);
        return 0;
}

/* Whether it lies at its place; a digest that is not the manifest's has to be taken anew. */
static bool is_here(const Mirror *m, const MirrorPackage *x, const PublishedPackage *q) {
        _cleanup_error_ Error ignored = ERROR_INIT;
        _cleanup_close_ int fd = -1;

        if (q->size != x->p->size || !repository_has_intact(m->repo, q))
                return false;
        if (streq(x->p->digest, "sha256"))
                return streq(q->sha256, x->p->checksum);
        fd = openat(m->repo->fd, q->href, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        return fd >= 0 && metadata_check(fd, q->href, &(RepomdFile){ .digest = x->p->digest, .checksum = x->p->checksum }, NULL, NULL, &ignored) >= 0;
}

static void find_old(const Mirror *m, MirrorPackage *x) {
        for (size_t i = m->repo->n_generations; i-- > 0;) {
                const PublishedPackage *q = generation_find_href(m->repo->generations[i], x->p->href);

                if (q) {
                        x->old = is_here(m, x, q) ? q : NULL;
                        return;
                }
        }
}

static int plan(Mirror *m, Error *e) {
        uint64_t need = 0, available;
        int r;

        m->packages = calloc(m->n_packages + 1, sizeof(*m->packages));
        if (!m->packages)
                return error_oom(e);
        for (size_t i = 0; i < m->n_packages; i++) {
                const MirrorSource *s = &m->sources[m->picks[i].source];

                m->packages[i] = (MirrorPackage){ .p = s->primary->packages[m->picks[i].at], .source = s };
        }
        if ((r = check_places(m, e)) < 0)
                return r;
        for (size_t i = 0; i < m->n_packages; i++) {
                MirrorPackage *x = &m->packages[i];

                find_old(m, x);
                if (x->old || (streq(x->p->digest, "sha256") && store_has(m->store, x->p->checksum)))
                        continue;
                if (__builtin_add_overflow(need, x->p->size, &need))
                        need = UINT64_MAX;
        }
        if ((r = free_space(m->o->dir, &available)) < 0)
                return error_errno(e, -r, "%s", m->o->dir);
        if (need > available)
                return error_hint(e, error_set(e, ENOSPC, EXIT_NO_SPACE, "%s: %" PRIu64 " MiB are needed there, %" PRIu64 " MiB are free", m->o->dir, (need >> 20) + 1,
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
        _cleanup_free_ char *url = mirror_url(x->source->url, x->p->href);

        b->urls[b->n] = NULL;
        if (!url || strv_append(&b->urls[b->n], url) < 0)
                return error_oom(e);
        b->packages[b->n] = x;
        b->items[b->n] = (FetchItem){ .label = path_basename(x->p->href), .filename = path_basename(x->p->href), .urls = b->urls[b->n], .size = x->p->size,
                                      .size_max = x->p->size, .sha256 = known ? x->p->checksum : NULL, .check = known ? NULL : check_other_digest, .userdata = x,
                                      .hint = "the repository may be in the middle of a change: try again; if it stays so, do not trust this source" };
        b->n++;
        return 0;
}

static int fetch_batch(Mirror *m, Batch *b, Error *e) {
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

static int fetch_packages(Mirror *m, Error *e) {
        _cleanup_free_ Batch *b = calloc(1, sizeof(*b));
        int r = 0;

        if (!b)
                return error_oom(e);
        for (size_t i = 0; r >= 0 && i < m->n_packages; i++) {
                MirrorPackage *x = &m->packages[i];

                if (x->old)
                        continue;
                if (b->n == BATCH || is_in_batch(b, x))
                        r = fetch_batch(m, b, e);
                if (r >= 0)
                        r = add_to_batch(b, x, e);
                m->report.new_packages++;
                m->report.new_bytes += x->p->size;
        }
        if (r >= 0)
                return fetch_batch(m, b, e);
        for (size_t i = 0; i < b->n; i++)
                strv_free(b->urls[i]);
        return r;
}

/* One reading of the sources: 1 when they are what is here already. */
static int read_round(Mirror *m, Error *e) {
        int r;

        if ((r = open_sources(m, e)) < 0 || (r = make_locks(m, e)) < 0)
                return r;
        if (is_same(m))
                return 1;
        if ((r = check_newer(m, e)) < 0 || (r = load_sources(m, e)) < 0 || (r = pick_packages(m, e)) < 0 || (r = plan(m, e)) < 0)
                return r;
        return fetch_packages(m, e);
}

/* Whether the sources say something else now than they did when the round began. */
static bool has_changed(Mirror *m, char *const *before) {
        _cleanup_error_ Error ignored = ERROR_INIT;
        bool changed;

        forget_round(m);
        if (open_sources(m, &ignored) < 0 || make_locks(m, &ignored) < 0)
                return false;
        changed = strv_length(before) != strv_length(m->locks);
        for (size_t i = 0; !changed && before[i]; i++)
                changed = !streq(before[i], m->locks[i]);
        return changed;
}

/* A source that is published anew while it is read loses files that its old metadata name: that is not the end. */
static int read_sources(Mirror *m, Error *e) {
        for (unsigned round = 1;; round++) {
                _cleanup_error_ Error why = ERROR_INIT;
                _cleanup_strv_ char **before = NULL;
                int r;

                m->report.new_packages = 0;
                m->report.new_bytes = 0;
                r = read_round(m, &why);
                if (r >= 0)
                        return r;
                before = TAKE_PTR(m->locks);
                if (round < ROUNDS_MAX && before && (why.code == EXIT_UNREACHABLE || why.code == EXIT_UNTRUSTED) && has_changed(m, before)) {
                        forget_round(m);
                        continue;
                }
                *e = why;
                why = ERROR_INIT;
                return r;
        }
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
        Mirror *m = data;
        MirrorPackage *x = &m->packages[i];
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
        if (!m->o->no_signatures && (r = mirror_keys_verify_package(&m->keys, f, &signer, e)) < 0)
                return error_hint(e, r, "if another key signs its packages, name that, too: --key-file");
        if ((r = describe(f, x->p, x->old ? x->old->sha256 : path_basename(x->path), signer, q, e)) < 0 || x->old)
                return r;
        q->staged = true;
        q->stage = format("%zu", i);
        to = q->stage ? path_join("packages", q->stage) : NULL;
        if (!to)
                return error_oom(e);
        if (linkat(AT_FDCWD, x->path, m->repo->stage_fd, to, 0) < 0 || fchmodat(m->repo->stage_fd, to, 0644, 0) < 0)
                return error_errno(e, errno, "%s/" STAGE "/%s", m->o->dir, to);
        return 0;
}

static int start_generation(Mirror *m, Error *e) {
        Generation *g = m->next = calloc(1, sizeof(*g));

        if (!g || !(g->key = strdup(key_of(m))) || (*also_of(m) && !(g->also = strdup(also_of(m)))) || !(g->comps_sha256 = strdup(m->sources[0].repomd_sha256)))
                return error_oom(e);
        g->number = m->repo->n_generations > 0 ? m->repo->generations[m->repo->n_generations - 1]->number + 1 : 1;
        g->revision = revision_of(m->sources[0].repomd);
        g->freshness = is_selection(m) ? (Freshness){ .serial = g->number, .expires = m->sources[0].repomd->freshness.expires } : m->sources[0].repomd->freshness;
        g->locks = TAKE_PTR(m->locks);
        return 0;
}

static int write_staged(Mirror *m, const char *path, const char *text, size_t size, Error *e) {
        int r = write_file_new(m->repo->stage_fd, path, text, size, 0644);
        return r < 0 ? error_errno(e, -r, "%s/" STAGE "/%s", m->o->dir, path) : 0;
}

/* The source's metadata, byte for byte. */
static int stage_copy(Mirror *m, char **ret_repomd, Error *e) {
        const MirrorSource *s = &m->sources[0];
        int r;

        for (size_t i = 0; i < s->n_files; i++) {
                const char *name = path_basename(s->files[i].f->href);
                _cleanup_free_ char *to = path_join("repodata", name);

                if (!to)
                        return error_oom(e);
                if (name[0] == '.' || startswith(name, "repomd.xml") || streq(name, METALINK_FILE) || strchr(startswith(s->files[i].f->href, "repodata/"), '/'))
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: %s is no name for a metadata file", s->url, s->files[i].f->href);
                if (linkat(AT_FDCWD, s->files[i].path, m->repo->stage_fd, to, 0) < 0 ? errno != EEXIST : fchmodat(m->repo->stage_fd, to, 0644, 0) < 0)
                        return error_errno(e, errno, "%s/" STAGE "/%s", m->o->dir, to);
                if (!strv_contains(m->next->metadata, name) && strv_append(&m->next->metadata, name) < 0)
                        return error_oom(e);
        }
        if ((r = write_staged(m, "repodata/repomd.xml", s->repomd_text, s->repomd_size, e)) < 0 ||
            (s->signature && (r = write_staged(m, "repodata/repomd.xml.asc", s->signature, strlen(s->signature), e)) < 0) ||
            (s->key && (r = write_staged(m, "repodata/repomd.xml.key", s->key, strlen(s->key), e)) < 0))
                return r;
        if (!(m->next->repomd_sha256 = strdup(s->repomd_sha256)) || !(*ret_repomd = strdup(s->repomd_text)))
                return error_oom(e);
        return 0;
}

static int make_next(Mirror *m, Error *e) {
        _cleanup_free_ char *repomd = NULL;
        int r;

        if ((r = start_generation(m, e)) < 0 || (r = parallel_run(m->n_packages, take_package, m, e)) < 0)
                return r;
        for (size_t i = 0; i < m->n_packages; i++)
                if ((r = generation_add(m->next, &m->packages[i].published, e)) < 0)
                        return r;
        if ((r = generation_sort(m->next, e)) < 0)
                return r;
        r = is_selection(m) ? mirror_write_selection(m->repo, m->next, m->sources, m->n_sources, m->picks, m->n_packages, m->o->signers, &repomd, &m->report.warnings, e)
                            : stage_copy(m, &repomd, e);
        if (r < 0 || (r = metalink_stage(m->repo, repomd, m->next->revision, m->o->mirror_urls, e)) < 0 || (r = seal_generation(m->repo, m->next, e)) < 0 || (r = repository_sync(m->repo, e)) < 0 ||
            (r = repository_link_metadata(m->repo, m->o->keep, e)) < 0)
                return r;
        return repository_switch(m->repo, m->next, e);
}

static int run(Mirror *m, Error *e) {
        int r;

        if ((r = mirror_keys_load(&m->keys, m->o->key_files, m->o->fingerprints, e)) < 0 || (r = open_places(m, e)) < 0 || (r = read_sources(m, e)) < 0)
                return r;
        m->report.changed = r == 0;
        if ((r = m->report.changed ? make_next(m, e) : metalink_refresh(m->repo, m->repo->current->revision, m->o->mirror_urls, e)) < 0)
                return r;
        if ((r = repository_clean(m->repo, m->report.changed ? m->next : m->repo->current, m->o->keep, &m->report.removed_packages, e)) < 0)
                return r;
        r = remove_tree(m->repo->fd, WORK);
        return r < 0 ? error_errno(e, -r, "%s", m->work) : 0;
}

int mirror(const MirrorOptions *o, MirrorReport *ret, Error *e) {
        _cleanup_(mirror_done) Mirror m = { .o = o };
        const Generation *g;
        int r = run(&m, e);

        if (r < 0)
                return r;
        g = m.report.changed ? m.next : m.repo->current;
        m.report.generation = g->number;
        m.report.n_packages = g->n_packages;
        if (!streq(g->key, "none") && !(m.report.key = strdup(g->key)))
                return error_oom(e);
        *ret = m.report;
        m.report = (MirrorReport){};
        return 0;
}
