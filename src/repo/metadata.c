/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/metadata.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/archive.h"

#define SIGNATURE_MAX (1024u * 1024)
#define SMALL_TEXT    (64u * 1024 * 1024)
#define RATIO_MAX     200

void metadata_clear(Metadata *m) {
        repomd_free(m->repomd);
        primary_free(m->primary);
        *m = (Metadata){};
}

uint64_t metadata_text_max(uint64_t packed) {
        return packed > METADATA_TEXT_MAX / RATIO_MAX ? METADATA_TEXT_MAX : MIN((uint64_t) METADATA_TEXT_MAX, SMALL_TEXT + packed * RATIO_MAX);
}

static int differs(const char *name, const char *what, Error *e) {
        return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: %s is not what repomd.xml says", name, what);
}

typedef struct Unpacking {
        Digest *digest; /* or NULL */
        bool is_kept;
        char *text;
        size_t size, allocated;
} Unpacking;

static void unpacking_done(Unpacking *u) {
        digest_free(u->digest);
        free(u->text);
}

static int take_data(void *userdata, const void *data, size_t size, Error *e) {
        Unpacking *u = userdata;

        if (u->digest && digest_update(u->digest, data, size) < 0)
                return error_set(e, EIO, EXIT_FAILED, "cannot compute a digest");
        if (u->is_kept && u->allocated - u->size <= size) {
                size_t more = MAX(u->allocated * 2, u->size + size + 1);
                char *grown = realloc(u->text, more);

                if (!grown)
                        return error_oom(e);
                u->text = grown;
                u->allocated = more;
        }
        if (u->is_kept)
                memcpy(u->text + u->size, data, size);
        u->size += size;
        return 0;
}

/* What we have no decoder for is told by its first bytes: a zchunk file, or an SQLite one that is not packed. */
static bool is_readable(int fd) {
        unsigned char head[5] = {};

        return pread(fd, head, sizeof(head), 0) > 0 && memcmp(head, "\0ZCK1", 5) != 0;
}

static int check_packed(int fd, const char *name, const RepomdFile *f, Error *e) {
        _cleanup_(digest_freep) Digest *d = digest_new(f->digest);
        _cleanup_free_ char *hex = NULL;
        struct stat st;
        int r;

        if (!d)
                return error_oom(e);
        if (fstat(fd, &st) < 0)
                return error_errno(e, errno, "%s", name);
        if (f->size > 0 && (uint64_t) st.st_size != f->size)
                return differs(name, "its size", e);
        if ((r = digest_fd(d, fd)) < 0)
                return error_errno(e, -r, "%s", name);
        hex = digest_hex(d);
        return !hex ? error_oom(e) : streq(hex, f->checksum) ? 0 : differs(name, "its digest", e);
}

int metadata_check(int fd, const char *name, const RepomdFile *f, char **ret_text, size_t *ret_size, Error *e) {
        return metadata_check_up_to(fd, name, f, ret_text ? METADATA_TEXT_MAX : METADATA_OPEN_MAX, ret_text, ret_size, e);
}

int metadata_check_up_to(int fd, const char *name, const RepomdFile *f, uint64_t max, char **ret_text, size_t *ret_size, Error *e) {
        _cleanup_(unpacking_done) Unpacking u = { .is_kept = ret_text };
        _cleanup_free_ char *hex = NULL;
        struct stat st;
        int r;

        if ((r = check_packed(fd, name, f, e)) < 0)
                return r;
        if (!ret_text && !f->open_checksum)
                return 0;
        if (!is_readable(fd))
                return ret_text ? error_hint(e, error_set(e, ENOTSUP, EXIT_FAILED, "%s: zchunk metadata cannot be read", name),
                                             "ask for a repository with gzip, xz, zstd or bzip2 metadata beside it") : 0;
        if (f->open_checksum && !(u.digest = digest_new(f->open_digest)))
                return error_oom(e);
        if (ret_text && fstat(fd, &st) == 0)
                max = MIN(max, metadata_text_max((uint64_t) st.st_size));
        if (f->open_size > max)
                return error_set(e, EFBIG, EXIT_INVALID, "%s: it says that it unpacks to %ju bytes, at most %ju are taken", name, (uintmax_t) f->open_size, (uintmax_t) max);
        if ((r = archive_unpack(name, fd, f->open_size > 0 ? f->open_size : max, take_data, &u, e)) < 0)
                return r;
        if (f->open_size > 0 && u.size != f->open_size)
                return differs(name, "its size, unpacked,", e);
        if (u.digest && !(hex = digest_hex(u.digest)))
                return error_oom(e);
        if (hex && !streq(hex, f->open_checksum))
                return differs(name, "its content", e);
        if (ret_text) {
                if (!u.text)
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: it is empty", name);
                u.text[u.size] = '\0';
                *ret_text = TAKE_PTR(u.text);
                *ret_size = u.size;
        }
        return 0;
}

static int load_file(int dir_fd, const char *where, const RepomdFile *f, Metadata *m, Error *e) {
        _cleanup_free_ char *name = path_join(where, f->href), *text = NULL;
        _cleanup_close_ int fd = openat(dir_fd, path_basename(f->href), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        bool primary = streq(f->type, "primary");
        size_t size;
        int r;

        if (!name)
                return error_oom(e);
        if (fd < 0)
                return error_hint(e, error_set(e, errno, EXIT_UNTRUSTED, "%s: repomd.xml names it, but it is not there", name), "fetch or export it again");
        r = metadata_check(fd, name, f, primary ? &text : NULL, &size, e);
        return r < 0 || !primary ? r : primary_parse(text, size, name, &m->primary, NULL, e);
}

int metadata_load(int dir_fd, const char *where, Keyring *keyring, Metadata *ret, Error *e) {
        _cleanup_free_ char *text = NULL, *signature = NULL, *name = path_join(where, "repodata/repomd.xml");
        _cleanup_(metadata_clear) Metadata m = {};
        size_t size, signature_size;
        int r;

        if (!name)
                return error_oom(e);
        if ((r = read_file(dir_fd, "repomd.xml", REPOMD_MAX, &text, &size)) < 0 || (r = read_file(dir_fd, "repomd.xml.asc", SIGNATURE_MAX, &signature, &signature_size)) < 0)
                return error_errno(e, -r, "%s, or its signature", name);
        if (sha256_buffer(text, size, m.repomd_sha256) < 0)
                return error_oom(e);
        if ((r = keyring_verify(keyring, text, size, signature, signature_size, name, NULL, NULL, e)) < 0 || (r = repomd_parse(text, size, name, &m.repomd, e)) < 0)
                return r;
        for (size_t i = 0; i < m.repomd->n_files; i++)
                if ((r = load_file(dir_fd, where, &m.repomd->files[i], &m, e)) < 0)
                        return r;
        if (!m.primary)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: it names no primary", name);
        *ret = m;
        m = (Metadata){};
        return 0;
}
