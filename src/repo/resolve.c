/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/resolve.h"

#include <fcntl.h>
#include <time.h>

#include "basic/digest.h"
#include "basic/fs.h"
#include "repo/obtain.h"
#include "repo/workspace-lock.h"

/* NVIDIA states none with the manifests. */
#define RIM_LICENCE "LicenseRef-NVIDIA-RIM"

typedef struct Resolve {
        const char *workspace;
        Store *store;
        bool refresh;
        char date[sizeof("YYYY-MM-DD")];
        Want *wants;
        LockedArtifact **to;  /* wants[i] fills to[i]; NULL: a key that is needed, but locked already */
        const RimOptions *rim_options; /* NULL: no manifests */
        RimWant *rims;        /* each id once */
        char **rim_ids;       /* their ids, owned */
        Lock **old;           /* per release, or NULL */
        size_t n_wants, n_rims, n_releases;
} Resolve;

void resolution_clear(Resolution *r) {
        lock_free(r->lock);
        r->warnings = strv_free(r->warnings);
        *r = (Resolution){};
}

static void resolve_clear(Resolve *x) {
        for (size_t i = 0; i < x->n_wants; i++)
                want_clear(&x->wants[i]);
        for (size_t i = 0; i < x->n_releases; i++)
                lock_free(x->old[i]);
        for (size_t i = 0; i < x->n_rims; i++)
                rim_want_clear(&x->rims[i]);
        free(x->rims);
        strv_free(x->rim_ids);
        free(x->wants);
        free(x->to);
        free(x->old);
}

static int duplicate(char **to, const char *from) {
        free(*to);
        *to = from ? strdup(from) : NULL;
        return from && !*to ? -ENOMEM : 0;
}

static bool same_text(const char *a, const char *b) {
        return a && b ? streq(a, b) : a == b;
}

/* The digest of a first use stands as long as the release means the same file of the same version. */
static const LockedArtifact *first_use_of(const Lock *old, const Artifact *a) {
        const LockedArtifact *l = old ? lock_find(old, a->name) : NULL;

        return l && l->first_use && same_text(l->version, a->version) && streq(l->filename, a->filename) ? l : NULL;
}

static int copy_pins(LockedArtifact *to, const Artifact *a) {
        if (duplicate(&to->kind, artifact_kind_to_string(a->kind)) < 0 || duplicate(&to->version, a->version) < 0 ||
            duplicate(&to->filename, a->filename) < 0 || duplicate(&to->sha256, a->sha256) < 0 ||
            duplicate(&to->signer, a->signer) < 0 || duplicate(&to->licence, a->licence) < 0)
                return -ENOMEM;
        STRV_FOREACH(u, a->urls)
                if (strv_append(&to->urls, *u) < 0)
                        return -ENOMEM;
        to->size = a->size;
        to->redistributable = a->redistributable;
        to->first_use = !a->sha256;
        return 0;
}

static int want(Resolve *x, const Release *r, const Artifact *a, const LockedArtifact *known, LockedArtifact *to) {
        Want *wants = reallocarray(x->wants, x->n_wants + 1, sizeof(Want));
        LockedArtifact **tos;

        if (!wants)
                return -ENOMEM;
        x->wants = wants;
        tos = reallocarray(x->to, x->n_wants + 1, sizeof(LockedArtifact *));
        if (!tos)
                return -ENOMEM;
        x->to = tos;
        tos[x->n_wants] = to;
        wants[x->n_wants++] = (Want){ .release = r, .artifact = a, .sha256 = known ? known->sha256 : NULL,
                                      .size = known ? known->size : a->size, .locked = known && known->first_use };
        return 0;
}

/* Fills one artifact of the new lock from the release and the old lock, or puts it on the list of what must be fetched. */
static int resolve_artifact(Resolve *x, const Release *r, const Artifact *a, const Lock *old, Lock *lock, bool *ret_rpm_wanted, Error *e) {
        const LockedArtifact *before = old ? lock_find(old, a->name) : NULL, *first = first_use_of(old, a);
        LockedArtifact *to = lock_add(lock, a->name);
        int k;

        if (!to || copy_pins(to, a) < 0)
                return error_oom(e);
        if (a->kind == ARTIFACT_RPM && !release_signer_key(r, a, e))
                return -ENOKEY;
        if (a->sha256) {
                if (to->size == 0 && store_size(x->store, a->sha256, &to->size) < 0 && before && streq(before->sha256, a->sha256))
                        to->size = before->size;
                return 0;
        }
        if (first && !x->refresh) {
                to->size = first->size;
                k = duplicate(&to->sha256, first->sha256) < 0 || duplicate(&to->date, first->date) < 0 ? -ENOMEM : 0;
                return k < 0 ? error_oom(e) : 0;
        }
        *ret_rpm_wanted = *ret_rpm_wanted || a->kind == ARTIFACT_RPM;
        return want(x, r, a, NULL, to) < 0 ? error_oom(e) : 0;
}

/* An RPM's signer is checked with the release's key: it must be in the store, even if its digest is locked already. */
static int want_keys(Resolve *x, const Release *r, const Lock *lock, Error *e) {
        for (size_t i = 0; i < r->n_artifacts; i++) {
                const Artifact *a = r->artifacts[i];
                const LockedArtifact *l = lock_find(lock, a->name);

                if (a->kind == ARTIFACT_KEY && l && l->sha256 && want(x, r, a, l, NULL) < 0)
                        return error_oom(e);
        }
        return 0;
}

static int load_old(const char *path, Lock **ret, Error *e) {
        if (access(path, F_OK) < 0 && errno == ENOENT)
                return 0;
        /* A lock that cannot be read is not thrown away silently: its first-use digests may be the only ones. */
        return error_hint(e, lock_load(path, ret, e), "Restore it, or remove it to lock anew");
}

static const LockedArtifact *find_rim(const Lock *l, const char *id) {
        const LockedArtifact *a = l ? lock_find(l, id) : NULL;

        return a && locked_is_rim(a) ? a : NULL;
}

static int want_rim(Resolve *x, const char *id) {
        RimWant *grown;

        if (strv_contains(x->rim_ids, id))
                return 0;
        grown = reallocarray(x->rims, x->n_rims + 1, sizeof(RimWant));
        if (!grown)
                return -ENOMEM;
        x->rims = grown;
        if (strv_append(&x->rim_ids, id) < 0)
                return -ENOMEM;
        x->rims[x->n_rims] = (RimWant) { .id = x->rim_ids[x->n_rims] };
        x->n_rims++;
        return 0;
}

/* A manifest as it was locked stands, whatever was signed since. */
static int copy_rim(LockedArtifact *to, const LockedArtifact *from) {
        if (duplicate(&to->kind, from->kind) < 0 || duplicate(&to->version, from->version) < 0 || duplicate(&to->filename, from->filename) < 0 ||
            duplicate(&to->sha256, from->sha256) < 0 || duplicate(&to->date, from->date) < 0 || duplicate(&to->signer, from->signer) < 0 ||
            duplicate(&to->expires, from->expires) < 0 || duplicate(&to->licence, from->licence) < 0)
                return -ENOMEM;
        STRV_FOREACH(url, from->urls)
                if (strv_append(&to->urls, *url) < 0)
                        return -ENOMEM;
        to->size = from->size;
        to->first_use = true;
        to->redistributable = from->redistributable;
        return 0;
}

/* An entry for each manifest that the release wants, filled from the old lock, or with nothing but its kind: take_rims() fills that. */
static int resolve_rims(Resolve *x, const Release *r, const Lock *old, Lock *lock, Error *e) {
        _cleanup_strv_ char **ids = NULL;

        if (release_rims(r, &ids) < 0)
                return error_oom(e);
        lock->without_rims = ids && (!x->rim_options || x->rim_options->without);
        STRV_FOREACH(id, ids) {
                const LockedArtifact *before = find_rim(old, *id);
                LockedArtifact *to;
                int k;

                if (lock->without_rims)
                        break;
                to = lock_add(lock, *id);
                k = !to ? -ENOMEM : before && !x->refresh ? copy_rim(to, before) : duplicate(&to->kind, LOCKED_RIM) < 0 ? -ENOMEM : want_rim(x, *id);
                if (k < 0)
                        return error_oom(e);
        }
        return 0;
}

static const RimWant *find_want(const Resolve *x, const char *id) {
        for (size_t i = 0; i < x->n_rims; i++)
                if (streq(x->rims[i].id, id))
                        return &x->rims[i];
        return NULL;
}

/* As take_want(): the same bytes again keep their date. */
static int take_rim(const Resolve *x, const RimWant *w, LockedArtifact *to, const Lock *old, Resolution *res, Error *e) {
        const LockedArtifact *first = find_rim(old, w->id);
        bool same = first && streq(first->sha256, w->ret_sha256);
        _cleanup_free_ char *file = format("%s.xml", w->id), *note = NULL;

        if (same)
                return copy_rim(to, first) < 0 ? error_oom(e) : 0;
        if (!file || duplicate(&to->version, w->ret_version) < 0 || duplicate(&to->filename, file) < 0 || duplicate(&to->sha256, w->ret_sha256) < 0 ||
            duplicate(&to->date, x->date) < 0 || duplicate(&to->signer, w->ret_signer) < 0 || duplicate(&to->expires, w->ret_expires) < 0 ||
            duplicate(&to->licence, RIM_LICENCE) < 0 || strv_append(&to->urls, w->ret_url) < 0)
                return error_oom(e);
        to->size = w->ret_size;
        to->first_use = true;
        if (!first)
                return 0;
        note = format("%s: %s: it is signed anew: sha256 was %s (%s), is now %s", res->lock->release, w->id, first->sha256, first->date, w->ret_sha256);
        return note && strv_append(&res->warnings, note) >= 0 ? 0 : error_oom(e);
}

static int take_rims(const Resolve *x, const Lock *old, Resolution *res, Error *e) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < res->lock->n_artifacts; i++) {
                LockedArtifact *to = res->lock->artifacts[i];
                const RimWant *w = locked_is_rim(to) && !to->sha256 ? find_want(x, to->name) : NULL;

                res->n_rims += locked_is_rim(to);
                if (!w)
                        continue;
                res->n_fetched += w->fetched;
                r = take_rim(x, w, to, old, res, e);
        }
        return r;
}

static int resolve_release(Resolve *x, const Release *r, size_t i, Resolution *to, Error *e) {
        bool rpm_wanted = false;
        char hex[SHA256_HEX_SIZE];
        size_t wanted = x->n_wants, rims_before = 0, rims_wanted = 0;
        int k;

        to->release = r;
        to->lock = lock_new();
        if (!to->lock || !(to->lock->path = workspace_lock_path(x->workspace, r)) || !(to->lock->release = release_name(r)))
                return error_oom(e);
        k = release_digest(r, hex, e);
        if (k >= 0)
                k = load_old(to->lock->path, &x->old[i], e);
        if (k < 0)
                return k;
        to->lock->release_sha256 = strdup(hex);
        if (!to->lock->release_sha256)
                return error_oom(e);
        for (size_t j = 0; j < r->n_artifacts; j++) {
                k = resolve_artifact(x, r, r->artifacts[j], x->old[i], to->lock, &rpm_wanted, e);
                if (k < 0)
                        return k;
        }
        k = resolve_rims(x, r, x->old[i], to->lock, e);
        if (k < 0)
                return k;
        for (size_t j = 0; j < to->lock->n_artifacts; j++)
                rims_wanted += locked_is_rim(to->lock->artifacts[j]) && to->lock->artifacts[j]->sha256;
        for (size_t j = 0; x->old[i] && j < x->old[i]->n_artifacts; j++)
                rims_before += locked_is_rim(x->old[i]->artifacts[j]);
        to->changed = x->n_wants > wanted || !x->old[i] || lock_check(x->old[i], r, hex, NULL) < 0 || rims_wanted != rims_before ||
                      x->old[i]->without_rims != to->lock->without_rims;
        return rpm_wanted ? want_keys(x, r, to->lock, e) : 0;
}

/* What was fetched becomes the lock's; a date is that of the first time these very bytes were seen. */
static int take_want(const Resolve *x, const Want *w, LockedArtifact *to, const Lock *old, Resolution *res, Error *e) {
        const LockedArtifact *first = first_use_of(old, w->artifact);
        bool same = first && streq(first->sha256, w->ret_sha256);
        _cleanup_free_ char *note = NULL;

        if (duplicate(&to->sha256, w->ret_sha256) < 0 || duplicate(&to->date, same ? first->date : x->date) < 0)
                return error_oom(e);
        to->size = w->ret_size;
        res->n_fetched += w->fetched;
        STRV_FOREACH(s, w->warnings)
                if (strv_append(&res->warnings, *s) < 0)
                        return error_oom(e);
        if (!first || same)
                return 0;
        note = format("%s: %s: the vendor has published %s anew: sha256 was %s (first use %s), is now %s", res->lock->release, to->name,
                      to->filename, first->sha256, first->date, w->ret_sha256);
        return note && strv_append(&res->warnings, note) >= 0 ? 0 : error_oom(e);
}

static int save(Resolution *v, size_t n, const char *workspace, Error *e) {
        _cleanup_free_ char *dir = path_join(workspace, "locks");
        int r;

        if (!dir)
                return error_oom(e);
        r = mkdir_parents(AT_FDCWD, dir, 0755);
        if (r < 0)
                return error_errno(e, -r, "%s: cannot make this directory", dir);
        for (size_t i = 0; i < n; i++) {
                r = v[i].changed ? lock_save(v[i].lock, e) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int resolve_all(Resolve *x, Release *const *releases, size_t n, const FetchOptions *options, Resolution *v, Error *e) {
        int r;

        for (size_t i = 0; i < n; i++) {
                r = resolve_release(x, releases[i], i, &v[i], e);
                if (r < 0)
                        return r;
        }
        /* Manifests first: they are small, and without them there is nothing to fetch the rest for. */
        r = rims_obtain(x->store, x->rims, x->n_rims, x->rim_options, e);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = take_rims(x, x->old[i], &v[i], e);
        if (r >= 0)
                r = obtain(x->store, x->wants, x->n_wants, options, e);
        for (size_t i = 0; r >= 0 && i < x->n_wants; i++)
                for (size_t j = 0; r >= 0 && x->to[i] && j < n; j++)
                        if (releases[j] == x->wants[i].release)
                                r = take_want(x, &x->wants[i], x->to[i], x->old[j], &v[j], e);
        return r < 0 ? r : save(v, n, x->workspace, e);
}

int resolve_releases(const char *workspace, Store *store, Release *const *releases, size_t n, bool refresh, int64_t now,
                     const FetchOptions *options, const RimOptions *rims, Resolution *ret, Error *e) {
        _cleanup_(resolve_clear) Resolve x = { .workspace = workspace, .store = store, .refresh = refresh, .rim_options = rims };
        Resolution *v = calloc(MAX(n, (size_t) 1), sizeof(Resolution));
        time_t t = (time_t) now;
        struct tm tm;
        int r;

        x.old = calloc(MAX(n, (size_t) 1), sizeof(Lock *));
        x.n_releases = x.old ? n : 0;
        if (!v || !x.old)
                r = error_oom(e);
        else if (!gmtime_r(&t, &tm) || strftime(x.date, sizeof(x.date), "%Y-%m-%d", &tm) != sizeof(x.date) - 1)
                r = error_set(e, ERANGE, EXIT_USAGE, "%jd: not a time whose date has four digits of a year", (intmax_t) now);
        else
                r = resolve_all(&x, releases, n, options, v, e);
        if (r >= 0)
                memcpy(ret, v, n * sizeof(Resolution));
        else
                for (size_t i = 0; v && i < n; i++)
                        resolution_clear(&v[i]);
        free(v);
        return r;
}
