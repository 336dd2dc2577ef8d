/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/rim-xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_error_ Error e = ERROR_INIT, content = ERROR_INIT;
        _cleanup_(cert_pool_freep) CertPool *pool = cert_pool_new();
        _cleanup_(rim_freep) Rim *r = NULL, *unsigned_one = NULL;
        static bool ready;

        if (!ready)
                rim_setup();
        ready = true;
        if (rim_parse(pool, "fuzz", data, size, &r, &e) < 0) {
                if (!e.message)
                        abort(); /* every refusal says why */
                return 0;
        }
        /* Its values are read only of what was signed, which nothing here is: read them all the same. */
        if (rim_parse(pool, "fuzz", data, size, &unsigned_one, NULL) == 0 && rim_content_read(unsigned_one, unsigned_one->xml, &content) < 0 && !content.message)
                abort();
        if (rim_verify(r, &e) < 0 && (!e.message || r->verified))
                abort();
        return 0;
}
