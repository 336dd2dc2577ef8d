/* SPDX-License-Identifier: Apache-2.0 */
/* verify: each package, its signature, and its payload against the archive that it was made from. */
#include "repo/verify-chain.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/index-compare.h"
#include "repo/metadata.h"
#include "repo/openpgp-read.h"
#include "repo/parallel.h"
#include "repo/payload.h"
#include "repo/rims-package.h"
#include "repo/vendor-rpm.h"

#define CHUNK  (1024 * 1024)
#define WINDOW 512 /* packages that are looked at before what was found is told */

/* The first one of its record: what several releases share was built with that one's file. */
static const InputRelease *release_of(const Verify *v, const InputPackage *p) {
        STRV_FOREACH(s, p->releases)
                for (size_t i = 0; i < v->inputs->n_releases; i++)
                        if (streq(v->inputs->releases[i].name, *s))
                                return &v->inputs->releases[i];
        return NULL;
}

static const InputPackage *input_of(const Verify *v, const PrimaryPackage *p) {
        return inputs_find(v->inputs, path_basename(p->href));
}

static bool is_published(const Verify *v, const InputPackage *in) {
        for (size_t i = 0; i < v->primary->n_packages; i++)
                if (streq(path_basename(v->primary->packages[i]->href), in->file))
                        return true;
        return false;
}

static bool is_release_published(const Verify *v, const InputRelease *ir) {
        _cleanup_free_ char *meta = release_metapackage(ir->release), *start = meta ? format("%s-%s-%s.", meta, ir->release->version, ir->release->revision) : NULL;

        for (size_t i = 0; start && i < v->primary->n_packages; i++)
                if (startswith(path_basename(v->primary->packages[i]->href), start))
                        return true;
        return false;
}

/* Whether a package has to be there: one of its releases is, or it belongs to all. */
static bool is_due(const Verify *v, const InputPackage *in) {
        if (strv_length(in->releases) == 0)
                return true;
        for (size_t i = 0; i < v->inputs->n_releases; i++)
                if (strv_contains(in->releases, v->inputs->releases[i].name) && is_release_published(v, &v->inputs->releases[i]))
                        return true;
        return false;
}

/* A repository may hold some releases only: the others are named. */
int verify_releases(Verify *v) {
        for (size_t i = 0; i < v->inputs->n_releases; i++) {
                int r;

                if (!v->has_workspace || is_release_published(v, &v->inputs->releases[i]))
                        continue;
                (void) verify_begin(v, "primary", "%s", v->inputs->releases[i].name);
                r = verify_unchecked(v, "this release is not published");
                if (r < 0)
                        return r;
        }
        return 0;
}

/* None missing, none too many. */
int verify_complete(Verify *v) {
        (void) verify_begin(v, "primary", "%zu packages", v->primary->n_packages);
        if (v->copy && !v->has_workspace)
                return verify_passed(v); /* its metadata alone say it */
        if (!v->has_workspace)
                return verify_unchecked(v, "no lock and no build record says which there have to be");
        for (size_t i = 0; i < v->inputs->n_packages; i++)
                if (is_due(v, v->inputs->packages[i]) && !is_published(v, v->inputs->packages[i]))
                        return error_hint(verify_why(v), error_set(verify_why(v), ENOENT, EXIT_UNTRUSTED, "primary.xml: %s is not in it", v->inputs->packages[i]->file),
                                          "if it was built since: publish");
        for (size_t i = 0; v->o->all && i < v->primary->n_packages; i++)
                if (!input_of(v, v->primary->packages[i]))
                        return error_set(verify_why(v), EEXIST, EXIT_UNTRUSTED, "primary.xml: no lock and no build record has %s", v->primary->packages[i]->href);
        return verify_passed(v);
}

/* The digest of the whole file and that of its payload, in one reading. */
static int digest_package(Verify *v, const RpmFile *f, char whole[static SHA256_HEX_SIZE], char payload[static SHA256_HEX_SIZE]) {
        _cleanup_(digest_freep) Digest *a = digest_new("sha256"), *b = digest_new("sha256");
        _cleanup_free_ unsigned char *buffer = malloc(CHUNK);
        _cleanup_free_ char *hex_a = NULL, *hex_b = NULL;
        uint64_t offset = 0;

        if (!a || !b || !buffer)
                return error_oom(verify_why(v));
        for (;;) {
                /* A chunk never straddles the payload's beginning. */
                size_t want = offset < f->header_end ? (size_t) MIN((uint64_t) CHUNK, f->header_end - offset) : CHUNK;
                ssize_t n = pread(f->fd, buffer, want, (off_t) offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_errno(verify_why(v), errno, "%s", f->path);
                if (n == 0)
                        break;
                if (digest_update(a, buffer, (size_t) n) < 0 || (offset >= f->header_end && digest_update(b, buffer, (size_t) n) < 0))
                        return error_set(verify_why(v), EIO, EXIT_FAILED, "SHA-256");
                offset += (uint64_t) n;
                progress_step(v->o->progress, (uint64_t) n);
        }
        hex_a = digest_hex(a);
        hex_b = digest_hex(b);
        if (!hex_a || !hex_b)
                return error_oom(verify_why(v));
        memcpy(whole, hex_a, SHA256_HEX_SIZE);
        memcpy(payload, hex_b, SHA256_HEX_SIZE);
        return 0;
}

static int package_differs(Verify *v, const RpmFile *f, const char *what) {
        return verify_untrusted(v, "%s/%s: %s", v->o->repo, f->path, what);
}

static int check_against_primary(Verify *v, const PrimaryPackage *p, const RpmFile *f) {
        char whole[SHA256_HEX_SIZE], payload[SHA256_HEX_SIZE];
        int r;

        if (f->size != p->size)
                return package_differs(v, f, "its size is not the one in primary.xml");
        if (!streq(f->nevra, p->nevra) && !(v->copy && rpm_file_is_source(f)))
                return package_differs(v, f, "its name, version or architecture is not the one in primary.xml");
        if (f->header_start != p->header_start || f->header_end != p->header_end)
                return package_differs(v, f, "its header range is not the one in primary.xml");
        r = digest_package(v, f, whole, payload);
        if (r < 0)
                return r;
        if (f->payload_sha256 && !streq(payload, f->payload_sha256))
                return package_differs(v, f, "its payload is not the one that its header describes");
        if (!streq(p->digest, "sha256"))
                return metadata_check(f->fd, f->path, &(RepomdFile){ .digest = p->digest, .checksum = p->checksum, .size = p->size }, NULL, NULL, verify_why(v));
        return streq(whole, p->checksum) ? 0 : package_differs(v, f, "its SHA-256 is not the one in primary.xml");
}

static int check_vendor(Verify *v, const PrimaryPackage *p, const InputPackage *in) {
        _cleanup_free_ char *path = path_join(v->o->repo, p->href);
        int r;

        if (!path)
                return error_oom(verify_why(v));
        if (!streq(p->checksum, in->sha256))
                return verify_untrusted(v, "%s: it is not the vendor's file that the lock, or its record, has", path);
        if (!in->signer_key || access(in->signer_key, R_OK) < 0)
                return verify_unchecked(v, "the vendor's key is not in the store");
        (void) pthread_mutex_lock(v->vendor);
        r = vendor_rpm_check(path, in->signer_key, in->signer, NULL, verify_why(v));
        (void) pthread_mutex_unlock(v->vendor);
        return r < 0 ? -EKEYREJECTED : verify_passed(v);
}

/* Build record to signed package: the same header, which covers all the rest; and who signed it. */
static int check_own(Verify *v, const RpmFile *f, const InputPackage *in) {
        _cleanup_(rpm_file_freep) RpmFile *built = NULL;
        _cleanup_error_ Error ignored = ERROR_INIT;
        int r;

        if (!in && !v->has_workspace && keyring_verify_package(v->keyring, f, NULL, &ignored) < 0)
                return verify_unchecked(v, "another key signed it, and no lock says which it has to be");
        if ((r = keyring_verify_package(v->keyring, f, NULL, verify_why(v))) < 0 ||
            (r = openpgp_check_signature(f->signature_packet, f->signature_packet_size, NULL, f->path, verify_why(v))) < 0)
                return r;
        if (!f->payload_sha256)
                return package_differs(v, f, "its header has no SHA-256 of the payload");
        if (!in)
                return verify_unchecked(v, "its build record is not here");
        if ((r = rpm_file_open(AT_FDCWD, in->path, &built, verify_why(v))) < 0)
                return r;
        if (!streq(built->header_sha256, f->header_sha256))
                return package_differs(v, f, "it is not the package that was built, signed");
        return verify_passed(v);
}

static int describe_locked(Verify *v, const Release *release, const Artifact *a, const char *sha256, const WrapList **ret) {
        _cleanup_free_ char *path = format("%s/store/sha256/%.2s/%s", v->o->workspace, sha256, sha256);
        Archives *known = v->archives;
        size_t n = strv_length(known->lists_of);
        WrapList **grown;
        int r;

        if (!path)
                return error_oom(verify_why(v));
        for (size_t i = 0; i < n; i++)
                if (streq(known->lists_of[i], sha256)) {
                        *ret = known->lists[i];
                        return 0;
                }
        if (access(path, R_OK) < 0)
                return -ENOENT;
        grown = reallocarray(known->lists, n + 1, sizeof(*grown));
        if (!grown)
                return error_oom(verify_why(v));
        known->lists = grown;
        r = wrap_describe(release, a, path, &(WrapOptions){}, &known->lists[n], verify_why(v));
        if (r < 0)
                return r;
        if (strv_append(&known->lists_of, sha256) < 0) {
                wrap_list_free(known->lists[n]);
                return error_oom(verify_why(v));
        }
        *ret = known->lists[n];
        return 0;
}

/* *ret is owned by v. -ENOENT without an error: the archive is not here. */
static int describe_archive(Verify *v, const Release *release, const Artifact *a, const char *sha256, const WrapList **ret) {
        int r;

        (void) pthread_mutex_lock(&v->archives->lock);
        r = describe_locked(v, release, a, sha256, ret);
        (void) pthread_mutex_unlock(&v->archives->lock);
        return r;
}

static const char *package_kind(const Artifact *a, const char *name) {
        switch (a->kind) {
        case ARTIFACT_DRIVER: return endswith(name, "-dkms") ? PACKAGE_KMOD : PACKAGE_DRIVER;
        case ARTIFACT_CUDA: return PACKAGE_CUDA;
        case ARTIFACT_CUBLAS: return PACKAGE_CUBLAS;
        default: return NULL;
        }
}

/* Locks to the package of manifests: exactly theirs, each as it was judged. */
static int check_rims(Verify *v, const RpmFile *f, const InputPackage *in) {
        _cleanup_free_ const LockedArtifact **rims = NULL;
        _cleanup_free_ const Lock **locks = calloc(v->inputs->n_releases + 1, sizeof(Lock *));
        _cleanup_(wrap_list_freep) WrapList *list = NULL;
        size_t n = 0, found = 0;
        int r;

        if (!locks)
                return error_oom(verify_why(v));
        (void) verify_begin(v, "payload", "%s, from locks", in->file);
        for (size_t i = 0; i < v->inputs->n_releases; i++)
                if (v->inputs->releases[i].lock && strv_contains(in->releases, v->inputs->releases[i].name))
                        locks[found++] = v->inputs->releases[i].lock;
        if (found != strv_length(in->releases))
                return verify_unchecked(v, "not all of its releases are looked at");
        if (rims_select(locks, found, &rims, &n) < 0)
                return error_oom(verify_why(v));
        if ((r = rims_describe(rims, n, &list, verify_why(v))) < 0 || (r = payload_compare(f, list, PACKAGE_RIMS, verify_why(v))) < 0)
                return r;
        return verify_passed(v);
}

/* Package to artifact: its files are those that wrapping the archive gives. The signed header has their digests, and its own payload digest
 * was compared above: nothing has to be unpacked. */
static int check_payload(Verify *v, const RpmFile *f, const InputPackage *in) {
        const InputRelease *ir = release_of(v, in);
        const Artifact *a = ir && in->artifact ? release_artifact(ir->release, in->artifact) : NULL;
        _cleanup_free_ char *meta = ir ? release_metapackage(ir->release) : NULL;
        const WrapList *archive = NULL;
        const char *kind;
        int r;

        if (!a && meta && streq(meta, f->name)) {
                _cleanup_(wrap_list_freep) WrapList *list = NULL;

                (void) verify_begin(v, "payload", "%s, from %s", in->file, ir->release->path);
                if ((r = render_describe(ir->release, &list, verify_why(v))) < 0 || (r = payload_compare(f, list, PACKAGE_META, verify_why(v))) < 0)
                        return r;
                return verify_passed(v);
        }
        if (streq(f->name, RIMS_PACKAGE))
                return check_rims(v, f, in);
        if (!in->artifact)
                return 0; /* made from the project's own source */
        kind = a ? package_kind(a, f->name) : NULL;
        if (!kind) {
                (void) verify_begin(v, "payload", "%s", in->file);
                return verify_unchecked(v, "its release file is not here");
        }
        (void) verify_begin(v, "payload", "%s, from %s", in->file, a->filename);
        r = describe_archive(v, ir->release, a, in->artifact_sha256, &archive);
        if (r == -ENOENT && !verify_why(v)->message)
                return verify_unchecked(v, "its archive is not in the store");
        if (r < 0 || (r = payload_compare(f, archive, kind, verify_why(v))) < 0)
                return r;
        return verify_passed(v);
}

/* dnf decides by what primary.xml says, rpm by the header: 1 and what is said, when these are two things. */
static int compare_index(Verify *v, size_t i, const RpmFile *f, char **ret_what) {
        const PrimaryPackage *p = v->primary->packages[i];
        IndexEntry expected = {};
        int r;

        if (!v->others[INDEX_OTHER] || !streq(p->digest, "sha256"))
                return 0;
        r = index_describe(f, p->href, p->checksum, &expected, verify_why(v));
        if (r >= 0)
                r = index_compare(&expected, (const XmlFragment[]){ v->fragments[i], v->others[INDEX_FILELISTS][i].fragment, v->others[INDEX_OTHER][i].fragment },
                                  ret_what, verify_why(v));
        index_entry_clear(&expected);
        return r;
}

static int check_index(Verify *v, size_t i, const InputPackage *in, const RpmFile *f, bool *ret_unchecked) {
        _cleanup_error_ Error ignored = ERROR_INIT;
        _cleanup_free_ char *what = NULL, *detail = NULL;
        int r = compare_index(v, i, f, &what);

        *ret_unchecked = false;
        if (r <= 0)
                return r;
        if (!(detail = format("%s than its header", what)))
                return error_oom(verify_why(v));
        if (in || (v->keyring && keyring_verify_package(v->keyring, f, NULL, &ignored) >= 0))
                return package_differs(v, f, detail);
        /* A selection of somebody else's packages keeps the words of whoever described them. */
        *ret_unchecked = true;
        return verify_unchecked(v, detail);
}

static int check_package(Verify *v, size_t i) {
        const PrimaryPackage *p = v->primary->packages[i];
        const InputPackage *in = input_of(v, p);
        _cleanup_(rpm_file_freep) RpmFile *f = NULL;
        bool unchecked;
        int r;

        (void) verify_begin(v, "package", "%s", path_basename(p->href));
        if ((r = rpm_file_open(v->repo_fd, p->href, &f, verify_why(v))) < 0 || (r = check_against_primary(v, p, f)) < 0)
                return r;
        memcpy(v->header_sha256[i], f->header_sha256, SHA256_HEX_SIZE);
        if ((r = check_index(v, i, in, f, &unchecked)) < 0 || (unchecked && (!v->copy || v->has_workspace)))
                return r;
        if (!in && !v->o->all)
                return verify_passed(v); /* of a release that was not asked for: it is the one that the signed metadata names */
        if (v->copy && !v->has_workspace) {
                if (unchecked)
                        (void) verify_begin(v, "package", "%s", path_basename(p->href));
                return verify_copied_package(v, p, f);
        }
        r = in && in->signer ? check_vendor(v, p, in) : check_own(v, f, in);
        return r < 0 || !in || in->signer ? r : check_payload(v, f, in);
}

/* Some packages, each with a report of its own. */
typedef struct Window {
        Verify *v;
        VerifyOptions quiet;
        size_t first;
        Verify each[WINDOW];
        VerifyReport reports[WINDOW];
        int results[WINDOW];
} Window;

static int check_in_window(void *data, size_t i, Error *e) {
        Window *w = data;
        Verify *v = &w->each[i];

        *v = *w->v;
        v->o = &w->quiet;
        v->report = &w->reports[i];
        v->subject = NULL;
        w->results[i] = check_package(v, w->first + i);
        return w->results[i];
}

/* Tells in order what was found: a package behind a broken link is as if it had not been looked at. */
static int tell_window(Window *w, size_t n) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n; i++) {
                VerifyReport *report = &w->reports[i];

                for (size_t k = 0; r >= 0 && k < report->n_links; k++) {
                        VerifyLink *l = &report->links[k];

                        free(w->v->subject);
                        w->v->subject = TAKE_PTR(l->subject);
                        w->v->link = l->link;
                        r = verify_conclude(w->v, l->state, TAKE_PTR(l->detail));
                }
                if (r < 0 || w->results[i] >= 0)
                        continue;
                r = w->results[i];
                free(w->v->subject);
                w->v->subject = TAKE_PTR(w->each[i].subject);
                w->v->link = w->each[i].link;
                w->v->report->error = report->error;
                report->error = ERROR_INIT;
        }
        return r;
}

static void clear_window(Window *w, size_t n) {
        for (size_t i = 0; i < n; i++) {
                for (size_t k = 0; k < w->reports[i].n_links; k++) {
                        free(w->reports[i].links[k].subject);
                        free(w->reports[i].links[k].detail);
                }
                free(w->reports[i].links);
                free(w->each[i].subject);
                error_clear(&w->reports[i].error);
        }
}

static int check_window(Verify *v, size_t first, size_t n) {
        _cleanup_free_ Window *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return error_oom(verify_why(v));
        w->v = v;
        w->quiet = *v->o;
        w->quiet.tell = NULL;
        w->first = first;
        (void) parallel_run(n, check_in_window, w, NULL);
        r = tell_window(w, n);
        clear_window(w, n);
        return r;
}

int verify_packages(Verify *v) {
        uint64_t total = 0;
        int r = 0;

        for (size_t i = 0; i < v->primary->n_packages; i++)
                if (__builtin_add_overflow(total, v->primary->packages[i]->size, &total))
                        total = 0;
        if (v->o->progress)
                progress_begin(v->o->progress, "verify", total, true);
        for (size_t i = 0; r >= 0 && i < v->primary->n_packages; i += WINDOW)
                r = check_window(v, i, MIN(v->primary->n_packages - i, (size_t) WINDOW));
        progress_end(v->o->progress);
        return r;
}
