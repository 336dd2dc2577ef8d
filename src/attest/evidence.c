/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/evidence.h"

#include <fcntl.h>
#include <jansson.h>

#include "attest/cert-chain.h"
#include "basic/fs.h"
#include "basic/strings.h"

Evidence *evidence_new(void) {
        return calloc(1, sizeof(Evidence));
}

static Device *device_free(Device *d) {
        if (!d)
                return NULL;
        free(d->source);
        free(d->arch);
        free(d->report);
        free(d->chain);
        free(d);
        return NULL;
}

Evidence *evidence_free(Evidence *ev) {
        if (!ev)
                return NULL;
        for (size_t i = 0; i < ev->n; i++)
                (void) device_free(ev->devices[i]);
        free(ev->devices);
        free(ev);
        return NULL;
}

Device *evidence_add(Evidence *ev) {
        Device **grown = reallocarray(ev->devices, ev->n + 1, sizeof(Device *));
        Device *d = grown ? calloc(1, sizeof(Device)) : NULL;

        if (grown)
                ev->devices = grown;
        if (d)
                ev->devices[ev->n++] = d;
        return d;
}

static int malformed(Error *e, const char *path, size_t i, const char *what) {
        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: device %zu: %s", path, i + 1, what),
                          "evidence is a JSON list of { \"arch\", \"certificate\", \"evidence\", \"nonce\" }, as NVIDIA's tools write it");
}

/* A string without NULs, or NULL. */
static const char *text(const json_t *object, const char *key) {
        const json_t *v = json_object_get(object, key);
        const char *s = json_string_value(v);

        return s && strlen(s) == json_string_length(v) ? s : NULL;
}

static int parse_nonce(Device *d, const json_t *object, const char *path, size_t i, Error *e) {
        const char *hex = text(object, "nonce");
        _cleanup_free_ uint8_t *bytes = NULL;
        size_t n;

        if (!json_object_get(object, "nonce"))
                return 0;
        if (!hex || hex_decode(hex, strlen(hex), false, &bytes, &n) < 0 || n != NONCE_SIZE)
                return malformed(e, path, i, "\"nonce\" is not 64 hexadecimal digits");
        memcpy(d->nonce, bytes, NONCE_SIZE);
        d->has_nonce = true;
        return 0;
}

static int parse_device(Evidence *ev, const json_t *object, const char *path, size_t i, Error *e) {
        const char *arch = text(object, "arch"), *certificate = text(object, "certificate"), *report = text(object, "evidence");
        Device *d = evidence_add(ev);

        if (!d || !(d->source = format("%s: device %zu", path, i + 1)))
                return error_oom(e);
        if (!json_is_object(object) || !certificate || !report)
                return malformed(e, path, i, "\"certificate\" or \"evidence\" is not there");
        if (json_object_get(object, "arch")) {
                if (!arch || !*arch || strlen(arch) > 32 || strspn(arch, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != strlen(arch))
                        return malformed(e, path, i, "\"arch\" is not an architecture's name");
                if (!(d->arch = strdup(arch)))
                        return error_oom(e);
        }
        if (base64_decode(certificate, strlen(certificate), false, (uint8_t **) &d->chain, &d->chain_size) < 0)
                return malformed(e, path, i, "\"certificate\" is not base64");
        if (base64_decode(report, strlen(report), false, &d->report, &d->report_size) < 0)
                return malformed(e, path, i, "\"evidence\" is not base64");
        return parse_nonce(d, object, path, i, e);
}

int evidence_parse_json(Evidence *ev, const char *path, const char *data, size_t size, Error *e) {
        json_error_t why;
        json_t *root = json_loadb(data, size, JSON_REJECT_DUPLICATES, &why), *object;
        size_t i;
        int r = 0;

        if (!root)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s:%d: not JSON: %s", path, why.line, why.text);
        if (!json_is_array(root) || json_array_size(root) == 0)
                r = error_set(e, EBADMSG, EXIT_INVALID, "%s: not a list of evidence", path);
        else if (json_array_size(root) > EVIDENCE_DEVICES_MAX || ev->n + json_array_size(root) > EVIDENCE_DEVICES_MAX)
                r = error_set(e, E2BIG, EXIT_INVALID, "%s: evidence of more than %d devices", path, EVIDENCE_DEVICES_MAX);
        json_array_foreach(root, i, object) {
                if (r < 0)
                        break;
                r = parse_device(ev, object, path, i, e);
        }
        json_decref(root);
        return r;
}

static int read_input(const char *path, size_t max, char **ret, size_t *ret_size, Error *e) {
        int r = read_file(AT_FDCWD, path, max, ret, ret_size);

        if (r == -EFBIG)
                return error_set(e, -r, EXIT_INVALID, "%s: larger than %zu bytes", path, max);
        return r < 0 ? error_errno(e, -r, "%s", path) : 0;
}

int evidence_load_json(Evidence *ev, const char *path, Error *e) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        r = read_input(path, EVIDENCE_MAX, &data, &size, e);
        return r < 0 ? r : evidence_parse_json(ev, path, data, size, e);
}

int evidence_load_files(Evidence *ev, const char *report_path, const char *chain_path, Error *e) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        Device *d = evidence_add(ev);
        int r;

        if (!d || !(d->source = strdup(report_path)))
                return error_oom(e);
        r = read_input(report_path, 4 * REPORT_MAX, &data, &size, e);
        if (r < 0 || (r = report_decode(report_path, data, size, &d->report, &d->report_size, e)) < 0)
                return r;
        return read_input(chain_path, CHAIN_TEXT_MAX, &d->chain, &d->chain_size, e);
}
