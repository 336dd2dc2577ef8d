/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/diff.h"

#include <fcntl.h>
#include <inttypes.h>
#include <rpm/rpmfi.h>
#include <rpm/rpmfiles.h>

#include "basic/fs.h"
#include "repo/rpm-file.h"

const char *diff_kind_to_string(DiffKind k) {
        static const char *const names[] = { [DIFF_ADDED] = "added", [DIFF_REMOVED] = "removed", [DIFF_CHANGED] = "changed" };
        return names[k];
}

void published_state_close(PublishedState *s) {
        generations_free(s->generations, s->n_generations);
        safe_close(s->repo_fd);
        free(s->label);
        free(s->path);
        *s = (PublishedState){ .repo_fd = -1 };
}

void diff_clear(Diff *d) {
        for (size_t i = 0; i < d->n; i++) {
                for (size_t j = 0; j < d->packages[i].n_files; j++) {
                        free(d->packages[i].files[j].path);
                        free(d->packages[i].files[j].what);
                }
                free(d->packages[i].files);
        }
        free(d->packages);
        *d = (Diff){};
}

static int no_such_generation(const PublishedState *s, Error *e) {
        _cleanup_text_ Text t = {};
        _cleanup_free_ char *there = NULL;

        for (size_t i = 0; i < s->n_generations; i++)
                text_printf(&t, "%s%" PRIu64, i > 0 ? ", " : "", s->generations[i]->number);
        there = text_take(&t);
        return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s: it has no generation %s", s->path, s->label), "there are: %s",
                          there && *there ? there : "none");
}

static int no_repository(const PublishedState *s, bool by_number, int error, Error *e) {
        if (error != ENOENT && error != ENOTDIR)
                return error_errno(e, error, "%s", s->path);
        return by_number ? error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s: there is no repository", s->path), "publish first, or name the repository: --repo")
                         : error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s: neither a generation, nor a repository's directory", s->path),
                                      "give a generation's number, current, previous, or a repository's directory");
}

/* The published one, whatever else there is; its place among the generations. */
static int find_published(const PublishedState *s, size_t *ret, Error *e) {
        char hex[SHA256_HEX_SIZE];
        int r = sha256_file(s->repo_fd, "repodata/repomd.xml", hex);

        if (r == -ENOENT)
                return no_repository(s, true, ENOENT, e);
        if (r < 0)
                return error_errno(e, -r, "%s/repodata/repomd.xml", s->path);
        for (size_t i = s->n_generations; i-- > 0;)
                if (streq(s->generations[i]->repomd_sha256, hex)) {
                        *ret = i;
                        return 0;
                }
        return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s: its repomd.xml is none of its generations'", s->path),
                          "it was not published by gn8v-tee-repo, or was changed since: verify it");
}

static bool is_digits(const char *word) {
        return *word && strspn(word, "0123456789") == strlen(word);
}

bool generation_word_is_valid(const char *word) {
        return streq(word, "current") || streq(word, "previous") || is_digits(word);
}

int published_state_open(const char *path, const char *word, PublishedState *ret, Error *e) {
        _cleanup_published_state_ PublishedState s = { .repo_fd = -1 };
        bool is_number = is_digits(word), by_number = generation_word_is_valid(word);
        uint64_t number = 0;
        size_t at = 0;
        int r;

        /* One that is too large for a number is a number that no generation has: none has 0. */
        (void) (is_number && parse_u64(word, &number) < 0);
        s.label = strdup(word);
        s.path = strdup(by_number ? path : word);
        if (!s.label || !s.path)
                return error_oom(e);
        s.repo_fd = open(s.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s.repo_fd < 0)
                return no_repository(&s, by_number, errno, e);
        r = generations_load(s.repo_fd, s.path, &s.generations, &s.n_generations, e);
        if (r < 0)
                return r;
        if (is_number) {
                for (size_t i = 0; i < s.n_generations; i++)
                        if (s.generations[i]->number == number)
                                s.generation = s.generations[i];
        } else {
                r = find_published(&s, &at, e);
                if (r < 0)
                        return r;
                s.generation = !streq(word, "previous") ? s.generations[at] : at > 0 ? s.generations[at - 1] : NULL;
        }
        if (!s.generation)
                return no_such_generation(&s, e);
        *ret = s;
        s = (PublishedState){ .repo_fd = -1 };
        return 0;
}

/* Of one package: its files. */
static int open_files(const PublishedState *s, const PublishedPackage *p, rpmfiles *ret, Error *e) {
        _cleanup_(rpm_file_freep) RpmFile *f = NULL;
        int r = rpm_file_open(s->repo_fd, p->href, &f, e);

        if (r < 0)
                return error_hint(e, r, "%s: the package of generation %" PRIu64 " is not there any more", s->path, s->generation->number);
        if (!streq(f->header_sha256, p->header_sha256))
                return error_set(e, EBADMSG, EXIT_UNTRUSTED, "%s/%s: it is not the package that the generation's manifest describes", s->path, p->href);
        *ret = rpmfilesNew(NULL, f->header, RPMTAG_BASENAMES, RPMFI_KEEPHEADER);
        return *ret ? 0 : error_oom(e);
}

static int add_file(DiffPackage *d, DiffKind kind, const char *path, const char *what, Error *e) {
        DiffFile *grown = reallocarray(d->files, d->n_files + 1, sizeof(*grown));

        if (!grown)
                return error_oom(e);
        d->files = grown;
        d->files[d->n_files] = (DiffFile){ .kind = kind, .path = strdup(path), .what = what ? strdup(what) : NULL };
        d->n_files++;
        return d->files[d->n_files - 1].path && (!what || d->files[d->n_files - 1].what) ? 0 : error_oom(e);
}

static bool same_text(const char *a, const char *b) {
        return streq(a ? a : "", b ? b : "");
}

static bool same_content(rpmfiles a, int i, rpmfiles b, int k) {
        int algorithm_a, algorithm_b;
        size_t size_a, size_b;
        const unsigned char *x = rpmfilesFDigest(a, i, &algorithm_a, &size_a), *y = rpmfilesFDigest(b, k, &algorithm_b, &size_b);

        if (!x || !y)
                return !x && !y && same_text(rpmfilesFLink(a, i), rpmfilesFLink(b, k));
        return algorithm_a == algorithm_b && size_a == size_b && memcmp(x, y, size_a) == 0 && same_text(rpmfilesFLink(a, i), rpmfilesFLink(b, k));
}

static int compare_file(DiffPackage *d, const char *path, rpmfiles a, int i, rpmfiles b, int k, Error *e) {
        const struct {
                bool same;
                const char *what;
        } aspects[] = {
                { same_content(a, i, b, k), "content" },
                { rpmfilesFMode(a, i) == rpmfilesFMode(b, k), "mode" },
                { same_text(rpmfilesFUser(a, i), rpmfilesFUser(b, k)) && same_text(rpmfilesFGroup(a, i), rpmfilesFGroup(b, k)), "owner" },
                { rpmfilesFFlags(a, i) == rpmfilesFFlags(b, k), "flags" },
        };
        _cleanup_text_ Text t = {};
        _cleanup_free_ char *what = NULL;

        for (size_t j = 0; j < ELEMENTSOF(aspects); j++)
                if (!aspects[j].same)
                        text_printf(&t, "%s%s", t.size > 0 ? ", " : "", aspects[j].what);
        if (t.size == 0 && !t.failed)
                return 0;
        what = text_take(&t);
        return what ? add_file(d, DIFF_CHANGED, path, what, e) : error_oom(e);
}

static int file_path(rpmfiles f, int i, char **ret, Error *e) {
        const char *dir = rpmfilesDN(f, rpmfilesDI(f, i)), *base = rpmfilesBN(f, i);

        *ret = format("%s%s", dir ? dir : "", base ? base : "");
        return *ret ? 0 : error_oom(e);
}

/* Each list is searched for what the other has: in a vendor's package they need not be in the same order. */
static int compare_files(DiffPackage *d, rpmfiles a, rpmfiles b, Error *e) {
        int r = 0;

        for (int i = 0; r >= 0 && i < (int) rpmfilesFC(a); i++) {
                _cleanup_free_ char *path = NULL;
                int k;

                r = file_path(a, i, &path, e);
                if (r < 0)
                        return r;
                k = rpmfilesFindFN(b, path);
                r = k < 0 ? add_file(d, DIFF_REMOVED, path, NULL, e) : compare_file(d, path, a, i, b, k, e);
        }
        for (int k = 0; r >= 0 && k < (int) rpmfilesFC(b); k++) {
                _cleanup_free_ char *path = NULL;

                r = file_path(b, k, &path, e);
                if (r >= 0 && rpmfilesFindFN(a, path) < 0)
                        r = add_file(d, DIFF_ADDED, path, NULL, e);
        }
        return r;
}

static int compare_packages(const PublishedState *a, const PublishedPackage *p, const PublishedState *b, const PublishedPackage *q, DiffPackage *d, Error *e) {
        rpmfiles x = NULL, y = NULL;
        int r = 0;

        if (streq(p->header_sha256, q->header_sha256)) {
                d->resigned = true;
                return 0;
        }
        r = open_files(a, p, &x, e);
        if (r >= 0)
                r = open_files(b, q, &y, e);
        if (r >= 0)
                r = compare_files(d, x, y, e);
        rpmfilesFree(x);
        rpmfilesFree(y);
        return r;
}

static int add_package(const PublishedState *a, const PublishedPackage *p, const PublishedState *b, const PublishedPackage *q, Diff *diff, Error *e) {
        DiffPackage *grown = reallocarray(diff->packages, diff->n + 1, sizeof(*grown)), *d;
        const PublishedPackage *any = p ? p : q;

        if (!grown)
                return error_oom(e);
        diff->packages = grown;
        d = &grown[diff->n++];
        *d = (DiffPackage){ .kind = !p ? DIFF_ADDED : !q ? DIFF_REMOVED : DIFF_CHANGED, .name = any->name, .arch = any->arch,
                            .old_evr = p ? p->evr : NULL, .new_evr = q ? q->evr : NULL, .old_size = p ? p->size : 0, .new_size = q ? q->size : 0 };
        return p && q ? compare_packages(a, p, b, q, d, e) : 0;
}

static int by_name(const void *x, const void *y) {
        const PublishedPackage *p = *(PublishedPackage *const *) x, *q = *(PublishedPackage *const *) y;
        int c = strcmp(p->name, q->name);

        if (c == 0)
                c = strcmp(p->arch, q->arch);
        return c != 0 ? c : strcmp(p->evr, q->evr);
}

static PublishedPackage **sorted(const Generation *g) {
        PublishedPackage **v = calloc(g->n_packages + 1, sizeof(*v));

        if (v && g->n_packages > 0) {
                memcpy(v, g->packages, g->n_packages * sizeof(*v));
                qsort(v, g->n_packages, sizeof(*v), by_name);
        }
        return v;
}

static bool same_name(const PublishedPackage *p, const PublishedPackage *q) {
        return p && q && streq(p->name, q->name) && streq(p->arch, q->arch);
}

static size_t group_end(PublishedPackage **v, size_t from) {
        size_t to = from;

        while (v[to] && same_name(v[from], v[to]))
                to++;
        return to;
}

static PublishedPackage *take_evr(PublishedPackage **v, size_t from, size_t to, const char *evr) {
        for (size_t i = from; i < to; i++)
                if (v[i] && streq(v[i]->evr, evr)) {
                        PublishedPackage *p = v[i];
                        v[i] = NULL;
                        return p;
                }
        return NULL;
}

/* All versions of one name: the same version is compared with itself, then what is left over in pairs, then what came or went. */
static int compare_group(const PublishedState *a, PublishedPackage **v, size_t from, size_t to, const PublishedState *b, PublishedPackage **w,
                         size_t begin, size_t end, Diff *diff, Error *e) {
        size_t k = begin;
        int r = 0;

        for (size_t i = from; r >= 0 && i < to; i++) {
                PublishedPackage *p = v[i], *q = take_evr(w, begin, end, p->evr);

                if (!q)
                        continue;
                v[i] = NULL;
                if (!streq(p->sha256, q->sha256))
                        r = add_package(a, p, b, q, diff, e);
        }
        for (size_t i = from; r >= 0 && i < to; i++) {
                PublishedPackage *q = NULL;

                if (!v[i])
                        continue;
                while (k < end && !w[k])
                        k++;
                if (k < end)
                        q = w[k++];
                r = add_package(a, v[i], b, q, diff, e);
        }
        for (; r >= 0 && k < end; k++)
                if (w[k])
                        r = add_package(a, NULL, b, w[k], diff, e);
        return r;
}

int diff_make(const PublishedState *a, const PublishedState *b, Diff *ret, Error *e) {
        _cleanup_free_ PublishedPackage **v = sorted(a->generation), **w = sorted(b->generation);
        _cleanup_(diff_clear) Diff diff = {};
        size_t i = 0, k = 0, n = a->generation->n_packages, m = b->generation->n_packages;
        int r = v && w ? 0 : error_oom(e);

        while (r >= 0 && (i < n || k < m)) {
                int order = i == n ? 1 : k == m ? -1 : same_name(v[i], w[k]) ? 0 : by_name(&v[i], &w[k]);
                size_t i_end = order <= 0 ? group_end(v, i) : i, k_end = order >= 0 ? group_end(w, k) : k;

                r = compare_group(a, v, i, i_end, b, w, k, k_end, &diff, e);
                i = i_end;
                k = k_end;
        }
        if (r < 0)
                return r;
        *ret = diff;
        diff = (Diff){};
        return 0;
}
