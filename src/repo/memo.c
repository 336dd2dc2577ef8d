/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/memo.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "basic/fs.h"
#include "basic/strings.h"

#define FORMAT     "gn8v-tee publish memo 5, " GN8V_VERSION
#define BOOT_ID    "/proc/sys/kernel/random/boot_id"
#define PARTS_MAX  10000000u
#define CERTIFICATION_MAX 2048
#define NSEC       1000000000
#define GARBAGE    4 /* XML is made anew when less than one in so many bytes of it is used */

static const char *const streams[INDEX_STREAMS] = { [INDEX_PRIMARY] = "primary", [INDEX_FILELISTS] = "filelists", [INDEX_OTHER] = "other" };

typedef struct MemoHeader {
        char format[64], boot[40], signer[48];
        unsigned char certification[CERTIFICATION_MAX];
        uint64_t certification_size;
        uint64_t n_entries, n_strings, n_solv;
        uint64_t xml_number, xml_size[INDEX_STREAMS];
        uint64_t n_parts[INDEX_STREAMS];
        char parts_sha256[INDEX_STREAMS][SHA256_HEX_SIZE];
        int64_t xml_seal[INDEX_STREAMS], solv_seal, seal; /* the times that the files were given: one that was written to since has another */
        uint64_t size; /* of all of it */
} MemoHeader;

struct Memo {
        char *dir, *solv, *solv_new;
        char boot[40], signer[48];
        void *state;
        size_t state_size;
        const MemoHeader *header; /* NULL: nothing is known */
        const MemoEntry *entries;
        const char *strings;
        IndexParts parts; /* in the state: not to be freed */
        char *xml[INDEX_STREAMS];
        size_t xml_size[INDEX_STREAMS];
        unsigned char certification[CERTIFICATION_MAX];
        size_t certification_size, n_solv;
        bool written, written_solv;
        uint64_t written_number; /* of its XML */
};

static void unmap(Memo *m) {
        if (m->state)
                (void) munmap(m->state, m->state_size);
        for (size_t i = 0; i < INDEX_STREAMS; i++) {
                if (m->xml[i])
                        (void) munmap(m->xml[i], m->xml_size[i]);
                m->xml[i] = NULL;
        }
        m->state = NULL;
        m->header = NULL;
}

static int open_dir(const Memo *m) {
        return open(m->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* What a run was writing that came to nothing. */
static void remove_half(const Memo *m) {
        _cleanup_close_ int fd = open_dir(m);

        if (fd < 0)
                return;
        (void) unlinkat(fd, "state.new", 0);
        (void) unlinkat(fd, "base.solv.new", 0);
}

Memo *memo_free(Memo *m) {
        if (!m)
                return NULL;
        if (m->boot[0])
                remove_half(m);
        unmap(m);
        free(m->dir);
        free(m->solv);
        free(m->solv_new);
        free(m);
        return NULL;
}

static void *map(const char *dir, const char *name, size_t *ret_size, int64_t *ret_seal) {
        _cleanup_free_ char *path = path_join(dir, name);
        _cleanup_close_ int fd = path ? open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
        struct stat st;
        void *data;

        if (fd < 0 || fstat(fd, &st) < 0 || map_fd(fd, SIZE_MAX, &data, ret_size) < 0)
                return NULL;
        *ret_seal = file_id(&st).mtime_ns;
        return data;
}

/* Signed metadata are made of it without another look: it has to be what was written. */
static int put_seal(int fd, int64_t seal) {
        struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = seal / NSEC, .tv_nsec = seal % NSEC } };
        return futimens(fd, times) < 0 ? -errno : 0;
}

static bool take_bytes(const Memo *m, size_t *at, uint64_t n, size_t each, const void **ret) {
        if (n > (m->state_size - *at) / each)
                return false;
        *ret = (const char *) m->state + *at;
        *at += (size_t) n * each;
        return true;
}

/* So many strings behind each other do not reach beyond the end, which is a NUL. */
static bool strings_fit(const Memo *m, uint64_t at, uint32_t n) {
        for (; n > 0 && at < m->header->n_strings; n--)
                at += strlen(m->strings + at) + 1;
        return n == 0;
}

static bool entry_is_valid(const Memo *m, const MemoEntry *x) {
        for (size_t i = 0; i < INDEX_STREAMS; i++)
                if (x->xml_at[i] > m->xml_size[i] || x->xml_size[i] > m->xml_size[i] - x->xml_at[i])
                        return false;
        return x->href < m->header->n_strings && x->file < m->header->n_strings && x->releases < m->header->n_strings && strings_fit(m, x->releases, x->n_releases) &&
               x->input_sha256[SHA256_HEX_SIZE - 1] == '\0' && x->sha256[SHA256_HEX_SIZE - 1] == '\0' && x->solv < (int64_t) m->header->n_solv;
}

/* Its own file, but nothing in it is believed to be in its bounds. */
static bool read_state(Memo *m, int64_t seal) {
        const MemoHeader *h = m->state;
        const void *p;
        size_t at = sizeof(MemoHeader);

        if (m->state_size < sizeof(MemoHeader) || h->size != m->state_size || h->seal != seal || h->certification_size > sizeof(h->certification) || strncmp(h->format, FORMAT, sizeof(h->format)) != 0 ||
            strncmp(h->boot, m->boot, sizeof(h->boot)) != 0 || strncmp(h->signer, m->signer, sizeof(h->signer)) != 0)
                return false;
        m->header = h;
        if (!take_bytes(m, &at, h->n_entries, sizeof(MemoEntry), &p))
                return false;
        m->entries = p;
        for (size_t i = 0; i < INDEX_STREAMS; i++) {
                if (h->n_parts[i] > PARTS_MAX || h->parts_sha256[i][SHA256_HEX_SIZE - 1] || !take_bytes(m, &at, h->n_parts[i], sizeof(IndexPart), &p))
                        return false;
                m->parts.parts[i] = (IndexPart *) p;
                m->parts.n[i] = (size_t) h->n_parts[i];
                memcpy(m->parts.sha256[i], h->parts_sha256[i], SHA256_HEX_SIZE);
                for (size_t k = 0; k < m->parts.n[i]; k++)
                        if (m->parts.parts[i][k].key[SHA256_HEX_SIZE - 1])
                                return false;
        }
        if (!take_bytes(m, &at, h->n_strings, 1, &p) || at != m->state_size || h->n_strings == 0)
                return false;
        m->strings = p;
        return m->strings[h->n_strings - 1] == '\0';
}

static char *xml_name(uint64_t number, size_t stream) {
        return format("%" PRIu64 ".%s", number, streams[stream]);
}

static bool read_files(Memo *m) {
        struct stat st;

        for (size_t i = 0; i < INDEX_STREAMS; i++) {
                _cleanup_free_ char *name = xml_name(m->header->xml_number, i);
                int64_t seal;

                m->xml[i] = name ? map(m->dir, name, &m->xml_size[i], &seal) : NULL;
                if (!m->xml[i] || m->xml_size[i] < m->header->xml_size[i] || seal != m->header->xml_seal[i])
                        return false;
        }
        m->n_solv = stat(m->solv, &st) == 0 && file_id(&st).mtime_ns == m->header->solv_seal ? (size_t) m->header->n_solv : 0;
        return true;
}

/* Also of a repository that is still to be made; owned by the caller. */
static char *absolute(const char *path) {
        const char *base = path_basename(path);
        _cleanup_free_ char *parent = NULL, *given = NULL;
        char *real = realpath(path, NULL);

        if (real)
                return real;
        given = base == path ? strdup(".") : strndup(path, (size_t) (base - path));
        parent = given ? realpath(given, NULL) : NULL;
        return format("%s/%s", parent ? parent : given ? given : "", base);
}

/* One folder a repository and key: the name says nothing, its digest tells it from others. */
static int name_dir(Memo *m, const char *workspace, const char *repo, const char *signer, Error *e) {
        _cleanup_free_ char *real = absolute(repo), *whose = format("%s %s", signer, real ? real : repo);
        char hex[SHA256_HEX_SIZE];

        if (!whose || sha256_buffer(whose, strlen(whose), hex) < 0)
                return error_oom(e);
        m->dir = format("%s/cache/publish-%.16s", workspace, hex);
        m->solv = m->dir ? path_join(m->dir, "base.solv") : NULL;
        m->solv_new = m->dir ? path_join(m->dir, "base.solv.new") : NULL;
        return m->solv && m->solv_new ? 0 : error_oom(e);
}

int memo_open(const char *workspace, const char *repo, const char *signer, Memo **ret, Error *e) {
        _cleanup_(memo_freep) Memo *m = calloc(1, sizeof(*m));
        _cleanup_free_ char *boot = NULL;
        int64_t seal;
        int r;

        if (!m)
                return error_oom(e);
        if ((r = name_dir(m, workspace, repo, signer, e)) < 0)
                return r;
        if (read_file(AT_FDCWD, BOOT_ID, sizeof(m->boot) - 1, &boot, NULL) < 0 || strlen(signer) >= sizeof(m->signer)) {
                *ret = TAKE_PTR(m);
                return 0; /* without a boot's name nothing is kept either */
        }
        memcpy(m->boot, boot, strlen(boot));
        memcpy(m->signer, signer, strlen(signer));
        remove_half(m);
        m->state = map(m->dir, "state", &m->state_size, &seal);
        if (!m->state || !read_state(m, seal) || !read_files(m)) {
                unmap(m);
                (void) remove_tree(AT_FDCWD, m->dir);
        }
        *ret = TAKE_PTR(m);
        return 0;
}

const char *memo_string(const Memo *m, uint32_t at) {
        return m->strings + at;
}

#define NEAR 2 /* what was added or removed since moves a name by so much, mostly */

static int compare(const Memo *m, const char *file, size_t i) {
        return m->entries[i].file < m->header->n_strings ? strcmp(file, m->strings + m->entries[i].file) : -1;
}

static const MemoEntry *look(const Memo *m, const char *file, size_t guess) {
        size_t low = 0, n = (size_t) m->header->n_entries, high = n;

        for (size_t i = 0; i <= NEAR; i++) {
                if (guess + i < n && compare(m, file, guess + i) == 0)
                        return &m->entries[guess + i];
                if (i > 0 && guess >= i && guess - i < n && compare(m, file, guess - i) == 0)
                        return &m->entries[guess - i];
        }
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int c = compare(m, file, middle);

                if (c == 0)
                        return &m->entries[middle];
                if (c > 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}

const MemoEntry *memo_find(const Memo *m, const char *file, size_t guess) {
        const MemoEntry *x = m && m->header ? look(m, file, guess) : NULL;
        return x && entry_is_valid(m, x) ? x : NULL;
}

void memo_xml(const Memo *m, const MemoEntry *x, IndexEntry *ret) {
        for (size_t i = 0; i < INDEX_STREAMS; i++) {
                ret->xml[i] = m->xml[i] + x->xml_at[i];
                ret->size[i] = x->xml_size[i];
        }
        memcpy(ret->sha256, x->sha256, SHA256_HEX_SIZE);
}

const void *memo_certification(const Memo *m, size_t *ret_size) {
        *ret_size = m->header ? (size_t) m->header->certification_size : 0;
        return m->header ? m->header->certification : NULL;
}

void memo_set_certification(Memo *m, const void *data, size_t size) {
        m->certification_size = size <= sizeof(m->certification) ? size : 0;
        if (m->certification_size > 0)
                memcpy(m->certification, data, size);
}

const IndexParts *memo_parts(const Memo *m) {
        return m->header ? &m->parts : NULL;
}

const char *memo_solv(const Memo *m) {
        return m->solv;
}

size_t memo_solv_size(const Memo *m) {
        return m->header ? m->n_solv : 0;
}

const char *memo_solv_new(const Memo *m) {
        return mkdir_parents(AT_FDCWD, m->dir, 0755) < 0 ? NULL : m->solv_new;
}

/* Appends what is new of one stream, or begins another file with everything. */
static int write_stream(const Memo *m, int dir_fd, size_t stream, bool afresh, const MemoItem *items, MemoEntry *entries, size_t n, MemoHeader *h) {
        _cleanup_free_ char *name = xml_name(h->xml_number, stream);
        uint64_t at = afresh ? 0 : m->header->xml_size[stream];
        _cleanup_close_ int fd = -1;
        _cleanup_text_ Text t = {};
        int r;

        if (!name)
                return -ENOMEM;
        if (afresh)
                (void) unlinkat(dir_fd, name, 0);
        fd = openat(dir_fd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | (afresh ? O_CREAT | O_EXCL : 0), 0644);
        if (fd < 0 || lseek(fd, (off_t) at, SEEK_SET) < 0)
                return -errno;
        for (size_t i = 0; i < n; i++) {
                const MemoItem *item = &items[i];

                entries[i].xml_size[stream] = (uint32_t) item->xml->size[stream];
                entries[i].xml_at[stream] = item->old && !afresh ? item->old->xml_at[stream] : at + t.size;
                if (!item->old || afresh)
                        text_append_n(&t, item->xml->xml[stream], item->xml->size[stream]);
        }
        if (t.failed)
                return -ENOMEM;
        h->xml_size[stream] = at + t.size;
        h->xml_seal[stream] = afresh || t.size > 0 ? h->seal : m->header->xml_seal[stream];
        if (t.size > 0 && (r = write_all(fd, t.data, t.size)) < 0)
                return r;
        return put_seal(fd, h->xml_seal[stream]);
}

/* Whether most of the XML is of no use any more. */
static bool is_garbage(const Memo *m, const MemoItem *items, size_t n) {
        uint64_t used = 0, all = 0;

        for (size_t k = 0; k < INDEX_STREAMS; k++) {
                all += m->header->xml_size[k];
                for (size_t i = 0; i < n; i++)
                        used += items[i].old ? items[i].old->xml_size[k] : 0;
        }
        return used < all / GARBAGE;
}

static int write_xml(const Memo *m, int dir_fd, const MemoItem *items, MemoEntry *entries, size_t n, MemoHeader *h) {
        bool afresh = !m->header || is_garbage(m, items, n);
        int r = 0;

        h->xml_number = (m->header ? m->header->xml_number : 0) + afresh;
        for (size_t i = 0; r >= 0 && i < INDEX_STREAMS; i++)
                r = write_stream(m, dir_fd, i, afresh, items, entries, n, h);
        return r;
}

static void put_strings(const MemoItem *item, MemoEntry *x, Text *strings) {
        x->href = x->file = (uint32_t) strings->size;
        text_append_n(strings, item->href, strlen(item->href) + 1);
        /* Mostly its end. */
        if (endswith(item->href, item->file))
                x->file += (uint32_t) (strlen(item->href) - strlen(item->file));
        else {
                x->file = (uint32_t) strings->size;
                text_append_n(strings, item->file, strlen(item->file) + 1);
        }
        x->releases = (uint32_t) strings->size;
        x->n_releases = 0;
        STRV_FOREACH(s, item->releases) {
                text_append_n(strings, *s, strlen(*s) + 1);
                x->n_releases++;
        }
        if (x->n_releases == 0)
                text_append_n(strings, "", 1);
}

static int write_pieces(int dir_fd, const char *name, const struct iovec *v, size_t n, int64_t seal) {
        _cleanup_close_ int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        int r = fd < 0 ? -errno : 0;

        for (size_t i = 0; r >= 0 && i < n; i++)
                r = write_all(fd, v[i].iov_base, v[i].iov_len);
        return r < 0 ? r : put_seal(fd, seal);
}

static int write_state(int dir_fd, MemoHeader *h, const MemoItem *items, MemoEntry *entries, size_t n, const IndexParts *parts) {
        struct iovec v[3 + INDEX_STREAMS] = { { h, sizeof(*h) }, { entries, n * sizeof(*entries) } };
        _cleanup_text_ Text strings = {};

        for (size_t i = 0; i < n; i++)
                put_strings(&items[i], &entries[i], &strings);
        if (strings.failed || strings.size > UINT32_MAX)
                return -ENOMEM;
        for (size_t i = 0; i < INDEX_STREAMS; i++)
                v[2 + i] = (struct iovec){ parts->parts[i], parts->n[i] * sizeof(IndexPart) };
        v[2 + INDEX_STREAMS] = (struct iovec){ strings.data, strings.size };
        h->n_strings = strings.size;
        for (size_t i = 0; i < ELEMENTSOF(v); i++)
                h->size += v[i].iov_len;
        (void) unlinkat(dir_fd, "state.new", 0);
        return write_pieces(dir_fd, "state.new", v, ELEMENTSOF(v), h->seal);
}

static int seal_solv(int dir_fd, int64_t seal) {
        _cleanup_close_ int fd = openat(dir_fd, "base.solv.new", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : put_seal(fd, seal);
}

static int write_all_of(Memo *m, int dir_fd, const MemoItem *items, MemoEntry *entries, size_t n, const IndexParts *parts, bool new_solv) {
        MemoHeader h = { .seal = file_id_now(), .n_entries = n, .n_solv = new_solv ? n : memo_solv_size(m) };
        int r;

        memcpy(h.format, FORMAT, MIN(sizeof(FORMAT), sizeof(h.format)));
        memcpy(h.boot, m->boot, sizeof(h.boot));
        memcpy(h.signer, m->signer, sizeof(h.signer));
        memcpy(h.certification, m->certification, sizeof(h.certification));
        h.certification_size = m->certification_size;
        h.solv_seal = new_solv ? h.seal : m->header ? m->header->solv_seal : 0;
        if (new_solv && (r = seal_solv(dir_fd, h.seal)) < 0)
                return r;
        for (size_t i = 0; i < INDEX_STREAMS; i++) {
                h.n_parts[i] = parts->n[i];
                memcpy(h.parts_sha256[i], parts->sha256[i], SHA256_HEX_SIZE);
        }
        if ((r = write_xml(m, dir_fd, items, entries, n, &h)) < 0 || (r = write_state(dir_fd, &h, items, entries, n, parts)) < 0)
                return r;
        m->written = true;
        m->written_solv = new_solv;
        m->written_number = h.xml_number;
        return 0;
}

void memo_write(Memo *m, const MemoItem *items, MemoEntry *entries, size_t n, const IndexParts *parts, bool new_solv) {
        _cleanup_close_ int fd = -1;

        if (!m->boot[0] || mkdir_parents(AT_FDCWD, m->dir, 0755) < 0)
                return;
        fd = open_dir(m);
        if (fd >= 0 && write_all_of(m, fd, items, entries, n, parts, new_solv) < 0)
                (void) unlinkat(fd, "state.new", 0);
}

void memo_switch(Memo *m) {
        _cleanup_close_ int fd = m->written ? open_dir(m) : -1;

        if (fd < 0)
                return;
        m->written = false;
        /* The state that fits another base.solv goes before it changes. */
        if (m->written_solv && ((unlinkat(fd, "state", 0) < 0 && errno != ENOENT) || renameat(fd, "base.solv.new", fd, "base.solv") < 0))
                return;
        if (renameat(fd, "state.new", fd, "state") < 0)
                return;
        for (size_t i = 0; m->header && m->header->xml_number != m->written_number && i < INDEX_STREAMS; i++) {
                _cleanup_free_ char *old = xml_name(m->header->xml_number, i);

                if (old)
                        (void) unlinkat(fd, old, 0);
        }
}
