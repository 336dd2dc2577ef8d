/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/solve-world.h"

#include <fcntl.h>
#include <solv/chksum.h>
#include <solv/repo_solv.h>
#include <solv/repo_write.h>
#include <solv/util.h>
#include <strings.h>
#include <unistd.h>
#include <zlib.h>

#include "basic/fs.h"
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
#define REPOMD_MAX ((size_t) 1 << 20)
#define STEP       ((size_t) 64 << 10)
#define DIGEST_MAX 64 /* bytes */

/* All that is left of a file. */
static int add_file(Chksum *sum, int fd) {
        _cleanup_free_ char *buffer = malloc(STEP);
        ssize_t n;

        if (!buffer)
                return -ENOMEM;
        while ((n = read(fd, buffer, STEP)) != 0)
                if (n > 0)
                        solv_chksum_add(sum, buffer, (int) n);
                else if (errno != EINTR)
                        return -errno;
        return 0;
}

/* By libsolv's own means: another library would take longer to load than these to run. */
int world_check_digest(int fd, const char *path, const char *repomd, const char *digest, const char *hex, Error *e) {
        Id type = solv_chksum_str2type(digest);
        char is[2 * DIGEST_MAX + 1];
        const unsigned char *bytes;
        int length, r;
        Chksum *sum;

        if (type == 0 || solv_chksum_len(type) > DIGEST_MAX)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: %s is no digest that is known", repomd, digest);
        if (!(sum = solv_chksum_create(type)))
                return error_oom(e);
        if ((r = add_file(sum, fd)) < 0 || (r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : 0) < 0) {
                solv_chksum_free(sum, NULL);
                return error_errno(e, -r, "%s", path);
        }
        bytes = solv_chksum_get(sum, &length);
        solv_bin2hex(bytes, length, is);
        solv_chksum_free(sum, NULL);
        if (strcasecmp(is, hex) == 0)
                return 0;
        return error_hint(e, error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: its %s is %s, not %s as %s says", path, digest, is, hex, repomd),
                          "it is damaged, or in the middle of a change: publish or copy it again");
}

/* RFC 1952, one member; its CRC says nothing that the digest has not said. False: it is something else, and left to libsolv's readers. */
static bool unpack_gzip(const char *packed, size_t n, char **ret, size_t *ret_size) {
        const unsigned char *end = (const unsigned char *) packed + n;
        size_t size = n < 18 ? 0 : end[-4] | (size_t) end[-3] << 8 | (size_t) end[-2] << 16 | (size_t) end[-1] << 24;
        _cleanup_free_ char *text = size > 0 && size <= PLAIN_MAX ? malloc(size + 1) : NULL;
        z_stream z = { .next_in = (unsigned char *) packed, .avail_in = (unsigned) n, .next_out = (unsigned char *) text, .avail_out = (unsigned) size };
        bool good;

        if (!text || inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
                return false;
        good = inflateValidate(&z, 0) == Z_OK && inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_in == 0 && z.avail_out == 0;
        (void) inflateEnd(&z);
        if (!good)
                return false;
        text[size] = '\0';
        *ret = TAKE_PTR(text);
        *ret_size = size;
        return true;
}

/* Metadata of the form that nearly all have, without libsolv's readers, which take longer to load and to read. 1: done, 0: it is not of that form. */
static int add_plain(Repo *repo, const char *dir, Error *e) {
        _cleanup_free_ char *repomd = path_join(dir, "repodata/repomd.xml"), *href = NULL, *digest = NULL, *hex = NULL, *path = NULL, *packed = NULL, *text = NULL;
        _cleanup_close_ int fd = -1;
        size_t size;
        int r;

        if (!repomd || read_file(AT_FDCWD, repomd, REPOMD_MAX, &text, &size) < 0 || strlen(text) != size || !primary_solv_find(text, size, &href, &digest, &hex) ||
            !path_is_safe(href) || !endswith(href, ".gz") || !(path = path_join(dir, href)) || (fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) < 0)
                return 0;
        free(TAKE_PTR(text));
        if ((r = world_check_digest(fd, path, repomd, digest, hex, e)) < 0)
                return r;
        if (read_fd(fd, PLAIN_MAX, &packed, &size) >= 0 && unpack_gzip(packed, size, &text, &size) && primary_solv_add(repo, text, size))
                return 1;
        repo_empty(repo, 1);
        return 0;
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
        int r;

        if (!s->path)
                return w->readers ? w->readers->rpms(repo, s->rpms, e) : error_set(e, EOPNOTSUPP, EXIT_FAILED, "packages");
        r = add_plain(repo, s->path, e);
        return r != 0 ? MIN(r, 0) : add_metadata(w, repo, s->path, "primary", 0, true, e);
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
        if (w->n_packages > 0)
                qsort(w->packages, w->n_packages, sizeof(*w->packages), compare_packages);
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

static void drop_packages(World *w) {
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
                drop_packages(w);
        }
        if (!good)
                repo_empty(w->ours, 1);
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
                        repo_empty(w->ours, 1);
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
        if ((r = list_packages(w, e)) < 0)
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
