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

/* By the boot's own name, else by the clock. */
static bool is_of_this_boot(StatusContext *c, const json_t *root, int64_t at) {
        const char *boot = json_string_value(json_object_get(root, "boot_id"));

        return boot && c->node->boot_id ? streq(boot, c->node->boot_id) : at >= boot_time(c);
}

/* How many devices of the verdict the driver calls so. */
static size_t count_uuid(const json_t *devices, const char *uuid) {
        size_t i, n = 0;
        json_t *device;

        json_array_foreach((json_t *) devices, i, device) {
                const char *s = json_string_value(json_object_get(device, "uuid"));

                n += s && streq(s, uuid);
        }
        return n;
}

/* A GPU that is here and that the verdict was not about; NULL: there is none, or the driver was not asked, or did not say. */
static const char *unjudged_gpu(StatusContext *c, const json_t *root) {
        const json_t *devices = json_object_get(root, "devices");
        const Nvml *n = &c->status.gpu.nvml;

        for (size_t i = 0; c->status.gpu.asked && i < n->n_gpus; i++)
                if (n->gpus[i].uuid && json_array_size(devices) > 0 && count_uuid(devices, n->gpus[i].uuid) != 1)
                        return n->gpus[i].uuid;
        return NULL;
}

/* "8 GPUs (HOPPER)": how many, and of what kinds they all are. */
static char *set_text(const json_t *root, const char *key, const char *what, const char *prefix) {
        json_int_t count = json_integer_value(json_object_get(root, key));
        const char *kind = NULL;
        bool same = true;
        json_t *device;
        size_t i;

        json_array_foreach(json_object_get(root, "devices"), i, device) {
                const char *name = json_string_value(json_object_get(device, "name")), *own = json_string_value(json_object_get(device, "kind"));

                if (!name || !startswith(name, prefix))
                        continue;
                same = same && own && (!kind || streq(kind, own));
                kind = own;
        }
        return kind && same ? format("%lld %s (%s)", (long long) count, what, kind) : format("%lld %s", (long long) count, what);
}

static void add_verdict(StatusContext *c, const json_t *root) {
        const Release *release = c->node->release;
        const char *result = json_string_value(json_object_get(root, "result")), *when = json_string_value(json_object_get(root, "time"));
        json_int_t gpus = json_integer_value(json_object_get(root, "gpus")), switches = json_integer_value(json_object_get(root, "switches"));
        _cleanup_free_ char *age = NULL, *gpu_set = NULL, *switch_set = NULL;
        bool trusted, expected, current;
        const char *unjudged;
        int64_t at;

        if (!result || !when || parse_time(when, &at) < 0) {
                row_add(c, ROW_WARN, "attestation", NULL, "%s cannot be read", ATTESTATION);
                row_next(c, FIRST_LAST, "gn8v-tee attest");
                return;
        }
        age = age_text(MAX((int64_t) time(NULL) - at, (int64_t) 0));
        trusted = streq(result, "trusted");
        expected = !release || (gpus == release->gpus && switches == release->nvswitches);
        current = is_of_this_boot(c, root, at);
        unjudged = unjudged_gpu(c, root);
        gpu_set = set_text(root, "gpus", "GPUs", "GPU-");
        switch_set = set_text(root, "switches", "NVSwitches", "SWITCH-");
        row_add(c, !trusted ? ROW_FAIL : !expected || !current || unjudged ? ROW_WARN : ROW_OK, "attestation", "trusted", "%s, %s ago: %s, %s", result,
                age ? age : "?", gpu_set ? gpu_set : "?", switch_set ? switch_set : "?");
        if (!trusted)
                row_next(c, FIRST_GPUS, "gn8v-tee attest: it tells what is wrong; do not give these GPUs any secret");
        else if (!expected)
                row_next(c, FIRST_LAST, "gn8v-tee attest: the last verdict was about other devices than the release expects");
        else if (!current)
                row_next(c, FIRST_LAST, "gn8v-tee attest: the last verdict is from before this boot");
        else if (unjudged)
                row_next(c, FIRST_LAST, "gn8v-tee attest: the last verdict was not about %s", unjudged);
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
