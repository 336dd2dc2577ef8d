/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/evidence.h"

#include <ctype.h>
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

/* Where one device's text is: in its own object, else beside the list that it is in. */
static const char *text_of(const json_t *object, const json_t *outer, const char *key, bool *ret_there) {
        const json_t *from = json_object_get(object, key) ? object : outer;

        *ret_there = json_object_get(from, key) != NULL;
        return text(from, key);
}

static int parse_nonce(Device *d, const json_t *object, const json_t *outer, const char *path, size_t i, Error *e) {
        bool there;
        const char *hex = text_of(object, outer, "nonce", &there);
        _cleanup_free_ uint8_t *bytes = NULL;
        size_t n;

        if (!there)
                return 0;
        if (!hex || hex_decode(hex, strlen(hex), false, &bytes, &n) < 0 || n != NONCE_SIZE)
                return malformed(e, path, i, "\"nonce\" is not 64 hexadecimal digits");
        memcpy(d->nonce, bytes, NONCE_SIZE);
        d->has_nonce = true;
        return 0;
}

static int parse_arch(Device *d, const json_t *object, const json_t *outer, const char *path, size_t i, Error *e) {
        bool there;
        const char *arch = text_of(object, outer, "arch", &there);

        if (!there)
                return 0;
        if (!arch || !*arch || strlen(arch) > 32 || strspn(arch, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != strlen(arch))
                return malformed(e, path, i, "\"arch\" is not an architecture's name");
        if (!(d->arch = strdup(arch)))
                return error_oom(e);
        for (char *p = d->arch; *p; p++)
                *p = (char) toupper((unsigned char) *p);
        return 0;
}

static int decode_chain(Device *d, const char *certificate) {
        if (!strstr(certificate, "-----BEGIN"))
                return base64_decode(certificate, strlen(certificate), true, (uint8_t **) &d->chain, &d->chain_size);
        d->chain = strdup(certificate);
        d->chain_size = strlen(certificate);
        return d->chain ? 0 : -ENOMEM;
}

/* As base64, and what comes out of it, or the text itself, may be hex: NVIDIA's older tools wrap it so. Bytes of a report begin with 0x11. */
static int decode_report(Device *d, const char *evidence) {
        _cleanup_free_ uint8_t *hex = NULL;
        size_t n;
        int r;

        if (startswith(evidence, "11") && hex_decode(evidence, strlen(evidence), true, &d->report, &d->report_size) == 0)
                return 0;
        r = base64_decode(evidence, strlen(evidence), true, &d->report, &d->report_size);
        if (r < 0 || d->report_size == 0 || d->report[0] != '1' || hex_decode((const char *) d->report, d->report_size, true, &hex, &n) < 0)
                return r;
        free(d->report);
        d->report = TAKE_PTR(hex);
        d->report_size = n;
        return 0;
}

static int parse_device(Evidence *ev, const json_t *object, const json_t *outer, const char *path, size_t i, Error *e) {
        const char *certificate = text(object, "certificate"), *report = text(object, "evidence");
        Device *d = evidence_add(ev);
        int r;

        if (!d || !(d->source = format("%s: device %zu", path, i + 1)))
                return error_oom(e);
        if (!json_is_object(object) || !certificate || !report)
                return malformed(e, path, i, "\"certificate\" or \"evidence\" is not there");
        r = decode_chain(d, certificate);
        if (r == 0)
                r = decode_report(d, report);
        if (r == -ENOMEM)
                return error_oom(e);
        if (r < 0)
                return malformed(e, path, i, d->chain ? "\"evidence\" is not base64" : "\"certificate\" is not base64");
        r = parse_arch(d, object, outer, path, i, e);
        return r < 0 ? r : parse_nonce(d, object, outer, path, i, e);
}

/* The list that a document is, or has in it; NULL: none. */
static json_t *find_list(json_t *root) {
        static const char *const keys[] = { "evidences", "evidence_list" };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (json_object_get(root, keys[i]))
                        return json_object_get(root, keys[i]);
        return json_is_array(root) ? root : NULL;
}

static int parse_document(Evidence *ev, json_t *root, const char *path, Error *e) {
        json_t *list = find_list(root), *object;
        size_t i;
        int r = 0;

        if (!list && json_object_get(root, "evidence"))
                return ev->n < EVIDENCE_DEVICES_MAX ? parse_device(ev, root, NULL, path, 0, e)
                                                    : error_set(e, E2BIG, EXIT_INVALID, "%s: evidence of more than %d devices", path, EVIDENCE_DEVICES_MAX);
        if (!json_is_array(list) || json_array_size(list) == 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: not a list of evidence", path);
        if (json_array_size(list) > EVIDENCE_DEVICES_MAX || ev->n + json_array_size(list) > EVIDENCE_DEVICES_MAX)
                return error_set(e, E2BIG, EXIT_INVALID, "%s: evidence of more than %d devices", path, EVIDENCE_DEVICES_MAX);
        json_array_foreach(list, i, object)
                if ((r = parse_device(ev, object, list == root ? NULL : root, path, i, e)) < 0)
                        return r;
        return 0;
}

int evidence_parse_json(Evidence *ev, const char *path, const char *data, size_t size, Error *e) {
        json_error_t why;
        json_t *root = json_loadb(data, size, JSON_REJECT_DUPLICATES, &why);
        int r;

        if (!root)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s:%d: not JSON: %s", path, why.line, why.text);
        r = parse_document(ev, root, path, e);
        json_decref(root);
        return r;
}

static int read_input(const char *path, size_t max, char **ret, size_t *ret_size, Error *e) {
        int r = streq(path, "-") ? read_fd(STDIN_FILENO, max, ret, ret_size) : read_file(AT_FDCWD, path, max, ret, ret_size);

        if (r == -EFBIG)
                return error_set(e, -r, EXIT_INVALID, "%s: larger than %zu bytes", path, max);
        return r < 0 ? error_errno(e, -r, "%s", path) : 0;
}

int evidence_load_json(Evidence *ev, const char *path, Error *e) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        r = read_input(path, EVIDENCE_MAX, &data, &size, e);
        return r < 0 ? r : evidence_parse_json(ev, streq(path, "-") ? "standard input" : path, data, size, e);
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
