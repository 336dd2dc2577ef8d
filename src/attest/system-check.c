/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of all devices together. */
#include "attest/topology.h"
#include "attest/verdict.h"
#include "basic/strings.h"

static void check_count(Check *checks, CheckId id, size_t found, int wanted, const char *what) {
        if (wanted < 0)
                check_set(checks, id, CHECK_SKIPPED, "%zu; no number was demanded", found);
        else if (found != (size_t) wanted)
                check_set(checks, id, CHECK_FAILED, "%zu %s, not %d", found, what, wanted);
        else
                check_set(checks, id, CHECK_OK, "%zu", found);
}

/* One device's evidence given twice would make one machine out of half of one. */
static void check_distinct(Verdict *v) {
        for (size_t i = 0; i < v->n; i++)
                for (size_t k = 0; k < i; k++) {
                        const CertChain *a = v->devices[i].chain, *b = v->devices[k].chain;

                        const char *serial = v->devices[i].identity.serial, *other = v->devices[k].identity.serial;

                        /* The second certificate is made once for each device, the first anew for each firmware; the serial number outlives both. */
                        if (!a || !b || a->n < 2 || b->n < 2)
                                continue;
                        if (a->certs[0] == b->certs[0] || a->certs[1] == b->certs[1] || (serial && other && streq(serial, other))) {
                                check_set(v->checks, CHECK_DISTINCT, CHECK_FAILED, "%s and %s are one device", v->devices[k].name, v->devices[i].name);
                                return;
                        }
                }
        check_set(v->checks, CHECK_DISTINCT, CHECK_OK, "%s", "");
}

static int feature_flag(const DeviceVerdict *d) {
        return report_opaque_u16(d->report, OPAQUE_FEATURE_FLAG);
}

static int ppcie_status(const DeviceVerdict *d) {
        return report_opaque_u8(d->report, OPAQUE_PPCIE_STATUS);
}

static void check_one_kind(Verdict *v) {
        const DeviceVerdict *first = NULL;

        for (size_t i = 0; i < v->n; i++) {
                const DeviceVerdict *d = &v->devices[i];

                if (d->kind != DEVICE_GPU || !d->report)
                        continue;
                if (!first)
                        first = d;
                else if (!streq(first->arch, d->arch)) {
                        check_set(v->checks, CHECK_ONE_KIND, CHECK_FAILED, "%s is %s, %s is %s", d->name, d->arch, first->name, first->arch);
                        return;
                } else if (feature_flag(first) != feature_flag(d) || ppcie_status(first) != ppcie_status(d)) {
                        check_set(v->checks, CHECK_ONE_KIND, CHECK_FAILED, "%s runs in another mode than %s", d->name, first->name);
                        return;
                }
        }
        check_set(v->checks, CHECK_ONE_KIND, first ? CHECK_OK : CHECK_SKIPPED, "%s", first ? "" : "there is no GPU");
}

/* What a report says of the mode: a Mode, -ENODATA when nothing (firmware that is too old to know Protected PCIe), -EBADMSG when two things. */
static int reported_mode(const DeviceVerdict *d) {
        int flag = feature_flag(d), status = ppcie_status(d);

        if (flag < 0 && status < 0)
                return -ENODATA;
        if ((flag >= 0 && flag > FEATURE_FLAG_PPCIE) || (status >= 0 && status != FEATURE_ON && status != FEATURE_OFF) ||
            (flag >= 0 && status >= 0 && (flag == FEATURE_FLAG_PPCIE) != (status == FEATURE_ON)))
                return -EBADMSG;
        return flag == FEATURE_FLAG_PPCIE || status == FEATURE_ON ? MODE_PROTECTED_PCIE : MODE_CONFIDENTIAL_COMPUTING;
}

static void check_mode(Verdict *v, int wanted) {
        if (wanted < 0) {
                check_set(v->checks, CHECK_MODE, CHECK_SKIPPED, "none was demanded");
                return;
        }
        check_set(v->checks, CHECK_MODE, CHECK_UNCHECKED, "there is no GPU to tell it");
        for (size_t i = 0; i < v->n; i++) {
                const DeviceVerdict *d = &v->devices[i];
                int mode;

                if (d->kind != DEVICE_GPU || !d->report)
                        continue;
                mode = reported_mode(d);
                if (mode == wanted) {
                        if (v->checks[CHECK_MODE].state != CHECK_OK)
                                check_set(v->checks, CHECK_MODE, CHECK_OK, "%s", mode_to_string((Mode) mode));
                        continue;
                }
                if (mode == -ENODATA)
                        check_set(v->checks, CHECK_MODE, CHECK_UNCHECKED, "%s does not tell its mode", d->name);
                else
                        check_set(v->checks, CHECK_MODE, CHECK_FAILED, "%s: %s, not %s", d->name, mode < 0 ? "no known mode" : mode_to_string((Mode) mode),
                                  mode_to_string((Mode) wanted));
                return;
        }
}

/* A topology is there to be checked with both kinds of devices, or when it is demanded. */
static int check_topology(Verdict *v, const VerdictOptions *o, Error *e) {
        size_t n_gpus = 0, n_switches = 0;
        _cleanup_free_ TopologyDevice *gpus = calloc(v->n, sizeof(TopologyDevice)), *switches = calloc(v->n, sizeof(TopologyDevice));

        if (!gpus || !switches)
                return error_oom(e);
        for (size_t i = 0; i < v->n; i++) {
                const DeviceVerdict *d = &v->devices[i];
                TopologyDevice t = { d->name, d->report, d->identity.serial };

                if (d->known && d->kind == DEVICE_GPU)
                        gpus[n_gpus++] = t;
                else if (d->known)
                        switches[n_switches++] = t;
        }
        if ((n_gpus > 0 && n_switches > 0) || o->mode == MODE_PROTECTED_PCIE || (o->gpus > 0 && o->switches > 0)) {
                topology_check(gpus, n_gpus, switches, n_switches, v->checks);
                return 0;
        }
        for (unsigned i = CHECK_GPU_LINKS; i < _CHECK_MAX; i++)
                check_set(v->checks, (CheckId) i, CHECK_SKIPPED, n_gpus > 0 ? "there is no switch" : "there is no GPU");
        if (n_switches > 0)
                topology_check_identity(switches, n_switches, v->checks);
        return 0;
}

int system_check(Verdict *v, const VerdictOptions *o, Error *e) {
        check_count(v->checks, CHECK_GPUS, verdict_count(v, DEVICE_GPU), o->gpus, "GPUs");
        check_count(v->checks, CHECK_SWITCHES, verdict_count(v, DEVICE_SWITCH), o->switches, "switches");
        check_distinct(v);
        check_one_kind(v);
        check_mode(v, o->mode);
        return check_topology(v, o, e);
}
