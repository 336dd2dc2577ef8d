/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/obtain.h"

#include "repo/openpgp-key.h"
#include "repo/vendor-rpm.h"

/* What a first use may bring at most; a file whose size is pinned has that size. */
static const uint64_t size_max[_ARTIFACT_KIND_MAX] = {
        [ARTIFACT_DRIVER] = UINT64_C(8) << 30,
        [ARTIFACT_CUDA] = UINT64_C(64) << 30,
        [ARTIFACT_CUBLAS] = UINT64_C(8) << 30,
        [ARTIFACT_RPM] = UINT64_C(4) << 30,
        [ARTIFACT_KEY] = UINT64_C(1) << 20,
};

typedef struct Job {
        Store *store;
        Want *wants;
        size_t n_wants;
        Want *want;
        char *label;
} Job;

void want_clear(Want *w) {
        free(w->ret_sha256);
        w->ret_sha256 = NULL;
        w->warnings = strv_free(w->warnings);
}

const Artifact *release_signer_key(const Release *r, const Artifact *a, Error *e) {
        for (size_t i = 0; i < r->n_artifacts; i++)
                if (r->artifacts[i]->kind == ARTIFACT_KEY && r->artifacts[i]->fingerprint && streq(r->artifacts[i]->fingerprint, a->signer))
                        return r->artifacts[i];
        (void) error_set(e, ENOKEY, EXIT_INVALID, "%s: [Artifact %s] Signer=%s: no artifact of Kind=key has this Fingerprint=", r->path,
                         a->name, a->signer);
        return NULL;
}

static const char *want_digest(const Want *w) {
        return w->ret_sha256 ? w->ret_sha256 : w->sha256;
}

static int check_rpm(const Job *job, const char *path, Error *e) {
        const Artifact *a = job->want->artifact, *key = release_signer_key(job->want->release, a, e);
        _cleanup_vendor_rpm_ VendorRpm v = {};
        _cleanup_free_ char *key_path = NULL;
        int r;

        if (!key)
                return -ENOKEY;
        for (size_t i = 0; !key_path && i < job->n_wants; i++)
                if (job->wants[i].artifact == key && want_digest(&job->wants[i])) {
                        key_path = store_path(job->store, want_digest(&job->wants[i]));
                        if (!key_path)
                                return error_oom(e);
                }
        if (!key_path)
                return error_set(e, ENOKEY, EXIT_UNTRUSTED, "%s: the key %s is not here to check it", path, a->signer);
        r = vendor_rpm_check(path, key_path, a->signer, &v, e);
        return r < 0 ? r : vendor_rpm_expect(&v, path, a->package, a->version, a->revision, e);
}

static int check_file(const Job *job, const char *path, Error *e) {
        _cleanup_(openpgp_key_freep) OpenpgpKey *key = NULL;
        const Artifact *a = job->want->artifact;

        if (a->kind == ARTIFACT_KEY)
                return openpgp_key_load(path, a->fingerprint, &key, e);
        return a->kind == ARTIFACT_RPM ? check_rpm(job, path, e) : 0;
}

static int check_item(FetchItem *item, const char *path, Error *e) {
        return check_file(item->userdata, path, e);
}

/* Two releases may name the same file: by digest, or, before there is one, by the URL. */
static bool same_file(const Want *a, const Want *b) {
        if (a->sha256 || b->sha256)
                return a->sha256 && b->sha256 && streq(a->sha256, b->sha256);
        return streq(a->artifact->urls[0], b->artifact->urls[0]);
}

static Want *first_of(Want *wants, Want *w) {
        for (Want *i = wants; i < w; i++)
                if (same_file(i, w))
                        return i;
        return w;
}

static const char *hint_for(const Want *w) {
        return w->locked ? "The digest is that of the first use: the vendor has published this file anew. If that is right, take it "
                           "with 'gn8v-tee-repo lock --refresh'"
                         : NULL;
}

static int job_init(Job *job, FetchItem *item, Store *store, Want *wants, size_t n, Want *w, Error *e) {
        const Artifact *a = w->artifact;
        _cleanup_free_ char *name = release_name(w->release);

        *job = (Job){ .store = store, .wants = wants, .n_wants = n, .want = w };
        job->label = name ? format("%s: %s", name, a->name) : NULL;
        if (!job->label)
                return error_oom(e);
        *item = (FetchItem){ .label = job->label, .filename = a->filename, .urls = a->urls, .referers = a->referers, .size = w->size,
                             .size_max = size_max[a->kind], .sha256 = w->sha256, .hint = hint_for(w), .size_is_seen = w->locked,
                             .check = check_item, .userdata = job };
        return 0;
}

/* The same file, wanted by another release, was judged by the first one's words: judge it by this one's as well. */
static int check_again(Store *store, Want *wants, size_t n, Want *w, Error *e) {
        Job job = { .store = store, .wants = wants, .n_wants = n, .want = w };
        _cleanup_free_ char *path = store_path(store, want_digest(w));

        if (!path)
                return error_oom(e);
        if (w->size > 0 && w->size != w->ret_size)
                return error_set(e, EBADMSG, EXIT_UNTRUSTED, "%s: [Artifact %s] Size=: %s has %ju bytes, not %ju", w->release->path,
                                 w->artifact->name, w->artifact->filename, (uintmax_t) w->ret_size, (uintmax_t) w->size);
        return check_file(&job, path, e);
}

static int take_results(Store *store, Want *wants, size_t n, bool keys, Error *e) {
        for (Want *w = wants; w < wants + n; w++) {
                Want *first = first_of(wants, w);
                int r;

                if ((w->artifact->kind == ARTIFACT_KEY) != keys || first == w)
                        continue;
                w->fetched = first->fetched;
                w->ret_size = first->ret_size;
                w->ret_sha256 = strdup(want_digest(first));
                if (!w->ret_sha256)
                        return error_oom(e);
                r = w->fetched ? check_again(store, wants, n, w, e) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int phase(Store *store, Want *wants, size_t n, bool keys, const FetchOptions *options, Error *e) {
        _cleanup_free_ FetchItem *items = calloc(n, sizeof(FetchItem));
        _cleanup_free_ Job *jobs = calloc(n, sizeof(Job));
        size_t n_items = 0;
        int r = 0;

        if (!items || !jobs)
                return error_oom(e);
        for (Want *w = wants; r >= 0 && w < wants + n; w++)
                if ((w->artifact->kind == ARTIFACT_KEY) == keys && first_of(wants, w) == w) {
                        r = job_init(&jobs[n_items], &items[n_items], store, wants, n, w, e);
                        n_items += r >= 0;
                }
        if (r >= 0)
                r = fetch_all(store, items, n_items, options, e);
        for (size_t i = 0; i < n_items; i++) {
                Want *w = jobs[i].want;

                w->fetched = items[i].done;
                w->ret_size = items[i].ret_size;
                w->ret_sha256 = TAKE_PTR(items[i].ret_sha256);
                w->warnings = TAKE_PTR(items[i].warnings);
                fetch_item_clear(&items[i]);
                free(jobs[i].label);
        }
        return r < 0 ? r : take_results(store, wants, n, keys, e);
}

int obtain(Store *store, Want *wants, size_t n, const FetchOptions *options, Error *e) {
        int r;

        if (n == 0)
                return 0;
        r = phase(store, wants, n, true, options, e);
        return r < 0 ? r : phase(store, wants, n, false, options, e);
}
