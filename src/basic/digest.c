/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/digest.h"

#include <fcntl.h>
#include <openssl/evp.h>

struct Digest {
        EVP_MD_CTX *ctx;
};

Digest *digest_new(const char *name) {
        const EVP_MD *md = EVP_get_digestbyname(name);
        Digest *d = md ? calloc(1, sizeof(Digest)) : NULL;

        if (!d)
                return NULL;
        d->ctx = EVP_MD_CTX_new();
        if (!d->ctx || EVP_DigestInit_ex(d->ctx, md, NULL) != 1)
                return digest_free(d);
        return d;
}

Digest *digest_free(Digest *d) {
        if (d)
                EVP_MD_CTX_free(d->ctx);
        free(d);
        return NULL;
}

int digest_update(Digest *d, const void *data, size_t size) {
        return EVP_DigestUpdate(d->ctx, data, size) == 1 ? 0 : -EIO;
}

static void to_hex(const unsigned char *bytes, size_t n, char *ret) {
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < n; i++) {
                ret[2 * i] = digits[bytes[i] >> 4];
                ret[2 * i + 1] = digits[bytes[i] & 15];
        }
        ret[2 * n] = '\0';
}

char *digest_hex(Digest *d) {
        unsigned char bytes[EVP_MAX_MD_SIZE];
        unsigned n;
        char *hex;

        if (EVP_DigestFinal_ex(d->ctx, bytes, &n) != 1)
                return NULL;
        hex = malloc((size_t) n * 2 + 1);
        if (hex)
                to_hex(bytes, n, hex);
        return hex;
}

static int digest_rest(Digest *d, int fd) {
        _cleanup_free_ char *buffer = malloc(1 << 18);

        if (!buffer)
                return -ENOMEM;
        for (;;) {
                ssize_t n = read(fd, buffer, 1 << 18);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return 0;
                if (digest_update(d, buffer, (size_t) n) < 0)
                        return -EIO;
        }
}

int digest_fd(Digest *d, int fd) {
        return lseek(fd, 0, SEEK_SET) < 0 ? -errno : digest_rest(d, fd);
}

int sha256_fd(int fd, char ret[static SHA256_HEX_SIZE]) {
        _cleanup_(digest_freep) Digest *d = digest_new("sha256");
        _cleanup_free_ char *hex = NULL;
        int r = d ? digest_rest(d, fd) : -ENOMEM;

        if (r < 0)
                return r;
        hex = digest_hex(d);
        if (!hex)
                return -EIO;
        memcpy(ret, hex, SHA256_HEX_SIZE);
        return 0;
}

int sha256_file(int dir_fd, const char *path, char ret[static SHA256_HEX_SIZE]) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); /* a pipe is not waited for */
        return fd < 0 ? -errno : sha256_fd(fd, ret);
}

int sha256_buffer(const void *data, size_t size, char ret[static SHA256_HEX_SIZE]) {
        unsigned char bytes[EVP_MAX_MD_SIZE];

        if (EVP_Digest(data, size, bytes, NULL, EVP_sha256(), NULL) != 1)
                return -EIO;
        to_hex(bytes, 32, ret);
        return 0;
}

bool sha256_is_valid(const char *hex) {
        return strlen(hex) == 64 && strspn(hex, "0123456789abcdef") == 64;
}
