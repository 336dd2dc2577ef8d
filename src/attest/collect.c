/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side: what the child's lines mean. */
#include "attest/collect.h"

#include <jansson.h>
#include <stddef.h>

#include "basic/nvml-api.h"
#include "basic/strings.h"

#define LINE_MAX_SIZE ((size_t) 1 << 16)

static void device_clear(CollectedDevice *d) {
        free(d->uuid);
        free(d->arch);
        free(d->vbios);
        free(d->chain);
        free(d->report);
        free(d->failure);
}

void collected_free(Collected *c) {
        for (size_t i = 0; i < c->n; i++)
                device_clear(&c->devices[i]);
        free(c->devices);
        library_answer_free(&c->answer);
        free(c->driver);
        *c = COLLECTED_EMPTY;
}

static int check_base64(const char *value) {
        _cleanup_free_ uint8_t *data = NULL;
        size_t n;
        int r = base64_decode(value, strlen(value), false, &data, &n);

        return r < 0 ? r : n == 0 || n > REPORT_MAX ? -EBADMSG : 0;
}

#define TEXT(name, type, member) { name, offsetof(type, member), 0, NULL }
#define NUMBER(name, type, member) { name, offsetof(type, member), UINT32_MAX, NULL }
#define BASE64(name, type, member) { name, offsetof(type, member), 0, check_base64 }
static const LibraryKey system_keys[] = {
        TEXT("driver", Collected, driver),         NUMBER("environment", Collected, environment), NUMBER("feature", Collected, feature),
        NUMBER("devtools", Collected, devtools),   NUMBER("multi-gpu", Collected, multi_gpu),     NUMBER("count", Collected, count),
};
static const LibraryKey device_keys[] = {
        TEXT("uuid", CollectedDevice, uuid),       TEXT("arch", CollectedDevice, arch),           TEXT("vbios", CollectedDevice, vbios),
        NUMBER("mode", CollectedDevice, mode),     BASE64("chain", CollectedDevice, chain),       BASE64("report", CollectedDevice, report),
        TEXT("failed", CollectedDevice, failure),
};

/* "device N": in order, so that an index is a place. */
static int begin_device(Collected *c, const char *value) {
        CollectedDevice *grown;
        uint64_t index;

        if (parse_u64(value, &index) < 0 || index != c->n || index >= COLLECT_DEVICES_MAX)
                return -EBADMSG;
        grown = reallocarray(c->devices, c->n + 1, sizeof(CollectedDevice));
        if (!grown)
                return -ENOMEM;
        c->devices = grown;
        grown[c->n++] = (CollectedDevice){ .mode = COLLECT_UNTOLD };
        return 0;
}

static int take(LibraryAnswer *a, const char *key, char *value) {
        Collected *c = (Collected *) (void *) a; /* its first member */
        CollectedDevice *last = c->n > 0 ? &c->devices[c->n - 1] : NULL;
        int k;

        if (streq(key, "device"))
                return begin_device(c, value);
        if (streq(key, "stopped")) {
                a->outcome = LIBRARY_REFUSED;
                return library_put(&a->reason, value);
        }
        /* The first failure is the one worth knowing. */
        if (last && last->failure && streq(key, "failed"))
                return 0;
        k = library_take(system_keys, ELEMENTSOF(system_keys), c, key, value);
        if (k == 0 && last)
                k = library_take(device_keys, ELEMENTSOF(device_keys), last, key, value);
        return k == 0 ? -EBADMSG : MIN(k, 0);
}

static const LibraryFormat answer_format = {
        .greeting = "gn8v-collect 1", .line_max = LINE_MAX_SIZE, .answer_max = COLLECT_ANSWER_MAX, .timeout_sec = COLLECT_TIMEOUT_SEC, .take = take,
};

int collect_parse(const char *answer, size_t size, Collected *ret) {
        return library_parse(&answer_format, answer, size, &ret->answer);
}

static int run_child(const char *what, const uint8_t nonce[static NONCE_SIZE], Collected *ret, Error *e) {
        _cleanup_free_ char *hex = hex_encode(nonce, NONCE_SIZE);
        const char *argv[] = { NULL, COLLECT_VERB, what, hex, NULL };
        _cleanup_collected_ Collected c = COLLECTED_EMPTY;
        int k;

        if (!hex)
                return error_oom(e);
        k = library_ask(&answer_format, argv, &c.answer, e);
        if (k < 0)
                return k;
        *ret = c;
        c = COLLECTED_EMPTY;
        return 0;
}

int collect_ask(DeviceKind kind, const uint8_t nonce[static NONCE_SIZE], Collected *ret, Error *e) {
        return run_child(kind == DEVICE_GPU ? "gpu" : "switch", nonce, ret, e);
}

static int unchecked(Error *e, const char *hint, const char *fmt, ...) _printf_(3, 4);
static int unchecked(Error *e, const char *hint, const char *fmt, ...) {
        _cleanup_free_ char *message = NULL;
        va_list ap;
        int r;

        va_start(ap, fmt);
        message = format_va(fmt, ap);
        va_end(ap);
        r = error_set(e, ENODATA, EXIT_UNCHECKED, "%s", message ? message : "no evidence");
        return hint ? error_hint(e, r, "%s", hint) : r;
}

/* Protected PCIe counts as on: GPUs report then, too. */
static bool is_off(const Collected *c) {
        return c->feature == 0 && c->multi_gpu != NVML_MULTI_GPU_PROTECTED;
}

int collect_explain(DeviceKind kind, const Collected *c, Error *e) {
        const char *library = kind == DEVICE_GPU ? "NVIDIA's management library (libnvidia-ml.so.1)" : "NVIDIA's switch library (libnvidia-nscq.so)",
                   *devices = kind == DEVICE_GPU ? "GPU" : "NVSwitch";

        if (c->answer.outcome == LIBRARY_MISSING)
                return unchecked(e, kind == DEVICE_GPU ? "Is the driver installed? gn8v-tee status tells more" : "Is libnvidia-nscq installed?",
                                 "%s cannot be loaded: %s", library, c->answer.reason);
        if (c->answer.outcome != LIBRARY_ANSWERED)
                return unchecked(e, kind == DEVICE_GPU ? "gn8v-tee status tells more"
                                                       : "Do nvidia-fabricmanager and the driver run? gn8v-tee status tells more",
                                 "%s does not answer: %s", library, c->answer.reason);
        if (c->count <= 0)
                return unchecked(e, NULL, "there is no %s", devices);
        if ((size_t) c->count != c->n)
                return unchecked(e, NULL, "%lld %s devices, but only %zu were told of", (long long) c->count, devices, c->n);
        for (size_t i = 0; i < c->n; i++) {
                const CollectedDevice *d = &c->devices[i];

                if (d->chain && d->report)
                        continue;
                if (kind == DEVICE_GPU && is_off(c))
                        return unchecked(e, "It is switched on from outside, when the instance is made: gn8v-tee instance types have it on",
                                         "confidential computing is off on this machine, and a GPU makes an attestation report only while it is on: %s",
                                         d->failure ? d->failure : "no report");
                return unchecked(e, "gn8v-tee status tells the mode and the state of the GPUs", "%s %zu (%s) gives no attestation report: %s", devices, i,
                                 d->uuid ? d->uuid : "?", d->failure ? d->failure : "nothing was answered");
        }
        return 0;
}

int collect_set_ready(Error *e) {
        static const uint8_t no_nonce[NONCE_SIZE];
        _cleanup_collected_ Collected c = COLLECTED_EMPTY;
        int r;

        r = run_child("ready", no_nonce, &c, e);
        if (r < 0 || c.answer.outcome == LIBRARY_ANSWERED)
                return r;
        return error_hint(e, error_set(e, EIO, EXIT_FAILED, "the GPUs' ready state cannot be set: %s", c.answer.reason),
                          "It takes root, and confidential computing on: gn8v-tee status");
}

static int append(json_t *list, const Collected *c, DeviceKind kind, const char *nonce) {
        for (size_t i = 0; i < c->n; i++) {
                const CollectedDevice *d = &c->devices[i];
                json_t *object = json_pack("{s:s*, s:s*, s:s*, s:s, s:s}", "arch", d->arch ? d->arch : kind == DEVICE_SWITCH ? "LS10" : NULL, "certificate",
                                           d->chain, "evidence", d->report, "nonce", nonce, "version", "1.0");

                if (!object)
                        return -ENOMEM;
                if (json_array_append_new(list, object) < 0)
                        return -ENOMEM;
                if (kind == DEVICE_GPU && c->driver && json_object_set_new(object, "driver_version", json_string(c->driver)) < 0)
                        return -ENOMEM;
                if (kind == DEVICE_GPU && d->vbios && json_object_set_new(object, "vbios_version", json_string(d->vbios)) < 0)
                        return -ENOMEM;
        }
        return 0;
}

char *collect_to_json(const Collected *gpus, const Collected *switches, const uint8_t nonce[static NONCE_SIZE]) {
        _cleanup_free_ char *hex = hex_encode(nonce, NONCE_SIZE);
        json_t *list = json_array();
        char *text = NULL;

        if (list && hex && (!gpus || append(list, gpus, DEVICE_GPU, hex) == 0) && (!switches || append(list, switches, DEVICE_SWITCH, hex) == 0))
                text = json_dumps(list, JSON_INDENT(4) | JSON_SORT_KEYS);
        json_decref(list);
        return text;
}
