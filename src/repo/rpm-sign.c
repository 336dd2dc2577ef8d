/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/rpm-sign.h"

#include <rpm/rpmlib.h>
#include <rpm/rpmtag.h>
#include <rpm/rpmtd.h>

#include "basic/fs.h"

#define CHUNK     (1024 * 1024)
#define LEAD_SIZE 96

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

/* From offset to the end: to `out` and its digest, and to the second one, if any. */
static int pump(int in_fd, const char *name, uint64_t offset, int out_fd, Digest *out, Digest *second, Progress *p, uint64_t *ret_end, Error *e) {
        _cleanup_free_ unsigned char *buffer = malloc(CHUNK);
        int r;

        if (!buffer)
                return error_oom(e);
        for (;;) {
                size_t n = 0;

                r = read_chunk(in_fd, name, buffer, CHUNK, offset, &n, e);
                if (r < 0)
                        return r;
                if (n == 0)
                        break;
                r = write_out(out_fd, name, buffer, n, out, e);
                if (r < 0)
                        return r;
                if (second && (r = digest_update(second, buffer, n)) < 0)
                        return error_errno(e, -r, "SHA-256");
                offset += n;
                progress_step(p, n);
        }
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
        uint64_t end;
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

int copy_with_digest(int in_fd, const char *name, int out_fd, Progress *p, char ret[static SHA256_HEX_SIZE], uint64_t *ret_size, Error *e) {
        _cleanup_(digest_freep) Digest *d = digest_new("sha256");
        int r;

        if (!d)
                return error_oom(e);
        r = pump(in_fd, name, 0, out_fd, d, NULL, p, ret_size, e);
        return r < 0 ? r : take_hex(d, ret, e);
}
