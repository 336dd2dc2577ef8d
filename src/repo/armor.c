/* SPDX-License-Identifier: Apache-2.0 */
/* ASCII armor, RFC 4880 section 6: base64 in lines of 64, and a CRC-24. Without the program's version, so that bytes are stable. */
#include "basic/strings.h"
#include "repo/signer.h"

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
