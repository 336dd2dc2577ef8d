/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/claims.h"

#include <openssl/rand.h>

#include "basic/strings.h"

#define NOT_BEFORE_SEC 120
#define LIFETIME_SEC   3600

static const char *const versions[] = { [CLAIMS_2_0] = "2.0", [CLAIMS_3_0] = "3.0" };

const char *claims_version_to_string(ClaimsVersion version) {
        return versions[version];
}

int claims_version_from_string(const char *s) {
        for (int i = 0; i < _CLAIMS_VERSION_MAX; i++)
                if (streq(s, versions[i]))
                        return i;
        return -EINVAL;
}

const char *claims_issuer(DeviceKind kind) {
        return kind == DEVICE_GPU ? "LOCAL_GPU_VERIFIER" : "LOCAL_SWITCH_VERIFIER";
}

const char *claims_group(DeviceKind kind) {
        return kind == DEVICE_GPU ? "LOCAL_GPU_CLAIMS" : "LOCAL_SWITCH_CLAIMS";
}

/* A claim under its full name: x-nvidia-gpu-NAME. Takes the value. */
static int put(json_t *claims, const DeviceVerdict *d, const char *name, json_t *value) {
        _cleanup_free_ char *key = format("x-nvidia-%s-%s", d->kind == DEVICE_GPU ? "gpu" : "switch", name);

        if (key && value)
                return json_object_set_new(claims, key, value);
        json_decref(value);
        return -1;
}

static bool is_ok(const DeviceVerdict *d, CheckId id) {
        return d->checks[id].state == CHECK_OK;
}

/* Also when there is nothing to be checked: revocation that was not asked for, a report without FWID. */
static bool is_not_wrong(const DeviceVerdict *d, CheckId id) {
        return is_ok(d, id) || d->checks[id].state == CHECK_SKIPPED;
}

/* Whether somebody was asked about every certificate, and answered: neither skipped (--ocsp=off) nor unchecked. */
static bool revocation_checked(const DeviceVerdict *d) {
        static const CheckId ids[] = { CHECK_CHAIN_STATUS, CHECK_VBIOS_RIM_STATUS, CHECK_DRIVER_RIM_STATUS };
        bool checked = true;

        for (size_t i = 0; i < ELEMENTSOF(ids) - (d->kind == DEVICE_SWITCH); i++)
                checked = checked && (is_ok(d, ids[i]) || d->checks[ids[i]].state == CHECK_FAILED);
        return checked;
}

static json_t *text_or_null(const char *s) {
        return s ? json_string(s) : json_null();
}

static json_t *chain_claim(const CertChain *c, CheckState chain, bool expired, const OcspResult *ocsp) {
        static const char *const answers[] = {
                [OCSP_GOOD] = "good", [OCSP_UNKNOWN] = "unknown", [OCSP_HELD] = "revoked", [OCSP_REVOKED] = "revoked",
        };
        _cleanup_free_ char *until = c ? time_to_text(c->not_after) : NULL;
        bool revoked = ocsp->status == OCSP_REVOKED || ocsp->status == OCSP_HELD;

        return json_pack("{s:s?, s:s, s:s?, s:s?, s:b, s:b}", "x-nvidia-cert-expiration-date", until, "x-nvidia-cert-status",
                         expired ? "expired" : chain != CHECK_OK ? "invalid" : revoked ? "revoked" : "valid", "x-nvidia-cert-ocsp-status",
                         answers[ocsp->status], "x-nvidia-cert-revocation-reason", ocsp->reason, "x-nvidia-cert-ocsp-nonce-matches", ocsp->nonce_matches,
                         "x-nvidia-cert-ocsp-response-valid", ocsp->response_valid);
}

static int put_report(json_t *claims, const DeviceVerdict *d, ClaimsVersion version) {
        const char *vbios = d->report ? d->report->vbios_version : NULL;
        int r;

        r = put(claims, d, "arch-check", json_boolean(is_ok(d, CHECK_ARCH)));
        if (d->kind == DEVICE_GPU) {
                r |= put(claims, d, "driver-version", text_or_null(d->report ? d->report->driver_version : NULL));
                r |= put(claims, d, "vbios-version", text_or_null(vbios));
        } else
                r |= put(claims, d, "bios-version", text_or_null(vbios));
        if (version == CLAIMS_2_0)
                r |= put(claims, d, "attestation-report-cert-chain-validated", json_boolean(is_ok(d, CHECK_CHAIN) && is_not_wrong(d, CHECK_CHAIN_STATUS)));
        else {
                r |= put(claims, d, "attestation-report-cert-chain", chain_claim(d->chain, d->checks[CHECK_CHAIN].state, d->expired, &d->ocsp));
                /* True of a report without one, as NVIDIA's tool writes it: its own policy for switches, of which none has one, demands it. */
                r |= put(claims, d, "attestation-report-cert-chain-fwid-match", json_boolean(is_not_wrong(d, CHECK_FWID)));
        }
        r |= put(claims, d, "attestation-report-parsed", json_boolean(is_ok(d, CHECK_REPORT)));
        r |= put(claims, d, "attestation-report-nonce-match", json_boolean(is_ok(d, CHECK_NONCE)));
        return r | put(claims, d, "attestation-report-signature-verified", json_boolean(is_ok(d, CHECK_SIGNATURE)));
}

static int put_rim(json_t *claims, const DeviceVerdict *d, RimKind kind, ClaimsVersion version) {
        static const WantedRim none = {};
        const char *prefix = kind == RIM_DRIVER ? "driver-rim" : d->kind == DEVICE_GPU ? "vbios-rim" : "bios-rim";
        const WantedRim *w = d->rims[kind] ? d->rims[kind] : &none;
        CheckId version_id = kind == RIM_DRIVER ? CHECK_DRIVER_RIM_VERSION : CHECK_VBIOS_RIM_VERSION;
        bool chain = is_ok(d, rim_check_id(kind, RIM_CHAIN)) && is_not_wrong(d, rim_check_id(kind, RIM_STATUS));
        struct { const char *name; json_t *value; } list[] = {
                { "fetched", json_boolean(is_ok(d, rim_check_id(kind, RIM_FOUND))) },
                { "schema-validated", json_boolean(is_ok(d, rim_check_id(kind, RIM_SCHEMA))) },
                { version == CLAIMS_2_0 ? "cert-validated" : "cert-chain",
                  version == CLAIMS_2_0 ? json_boolean(chain) : chain_claim(w->rim ? w->rim->chain : NULL, w->checks[RIM_CHAIN].state, w->expired, &w->ocsp) },
                { "version-match", version == CLAIMS_2_0 ? NULL : json_boolean(is_ok(d, version_id)) },
                { "signature-verified", json_boolean(is_ok(d, rim_check_id(kind, RIM_SIGNATURE))) },
                { "measurements-available", json_boolean(w->rim && w->rim->verified) },
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(list); i++) {
                _cleanup_free_ char *name = format("%s-%s", prefix, list[i].name);

                if (list[i].value || version == CLAIMS_3_0 || !streq(list[i].name, "version-match"))
                        r |= name ? put(claims, d, name, list[i].value) : -1;
        }
        return r;
}

/* null when there is no report that is to be believed. */
static json_t *pdi_list(const DeviceVerdict *d, OpaqueType type, size_t n, bool little_endian) {
        Bytes b = d->report ? d->report->opaque[type] : (Bytes) {};
        json_t *list = is_ok(d, CHECK_SIGNATURE) ? json_array() : json_null();

        for (size_t i = 0; json_is_array(list) && i < n && (i + 1) * PDI_SIZE <= b.size; i++) {
                uint8_t pdi[PDI_SIZE];
                _cleanup_free_ char *hex = NULL;

                for (size_t k = 0; k < PDI_SIZE; k++)
                        pdi[k] = b.data[i * PDI_SIZE + (little_endian ? PDI_SIZE - 1 - k : k)];
                hex = hex_encode(pdi, sizeof pdi);
                (void) json_array_append_new(list, json_string(hex ? hex : ""));
        }
        return list;
}

static json_t *mismatch_list(const DeviceVerdict *d) {
        json_t *list = json_array();

        for (unsigned i = 0; d->compared && i < d->comparison.n_mismatches; i++) {
                const Mismatch *m = &d->comparison.mismatches[i];
                _cleanup_free_ char *runtime = m->runtime.data ? hex_encode(m->runtime.data, m->runtime.size) : NULL,
                                    *golden = hex_encode(m->golden->hashes[0], m->golden->size);

                (void) json_array_append_new(list, json_pack("{s:i, s:s, s:i, s:s?, s:i, s:s?}", "index", (int) m->index, "measurementSource",
                                                             m->kind == RIM_DRIVER ? "driver" : "vbios", "goldenSize", (int) m->golden->size,
                                                             "goldenValue", golden, "runtimeSize", (int) m->runtime.size, "runtimeValue", runtime));
        }
        return list;
}

/* What only NVIDIA's newer tool writes; the older one's policies do not know it. */
static int put_newer(json_t *claims, const DeviceVerdict *d) {
        json_t *own;
        int r = json_object_set_new(claims, "x-nvidia-device-type", json_string(d->kind == DEVICE_GPU ? "gpu" : "nvswitch"));

        r |= json_object_set_new(claims, "x-nvidia-mismatch-measurement-records", mismatch_list(d));
        if (d->kind == DEVICE_GPU)
                return r | put(claims, d, "switch-pdis", pdi_list(d, OPAQUE_SWITCH_PDI, GPU_LINKS, true));
        own = pdi_list(d, OPAQUE_DEVICE_PDI, 1, false);
        r |= put(claims, d, "pdi", json_array_size(own) > 0 ? json_incref(json_array_get(own, 0)) : json_null());
        json_decref(own);
        return r | put(claims, d, "gpu-pdis", pdi_list(d, OPAQUE_SWITCH_GPU_PDIS, SWITCH_GPUS, false));
}

static int put_identity(json_t *claims, const DeviceVerdict *d) {
        _cleanup_free_ char *nonce = d->report ? hex_encode(d->report->nonce.data, d->report->nonce.size) : NULL;
        const Rim *rim = d->rims[RIM_DRIVER] ? d->rims[RIM_DRIVER]->rim : NULL;
        int r = 0;

        if (d->result == CHECK_OK) {
                r |= json_object_set_new(claims, "secboot", json_true());
                r |= json_object_set_new(claims, "dbgstat", json_string("disabled"));
        }
        r |= json_object_set_new(claims, "eat_nonce", text_or_null(nonce));
        r |= json_object_set_new(claims, "hwmodel", text_or_null(d->identity.hwmodel));
        r |= json_object_set_new(claims, "ueid", text_or_null(d->identity.ueid));
        if (d->kind == DEVICE_GPU)
                r |= json_object_set_new(claims, "oemid", text_or_null(rim ? rim->manufacturer_id : NULL));
        return r;
}

/* RFC 4122, 4.4: random. */
static char *new_uuid(void) {
        uint8_t b[16];

        if (RAND_bytes(b, sizeof b) != 1)
                return NULL;
        b[6] = (b[6] & 0x0f) | 0x40;
        b[8] = (b[8] & 0x3f) | 0x80;
        return format("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9],
                      b[10], b[11], b[12], b[13], b[14], b[15]);
}

int claims_put_times(json_t *claims, int64_t at, int64_t issued) {
        _cleanup_free_ char *uuid = new_uuid();
        int r;

        r = json_object_set_new(claims, "nbf", json_integer(at - NOT_BEFORE_SEC));
        r |= json_object_set_new(claims, "exp", json_integer(MIN(at, issued) + LIFETIME_SEC));
        r |= json_object_set_new(claims, "iat", json_integer(issued));
        return r | (uuid ? json_object_set_new(claims, "jti", json_string(uuid)) : -1);
}

static json_t *finish(json_t *claims, int r) {
        if (r == 0)
                return claims;
        json_decref(claims);
        return NULL;
}

/* What is ours, of a device or of all of a kind. */
static int put_own(json_t *claims, const Verdict *v, bool checked) {
        int r = json_object_set_new(claims, "x-gn8v-tee-verdict-time", json_integer(v->at));

        return r | json_object_set_new(claims, "x-gn8v-tee-revocation-checked", json_boolean(checked));
}

json_t *claims_of_device(const Verdict *v, const DeviceVerdict *d, ClaimsVersion version, int64_t issued) {
        json_t *claims = json_object(), *result;
        int r;

        result = is_ok(d, CHECK_MEASUREMENTS) ? json_string("success") : d->compared || version == CLAIMS_3_0 ? json_string("fail") : json_null();
        r = json_object_set_new(claims, "measres", result);
        r |= put_report(claims, d, version);
        if (d->kind == DEVICE_GPU)
                r |= put_rim(claims, d, RIM_DRIVER, version);
        r |= put_rim(claims, d, RIM_VBIOS, version);
        if (d->kind == DEVICE_GPU)
                r |= put(claims, d, "vbios-index-no-conflict", json_boolean(is_ok(d, CHECK_CONFLICT)));
        if (version == CLAIMS_3_0)
                r |= put_newer(claims, d);
        r |= put_identity(claims, d);
        r |= json_object_set_new(claims, "iss", json_string(claims_issuer(d->kind)));
        r |= claims_put_times(claims, v->at, issued);
        r |= json_object_set_new(claims, "x-gn8v-tee-fwid-compared", json_boolean(is_ok(d, CHECK_FWID) || d->checks[CHECK_FWID].state == CHECK_FAILED));
        return finish(claims, r | put_own(claims, v, revocation_checked(d)));
}

static int put_system(json_t *claims, const Verdict *v) {
        int r = 0;

        for (unsigned i = _CHECK_DEVICE_MAX; i < _CHECK_MAX; i++) {
                _cleanup_free_ char *key = format("x-gn8v-tee-%s", check_name((CheckId) i));
                CheckState state = v->checks[i].state;

                /* What was not asked for is not claimed. */
                if (state != CHECK_SKIPPED)
                        r |= key ? json_object_set_new(claims, key, state == CHECK_UNCHECKED ? json_null() : json_boolean(state == CHECK_OK)) : -1;
        }
        return r;
}

json_t *claims_overall(const Verdict *v, DeviceKind kind, ClaimsVersion version, int64_t issued) {
        bool result = checks_sum(v->checks, _CHECK_DEVICE_MAX, _CHECK_MAX) == CHECK_OK, checked = true;
        _cleanup_free_ char *nonce = NULL;
        json_t *claims = json_object();
        int r;

        for (size_t i = 0; i < v->n; i++) {
                const DeviceVerdict *d = &v->devices[i];

                /* A device of no known kind is one that either of them may be missing. */
                result = result && (d->result == CHECK_OK || (d->known && d->kind != kind));
                checked = checked && (revocation_checked(d) || (d->known && d->kind != kind));
                if (!nonce && d->known && d->kind == kind && d->report)
                        nonce = hex_encode(d->report->nonce.data, d->report->nonce.size);
        }
        r = json_object_set_new(claims, "sub", json_string("NVIDIA-PLATFORM-ATTESTATION"));
        r |= claims_put_times(claims, v->at, issued);
        r |= json_object_set_new(claims, "x-nvidia-ver", json_string(claims_version_to_string(version)));
        r |= json_object_set_new(claims, "iss", json_string(claims_issuer(kind)));
        r |= json_object_set_new(claims, "x-nvidia-overall-att-result", json_boolean(result));
        r |= json_object_set_new(claims, "eat_nonce", text_or_null(nonce));
        return finish(claims, r | put_own(claims, v, checked) | put_system(claims, v));
}

json_t *claims_all(const Verdict *v, ClaimsVersion version, int64_t issued) {
        json_t *all = json_object();
        int r = 0;

        for (unsigned kind = 0; kind < _DEVICE_KIND_MAX; kind++) {
                json_t *devices;

                if (verdict_count(v, (DeviceKind) kind) == 0)
                        continue;
                devices = json_object();
                for (size_t i = 0; i < v->n; i++)
                        if (v->devices[i].known && v->devices[i].kind == kind)
                                r |= json_object_set_new(devices, v->devices[i].name, claims_of_device(v, &v->devices[i], version, issued));
                r |= json_object_set_new(all, claims_group((DeviceKind) kind),
                                         json_pack("[o, o]", claims_overall(v, (DeviceKind) kind, version, issued), devices));
        }
        return finish(all, r);
}
