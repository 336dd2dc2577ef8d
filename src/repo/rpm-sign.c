/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/rpm-sign.h"

#include <fcntl.h>
#include <pthread.h>
#include <rpm/rpmlib.h>
#include <rpm/rpmtag.h>
#include <rpm/rpmtd.h>
#include <sys/stat.h>

#include "basic/fs.h"

#define CHUNK        ((size_t) 512 * 1024)
#define LARGE        (16 * 1024 * 1024) /* from here on a thread more pays */
#define WRITE_BEHIND (32 * 1024 * 1024)
#define LEAD_SIZE    96

/* Whether an entry of the old signature header goes: older signatures, and the space that was kept free for this one. */
static bool is_replaced(rpmTagVal tag) {
        return tag == RPMSIGTAG_RSA || tag == RPMSIGTAG_DSA || tag == RPMSIGTAG_PGP || tag == RPMSIGTAG_GPG || tag == RPMSIGTAG_PGP5 ||
               tag == RPMSIGTAG_RESERVEDSPACE;
}

/* The new signature header with magic and padding, owned by the caller. */
static int build_signature_header(const RpmFile *f, const void *packet, size_t packet_size, void **ret, size_t *ret_size, Error *e) {
        static const unsigned char magic[8] = { 0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0 };
        Header h = headerNew();
        HeaderIterator it = headerInitIterator(f->signature);
        struct rpmtd_s td;
        unsigned char *out;
        unsigned n = 0;
        size_t size;
        void *blob;
        bool good = true;

        while (headerNext(it, &td)) {
                if (!is_replaced(rpmtdTag(&td)))
                        good = good && headerPut(h, &td, HEADERPUT_DEFAULT) == 1;
                rpmtdFreeData(&td);
        }
        headerFreeIterator(it);
        good = good && headerPutBin(h, RPMSIGTAG_RSA, packet, (rpm_count_t) packet_size) == 1;
        /* Sorts the entries, and makes them an immutable region, as every signature header is. */
        h = headerReload(h, RPMTAG_HEADERSIGNATURES);
        blob = h && good ? headerExport(h, &n) : NULL;
        headerFree(h);
        if (!blob)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: its signature header cannot be rewritten", f->path);
        size = (sizeof(magic) + n + 7) & ~(size_t) 7;
        out = calloc(1, size);
        if (out) {
                memcpy(out, magic, sizeof(magic));
                memcpy(out + sizeof(magic), blob, n);
        }
        free(blob);
        if (!out)
                return error_oom(e);
        *ret = out;
        *ret_size = size;
        return 0;
}

static int read_chunk(int fd, const char *name, void *buffer, size_t size, uint64_t offset, size_t *ret, Error *e) {
        for (;;) {
                ssize_t n = pread(fd, buffer, size, (off_t) offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_errno(e, errno, "%s", name);
                *ret = (size_t) n;
                return 0;
        }
}

static int take_hex(Digest *d, char ret[static SHA256_HEX_SIZE], Error *e) {
        _cleanup_free_ char *hex = digest_hex(d);

        if (!hex)
                return error_oom(e);
        memcpy(ret, hex, SHA256_HEX_SIZE);
        return 0;
}

static int write_out(int fd, const char *name, const void *data, size_t size, Digest *d, Error *e) {
        int r = write_all(fd, data, size);

        if (r < 0)
                return error_errno(e, -r, "writing the copy of %s", name);
        r = digest_update(d, data, size);
        return r < 0 ? error_errno(e, -r, "SHA-256") : 0;
}

/* A second digest of the same bytes, in a thread of its own: one that is given a buffer at a time, and works on it while the next is read. */
typedef struct Lane {
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        Digest *digest;
        const void *data; /* what to do next; NULL: nothing */
        size_t size;
        bool running, end;
        int r;
} Lane;

static void *lane_run(void *arg) {
        Lane *l = arg;

        (void) pthread_mutex_lock(&l->lock);
        for (;;) {
                while (!l->data && !l->end)
                        (void) pthread_cond_wait(&l->changed, &l->lock);
                if (!l->data)
                        break;
                (void) pthread_mutex_unlock(&l->lock);
                if (l->r == 0)
                        l->r = digest_update(l->digest, l->data, l->size);
                (void) pthread_mutex_lock(&l->lock);
                l->data = NULL;
                (void) pthread_cond_broadcast(&l->changed);
        }
        (void) pthread_mutex_unlock(&l->lock);
        return NULL;
}

/* Without a thread the digest is taken in the caller's: for what is small, and where none can be had. */
static void lane_start(Lane *l, Digest *digest, bool thread) {
        *l = (Lane){ .digest = digest, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
        l->running = digest && thread && pthread_create(&l->thread, NULL, lane_run, l) == 0;
}

/* The bytes must stay until the next call returns. */
static int lane_give(Lane *l, const void *data, size_t size) {
        if (!l->digest)
                return 0;
        if (!l->running)
                return digest_update(l->digest, data, size);
        (void) pthread_mutex_lock(&l->lock);
        while (l->data)
                (void) pthread_cond_wait(&l->changed, &l->lock);
        l->data = data;
        l->size = size;
        (void) pthread_cond_broadcast(&l->changed);
        (void) pthread_mutex_unlock(&l->lock);
        return 0;
}

static int lane_end(Lane *l) {
        if (!l->running)
                return 0;
        (void) pthread_mutex_lock(&l->lock);
        l->end = true;
        (void) pthread_cond_broadcast(&l->changed);
        (void) pthread_mutex_unlock(&l->lock);
        (void) pthread_join(l->thread, NULL);
        return l->r;
}

static int pump_chunks(int in_fd, const char *name, uint64_t *offset, int out_fd, Digest *out, Lane *second, unsigned char *buffer, Progress *p, Error *e) {
        for (unsigned turn = 0;; turn ^= 1) {
                unsigned char *chunk = buffer + turn * CHUNK; /* the other one may still be worked on */
                size_t n = 0;
                int r;

                if ((r = read_chunk(in_fd, name, chunk, CHUNK, *offset, &n, e)) < 0 || n == 0)
                        return r;
                if ((r = lane_give(second, chunk, n)) < 0)
                        return error_errno(e, -r, "SHA-256");
                if ((r = write_out(out_fd, name, chunk, n, out, e)) < 0)
                        return r;
                *offset += n;
                /* The disk writes while we read: what has to be waited for at the end is little. */
                if (*offset % WRITE_BEHIND < n)
                        (void) sync_file_range(out_fd, 0, 0, SYNC_FILE_RANGE_WRITE);
                progress_step(p, n);
        }
}

/* From offset to the end: to `out` and its digest, and to the second one, if any. Every byte is read once. */
static int pump(int in_fd, const char *name, uint64_t offset, int out_fd, Digest *out, Digest *second, Progress *p, uint64_t *ret_end, Error *e) {
        _cleanup_free_ unsigned char *buffer = malloc(2 * CHUNK);
        struct stat st;
        Lane lane;
        int r, k;

        if (!buffer)
                return error_oom(e);
        lane_start(&lane, second, fstat(in_fd, &st) == 0 && st.st_size >= LARGE);
        r = pump_chunks(in_fd, name, &offset, out_fd, out, &lane, buffer, p, e);
        k = lane_end(&lane);
        if (r < 0 || k < 0)
                return r < 0 ? r : error_errno(e, -k, "SHA-256");
        *ret_end = offset;
        return 0;
}

/* The digest of the unsigned file begins with its lead and its old signature header. */
static int digest_start(const RpmFile *f, Digest *d, unsigned char lead[static LEAD_SIZE], Error *e) {
        _cleanup_free_ unsigned char *start = malloc(f->header_start);
        size_t done = 0, n = 0;
        int r;

        if (!start)
                return error_oom(e);
        for (; done < f->header_start; done += n) {
                r = read_chunk(f->fd, f->path, start + done, f->header_start - done, done, &n, e);
                if (r < 0)
                        return r;
                if (n == 0)
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: it became shorter while it was read", f->path);
        }
        memcpy(lead, start, LEAD_SIZE);
        r = digest_update(d, start, f->header_start);
        return r < 0 ? error_errno(e, -r, "SHA-256") : 0;
}

int rpm_sign_copy(const RpmFile *f, Signer *s, int out_fd, Progress *p, RpmSigned *ret, Error *e) {
        _cleanup_(digest_freep) Digest *before = digest_new("sha256"), *after = digest_new("sha256");
        size_t packet_size, header_size = 0, signed_header = f->header_end - f->header_start;
        _cleanup_free_ void *packet = NULL, *signature = NULL;
        unsigned char lead[LEAD_SIZE];
        uint64_t end = 0;
        RpmSigned result = {};
        int r;

        if (!before || !after)
                return error_oom(e);
        if (!f->payload_sha256)
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: its header has no SHA-256 of the payload", f->path),
                                  "build it with rpm 4.14 or later");
        if ((r = signer_sign(s, f->header_bytes, signed_header, f->build_time, &packet, &packet_size, e)) < 0 ||
            (r = build_signature_header(f, packet, packet_size, &signature, &header_size, e)) < 0 ||
            (r = digest_start(f, before, lead, e)) < 0 ||
            (r = write_out(out_fd, f->path, lead, sizeof(lead), after, e)) < 0 ||
            (r = write_out(out_fd, f->path, signature, header_size, after, e)) < 0)
                return r;
        /* The header that was signed, not the one that may be in the file by now. */
        if ((r = write_out(out_fd, f->path, f->header_bytes, signed_header, after, e)) < 0)
                return r;
        if ((r = digest_update(before, f->header_bytes, signed_header)) < 0)
                return error_errno(e, -r, "SHA-256");
        if ((r = pump(f->fd, f->path, f->header_end, out_fd, after, before, p, &end, e)) < 0)
                return r;
        if ((r = take_hex(before, result.unsigned_sha256, e)) < 0 || (r = take_hex(after, result.signed_sha256, e)) < 0)
                return r;
        result.size = LEAD_SIZE + header_size + (end - f->header_start);
        *ret = result;
        return 0;
}
