/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/signer.h"

#include <inttypes.h>

Signer *signer_free(Signer *s) {
        if (!s)
                return NULL;
        if (s->type)
                s->type->free(s);
        free(s->fingerprint);
        free(s->user_id);
        free(s->public_key);
        free(s);
        return NULL;
}

int signer_check_expiry(const Signer *s, int64_t now, unsigned days, Error *e) {
        int64_t left = s->expires - now;
        int r;

        if (s->expires == 0 || left > (int64_t) days * 86400)
                return 0;
        r = error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "signing key %s: it expires in %" PRIi64 " days, and %u are wanted", s->fingerprint,
                      left > 0 ? left / 86400 : 0, days);
        return error_hint(e, r, "extend it (gpg --quick-set-expire) or take another; --key-valid-for says how long it has to live");
}

int signer_sign(Signer *s, const void *data, size_t size, int64_t time, void **ret, size_t *ret_size, Error *e) {
        return s->type->sign(s, data, size, MAX(time, s->created), ret, ret_size, e);
}
