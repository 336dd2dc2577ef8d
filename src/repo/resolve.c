/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/resolve.h"

#include <fcntl.h>
#include <time.h>

#include "basic/digest.h"
#include "basic/fs.h"
#include "repo/obtain.h"

typedef struct Resolve {
        const char *workspace;
        Store *store;
        bool refresh;
        char date[sizeof("YYYY-MM-DD")];
        Want *wants;
        LockedArtifact **to;  /* wants[i] fills to[i]; NULL: a key that is needed, but locked already */
        Lock **old;           /* per release, or NULL */
        size_t n_wants, n_releases;
} Resolve;

char *resolve_lock_path(const char *workspace, const Release *r) {
        _cleanup_free_ char *name = release_name(r);

        return name ? format("%s/locks/%s.lock", workspace, name) : NULL;
}

static int digest_release(const Release *r, char ret[static SHA256_HEX_SIZE], Error *e) {
        int k = sha256_file(AT_FDCWD, r->path, ret);

        return k < 0 ? error_errno(e, -k, "%s", r->path) : 0;
}

int resolve_load_lock(const char *workspace, const Release *r, Lock **ret, Error *e) {
        _cleanup_free_ char *path = resolve_lock_path(workspace, r), *name = release_name(r);
        _cleanup_(lock_freep) Lock *l = NULL;
        char hex[SHA256_HEX_SIZE];
        int k;

        if (!path || !name)
                return error_oom(e);
        if (access(path, F_OK) < 0 && errno == ENOENT)
                return error_hint(e, error_set(e, ENOENT, EXIT_DIFFERS, "%s: %s is not locked yet", path, name),
                                  "Lock it first: gn8v-tee-repo lock %s", name);
        k = lock_load(path, &l, e);
        if (k >= 0)
                k = digest_release(r, hex, e);
        if (k >= 0)
                k = lock_check(l, r, hex, e);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(l);
        return 0;
}

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

static int resolve_release(Resolve *x, const Release *r, size_t i, Resolution *to, Error *e) {
        bool rpm_wanted = false;
        char hex[SHA256_HEX_SIZE];
        size_t wanted = x->n_wants;
        int k;

        to->release = r;
        to->lock = lock_new();
        if (!to->lock || !(to->lock->path = resolve_lock_path(x->workspace, r)) || !(to->lock->release = release_name(r)))
                return error_oom(e);
        k = digest_release(r, hex, e);
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
        to->changed = x->n_wants > wanted || !x->old[i] || lock_check(x->old[i], r, hex, NULL) < 0;
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
        r = obtain(x->store, x->wants, x->n_wants, options, e);
        for (size_t i = 0; r >= 0 && i < x->n_wants; i++)
                for (size_t j = 0; r >= 0 && x->to[i] && j < n; j++)
                        if (releases[j] == x->wants[i].release)
                                r = take_want(x, &x->wants[i], x->to[i], x->old[j], &v[j], e);
        return r < 0 ? r : save(v, n, x->workspace, e);
}

int resolve_releases(const char *workspace, Store *store, Release *const *releases, size_t n, bool refresh, int64_t now,
                     const FetchOptions *options, Resolution *ret, Error *e) {
        _cleanup_(resolve_clear) Resolve x = { .workspace = workspace, .store = store, .refresh = refresh };
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
