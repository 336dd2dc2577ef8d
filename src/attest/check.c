/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/check.h"

#include "basic/strings.h"

static const char *const states[] = {
        [CHECK_UNCHECKED] = "unchecked", [CHECK_OK] = "ok", [CHECK_FAILED] = "failed", [CHECK_SKIPPED] = "skipped",
};

static const char *const names[_CHECK_MAX] = {
        [CHECK_REPORT] = "report",
        [CHECK_ARCH] = "architecture",
        [CHECK_CHAIN] = "certificates",
        [CHECK_CHAIN_STATUS] = "certificate-status",
        [CHECK_FWID] = "fwid",
        [CHECK_NONCE] = "nonce",
        [CHECK_SIGNATURE] = "signature",
        [CHECK_DRIVER_RIM] = "driver-rim",
        [CHECK_DRIVER_RIM_SCHEMA] = "driver-rim-schema",
        [CHECK_DRIVER_RIM_CHAIN] = "driver-rim-certificates",
        [CHECK_DRIVER_RIM_STATUS] = "driver-rim-certificate-status",
        [CHECK_DRIVER_RIM_SIGNATURE] = "driver-rim-signature",
        [CHECK_DRIVER_RIM_VERSION] = "driver-rim-version",
        [CHECK_VBIOS_RIM] = "vbios-rim",
        [CHECK_VBIOS_RIM_SCHEMA] = "vbios-rim-schema",
        [CHECK_VBIOS_RIM_CHAIN] = "vbios-rim-certificates",
        [CHECK_VBIOS_RIM_STATUS] = "vbios-rim-certificate-status",
        [CHECK_VBIOS_RIM_SIGNATURE] = "vbios-rim-signature",
        [CHECK_VBIOS_RIM_VERSION] = "vbios-rim-version",
        [CHECK_CONFLICT] = "index-conflict",
        [CHECK_MEASUREMENTS] = "measurements",
        [CHECK_GPUS] = "gpu-count",
        [CHECK_SWITCHES] = "switch-count",
        [CHECK_DISTINCT] = "distinct-devices",
        [CHECK_ONE_KIND] = "one-kind",
        [CHECK_MODE] = "mode",
        [CHECK_GPU_LINKS] = "topology-gpu-links",
        [CHECK_SWITCH_KNOWN] = "topology-switch-known",
        [CHECK_SWITCH_LINKS] = "topology-switch-links",
        [CHECK_SWITCHES_BOUND] = "topology-switches-attested",
        [CHECK_GPUS_BOUND] = "topology-gpus-attested",
        [CHECK_IDENTITY_BOUND] = "topology-switch-identity",
};

const char *check_state_to_string(CheckState state) {
        return states[state];
}

const char *check_name(CheckId id) {
        return names[id];
}

void check_set(Check *checks, CheckId id, CheckState state, const char *fmt, ...) {
        Check *c = &checks[id];
        va_list ap;

        if (c->state == CHECK_FAILED)
                return;
        c->state = state;
        free(c->detail);
        c->detail = NULL;
        va_start(ap, fmt);
        c->detail = format_va(fmt, ap);
        va_end(ap);
        if (c->detail && !*c->detail) {
                free(c->detail);
                c->detail = NULL;
        }
}

void check_take(Check *checks, CheckId id, CheckState state, Error *e) {
        bool malformed = checks[id].state != CHECK_FAILED && state == CHECK_FAILED && e->code == EXIT_INVALID;

        check_set(checks, id, state, "%s", e->message ? e->message : "out of memory");
        checks[id].malformed = checks[id].malformed || malformed;
        error_clear(e);
}

void check_copy(Check *checks, CheckId id, const Check *from) {
        bool first = checks[id].state != CHECK_FAILED;

        check_set(checks, id, from->state, "%s", from->detail ? from->detail : "");
        checks[id].malformed = first ? from->malformed : checks[id].malformed;
}

CheckState checks_sum(const Check *checks, size_t first, size_t end) {
        CheckState sum = CHECK_OK;

        for (size_t i = first; i < end; i++)
                if (checks[i].state == CHECK_FAILED)
                        return CHECK_FAILED;
                else if (checks[i].state == CHECK_UNCHECKED)
                        sum = CHECK_UNCHECKED;
        return sum;
}

void checks_clear(Check *checks, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(checks[i].detail);
                checks[i] = (Check) {};
        }
}
