/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/mirror-select.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/index.h"
#include "repo/mirror-merge.h"
#include "repo/seal.h"

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
        if ((r = mirror_file_text(s, f, METADATA_TEXT_MAX, &texts->v[texts->n], &size, e)) < 0)
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

static int write_repomd(Repository *r, Generation *g, const Index *x, const MirrorSource *sources, size_t n, const Signers *signers, char **ret, char ***warnings, Error *e) {
        _cleanup_(keyring_freep) Keyring *keyring = NULL;
        _cleanup_(repomd_freep) Repomd *repomd = NULL;
        _cleanup_free_ char *text = NULL;
        char hex[SHA256_HEX_SIZE];
        int k;

        if ((k = repomd_parse(index_repomd(x), strlen(index_repomd(x)), "repomd.xml", &repomd, e)) < 0 ||
            (k = mirror_pass_on(r, g, sources, n, repomd, warnings, e)) < 0)
                return k;
        if (!(text = repomd_render(repomd)))
                return error_oom(e);
        if (unlinkat(r->stage_fd, "repodata/repomd.xml", 0) < 0)
                return error_errno(e, errno, "%s/" STAGE "/repodata/repomd.xml", r->path);
        if ((k = write_file_new(r->stage_fd, "repodata/repomd.xml", text, strlen(text), 0644)) < 0)
                return error_errno(e, -k, "%s/" STAGE "/repodata/repomd.xml", r->path);
        if (signers) {
                if ((k = keyring_new_own(signers, &keyring, e)) < 0 || (k = seal_repomd(r, g, signers, keyring, text, e)) < 0)
                        return k;
        } else if (sha256_buffer(text, strlen(text), hex) < 0 || !(g->repomd_sha256 = strdup(hex)))
                return error_oom(e);
        *ret = TAKE_PTR(text);
        return 0;
}

int mirror_write_selection(Repository *r, Generation *g, const MirrorSource *sources, size_t n, const MirrorPick *picks, size_t n_picks, const Signers *signers,
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
        return write_repomd(r, g, x, sources, n, signers, ret_repomd, warnings, e);
}
