/* SPDX-License-Identifier: Apache-2.0 */
/* verify: the generations that rollback, diff and export read; and files that no generation names. */
#include "repo/verify-chain.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/metadata.h"
#include "repo/metalink.h"
#include "repo/repo-file.h"
#include "repo/repository.h"

#define GENERATIONS_MAX 1000
#define NAMES_MAX       1000000

typedef struct Published {
        const PrimaryPackage *p;
        size_t at; /* in primary.xml */
} Published;

typedef struct Walk {
        Verify *v;
        uint64_t *numbers;
        size_t n;
        char repomd_sha256[SHA256_HEX_SIZE]; /* the published one's */
        Published *published; /* sorted by href */
        bool is_running;      /* somebody is publishing, or was killed: what it leaves is removed by the next one */
        uint64_t current;     /* number of the published one; 0: none is it */
        char **names;         /* "packages/FILE", "repodata/FILE": what they name; owned, sorted before it is searched */
        size_t n_names;
} Walk;

static void walk_done(Walk *w) {
        for (size_t i = 0; i < w->n_names; i++)
                free(w->names[i]);
        free(w->names);
        free(w->numbers);
        free(w->published);
}

static int add_name(Walk *w, const char *dir, const char *name) {
        char *s = dir ? path_join(dir, name) : strdup(name);

        if (s && (w->n_names & (w->n_names - 1)) == 0) {
                char **grown = reallocarray(w->names, w->n_names ? w->n_names * 2 : 1, sizeof(*grown));

                if (!grown) {
                        free(s);
                        return error_oom(verify_why(w->v));
                }
                w->names = grown;
        }
        if (!s)
                return error_oom(verify_why(w->v));
        w->names[w->n_names++] = s;
        return w->n_names < NAMES_MAX ? 0 : error_set(verify_why(w->v), EFBIG, EXIT_INVALID, "%s/generations: they name too many files", w->v->o->repo);
}

static int differs(Walk *w, const Generation *g, const char *file, const char *what) {
        return verify_untrusted(w->v, "%s/generations/%" PRIu64 "/%s: %s", w->v->o->repo, g->number, file, what);
}

static int by_href(const void *a, const void *b) {
        return strcmp(((const Published *) a)->p->href, ((const Published *) b)->p->href);
}

static int sort_packages(Walk *w, const Primary *p, Published **ret) {
        Published *v = calloc(p->n_packages + 1, sizeof(*v));

        if (!v)
                return error_oom(verify_why(w->v));
        for (size_t i = 0; i < p->n_packages; i++)
                v[i] = (Published){ .p = p->packages[i], .at = i };
        if (p->n_packages > 0)
                qsort(v, p->n_packages, sizeof(*v), by_href);
        *ret = v;
        return 0;
}

/* The manifest has the packages of its primary.xml, and no others. */
static int check_manifest(Walk *w, const Generation *g, const Published *sorted, size_t n) {
        if (n != g->n_packages)
                return differs(w, g, "manifest.json", "it has not the packages that its primary.xml has");
        for (size_t i = 0; i < n; i++) {
                const PublishedPackage *q = g->packages[i];
                const PrimaryPackage *p = sorted[i].p;

                if (!streq(q->href, p->href) || (streq(p->digest, "sha256") && !streq(q->sha256, p->checksum)) || q->size != p->size || !streq(q->nevra, p->nevra))
                        return verify_untrusted(w->v, "%s/generations/%" PRIu64 "/manifest.json: what it says of %s is not what its primary.xml says",
                                                w->v->o->repo, g->number, q->href);
        }
        return 0;
}

/* Packages that are published were read; of the others header and size have to be those that the manifest has. */
static int check_packages(Walk *w, const Generation *g) {
        for (size_t i = 0; i < g->n_packages; i++) {
                const PublishedPackage *q = g->packages[i];
                const PrimaryPackage like = { .href = q->href };
                const Published key = { .p = &like }, *found = w->v->primary->n_packages > 0 ?
                        bsearch(&key, w->published, w->v->primary->n_packages, sizeof(key), by_href) : NULL;
                _cleanup_(rpm_file_freep) RpmFile *f = NULL;
                bool same;
                int r;

                if (found)
                        same = (streq(q->sha256, found->p->checksum) || !streq(found->p->digest, "sha256")) && streq(q->header_sha256, w->v->header_sha256[found->at]);
                else if ((r = rpm_file_open(w->v->repo_fd, q->href, &f, verify_why(w->v))) < 0)
                        return r;
                else
                        same = f->size == q->size && streq(f->header_sha256, q->header_sha256) && streq(f->nevra, q->nevra);
                if (!same)
                        return verify_untrusted(w->v, "%s/%s: it is not the package that generation %" PRIu64 " has", w->v->o->repo, q->href, g->number);
                if ((r = add_name(w, NULL, q->href)) < 0)
                        return r;
        }
        return 0;
}

static int read_of(Walk *w, const Generation *g, const char *name, char **ret, size_t *ret_size) {
        _cleanup_free_ char *path = format("generations/%" PRIu64 "/%s", g->number, name);
        return path ? verify_read(w->v, path, REPOMD_MAX, ret, ret_size) : error_oom(verify_why(w->v));
}

/* The same key again, maybe with another date of expiry. */
static int check_key(Walk *w, const Generation *g) {
        _cleanup_(keyring_freep) Keyring *k = NULL;
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        if (generation_is_mirror(g))
                return 0; /* of another's, or of copies that were made without it */
        r = read_of(w, g, "repomd.xml.key", &text, &size);
        if (r < 0 || streq(text, w->v->key_text))
                return r;
        if ((r = keyring_new(text, size, "repomd.xml.key", &k, verify_why(w->v))) < 0)
                return r;
        STRV_FOREACH(s, keyring_fingerprints(k))
                if (!streq(*s, g->key) && !(g->also && streq(*s, g->also)))
                        return differs(w, g, "repomd.xml.key", "it is another key than the one that signed it");
        return strv_contains(keyring_fingerprints(k), g->key) ? 0 : differs(w, g, "repomd.xml.key", "it lacks the key that signed it");
}

/* Its repomd.xml, which this repository's key signed; 0 when another key did, which is no error: keys are replaced. */
static int read_repomd(Walk *w, const Generation *g, Repomd **ret) {
        _cleanup_free_ char *text = NULL, *signature = NULL;
        _cleanup_(repomd_freep) Repomd *m = NULL;
        char hex[SHA256_HEX_SIZE];
        size_t size, signature_size;
        int r;

        if ((r = read_of(w, g, "repomd.xml", &text, &size)) < 0)
                return r;
        if (sha256_buffer(text, size, hex) < 0)
                return error_oom(verify_why(w->v));
        if (!streq(hex, g->repomd_sha256))
                return differs(w, g, "repomd.xml", "it is not the one that its manifest.json has");
        if (w->v->copy && !w->v->keyring && streq(g->key, "none"))
                return (r = repomd_parse_foreign(text, size, "repomd.xml", ret, verify_why(w->v))) < 0 ? r : 1;
        if (!strv_contains(w->v->report->keys, g->key) && !(g->also && strv_contains(w->v->report->keys, g->also)))
                return 0;
        if ((r = read_of(w, g, "repomd.xml.asc", &signature, &signature_size)) < 0 ||
            (r = keyring_verify(w->v->keyring, text, size, signature, signature_size, "repomd.xml", NULL, NULL, verify_why(w->v))) < 0 || (r = check_key(w, g)) < 0)
                return r;
        if ((r = (generation_is_mirror(g) ? repomd_parse_foreign : repomd_parse)(text, size, "repomd.xml", &m, verify_why(w->v))) < 0)
                return r;
        if (m->freshness.serial > 0 && !generation_is_mirror(g) && (m->freshness.serial != g->number || m->freshness.expires != g->freshness.expires))
                return differs(w, g, "manifest.json", "its number or date of expiry is not the one of its repomd.xml");
        *ret = TAKE_PTR(m);
        return 1;
}

/* Each file that its repomd.xml names is there, under its name; primary.xml is what is wanted of them. */
static int check_metadata(Walk *w, const Generation *g, const Repomd *m, char **ret_text, size_t *ret_size) {
        for (size_t i = 0; i < m->n_files; i++) {
                RepomdFile f = m->files[i];
                const char *name = path_basename(f.href);
                _cleanup_free_ char *path = format("generations/%" PRIu64 "/%s", g->number, name), *full = path ? path_join(w->v->o->repo, path) : NULL;
                bool wanted = streq(f.type, "primary") && g->number != w->current;
                _cleanup_close_ int fd = -1;
                int r;

                if (!full)
                        return error_oom(verify_why(w->v));
                if (!wanted)
                        f.open_checksum = NULL; /* nothing is unpacked */
                if (!strv_contains(g->metadata, name))
                        return differs(w, g, "manifest.json", "it does not have the files that its repomd.xml names");
                if ((r = verify_open(w->v, path, &fd)) < 0 || (r = metadata_check(fd, full, &f, wanted ? ret_text : NULL, ret_size, verify_why(w->v))) < 0)
                        return r;
        }
        STRV_FOREACH(s, g->metadata) {
                int r = add_name(w, "repodata", *s);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_contents(Walk *w, const Generation *g, const Repomd *m) {
        _cleanup_(primary_freep) Primary *primary = NULL;
        _cleanup_free_ Published *sorted = NULL;
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r = check_metadata(w, g, m, &text, &size);

        if (r < 0)
                return r;
        if (!text)
                r = check_manifest(w, g, w->published, w->v->primary->n_packages);
        else if ((r = (generation_is_mirror(g) ? primary_parse_foreign : primary_parse)(text, size, "primary.xml", &primary, NULL, verify_why(w->v))) >= 0 && (r = sort_packages(w, primary, &sorted)) >= 0)
                r = check_manifest(w, g, sorted, primary->n_packages);
        return r < 0 ? r : check_packages(w, g);
}

/* What its own directory has. */
static int add_own_files(Walk *w, const Generation *g) {
        static const char *const fixed[] = { "manifest.json", "repomd.xml", "repomd.xml.asc", "repomd.xml.key" };
        _cleanup_free_ char *dir = format("generations/%" PRIu64, g->number);
        int r = dir ? 0 : error_oom(verify_why(w->v));

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(fixed); i++)
                r = add_name(w, dir, fixed[i]);
        STRV_FOREACH(s, g->metadata)
                if (r >= 0)
                        r = add_name(w, dir, *s);
        return r;
}

static int check_generation(Walk *w, uint64_t number) {
        _cleanup_(generation_freep) Generation *g = NULL;
        _cleanup_(repomd_freep) Repomd *m = NULL;
        int r;

        (void) verify_begin(w->v, "generation", "%" PRIu64, number);
        if ((r = generation_load(w->v->repo_fd, w->v->o->repo, number, &g, verify_why(w->v))) < 0)
                return r;
        if (!g)
                return 0;
        if ((r = add_own_files(w, g)) < 0)
                return r;
        if (streq(g->repomd_sha256, w->repomd_sha256))
                w->current = number;
        if ((r = read_repomd(w, g, &m)) < 0)
                return r;
        if (r > 0)
                return (r = check_contents(w, g, m)) < 0 ? r : verify_passed(w->v);
        /* What rollback refuses can wait; but its files are named. */
        STRV_FOREACH(s, g->metadata)
                if ((r = add_name(w, "repodata", *s)) < 0)
                        return r;
        for (size_t i = 0; i < g->n_packages; i++)
                if ((r = add_name(w, NULL, g->packages[i]->href)) < 0)
                        return r;
        return verify_unchecked(w->v, "it is another key's, which signs no longer; `gn8v-tee-repo prune` removes it");
}

static int by_name(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static bool is_named(const Walk *w, const char *path) {
        static const char *const fixed[] = { "repodata/repomd.xml", "repodata/repomd.xml.asc", "repodata/repomd.xml.key", "repodata/" METALINK_FILE };

        for (size_t i = 0; i < ELEMENTSOF(fixed); i++)
                if (streq(path, fixed[i]))
                        return true;
        return w->n_names > 0 && bsearch(&path, w->names, w->n_names, sizeof(*w->names), by_name);
}

/* Whether what is named lies below it: packages of one name, the older of which clients may still read (PACKAGES/DIGEST/FILE). */
static bool is_above_named(const Walk *w, const char *path) {
        size_t low = 0, high = w->n_names, n = strlen(path);
        _cleanup_free_ char *start = format("%s/", path);

        while (start && low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(w->names[middle], start) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return start && low < w->n_names && strncmp(w->names[low], start, n + 1) == 0;
}

/* A file that nothing signed names is no client's business; whoever put it there had no business either. */
static int find_strays(Walk *w, const char *where) {
        int fd = openat(w->v->repo_fd, where, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *d;

        if (!dir) {
                safe_close(fd);
                return errno == ENOENT ? 0 : error_errno(verify_why(w->v), errno, "%s/%s", w->v->o->repo, where);
        }
        while (r == 0 && (d = readdir(dir))) {
                _cleanup_free_ char *path = path_join(where, d->d_name);

                if (!path)
                        r = error_oom(verify_why(w->v));
                else if (streq(d->d_name, ".") || streq(d->d_name, "..") || is_named(w, path))
                        continue;
                else if (is_above_named(w, path))
                        r = find_strays(w, path); /* as deep as names are */
                else
                        r = verify_untrusted(w->v, "%s/%s: no generation names this file", w->v->o->repo, path);
        }
        (void) closedir(dir);
        return r;
}

/* At the top clients look for keys and .repo files, and a copy has packages; somebody's index.html harms nobody. */
static int find_strays_at_top(Walk *w) {
        int fd = openat(w->v->repo_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *d;

        if (!dir) {
                safe_close(fd);
                return error_errno(verify_why(w->v), errno, "%s", w->v->o->repo);
        }
        while (r == 0 && (d = readdir(dir))) {
                const char *name = d->d_name;
                bool odd = (endswith(name, ".rpm") && !is_named(w, name)) || (endswith(name, ".repo") && !streq(name, REPO_FILE)) ||
                           (startswith(name, "RPM-GPG-KEY") && !streq(name, REPO_KEY_FILE) && !streq(name, VENDOR_KEY_FILE));

                if (odd)
                        r = verify_untrusted(w->v, "%s/%s: no generation names this file", w->v->o->repo, name);
        }
        (void) closedir(dir);
        return r;
}

static int check_strays(Walk *w) {
        int r;

        (void) verify_begin(w->v, "generation", "files that none names");
        if (w->is_running)
                return 0;
        if (w->n_names > 0)
                qsort(w->names, w->n_names, sizeof(*w->names), by_name);
        if ((r = find_strays(w, "repodata")) < 0 || (r = find_strays(w, "packages")) < 0 || (r = find_strays(w, "generations")) < 0 ||
            (r = find_strays_at_top(w)) < 0)
                return error_hint(verify_why(w->v), r, "remove it, and find out who put it there");
        return verify_passed(w->v);
}

/* The names of what is published, also where no generation has come along. */
static int add_published(Walk *w) {
        Verify *v = w->v;
        int r;

        for (size_t i = 0; i < v->primary->n_packages; i++)
                if ((r = add_name(w, NULL, v->primary->packages[i]->href)) < 0)
                        return r;
        for (size_t i = 0; i < v->repomd->n_files; i++)
                if ((r = add_name(w, NULL, v->repomd->files[i].href)) < 0)
                        return r;
        return 0;
}

static int walk(Walk *w) {
        Verify *v = w->v;
        struct stat st;
        int r;

        (void) verify_begin(v, "generation", "%s/generations", v->o->repo);
        if (sha256_buffer(v->repomd_text, v->repomd_size, w->repomd_sha256) < 0)
                return error_oom(verify_why(v));
        w->is_running = fstatat(v->repo_fd, STAGE, &st, AT_SYMLINK_NOFOLLOW) == 0;
        if ((r = sort_packages(w, v->primary, &w->published)) < 0 || (r = add_published(w)) < 0 ||
            (r = generations_list(v->repo_fd, v->o->repo, GENERATIONS_MAX, &w->numbers, &w->n, verify_why(v))) < 0)
                return r;
        for (size_t i = 0; i < w->n; i++)
                /* One that was never switched to is not there yet. */
                if (!(w->is_running && w->current > 0) && (r = check_generation(w, w->numbers[i])) < 0)
                        return r;
        (void) verify_begin(v, "generation", "%s/generations", v->o->repo);
        if (w->n > 0 && w->current == 0)
                return verify_untrusted(v, "%s/generations: none of them is the published one", v->o->repo);
        return check_strays(w);
}

int verify_generations(Verify *v) {
        _cleanup_(walk_done) Walk w = { .v = v };
        return walk(&w);
}
