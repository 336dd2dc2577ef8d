/* SPDX-License-Identifier: Apache-2.0 */
/* ASCII armor, RFC 4880 section 6: base64 in lines of 64, and a CRC-24. Without the program's version, so that bytes are stable. */
#include "basic/armor.h"

#include "basic/strings.h"

static uint32_t crc24(const unsigned char *p, size_t n) {
        uint32_t crc = 0xb704ce;

        while (n-- > 0) {
                crc ^= (uint32_t) *p++ << 16;
                for (int i = 0; i < 8; i++) {
                        crc <<= 1;
                        if (crc & 0x1000000)
                                crc ^= 0x1864cfb;
                }
        }
        return crc & 0xffffff;
}

/* Three bytes or less as four characters. */
static void base64_group(Text *t, const unsigned char *p, size_t n) {
        static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        uint32_t v = (uint32_t) p[0] << 16 | (n > 1 ? (uint32_t) p[1] << 8 : 0) | (n > 2 ? (uint32_t) p[2] : 0);
        char out[4] = { alphabet[v >> 18], alphabet[v >> 12 & 63], alphabet[v >> 6 & 63], alphabet[v & 63] };

        if (n < 3)
                out[3] = '=';
        if (n < 2)
                out[2] = '=';
        text_append_n(t, out, sizeof(out));
}

char *base64_encode(const void *data, size_t size) {
        _cleanup_text_ Text t = {};
        const unsigned char *p = data;

        for (size_t i = 0; i < size; i += 3)
                base64_group(&t, p + i, MIN(size - i, (size_t) 3));
        return text_take(&t);
}

char *openpgp_armor(const char *kind, const void *data, size_t size) {
        _cleanup_text_ Text t = {};
        const unsigned char *p = data;
        uint32_t crc = crc24(p, size);
        unsigned char check[3] = { (unsigned char) (crc >> 16), (unsigned char) (crc >> 8), (unsigned char) crc };

        text_printf(&t, "-----BEGIN PGP %s-----\n\n", kind);
        for (size_t i = 0; i < size; i += 3) {
                base64_group(&t, p + i, MIN(size - i, (size_t) 3));
                if (i % 48 == 45 || size - i <= 3)
                        text_append(&t, "\n");
        }
        text_append(&t, "=");
        base64_group(&t, check, sizeof(check));
        text_printf(&t, "\n-----END PGP %s-----\n", kind);
        return text_take(&t);
}

static int base64_value(char c) {
        return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters as three bytes or less: how many, 0 if they are none. */
static size_t base64_bytes(const char *s, unsigned char out[3]) {
        uint32_t v = 0;
        size_t n = 3;

        for (size_t i = 0; i < 4; i++) {
                int value = base64_value(s[i]);

                if (s[i] == '=' && i >= 2 && (i == 3 || s[3] == '='))
                        value = 0, n--;
                if (value < 0)
                        return 0;
                v = v << 6 | (uint32_t) value;
        }
        if (n < 3 && (v & (n == 2 ? 0xffu : 0xffffu)) != 0)
                return 0;
        out[0] = (unsigned char) (v >> 16);
        out[1] = (unsigned char) (v >> 8);
        out[2] = (unsigned char) v;
        return n;
}

/* The next line of *p, without what blanks end it; NULL at the end. */
static const char *armor_line(const char **p, size_t *ret_length) {
        const char *line = *p;
        size_t n = strcspn(line, "\n");

        if (!*line)
                return NULL;
        *p = line[n] ? line + n + 1 : line + n;
        while (n > 0 && strchr(" \t\r", line[n - 1]))
                n--;
        *ret_length = n;
        return line;
}

static bool armor_ends(const char *p, const char *kind, size_t kind_length) {
        static const char end[] = "-----END PGP ";
        size_t n;
        const char *line = armor_line(&p, &n);

        return line && n == strlen(end) + kind_length && strncmp(line, end, strlen(end)) == 0 && strncmp(line + strlen(end), kind, kind_length) == 0 &&
               p[strspn(p, " \t\r\n")] == '\0';
}

int openpgp_dearmor(const char *text, void **ret, size_t *ret_size) {
        const char *kind = startswith(text, "-----BEGIN PGP "), *p = text, *line;
        _cleanup_free_ unsigned char *data = malloc(strlen(text) + 3);
        unsigned char sum[3];
        size_t n, kind_length, size = 0;
        bool full = true; /* no group was shorter than three bytes */

        if (!data)
                return -ENOMEM;
        line = armor_line(&p, &n);
        if (!kind || !line)
                return -EBADMSG;
        kind_length = n - (size_t) (kind - text); /* with the dashes behind it */
        while ((line = armor_line(&p, &n)) && n > 0)
                if (!memchr(line, ':', n))
                        return -EBADMSG;
        for (;;) {
                const char *before = p;

                if (!(line = armor_line(&p, &n)))
                        return -EBADMSG;
                if (n == 5 && line[0] == '=') {
                        if (base64_bytes(line + 1, sum) != 3 || !armor_ends(p, kind, kind_length) ||
                            crc24(data, size) != ((uint32_t) sum[0] << 16 | (uint32_t) sum[1] << 8 | sum[2]))
                                return -EBADMSG;
                        break;
                }
                /* The sum may be left out. */
                if (line[0] == '-') {
                        if (size == 0 || !armor_ends(before, kind, kind_length))
                                return -EBADMSG;
                        break;
                }
                if (n % 4 != 0)
                        return -EBADMSG;
                for (size_t i = 0; i < n; i += 4) {
                        size_t bytes = full ? base64_bytes(line + i, data + size) : 0;

                        if (bytes == 0)
                                return -EBADMSG;
                        full = bytes == 3;
                        size += bytes;
                }
        }
        *ret = TAKE_PTR(data);
        *ret_size = size;
        return 0;
}

bool openpgp_armor_is_whole(const char *text) {
        _cleanup_free_ void *data = NULL;
        size_t size;

        return openpgp_dearmor(text, &data, &size) == 0;
}
