/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <time.h>

#include "attest/claims.h"
#include "basic/strings.h"
#include "cmd/attest.h"

/* A column: the checks that a person thinks of as one. */
typedef struct Column {
        const char *title;
        CheckId first, last;
        CheckId also; /* outside that row of them; _CHECK_MAX: none */
} Column;

static const Column device_columns[] = {
        { "report", CHECK_REPORT, CHECK_ARCH, CHECK_SIGNATURE },
        { "certs", CHECK_CHAIN, CHECK_CHAIN_STATUS, _CHECK_MAX },
        { "fwid", CHECK_FWID, CHECK_FWID, _CHECK_MAX },
        { "nonce", CHECK_NONCE, CHECK_NONCE, _CHECK_MAX },
        { "driver", CHECK_DRIVER_RIM, CHECK_DRIVER_RIM_VERSION, _CHECK_MAX },
        { "vbios", CHECK_VBIOS_RIM, CHECK_VBIOS_RIM_VERSION, _CHECK_MAX },
        { "measured", CHECK_CONFLICT, CHECK_MEASUREMENTS, _CHECK_MAX },
};
static const Column system_columns[] = {
        { "count", CHECK_GPUS, CHECK_SWITCHES, _CHECK_MAX },
        { "distinct", CHECK_DISTINCT, CHECK_DISTINCT, _CHECK_MAX },
        { "one kind", CHECK_ONE_KIND, CHECK_ONE_KIND, _CHECK_MAX },
        { "mode", CHECK_MODE, CHECK_MODE, _CHECK_MAX },
        { "topology", CHECK_GPU_LINKS, CHECK_SWITCH_LINKS, _CHECK_MAX },
        { "bound", CHECK_SWITCHES_BOUND, CHECK_IDENTITY_BOUND, _CHECK_MAX },
};

static const char *const words[] = { [CHECK_UNCHECKED] = "?", [CHECK_OK] = "ok", [CHECK_FAILED] = "FAIL", [CHECK_SKIPPED] = "-" };
static const char *const verdicts[] = { [CHECK_UNCHECKED] = "unchecked", [CHECK_OK] = "trusted", [CHECK_FAILED] = "NOT TRUSTED" };

static CheckState column_state(const Column *c, const Check *checks) {
        CheckState sum = checks_sum(checks, c->first, c->last + 1u);
        bool skipped = c->also == _CHECK_MAX;

        for (unsigned i = c->first; i <= (unsigned) c->last; i++)
                skipped = skipped && checks[i].state == CHECK_SKIPPED;
        if (sum != CHECK_FAILED && c->also != _CHECK_MAX && checks[c->also].state != CHECK_OK)
                sum = checks[c->also].state;
        return skipped ? CHECK_SKIPPED : sum;
}

static void print_row(const char *name, int width, const char *arch, const Column *columns, size_t n, const Check *checks, const char *result) {
        printf("%-9s  %-*s", name, width, arch);
        for (size_t i = 0; i < n; i++)
                printf("  %-*s", (int) MAX(strlen(columns[i].title), strlen("FAIL")), words[column_state(&columns[i], checks)]);
        printf("  %s\n", result);
}

static void print_head(const char *name, int width, const char *arch, const Column *columns, size_t n) {
        printf("%-9s  %-*s", name, width, arch);
        for (size_t i = 0; i < n; i++)
                printf("  %-*s", (int) MAX(strlen(columns[i].title), strlen("FAIL")), columns[i].title);
        printf("  result\n");
}

static bool same_check(const Check *a, const Check *b) {
        return a->state == b->state && streq(a->detail ? a->detail : "", b->detail ? b->detail : "");
}

/* A detail may have a file's name in it, and that anything. */
static void print_detail(CheckId id, const Check *c) {
        _cleanup_free_ char *detail = c->detail ? strdup(c->detail) : NULL;

        if (detail)
                text_clean(detail, strlen(detail));
        printf(": %s: %s%s%s\n", check_name(id), check_state_to_string(c->state), detail ? ": " : "", detail ? detail : "");
}

/* One line for all devices of which the same is to be said: "GPU-0 to GPU-7, SWITCH-0". */
static void print_reason(const Verdict *v, size_t i, CheckId id) {
        const Check *c = &v->devices[i].checks[id];

        for (size_t k = 0; k < i; k++)
                if (same_check(c, &v->devices[k].checks[id]))
                        return;
        for (size_t k = i; k < v->n; k++) {
                size_t last = k;

                if (!same_check(c, &v->devices[k].checks[id]))
                        continue;
                while (last + 1 < v->n && v->devices[last + 1].arch == v->devices[k].arch && same_check(c, &v->devices[last + 1].checks[id]))
                        last++;
                printf("%s%s%s%s", k > i ? ", " : "", v->devices[k].name, last > k ? " to " : "", last > k ? v->devices[last].name : "");
                k = last;
        }
        print_detail(id, c);
}

/* What is unchecked without a word follows from something else that is told. */
static bool is_wanted(const Check *c, bool all, bool failed) {
        return all || (failed ? c->state == CHECK_FAILED : c->state == CHECK_UNCHECKED && c->detail);
}

static void print_reasons(const Verdict *v, bool all, bool failed) {
        for (unsigned id = 0; id < _CHECK_DEVICE_MAX; id++)
                for (size_t i = 0; i < v->n; i++)
                        if (is_wanted(&v->devices[i].checks[id], all, failed))
                                print_reason(v, i, (CheckId) id);
        for (unsigned id = _CHECK_DEVICE_MAX; id < _CHECK_MAX; id++)
                if (is_wanted(&v->checks[id], all, failed)) {
                        printf("system");
                        print_detail((CheckId) id, &v->checks[id]);
                }
}

void attest_print_table(const Verdict *v, bool all) {
        _cleanup_free_ char *n = format("%zu", v->n);
        int width = (int) strlen("kind");

        for (size_t i = 0; i < v->n; i++)
                width = MAX(width, v->devices[i].arch ? (int) strlen(v->devices[i].arch) : 1);
        print_head("device", width, "kind", device_columns, ELEMENTSOF(device_columns));
        for (size_t i = 0; i < v->n; i++)
                print_row(v->devices[i].name, width, v->devices[i].arch ? v->devices[i].arch : "?", device_columns, ELEMENTSOF(device_columns),
                          v->devices[i].checks, verdicts[v->devices[i].result]);
        printf("\n");
        print_head("together", width, "", system_columns, ELEMENTSOF(system_columns));
        print_row("system", width, n ? n : "?", system_columns, ELEMENTSOF(system_columns), v->checks,
                  words[checks_sum(v->checks, _CHECK_DEVICE_MAX, _CHECK_MAX)]);
        if (all || v->result != CHECK_OK)
                printf("\n");
        print_reasons(v, all, true);
        if (!all)
                print_reasons(v, false, false);
}

static json_t *checks_to_json(const Check *checks, unsigned first, unsigned end) {
        json_t *object = json_object();

        for (unsigned i = first; i < end; i++)
                (void) json_object_set_new(object, check_name((CheckId) i), json_pack("{s:s, s:o}", "state", check_state_to_string(checks[i].state),
                                                                                      "detail", json_text(checks[i].detail)));
        return object;
}

static json_t *mismatches_to_json(const DeviceVerdict *d) {
        json_t *list = json_array();

        for (unsigned i = 0; d->compared && i < d->comparison.n_mismatches; i++) {
                const Mismatch *m = &d->comparison.mismatches[i];
                _cleanup_free_ char *runtime = m->runtime.data ? hex_encode(m->runtime.data, m->runtime.size) : NULL;
                json_t *golden = json_array();

                for (unsigned k = 0; k < m->golden->n; k++) {
                        _cleanup_free_ char *hex = hex_encode(m->golden->hashes[k], m->golden->size);
                        (void) json_array_append_new(golden, json_string(hex ? hex : ""));
                }
                (void) json_array_append_new(list, json_pack("{s:i, s:s, s:s?, s:o}", "index", (int) m->index, "manifest",
                                                             m->kind == RIM_DRIVER ? "driver" : "vbios", "measured", runtime, "golden", golden));
        }
        return list;
}

static const char *rim_id(const DeviceVerdict *d, RimKind kind) {
        return d->rims[kind] ? d->rims[kind]->id : NULL;
}

static json_t *device_to_json(const DeviceVerdict *d) {
        _cleanup_free_ char *nonce = d->report ? hex_encode(d->report->nonce.data, d->report->nonce.size) : NULL;

        return json_pack("{s:s, s:o, s:s?, s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:i, s:o, s:o}", "name", d->name, "source", json_text(d->device->source),
                         "kind", d->arch, "result", d->result == CHECK_OK ? "trusted" : d->result == CHECK_FAILED ? "not trusted" : "unchecked",
                         "hwmodel", d->identity.hwmodel, "ueid", d->identity.ueid, "serial", d->identity.serial,
                         "driver", d->report ? d->report->driver_version : NULL, "vbios", d->report ? d->report->vbios_version : NULL, "nonce", nonce,
                         "driver_rim", rim_id(d, RIM_DRIVER), "vbios_rim", rim_id(d, RIM_VBIOS), "compared", (int) d->comparison.n_compared,
                         "mismatches", mismatches_to_json(d), "checks", checks_to_json(d->checks, 0, _CHECK_DEVICE_MAX));
}

static const char *result_of(const Verdict *v, const char *refused) {
        return v->result == CHECK_FAILED ? "not trusted" : v->result != CHECK_OK ? "unchecked" : refused ? "refused by a policy" : "trusted";
}

int attest_print_json(const Verdict *v, const char *refused, bool whole, int claims, Error *e) {
        _cleanup_free_ char *at = time_to_text(v->at);
        json_t *devices = json_array(), *root, *nvidia = claims >= 0 ? claims_all(v, (ClaimsVersion) claims, (int64_t) time(NULL)) : NULL;
        int r;

        for (size_t i = 0; i < v->n; i++)
                (void) json_array_append_new(devices, device_to_json(&v->devices[i]));
        /* A device that is not told of would be one that nobody misses. */
        if (json_array_size(devices) != v->n) {
                json_decref(devices);
                json_decref(nvidia);
                return error_oom(e);
        }
        root = json_pack("{s:s, s:s?, s:o*, s:o, s:o, s:O*}", "result", result_of(v, refused), "at", at, "policy", refused ? json_text(refused) : NULL, "devices", devices, "system", checks_to_json(v->checks, _CHECK_DEVICE_MAX, _CHECK_MAX), "claims", nvidia);
        if (!root || (claims >= 0 && !nvidia))
                return error_oom(e);
        output_told();
        r = json_dumpf(whole ? root : nvidia, stdout, JSON_INDENT(2));
        json_decref(root);
        json_decref(nvidia);
        if (r < 0 || putchar('\n') == EOF || fflush(stdout) != 0)
                return error_errno(e, errno, "standard output");
        return 0;
}
