/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/publish-run.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/sort.h"
#include "repo/add.h"
#include "repo/comps.h"
#include "repo/metalink.h"
#include "repo/parallel.h"
#include "repo/repo-file.h"
#include "repo/seal.h"
#include "repo/serials.h"
#include "repo/vendor-keys.h"

void publish_report_clear(PublishReport *r) {
        generation_free(r->generation);
        prove_report_free(r->proof);
        strv_free(r->beside);
        *r = (PublishReport){};
}

/* What only the making of the next state needs: it is much. */
static void publish_made(Publish *p) {
        for (size_t i = 0; p->taken && i < p->inputs->n_packages; i++)
                published_package_free(p->taken[i]);
        for (size_t i = 0; i < p->n_entries; i++)
                index_entry_clear(&p->entries[i]);
        free(TAKE_PTR(p->taken));
        free(TAKE_PTR(p->jobs));
        free(TAKE_PTR(p->entries));
        p->n_entries = 0;
        free(TAKE_PTR(p->known.gone));
        free(TAKE_PTR(p->known.primary));
        free(TAKE_PTR(p->known.nevras));
        p->index = index_free(p->index);
        p->memo = memo_free(p->memo);
        p->inputs = inputs_free(p->inputs);
}

static void publish_done(Publish *p) {
        publish_made(p);
        package_context_done(&p->packages);
        repository_free(p->repo);
        keyring_free(p->keyring);
        generation_free(p->next);
        free(p->vendor_keys);
        free(p->comps);
        free(p->repo_file);
        publish_report_clear(&p->report);
}

static int by_size(const void *a, const void *b) {
        const PackageJob *x = a, *y = b;
        uint64_t m = x->in->id.size, n = y->in->id.size;

        return m != n ? (m < n) - (m > n) : (x->number > y->number) - (x->number < y->number);
}

/* Whether what new files will need, at most, is there. */
static int check_space(Publish *p, uint64_t need, Error *e) {
        uint64_t available;
        int r = free_space(p->o->repo, &available);

        if (r < 0)
                return error_errno(e, -r, "%s", p->o->repo);
        if (need <= available)
                return 0;
        return error_hint(e, error_set(e, ENOSPC, EXIT_NO_SPACE, "%s: %" PRIu64 " MiB are needed there, %" PRIu64 " MiB are free", p->o->repo, (need >> 20) + 1, available >> 20),
                          "make room, or give another directory: --repo");
}

/* Of what is not known. */
static int make_jobs(Publish *p, Error *e) {
        uint64_t need = 0;

        p->jobs = calloc(p->inputs->n_packages + 1, sizeof(*p->jobs));
        if (!p->jobs)
                return error_oom(e);
        for (size_t i = 0; i < p->inputs->n_packages; i++) {
                const InputPackage *in = p->inputs->packages[i];

                if (p->taken[i])
                        continue;
                p->jobs[p->n_jobs++] = (PackageJob){ .in = in, .number = i };
                if (!package_published_as(p->repo, in->file, i))
                        need += in->id.size; /* what is not there is told where it is opened */
        }
        sort(p->jobs, p->n_jobs, sizeof(*p->jobs), by_size);
        return check_space(p, need, e);
}

static int recall_package(void *data, size_t i, Error *e) {
        Publish *p = data;
        return package_recall(&p->packages, p->inputs->packages[i], i, &p->taken[i], e);
}

static int take_job(void *data, size_t i, Error *e) {
        Publish *p = data;
        PackageJob *job = &p->jobs[i];

        return package_take(&p->packages, job->in, &p->taken[job->number], &job->origin, e);
}

static int take_all(Publish *p, Error *e) {
        int r;

        if ((r = parallel_run(p->inputs->n_packages, recall_package, p, e)) < 0 || (r = make_jobs(p, e)) < 0)
                return r;
        return parallel_run(p->n_jobs, take_job, p, e);
}

static int take_packages(Publish *p, Error *e) {
        size_t n = p->inputs->n_packages;
        uint64_t total = 0;
        int r;

        if (n == 0)
                return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s/packages: there is nothing to publish", p->o->workspace), "run `gn8v-tee-repo build` first");
        if (!(p->taken = calloc(n, sizeof(*p->taken))))
                return error_oom(e);
        for (size_t i = 0; i < n; i++)
                total += p->inputs->packages[i]->id.size;
        if (p->o->progress)
                progress_begin(p->o->progress, "publish", total, true);
        r = take_all(p, e);
        progress_end(p->o->progress);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = generation_add(p->next, &p->taken[i], e);
        if (r < 0)
                return r;
        p->report.reused_packages = n - p->n_jobs;
        for (size_t i = 0; i < p->n_jobs; i++) {
                p->report.reused_packages += p->jobs[i].origin == PACKAGE_REUSED;
                p->report.signed_packages += p->jobs[i].origin == PACKAGE_SIGNED;
                p->report.vendor_packages += p->jobs[i].origin == PACKAGE_VENDOR;
        }
        generation_sort(p->next);
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

static bool has_package(const void *data, const char *name) {
        const Generation *g = data;

        for (size_t i = 0; i < g->n_packages; i++)
                if (streq(g->packages[i]->name, name))
                        return true;
        return false;
}

static int render_comps(Publish *p, Error *e) {
        _cleanup_strv_ char **metapackages = NULL;
        char hex[SHA256_HEX_SIZE];

        for (size_t i = 0; i < p->o->n_releases; i++) {
                _cleanup_free_ char *name = release_metapackage(p->o->releases[i]);

                if (!name || (!strv_contains(metapackages, name) && strv_append(&metapackages, name) < 0))
                        return error_oom(e);
        }
        p->comps = comps_render(has_package, p->next, metapackages);
        if (!p->comps)
                return error_oom(e);
        return sha256_buffer(p->comps, strlen(p->comps), hex) < 0 || !(p->next->comps_sha256 = strdup(hex)) ? error_oom(e) : 0;
}

/* Opens a package of the next generation, at its place or staged, and checks our own signature on it. */
static int open_checked(Publish *p, const PublishedPackage *q, RpmFile **ret, Error *e) {
        _cleanup_free_ char *staged = q->staged ? format(STAGE "/packages/%s", q->file) : NULL;
        _cleanup_(rpm_file_freep) RpmFile *f = NULL;
        const char *signer;
        int r;

        if (q->staged && !staged)
                return error_oom(e);
        r = rpm_file_open(p->repo->fd, staged ? staged : q->href, &f, e);
        if (r >= 0 && f->size != q->size)
                r = error_set(e, EIO, EXIT_FAILED, "%s/%s: its size is not what was written", p->o->repo, f->path);
        if (r >= 0 && !q->vendor && (r = keyring_verify_package(p->keyring, f, &signer, e)) >= 0 && !streq(signer, q->signer))
                r = error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s/%s: signed by key %s, not %s", p->o->repo, f->path, signer, q->signer);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(f);
        return 0;
}

/* Of the newest package, so that the same packages give the same repomd.xml. */
static int find_revision(Publish *p, Error *e) {
        const char *s = getenv("SOURCE_DATE_EPOCH");

        if (s && *s)
                return freshness_now(&p->next->revision, e);
        for (size_t i = 0; i < p->next->n_packages; i++)
                p->next->revision = MAX(p->next->revision, p->next->packages[i]->build_time);
        return 0;
}

static int describe_package(void *data, size_t i, Error *e) {
        Publish *p = data;
        PublishedPackage *q = p->next->packages[i];
        _cleanup_(rpm_file_freep) RpmFile *f = NULL;
        struct stat st;
        int r;

        p->entries[i].href = q->href;
        if (q->known) {
                q->id = q->input->memo->published;
                memo_xml(p->memo, q->input->memo, &p->entries[i]);
                return 0;
        }
        if ((r = open_checked(p, q, &f, e)) < 0)
                return r;
        if (fstat(f->fd, &st) == 0)
                q->id = file_id(&st);
        q->id.ctime_ns = 0;
        return index_describe(f, q->href, q->sha256, &p->entries[i], e);
}

static int describe_packages(Publish *p, Error *e) {
        p->entries = calloc(p->next->n_packages, sizeof(*p->entries));
        if (!p->entries)
                return error_oom(e);
        p->n_entries = p->next->n_packages;
        return parallel_run(p->n_entries, describe_package, p, e);
}

static int index_packages(Publish *p, Error *e) {
        _cleanup_close_ int dir = openat(p->repo->stage_fd, "repodata", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_close_ int old = openat(p->repo->fd, "repodata", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        const IndexFile *files;
        size_t n;
        int r;

        if (dir < 0)
                return error_errno(e, errno, "%s/" STAGE "/repodata", p->o->repo);
        if ((r = index_write(dir, p->entries, p->n_entries, p->comps, p->next->revision, &p->next->freshness, old < 0 ? NULL : memo_parts(p->memo), old, &p->index, e)) < 0)
                return r;
        files = index_files(p->index, &n);
        for (size_t i = 0; i < n; i++)
                if (strv_append(&p->next->metadata, files[i].name) < 0)
                        return error_oom(e);
        return 0;
}

static int prove_with(Publish *p, const char *repo, const WorldKnown *known, Error *e) {
        ProveOptions o = { .readers = &world_readers, .repo = repo, .known = known, .platforms = p->o->platforms, .beside = p->o->beside, .releases = p->o->releases,
                           .n_releases = p->o->n_releases, .write = memo_solv_new(p->memo) };
        int r = prove(&o, &p->report.proof, e);

        return r < 0 ? r : prove_report_error(p->report.proof, e);
}

static int prove_staged(Publish *p, Error *e) {
        _cleanup_free_ char *stage = path_join(p->o->repo, STAGE);
        return stage ? prove_with(p, stage, NULL, e) : error_oom(e);
}

/* Without a proof, if what is known does not fit. */
static int prove_known(Publish *p, Error *e) {
        int r = publish_find_known(p, e);

        if (r < 0 || (r = prove_with(p, NULL, &p->known.world, e)) != -ESTALE)
                return r;
        error_clear(e);
        return 0;
}

static int write_tops(Publish *p, Error *e) {
        _cleanup_free_ char *key = signers_public_keys(p->o->signers);
        int r;

        if (!key)
                return error_oom(e);
        if ((r = seal_top(p->repo, REPO_KEY_FILE, key, e)) < 0 || (p->vendor_keys && (r = seal_top(p->repo, VENDOR_KEY_FILE, p->vendor_keys, e)) < 0))
                return r;
        if ((r = seal_top(p->repo, REPO_FILE, p->repo_file, e)) < 0 || p->vendor_keys)
                return r;
        /* Not named any more: whose packages are not there need not be believed. */
        return seal_top(p->repo, VENDOR_KEY_FILE, NULL, e);
}

static int render_repo_file(Publish *p, Error *e) {
        _cleanup_free_ char *url = NULL;
        int r = repo_file_place(p->repo->fd, p->o->repo, p->o->baseurl, &url, e);

        if (r < 0 || (r = repo_file_render(p->o->template, url, NULL, p->vendor_keys, &p->repo_file, e)) >= 0 || (p->o->baseurl && *p->o->baseurl))
                return r;
        return error_hint(e, r, "give --baseurl");
}

/* packages/ of the workspace must never become packages/ of the repository: what is in no generation is removed there. */
static int check_apart(const PublishOptions *o, Error *e) {
        struct stat a, b;

        if (stat(o->workspace, &a) == 0 && stat(o->repo, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
                return error_set(e, EINVAL, EXIT_USAGE, "%s: the workspace itself cannot be the repository", o->repo);
        return 0;
}

static int refuse_mirror(const Publish *p, Error *e) {
        const Generation *g = p->repo->current;

        if (!g || !generation_is_mirror(g))
                return 0;
        return error_hint(e, error_set(e, EEXIST, EXIT_FAILED, "%s: it is a copy of %s", p->o->repo, g->locks[0] + strlen(MIRROR_LOCK)), "give another directory: --repo");
}

static int next_generation(Publish *p, Error *e) {
        Generation *g = p->next = calloc(1, sizeof(*g));
        uint64_t known;
        int r;

        if (!g || !(g->key = strdup(p->o->signers->v[0]->fingerprint)) || (p->o->signers->n > 1 && !(g->also = strdup(p->o->signers->v[1]->fingerprint))))
                return error_oom(e);
        /* A directory that was lost and made anew goes on counting: clients remember. */
        if ((r = serial_known(p->o->workspace, p->o->repo, (char *[]){ g->key, g->also, NULL }, &known, e)) < 0)
                return r;
        p->packages.repo = p->repo;
        p->packages.memo = p->memo;
        g->number = MAX(known, p->repo->n_generations > 0 ? p->repo->generations[p->repo->n_generations - 1]->number : 0) + 1;
        return 0;
}

static int set_freshness(Publish *p, Error *e) {
        const Generation *newest = p->repo->n_generations > 0 ? p->repo->generations[p->repo->n_generations - 1] : NULL;
        int64_t now;
        int r;

        p->next->freshness.serial = p->next->number;
        p->next->valid_sec = p->o->valid_sec != 0 ? MAX(p->o->valid_sec, (int64_t) 0) : newest ? newest->valid_sec : 0;
        if (p->o->valid_sec == 0 && newest && newest->valid_sec == 0 && newest->freshness.expires > 0)
                return error_hint(e, error_set(e, EINVAL, EXIT_USAGE, "%s: what is published expires, and does not say after how many days", p->o->repo),
                                  "say for how long the next state is valid: --valid-days (or none)");
        if (p->next->valid_sec == 0)
                return 0;
        r = freshness_now(&now, e);
        if (r >= 0)
                p->next->freshness.expires = now + p->next->valid_sec;
        return r;
}

/* Whether the published date of expiry has to be set anew, though no package has changed: half of its time is over, or the wish is new. */
static bool is_due(const Generation *current, const Generation *next) {
        if (current->valid_sec != next->valid_sec || (next->valid_sec == 0) != (current->freshness.expires == 0))
                return true;
        return current->freshness.expires < next->freshness.expires - next->valid_sec / 2 || current->freshness.expires > next->freshness.expires;
}

/* Signed, and written down. */
static int seal(Publish *p, Error *e) {
        int r = seal_all(p->repo, p->next, p->o->signers, p->keyring, index_repomd(p->index), e);
        return r < 0 ? r : metalink_stage(p->repo, index_repomd(p->index), p->next->revision, p->o->mirror_urls, e);
}

/* What is known from the last time can be proven before the metadata are written. */
static int prove_or_index(void *data, size_t i, Error *e) {
        Publish *p = data;

        if (i > 0)
                return index_packages(p, e);
        return memo_solv_size(p->memo) > 0 ? prove_known(p, e) : 0;
}

static int seal_or_write_memo(void *data, size_t i, Error *e) {
        Publish *p = data;
        int r;

        if (i == 0)
                return seal(p, e);
        if (!p->report.proof && (r = prove_staged(p, e)) < 0)
                return r;
        publish_write_memo(p);
        return 0;
}

/* The new state, complete and on the disk, in the staging area. */
static int make_next(Publish *p, Error *e) {
        int r;

        if ((r = describe_packages(p, e)) < 0 || (r = parallel_run(2, prove_or_index, p, e)) < 0 || (r = parallel_run(2, seal_or_write_memo, p, e)) < 0 ||
            (r = repository_sync(p->repo, e)) < 0)
                return r;
        return repository_link_metadata(p->repo, p->o->keep, e);
}

/* A signature that is made once is good for ever. */
static void take_certification(const Memo *m, Signer *s) {
        size_t size;
        const void *data = memo_certification(m, &size);

        if (size > 0 && size <= sizeof(s->certification))
                memcpy(s->certification, data, s->certification_size = size);
}

/* What does not wait for each other: the keys take a signature, the published state and the workspace have to be read. */
static int read_part(void *data, size_t i, Error *e) {
        Publish *p = data;
        int r;

        switch (i) {
        case 0:
                r = repository_read(p->repo, e);
                return r < 0 ? r : refuse_mirror(p, e);
        case 1: return inputs_load_known(p->o->workspace, p->o->releases, p->o->n_releases, p->memo, p->repo->fd, &p->inputs, e);
        default:
                take_certification(p->memo, p->o->signers->v[0]);
                return keyring_new_own(p->o->signers, &p->keyring, e);
        }
}

static int read_all(Publish *p, Error *e) {
        const PublishOptions *o = p->o;
        const char *signer = o->signers->v[0]->fingerprint;
        int r;

        p->started_ns = file_id_now();
        /* The lock first: what is remembered is one run's at a time. */
        if ((r = check_apart(o, e)) < 0 || (r = packages_settle(o->workspace, e)) < 0 || (r = repository_begin(o->repo, &p->repo, e)) < 0 ||
            (r = memo_open(o->workspace, o->repo, signer, &p->memo, e)) < 0 ||
            (r = parallel_run(3, read_part, p, e)) < 0 ||
            (r = vendor_keys_load(o->workspace, o->releases, o->n_releases, p->inputs->added_keys, &p->vendor_keys, e)) < 0 ||
            (r = signed_store_open(o->workspace, signer, &p->packages.known, e)) < 0 || (r = render_repo_file(p, e)) < 0)
                return r;
        return next_generation(p, e);
}

/* What is there beside the state that was switched to, and what is there of older ones. */
static int finish_repository(Publish *p, const Generation *g, Error *e) {
        int r;

        if (!p->report.changed && (r = metalink_refresh(p->repo, g->revision, p->o->mirror_urls, e)) < 0)
                return r;
        r = write_tops(p, e);
        return r < 0 ? r : repository_clean(p->repo, g, p->o->keep, &p->report.removed_packages, e);
}

#define FINISH_PARTS 3

/* Behind the switch nothing waits for each other either. */
static int finish_part(void *data, size_t i, Error *e) {
        Publish *p = data;
        const Generation *g = p->report.changed ? p->next : p->repo->current;

        switch (i) {
        case 0: return serial_remember(p->o->workspace, p->o->repo, (char *[]){ p->next->key, p->next->also, NULL }, g->number, e);
        case 1: return finish_repository(p, g, e);
        default:
                if (p->report.changed)
                        publish_remember(p);
                publish_made(p); /* while the disk is waited for */
                return 0;
        }
}

static int run(Publish *p, Error *e) {
        uint64_t freed = 0;
        int r;

        if ((r = read_all(p, e)) < 0 || (r = take_packages(p, e)) < 0 || (r = take_locks(p, e)) < 0 || (r = render_comps(p, e)) < 0 ||
            (r = find_revision(p, e)) < 0 || (r = set_freshness(p, e)) < 0)
                return r;
        p->report.changed = !p->repo->current || !generation_same(p->repo->current, p->next) || is_due(p->repo->current, p->next);
        if ((p->report.changed && ((r = make_next(p, e)) < 0 || (r = repository_switch(p->repo, p->next, e)) < 0)) ||
            (r = parallel_run_on(FINISH_PARTS, FINISH_PARTS, finish_part, p, e)) < 0)
                return r;
        if (p->report.removed_packages > 0)
                signed_store_sweep(p->o->workspace, &freed);
        return 0;
}

int publish(const PublishOptions *o, PublishReport *ret, Error *e) {
        _cleanup_(publish_done) Publish p = { .o = o, .packages = { .o = o, .vendor = PTHREAD_MUTEX_INITIALIZER } };
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
        p.report.beside = TAKE_PTR(p.repo->beside);
        *ret = p.report;
        p.report = (PublishReport){};
        return 0;
}
