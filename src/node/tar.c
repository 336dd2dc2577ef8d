/* SPDX-License-Identifier: Apache-2.0 */
#include "node/tar.h"

#define BLOCK 512u

/* Places of the header's fields. */
enum { NAME = 0, MODE = 100, OWNER = 108, GROUP = 116, SIZE = 124, MTIME = 136, CHECKSUM = 148, TYPE = 156, MAGIC = 257, PREFIX = 345 };

static unsigned checksum(const char *block) {
        unsigned sum = 0;

        for (unsigned i = 0; i < BLOCK; i++) /* its own field counts as blanks */
                sum += i >= CHECKSUM && i < CHECKSUM + 8 ? ' ' : (unsigned char) block[i];
        return sum;
}

static void put_octal(char *field, size_t digits, uint64_t value) {
        for (size_t i = digits; i-- > 0; value /= 8)
                field[i] = (char) ('0' + value % 8);
}

int tar_append(Text *tar, const char *name, const void *data, size_t size, int64_t mtime) {
        static const char zeros[BLOCK];
        char block[BLOCK] = {};

        if (strlen(name) > 100)
                return -ENAMETOOLONG;
        memcpy(block + NAME, name, strlen(name));
        put_octal(block + MODE, 7, 0600);
        put_octal(block + OWNER, 7, 0);
        put_octal(block + GROUP, 7, 0);
        put_octal(block + SIZE, 11, size);
        put_octal(block + MTIME, 11, mtime > 0 ? (uint64_t) mtime : 0);
        block[TYPE] = '0';
        memcpy(block + MAGIC, "ustar\00000", 8);
        put_octal(block + CHECKSUM, 6, checksum(block));
        block[CHECKSUM + 7] = ' ';
        text_append_n(tar, block, BLOCK);
        text_append_n(tar, data, size);
        text_append_n(tar, zeros, (BLOCK - size % BLOCK) % BLOCK);
        return tar->failed ? -ENOMEM : 0;
}

void tar_finish(Text *tar) {
        static const char zeros[2 * BLOCK];

        text_append_n(tar, zeros, sizeof(zeros));
}

/* Octal digits between blanks, up to a NUL or blank; GNU's binary sizes are larger than any log. */
static bool get_octal(const char *field, size_t size, uint64_t *ret) {
        uint64_t value = 0;
        size_t i = 0, digits = 0;

        while (i < size && field[i] == ' ')
                i++;
        for (; i < size && field[i] >= '0' && field[i] <= '7'; i++, digits++)
                value = value * 8 + (uint64_t) (field[i] - '0');
        if (digits == 0 || (i < size && field[i] != '\0' && field[i] != ' '))
                return false;
        *ret = value;
        return true;
}

bool is_tar(const char *block) {
        uint64_t sum;

        return memcmp(block + MAGIC, "ustar", 5) == 0 && get_octal(block + CHECKSUM, 8, &sum) && sum == checksum(block);
}

static int header(TarReader *r) {
        _cleanup_free_ char *name = NULL;
        bool empty = true;
        uint64_t size;

        for (unsigned i = 0; i < BLOCK && empty; i++)
                empty = r->header[i] == '\0';
        if (empty)
                return 0;
        if (!is_tar(r->header) || !get_octal(r->header + SIZE, 12, &size))
                return -EBADMSG;
        r->left = size;
        r->padding = (unsigned) ((BLOCK - size % BLOCK) % BLOCK);
        r->reading = r->header[TYPE] == '0' || r->header[TYPE] == '\0';
        if (!r->reading)
                return 0;
        name = format("%.*s%s%.*s", 155, r->header + PREFIX, r->header[PREFIX] ? "/" : "", 100, r->header + NAME);
        if (!name)
                return -ENOMEM;
        return r->begin(name, r->userdata);
}

int tar_reader_feed(TarReader *r, const char *data, size_t size) {
        while (size > 0 || (r->reading && r->left == 0)) {
                size_t n;
                int k;

                if (r->reading && r->left == 0) {
                        r->reading = false;
                        k = r->end(r->userdata);
                        if (k != 0)
                                return k;
                        continue;
                }
                if (r->left > 0) {
                        n = (size_t) MIN(r->left, (uint64_t) size);
                        k = r->reading ? r->data(data, n, r->userdata) : 0;
                        r->left -= n;
                } else if (r->padding > 0) {
                        n = MIN(r->padding, size);
                        r->padding -= (unsigned) n;
                        k = 0;
                } else {
                        n = MIN(BLOCK - r->have, size);
                        memcpy(r->header + r->have, data, n);
                        r->have = (r->have + n) % BLOCK;
                        k = r->have == 0 ? header(r) : 0;
                }
                if (k != 0)
                        return k;
                data += n;
                size -= n;
        }
        return 0;
}
