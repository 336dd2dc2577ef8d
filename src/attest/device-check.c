/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of one device. Nothing is shared between devices but certificates and manifests that were verified. */
#include <strings.h>

#include "attest/verdict.h"
#include "basic/strings.h"

/* The first word of the BROM certificate's name says what it is; NVIDIA alone can have it written there. */
static const struct {
        const char *chip;
        bool prefix;
        DeviceKind kind;
        const char *arch, *product;
} chips[] = {
        { "GH100", false, DEVICE_GPU, "HOPPER", "GH100" },
        { "GB", true, DEVICE_GPU, "BLACKWELL", "GB" },
        { "LS_10", false, DEVICE_SWITCH, "LS10", "LS10" },
};

CheckId rim_check_id(RimKind kind, RimCheck check) {
        static const CheckId ids[_RIM_CHECK_MAX] = {
                [RIM_FOUND] = CHECK_DRIVER_RIM, [RIM_SCHEMA] = CHECK_DRIVER_RIM_SCHEMA, [RIM_CHAIN] = CHECK_DRIVER_RIM_CHAIN,
                [RIM_STATUS] = CHECK_DRIVER_RIM_STATUS, [RIM_SIGNATURE] = CHECK_DRIVER_RIM_SIGNATURE,
        };
        return ids[check] + (kind == RIM_VBIOS ? CHECK_VBIOS_RIM - CHECK_DRIVER_RIM : 0);
}

static int read_chain(Verdict *v, DeviceVerdict *d, const VerdictOptions *o, const char *name, Error *e) {
        _cleanup_error_ Error why = ERROR_INIT;
        int r;

        r = cert_chain_from_pem(v->pool, name, d->device->chain, d->device->chain_size, &d->chain, &why);
        if (r == 0)
                r = device_identity_read(d->chain, name, &d->identity, &why);
        if (r == -ENOMEM)
                return error_oom(e);
        if (r < 0) {
                check_take(d->checks, CHECK_CHAIN, CHECK_FAILED, &why);
                return 0;
        }
        r = cert_chain_verify(v->pool, d->chain, name, o->roots->device, DEVICE_CHAIN_LENGTH, o->at, &why);
        d->expired = r == -EKEYEXPIRED;
        if (r < 0)
                check_take(d->checks, CHECK_CHAIN, CHECK_FAILED, &why);
        else
                check_set(d->checks, CHECK_CHAIN, CHECK_OK, "%s", d->identity.hwmodel);
        return 0;
}

static void check_arch(DeviceVerdict *d) {
        const char *model = d->identity.hwmodel;

        for (size_t i = 0; model && i < ELEMENTSOF(chips); i++) {
                const char *rest = startswith(model, chips[i].chip);

                if (!rest || (!chips[i].prefix && *rest != ' '))
                        continue;
                d->known = true;
                d->kind = chips[i].kind;
                d->arch = chips[i].arch;
        }
        if (!model)
                return;
        if (!d->known)
                check_set(d->checks, CHECK_ARCH, CHECK_FAILED, "%s: not a kind of device that is known here", model);
        else if (d->device->arch && !streq(d->device->arch, d->arch))
                check_set(d->checks, CHECK_ARCH, CHECK_FAILED, "the evidence says %s, the certificates %s", d->device->arch, d->arch);
        else
                check_set(d->checks, CHECK_ARCH, CHECK_OK, "%s", d->arch);
}

static void check_nonce(DeviceVerdict *d, const VerdictOptions *o) {
        const uint8_t *nonce = d->report->nonce.data;

        if (o->nonce && memcmp(nonce, o->nonce, NONCE_SIZE) != 0)
                check_set(d->checks, CHECK_NONCE, CHECK_FAILED, "the report answers another request than the one with the demanded nonce");
        else if (d->device->has_nonce && memcmp(nonce, d->device->nonce, NONCE_SIZE) != 0)
                check_set(d->checks, CHECK_NONCE, CHECK_FAILED, "the report has another nonce than the evidence states");
        else if (o->nonce)
                check_set(d->checks, CHECK_NONCE, CHECK_OK, "the one demanded");
        else if (d->device->has_nonce)
                check_set(d->checks, CHECK_NONCE, CHECK_OK, "the one that the evidence states; whether it is fresh, only --nonce can tell");
        else
                check_set(d->checks, CHECK_NONCE, CHECK_SKIPPED, "none was demanded (--nonce): the report may be an old one");
}

static void check_fwid(DeviceVerdict *d) {
        Bytes fwid = d->report->kind == DEVICE_GPU ? d->report->opaque[OPAQUE_FWID] : (Bytes) {};

        if (!fwid.data)
                check_set(d->checks, CHECK_FWID, CHECK_SKIPPED, "the report has none");
        else if (!d->identity.has_fwid)
                check_set(d->checks, CHECK_FWID, CHECK_FAILED, "the report has one, the certificate has not");
        else if (fwid.size != DIGEST_SIZE || memcmp(fwid.data, d->identity.fwid, DIGEST_SIZE) != 0)
                check_set(d->checks, CHECK_FWID, CHECK_FAILED, "the running firmware is not the one that the report's key was certified for");
        else
                check_set(d->checks, CHECK_FWID, CHECK_OK, "%s", "");
}

static void check_report(DeviceVerdict *d, const VerdictOptions *o) {
        check_nonce(d, o);
        if (cert_chain_check_signature(d->chain, d->report->covered, d->report->signature) < 0)
                check_set(d->checks, CHECK_SIGNATURE, CHECK_FAILED, "the report was not signed by the key of its certificate, or was changed since");
        else {
                check_set(d->checks, CHECK_SIGNATURE, CHECK_OK, "%s", "");
                check_fwid(d);
        }
}

int device_check_evidence(Verdict *v, DeviceVerdict *d, const VerdictOptions *o, Error *e) {
        _cleanup_error_ Error why = ERROR_INIT;
        _cleanup_free_ char *name = format("%s: certificate chain", d->device->source);
        int r;

        if (!name)
                return error_oom(e);
        r = read_chain(v, d, o, name, e);
        if (r < 0)
                return r;
        check_arch(d);
        if (!d->known)
                return 0;
        r = report_parse(d->device->source, d->kind, d->device->report, d->device->report_size, &d->report, &why);
        if (r == -ENOMEM)
                return error_oom(e);
        if (r < 0) {
                check_take(d->checks, CHECK_REPORT, CHECK_FAILED, &why);
                return 0;
        }
        check_set(d->checks, CHECK_REPORT, CHECK_OK, "%u measurements", d->report->n_measurements);
        check_report(d, o);
        return 0;
}

int device_want_rims(Verdict *v, DeviceVerdict *d, Error *e) {
        _cleanup_free_ char *driver = NULL, *vbios = NULL;

        if (!d->report)
                return 0;
        if (rim_id_driver(d->report, d->arch, &driver) < 0 || rim_id_vbios(d->report, d->arch, &vbios) < 0)
                return error_oom(e);
        if ((driver && !(d->rims[RIM_DRIVER] = rim_set_want(&v->rims, driver))) || (vbios && !(d->rims[RIM_VBIOS] = rim_set_want(&v->rims, vbios))))
                return error_oom(e);
        return 0;
}

/* Signed by who must have signed it; that the time is over is told by its own check. */
static bool is_authentic(const WantedRim *w) {
        return w && w->rim && (w->checks[RIM_CHAIN].state == CHECK_OK || w->expired);
}

/* A manifest is of the device's chip, and of the very version that the device reports. */
static void check_version(DeviceVerdict *d, RimKind kind) {
        CheckId id = kind == RIM_DRIVER ? CHECK_DRIVER_RIM_VERSION : CHECK_VBIOS_RIM_VERSION;
        const char *reported = kind == RIM_DRIVER ? d->report->driver_version : d->report->vbios_version;
        const Rim *rim = d->rims[kind]->rim;
        const char *product = NULL;

        if (!is_authentic(d->rims[kind]))
                return;
        for (size_t i = 0; i < ELEMENTSOF(chips); i++)
                if (streq(chips[i].arch, d->arch))
                        product = chips[i].product;
        if (strcasecmp(rim->version, reported) != 0)
                check_set(d->checks, id, CHECK_FAILED, "the device reports %s, the manifest is of %s", reported, rim->version);
        else if (!streq(rim->edition, d->kind == DEVICE_GPU ? "GPU" : "SWITCH") || !startswith(rim->product, product))
                check_set(d->checks, id, CHECK_FAILED, "the manifest is of another product: %s %s", rim->edition, rim->product);
        else
                check_set(d->checks, id, CHECK_OK, "%s", rim->version);
}

static void copy_rim_checks(DeviceVerdict *d, RimKind kind) {
        const WantedRim *w = d->rims[kind];

        for (unsigned i = 0; i < _RIM_CHECK_MAX; i++)
                if (w)
                        check_copy(d->checks, rim_check_id(kind, (RimCheck) i), &w->checks[i]);
                else
                        check_set(d->checks, rim_check_id(kind, (RimCheck) i), CHECK_FAILED, "the report does not tell its versions");
        if (w)
                check_version(d, kind);
}

static bool has_golden_values(const DeviceVerdict *d, RimKind kind) {
        return is_authentic(d->rims[kind]) && d->checks[kind == RIM_DRIVER ? CHECK_DRIVER_RIM_VERSION : CHECK_VBIOS_RIM_VERSION].state == CHECK_OK;
}

static void tell_measurements(DeviceVerdict *d) {
        const Comparison *c = &d->comparison;

        if (c->n_conflicts > 0)
                check_set(d->checks, CHECK_CONFLICT, CHECK_FAILED, "%u measurements are in both manifests, index %d first", c->n_conflicts, c->first_conflict);
        else if (d->kind == DEVICE_GPU)
                check_set(d->checks, CHECK_CONFLICT, CHECK_OK, "%s", "");
        if (c->n_mismatches > 0)
                check_set(d->checks, CHECK_MEASUREMENTS, CHECK_FAILED, "%u of %u measurements are not the golden ones, index %u first", c->n_mismatches,
                          c->n_compared, c->mismatches[0].index);
        else if (c->n_compared == 0)
                check_set(d->checks, CHECK_MEASUREMENTS, CHECK_UNCHECKED, "nothing was left to be compared");
        else
                check_set(d->checks, CHECK_MEASUREMENTS, CHECK_OK, "%u are the golden ones%s", c->n_compared,
                          c->nvdec_skipped ? "; index 35 skipped, as NVDEC0 is off" : "");
}

void device_check_rims(DeviceVerdict *d) {
        if (!d->report)
                return;
        copy_rim_checks(d, RIM_VBIOS);
        if (d->kind == DEVICE_GPU)
                copy_rim_checks(d, RIM_DRIVER);
        else
                for (unsigned i = CHECK_DRIVER_RIM; i <= CHECK_DRIVER_RIM_VERSION; i++)
                        check_set(d->checks, (CheckId) i, CHECK_SKIPPED, "a switch has no driver of its own");
        if (d->kind == DEVICE_SWITCH)
                check_set(d->checks, CHECK_CONFLICT, CHECK_SKIPPED, "a switch has one manifest only");
        /* Neither a report that nobody signed nor golden values that nobody signed are worth comparing. */
        if (d->checks[CHECK_SIGNATURE].state != CHECK_OK || (d->checks[CHECK_CHAIN].state != CHECK_OK && !d->expired) || !has_golden_values(d, RIM_VBIOS) ||
            (d->kind == DEVICE_GPU && !has_golden_values(d, RIM_DRIVER)))
                return;
        compare_measurements(d->report, d->kind == DEVICE_GPU ? d->rims[RIM_DRIVER]->rim : NULL, d->rims[RIM_VBIOS]->rim, &d->comparison);
        d->compared = true;
        tell_measurements(d);
}
