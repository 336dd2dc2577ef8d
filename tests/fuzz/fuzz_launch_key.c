/* SPDX-License-Identifier: Apache-2.0 */
#include "node/launch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever came in: what goes on is armor, which no format that holds it reads as anything else. */
static void check_text(const char *text) {
        while (*text) {
                size_t n = strcspn(text, "\n");

                if (text[n] != '\n' || (text[0] != '-' && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") != n))
                        abort();
                if (text[0] == '-' && strncmp(text + n - strlen(" PGP PUBLIC KEY BLOCK-----"), " PGP PUBLIC KEY BLOCK-----", strlen(" PGP PUBLIC KEY BLOCK-----")) != 0)
                        abort();
                text += n + 1;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_launch_ Launch l = {};
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *text = malloc(size + 1);

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = '\0';
        if (launch_embed_key(&l, "key", text, size, &e) == 0)
                check_text(l.keys[0].text);
        return 0;
}
