/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/rpm-sign.h"

#include <rpm/rpmlib.h>
#include <rpm/rpmtag.h>
#include <rpm/rpmtd.h>

#include "repo/pump.h"

#define LEAD_SIZE  96
#define ENTRY_SIZE 16 /* of a header's index */

static const unsigned char header_magic[8] = { 0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0 };

/* Whether an entry of the old signature header goes: older signatures, and the space that was kept free for this one. */
static bool is_replaced(rpmTagVal tag) {
        return tag == RPMSIGTAG_RSA || tag == RPMSIGTAG_DSA || tag == RPMSIGTAG_PGP || tag == RPMSIGTAG_GPG || tag == RPMSIGTAG_PGP5 ||
               tag == RPMSIGTAG_RESERVEDSPACE;
}

/* The new signature header as a blob, with `room` bytes kept free; NULL: it cannot be made. Owned by the caller. */
static void *export_signature_header(const RpmFile *f, const void *packet, size_t packet_size, size_t room, unsigned *ret_size) {
        _cleanup_free_ void *zeros = calloc(1, room + 1);
        HeaderIterator it = headerInitIterator(f->signature);
        Header h = headerNew();
        struct rpmtd_s td, free_space;
        bool good = zeros;
        void *blob;

        while (headerNext(it, &td)) {
                if (!is_replaced(rpmtdTag(&td)))
                        good = good && headerPut(h, &td, HEADERPUT_DEFAULT) == 1;
                rpmtdFreeData(&td);
        }
        headerFreeIterator(it);
        good = good && headerPutBin(h, RPMSIGTAG_RSA, packet, (rpm_count_t) packet_size) == 1;
        /* Not headerPutBin(): this number is another tag's in a package's own header, and that one is no binary. */
        free_space = (struct rpmtd_s){ .tag = RPMSIGTAG_RESERVEDSPACE, .type = RPM_BIN_TYPE, .count = (rpm_count_t) room, .data = zeros, .ix = -1 };
        good = good && (room == 0 || headerPut(h, &free_space, HEADERPUT_DEFAULT) == 1);
        /* Sorts the entries, and makes them an immutable region, as every signature header is. */
        h = headerReload(h, RPMTAG_HEADERSIGNATURES);
        blob = h && good ? headerExport(h, ret_size) : NULL;
        headerFree(h);
        return blob;
}

/* As rpmsign does: where the old header kept room for a signature, what is left of it stays, and the payload stays where it was. */
static void *build_signature_header(const RpmFile *f, const void *packet, size_t packet_size, unsigned *ret_size) {
        size_t old = f->header_start - LEAD_SIZE - sizeof(header_magic);
        void *blob = export_signature_header(f, packet, packet_size, 0, ret_size), *wide;
        unsigned size;

        if (!blob || !headerIsEntry(f->signature, RPMSIGTAG_RESERVEDSPACE) || *ret_size + ENTRY_SIZE >= old)
                return blob;
        wide = export_signature_header(f, packet, packet_size, old - *ret_size - ENTRY_SIZE, &size);
        if (!wide || size != old) {
                free(wide);
                return blob;
        }
        free(blob);
        *ret_size = size;
        return wide;
}

/* What the signed file begins with: lead, signature header, and the header that was signed, not the one that may be in the file by now. */
static int build_head(const RpmFile *f, const void *lead, const void *packet, size_t packet_size, void **ret, size_t *ret_size, Error *e) {
        size_t header_size = f->header_end - f->header_start, signature_size;
        _cleanup_free_ void *blob = NULL;
        unsigned char *out;
        unsigned n = 0;

        blob = build_signature_header(f, packet, packet_size, &n);
        if (!blob)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: its signature header cannot be rewritten", f->path);
        signature_size = (sizeof(header_magic) + n + 7) & ~(size_t) 7;
        out = calloc(1, LEAD_SIZE + signature_size + header_size);
        if (!out)
                return error_oom(e);
        memcpy(out, lead, LEAD_SIZE);
        memcpy(out + LEAD_SIZE, header_magic, sizeof(header_magic));
        memcpy(out + LEAD_SIZE + sizeof(header_magic), blob, n);
        memcpy(out + LEAD_SIZE + signature_size, f->header_bytes, header_size);
        *ret = out;
        *ret_size = LEAD_SIZE + signature_size + header_size;
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

/* The lead and the old signature header. */
static int read_start(const RpmFile *f, unsigned char **ret, Error *e) {
        _cleanup_free_ unsigned char *start = malloc(f->header_start);
        size_t n = 0;
        int r;

        if (!start)
                return error_oom(e);
        for (size_t done = 0; done < f->header_start; done += n) {
                r = read_chunk(f->fd, f->path, start + done, f->header_start - done, done, &n, e);
                if (r < 0)
                        return r;
                if (n == 0)
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: it became shorter while it was read", f->path);
        }
        *ret = TAKE_PTR(start);
        return 0;
}

/* The digest of the unsigned file, up to its payload. */
static int digest_start(const RpmFile *f, const void *start, Digest **ret, Error *e) {
        _cleanup_(digest_freep) Digest *d = digest_new("sha256");

        if (!d)
                return error_oom(e);
        if (digest_update(d, start, f->header_start) < 0 || digest_update(d, f->header_bytes, f->header_end - f->header_start) < 0)
                return error_errno(e, EIO, "SHA-256");
        *ret = TAKE_PTR(d);
        return 0;
}

int rpm_sign_copy(const RpmFile *f, Signer *s, const char *known_sha256, int out_fd, Progress *progress, RpmSigned *ret, Error *e) {
        _cleanup_(digest_freep) Digest *before = NULL, *after = digest_new("sha256");
        _cleanup_free_ void *packet = NULL, *head = NULL;
        _cleanup_free_ unsigned char *start = NULL;
        size_t packet_size, head_size = 0;
        RpmSigned result = {};
        Pump p;
        int r;

        if (!after)
                return error_oom(e);
        if (!f->payload_sha256)
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: its header has no SHA-256 of the payload", f->path),
                                  "build it with rpm 4.14 or later");
        if ((r = signer_sign(s, f->header_bytes, f->header_end - f->header_start, f->build_time, &packet, &packet_size, e)) < 0 ||
            (r = read_start(f, &start, e)) < 0 || (!known_sha256 && (r = digest_start(f, start, &before, e)) < 0) ||
            (r = build_head(f, start, packet, packet_size, &head, &head_size, e)) < 0)
                return r;
        p = (Pump){ .name = f->path, .head = head, .head_size = head_size, .in_fd = f->fd, .in_offset = f->header_end, .out_fd = out_fd,
                    .out = after, .in = before, .progress = progress };
        if ((r = pump(&p, &result.size, e)) < 0 || (r = take_hex(after, result.signed_sha256, e)) < 0 ||
            (before && (r = take_hex(before, result.unsigned_sha256, e)) < 0))
                return r;
        if (known_sha256)
                memcpy(result.unsigned_sha256, known_sha256, SHA256_HEX_SIZE);
        *ret = result;
        return 0;
}
