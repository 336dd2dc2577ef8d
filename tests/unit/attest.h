/* SPDX-License-Identifier: Apache-2.0 */
/* A made system for the tests of attestation: once a program, used by each test's child. */
#pragma once

#include <check.h>

#include "maker.h"
#include "attest/topology.h"

static Maker maker;
static SimSystem sim;
static char *rim_override[3]; /* XML in the place of maker_rim_ids[i]; "" for none at all */

static void sim_setup(void) {
        rim_setup();
        maker_init(&maker);
        system_make(&maker, 8, 4, &sim);
}

static void sim_teardown(void) {
        system_done(&sim);
        maker_done(&maker);
        for (size_t i = 0; i < ELEMENTSOF(rim_override); i++)
                free(rim_override[i]);
}

static inline int rims_get(void *userdata, const char *id, char **ret_name, char **ret_data, size_t *ret_size, Error *e) {
        for (size_t i = 0; i < ELEMENTSOF(maker_rim_ids); i++)
                if (streq(id, maker_rim_ids[i]) && rim_override[i]) {
                        if (!*rim_override[i])
                                return error_set(e, ENOENT, EXIT_UNREACHABLE, "%s: there is no such manifest", id);
                        *ret_name = strdup(id);
                        *ret_data = strdup(rim_override[i]);
                        *ret_size = strlen(*ret_data);
                        return 0;
                }
        return maker_rims_get(userdata, id, ret_name, ret_data, ret_size, e);
}

static inline RimSource rims(void) {
        return (RimSource) { &maker, NULL, rims_get };
}

static inline VerdictOptions demanding(const RimSource *source) {
        return (VerdictOptions) { .roots = &maker.roots, .at = MAKER_TIME, .nonce = sim.nonce, .rims = source, .gpus = -1, .switches = -1, .mode = -1 };
}

static inline Verdict *judge(const Evidence *ev, const VerdictOptions *o) {
        _cleanup_error_ Error e = ERROR_INIT;
        Verdict *v = NULL;

        ck_assert_int_eq(verdict_make(ev, o, &v, &e), 0);
        return v;
}

/* One GPU by itself, in no topology. */
static inline Evidence *one_gpu(void) {
        Evidence *ev = evidence_new();

        ck_assert_ptr_nonnull(ev);
        (void) evidence_device(ev, &sim, &sim.gpus[0]);
        return ev;
}

static inline void set_report(Device *d, const Text *report) {
        free(d->report);
        ck_assert_ptr_nonnull(d->report = malloc(report->size));
        memcpy(d->report, report->data, report->size);
        d->report_size = report->size;
}

static inline void set_chain(Device *d, char *chain) {
        free(d->chain);
        d->chain = chain;
        d->chain_size = strlen(chain);
}

/* A new string with the first such part replaced, which must be there. */
static inline char *replaced(const char *s, const char *from, const char *to) {
        const char *p = strstr(s, from);
        char *t;

        ck_assert_msg(p, "'%s' is not there", from);
        t = format("%.*s%s%s", (int) (p - s), s, to, p + strlen(from));
        ck_assert_ptr_nonnull(t);
        return t;
}

/* That this check of a device came out so, that no other check failed, and none of the device's before it is unchecked. */
static inline void ck_only(const Verdict *v, size_t device, CheckId id, CheckState state) {
        const DeviceVerdict *d = &v->devices[device];

        ck_assert_msg(d->checks[id].state == state, "%s: %s: %s", check_name(id), check_state_to_string(d->checks[id].state),
                      d->checks[id].detail ? d->checks[id].detail : "");
        ck_assert_msg(d->checks[id].detail, "%s: without a word", check_name(id));
        for (size_t i = 0; i < v->n; i++)
                for (unsigned k = 0; k < _CHECK_DEVICE_MAX; k++)
                        if ((i != device || k != (unsigned) id) && v->devices[i].checks[k].state == CHECK_FAILED)
                                ck_abort_msg("%s: %s failed, too: %s", v->devices[i].name, check_name((CheckId) k), v->devices[i].checks[k].detail);
        ck_assert_int_eq(v->result, state);
        ck_assert_int_eq(d->result, state);
}

static inline void ck_system_only(const Verdict *v, CheckId id, CheckState state) {
        ck_assert_msg(v->checks[id].state == state && v->checks[id].detail, "%s: %s: %s", check_name(id), check_state_to_string(v->checks[id].state),
                      v->checks[id].detail ? v->checks[id].detail : "");
        for (unsigned k = _CHECK_DEVICE_MAX; k < _CHECK_MAX; k++)
                if (k != (unsigned) id && v->checks[k].state == CHECK_FAILED)
                        ck_abort_msg("%s failed, too: %s", check_name((CheckId) k), v->checks[k].detail);
        ck_assert_int_eq(v->result, state);
}
