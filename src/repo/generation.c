/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/generation.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sys/mman.h>

#include "basic/fs.h"
#include "basic/sort.h"
#include "repo/parallel.h"

#define MANIFEST_MAX (64 * 1024 * 1024)

PublishedPackage *published_package_free(PublishedPackage *p) {
        if (!p || __atomic_fetch_sub(&p->others, 1, __ATOMIC_RELAXED) > 0)
                return NULL;
        if (p->packed) {
                strv_free(p->releases);
                free(p);
                return NULL;
        }
        free(p->href);
        free(p->file);
        free(p->name);
        free(p->evr);
        free(p->arch);
        free(p->nevra);
        free(p->sha256);
        free(p->header_sha256);
        free(p->unsigned_sha256);
        free(p->signer);
        free(p->stage);
        strv_free(p->releases);
        free(p);
        return NULL;
}

Generation *generation_free(Generation *g) {
        if (!g)
                return NULL;
        for (size_t i = 0; i < g->n_packages; i++)
                published_package_free(g->packages[i]);
        free(g->packages);
        free(g->by_file);
        if (g->text)
                (void) munmap(g->text, g->text_size);
        free(g->key);
        free(g->also);
        free(g->repomd_sha256);
        free(g->comps_sha256);
        strv_free(g->metadata);
        strv_free(g->locks);
        free(g);
        return NULL;
}

void generations_free(Generation **v, size_t n) {
        for (size_t i = 0; i < n; i++)
                generation_free(v[i]);
        free(v);
}

int generation_add(Generation *g, PublishedPackage **p, Error *e) {
        if ((g->n_packages & (g->n_packages + 1)) == 0) { /* 2^n - 1 of them fit: double the room */
                PublishedPackage **grown = reallocarray(g->packages, 2 * g->n_packages + 1, sizeof(*grown));

                if (!grown)
                        return error_oom(e);
                g->packages = grown;
        }
        g->packages[g->n_packages++] = TAKE_PTR(*p);
        return 0;
}

static int by_href(const void *a, const void *b) {
        return strcmp((*(PublishedPackage *const *) a)->href, (*(PublishedPackage *const *) b)->href);
}

/* FNV-1a */
static size_t hash(const char *s) {
        uint64_t h = 14695981039346656037u;

        for (; *s; s++)
                h = (h ^ (unsigned char) *s) * 1099511628211u;
        return (size_t) (h ^ (h >> 32));
}

/* NULL: out of memory. */
static PublishedPackage **make_table(Generation *g) {
        size_t size = 16;
        PublishedPackage **table;

        while (size < 2 * g->n_packages)
                size *= 2;
        table = calloc(size, sizeof(*table));
        if (!table)
                return NULL;
        g->by_file_mask = size - 1;
        for (size_t i = 0; i < g->n_packages; i++) {
                size_t at = hash(g->packages[i]->file) & g->by_file_mask;

                while (table[at])
                        at = (at + 1) & g->by_file_mask;
                table[at] = g->packages[i];
        }
        return table;
}

/* Made by who needs it first: mostly nobody does. */
static PublishedPackage **table_of(Generation *g) {
        static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
        PublishedPackage **table = __atomic_load_n(&g->by_file, __ATOMIC_ACQUIRE);

        if (table)
                return table;
        (void) pthread_mutex_lock(&making);
        if (!(table = g->by_file) && (table = make_table(g)))
                __atomic_store_n(&g->by_file, table, __ATOMIC_RELEASE);
        (void) pthread_mutex_unlock(&making);
        return table;
}

void generation_sort(Generation *g) {
        sort(g->packages, g->n_packages, sizeof(*g->packages), by_href);
        free(TAKE_PTR(g->by_file));
}

const PublishedPackage *generation_find_href(const Generation *g, const char *href) {
        const PublishedPackage key = { .href = (char *) href }, *p = &key;
        PublishedPackage *const *found = g->n_packages > 0 ? bsearch(&p, g->packages, g->n_packages, sizeof(*g->packages), by_href) : NULL;

        return found ? *found : NULL;
}

static PublishedPackage *find_in_table(Generation *g, const char *file) {
        PublishedPackage **table = table_of(g);
        size_t at = hash(file) & g->by_file_mask;

        if (!table) {
                for (at = 0; at < g->n_packages && !streq(g->packages[at]->file, file); at++)
                        ;
                return at < g->n_packages ? g->packages[at] : NULL;
        }
        while (table[at] && !streq(table[at]->file, file))
                at = (at + 1) & g->by_file_mask;
        return table[at];
}

#define NEAR 2 /* what was added or removed since moves a name by so much, mostly */

PublishedPackage *generation_find_file(Generation *g, const char *file, size_t guess) {
        for (size_t i = 0; i <= NEAR; i++) {
                if (guess + i < g->n_packages && streq(g->packages[guess + i]->file, file))
                        return g->packages[guess + i];
                if (i > 0 && guess >= i && guess - i < g->n_packages && streq(g->packages[guess - i]->file, file))
                        return g->packages[guess - i];
        }
        return find_in_table(g, file);
}

const PublishedPackage *generation_walk_href(const Generation *g, size_t *at, const char *href) {
        while (*at < g->n_packages) {
                int c = strcmp(g->packages[*at]->href, href);

                if (c >= 0)
                        return c == 0 ? g->packages[*at] : NULL;
                (*at)++;
        }
        return NULL;
}

bool generation_is_mirror(const Generation *g) {
        return g->locks && startswith(g->locks[0], MIRROR_LOCK);
}

bool href_is_safe(const char *s) {
        return path_is_safe(s) && endswith(s, ".rpm") && s[0] != '.' && !strstr(s, "/.") && !startswith(s, "repodata/") && !startswith(s, "generations/");
}

typedef struct Mapped {
        void *data;
        size_t size;
} Mapped;

static void mapped_done(Mapped *m) {
        if (m->data)
                (void) munmap(m->data, m->size);
}

/* Without a base the text is kept for the others. */
static int load_one(int repo_fd, const char *repo_path, uint64_t number, const Generation *base, Generation **ret, Error *e) {
        _cleanup_free_ char *path = format("generations/%" PRIu64 "/manifest.json", number), *name = NULL;
        _cleanup_(generation_freep) Generation *g = NULL;
        _cleanup_(mapped_done) Mapped text = {};
        _cleanup_close_ int fd = -1;
        int r;

        if (!path || !(name = path_join(repo_path, path)))
                return error_oom(e);
        fd = open_beneath(repo_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
        if (fd == -ENOENT)
                return 0;
        r = fd < 0 ? fd : map_fd(fd, MANIFEST_MAX, &text.data, &text.size);
        if (r < 0)
                return error_errno(e, -r, "%s", name);
        if ((r = generation_read(text.data, text.size, name, base, !base, &g, e)) < 0)
                return r;
        if (g->number != number)
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not a generation's manifest: it is another generation's", name),
                                  "remove that generation's directory, and publish again");
        if (!base) {
                g->text = TAKE_PTR(text.data);
                g->text_size = text.size;
        }
        *ret = TAKE_PTR(g);
        return 0;
}

int generation_load(int repo_fd, const char *repo_path, uint64_t number, Generation **ret, Error *e) {
        return load_one(repo_fd, repo_path, number, NULL, ret, e);
}

typedef struct Loading {
        int repo_fd;
        const char *repo_path;
        uint64_t *numbers;
        Generation **v; /* NULL: a directory without a manifest */
        size_t n;
        const Generation *base;
} Loading;

static void loading_done(Loading *l) {
        if (l->v)
                generations_free(l->v, l->n);
        free(l->numbers);
}

static int load_numbered(void *data, size_t i, Error *e) {
        Loading *l = data;
        return load_one(l->repo_fd, l->repo_path, l->numbers[i], l->base, &l->v[i], e);
}

static int by_number(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
        return (x > y) - (x < y);
}

static int list_numbers(Loading *l, int fd, size_t max, Error *e) {
        DIR *dir = fdopendir(fd);
        struct dirent *d;
        int r = 0;

        if (!dir) {
                safe_close(fd);
                return error_errno(e, errno, "%s/generations", l->repo_path);
        }
        while (r >= 0 && (d = readdir(dir))) {
                uint64_t number, *grown;

                if (parse_u64(d->d_name, &number) < 0 || (d->d_name[0] == '0' && d->d_name[1]))
                        continue;
                if (l->n == max) {
                        r = error_set(e, EFBIG, EXIT_INVALID, "%s/generations: more than %zu", l->repo_path, max);
                        break;
                }
                grown = reallocarray(l->numbers, l->n + 1, sizeof(*grown));
                if (!grown) {
                        r = error_oom(e);
                        break;
                }
                l->numbers = grown;
                l->numbers[l->n++] = number;
        }
        (void) closedir(dir);
        if (l->n > 0)
                qsort(l->numbers, l->n, sizeof(*l->numbers), by_number);
        return r;
}

static int list_generations(Loading *l, size_t max, Error *e) {
        int fd = openat(l->repo_fd, "generations", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return errno == ENOENT ? 0 : error_errno(e, errno, "%s/generations", l->repo_path);
        return list_numbers(l, fd, max, e);
}

int generations_list(int repo_fd, const char *repo_path, size_t max, uint64_t **ret, size_t *ret_n, Error *e) {
        _cleanup_(loading_done) Loading l = { .repo_fd = repo_fd, .repo_path = repo_path };
        int r = list_generations(&l, max, e);

        if (r < 0)
                return r;
        *ret = TAKE_PTR(l.numbers);
        *ret_n = l.n;
        return 0;
}

int generations_load(int repo_fd, const char *repo_path, Generation ***ret, size_t *ret_n, Error *e) {
        _cleanup_(loading_done) Loading l = { .repo_fd = repo_fd, .repo_path = repo_path };
        size_t n = 0;
        int r;

        if ((r = list_generations(&l, SIZE_MAX, e)) < 0)
                return r;
        l.v = calloc(l.n + 1, sizeof(*l.v));
        if (!l.v)
                return error_oom(e);
        /* The newest first, for those who write the next one. */
        size_t others = l.n;
        while (others > 0 && !l.base) {
                if ((r = load_numbered(&l, --others, e)) < 0)
                        return r;
                l.base = l.v[others];
        }
        r = parallel_run(others, load_numbered, &l, e);
        if (r < 0)
                return r;
        for (size_t i = 0; i < l.n; i++)
                if (l.v[i])
                        l.v[n++] = l.v[i];
        *ret = TAKE_PTR(l.v);
        *ret_n = n;
        return 0;
}

Generation *generations_current(Generation *const *v, size_t n, const char *repomd_sha256) {
        while (n-- > 0)
                if (streq(v[n]->repomd_sha256, repomd_sha256))
                        return v[n];
        return NULL;
}

void generations_drop_last(Generation **v, size_t *n) {
        Generation *last = v[--*n];

        if (*n > 0 && last->text && !v[0]->text) {
                v[0]->text = TAKE_PTR(last->text);
                v[0]->text_size = last->text_size;
        }
        generation_free(last);
}

bool generation_same(const Generation *a, const Generation *b) {
        if (!streq(a->key, b->key) || !streq(a->also ? a->also : "", b->also ? b->also : "") || !streq(a->comps_sha256, b->comps_sha256) ||
            a->n_packages != b->n_packages || a->revision != b->revision || !strv_equal(a->locks, b->locks))
                return false;
        for (size_t i = 0; i < a->n_packages; i++)
                if (!streq(a->packages[i]->href, b->packages[i]->href) || !streq(a->packages[i]->sha256, b->packages[i]->sha256) ||
                    !strv_equal(a->packages[i]->releases, b->packages[i]->releases))
                        return false;
        return true;
}
