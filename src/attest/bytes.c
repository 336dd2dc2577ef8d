/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/bytes.h"

#include "basic/armor.h"

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *hex_encode(const void *data, size_t size) {
        static const char digits[] = "0123456789abcdef";
        const uint8_t *p = data;
        char *s = size < SIZE_MAX / 2 ? malloc(2 * size + 1) : NULL;

        if (!s)
                return NULL;
        for (size_t i = 0; i < size; i++) {
                s[2 * i] = digits[p[i] >> 4];
                s[2 * i + 1] = digits[p[i] & 15];
        }
        s[2 * size] = '\0';
        return s;
}

int hex_decode(const char *text, size_t length, bool blanks, uint8_t **ret, size_t *ret_size) {
        _cleanup_free_ uint8_t *out = malloc(length / 2 + 1);
        size_t n = 0;
        int high = -1;

        if (!out)
                return -ENOMEM;
        for (size_t i = 0; i < length; i++) {
                int digit = hex_digit(text[i]);

                if (blanks && is_blank(text[i]))
                        continue;
                if (digit < 0)
                        return -EBADMSG;
                if (high < 0)
                        high = digit;
                else {
                        out[n++] = (uint8_t) (high << 4 | digit);
                        high = -1;
                }
        }
        if (high >= 0)
                return -EBADMSG;
        *ret = TAKE_PTR(out);
        *ret_size = n;
        return 0;
}

static int base64_digit(char c) {
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(const char *text, size_t length, bool blanks, uint8_t **ret, size_t *ret_size) {
        _cleanup_free_ uint8_t *out = malloc(length / 4 * 3 + 3);
        unsigned bits = 0, count = 0, padding = 0;
        size_t n = 0;

        if (!out)
                return -ENOMEM;
        for (size_t i = 0; i < length; i++) {
                int digit = base64_digit(text[i]);

                if (blanks && is_blank(text[i]))
                        continue;
                if (text[i] == '=')
                        padding++;
                else if (digit < 0 || padding > 0)
                        return -EBADMSG;
                bits = bits << 6 | (unsigned) (digit < 0 ? 0 : digit);
                if (++count < 4)
                        continue;
                /* Bits that no byte takes must be 0, so that there is one text for some bytes. */
                if (padding > 2 || (padding == 1 && (bits & 0xff)) || (padding == 2 && (bits & 0xffff)))
                        return -EBADMSG;
                for (unsigned k = 0; k < 3 - padding; k++)
                        out[n++] = (uint8_t) (bits >> (16 - 8 * k));
                bits = count = 0;
        }
        if (count != 0)
                return -EBADMSG;
        *ret = TAKE_PTR(out);
        *ret_size = n;
        return 0;
}

char *base64url_encode(const void *data, size_t size) {
        char *s = base64_encode(data, size);

        for (char *p = s; p && *p; p++)
                *p = (char) (*p == '+' ? '-' : *p == '/' ? '_' : *p);
        if (s)
                s[strcspn(s, "=")] = '\0';
        return s;
}
