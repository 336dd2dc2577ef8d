/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side: starts the child, bounds it, reads its lines. */
#include "attest/collect.h"

#include <jansson.h>
#include <stddef.h>

#include "basic/nvml-api.h"
#include "basic/process.h"
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
        free(c->reason);
        free(c->at);
        free(c->driver);
        *c = COLLECTED_EMPTY;
}

/* A line's key and where its value goes. */
typedef struct Key {
        const char *name;
        enum { KEY_TEXT, KEY_NUMBER, KEY_BASE64 } type;
        size_t offset;
} Key;

static const Key system_keys[] = {
        { "at", KEY_TEXT, offsetof(Collected, at) },
        { "driver", KEY_TEXT, offsetof(Collected, driver) },
        { "environment", KEY_NUMBER, offsetof(Collected, environment) },
        { "feature", KEY_NUMBER, offsetof(Collected, feature) },
        { "devtools", KEY_NUMBER, offsetof(Collected, devtools) },
        { "multi-gpu", KEY_NUMBER, offsetof(Collected, multi_gpu) },
        { "count", KEY_NUMBER, offsetof(Collected, count) },
};
static const Key device_keys[] = {
        { "uuid", KEY_TEXT, offsetof(CollectedDevice, uuid) },
        { "arch", KEY_TEXT, offsetof(CollectedDevice, arch) },
        { "vbios", KEY_TEXT, offsetof(CollectedDevice, vbios) },
        { "mode", KEY_NUMBER, offsetof(CollectedDevice, mode) },
        { "chain", KEY_BASE64, offsetof(CollectedDevice, chain) },
        { "report", KEY_BASE64, offsetof(CollectedDevice, report) },
        { "failed", KEY_TEXT, offsetof(CollectedDevice, failure) },
};

static int put_text(char **where, const char *value) {
        char *copy = strdup(value);

        if (!copy)
                return -ENOMEM;
        free(*where);
        *where = copy;
        return 0;
}

static int check_base64(const char *value) {
        _cleanup_free_ uint8_t *data = NULL;
        size_t n;
        int r = base64_decode(value, strlen(value), false, &data, &n);

        return r < 0 ? r : n == 0 || n > REPORT_MAX ? -EBADMSG : 0;
}

/* 1: it is one of these keys, and was taken; 0: it is not. */
static int take(const Key *keys, size_t n, void *into, const char *key, const char *value) {
        for (size_t i = 0; i < n; i++) {
                void *where = (char *) into + keys[i].offset;
                uint64_t u;
                int r = 0;

                if (!streq(keys[i].name, key))
                        continue;
                if (keys[i].type == KEY_NUMBER) {
                        if (parse_u64(value, &u) < 0 || u > UINT32_MAX)
                                return -EBADMSG;
                        *(int64_t *) where = (int64_t) u;
                        return 1;
                }
                if (keys[i].type == KEY_BASE64)
                        r = check_base64(value);
                /* The first failure is the one worth knowing. */
                else if (streq(key, "failed") && *(char **) where)
                        return 1;
                return r < 0 ? r : put_text(where, value) < 0 ? -ENOMEM : 1;
        }
        return 0;
}

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

/* One line, changed. 1: it was the last; 0. */
static int parse_line(Collected *c, char *line) {
        char *value = strchr(line, ' ');
        int k;

        if (streq(line, "end"))
                return 1;
        if (!value)
                return -EBADMSG;
        *value++ = '\0';
        if (streq(line, "device"))
                return begin_device(c, value);
        if (streq(line, "missing") || streq(line, "stopped")) {
                c->outcome = streq(line, "missing") ? COLLECT_NO_LIBRARY : COLLECT_REFUSED;
                return put_text(&c->reason, value);
        }
        k = take(system_keys, ELEMENTSOF(system_keys), c, line, value);
        if (k == 0 && c->n > 0)
                k = take(device_keys, ELEMENTSOF(device_keys), &c->devices[c->n - 1], line, value);
        return k == 0 ? -EBADMSG : MIN(k, 0);
}

int collect_parse(const char *answer, size_t size, Collected *ret) {
        const char *p = answer, *end = answer + size;
        bool first = true;
        int k = 0;

        if (size > COLLECT_ANSWER_MAX)
                return -EBADMSG;
        for (const char *newline; k == 0 && (newline = memchr(p, '\n', (size_t) (end - p))); p = newline + 1) {
                _cleanup_free_ char *line = NULL;
                size_t length = (size_t) (newline - p);

                if (length >= LINE_MAX_SIZE)
                        return -EBADMSG;
                for (size_t i = 0; i < length; i++)
                        if ((unsigned char) p[i] < ' ' || (unsigned char) p[i] > '~')
                                return -EBADMSG;
                line = strndup(p, length);
                if (!line)
                        return -ENOMEM;
                if (first && !streq(line, "gn8v-collect 1"))
                        return -EBADMSG;
                k = first ? 0 : parse_line(ret, line);
                first = false;
        }
        return k == 1 && p != end ? -EBADMSG : k;
}

/* What became of a child whose answer was parsed as k. */
static int conclude(Collected *c, int status, int k) {
        const char *at = c->at ? c->at : "its start";

        if (k == 1 && status == 0)
                return 0;
        free(c->reason);
        if (status == 124) {
                c->outcome = COLLECT_HUNG;
                c->reason = format("no answer within %d s, stopped in %s", COLLECT_TIMEOUT_SEC, at);
        } else if (status > 128) {
                c->outcome = COLLECT_CRASHED;
                c->reason = format("crashed in %s: %s", at, strsignal(status - 128));
        } else {
                c->outcome = COLLECT_GARBAGE;
                c->reason = k < 0 ? format("answered nonsense at %s", at) : format("ended without an answer in %s (status %d)", at, status);
        }
        return c->reason ? 0 : -ENOMEM;
}

static int run_child(const char *what, const uint8_t nonce[static NONCE_SIZE], Collected *ret, Error *e) {
        _cleanup_free_ char *hex = hex_encode(nonce, NONCE_SIZE), *answer = NULL, *libraries = NULL;
        const char *path = getenv("LD_LIBRARY_PATH"); /* the loader has let us have it: where a driver outside the usual folders is */
        const char *const argv[] = { "/proc/self/exe", COLLECT_VERB, what, hex, NULL };
        _cleanup_collected_ Collected c = COLLECTED_EMPTY;
        int status, k;

        libraries = path ? format("LD_LIBRARY_PATH=%s", path) : NULL;
        if (!hex || (path && !libraries))
                return error_oom(e);
        const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", libraries, NULL };
        const Process p = { .argv = argv, .env = env, .timeout_sec = COLLECT_TIMEOUT_SEC, .output_max = COLLECT_ANSWER_MAX + 1 };
        k = process_run(&p, &status, &answer, e);
        if (k < 0)
                return k;
        k = collect_parse(answer, strlen(answer), &c);
        if (k == -ENOMEM || conclude(&c, status, k) < 0)
                return error_oom(e);
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

        if (c->outcome == COLLECT_NO_LIBRARY)
                return unchecked(e, kind == DEVICE_GPU ? "Is the driver installed? gn8v-tee status tells more" : "Is libnvidia-nscq installed?",
                                 "%s cannot be loaded: %s", library, c->reason);
        if (c->outcome != COLLECT_ANSWERED)
                return unchecked(e, kind == DEVICE_GPU ? "gn8v-tee status tells more"
                                                       : "Do nvidia-fabricmanager and the driver run? gn8v-tee status tells more",
                                 "%s does not answer: %s", library, c->reason);
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
        if (r < 0 || c.outcome == COLLECT_ANSWERED)
                return r;
        return error_hint(e, error_set(e, EIO, EXIT_FAILED, "the GPUs' ready state cannot be set: %s", c.reason),
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
                text = json_dumps(list, JSON_INDENT(2) | JSON_SORT_KEYS);
        json_decref(list);
        return text;
}
