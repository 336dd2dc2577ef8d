/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/mirror-merge.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/gzip.h"
#include "repo/merge.h"

/* One kind of metadata, with all that has it. */
typedef struct Kind {
        const char *type;
        const MirrorSource **sources;
        const MirrorFile **files;
        size_t n;
} Kind;

typedef struct Passing {
        Repository *repo;
        Generation *generation;
        Repomd *repomd;
        char ***warnings;
        Error *e;
} Passing;

/* Groups come as they are, or packed beside that, under another name. */
static bool is_groups(const char *type) {
        return streq(type, "group") || startswith(type, "group_");
}

static const char *kind_of(const char *type) {
        return is_groups(type) ? "group" : type;
}

/* It becomes part of XML of ours. */
static bool is_plain_word(const char *s) {
        return *s && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") == strlen(s);
}

/* Takes file, whose strings are the caller's to give away. */
static int add_file(Passing *p, RepomdFile *file, const char *name) {
        RepomdFile *grown = reallocarray(p->repomd->files, p->repomd->n_files + 1, sizeof(*grown));

        if (!grown)
                return error_oom(p->e);
        p->repomd->files = grown;
        grown[p->repomd->n_files++] = *file;
        *file = (RepomdFile){};
        return strv_append(&p->generation->metadata, name) < 0 ? error_oom(p->e) : 0;
}

static void file_done(RepomdFile *f) {
        free(f->type);
        free(f->href);
        free(f->checksum);
        free(f->open_checksum);
}

/* A file that is passed on as it came. */
static int pass_on(Passing *p, const MirrorSource *s, const MirrorFile *f) {
        const char *name = path_basename(f->f->href);
        _cleanup_(file_done) RepomdFile x = { .digest = f->f->digest, .open_digest = f->f->open_digest, .size = f->f->size, .open_size = f->f->open_size };

        if (!is_plain_word(name) || !is_plain_word(f->f->type))
                return error_set(p->e, EBADMSG, EXIT_INVALID, "%s: %s is no name for a metadata file", s->url, f->f->href);
        x.type = strdup(f->f->type);
        x.href = path_join("repodata", name);
        x.checksum = strdup(f->f->checksum);
        x.open_checksum = f->f->open_checksum ? strdup(f->f->open_checksum) : NULL;
        if (!x.type || !x.href || !x.checksum || (f->f->open_checksum && !x.open_checksum))
                return error_oom(p->e);
        if (linkat(AT_FDCWD, f->path, p->repo->stage_fd, x.href, 0) < 0 || fchmodat(p->repo->stage_fd, x.href, 0644, 0) < 0)
                return error_errno(p->e, errno, "%s/" STAGE "/%s", p->repo->path, x.href);
        return add_file(p, &x, name);
}

/* The size of the plain text and its digest are x->open_...; what is written to *ret, and its size, is packed, or plain for groups. */
static int pack(const char *text, size_t size, bool packed, int fd, RepomdFile *x) {
        char hex[SHA256_HEX_SIZE];
        GzipPart part = {};
        int r;

        if (sha256_buffer(text, size, hex) < 0)
                return -ENOMEM;
        x->digest = "sha256";
        if (!packed) {
                x->size = size;
                x->checksum = strdup(hex);
                return x->checksum ? write_all(fd, text, size) : -ENOMEM;
        }
        x->open_digest = "sha256";
        x->open_size = size;
        if (!(x->open_checksum = strdup(hex)))
                return -ENOMEM;
        r = gzip_pack(&(struct iovec){ .iov_base = (void *) text, .iov_len = size }, 1, &part);
        if (r >= 0)
                r = gzip_join(fd, &part, 1, hex, &x->size);
        free((void *) part.data);
        return r < 0 ? r : (x->checksum = strdup(hex)) ? 0 : -ENOMEM;
}

/* A text of our own as a file whose name has its digest. */
static int write_text(Passing *p, const char *type, const char *filename, const char *text) {
        static const char temporary[] = "repodata/merged";
        bool packed = endswith(filename, ".gz");
        _cleanup_close_ int fd = openat(p->repo->stage_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        _cleanup_(file_done) RepomdFile x = {};
        _cleanup_free_ char *name = NULL;
        int r;

        if (fd < 0 || fchmod(fd, 0644) < 0)
                return error_errno(p->e, errno, "%s/" STAGE "/%s", p->repo->path, temporary);
        if ((r = pack(text, strlen(text), packed, fd, &x)) < 0)
                return error_errno(p->e, -r, "%s/" STAGE "/%s", p->repo->path, temporary);
        name = format("%s-%s", x.checksum, filename);
        x.href = name ? path_join("repodata", name) : NULL;
        x.type = strdup(type);
        if (!x.href || !x.type)
                return error_oom(p->e);
        if (renameat(p->repo->stage_fd, temporary, p->repo->stage_fd, x.href) < 0)
                return error_errno(p->e, errno, "%s/" STAGE "/%s", p->repo->path, x.href);
        return add_file(p, &x, name);
}

static int merge(Passing *p, const char *type, const MergeInput *inputs, size_t n) {
        _cleanup_free_ char *text = NULL;
        const char *filename;
        int r;

        if (streq(type, "group")) {
                r = merge_comps(inputs, n, &text, p->e);
                filename = "comps.xml";
        } else if (streq(type, "updateinfo")) {
                r = merge_updateinfo(inputs, n, &text, p->e);
                filename = "updateinfo.xml.gz";
        } else {
                r = merge_modules(inputs, n, &text, p->warnings, p->e);
                filename = "modules.yaml.gz";
        }
        return r < 0 ? r : write_text(p, type, filename, text);
}

static bool is_mergeable(const char *type) {
        return streq(type, "group") || streq(type, "updateinfo") || streq(type, "modules");
}

/* The texts of several sources, which have to be in memory together. */
static int merge_kind(Passing *p, const Kind *k) {
        _cleanup_free_ MergeInput *inputs = calloc(k->n + 1, sizeof(*inputs));
        _cleanup_strv_ char **names = NULL;
        uint64_t left = MERGE_MAX;
        int r = inputs ? 0 : error_oom(p->e);

        for (size_t i = 0; r >= 0 && i < k->n; i++) {
                _cleanup_free_ char *name = path_join(k->sources[i]->url, k->files[i]->f->href);
                char *text = NULL;
                size_t size;

                if (!name || strv_append(&names, name) < 0)
                        r = error_oom(p->e);
                else if ((r = mirror_file_text(k->sources[i], k->files[i], left, &text, &size, p->e)) >= 0) {
                        left -= size;
                        inputs[i] = (MergeInput){ .source = k->sources[i]->url, .text = text, .size = size };
                }
        }
        for (size_t i = 0; r >= 0 && i < k->n; i++)
                inputs[i].name = names[i];
        if (r >= 0)
                r = merge(p, k->type, inputs, k->n);
        for (size_t i = 0; inputs && i < k->n; i++)
                free((char *) inputs[i].text);
        return r;
}

static bool same_file(const MirrorFile *a, const MirrorFile *b) {
        const RepomdFile *x = a->f, *y = b->f;

        return streq(x->checksum, y->checksum) || (x->open_checksum && y->open_checksum && streq(x->open_checksum, y->open_checksum));
}

/* All that have one type; of one source's groups the first file counts. */
static int collect(const MirrorSource *sources, size_t n, Kind *k, Error *e) {
        k->sources = calloc(n + 1, sizeof(*k->sources));
        k->files = calloc(n + 1, sizeof(*k->files));
        if (!k->sources || !k->files)
                return error_oom(e);
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < sources[i].n_files; j++)
                        if (streq(kind_of(sources[i].files[j].f->type), k->type)) {
                                k->sources[k->n] = &sources[i];
                                k->files[k->n++] = &sources[i].files[j];
                                break;
                        }
        return 0;
}

static void kind_done(Kind *k) {
        free(k->sources);
        free(k->files);
}

/* Every file of this kind that the first source with it has: groups may be there twice, packed and not. */
static int pass_on_first(Passing *p, const Kind *k) {
        const MirrorSource *s = k->sources[0];
        int r = 0;

        for (size_t j = 0; r >= 0 && j < s->n_files; j++)
                if (streq(kind_of(s->files[j].f->type), k->type))
                        r = pass_on(p, s, &s->files[j]);
        return r;
}

static int pass_on_kind(Passing *p, const MirrorSource *sources, size_t n, const char *type) {
        _cleanup_(kind_done) Kind k = { .type = type };
        bool same = true;
        int r;

        if ((r = collect(sources, n, &k, p->e)) < 0)
                return r;
        for (size_t i = 1; i < k.n; i++)
                same = same && same_file(k.files[0], k.files[i]);
        if (!same && is_mergeable(type))
                return merge_kind(p, &k);
        for (size_t i = 1; i < k.n; i++) {
                _cleanup_free_ char *warning = NULL;

                if (same_file(k.files[0], k.files[i]))
                        continue;
                warning = format("%s: its %s is left out: another repository's is there, and these cannot be merged", k.sources[i]->url, type);
                if (!warning || strv_append(p->warnings, warning) < 0)
                        return error_oom(p->e);
        }
        return pass_on_first(p, &k);
}

int mirror_pass_on(Repository *repo, Generation *g, const MirrorSource *sources, size_t n, Repomd *repomd, char ***warnings, Error *e) {
        Passing p = { .repo = repo, .generation = g, .repomd = repomd, .warnings = warnings, .e = e };
        _cleanup_strv_ char **done = NULL;
        int r;

        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < sources[i].n_files; j++) {
                        const char *type = kind_of(sources[i].files[j].f->type);

                        if (!mirror_type_is_whole(type) || strv_contains(done, type))
                                continue;
                        if (strv_append(&done, type) < 0)
                                return error_oom(e);
                        if ((r = pass_on_kind(&p, sources, n, type)) < 0)
                                return r;
                }
        return 0;
}
