/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/ocsp-status.h"

int ocsp_collect(const CertChain *c, size_t first, OcspQuery **queries, size_t *n) {
        for (size_t i = first; i + 1 < c->n; i++) {
                OcspQuery q = { c->certs[i]->x509, c->certs[i + 1]->x509 }, *grown;
                bool known = false;

                /* The pool keeps each certificate once: the pointer says which it is. */
                for (size_t k = 0; k < *n && !known; k++)
                        known = (*queries)[k].cert == q.cert && (*queries)[k].issuer == q.issuer;
                if (known)
                        continue;
                grown = reallocarray(*queries, *n + 1, sizeof(OcspQuery));
                if (!grown)
                        return -ENOMEM;
                *queries = grown;
                (*queries)[(*n)++] = q;
        }
        return 0;
}

static CheckState judge(const OcspSource *source, const OcspResult *r) {
        switch (r->status) {
        case OCSP_GOOD: return CHECK_OK;
        case OCSP_HELD: return source->allow_hold ? CHECK_OK : CHECK_FAILED;
        case OCSP_UNKNOWN:
        case OCSP_REVOKED: return CHECK_FAILED;
        default: return CHECK_UNCHECKED;
        }
}

void ocsp_check_chain(const OcspSource *source, const CertChain *c, size_t first, Check *checks, CheckId id, OcspResult *ret) {
        static const char *const words[] = {
                [OCSP_NOT_ASKED] = "not asked", [OCSP_GOOD] = "good", [OCSP_UNREACHABLE] = "no answer", [OCSP_UNKNOWN] = "unknown to its issuer",
                [OCSP_HELD] = "on hold", [OCSP_REVOKED] = "revoked",
        };

        *ret = (OcspResult) {};
        if (!source) {
                check_set(checks, id, CHECK_SKIPPED, "revocation was not asked for (--ocsp=off)");
                return;
        }
        *ret = (OcspResult) { .status = OCSP_GOOD, .nonce_matches = true, .response_valid = true };
        check_set(checks, id, CHECK_OK, "%s", "");
        for (size_t i = first; i + 1 < c->n; i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                OcspQuery q = { c->certs[i]->x509, c->certs[i + 1]->x509 };
                OcspResult one = { .status = OCSP_UNREACHABLE };
                CheckState state;
                int r = source->ask(source->userdata, &q, &one, &e);

                state = r == 0 ? judge(source, &one) : e.code == EXIT_UNTRUSTED ? CHECK_FAILED : CHECK_UNCHECKED;
                ret->nonce_matches = ret->nonce_matches && one.nonce_matches;
                ret->response_valid = ret->response_valid && one.response_valid;
                if (one.next_update && (!ret->next_update || one.next_update < ret->next_update))
                        ret->next_update = one.next_update;
                if (one.status > ret->status) {
                        ret->status = one.status;
                        ret->reason = one.reason;
                }
                /* An earlier certificate that could not be asked about does not hide a later one that is revoked; nor the other way round. */
                if (state == CHECK_OK || (state == CHECK_UNCHECKED && checks[id].state == CHECK_UNCHECKED))
                        continue;
                if (r < 0)
                        check_take(checks, id, state, &e);
                else
                        check_set(checks, id, state, "certificate %zu is %s%s%s", i + 1, words[one.status], one.reason ? ": " : "", one.reason ? one.reason : "");
        }
}
