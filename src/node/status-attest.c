/* SPDX-License-Identifier: Apache-2.0 */
/* The last verdict of gn8v-tee-attest run: what it was, how old it is, which devices it was about. Only what was kept is read: nothing is attested. */
#include <jansson.h>
#include <time.h>

#include "node/status-rows.h"

#define ATTESTATION     "/var/lib/gn8v-tee/attestation.json"
#define ATTESTATION_MAX ((size_t) 1 << 18)

/* "2 h", "3 d": as precise as a person wants to know it. */
static char *age_text(int64_t seconds) {
        if (seconds < 120)
                return format("%lld s", (long long) seconds);
        if (seconds < 7200)
                return format("%lld min", (long long) seconds / 60);
        return seconds < 172800 ? format("%lld h", (long long) seconds / 3600) : format("%lld d", (long long) seconds / 86400);
}

/* When this system booted: a verdict from before that is about devices that have measured themselves anew since. */
static int64_t boot_time(StatusContext *c) {
        _cleanup_free_ char *stat = NULL;
        const char *line;

        if (node_read(c->node, "/proc/stat", (size_t) 1 << 20, &stat, NULL) < 0)
                return 0;
        line = strstr(stat, "\nbtime ");
        return line ? strtoll(line + strlen("\nbtime "), NULL, 10) : 0;
}

static void add_verdict(StatusContext *c, const json_t *root) {
        const Release *release = c->node->release;
        const char *result = json_string_value(json_object_get(root, "result")), *when = json_string_value(json_object_get(root, "time"));
        json_int_t gpus = json_integer_value(json_object_get(root, "gpus")), switches = json_integer_value(json_object_get(root, "switches"));
        _cleanup_free_ char *age = NULL;
        bool trusted, expected;
        int64_t at;

        if (!result || !when || parse_time(when, &at) < 0) {
                row_add(c, ROW_WARN, "attestation", NULL, "%s cannot be read", ATTESTATION);
                row_next(c, FIRST_LAST, "gn8v-tee attest");
                return;
        }
        age = age_text(MAX((int64_t) time(NULL) - at, (int64_t) 0));
        trusted = streq(result, "trusted");
        expected = !release || (gpus == release->gpus && switches == release->nvswitches);
        row_add(c, !trusted ? ROW_FAIL : !expected || at < boot_time(c) ? ROW_WARN : ROW_OK, "attestation", "trusted", "%s, %s ago: %lld GPUs, %lld NVSwitches",
                result, age ? age : "?", (long long) gpus, (long long) switches);
        if (!trusted)
                row_next(c, FIRST_GPUS, "gn8v-tee attest: it tells what is wrong; do not give these GPUs any secret");
        else if (!expected)
                row_next(c, FIRST_LAST, "gn8v-tee attest: the last verdict was about other devices than the release expects");
        else if (at < boot_time(c))
                row_next(c, FIRST_LAST, "gn8v-tee attest: the last verdict is from before this boot");
}

void status_attest(StatusContext *c) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        json_t *root;

        /* Whoever does not attest here, or elsewhere, has no row. */
        if (node_read(c->node, ATTESTATION, ATTESTATION_MAX, &text, &size) < 0)
                return;
        root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        add_verdict(c, root);
        json_decref(root);
}
