/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/mirror-select.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/index.h"
#include "repo/seal.h"
#include "repo/solve.h"

typedef struct Selecting {
        const MirrorSource *sources;
        size_t n, n_worlds, n_platforms;
        WorldSource *worlds; /* the sources, then the platforms */
        Platform **platforms;
        char **paths;
} Selecting;

static void selecting_done(Selecting *s) {
        for (size_t i = 0; i < s->n_platforms; i++)
                platform_free(s->platforms[i]);
        free(s->platforms);
        free(s->worlds);
        strv_free(s->paths);
}

/* For libsolv: unpacked, so that it does not matter what its build can unpack. */
static int write_unpacked(const MirrorSource *s, const char *type, const char *dir, Error *e) {
        const MirrorFile *f = mirror_source_find(s, type);
        _cleanup_free_ char *text = NULL, *path = format("%s/repodata/%s.xml", dir, type);
        size_t size;
        int r;

        if (!path)
                return error_oom(e);
        if (!f)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: its repomd.xml names no %s", s->url, type);
        if ((r = mirror_file_text(s, f, &text, &size, e)) < 0)
                return r;
        r = write_file_new(AT_FDCWD, path, text, size, 0644);
        return r < 0 ? error_errno(e, -r, "%s", path) : 0;
}

static int write_source(const MirrorSource *s, const char *dir, Error *e) {
        static const char repomd[] = "<repomd xmlns=\"http://linux.duke.edu/metadata/repo\"><data type=\"primary\"><location href=\"repodata/primary.xml\"/></data>"
                                     "<data type=\"filelists\"><location href=\"repodata/filelists.xml\"/></data></repomd>\n";
        _cleanup_free_ char *sub = path_join(dir, "repodata"), *path = sub ? path_join(sub, "repomd.xml") : NULL;
        int r;

        if (!path)
                return error_oom(e);
        if ((r = mkdir_parents(AT_FDCWD, sub, 0755)) < 0 || (r = write_file_new(AT_FDCWD, path, repomd, strlen(repomd), 0644)) < 0)
                return error_errno(e, -r, "%s", path);
        r = write_unpacked(s, "primary", dir, e);
        return r < 0 ? r : write_unpacked(s, "filelists", dir, e);
}

static int add_platforms(Selecting *s, char *const *platforms, Error *e) {
        STRV_FOREACH(p, platforms) {
                WorldSource *w = &s->worlds[s->n_worlds];
                struct stat st;
                int r;

                if (stat(*p, &st) < 0)
                        return error_errno(e, errno, "platform %s", *p);
                *w = (WorldSource){ .role = WORLD_PLATFORM };
                if (S_ISDIR(st.st_mode))
                        w->path = *p;
                else {
                        if ((r = platform_load(*p, &s->platforms[s->n_platforms], e)) < 0)
                                return r;
                        w->list = s->platforms[s->n_platforms++];
                }
                s->n_worlds++;
        }
        return 0;
}

static int make_world(Selecting *s, const MirrorOptions *o, const char *scratch, World **ret, Error *e) {
        size_t n = s->n + strv_length(o->platforms);
        int r;

        s->worlds = calloc(n + 1, sizeof(*s->worlds));
        s->platforms = calloc(n + 1, sizeof(*s->platforms));
        if (!s->worlds || !s->platforms)
                return error_oom(e);
        for (size_t i = 0; i < s->n; i++) {
                _cleanup_free_ char *dir = format("%s/%zu", scratch, i);

                if (!dir || strv_append(&s->paths, dir) < 0)
                        return error_oom(e);
                if ((r = write_source(&s->sources[i], dir, e)) < 0)
                        return r;
                s->worlds[s->n_worlds++] = (WorldSource){ .role = i == 0 ? WORLD_OURS : WORLD_BESIDE };
        }
        for (size_t i = 0; i < s->n; i++)
                s->worlds[i].path = s->paths[i];
        if ((r = add_platforms(s, o->platforms, e)) < 0)
                return r;
        return world_new_for(o->arch, s->worlds, s->n_worlds, ret, e);
}

static int by_place(const void *a, const void *b) {
        const MirrorPick *x = a, *y = b;

        return x->source != y->source ? (x->source > y->source) - (x->source < y->source) : (x->at > y->at) - (x->at < y->at);
}

static int find_pick(const Selecting *s, const WorldChoice *c, MirrorPick *ret, Error *e) {
        const Primary *p = s->sources[c->source].primary;

        for (size_t i = 0; i < p->n_packages; i++)
                if (streq(p->packages[i]->checksum, c->checksum)) {
                        *ret = (MirrorPick){ .source = c->source, .at = i };
                        return 0;
                }
        return error_set(e, ENOENT, EXIT_INVALID, "%s: libsolv found a package that its primary.xml does not have", s->sources[c->source].url);
}

int mirror_select(const MirrorSource *sources, size_t n, const MirrorOptions *o, const char *scratch, MirrorPick **ret, size_t *ret_n, Error *e) {
        _cleanup_(selecting_done) Selecting s = { .sources = sources, .n = n };
        _cleanup_(world_freep) World *w = NULL;
        _cleanup_free_ MirrorPick *picks = NULL;
        WorldChoice *choices = NULL;
        size_t n_choices = 0, kept = 0;
        int r = make_world(&s, o, scratch, &w, e);

        /* One after the other: what is named need not fit beside each other on one machine. */
        STRV_FOREACH(name, o->packages)
                if (r >= 0)
                        r = world_close(w, *name, o->weak, &choices, &n_choices, e);
        if (r >= 0 && !(picks = calloc(n_choices + 1, sizeof(*picks))))
                r = error_oom(e);
        for (size_t i = 0; r >= 0 && i < n_choices; i++)
                if (choices[i].source < n) /* the others are the platform's */
                        r = find_pick(&s, &choices[i], &picks[kept++], e);
        world_choices_free(choices, n_choices);
        if (r < 0)
                return r;
        if (kept > 0)
                qsort(picks, kept, sizeof(*picks), by_place);
        *ret = TAKE_PTR(picks);
        *ret_n = kept;
        return 0;
}

/* The texts that the fragments point into. */
typedef struct Texts {
        char **v;
        size_t n;
} Texts;

static void texts_free(Texts *t) {
        for (size_t i = 0; i < t->n; i++)
                free(t->v[i]);
        free(t->v);
}

static int by_pkgid(const void *a, const void *b) {
        return strcmp(((const XmlPackage *) a)->pkgid, ((const XmlPackage *) b)->pkgid);
}

/* One stream of one source: its picked packages' own XML. */
static int take_stream(const MirrorSource *s, size_t source, size_t stream, const MirrorPick *picks, size_t n_picks, IndexEntry *entries, Texts *texts, Error *e) {
        static const char *const types[] = { [INDEX_FILELISTS] = "filelists", [INDEX_OTHER] = "other" };
        static const char *const roots[] = { [INDEX_FILELISTS] = "filelists", [INDEX_OTHER] = "otherdata" };
        const MirrorFile *f = mirror_source_find(s, types[stream]);
        _cleanup_free_ char *name = format("%s/%s.xml", s->url, types[stream]);
        XmlPackage *v;
        size_t size, n;
        int r;

        if (!name)
                return error_oom(e);
        if (!f)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: its repomd.xml names no %s", s->url, types[stream]);
        if ((r = mirror_file_text(s, f, &texts->v[texts->n], &size, e)) < 0)
                return r;
        texts->n++;
        if ((r = xml_packages_parse(texts->v[texts->n - 1], size, name, roots[stream], &v, &n, e)) < 0)
                return r;
        if (n > 0)
                qsort(v, n, sizeof(*v), by_pkgid);
        for (size_t i = 0; r >= 0 && i < n_picks; i++) {
                const XmlPackage *found, key = { .pkgid = picks[i].source == source ? s->primary->packages[picks[i].at]->checksum : NULL };

                if (!key.pkgid)
                        continue;
                found = n > 0 ? bsearch(&key, v, n, sizeof(*v), by_pkgid) : NULL;
                if (!found)
                        r = error_set(e, EBADMSG, EXIT_INVALID, "%s: %s is not in it", name, s->primary->packages[picks[i].at]->nevra);
                else {
                        entries[i].xml[stream] = found->fragment.text;
                        entries[i].size[stream] = found->fragment.size;
                }
        }
        xml_packages_free(v, n);
        return r;
}

static int take_fragments(const MirrorSource *sources, size_t n, const MirrorPick *picks, size_t n_picks, IndexEntry *entries, Texts *texts, Error *e) {
        int r;

        if (!(texts->v = calloc(2 * n + 1, sizeof(*texts->v))))
                return error_oom(e);
        for (size_t i = 0; i < n_picks; i++) {
                const MirrorSource *s = &sources[picks[i].source];

                entries[i].href = s->primary->packages[picks[i].at]->href;
                memcpy(entries[i].sha256, s->primary->packages[picks[i].at]->checksum, SHA256_HEX_SIZE - 1);
                entries[i].xml[INDEX_PRIMARY] = s->fragments[picks[i].at].text;
                entries[i].size[INDEX_PRIMARY] = s->fragments[picks[i].at].size;
        }
        for (size_t i = 0; i < n; i++)
                for (size_t stream = INDEX_FILELISTS; stream <= INDEX_OTHER; stream++)
                        if ((r = take_stream(&sources[i], i, stream, picks, n_picks, entries, texts, e)) < 0)
                                return r;
        return 0;
}

/* It becomes part of XML of ours. */
static bool is_plain_word(const char *s) {
        return *s && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") == strlen(s);
}

/* A file that is passed on as it came. */
static int pass_on(Repository *r, Generation *g, const MirrorSource *s, const MirrorFile *f, Repomd *repomd, Error *e) {
        const char *name = path_basename(f->f->href);
        _cleanup_free_ char *to = path_join("repodata", name);
        RepomdFile *grown, *x;

        if (!to)
                return error_oom(e);
        if (!is_plain_word(name) || !is_plain_word(f->f->type))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: %s is no name for a metadata file", s->url, f->f->href);
        if (linkat(AT_FDCWD, f->path, r->stage_fd, to, 0) < 0 || fchmodat(r->stage_fd, to, 0644, 0) < 0)
                return error_errno(e, errno, "%s/" STAGE "/%s", r->path, to);
        grown = reallocarray(repomd->files, repomd->n_files + 1, sizeof(*grown));
        if (!grown)
                return error_oom(e);
        repomd->files = grown;
        x = &grown[repomd->n_files++];
        *x = (RepomdFile){ .digest = f->f->digest, .open_digest = f->f->open_digest, .size = f->f->size, .open_size = f->f->open_size };
        x->type = strdup(f->f->type);
        x->href = strdup(to);
        x->checksum = strdup(f->f->checksum);
        x->open_checksum = f->f->open_checksum ? strdup(f->f->open_checksum) : NULL;
        if (!x->type || !x->href || !x->checksum || (f->f->open_checksum && !x->open_checksum) || strv_append(&g->metadata, name) < 0)
                return error_oom(e);
        return 0;
}

static int pass_on_all(Repository *r, Generation *g, const MirrorSource *sources, size_t n, Repomd *repomd, char ***warnings, Error *e) {
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < sources[i].n_files; k++) {
                        const MirrorFile *f = &sources[i].files[k];
                        _cleanup_free_ char *warning = NULL;
                        int q;

                        if (!mirror_type_is_whole(f->f->type))
                                continue;
                        if (!repomd_find(repomd, f->f->type)) {
                                if ((q = pass_on(r, g, &sources[i], f, repomd, e)) < 0)
                                        return q;
                                continue;
                        }
                        warning = format("%s: its %s is left out: another repository's is there", sources[i].url, f->f->type);
                        if (!warning || strv_append(warnings, warning) < 0)
                                return error_oom(e);
                }
        return 0;
}

static int write_repomd(Repository *r, Generation *g, const Index *x, const MirrorSource *sources, size_t n, Signer *signer, char **ret, char ***warnings, Error *e) {
        _cleanup_(keyring_freep) Keyring *keyring = NULL;
        _cleanup_(repomd_freep) Repomd *repomd = NULL;
        _cleanup_free_ char *text = NULL;
        char hex[SHA256_HEX_SIZE];
        int k;

        if ((k = repomd_parse(index_repomd(x), strlen(index_repomd(x)), "repomd.xml", &repomd, e)) < 0 ||
            (k = pass_on_all(r, g, sources, n, repomd, warnings, e)) < 0)
                return k;
        if (!(text = repomd_render(repomd)))
                return error_oom(e);
        if (unlinkat(r->stage_fd, "repodata/repomd.xml", 0) < 0)
                return error_errno(e, errno, "%s/" STAGE "/repodata/repomd.xml", r->path);
        if ((k = write_file_new(r->stage_fd, "repodata/repomd.xml", text, strlen(text), 0644)) < 0)
                return error_errno(e, -k, "%s/" STAGE "/repodata/repomd.xml", r->path);
        if (signer) {
                if ((k = keyring_new(signer->public_key, signer->public_key_size, "signing key", &keyring, e)) < 0 ||
                    (k = seal_repomd(r, g, signer, keyring, text, e)) < 0)
                        return k;
        } else if (sha256_buffer(text, strlen(text), hex) < 0 || !(g->repomd_sha256 = strdup(hex)))
                return error_oom(e);
        *ret = TAKE_PTR(text);
        return 0;
}

int mirror_write_selection(Repository *r, Generation *g, const MirrorSource *sources, size_t n, const MirrorPick *picks, size_t n_picks, Signer *signer,
                           char **ret_repomd, char ***warnings, Error *e) {
        _cleanup_close_ int dir = openat(r->stage_fd, "repodata", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_free_ IndexEntry *entries = calloc(n_picks + 1, sizeof(*entries));
        _cleanup_(texts_free) Texts texts = {};
        _cleanup_(index_freep) Index *x = NULL;
        const IndexFile *files;
        size_t n_files;
        int k;

        if (dir < 0)
                return error_errno(e, errno, "%s/" STAGE "/repodata", r->path);
        if (!entries)
                return error_oom(e);
        if ((k = take_fragments(sources, n, picks, n_picks, entries, &texts, e)) < 0 ||
            (k = index_write(dir, entries, n_picks, NULL, g->revision, &g->freshness, NULL, -1, &x, e)) < 0)
                return k;
        files = index_files(x, &n_files);
        for (size_t i = 0; i < n_files; i++)
                if (strv_append(&g->metadata, files[i].name) < 0)
                        return error_oom(e);
        return write_repomd(r, g, x, sources, n, signer, ret_repomd, warnings, e);
}
