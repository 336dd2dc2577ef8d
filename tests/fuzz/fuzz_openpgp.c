/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and signatures, armored or not: what is read lies in what was given. */
#include "repo/openpgp-read.h"

#include "basic/strings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const unsigned char nobody[OPENPGP_FINGERPRINT_SIZE] = { 0 };
        _cleanup_error_ Error a = ERROR_INIT, b = ERROR_INIT;
        _cleanup_free_ char *text = strndup((const char *) data, size);
        _cleanup_free_ unsigned char *blocks = NULL;
        const unsigned char *p = data;
        OpenpgpPacket packet;
        OpenpgpSignature s;
        OpenpgpPublicKey k;
        size_t left = size, n;

        if (openpgp_read_blocks(text, strlen(text), &blocks, &n) >= 0 && n > size)
                abort();
        while (openpgp_next_packet(&p, &left, &packet) > 0) {
                if (packet.body < data || packet.size > (size_t) (data + size - packet.body) || p + left != data + size)
                        abort();
                (void) openpgp_read_signature(packet.body, packet.size, &s);
                if (openpgp_read_public_key(packet.body, packet.size, &k) >= 0 && k.modulus_bits > size * 8)
                        abort();
        }
        (void) openpgp_check_key(data, size, "fuzz", &a);
        (void) openpgp_check_signature(data, size, size % 2 ? nobody : NULL, "fuzz", &b);
        return 0;
}
