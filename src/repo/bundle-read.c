/* SPDX-License-Identifier: Apache-2.0 */
/* import: the members of a bundle, in the manifest's order, each to its place. */
#include "repo/bundle-import.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/metadata.h"
#include "repo/repo-file.h"

/* Where the member that is being read goes: into memory, to a staged file, or nowhere: only its digest is taken. */
typedef struct Member {
        const Import *x;
        const char *name;
        char *text;
        size_t got;
        int fd;
        Digest *digest;
} Member;

static void member_clear(Member *m) {
        free(m->text);
        safe_close(m->fd);
        digest_free(m->digest);
}

static int member_data(void *userdata, const void *data, size_t size, Error *e) {
        Member *m = userdata;
        int r;

        if (m->text) {
                memcpy(m->text + m->got, data, size);
                m->got += size;
        }
        if (m->fd >= 0 && (r = write_all(m->fd, data, size)) < 0)
                return error_errno(e, -r, "%s/" STAGE ", for %s", m->x->o->repo, m->name);
        return digest_update(m->digest, data, size) < 0 ? error_set(e, EIO, EXIT_FAILED, "cannot compute a digest") : 0;
}

/* The data of a member, whose header was read; sha256 NULL: nobody has said yet what it has to be. */
static int read_member(BundleTar *t, Member *m, uint64_t size, const char *sha256, Error *e) {
        _cleanup_free_ char *hex = NULL;
        int r;

        if (!(m->digest = digest_new("sha256")))
                return error_oom(e);
        if ((r = bundle_tar_data(t, m->name, size, member_data, m, e)) < 0)
                return r;
        if (!(hex = digest_hex(m->digest)))
                return error_oom(e);
        if (sha256 && !streq(hex, sha256))
                return import_untrusted(m->x, m->name, "its SHA-256 is not the one that was signed", e);
        if (!m->text)
                return 0;
        m->text[m->got] = '\0';
        return strlen(m->text) == m->got ? 0 : bundle_malformed(m->x->o->file, m->name, "not text", e);
}

static int read_text(Import *x, BundleTar *t, const char *name, uint64_t size, const char *sha256, char **ret, Error *e) {
        _cleanup_(member_clear) Member m = { .x = x, .name = name, .fd = -1, .text = malloc(size + 1) };
        int r;

        if (!m.text)
                return error_oom(e);
        if ((r = read_member(t, &m, size, sha256, e)) < 0)
                return r;
        *ret = TAKE_PTR(m.text);
        return 0;
}

/* Manifest, signature and key: what nobody vouches for yet is kept short, and in memory. */
static int read_head(Import *x, BundleTar *t, Error *e) {
        const struct {
                const char *name;
                uint64_t max;
                char **to;
        } heads[] = { { BUNDLE_MANIFEST, BUNDLE_MANIFEST_MAX, &x->manifest_text }, { BUNDLE_SIGNATURE, BUNDLE_SIGNATURE_MAX, &x->signature }, { BUNDLE_KEY, BUNDLE_TOP_MAX, &x->key } };
        uint64_t size;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(heads); i++) {
                if ((r = bundle_tar_peek(t, heads[i].name, &size, e)) < 0)
                        return r;
                if (size == 0 || size > heads[i].max)
                        return bundle_malformed(x->o->file, heads[i].name, "empty, or too large", e);
                if ((r = bundle_tar_next(t, heads[i].name, size, e)) < 0 || (r = read_text(x, t, heads[i].name, size, NULL, heads[i].to, e)) < 0)
                        return r;
        }
        x->mtime = t->mtime;
        return import_trust(x, e);
}

static bool is_staged_metadata(const Import *x, const char *name) {
        static const char *const fixed[] = { "repomd.xml", "repomd.xml.asc", "repomd.xml.key" };

        for (size_t i = 0; i < ELEMENTSOF(fixed); i++)
                if (streq(name, fixed[i]))
                        return true;
        return strv_contains(x->next->metadata, name);
}

static int open_staged(const Import *x, const char *path, int *ret_fd, Error *e) {
        _cleanup_close_ int fd = openat(x->repo->stage_fd, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

        if (fd < 0 || fchmod(fd, 0644) < 0)
                return error_errno(e, errno, "%s/" STAGE "/%s", x->o->repo, path);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* A file of metadata or a package: opens where it goes, if it is to be kept. */
static int open_place(const Import *x, const BundleFile *f, const char *metadata, int *ret_fd, Error *e) {
        _cleanup_free_ char *path = NULL;
        const PublishedPackage *p;

        if (!x->next)
                return bundle_malformed(x->o->file, f->path, "it comes before " BUNDLE_GENERATION, e);
        if (metadata) {
                if (!is_staged_metadata(x, metadata) || f->size > METADATA_MAX)
                        return bundle_malformed(x->o->file, f->path, "its generation does not have it, or it is too large", e);
                return x->same ? 0 : open_staged(x, f->path, ret_fd, e);
        }
        p = generation_find_href(x->next, f->path);
        if (!p)
                return bundle_malformed(x->o->file, f->path, "its generation does not have it", e);
        if (x->same || !p->staged)
                return 0;
        path = path_join("packages", p->file);
        return path ? open_staged(x, path, ret_fd, e) : error_oom(e);
}

static int read_top(Import *x, BundleTar *t, const BundleFile *f, Error *e) {
        bool generation = streq(f->path, BUNDLE_GENERATION);
        _cleanup_free_ char *text = NULL;
        int r;

        if (f->size > (generation ? BUNDLE_MANIFEST_MAX : BUNDLE_TOP_MAX))
                return bundle_malformed(x->o->file, f->path, "too large", e);
        if ((r = read_text(x, t, f->path, f->size, f->sha256, &text, e)) < 0)
                return r;
        if (generation)
                return import_take_generation(x, text, strlen(text), e);
        *(streq(f->path, REPO_KEY_FILE) ? &x->key_file : streq(f->path, VENDOR_KEY_FILE) ? &x->vendor_keys : &x->repo_file) = TAKE_PTR(text);
        return 0;
}

static int read_file_member(Import *x, BundleTar *t, const BundleFile *f, Error *e) {
        const char *metadata = startswith(f->path, "repodata/");
        _cleanup_(member_clear) Member m = { .x = x, .name = f->path, .fd = -1 };
        int r;

        if ((r = bundle_tar_next(t, f->path, f->size, e)) < 0)
                return r;
        if (!metadata && !startswith(f->path, "packages/"))
                return read_top(x, t, f, e);
        if ((r = open_place(x, f, metadata, &m.fd, e)) < 0)
                return r;
        return read_member(t, &m, f->size, f->sha256, e);
}

static int read_all(Import *x, BundleTar *t, Error *e) {
        int r = read_head(x, t, e);

        for (size_t i = 1; r >= 0 && i < x->manifest->n_files; i++)
                r = read_file_member(x, t, &x->manifest->files[i], e);
        if (r >= 0)
                r = bundle_tar_end(t, e);
        if (r >= 0 && (!x->next || !x->key_file))
                r = bundle_malformed(x->o->file, NULL, "its manifest lacks " BUNDLE_GENERATION " or " REPO_KEY_FILE, e);
        return r;
}

int import_read(Import *x, Error *e) {
        _cleanup_close_ int fd = open(x->o->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        _cleanup_(bundle_tar_close) BundleTar t = {};
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return error_hint(e, error_errno(e, errno, "%s", x->o->file), "name a file that export has written");
        if (!S_ISREG(st.st_mode))
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not a regular file", x->o->file), "name a file that export has written");
        if (x->o->progress)
                progress_begin(x->o->progress, "import", (uint64_t) st.st_size, true);
        if ((r = bundle_tar_open(&t, x->o->file, fd, (uint64_t) st.st_size, x->o->progress, e)) >= 0)
                r = read_all(x, &t, e);
        progress_end(x->o->progress);
        return r;
}
