/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/mirror.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/metalink.h"
#include "repo/mirror-newer.h"
#include "repo/mirror-packages.h"
#include "repo/mirror-tops.h"
#include "repo/seal.h"
#include "repo/whole.h"

#define WORK       ".mirror"
#define ROUNDS_MAX 3   /* a source may change while it is read */

typedef struct Mirror {
        const MirrorOptions *o;
        Repository *repo;
        Store *store;
        char *work;
        MirrorKeys keys;
        MirrorSource *sources;
        size_t n_sources;
        MirrorPick *picks;
        size_t n_picks;
        MirrorPackages packages;
        char **locks;
        Generation *next;
        MirrorTops tops;
        MirrorReport report;
} Mirror;

void mirror_report_clear(MirrorReport *r) {
        for (size_t i = 0; i < r->n_wanted; i++) {
                free(r->wanted[i].nevra);
                free(r->wanted[i].href);
                free(r->wanted[i].url);
        }
        free(r->wanted);
        free(r->key);
        strv_free(r->warnings);
        strv_free(r->beside);
        strv_free(r->repaired);
        *r = (MirrorReport){};
}

/* What belongs to one reading of the sources. */
static void forget_round(Mirror *m) {
        mirror_packages_clear(&m->packages);
        for (size_t i = 0; i < m->n_sources; i++)
                mirror_source_clear(&m->sources[i]);
        free(TAKE_PTR(m->picks));
        free(TAKE_PTR(m->sources));
        m->locks = strv_free(m->locks);
        m->n_picks = m->n_sources = 0;
}

static void mirror_done(Mirror *m) {
        forget_round(m);
        store_free(m->store);
        repository_free(m->repo);
        mirror_keys_clear(&m->keys);
        generation_free(m->next);
        mirror_tops_clear(&m->tops);
        free(m->work);
        mirror_report_clear(&m->report);
}

/* Whether it has metadata of its own, and not the source's. */
static bool is_selection(const Mirror *m) {
        const MirrorOptions *o = m->o;

        return o->packages || o->also || o->excludes || o->arches || o->newest;
}

/* Each run would find that its source has changed: by itself. */
static int refuse_itself(const Mirror *m, Error *e) {
        const char *path = startswith(m->o->url, "file://");
        struct stat a, b;

        if (!path || stat(path, &a) < 0 || stat(m->o->dir, &b) < 0 || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
                return 0;
        return error_hint(e, error_set(e, EINVAL, EXIT_USAGE, "%s: it is the very directory that is copied from", m->o->dir), "give another directory");
}

static int open_places(Mirror *m, Error *e) {
        int r;

        if ((r = refuse_itself(m, e)) < 0 || (r = repository_open(m->o->dir, &m->repo, e)) < 0)
                return r;
        if (m->repo->current && !generation_is_mirror(m->repo->current))
                return error_hint(e, error_set(e, EEXIST, EXIT_FAILED, "%s: a repository is published there that is no mirror", m->o->dir), "give another directory");
        if ((r = repository_refuse_foreign(m->repo, true, e)) < 0)
                return r;
        if (!(m->work = path_join(m->o->dir, WORK)))
                return error_oom(e);
        if ((r = mkdir_parents(AT_FDCWD, m->work, 0755)) < 0)
                return error_errno(e, -r, "%s", m->work);
        if ((r = store_open(m->work, true, &m->store, e)) < 0)
                return r;
        /* repository_sync() waits for what is published; a package that was fetched before the power failed is looked at again. */
        return (r = store_lock(m->store, e)) < 0 ? r : store_scratch(m->store, e);
}

static int add_lock(Mirror *m, char *lock, Error *e) {
        _cleanup_free_ char *s = lock;
        return s && strv_append(&m->locks, s) >= 0 ? 0 : error_oom(e);
}

static int add_locks(Mirror *m, const char *what, char *const *words, Error *e) {
        int r = 0;

        STRV_FOREACH(s, words)
                if (r >= 0)
                        r = add_lock(m, format("%s %s", what, *s), e);
        return r;
}

/* What this copy is of: the same again means that there is nothing to do. */
static int make_locks(Mirror *m, Error *e) {
        const MirrorOptions *o = m->o;
        int r = add_lock(m, format(MIRROR_LOCK "%s", m->sources[0].url), e);

        for (size_t i = 0; r >= 0 && i < m->n_sources; i++)
                r = add_lock(m, format("%s %s", m->sources[i].repomd_sha256, m->sources[i].url), e);
        if (r < 0 || !is_selection(m))
                return r;
        if ((r = add_locks(m, "package", o->packages, e)) < 0 || (r = add_locks(m, "exclude", o->excludes, e)) < 0 || (r = add_locks(m, "arch", o->arches, e)) < 0 ||
            (r = add_locks(m, "module", o->modules, e)) < 0)
                return r;
        return add_lock(m, format("%s%s%s%s", o->arch, o->weak ? " weak" : "", o->newest ? " newest" : "", o->module_hotfixes ? " module-hotfixes" : ""), e);
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

/* One of several places of the first source: what is here already is good enough. */
static int judge_place(void *userdata, const MirrorSource *s, Error *e) {
        const Mirror *m = userdata;
        const Generation *g = m->repo->current;
        _cleanup_free_ char *lock = format("%s %s", s->repomd_sha256, s->url);

        return !lock ? error_oom(e) : g && strv_contains(g->locks, lock) ? 0 : mirror_check_newer(m->o, m->repo, &m->keys, s, is_selection(m), e);
}

static int open_sources(Mirror *m, Error *e) {
        MirrorOpening with = { .store = m->store, .keys = &m->keys, .o = m->o, .judge = judge_place, .userdata = m, .warnings = &m->report.warnings };
        int r;

        m->sources = calloc(strv_length(m->o->also) + 1, sizeof(*m->sources));
        if (!m->sources)
                return error_oom(e);
        if ((r = mirror_source_open(&m->sources[m->n_sources++], m->o->url, &with, e)) < 0)
                return r;
        with.judge = NULL;
        STRV_FOREACH(s, m->o->also)
                if ((r = mirror_source_open(&m->sources[m->n_sources++], *s, &with, e)) < 0)
                        return r;
        m->report.key_is_missing = !mirror_keys_have_all(&m->keys, m->o->fingerprints);
        STRV_FOREACH(s, m->o->fingerprints)
                if (!mirror_keys_have(&m->keys, *s)) {
                        _cleanup_free_ char *warning = format("%s: key %s is not beside it, nor in a --key-file: nothing may be signed by it", m->o->url, *s);

                        if (!warning || strv_append(&m->report.warnings, warning) < 0)
                                return error_oom(e);
                }
        return mirror_keys_missing(&m->keys, m->o->url, m->o->fingerprints, e);
}

static int load_sources(Mirror *m, Error *e) {
        _cleanup_close_ int dir = openat(m->repo->fd, "repodata", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_free_ char *path = path_join(m->o->dir, "repodata");
        int r = path ? 0 : error_oom(e);

        for (size_t i = 0; r >= 0 && i < m->n_sources; i++)
                r = mirror_source_load(&m->sources[i], m->store, dir, path, is_selection(m), m->o, e);
        return r;
}

static int pick_closure(Mirror *m, Error *e) {
        _cleanup_free_ char *scratch = format("%s/" STAGE "/solve", m->o->dir);
        int r;

        if (!scratch)
                return error_oom(e);
        if ((r = mirror_select(m->sources, m->n_sources, m->o, scratch, &m->picks, &m->n_picks, &m->report.warnings, e)) < 0)
                return r;
        r = remove_tree(AT_FDCWD, scratch);
        return r < 0 ? error_errno(e, -r, "%s", scratch) : 0;
}

/* Clients of a signed copy check its signature: without one they would stop, all of them. */
static int check_signed(const Mirror *m, Error *e) {
        const Generation *g = m->repo->current;

        if (!g || streq(g->key, "none") || !streq(key_of(m), "none") || m->o->allow_unsigned)
                return 0;
        return error_hint(e, error_set(e, EKEYREJECTED, is_selection(m) ? EXIT_USAGE : EXIT_UNTRUSTED, "%s: its metadata are signed by key %s, and %s", m->o->dir, g->key,
                                       is_selection(m) ? "this run has no --sign-key" : "those of the source are not signed"),
                          "%s; if its clients are to take it without a signature from now on: --allow-unsigned", is_selection(m) ? "name the key: --sign-key" : "give another directory");
}

/* A copy of what the sources are now may have lost something since, or be damaged. */
static int find_broken(Mirror *m, Error *e) {
        const Generation *g = m->repo->current;
        _cleanup_(keyring_freep) Keyring *own = NULL;
        bool ours = is_selection(m) && m->o->signers;
        int r;

        if (ours && (r = keyring_new_own(m->o->signers, &own, e)) < 0)
                return r;
        return whole_state(m->repo, g, ours ? &own : m->keys.v, ours ? 1 : m->keys.n, ours || (!is_selection(m) && m->sources[0].key && m->sources[0].signer), &m->report.repaired, e);
}

/* One reading of the sources: 1 when they are what is here already, and whole. */
static int read_round(Mirror *m, Error *e) {
        int r;

        if ((r = open_sources(m, e)) < 0 || (r = check_signed(m, e)) < 0 || (r = make_locks(m, e)) < 0)
                return r;
        m->report.repaired = strv_free(m->report.repaired);
        if (is_same(m) && ((r = find_broken(m, e)) < 0 || !m->report.repaired))
                return r < 0 ? r : 1;
        if ((!m->report.repaired && (r = mirror_check_newer(m->o, m->repo, &m->keys, &m->sources[0], is_selection(m), e)) < 0) || (r = load_sources(m, e)) < 0)
                return r;
        r = m->o->packages ? pick_closure(m, e) : mirror_pick(m->sources, m->n_sources, m->o, &m->picks, &m->n_picks, e);
        m->packages.o = m->o;
        m->packages.repo = m->repo;
        m->packages.store = m->store;
        m->packages.keys = &m->keys;
        if (r < 0 || (r = mirror_packages_plan(&m->packages, m->sources, m->picks, m->n_picks, e)) < 0)
                return r;
        m->report.new_packages = m->packages.n_new;
        m->report.new_bytes = m->packages.new_bytes;
        return m->o->dry_run ? 0 : mirror_packages_fetch(&m->packages, e);
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
                m->report.warnings = strv_free(m->report.warnings);
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

static int start_generation(Mirror *m, Error *e) {
        Generation *g = m->next = calloc(1, sizeof(*g));

        if (!g || !(g->key = strdup(key_of(m))) || (*also_of(m) && !(g->also = strdup(also_of(m)))) || !(g->comps_sha256 = strdup(m->sources[0].repomd_sha256)))
                return error_oom(e);
        /* What is repaired takes the place of what was broken: so it counts once, see repository_link_metadata(). */
        g->number = m->report.repaired ? m->repo->current->number : m->repo->n_generations > 0 ? m->repo->generations[m->repo->n_generations - 1]->number + 1 : 1;
        g->revision = mirror_revision(m->sources[0].repomd);
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
            (s->key && m->tops.key && (r = write_staged(m, "repodata/repomd.xml.key", m->tops.key, strlen(m->tops.key), e)) < 0))
                return r;
        if (!(m->next->repomd_sha256 = strdup(s->repomd_sha256)) || !(*ret_repomd = strdup(s->repomd_text)))
                return error_oom(e);
        return 0;
}

static int make_next(Mirror *m, Error *e) {
        _cleanup_free_ char *repomd = NULL;
        int r;

        if ((r = start_generation(m, e)) < 0 || (r = mirror_packages_stage(&m->packages, e)) < 0)
                return r;
        for (size_t i = 0; i < m->packages.n; i++)
                if ((r = generation_add(m->next, &m->packages.v[i].published, e)) < 0)
                        return r;
        generation_sort(m->next);
        r = is_selection(m) ? mirror_write_selection(m->repo, m->next, m->sources, m->n_sources, m->picks, m->n_picks, m->o->signers, &repomd, &m->report.warnings, e)
                            : stage_copy(m, &repomd, e);
        if (r < 0 || (r = metalink_stage(m->repo, repomd, m->next->revision, m->o->mirror_urls, e)) < 0 || (r = seal_generation(m->repo, m->next, e)) < 0 || (r = repository_sync(m->repo, e)) < 0 ||
            (r = repository_link_metadata(m->repo, m->o->keep + (m->report.repaired ? 1 : 0), e)) < 0)
                return r;
        return repository_switch(m->repo, m->next, e);
}

static int take_wanted(Mirror *m, Error *e) {
        MirrorReport *report = &m->report;

        if (!(report->wanted = calloc(m->packages.n + 1, sizeof(*report->wanted))))
                return error_oom(e);
        for (size_t i = 0; i < m->packages.n; i++) {
                const MirrorPackage *x = &m->packages.v[i];
                MirrorWanted *w = &report->wanted[report->n_wanted++];

                *w = (MirrorWanted){ .nevra = strdup(x->p->nevra), .href = strdup(x->p->href), .url = strdup(x->source->places[0]), .size = x->p->size, .is_new = !x->old };
                if (!w->nevra || !w->href || !w->url)
                        return error_oom(e);
        }
        return 0;
}

/* Whether there is a file of somebody's that would have to be fetched again. */
static bool holds_downloads(int dir_fd, const char *name) {
        int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        bool found = false;
        struct stat st;

        if (!d) {
                safe_close(fd);
                return false;
        }
        while (!found && (entry = readdir(d)))
                if (entry->d_name[0] != '.' && fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                        found = S_ISDIR(st.st_mode) ? holds_downloads(fd, entry->d_name) : S_ISREG(st.st_mode) && st.st_size > 0;
        (void) closedir(d);
        return found;
}

/* After a run that has not ended well, or was dry: what the next one can go on from stays, and is told of. */
static void leave_work(Mirror *m, bool was_begun, int r, Error *e) {
        bool lasts = r < 0 && e && e->code != EXIT_INVALID && e->code != EXIT_UNSOLVABLE && e->code != EXIT_DIFFERS;
        char *hint;

        if (m->o->dry_run ? was_begun : (was_begun || lasts) && holds_downloads(m->repo->fd, WORK)) {
                if (r < 0 && e && e->message && !m->o->dry_run &&
                    (hint = format("%s%swhat was fetched so far is kept in %s, and the next run goes on from there", e->hint ? e->hint : "", e->hint ? "; " : "", m->work))) {
                        free(e->hint);
                        e->hint = hint;
                }
                return;
        }
        (void) remove_tree(m->repo->fd, WORK);
}

static int copy(Mirror *m, Error *e) {
        int r;

        if ((r = open_places(m, e)) < 0 || (r = read_sources(m, e)) < 0)
                return r;
        m->report.changed = r == 0;
        if (m->o->dry_run)
                return m->report.changed ? take_wanted(m, e) : 0;
        m->tops = (MirrorTops){ .o = m->o, .repo = m->repo, .keys = &m->keys, .source = is_selection(m) ? NULL : &m->sources[0] };
        if ((r = mirror_tops_prepare(&m->tops, e)) < 0)
                return r;
        if ((r = m->report.changed ? make_next(m, e) : metalink_refresh(m->repo, m->repo->current->revision, m->o->mirror_urls, e)) < 0)
                return r;
        if ((r = mirror_tops_write(&m->tops, m->report.changed ? m->next : m->repo->current, &m->report.warnings, e)) < 0 ||
            (r = repository_clean(m->repo, m->report.changed ? m->next : m->repo->current, m->o->keep, &m->report.removed_packages, e)) < 0)
                return r;
        r = remove_tree(m->repo->fd, WORK);
        return r < 0 ? error_errno(e, -r, "%s", m->work) : 0;
}

static int run(Mirror *m, Error *e) {
        _cleanup_free_ char *work = path_join(m->o->dir, WORK);
        bool was_begun;
        int r;

        if (!work)
                return error_oom(e);
        if ((r = mirror_keys_load(&m->keys, m->o->key_files, m->o->fingerprints, e)) < 0)
                return r;
        was_begun = access(work, F_OK) == 0;
        r = copy(m, e);
        if (m->repo && (r < 0 || m->o->dry_run))
                leave_work(m, was_begun, r, e);
        return r;
}

int mirror(const MirrorOptions *o, MirrorReport *ret, Error *e) {
        _cleanup_(mirror_done) Mirror m = { .o = o };
        const Generation *g;
        int r = run(&m, e);

        if (r < 0)
                return r;
        g = m.report.changed ? m.next : m.repo->current;
        m.report.generation = g ? g->number : 0;
        m.report.beside = TAKE_PTR(m.repo->beside);
        m.report.n_packages = g ? g->n_packages : m.report.n_wanted;
        if (g && !streq(g->key, "none") && !(m.report.key = strdup(g->key)))
                return error_oom(e);
        *ret = m.report;
        m.report = (MirrorReport){};
        return 0;
}
