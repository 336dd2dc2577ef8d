/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/bundle-import.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/diff.h"
#include "repo/metadata.h"
#include "repo/metalink.h"
#include "repo/parallel.h"
#include "repo/repo-file.h"
#include "repo/rpm-file.h"
#include "repo/seal.h"
#include "repo/signed-store.h"
#include "repo/serials.h"
#include "repo/vendor-keys.h"
#include "repo/whole.h"

void import_report_clear(ImportReport *r) {
        free(r->key);
        strv_free(r->beside);
        strv_free(r->repaired);
        *r = (ImportReport){};
}

static void import_done(Import *x) {
        repository_free(x->repo);
        keyring_free(x->keyring);
        bundle_manifest_free(x->manifest);
        generation_free(x->next);
        free(x->by_path);
        strv_free(x->pins);
        free(x->manifest_text);
        free(x->signature);
        free(x->key);
        free(x->key_file);
        free(x->vendor_keys);
        free(x->repo_file);
        import_report_clear(&x->report);
}

int import_untrusted(const Import *x, const char *member, const char *what, Error *e) {
        return error_hint(e, error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: %s: %s", x->o->file, member, what),
                          "do not use this file: it was changed after it was exported");
}

static int add_pin(Import *x, const char *text, Error *e) {
        _cleanup_free_ char *pin = NULL;
        int r = fingerprint_normalize(text, &pin, e);

        return r < 0 ? r : strv_append(&x->pins, pin) < 0 ? error_oom(e) : 0;
}

/* Whose word counts: the keys that were named, or else those that signed what is there. */
static int find_pin(Import *x, Error *e) {
        _cleanup_published_state_ PublishedState s = { .repo_fd = -1 };
        _cleanup_free_ char *repomd = NULL;
        int r;

        STRV_FOREACH(key, x->o->keys)
                if ((r = add_pin(x, *key, e)) < 0)
                        return r;
        if (x->pins)
                return 0;
        if (!(repomd = path_join(x->o->repo, "repodata/repomd.xml")))
                return error_oom(e);
        if (access(repomd, F_OK) < 0)
                return error_hint(e, error_set(e, EINVAL, EXIT_USAGE, "%s: nothing is published there yet, so no key is known", x->o->repo),
                                  "name the full fingerprint of the exporter's key: --key");
        r = published_state_open(x->o->repo, "current", &s, e);
        if (r < 0)
                return error_hint(e, r, "name the full fingerprint of the exporter's key: --key");
        if (strv_append(&x->pins, s.generation->key) < 0 || (s.generation->also && strv_append(&x->pins, s.generation->also) < 0))
                return error_oom(e);
        return 0;
}

/* What was published or imported there, even if the directory was lost, or somebody put an older one in its place. */
static int check_serial(const Import *x, Error *e) {
        uint64_t known;
        int r = serial_known(x->o->workspace, x->o->repo, keyring_fingerprints(x->keyring), &known, e);

        if (r < 0 || x->manifest->generation >= known)
                return r;
        return error_hint(e, error_set(e, ESTALE, EXIT_DIFFERS, "%s: its generation is %" PRIu64 ", and %s had %" PRIu64 " before", x->o->file,
                                       x->manifest->generation, x->o->repo, known), "import a newer one; if you mean to go back: --allow-older");
}

static int check_newer(Import *x, Error *e) {
        const Generation *c = x->repo->current, *g = c ? c : x->repo->n_generations > 0 ? x->repo->generations[x->repo->n_generations - 1] : NULL;
        bool same = g && g->number == x->manifest->generation && streq(g->repomd_sha256, x->manifest->repomd_sha256);

        x->same = same && c;
        if (x->o->allow_older)
                return 0;
        if (!g || same || x->manifest->generation > g->number)
                return check_serial(x, e);
        return error_hint(e, error_set(e, ESTALE, EXIT_DIFFERS, "%s: its generation %" PRIu64 " is not newer than generation %" PRIu64 ", which %s has", x->o->file,
                                       x->manifest->generation, g->number, x->o->repo), "if you mean to go back: --allow-older");
}

static int by_path(const void *a, const void *b) {
        return strcmp((*(const BundleFile *const *) a)->path, (*(const BundleFile *const *) b)->path);
}

static const BundleFile *find_file(const Import *x, const char *path) {
        const BundleFile key = { .path = (char *) path }, *p = &key, *const *found;

        found = bsearch(&p, x->by_path, x->manifest->n_files, sizeof(*x->by_path), by_path);
        return found ? *found : NULL;
}

/* One of the pinned keys signed; it vouches for the key beside it, which is to replace it. */
static int check_signers(Import *x, Error *e) {
        _cleanup_strv_ char **signed_by = NULL;
        _cleanup_free_ char *pins = NULL, *names = NULL;
        int r = keyring_verify(x->keyring, x->manifest_text, strlen(x->manifest_text), x->signature, strlen(x->signature), x->o->file, &signed_by, NULL, e);

        if (r < 0)
                return r;
        STRV_FOREACH(s, signed_by)
                if (strv_contains(x->pins, *s))
                        return 0;
        if (!(pins = strv_join(x->pins, " or ")) || !(names = strv_join(signed_by, " and ")))
                return error_oom(e);
        return error_hint(e, error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: it was exported with key %s, not with %s", x->o->file, names, pins),
                          "ask whoever exported it; another key is named with --key");
}

int import_trust(Import *x, Error *e) {
        char hex[SHA256_HEX_SIZE];
        int r;

        if ((r = keyring_new(x->key, strlen(x->key), BUNDLE_KEY, &x->keyring, e)) < 0 || (r = check_signers(x, e)) < 0 ||
            (r = bundle_manifest_from_json(x->manifest_text, strlen(x->manifest_text), x->o->file, &x->manifest, e)) < 0)
                return r;
        if (!strv_contains(keyring_fingerprints(x->keyring), x->manifest->key))
                return import_untrusted(x, BUNDLE_MANIFEST, "it names another key than the one that signed it", e);
        if (sha256_buffer(x->key, strlen(x->key), hex) < 0 || !streq(hex, x->manifest->files[0].sha256))
                return import_untrusted(x, BUNDLE_KEY, "it is not the one that was signed", e);
        x->by_path = calloc(x->manifest->n_files, sizeof(*x->by_path));
        if (!x->by_path)
                return error_oom(e);
        for (size_t i = 0; i < x->manifest->n_files; i++)
                x->by_path[i] = &x->manifest->files[i];
        qsort(x->by_path, x->manifest->n_files, sizeof(*x->by_path), by_path);
        if ((r = repository_open(x->o->repo, &x->repo, e)) < 0)
                return r;
        return check_newer(x, e);
}

static bool is_published(const Import *x, const PublishedPackage *p) {
        for (size_t i = x->repo->n_generations; i-- > 0;) {
                const PublishedPackage *q = generation_find_href(x->repo->generations[i], p->href);

                if (q)
                        return streq(q->sha256, p->sha256) && whole_package(x->repo, x->next, p, NULL) >= 0;
        }
        return false;
}

/* A place is one file's for as long as a client may read it. */
static int check_place(const Import *x, const PublishedPackage *p, Error *e) {
        for (size_t i = 0; i < x->repo->n_generations; i++) {
                const PublishedPackage *q = generation_find_href(x->repo->generations[i], p->href);

                if (q && !streq(q->sha256, p->sha256))
                        return error_hint(e, error_set(e, EEXIST, EXIT_DIFFERS, "%s/%s: another package is published under that name", x->o->repo, p->href),
                                          "this repository was not only imported to: import to another directory");
        }
        return 0;
}

/* What will be new, what has to be here already, and whether there is room. */
static int plan_packages(Import *x, Error *e) {
        uint64_t need = 0, available;
        int r;

        for (size_t i = 0; i < x->next->n_packages; i++) {
                PublishedPackage *p = x->next->packages[i];
                const BundleFile *f = find_file(x, p->href);

                if ((r = check_place(x, p, e)) < 0)
                        return r;
                if (f && (f->size != p->size || !streq(f->sha256, p->sha256)))
                        return bundle_malformed(x->o->file, p->href, "its generation describes another file", e);
                if (is_published(x, p))
                        continue;
                if (!f)
                        return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s: %s is left out, and %s does not have it", x->o->file, p->href, x->o->repo),
                                          "import generation %" PRIu64 " first, or export without --since", x->manifest->since);
                p->staged = true;
                x->report.new_packages++;
                if (__builtin_add_overflow(need, p->size, &need))
                        need = UINT64_MAX;
        }
        r = free_space(x->o->repo, &available);
        if (r < 0)
                return error_errno(e, -r, "%s", x->o->repo);
        if (need > available)
                return error_hint(e, error_set(e, ENOSPC, EXIT_NO_SPACE, "%s: %" PRIu64 " MiB are needed there, %" PRIu64 " MiB are free", x->o->repo, (need >> 20) + 1,
                                               available >> 20), "make room, or give another directory: --repo");
        return 0;
}

int import_take_generation(Import *x, const char *text, size_t size, Error *e) {
        int r = generation_from_json(text, size, BUNDLE_GENERATION, &x->next, e);

        if (r < 0)
                return r;
        if (x->next->number != x->manifest->generation || !streq(x->next->repomd_sha256, x->manifest->repomd_sha256) || !streq(x->next->key, x->manifest->key))
                return bundle_malformed(x->o->file, BUNDLE_GENERATION, "it is another generation's", e);
        if (x->repo->current && generation_is_mirror(x->repo->current) && !generation_is_mirror(x->next))
                return error_hint(e, error_set(e, EEXIST, EXIT_FAILED, "%s: it is a copy of %s", x->o->repo, x->repo->current->locks[0] + strlen(MIRROR_LOCK)), "give another directory: --repo");
        if (x->mtime != MAX(x->next->revision, (int64_t) 0))
                return bundle_malformed(x->o->file, NULL, "its files have another date than its generation", e);
        if (x->same) {
                int k = whole_state(x->repo, x->next, &x->keyring, 1, true, &x->report.repaired, e);

                if (k < 0)
                        return k;
                x->same = !x->report.repaired;
        }
        return x->same ? 0 : plan_packages(x, e);
}

static int check_package(void *data, size_t i, Error *e) {
        Import *x = data;
        const PublishedPackage *p = x->next->packages[i];
        _cleanup_free_ char *staged = p->staged ? format(STAGE "/packages/%s", p->file) : NULL;
        _cleanup_(rpm_file_freep) RpmFile *f = NULL;
        int r;

        if (p->staged && !staged)
                return error_oom(e);
        if ((r = rpm_file_open(x->repo->fd, staged ? staged : p->href, &f, e)) < 0)
                return r;
        if (f->size != p->size || !streq(f->header_sha256, p->header_sha256) || !streq(f->nevra, p->nevra))
                return import_untrusted(x, p->href, "it is not the package that its generation describes", e);
        if (!p->vendor && (r = keyring_verify_package(x->keyring, f, NULL, e)) < 0)
                return r;
        if (p->staged && (r = file_seal(f->fd, f->build_time, p->sha256)) < 0)
                return error_errno(e, -r, "%s/%s", x->o->repo, staged);
        return 0;
}

/* From the signature down to each package: what was staged holds by itself, whatever the bundle's manifest says. */
static int check_staged(Import *x, Error *e) {
        _cleanup_close_ int dir = openat(x->repo->stage_fd, "repodata", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_(metadata_clear) Metadata m = {};
        int r;

        if (dir < 0)
                return error_errno(e, errno, "%s/" STAGE "/repodata", x->o->repo);
        if ((r = metadata_load(dir, x->o->file, x->keyring, &m, e)) < 0)
                return r;
        if (!streq(m.repomd_sha256, x->next->repomd_sha256))
                return import_untrusted(x, "repodata/repomd.xml", "it is another generation's", e);
        if (!x->o->allow_older) {
                int64_t now;

                if ((r = freshness_clock(&now, e)) < 0 || (r = freshness_check(&m.repomd->freshness, 0, now, x->o->file, e)) < 0)
                        return r;
        }
        if (m.primary->n_packages != x->next->n_packages)
                return import_untrusted(x, BUNDLE_GENERATION, "it has not the packages that primary.xml has", e);
        for (size_t i = 0; i < m.primary->n_packages; i++) {
                const PrimaryPackage *q = m.primary->packages[i];
                const PublishedPackage *p = generation_find_href(x->next, q->href);

                if (!p || p->size != q->size || !streq(p->sha256, q->checksum))
                        return import_untrusted(x, q->href, "primary.xml has another package", e);
        }
        return parallel_run(x->next->n_packages, check_package, x, e);
}

/* The .repo file for this place. */
static int render_repo_file(Import *x, char **ret, Error *e) {
        _cleanup_free_ char *url = NULL;
        int r;

        if (!x->repo_file)
                return 0;
        if ((r = repo_file_place(x->repo->fd, x->o->repo, x->o->baseurl, &url, e)) < 0 || (r = repo_file_move(x->repo_file, REPO_FILE, url, ret, e)) >= 0 ||
            (x->o->baseurl && *x->o->baseurl))
                return r;
        return error_hint(e, r, "give --baseurl");
}

static int write_tops(Import *x, const char *repo_file, Error *e) {
        int r;

        if ((r = seal_top(x->repo, REPO_KEY_FILE, x->key_file, e)) < 0 || (x->vendor_keys && (r = seal_top(x->repo, VENDOR_KEY_FILE, x->vendor_keys, e)) < 0) ||
            (repo_file && (r = seal_top(x->repo, REPO_FILE, repo_file, e)) < 0))
                return r;
        return x->vendor_keys ? 0 : seal_top(x->repo, VENDOR_KEY_FILE, NULL, e);
}

static int stage_metalink(Import *x, Error *e) {
        _cleanup_free_ char *repomd = NULL;
        int r = read_file(x->repo->stage_fd, "repodata/repomd.xml", METADATA_MAX, &repomd, NULL);

        return r < 0 ? error_errno(e, -r, "%s/" STAGE "/repodata/repomd.xml", x->o->repo)
                     : metalink_stage(x->repo, repomd, x->next->revision, x->o->mirror_urls, e);
}

static int remember(const Import *x, Error *e) {
        return (x->o->allow_older ? serial_go_back : serial_remember)(x->o->workspace, x->o->repo, keyring_fingerprints(x->keyring), x->manifest->generation, e);
}

static int run(Import *x, Error *e) {
        _cleanup_free_ char *repo_file = NULL;
        int r;

        if ((r = find_pin(x, e)) < 0 || (r = import_read(x, e)) < 0 || (r = render_repo_file(x, &repo_file, e)) < 0)
                return r;
        if (!x->same && ((r = check_staged(x, e)) < 0 || (r = stage_metalink(x, e)) < 0 || (r = seal_generation(x->repo, x->next, e)) < 0 || (r = repository_sync(x->repo, e)) < 0 ||
                         (r = repository_link_metadata(x->repo, x->o->keep + (x->report.repaired ? 1 : 0), e)) < 0 || (r = repository_switch(x->repo, x->next, e)) < 0))
                return r;
        if (x->same && (r = metalink_refresh(x->repo, x->repo->current->revision, x->o->mirror_urls, e)) < 0)
                return r;
        if ((r = remember(x, e)) < 0 || (r = write_tops(x, repo_file, e)) < 0)
                return r;
        return repository_clean(x->repo, x->same ? x->repo->current : x->next, x->o->keep, &x->report.removed_packages, e);
}

int bundle_import(const ImportOptions *o, ImportReport *ret, Error *e) {
        _cleanup_(import_done) Import x = { .o = o };
        int r = run(&x, e);

        if (r < 0)
                return r;
        x.report.generation = x.manifest->generation;
        x.report.n_packages = x.same ? x.repo->current->n_packages : x.next->n_packages;
        x.report.changed = !x.same;
        x.report.beside = TAKE_PTR(x.repo->beside);
        x.report.key = TAKE_PTR(x.manifest->key);
        *ret = x.report;
        x.report = (ImportReport){};
        return 0;
}
