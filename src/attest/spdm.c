/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/spdm.h"

#include <ctype.h>

#include "basic/strings.h"

#define REQUEST_SIZE     37
#define RESPONSE_HEADER  8
#define SPDM_1_1         0x11
#define GET_MEASUREMENTS 0xe0
#define MEASUREMENTS     0x60
#define SIGNATURE_WANTED 0x01
#define ALL_MEASUREMENTS 0xff
#define DMTF             0x01
#define RAW_BIT_STREAM   0x80 /* bit 7 of DMTFSpecMeasurementValueType: not a digest */
#define BLOCK_HEADER     4
#define DMTF_HEADER      3
#define TEXT_MAX         64

/* What is left to be read. */
typedef struct Reader {
        const char *name;
        const uint8_t *p;
        size_t left;
} Reader;

static unsigned u16(const uint8_t *p) {
        return (unsigned) p[0] | (unsigned) p[1] << 8;
}

static int malformed(Error *e, const char *name, const char *what) {
        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not an attestation report: %s", name, what),
                          "a report is the device's whole answer to one request, no byte more or less");
}

static int take(Reader *in, size_t n, const char *what, Bytes *ret, Error *e) {
        if (n > in->left) {
                _cleanup_free_ char *why = format("it ends inside %s", what);
                return malformed(e, in->name, why ? why : what);
        }
        *ret = (Bytes) { in->p, n };
        in->p += n;
        in->left -= n;
        return 0;
}

static int parse_blocks(Report *r, const char *name, Bytes record, unsigned count, Error *e) {
        Reader in = { name, record.data, record.size };
        unsigned last = 0;

        for (unsigned i = 0; i < count; i++) {
                Bytes head = {}, dmtf = {}, value = {};
                int k;

                k = take(&in, BLOCK_HEADER, "a measurement block", &head, e);
                if (k < 0 || (k = take(&in, DMTF_HEADER, "a measurement block", &dmtf, e)) < 0)
                        return k;
                /* In ascending order, as devices write them: so none is there twice. */
                if (head.data[0] <= last)
                        return malformed(e, name, "its measurement blocks are not in order");
                last = head.data[0];
                if (head.data[1] != DMTF || (dmtf.data[0] & RAW_BIT_STREAM))
                        return malformed(e, name, "a measurement is of an unknown kind");
                if (u16(head.data + 2) != DMTF_HEADER + u16(dmtf.data + 1) || u16(dmtf.data + 1) == 0)
                        return malformed(e, name, "the sizes of a measurement block do not fit");
                k = take(&in, u16(dmtf.data + 1), "a measurement block", &value, e);
                if (k < 0)
                        return k;
                r->measurements[last - 1] = value;
        }
        r->n_measurements = count;
        return in.left == 0 ? 0 : malformed(e, name, "bytes are left behind its measurement blocks");
}

/* Types that nobody here knows are passed over, as NVIDIA adds some with every driver; a known one must not be there twice. */
static int parse_opaque(Report *r, const char *name, Bytes opaque, Error *e) {
        Reader in = { name, opaque.data, opaque.size };

        while (in.left > 0) {
                Bytes head = {}, value = {};
                unsigned type;
                int k;

                k = take(&in, 4, "its opaque data", &head, e);
                if (k < 0 || (k = take(&in, u16(head.data + 2), "its opaque data", &value, e)) < 0)
                        return k;
                type = u16(head.data);
                if (type >= OPAQUE_TYPE_MAX)
                        continue;
                if (r->opaque[type].data)
                        return malformed(e, name, "a field of its opaque data is there twice");
                r->opaque[type] = value;
        }
        return 0;
}

/* ASCII, ended or padded by NULs; it becomes part of the names of files and URLs. */
static int take_text(Report *r, const char *name, OpaqueType type, char **ret, Error *e) {
        Bytes b = r->opaque[type];
        size_t n;

        if (!b.data)
                return 0;
        n = strnlen((const char *) b.data, b.size);
        if (n > TEXT_MAX)
                return malformed(e, name, "a text of its opaque data is too long");
        for (size_t i = 0; i < b.size; i++)
                if (i < n ? !isalnum(b.data[i]) && !strchr(".-_", b.data[i]) : b.data[i] != 0)
                        return malformed(e, name, "a text of its opaque data has other characters than letters, digits, '.', '-' and '_'");
        *ret = strndup((const char *) b.data, n);
        return *ret ? 0 : error_oom(e);
}

static int take_texts(Report *r, const char *name, Error *e) {
        const uint8_t *v = r->opaque[OPAQUE_VBIOS_VERSION].data;
        int k;

        /* A switch has none of the other fields: there, the numbers may mean something else one day. */
        if (r->kind == DEVICE_SWITCH)
                return take_text(r, name, OPAQUE_VBIOS_VERSION, &r->vbios_version, e);
        struct { OpaqueType type; char **p; } texts[] = {
                { OPAQUE_DRIVER_VERSION, &r->driver_version }, { OPAQUE_PROJECT, &r->project }, { OPAQUE_PROJECT_SKU, &r->project_sku },
                { OPAQUE_CHIP_SKU, &r->chip_sku }, { OPAQUE_CHIP_INFO, &r->chip_info },
        };
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                k = take_text(r, name, texts[i].type, texts[i].p, e);
                if (k < 0)
                        return k;
        }
        if (!v)
                return 0;
        if (r->opaque[OPAQUE_VBIOS_VERSION].size != 8)
                return malformed(e, name, "its VBIOS version has not 8 bytes");
        r->vbios_version = format("%02X.%02X.%02X.%02X.%02X", v[3], v[2], v[1], v[0], v[4]);
        return r->vbios_version ? 0 : error_oom(e);
}

static int parse_request(Report *r, Reader *in, Error *e) {
        Bytes b = {};
        int k;

        k = take(in, REQUEST_SIZE, "the request", &b, e);
        if (k < 0)
                return k;
        if (b.data[0] != SPDM_1_1 || b.data[1] != GET_MEASUREMENTS || b.data[2] != SIGNATURE_WANTED || b.data[3] != ALL_MEASUREMENTS)
                return malformed(e, in->name, "it does not begin with an SPDM 1.1 request of all measurements, signed");
        r->nonce = (Bytes) { b.data + 4, NONCE_SIZE };
        return 0;
}

static int parse_response(Report *r, Reader *in, Error *e) {
        Bytes head = {}, record = {}, nonce = {}, length = {}, opaque = {};
        int k;

        k = take(in, RESPONSE_HEADER, "the response", &head, e);
        if (k < 0)
                return k;
        if (head.data[0] != SPDM_1_1 || head.data[1] != MEASUREMENTS)
                return malformed(e, in->name, "no SPDM 1.1 measurements follow the request");
        if ((k = take(in, u16(head.data + 5) | (size_t) head.data[7] << 16, "the measurement record", &record, e)) < 0 ||
            (k = take(in, NONCE_SIZE, "the responder's nonce", &nonce, e)) < 0 || (k = take(in, 2, "the response", &length, e)) < 0 ||
            (k = take(in, u16(length.data), "its opaque data", &opaque, e)) < 0)
                return k;
        r->covered = (Bytes) { r->data, (size_t) (in->p - r->data) };
        k = take(in, SIGNATURE_SIZE, "its signature", &r->signature, e);
        if (k < 0)
                return k;
        if (in->left > 0)
                return malformed(e, in->name, "bytes are left behind its signature");
        k = parse_blocks(r, in->name, record, head.data[4], e);
        return k < 0 ? k : parse_opaque(r, in->name, opaque, e);
}

int report_parse(const char *name, DeviceKind kind, const void *data, size_t size, Report **ret, Error *e) {
        _cleanup_(report_freep) Report *r = NULL;
        Reader in = { name, NULL, size };
        int k;

        if (size == 0 || size > REPORT_MAX)
                return malformed(e, name, size == 0 ? "it is empty" : "it is too large");
        r = calloc(1, sizeof(Report));
        if (!r || !(r->data = malloc(size)))
                return error_oom(e);
        memcpy(r->data, data, size);
        r->size = size;
        r->kind = kind;
        in.p = r->data;
        if ((k = parse_request(r, &in, e)) < 0 || (k = parse_response(r, &in, e)) < 0 || (k = take_texts(r, name, e)) < 0)
                return k;
        *ret = TAKE_PTR(r);
        return 0;
}

Report *report_free(Report *r) {
        if (!r)
                return NULL;
        free(r->data);
        free(r->driver_version);
        free(r->vbios_version);
        free(r->project);
        free(r->project_sku);
        free(r->chip_sku);
        free(r->chip_info);
        free(r);
        return NULL;
}

int report_decode(const char *name, const void *data, size_t size, uint8_t **ret, size_t *ret_size, Error *e) {
        const uint8_t *p = data;
        int k;

        if (size > 1 && p[0] == SPDM_1_1 && p[1] == GET_MEASUREMENTS) {
                uint8_t *copy = malloc(size);

                if (!copy)
                        return error_oom(e);
                *ret = memcpy(copy, data, size);
                *ret_size = size;
                return 0;
        }
        k = hex_decode(data, size, true, ret, ret_size);
        return k == -ENOMEM ? error_oom(e) : k < 0 ? malformed(e, name, "neither its bytes nor hexadecimal digits") : 0;
}

int report_opaque_u8(const Report *r, OpaqueType type) {
        return r->opaque[type].size == 1 ? r->opaque[type].data[0] : -ENODATA;
}

int report_opaque_u16(const Report *r, OpaqueType type) {
        return r->opaque[type].size == 2 ? (int) u16(r->opaque[type].data) : -ENODATA;
}
