/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/signer.h"

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

int signer_sign(Signer *s, const void *data, size_t size, int64_t time, void **ret, size_t *ret_size, Error *e) {
        return s->type->sign(s, data, size, MAX(time, s->created), ret, ret_size, e);
}
