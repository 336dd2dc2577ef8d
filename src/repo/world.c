/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/solve-world.h"

#include <fcntl.h>
#include <solv/repo_solv.h>
#include <solv/repo_write.h>
#include <zlib.h>

#include "basic/fs.h"
#include "basic/sort.h"
#include "basic/strings.h"
#include "repo/primary-solv.h"

/* libsolv: the greater wins; dnf: the smaller. */
#define PRIORITY_OURS    (-10)
#define PRIORITY_DEFAULT (-99)

#define ARCHITECTURE "x86_64"

World *world_free(World *w) {
        if (!w)
                return NULL;
        if (w->pool) {
                if (w->pool->considered)
                        map_free(w->pool->considered);
                w->pool->considered = solv_free(w->pool->considered); /* it is ours, not the library's */
                pool_free(w->pool);
        }
        for (size_t i = 0; i < w->n_packages; i++)
                free(w->packages[i].nevra);
        free(w->packages);
        queue_free(&w->extra);
        free(w);
        return NULL;
}

/* Up to this many bytes of it are held in memory. */
#define PLAIN_MAX  ((size_t) 64 << 20)
#define PLAIN_STEP ((size_t) 1 << 20)
#define REPOMD_MAX ((size_t) 1 << 20)

/* All of a gzip file; owned by the caller. */
static bool read_gzip(const char *path, char **ret, size_t *ret_size) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0, allocated = 0;
        gzFile f = gzopen(path, "re");
        int n = f ? 1 : -1;

        while (n > 0) {
                char *grown = size == allocated && allocated < PLAIN_MAX ? realloc(text, (allocated += PLAIN_STEP) + 1) : text;

                n = -1;
                if (grown && size < allocated) {
                        text = grown;
                        n = gzread(f, text + size, (unsigned) (allocated - size));
                        size += n > 0 ? (size_t) n : 0;
                }
        }
        if (!f || gzclose_r(f) != Z_OK || n < 0)
                return false;
        text[size] = '\0';
        *ret = TAKE_PTR(text);
        *ret_size = size;
        return true;
}

/* Metadata of the form that nearly all have, without libsolv's readers, which take longer to load and to read. */
static bool add_plain(Repo *repo, const char *dir) {
        _cleanup_free_ char *repomd = path_join(dir, "repodata/repomd.xml"), *href = NULL, *path = NULL, *text = NULL;
        size_t size;

        if (!repomd || read_file(AT_FDCWD, repomd, REPOMD_MAX, &text, &size) < 0 || strlen(text) != size || !primary_solv_find(text, size, &href) ||
            !path_is_safe(href) || !endswith(href, ".gz") || !(path = path_join(dir, href)))
                return false;
        free(text);
        text = NULL;
        if (read_gzip(path, &text, &size) && primary_solv_add(repo, text, size))
                return true;
        repo_empty(repo, 1);
        return false;
}

static int add_metadata(World *w, Repo *repo, const char *dir, const char *type, int flags, bool required, Error *e) {
        return w->readers ? w->readers->metadata(repo, dir, type, flags, required, e) :
               error_set(e, EOPNOTSUPP, EXIT_FAILED, "%s: its metadata is not plain", dir);
}

/* Whether some dependency names a file that only a list of all files has: mostly none does, and they are long. */
static bool needs_filelists(const Pool *pool) {
        for (Id id = 2; id < pool->ss.nstrings; id++) {
                const char *s = pool->ss.stringspace + pool->ss.strings[id];

                if (s[0] == '/' && s[1] && !primary_has_file(s))
                        return true;
        }
        return false;
}

static int add_source(World *w, Repo *repo, const WorldSource *s, Error *e) {
        if (!s->path && !s->rpms)
                return error_set(e, ESTALE, EXIT_FAILED, "what is known of the packages does not fit them");
        if (!s->path)
                return w->readers ? w->readers->rpms(repo, s->rpms, e) : error_set(e, EOPNOTSUPP, EXIT_FAILED, "packages");
        return add_plain(repo, s->path) ? 0 : add_metadata(w, repo, s->path, "primary", 0, true, e);
}

/* What a list says is there, as one installed package that nothing replaces. */
static void install_list(World *w, const Platform *p) {
        Pool *pool = w->pool;
        Solvable *s;

        s = pool_id2solvable(pool, repo_add_solvable(w->installed));
        s->name = pool_str2id(pool, "the-platform", 1);
        s->evr = pool_str2id(pool, "0-0", 1);
        s->arch = ARCH_NOARCH;
        solvable_add_deparray(s, SOLVABLE_PROVIDES, pool_rel2id(pool, s->name, s->evr, REL_EQ, 1), 0);
        for (size_t i = 0; i < p->n_capabilities; i++) {
                Id name = pool_str2id(pool, p->capabilities[i].name, 1);

                if (p->capabilities[i].evr)
                        name = pool_rel2id(pool, name, pool_str2id(pool, p->capabilities[i].evr, 1), REL_EQ, 1);
                solvable_add_deparray(s, SOLVABLE_PROVIDES, name, 0);
        }
}

static int add_filelists(World *w, Repo *const *repos, const WorldSource *sources, size_t n, Error *e) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n; i++)
                if (sources[i].path)
                        r = add_metadata(w, repos[i], sources[i].path, "filelists", REPO_EXTEND_SOLVABLES, false, e);
        return r;
}

static int compare_packages(const void *a, const void *b) {
        const WorldPackage *x = a, *y = b;
        int c = strcmp(x->nevra, y->nevra);

        return c != 0 ? c : x->id - y->id;
}

static int list_packages(World *w, Error *e) {
        Solvable *s;
        Id p;

        w->packages = calloc((size_t) w->ours->nsolvables + 1, sizeof(*w->packages));
        if (!w->packages)
                return error_oom(e);
        FOR_REPO_SOLVABLES(w->ours, p, s) {
                char *nevra = strdup(pool_solvid2str(w->pool, p));

                if (!nevra)
                        return error_oom(e);
                w->packages[w->n_packages++] = (WorldPackage){ .nevra = nevra, .id = p };
        }
        sort(w->packages, w->n_packages, sizeof(*w->packages), compare_packages);
        return 0;
}

/* The file, less what is gone, and what is new. False if it does not fit: then the metadata is read. */
static bool add_known(Repo *repo, const WorldKnown *known) {
        _cleanup_fclose_ FILE *f = fopen(known->solv, "re");
        Id first = repo->pool->nsolvables;

        if (!f || repo_add_solv(repo, f, 0) != 0 || (size_t) repo->nsolvables != known->n || (size_t) (repo->pool->nsolvables - first) != known->n)
                return false;
        for (size_t i = 0; i < known->n; i++)
                if (known->gone[i])
                        repo_free_solvable(repo, first + (Id) i, 0);
        return !known->primary || primary_solv_add(repo, known->primary, strlen(known->primary));
}

static void empty(World *w) {
        repo_empty(w->ours, 1);
        for (size_t i = 0; i < w->n_packages; i++)
                free(w->packages[i].nevra);
        free(w->packages);
        w->packages = NULL;
        w->n_packages = 0;
}

/* 1: it is loaded, and is what it has to be. */
static int load_known(World *w, const WorldKnown *known, Error *e) {
        bool good = add_known(w->ours, known);
        int r;

        if (good) {
                repo_internalize(w->ours);
                if ((r = list_packages(w, e)) < 0)
                        return r;
                good = w->n_packages == known->n_nevras;
                for (size_t i = 0; good && i < w->n_packages; i++)
                        good = streq(w->packages[i].nevra, known->nevras[i]);
        }
        if (!good)
                empty(w);
        return good;
}

static int load_sources(World *w, const WorldSource *sources, size_t n, Repo **repos, Error *e) {
        int r = 0;

        for (size_t k = 0; r >= 0 && k < n; k++) {
                bool ours = sources[k].role == WORLD_OURS;

                if (sources[k].list)
                        continue;
                repos[k] = ours ? w->ours : repo_create(w->pool, sources[k].path ? sources[k].path : "files");
                repos[k]->appdata = (void *) (uintptr_t) (k + 1);
                repos[k]->priority = ours ? PRIORITY_OURS : PRIORITY_DEFAULT;
                r = ours && sources[k].known ? load_known(w, sources[k].known, e) : 0;
                w->known = w->known || r > 0;
                if (r == 0)
                        r = add_source(w, repos[k], &sources[k], e);
        }
        return r;
}

/* What was known has no file lists: read anew when they matter. */
static int load_filelists(World *w, Repo *const *repos, const WorldSource *sources, size_t n, Error *e) {
        int r = 0;

        w->filelists = true;
        for (size_t k = 0; r >= 0 && w->known && k < n; k++)
                if (sources[k].known) {
                        empty(w);
                        r = add_source(w, w->ours, &sources[k], e);
                }
        w->known = false;
        return r < 0 ? r : add_filelists(w, repos, sources, n, e);
}

static int load(World *w, const WorldSource *sources, size_t n, Error *e) {
        _cleanup_free_ Repo **repos = calloc(n + 1, sizeof(*repos));
        Pool *pool = w->pool; /* FOR_REPOS wants it by this name */
        Repo *repo;
        int i, r;

        if (!repos)
                return error_oom(e);
        if ((r = load_sources(w, sources, n, repos, e)) < 0 || (needs_filelists(pool) && (r = load_filelists(w, repos, sources, n, e)) < 0))
                return r;
        FOR_REPOS(i, repo)
                repo_internalize(repo);
        for (size_t k = 0; k < n; k++)
                if (sources[k].list)
                        install_list(w, sources[k].list);
        if (!w->packages && (r = list_packages(w, e)) < 0)
                return r;
        pool_set_installed(pool, w->installed);
        pool_addfileprovides(pool);
        pool_createwhatprovides(pool);
        return 0;
}

bool world_was_known(const World *w) {
        return w->known;
}

bool world_write(World *w, const char *path) {
        _cleanup_fclose_ FILE *f = w->filelists ? NULL : fopen(path, "we");
        return f && repo_write(w->ours, f) == 0 && fflush(f) == 0;
}

int world_new(const WorldReaders *readers, const WorldSource *sources, size_t n, World **ret, Error *e) {
        return world_new_for(readers, ARCHITECTURE, sources, n, ret, e);
}

int world_new_for(const WorldReaders *readers, const char *arch, const WorldSource *sources, size_t n, World **ret, Error *e) {
        _cleanup_(world_freep) World *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return error_oom(e);
        w->readers = readers;
        queue_init(&w->extra);
        w->pool = pool_create();
        /* On Debian the library would compare versions as dpkg does. */
        (void) pool_setdisttype(w->pool, DISTTYPE_RPM);
        pool_setarch(w->pool, arch);
        w->ours = repo_create(w->pool, "gn8v-tee");
        w->installed = repo_create(w->pool, "@System");
        r = load(w, sources, n, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(w);
        return 0;
}

size_t world_count(const World *w) {
        return w->n_packages;
}

/* "NAME-[EPOCH:]VERSION-REVISION[.DIST].ARCH"; the epoch is not part of a pin. */
bool nevra_is(const char *nevra, const char *name, const char *version, const char *revision) {
        const char *s = startswith(nevra, name), *end;

        if (!s || *s++ != '-')
                return false;
        end = s + strspn(s, "0123456789");
        if (*end == ':')
                s = end + 1;
        if (!(s = startswith(s, version)) || *s++ != '-' || !(s = startswith(s, revision)) || *s != '.')
                return false;
        return !strchr(s, '-') && !strchr(s, ':');
}

const char *world_find(World *w, const char *name, const char *version, const char *revision) {
        for (size_t i = 0; i < w->n_packages; i++)
                if (nevra_is(w->packages[i].nevra, name, version, revision))
                        return w->packages[i].nevra;
        return NULL;
}

Id world_find_id(const World *w, const char *nevra) {
        size_t low = 0, high = w->n_packages;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(w->packages[middle].nevra, nevra) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < w->n_packages && streq(w->packages[low].nevra, nevra) ? w->packages[low].id : 0;
}

/* The same package once more, as an installed one: what it says of others, its files among it as far as anybody asks for them. */
static void install_copy(World *w, Id p) {
        static const Id keys[] = { SOLVABLE_PROVIDES, SOLVABLE_REQUIRES, SOLVABLE_CONFLICTS, SOLVABLE_OBSOLETES, SOLVABLE_RECOMMENDS, SOLVABLE_SUGGESTS,
                                   SOLVABLE_SUPPLEMENTS, SOLVABLE_ENHANCES };
        Id copy = repo_add_solvable(w->installed);
        const Solvable *from = pool_id2solvable(w->pool, p);
        Solvable *to = pool_id2solvable(w->pool, copy);
        Queue q;

        to->name = from->name;
        to->evr = from->evr;
        to->arch = from->arch;
        to->vendor = from->vendor;
        queue_init(&q);
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                queue_empty(&q); /* it is left alone if there are none */
                (void) solvable_lookup_deparray((Solvable *) from, keys[i], &q, 0);
                if (q.count > 0)
                        solvable_set_deparray(to, keys[i], &q, 0);
        }
        queue_free(&q);
        queue_push(&w->extra, copy);
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

int world_set_installed(World *w, char *const *nevras, Error *e) {
        size_t n = strv_length(nevras);
        _cleanup_free_ char **sorted = calloc(n + 1, sizeof(*sorted));
        _cleanup_free_ bool *seen = calloc(n + 1, sizeof(*seen));

        if (!sorted || !seen)
                return error_oom(e);
        for (int i = 0; i < w->extra.count; i++)
                repo_free_solvable(w->installed, w->extra.elements[i], 1);
        queue_empty(&w->extra);
        for (size_t i = 0; i < n; i++)
                sorted[i] = nevras[i];
        if (n > 0)
                qsort(sorted, n, sizeof(*sorted), compare_strings);
        for (Id p = 2, end = w->pool->nsolvables; n > 0 && p < end; p++) {
                const Solvable *s = pool_id2solvable(w->pool, p);
                const char *nevra = s->repo && s->repo != w->installed ? pool_solvid2str(w->pool, p) : NULL;
                char **found = nevra ? bsearch(&nevra, sorted, n, sizeof(*sorted), compare_strings) : NULL;

                if (!found || seen[found - sorted])
                        continue;
                seen[found - sorted] = true;
                install_copy(w, p);
        }
        pool_createwhatprovides(w->pool);
        if ((size_t) w->extra.count != n)
                return error_set(e, ENOENT, EXIT_FAILED, "packages that were to be installed are not in the repositories");
        return 0;
}
