/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/index.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/gzip.h"
#include "repo/parallel.h"
#include "repo/rpmmd.h"
#include "repo/sync.h"

#define RPM_NS "http://linux.duke.edu/metadata/rpm"

/* A package whose digest begins so ends a part of the compressed files: which packages share a part depends on these packages alone, so one
 * that comes or goes changes one part, and not all behind it. */
#define PART_BITS 6

enum { GROUP = INDEX_STREAMS, N_FILES };

static const struct {
        const char *type, *temporary, *suffix, *element, *attributes;
} kinds[] = {
        [INDEX_PRIMARY]   = { "primary", "primary.new", "primary.xml.gz", "metadata",
                              " xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"" RPM_NS "\"" },
        [INDEX_FILELISTS] = { "filelists", "filelists.new", "filelists.xml.gz", "filelists", " xmlns=\"http://linux.duke.edu/metadata/filelists\"" },
        [INDEX_OTHER]     = { "other", "other.new", "other.xml.gz", "otherdata", " xmlns=\"http://linux.duke.edu/metadata/other\"" },
        [GROUP]           = { "group", "comps.new", "comps.xml", NULL, NULL },
};

struct Index {
        IndexFile files[N_FILES];
        size_t n_files;
        char *repomd;
        IndexParts parts;
};

/* A run of packages that are compressed together. */
typedef struct Part {
        size_t first, n;
        char key[SHA256_HEX_SIZE];
} Part;

/* A file of the last time, mapped. */
typedef struct OldFile {
        unsigned char *data;
        size_t size;
} OldFile;

typedef struct Writing {
        int dir_fd;
        const IndexEntry *entries;
        size_t n;
        char *head[INDEX_STREAMS], *tail[INDEX_STREAMS];
        Part *parts;
        size_t n_parts;
        GzipPart *packed[INDEX_STREAMS]; /* head, parts, tail */
        const IndexParts *old;
        int old_fd;
        OldFile old_files[INDEX_STREAMS];
        size_t order[INDEX_STREAMS]; /* the streams, largest first */
        uint64_t open_size[INDEX_STREAMS], size[INDEX_STREAMS];
        char open_sha256[INDEX_STREAMS][SHA256_HEX_SIZE], sha256[INDEX_STREAMS][SHA256_HEX_SIZE];
} Writing;

void index_entry_clear(IndexEntry *x) {
        for (size_t i = 0; i < INDEX_STREAMS; i++)
                free(x->owned[i]);
        *x = (IndexEntry){};
}

Index *index_free(Index *x) {
        if (!x)
                return NULL;
        for (size_t i = 0; i < N_FILES; i++)
                free(x->files[i].name);
        free(x->repomd);
        index_parts_clear(&x->parts);
        free(x);
        return NULL;
}

void index_parts_clear(IndexParts *p) {
        for (size_t i = 0; i < INDEX_STREAMS; i++)
                free(p->parts[i]);
        *p = (IndexParts){};
}

/* Whether bytes are the old file's, and not ours to free. */
static bool is_old(const Writing *w, size_t stream, const void *data) {
        const OldFile *f = &w->old_files[stream];
        return f->data && (const unsigned char *) data >= f->data && (const unsigned char *) data < f->data + f->size;
}

static void writing_done(Writing *w) {
        for (size_t i = 0; i < INDEX_STREAMS; i++) {
                for (size_t j = 0; w->packed[i] && j < w->n_parts + 2; j++)
                        if (!is_old(w, i, w->packed[i][j].data))
                                free((void *) w->packed[i][j].data);
                if (w->old_files[i].data)
                        (void) munmap(w->old_files[i].data, w->old_files[i].size);
                free(w->packed[i]);
                free(w->head[i]);
                free(w->tail[i]);
        }
        free(w->parts);
}

static bool ends_part(const IndexEntry *x) {
        const char first[] = { x->sha256[0], x->sha256[1], '\0' };
        return (strtoul(first, NULL, 16) & ((1u << PART_BITS) - 1)) == 0;
}

static int make_key(void *data, size_t number, Error *e) {
        const Writing *w = data;
        Part *part = &w->parts[number];
        _cleanup_(digest_freep) Digest *d = digest_new("sha256");
        _cleanup_free_ char *hex = NULL;
        int r = d ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < part->n; i++) {
                const IndexEntry *x = &w->entries[part->first + i];

                r = digest_update(d, x->sha256, SHA256_HEX_SIZE);
                if (r == 0)
                        r = digest_update(d, x->href, strlen(x->href) + 1);
        }
        if (r < 0 || !(hex = digest_hex(d)))
                return error_oom(e);
        memcpy(part->key, hex, SHA256_HEX_SIZE);
        return 0;
}

/* Only if it still is what it was. */
static void map_old(Writing *w, size_t stream) {
        _cleanup_free_ char *name = format("%s-%s", w->old->sha256[stream], kinds[stream].suffix);
        _cleanup_close_ int fd = name ? openat(w->old_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
        char hex[SHA256_HEX_SIZE];
        size_t size;
        void *data;

        if (fd < 0 || map_fd(fd, SIZE_MAX, &data, &size) < 0 || !data)
                return;
        if (sha256_buffer(data, size, hex) < 0 || !streq(hex, w->old->sha256[stream]))
                (void) munmap(data, size);
        else
                w->old_files[stream] = (OldFile){ .data = data, .size = size };
}

static bool take_old(Writing *w, size_t stream, const char *key, GzipPart *ret) {
        const OldFile *f = &w->old_files[stream];

        for (size_t i = 0; f->data && i < w->old->n[stream]; i++) {
                const IndexPart *p = &w->old->parts[stream][i];

                if (!streq(p->key, key) || p->size == 0 || p->at > f->size || p->size > f->size - p->at)
                        continue;
                *ret = (GzipPart){ .data = f->data + p->at, .size = p->size, .open_size = p->open_size, .crc = p->crc };
                return true;
        }
        return false;
}

static int divide(Writing *w, Error *e) {
        w->parts = calloc(w->n + 1, sizeof(*w->parts));
        if (!w->parts)
                return error_oom(e);
        for (size_t i = 0, first = 0; i < w->n; i++)
                if (ends_part(&w->entries[i]) || i + 1 == w->n) {
                        w->parts[w->n_parts++] = (Part){ .first = first, .n = i + 1 - first };
                        first = i + 1;
                }
        for (size_t i = 0; i < INDEX_STREAMS; i++) {
                w->head[i] = format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s%s packages=\"%zu\">\n", kinds[i].element, kinds[i].attributes, w->n);
                w->tail[i] = format("</%s>\n", kinds[i].element);
                w->packed[i] = calloc(w->n_parts + 2, sizeof(GzipPart));
                if (!w->head[i] || !w->tail[i] || !w->packed[i])
                        return error_oom(e);
        }
        return parallel_run(w->n_parts, make_key, w, e);
}

static int digest_open(Writing *w, size_t stream, Error *e) {
        _cleanup_(digest_freep) Digest *d = digest_new("sha256");
        _cleanup_free_ char *hex = NULL;
        int r;

        if (!d)
                return error_oom(e);
        r = digest_update(d, w->head[stream], strlen(w->head[stream]));
        /* What is unchanged mostly stands behind each other: see memo.h. */
        for (size_t i = 0; r == 0 && i < w->n;) {
                const char *begin = w->entries[i].xml[stream], *end = begin;

                for (; i < w->n && w->entries[i].xml[stream] == end; i++)
                        end += w->entries[i].size[stream];
                r = digest_update(d, begin, (size_t) (end - begin));
        }
        if (r == 0)
                r = digest_update(d, w->tail[stream], strlen(w->tail[stream]));
        if (r < 0 || !(hex = digest_hex(d)))
                return error_errno(e, EIO, "SHA-256");
        memcpy(w->open_sha256[stream], hex, SHA256_HEX_SIZE);
        return 0;
}

/* Part 0 is the head, the last one the tail. */
static int pack_part(Writing *w, size_t stream, size_t i, Error *e) {
        const Part *part = i > 0 && i <= w->n_parts ? &w->parts[i - 1] : NULL;
        const char *text = i == 0 ? w->head[stream] : w->tail[stream];
        size_t n = part ? part->n : 1;
        _cleanup_free_ struct iovec *pieces = calloc(n, sizeof(*pieces));
        int r;

        if (!pieces)
                return error_oom(e);
        if (part && take_old(w, stream, part->key, &w->packed[stream][i]))
                return 0;
        for (size_t k = 0; part && k < n; k++)
                pieces[k] = (struct iovec){ .iov_base = (void *) w->entries[part->first + k].xml[stream], .iov_len = w->entries[part->first + k].size[stream] };
        if (!part)
                pieces[0] = (struct iovec){ .iov_base = (void *) text, .iov_len = strlen(text) };
        r = gzip_pack(pieces, n, &w->packed[stream][i]);
        return r < 0 ? error_errno(e, -r, "compressing %s.xml", kinds[stream].type) : 0;
}

static int map_stream(void *data, size_t i, Error *e) {
        map_old(data, i);
        return 0;
}

static void order_streams(Writing *w) {
        uint64_t size[INDEX_STREAMS] = {};

        for (size_t i = 0; i < INDEX_STREAMS; i++) {
                size_t at = i;

                for (size_t k = 0; k < w->n; k++)
                        size[i] += w->entries[k].size[i];
                for (; at > 0 && size[w->order[at - 1]] < size[i]; at--)
                        w->order[at] = w->order[at - 1];
                w->order[at] = i;
        }
}

/* The digests first: each is one long piece of work. */
static int work_on(void *data, size_t i, Error *e) {
        Writing *w = data;

        if (i < INDEX_STREAMS)
                return digest_open(w, w->order[i], e);
        i -= INDEX_STREAMS;
        return pack_part(w, i % INDEX_STREAMS, i / INDEX_STREAMS, e);
}

static int join_stream(void *data, size_t i, Error *e) {
        Writing *w = data;
        _cleanup_close_ int fd = openat(w->dir_fd, kinds[i].temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        int r;

        if (fd < 0 || fchmod(fd, 0644) < 0)
                return error_errno(e, errno, "repodata/%s", kinds[i].temporary);
        for (size_t k = 0; k < w->n_parts + 2; k++)
                w->open_size[i] += w->packed[i][k].open_size;
        r = gzip_join(fd, w->packed[i], w->n_parts + 2, w->sha256[i], &w->size[i]);
        sync_begin(fd);
        return r < 0 ? error_errno(e, -r, "writing %s.xml.gz", kinds[i].type) : 0;
}

static int settle(Index *x, const Writing *w, size_t i, const char *sha256, const char *open_sha256, uint64_t size, uint64_t open_size, Error *e) {
        IndexFile *file = &x->files[x->n_files];

        *file = (IndexFile){ .type = kinds[i].type, .size = size, .open_size = open_size };
        memcpy(file->sha256, sha256, SHA256_HEX_SIZE);
        memcpy(file->open_sha256, open_sha256, SHA256_HEX_SIZE);
        file->name = format("%s-%s", sha256, kinds[i].suffix);
        if (!file->name)
                return error_oom(e);
        if (renameat(w->dir_fd, kinds[i].temporary, w->dir_fd, file->name) < 0)
                return error_errno(e, errno, "repodata/%s", file->name);
        x->n_files++;
        return 0;
}

static int write_text(const Writing *w, const char *name, const char *text, Error *e) {
        int r = write_file_new(w->dir_fd, name, text, strlen(text), 0644);
        return r < 0 ? error_errno(e, -r, "repodata/%s", name) : 0;
}

static int write_comps(Index *x, const Writing *w, const char *comps, Error *e) {
        char sha256[SHA256_HEX_SIZE];
        int r;

        if ((r = sha256_buffer(comps, strlen(comps), sha256)) < 0)
                return error_errno(e, -r, "SHA-256");
        r = write_text(w, kinds[GROUP].temporary, comps, e);
        return r < 0 ? r : settle(x, w, GROUP, sha256, sha256, strlen(comps), strlen(comps), e);
}

static int write_repomd(Index *x, const Writing *w, int64_t revision, const Freshness *freshness, Error *e) {
        _cleanup_free_ char *number = format("%" PRIi64, revision);
        char *hrefs[N_FILES] = {};
        RepomdFile files[N_FILES] = {};
        Repomd repomd = { .revision = number, .freshness = *freshness, .files = files, .n_files = x->n_files };
        bool ok = number;

        for (size_t i = 0; i < x->n_files; i++) {
                IndexFile *f = &x->files[i];
                bool packed = !streq(f->type, kinds[GROUP].type);

                ok = (hrefs[i] = format("repodata/%s", f->name)) && ok;
                files[i] = (RepomdFile){ .type = (char *) f->type, .href = hrefs[i], .digest = "sha256", .open_digest = "sha256", .checksum = f->sha256, .open_checksum = packed ? f->open_sha256 : NULL,
                                         .size = f->size, .open_size = f->open_size };
        }
        x->repomd = ok ? repomd_render(&repomd) : NULL;
        for (size_t i = 0; i < N_FILES; i++)
                free(hrefs[i]);
        return x->repomd ? write_text(w, "repomd.xml", x->repomd, e) : error_oom(e);
}

/* Where each part has come to lie, behind the ten bytes of the gzip header. */
static int note_parts(const Writing *w, IndexParts *ret, Error *e) {
        for (size_t i = 0; i < INDEX_STREAMS; i++) {
                uint64_t at = 10 + w->packed[i][0].size;

                memcpy(ret->sha256[i], w->sha256[i], SHA256_HEX_SIZE);
                ret->parts[i] = calloc(w->n_parts + 1, sizeof(IndexPart));
                if (!ret->parts[i])
                        return error_oom(e);
                ret->n[i] = w->n_parts;
                for (size_t k = 0; k < w->n_parts; k++) {
                        const GzipPart *g = &w->packed[i][k + 1];

                        ret->parts[i][k] = (IndexPart){ .at = at, .size = g->size, .open_size = g->open_size, .crc = g->crc };
                        memcpy(ret->parts[i][k].key, w->parts[k].key, SHA256_HEX_SIZE);
                        at += g->size;
                }
        }
        return 0;
}

int index_write(int dir_fd, const IndexEntry *entries, size_t n, const char *comps, int64_t revision, const Freshness *freshness,
                const IndexParts *old, int old_fd, Index **ret, Error *e) {
        _cleanup_(writing_done) Writing w = { .dir_fd = dir_fd, .entries = entries, .n = n, .old = old, .old_fd = old_fd };
        _cleanup_(index_freep) Index *x = calloc(1, sizeof(*x));
        int r;

        if (!x)
                return error_oom(e);
        if (old)
                (void) parallel_run(INDEX_STREAMS, map_stream, &w, e);
        order_streams(&w);
        if ((r = divide(&w, e)) < 0 || (r = parallel_run(INDEX_STREAMS + INDEX_STREAMS * (w.n_parts + 2), work_on, &w, e)) < 0 ||
            (r = parallel_run(INDEX_STREAMS, join_stream, &w, e)) < 0)
                return r;
        for (size_t i = 0; i < INDEX_STREAMS; i++)
                if ((r = settle(x, &w, i, w.sha256[i], w.open_sha256[i], w.size[i], w.open_size[i], e)) < 0)
                        return r;
        if ((r = note_parts(&w, &x->parts, e)) < 0 || (comps && (r = write_comps(x, &w, comps, e)) < 0) || (r = write_repomd(x, &w, revision, freshness, e)) < 0)
                return r;
        *ret = TAKE_PTR(x);
        return 0;
}

const IndexFile *index_files(const Index *x, size_t *ret_n) {
        *ret_n = x->n_files;
        return x->files;
}

const IndexParts *index_parts(const Index *x) {
        return &x->parts;
}

const char *index_repomd(const Index *x) {
        return x->repomd;
}
