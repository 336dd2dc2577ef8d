/* SPDX-License-Identifier: Apache-2.0 */
/* The golden values of a manifest whose signature was found right. */
#include "attest/rim-xml.h"
#include "basic/strings.h"

#define TEXT_MAX 128

/* An attribute's text in new memory, or NULL in *ret; refused when it is not short, printable ASCII. */
static int take_text(const xmlNode *node, const char *ns, const char *local, bool required, char **ret) {
        _cleanup_free_ char *s = rim_attribute(node, ns, local);

        if (!s || !*s)
                return required ? -EBADMSG : 0;
        for (const char *p = s; *p; p++)
                if (*p < ' ' || *p > '~')
                        return -EBADMSG;
        if (strlen(s) > TEXT_MAX)
                return -EBADMSG;
        free(*ret);
        *ret = TAKE_PTR(s);
        return 0;
}

static int take_number(const xmlNode *node, const char *local, unsigned max, unsigned *ret) {
        _cleanup_free_ char *s = rim_attribute(node, NULL, local);
        uint64_t n;

        if (!s || parse_u64(s, &n) < 0 || n > max)
                return -EBADMSG;
        *ret = (unsigned) n;
        return 0;
}

static int take_hash(const xmlNode *node, unsigned i, uint8_t *ret) {
        _cleanup_free_ char *local = format("Hash%u", i), *text = local ? rim_attribute(node, NS_SHA384, local) : NULL;
        _cleanup_free_ uint8_t *bytes = NULL;
        size_t n;

        if (!text || hex_decode(text, strlen(text), false, &bytes, &n) < 0 || n != DIGEST_SIZE)
                return -EBADMSG;
        memcpy(ret, bytes, DIGEST_SIZE);
        return 0;
}

static unsigned count_hashes(const xmlNode *node) {
        unsigned n = 0;

        for (const xmlAttr *a = node->properties; a; a = a->next)
                n += a->ns && streq((const char *) a->ns->href, NS_SHA384);
        return n;
}

static int take_measurement(Rim *r, const xmlNode *node) {
        _cleanup_free_ char *type = rim_attribute(node, NULL, "type"), *active = rim_attribute(node, NULL, "active");
        unsigned index, size, n;
        RimValue *v;

        if (!type || !streq(type, "Measurement") || !active || (!streq(active, "True") && !streq(active, "False")))
                return -EBADMSG;
        if (take_number(node, "index", MEASUREMENT_MAX - 1, &index) < 0 || take_number(node, "size", DIGEST_SIZE, &size) < 0 ||
            take_number(node, "alternatives", RIM_ALTERNATIVES_MAX, &n) < 0)
                return -EBADMSG;
        v = &r->values[index];
        /* A second value for an index, or hashes that are not counted, would be somebody's choice. */
        if (v->present || size != DIGEST_SIZE || n == 0 || count_hashes(node) != n)
                return -EBADMSG;
        v->hashes = calloc(n, sizeof *v->hashes);
        if (!v->hashes)
                return -ENOMEM;
        v->present = true;
        v->active = streq(active, "True");
        v->size = size;
        v->n = n;
        for (unsigned i = 0; i < n; i++)
                if (take_hash(node, i, v->hashes[i]) < 0)
                        return -EBADMSG;
        r->n_active += v->active;
        return 0;
}

static int take_payload(Rim *r, const xmlNode *payload) {
        bool text = false;
        xmlNode *node;
        int k;

        for (node = rim_element(payload->children, &text); node; node = rim_element(node->next, &text)) {
                if (!rim_is(node, NS_SWID, "Resource") || node->children)
                        return -EBADMSG;
                k = take_measurement(r, node);
                if (k < 0)
                        return k;
        }
        return text ? -EBADMSG : 0;
}

static int take_meta(Rim *r, const xmlNode *meta) {
        if (meta->children || take_text(meta, NULL, "colloquialVersion", true, &r->version) < 0 || take_text(meta, NULL, "edition", true, &r->edition) < 0 ||
            take_text(meta, NULL, "product", true, &r->product) < 0)
                return -EBADMSG;
        return take_text(meta, NS_TCG, "FirmwareManufacturerId", false, &r->manufacturer_id);
}

/* Entity, Meta, Payload, each once, in this order, and then the signature: all of it directly below the root. */
static int read_content(Rim *r, const RimXml *x) {
        xmlNode *entity, *meta, *payload, *root = xmlDocGetRootElement(x->doc);
        bool text = false;
        int k;

        entity = rim_element(root->children, &text);
        meta = rim_is(entity, NS_SWID, "Entity") && !entity->children ? rim_element(entity->next, &text) : NULL;
        payload = rim_is(meta, NS_SWID, "Meta") ? rim_element(meta->next, &text) : NULL;
        if (!rim_is(payload, NS_SWID, "Payload") || rim_element(payload->next, &text) != x->signature || text)
                return -EBADMSG;
        k = take_meta(r, meta);
        if (k == 0)
                k = take_payload(r, payload);
        return k < 0 ? k : r->n_active > 0 ? 0 : -ENODATA;
}

int rim_content_read(Rim *r, const RimXml *x, Error *e) {
        int k = read_content(r, x);

        if (k == -ENOMEM)
                return error_oom(e);
        return k == -ENODATA ? rim_error(e, r->name, "it has no active measurement")
               : k < 0       ? rim_error(e, r->name, "its elements are not those of NVIDIA's manifests")
                             : 0;
}
