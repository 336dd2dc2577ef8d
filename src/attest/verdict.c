/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/verdict.h"

#include "basic/strings.h"

Verdict *verdict_free(Verdict *v) {
        if (!v)
                return NULL;
        for (size_t i = 0; i < v->n; i++) {
                DeviceVerdict *d = &v->devices[i];

                checks_clear(d->checks, _CHECK_DEVICE_MAX);
                (void) report_free(d->report);
                (void) cert_chain_free(d->chain);
                device_identity_free(&d->identity);
                free(d->name);
        }
        free(v->devices);
        checks_clear(v->checks, _CHECK_MAX);
        rim_set_free(&v->rims);
        (void) cert_pool_free(v->pool);
        free(v);
        return NULL;
}

size_t verdict_count(const Verdict *v, DeviceKind kind) {
        size_t n = 0;

        for (size_t i = 0; i < v->n; i++)
                n += v->devices[i].known && v->devices[i].kind == kind;
        return n;
}

static int name_devices(Verdict *v) {
        size_t gpus = 0, switches = 0, unknown = 0;

        for (size_t i = 0; i < v->n; i++) {
                DeviceVerdict *d = &v->devices[i];

                d->name = !d->known                 ? format("DEVICE-%zu", unknown++)
                          : d->kind == DEVICE_GPU ? format("GPU-%zu", gpus++)
                                                  : format("SWITCH-%zu", switches++);
                if (!d->name)
                        return -ENOMEM;
        }
        return 0;
}

/* Chains that are not right are not asked about: an answer would say nothing. */
static bool chain_is_right(const DeviceVerdict *d) {
        return d->chain && (d->checks[CHECK_CHAIN].state == CHECK_OK || d->expired);
}

static bool rim_chain_is_right(const WantedRim *w) {
        return w->rim && (w->checks[RIM_CHAIN].state == CHECK_OK || w->expired);
}

static int check_status(Verdict *v, const OcspSource *source, Error *e) {
        _cleanup_free_ OcspQuery *queries = NULL;
        size_t n = 0;
        int r = 0;

        for (size_t i = 0; r == 0 && i < v->n; i++)
                if (chain_is_right(&v->devices[i]))
                        r = ocsp_collect(v->devices[i].chain, OCSP_DEVICE_FIRST, &queries, &n);
        for (size_t i = 0; r == 0 && i < v->rims.n; i++)
                if (rim_chain_is_right(v->rims.rims[i]))
                        r = ocsp_collect(v->rims.rims[i]->rim->chain, OCSP_RIM_FIRST, &queries, &n);
        if (r < 0)
                return error_oom(e);
        if (source && source->prepare && n > 0)
                source->prepare(source->userdata, queries, n);
        for (size_t i = 0; i < v->n; i++) {
                DeviceVerdict *d = &v->devices[i];

                if (chain_is_right(d))
                        ocsp_check_chain(source, d->chain, OCSP_DEVICE_FIRST, d->checks, CHECK_CHAIN_STATUS, &d->ocsp);
        }
        for (size_t i = 0; i < v->rims.n; i++) {
                WantedRim *w = v->rims.rims[i];

                if (rim_chain_is_right(w))
                        ocsp_check_chain(source, w->rim->chain, OCSP_RIM_FIRST, w->checks, (CheckId) RIM_STATUS, &w->ocsp);
        }
        return 0;
}

static int judge(Verdict *v, const Evidence *evidence, const VerdictOptions *o, Error *e) {
        int r;

        for (size_t i = 0; i < evidence->n; i++) {
                v->devices[i].device = evidence->devices[i];
                v->n = i + 1;
                r = device_check_evidence(v, &v->devices[i], o, e);
                if (r < 0 || (r = device_want_rims(v, &v->devices[i], e)) < 0)
                        return r;
        }
        if (name_devices(v) < 0)
                return error_oom(e);
        r = rim_set_load(&v->rims, o->rims, v->pool, o->roots, o->at, e);
        if (r < 0 || (r = check_status(v, o->ocsp, e)) < 0)
                return r;
        for (size_t i = 0; i < v->n; i++) {
                device_check_rims(&v->devices[i]);
                v->devices[i].result = checks_sum(v->devices[i].checks, 0, _CHECK_DEVICE_MAX);
        }
        return system_check(v, o, e);
}

int verdict_make(const Evidence *evidence, const VerdictOptions *o, Verdict **ret, Error *e) {
        _cleanup_(verdict_freep) Verdict *v = calloc(1, sizeof(Verdict));
        int r;

        if (evidence->n == 0)
                return error_set(e, ENODATA, EXIT_INVALID, "there is no evidence of any device");
        if (!v || !(v->pool = cert_pool_new()) || !(v->devices = calloc(evidence->n, sizeof(DeviceVerdict))))
                return error_oom(e);
        v->at = o->at;
        r = judge(v, evidence, o, e);
        if (r < 0)
                return r;
        v->result = checks_sum(v->checks, _CHECK_DEVICE_MAX, _CHECK_MAX);
        for (size_t i = 0; i < v->n && v->result != CHECK_FAILED; i++)
                if (v->devices[i].result != CHECK_OK)
                        v->result = v->devices[i].result;
        *ret = TAKE_PTR(v);
        return 0;
}
