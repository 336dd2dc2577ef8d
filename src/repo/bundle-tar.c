/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/bundle-tar.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "basic/fs.h"
#include "basic/strings.h"

#define CHUNK       (1024 * 1024)
#define HEADERS_MAX 16384 /* of one member: far more than a name of 4095 bytes takes */
#define OCTAL11_MAX UINT64_C(077777777777)

/* ustar's fields (POSIX.1-2001, pax, "ustar Interchange Format"), by their places in the block. */
enum { NAME = 0, MODE = 100, UID = 108, GID = 116, SIZE = 124, MTIME = 136, CHECKSUM = 148, TYPE = 156, MAGIC = 257 };
#define NAME_SIZE 100

static void put_octal(char *to, unsigned digits, uint64_t value) {
        to[digits] = '\0';
        while (digits-- > 0) {
                to[digits] = (char) ('0' + (value & 7));
                value >>= 3;
        }
}

static void append_block(Text *t, const char *name, unsigned mode, uint64_t size, uint64_t mtime, char type) {
        char block[BUNDLE_TAR_BLOCK] = {};
        unsigned sum = 0;

        memcpy(block + NAME, name, strnlen(name, NAME_SIZE));
        put_octal(block + MODE, 7, mode);
        put_octal(block + UID, 7, 0);
        put_octal(block + GID, 7, 0);
        put_octal(block + SIZE, 11, size);
        put_octal(block + MTIME, 11, mtime);
        memset(block + CHECKSUM, ' ', 8);
        block[TYPE] = type;
        memcpy(block + MAGIC, "ustar\0" "00", 8);
        for (size_t i = 0; i < sizeof(block); i++)
                sum += (unsigned char) block[i];
        put_octal(block + CHECKSUM, 6, sum);
        text_append_n(t, block, sizeof(block));
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts its own digits. */
static void append_record(Text *t, const char *key, const char *value) {
        size_t n = strlen(key) + strlen(value) + 3, length = n + 1;

        for (size_t digits = 1, limit = 10; length >= limit; limit *= 10)
                length = n + ++digits;
        text_printf(t, "%zu %s=%s\n", length, key, value);
}

static void append_zeros(Text *t, size_t n) {
        static const char zeros[BUNDLE_TAR_BLOCK];

        text_append_n(t, zeros, n);
}

/* What the block has no room for. */
static int append_extension(Text *t, const char *name, uint64_t size) {
        _cleanup_free_ char *digits = NULL, *text = NULL;
        _cleanup_text_ Text records = {};
        size_t n;

        if (strlen(name) > NAME_SIZE)
                append_record(&records, "path", name);
        if (size > OCTAL11_MAX) {
                if (!(digits = format("%" PRIu64, size)))
                        return -ENOMEM;
                append_record(&records, "size", digits);
        }
        if ((n = records.size) == 0)
                return 0;
        if (!(text = text_take(&records)))
                return -ENOMEM;
        append_block(t, "././@PaxHeader", 0, n, 0, 'x');
        text_append_n(t, text, n);
        append_zeros(t, bundle_tar_padding(n));
        return 0;
}

int bundle_tar_header(const char *name, uint64_t size, int64_t mtime, char **ret, size_t *ret_size) {
        _cleanup_text_ Text t = {};
        size_t n;

        if (append_extension(&t, name, size) < 0)
                return -ENOMEM;
        append_block(&t, name, 0644, size > OCTAL11_MAX ? 0 : size, mtime < 0 ? 0 : MIN((uint64_t) mtime, OCTAL11_MAX), '0');
        n = t.size;
        if (!(*ret = text_take(&t)))
                return -ENOMEM;
        *ret_size = n;
        return 0;
}

size_t bundle_tar_padding(uint64_t size) {
        return (size_t) ((BUNDLE_TAR_BLOCK - size % BUNDLE_TAR_BLOCK) % BUNDLE_TAR_BLOCK);
}

size_t bundle_tar_ending(uint64_t size) {
        uint64_t least = size % BUNDLE_TAR_RECORD + 2 * BUNDLE_TAR_BLOCK;

        return (size_t) ((least + BUNDLE_TAR_RECORD - 1) / BUNDLE_TAR_RECORD * BUNDLE_TAR_RECORD - size % BUNDLE_TAR_RECORD);
}

int bundle_malformed(const char *file, const char *member, const char *what, Error *e) {
        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: %s%s%s", file, member ? member : "", member ? ": " : "", what),
                          "export again, and carry the file over whole");
}

int bundle_tar_open(BundleTar *t, const char *file, int fd, uint64_t size, Progress *progress, Error *e) {
        *t = (BundleTar){ .file = file, .fd = fd, .size = size, .mtime = -1, .buffer = malloc(CHUNK), .progress = progress };
        (void) posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        return t->buffer ? 0 : error_oom(e);
}

void bundle_tar_close(BundleTar *t) {
        free(t->buffer);
        t->buffer = NULL;
}

/* Exactly n bytes, at most CHUNK, from where the reader is. */
static int read_next(BundleTar *t, const char *member, size_t n, Error *e) {
        int r = n > t->size - t->at ? -EBADMSG : read_exactly(t->fd, t->buffer, n, t->at);

        if (r == -EBADMSG)
                return bundle_malformed(t->file, member, "it is cut", e);
        if (r < 0)
                return error_errno(e, -r, "%s", t->file);
        t->at += n;
        progress_step(t->progress, n);
        return 0;
}

static bool get_octal(const char *from, unsigned digits, uint64_t *ret) {
        *ret = 0;
        for (unsigned i = 0; i < digits; i++) {
                if (from[i] < '0' || from[i] > '7')
                        return false;
                *ret = *ret << 3 | (uint64_t) (from[i] - '0');
        }
        return from[digits] == '\0';
}

int bundle_tar_peek(BundleTar *t, const char *name, uint64_t *ret_size, Error *e) {
        static const char none[] = "not a repository that was exported by gn8v-tee-repo";
        uint64_t at = t->at, mtime;
        int r;

        if (t->size - t->at < BUNDLE_TAR_BLOCK)
                return bundle_malformed(t->file, NULL, at == 0 ? none : "it is cut", e);
        if ((r = read_next(t, name, BUNDLE_TAR_BLOCK, e)) < 0)
                return r;
        t->at = at;
        if (strncmp(t->buffer, name, NAME_SIZE) != 0 || !get_octal(t->buffer + SIZE, 11, ret_size) || !get_octal(t->buffer + MTIME, 11, &mtime))
                return bundle_malformed(t->file, NULL, none, e);
        if (t->mtime < 0)
                t->mtime = (int64_t) mtime;
        return 0;
}

int bundle_tar_next(BundleTar *t, const char *name, uint64_t size, Error *e) {
        _cleanup_free_ char *header = NULL;
        size_t n;
        int r;

        if (bundle_tar_header(name, size, t->mtime, &header, &n) < 0)
                return error_oom(e);
        if (n > HEADERS_MAX)
                return bundle_malformed(t->file, NULL, "a name in it is too long", e);
        if ((r = read_next(t, name, n, e)) < 0)
                return r;
        if (memcmp(t->buffer, header, n) == 0)
                return 0;
        if (memcmp(t->buffer + NAME, header + NAME, NAME_SIZE) != 0 || memcmp(t->buffer + SIZE, header + SIZE, 11) != 0)
                return bundle_malformed(t->file, name, "another file, or none, is at its place", e);
        return bundle_malformed(t->file, name, t->buffer[TYPE] == header[TYPE] ? "the tar's header of it is not the one that export writes" : "not a regular file", e);
}

static int expect_zeros(BundleTar *t, const char *member, size_t n, Error *e) {
        int r = read_next(t, member, n, e);

        for (size_t i = 0; r >= 0 && i < n; i++)
                if (t->buffer[i] != 0)
                        r = bundle_malformed(t->file, member, "something is hidden behind it", e);
        return r;
}

int bundle_tar_data(BundleTar *t, const char *name, uint64_t size, int (*data)(void *userdata, const void *data, size_t size, Error *e), void *userdata, Error *e) {
        int r = 0;

        for (uint64_t left = size; r >= 0 && left > 0;) {
                size_t n = (size_t) MIN(left, (uint64_t) CHUNK);

                if ((r = read_next(t, name, n, e)) >= 0)
                        r = data(userdata, t->buffer, n, e);
                left -= n;
        }
        return r < 0 ? r : expect_zeros(t, name, bundle_tar_padding(size), e);
}

int bundle_tar_end(BundleTar *t, Error *e) {
        size_t n = bundle_tar_ending(t->at);

        if (t->size - t->at != n)
                return bundle_malformed(t->file, NULL, t->size - t->at < n ? "it is cut at its end" : "more follows than was signed", e);
        return expect_zeros(t, "its end", n, e);
}
