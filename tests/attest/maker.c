/* SPDX-License-Identifier: Apache-2.0 */
#include "maker.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define HALF (SIGNATURE_SIZE / 2)

int64_t maker_shift;

static void need(bool ok, const char *what) {
        if (ok)
                return;
        fprintf(stderr, "maker: %s failed\n", what);
        abort();
}
#define NEED(x) need(!!(x), #x)

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value) {
        X509_EXTENSION *ext;
        X509V3_CTX ctx;

        X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
        NEED(ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value));
        NEED(X509_add_ext(x, ext, -1) == 1);
        X509_EXTENSION_free(ext);
}

static void add_raw_extension(X509 *x, const char *oid, const void *data, size_t size) {
        ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
        ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
        X509_EXTENSION *ext;

        NEED(object && value && ASN1_OCTET_STRING_set(value, data, (int) size) == 1);
        NEED(ext = X509_EXTENSION_create_by_OBJ(NULL, object, 0, value));
        NEED(X509_add_ext(x, ext, -1) == 1);
        X509_EXTENSION_free(ext);
        ASN1_OCTET_STRING_free(value);
        ASN1_OBJECT_free(object);
}

/* Hopper: SEQUENCE { INTEGER 0, OCTET STRING }, whose end is what counts. Blackwell: TcbInfo { [6] { { sha384, digest } } }. */
static void add_fwid(X509 *x, const CertSpec *spec) {
        static const uint8_t hopper[] = { 0x30, 0x35, 0x02, 0x01, 0x00, 0x04, 0x30 },
                             tcb_info[] = { 0x30, 0x46, 0x83, 0x01, 0x01, 0xa6, 0x41, 0x30, 0x3d + 0x02, 0x06, 0x09, 0x60, 0x86, 0x48,
                                            0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x04, 0x30 };
        _cleanup_text_ Text t = {};

        if (!spec->fwid_in_tcb_info) {
                text_append_n(&t, hopper, sizeof hopper);
                text_append_n(&t, spec->fwid, DIGEST_SIZE);
                add_raw_extension(x, "2.23.133.5.4.1", t.data, t.size);
                return;
        }
        text_append_n(&t, tcb_info, sizeof tcb_info);
        text_append_n(&t, spec->fwid, DIGEST_SIZE);
        /* Sizes from the inside out: FWID, list, TcbInfo. */
        t.data[8] = (char) (t.size - 9);
        t.data[6] = (char) (t.size - 7);
        t.data[1] = (char) (t.size - 2);
        add_raw_extension(x, "2.23.133.5.4.1.1", t.data, t.size);
}

void authority_make(Maker *m, const Authority *issuer, const CertSpec *spec, Authority *ret) {
        EVP_PKEY *key = EVP_EC_gen(spec->curve ? spec->curve : "P-384");
        X509 *x = X509_new();
        X509_NAME *name = X509_NAME_new();
        const Authority self = { key, x };
        char constraints[64] = "critical,CA:TRUE";

        NEED(key && x && name);
        issuer = issuer ? issuer : &self;
        NEED(X509_set_version(x, X509_VERSION_3) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), 1000 + (long) m->serial++) == 1);
        NEED(X509_time_adj_ex(X509_getm_notBefore(x), 0, 0, &(time_t){ spec->from + maker_shift }));
        if (spec->until)
                NEED(X509_time_adj_ex(X509_getm_notAfter(x), 0, 0, &(time_t){ spec->until + maker_shift }));
        else
                NEED(ASN1_TIME_set_string_X509(X509_getm_notAfter(x), "99991231235959Z") == 1);
        if (spec->serial_number)
                NEED(X509_NAME_add_entry_by_NID(name, NID_serialNumber, MBSTRING_ASC, (const uint8_t *) spec->serial_number, -1, -1, 0) == 1);
        NEED(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC, (const uint8_t *) spec->name, -1, -1, 0) == 1);
        NEED(X509_set_subject_name(x, name) == 1 && X509_set_pubkey(x, key) == 1);
        NEED(X509_set_issuer_name(x, X509_get_subject_name(issuer->cert)) == 1);
        if (spec->lapse != LAPSE_NO_KEY_USAGE)
                add_extension(x, issuer->cert, NID_key_usage, spec->authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
        if (spec->authority && spec->path_length >= 0)
                (void) snprintf(constraints, sizeof constraints, "critical,CA:TRUE,pathlen:%d", spec->path_length);
        if (spec->authority)
                add_extension(x, issuer->cert, NID_basic_constraints, spec->lapse == LAPSE_CONSTRAINTS_NOT_CRITICAL ? "CA:TRUE" : constraints);
        add_extension(x, issuer->cert, NID_subject_key_identifier, "hash");
        if (spec->lapse != LAPSE_NO_AUTHORITY_KEY)
                add_extension(x, issuer->cert, NID_authority_key_identifier, "keyid:always");
        if (spec->ocsp)
                add_extension(x, issuer->cert, NID_ext_key_usage, "OCSPSigning");
        if (spec->fwid)
                add_fwid(x, spec);
        NEED(X509_sign(x, issuer->key, EVP_sha384()) > 0);
        X509_NAME_free(name);
        *ret = self;
}

void authority_done(Authority *a) {
        EVP_PKEY_free(a->key);
        X509_free(a->cert);
        *a = (Authority) {};
}

static void cert_sha256(X509 *x, char ret[static SHA256_HEX_SIZE]) {
        unsigned char *der = NULL;
        int size = i2d_X509(x, &der);

        NEED(size > 0 && sha256_buffer(der, (size_t) size, ret) == 0);
        OPENSSL_free(der);
}

char *cert_to_pem(X509 *x) {
        BIO *bio = BIO_new(BIO_s_mem());
        char *data, *copy;
        long n;

        NEED(bio && PEM_write_bio_X509(bio, x) == 1);
        n = BIO_get_mem_data(bio, &data);
        NEED(copy = strndup(data, (size_t) n));
        BIO_free(bio);
        return copy;
}

char *chain_to_pem(const Authority *const *certs, size_t n) {
        _cleanup_text_ Text t = {};
        char *s;

        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *pem = cert_to_pem(certs[i]->cert);
                text_append(&t, pem);
        }
        NEED(s = text_take(&t));
        return s;
}

void maker_init(Maker *m) {
        CertSpec spec = { .authority = true, .path_length = -1, .from = MAKER_START };
        struct { const char *name; Authority *authority, *issuer; bool rim; } list[] = {
                { "Made Device Root", &m->device_root, NULL, false }, { "Made Identity", &m->identity, &m->device_root, false },
                { "Made GH100 Provisioner", &m->gpu_ica, &m->identity, false }, { "Made LS_10 Provisioner", &m->switch_ica, &m->identity, false },
                { "Made RIM Root", &m->rim_root, NULL, false }, { "Made Reference Value CA", &m->rim_ca, &m->rim_root, true },
                { "Made Reference Value L3", &m->rim_l3, &m->rim_ca, true },
        };

        *m = (Maker) {};
        for (size_t i = 0; i < ELEMENTSOF(list); i++) {
                spec.name = list[i].name;
                spec.until = list[i].rim ? MAKER_END : 0;
                authority_make(m, list[i].issuer, &spec, list[i].authority);
        }
        spec = (CertSpec) { .name = "Made RIM L4 Signer", .from = MAKER_START, .until = MAKER_END };
        authority_make(m, &m->rim_l3, &spec, &m->rim_l4);
        cert_sha256(m->device_root.cert, m->device_sha256);
        cert_sha256(m->rim_root.cert, m->rim_sha256);
        m->device_roots[0] = m->device_sha256;
        m->rim_roots[0] = m->rim_sha256;
        m->roots = (TrustRoots) { m->device_roots, m->rim_roots };
}

void maker_done(Maker *m) {
        Authority *list[] = { &m->device_root, &m->identity, &m->gpu_ica, &m->switch_ica, &m->rim_root, &m->rim_ca, &m->rim_l3, &m->rim_l4 };

        for (size_t i = 0; i < ELEMENTSOF(list); i++)
                authority_done(list[i]);
}

void device_make(Maker *m, DeviceKind kind, unsigned number, const CertSpec *leaf, SimDevice *ret) {
        bool gpu = kind == DEVICE_GPU;
        _cleanup_free_ char *pdi = NULL, *serial = NULL, *leaf_serial = format("%040X", number + (gpu ? 0x100 : 0x200));
        CertSpec brom = { .name = gpu ? "GH100 A01 GSP BROM" : "LS_10 A01 FSP BROM", .authority = true, .path_length = -1, .from = MAKER_START },
                 own = { .name = gpu ? "GH100 A01 GSP FMC LF" : "LS_10 A01 FSP FMC LF", .serial_number = leaf_serial, .from = MAKER_START };
        const Authority *chain[DEVICE_CHAIN_LENGTH] = { &ret->leaf, &ret->brom, gpu ? &m->gpu_ica : &m->switch_ica, &m->identity, &m->device_root };

        *ret = (SimDevice) { .kind = kind };
        for (unsigned i = 0; i < PDI_SIZE; i++)
                ret->pdi[i] = (uint8_t) ((gpu ? 0x10 : 0xa0) + number * 17 + i * 29 + 1);
        memset(ret->fwid, (int) (0x40 + number), sizeof ret->fwid);
        NEED(pdi = hex_encode(ret->pdi, PDI_SIZE));
        for (char *p = pdi; *p; p++)
                *p = (char) (*p >= 'a' ? *p - 'a' + 'A' : *p);
        serial = format("%s%s", gpu ? "41" : "50", pdi);
        brom.serial_number = serial;
        own.fwid = ret->fwid;
        authority_make(m, chain[2], &brom, &ret->brom);
        authority_make(m, &ret->brom, leaf ? leaf : &own, &ret->leaf);
        ret->chain = chain_to_pem(chain, ELEMENTSOF(chain));
}

void device_done(SimDevice *d) {
        authority_done(&d->brom);
        authority_done(&d->leaf);
        free(d->chain);
}

void system_make(Maker *m, size_t gpus, size_t switches, SimSystem *ret) {
        *ret = (SimSystem) { .n_gpus = gpus, .n_switches = switches };
        NEED(gpus <= SIM_DEVICES_MAX && switches <= SIM_DEVICES_MAX && RAND_bytes(ret->nonce, NONCE_SIZE) == 1);
        for (unsigned i = 0; i < gpus; i++)
                device_make(m, DEVICE_GPU, i, NULL, &ret->gpus[i]);
        for (unsigned i = 0; i < switches; i++)
                device_make(m, DEVICE_SWITCH, i, NULL, &ret->switches[i]);
}

void system_done(SimSystem *s) {
        for (size_t i = 0; i < s->n_gpus; i++)
                device_done(&s->gpus[i]);
        for (size_t i = 0; i < s->n_switches; i++)
                device_done(&s->switches[i]);
}

void golden(DeviceKind kind, unsigned index, uint8_t ret[static DIGEST_SIZE]) {
        for (unsigned i = 0; i < DIGEST_SIZE; i++)
                ret[i] = (uint8_t) (index * 5 + i * 3 + (kind == DEVICE_GPU ? 1 : 2));
}

static void put16(Text *t, unsigned n) {
        const uint8_t b[] = { (uint8_t) n, (uint8_t) (n >> 8) };
        text_append_n(t, b, sizeof b);
}

void put_field(Text *opaque, unsigned type, const void *data, size_t size) {
        put16(opaque, type);
        put16(opaque, (unsigned) size);
        text_append_n(opaque, data, size);
}

static void gpu_opaque(const SimSystem *s, const SimDevice *d, Text *ret) {
        static const uint8_t vbios[] = { 4, 3, 2, 1, 5, 0, 0, 0 }, off = FEATURE_OFF, on = FEATURE_ON, version[] = { 1, 0 }, ppcie[] = { 2, 0 },
                             unknown[] = { 9, 9, 9 };
        uint8_t links[GPU_LINKS * PDI_SIZE] = {};

        put_field(ret, OPAQUE_VBIOS_VERSION, vbios, sizeof vbios);
        put_field(ret, OPAQUE_CHIP_SKU, "777\0\0\0", 6);
        put_field(ret, OPAQUE_PROJECT, "X123", 5);
        put_field(ret, OPAQUE_PROJECT_SKU, "0100", 5);
        put_field(ret, OPAQUE_DRIVER_VERSION, MAKER_DRIVER, sizeof MAKER_DRIVER);
        put_field(ret, 4711, unknown, sizeof unknown);
        put_field(ret, OPAQUE_NVDEC0_STATUS, &off, 1);
        put_field(ret, OPAQUE_FWID, d->fwid, DIGEST_SIZE);
        put_field(ret, OPAQUE_PPCIE_STATUS, s->n_switches > 0 ? &on : &off, 1);
        for (unsigned i = 0; s->n_switches > 0 && i < GPU_LINKS; i++)
                for (unsigned k = 0; k < PDI_SIZE; k++)
                        links[i * PDI_SIZE + k] = s->switches[i % s->n_switches].pdi[PDI_SIZE - 1 - k];
        put_field(ret, OPAQUE_SWITCH_PDI, links, sizeof links);
        put_field(ret, OPAQUE_VERSION, version, 2);
        put_field(ret, OPAQUE_FEATURE_FLAG, s->n_switches > 0 ? ppcie : (const uint8_t[]) { 0, 0 }, 2);
}

static void switch_opaque(const SimSystem *s, const SimDevice *d, Text *ret) {
        uint8_t links[SWITCH_GPUS * PDI_SIZE + 64] = {};

        put_field(ret, OPAQUE_VBIOS_VERSION, MAKER_VBIOS, sizeof MAKER_VBIOS - 1);
        put_field(ret, OPAQUE_DEVICE_PDI, d->pdi, PDI_SIZE);
        for (unsigned i = 0; i < SWITCH_GPUS && s->n_gpus > 0; i++)
                memcpy(links + i * PDI_SIZE, s->gpus[i % s->n_gpus].pdi, PDI_SIZE);
        put_field(ret, OPAQUE_SWITCH_GPU_PDIS, links, sizeof links);
}

void opaque_make(const SimSystem *s, const SimDevice *d, Text *ret) {
        if (d->kind == DEVICE_GPU)
                gpu_opaque(s, d, ret);
        else
                switch_opaque(s, d, ret);
}

void report_make(const SimSystem *s, DeviceKind kind, unsigned n, const Text *opaque, Text *ret) {
        const unsigned record = n * (7 + DIGEST_SIZE);
        const uint8_t request[] = { 0x11, 0xe0, 0x01, 0xff }, slot = 0,
                      response[] = { 0x11, 0x60, 0, 0, (uint8_t) n, (uint8_t) record, (uint8_t) (record >> 8), (uint8_t) (record >> 16) };

        text_append_n(ret, request, sizeof request);
        text_append_n(ret, s->nonce, NONCE_SIZE);
        text_append_n(ret, &slot, 1);
        text_append_n(ret, response, sizeof response);
        for (unsigned i = 0; i < n; i++) {
                uint8_t block[7 + DIGEST_SIZE] = { (uint8_t) (i + 1), 1, 3 + DIGEST_SIZE, 0, 1, DIGEST_SIZE, 0 };

                golden(kind, i, block + 7);
                text_append_n(ret, block, sizeof block);
        }
        text_append_n(ret, "a responder's nonce of 32 bytes.", 32);
        put16(ret, (unsigned) opaque->size);
        text_append_n(ret, opaque->data, opaque->size);
}

static void sign(EVP_PKEY *key, const void *data, size_t size, uint8_t ret[static SIGNATURE_SIZE]) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        unsigned char der[160];
        const unsigned char *p = der;
        size_t n = sizeof der;
        ECDSA_SIG *sig;

        NEED(ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha384(), NULL, key) == 1 && EVP_DigestSign(ctx, der, &n, data, size) == 1);
        NEED(sig = d2i_ECDSA_SIG(NULL, &p, (long) n));
        NEED(BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret, HALF) == HALF && BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret + HALF, HALF) == HALF);
        ECDSA_SIG_free(sig);
        EVP_MD_CTX_free(ctx);
}

void report_sign(const SimDevice *d, Text *report) {
        uint8_t signature[SIGNATURE_SIZE];

        sign(d->leaf.key, report->data, report->size, signature);
        text_append_n(report, signature, sizeof signature);
}

void report_of(const SimSystem *s, const SimDevice *d, Text *ret) {
        _cleanup_text_ Text opaque = {};

        opaque_make(s, d, &opaque);
        report_make(s, d->kind, d->kind == DEVICE_GPU ? 64 : 31, &opaque, ret);
        report_sign(d, ret);
        NEED(!ret->failed);
}

#define NAMESPACES " xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\"%s" \
                   " xmlns:ns0=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\"" \
                   " xmlns:ns2=\"http://www.w3.org/2001/04/xmlenc#sha384\""

/* Written as Canonical XML has it: what is digested is this very text, whatever the verifier's library makes of it. */
char *rim_body(DeviceKind device, RimKind kind, const char *version) {
        const char *product = device == DEVICE_GPU ? "GH100" : "LS10";
        _cleanup_text_ Text t = {};
        char *s;

        text_printf(&t, "<SoftwareIdentity" NAMESPACES " corpus=\"false\" name=\"%s\" tagId=\"made\" tagVersion=\"0\" version=\"1.0\">\n", "", product);
        text_append(&t, "    <ns0:Entity name=\"Made Corporation\" role=\"softwareCreator tagCreator\"></ns0:Entity>\n");
        text_printf(&t, "    <ns0:Meta xmlns:ns1=\"https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-information-model/\""
                    " PayloadType=\"direct\" colloquialVersion=\"%s\" edition=\"%s\" product=\"%s\" revision=\"r1\" ns1:BindingSpec=\"RIMIM\""
                    " ns1:FirmwareManufacturerId=\"5703\"></ns0:Meta>\n", version, device == DEVICE_GPU ? "GPU" : "SWITCH", product);
        text_append(&t, "    <ns0:Payload xmlns:SHA384=\"http://www.w3.org/2001/04/xmlenc#sha384\">\n");
        for (unsigned i = 0; i < 64; i++) {
                bool of_driver = i == 7 || (i >= 21 && i <= 40), of_vbios = i <= 12 && i != 7;
                bool active = device == DEVICE_SWITCH ? i <= 30 : kind == RIM_DRIVER ? of_driver : of_vbios;
                uint8_t right[DIGEST_SIZE], wrong[DIGEST_SIZE] = {};
                _cleanup_free_ char *right_hex = NULL, *wrong_hex = hex_encode(wrong, sizeof wrong);
                unsigned alternatives = i % 5 == 2 ? 2 : 1;

                golden(device, i, right);
                right_hex = hex_encode(right, sizeof right);
                text_printf(&t, "        <ns0:Resource active=\"%s\" alternatives=\"%u\" index=\"%u\" name=\"Measurement_%u\" size=\"48\" type=\"Measurement\"",
                            active ? "True" : "False", alternatives, i, i);
                for (unsigned k = 0; k < alternatives; k++)
                        text_printf(&t, " ns2:Hash%u=\"%s\"", k, active && k == alternatives - 1 ? right_hex : wrong_hex);
                text_append(&t, "></ns0:Resource>\n");
        }
        text_append(&t, "    </ns0:Payload>\n</SoftwareIdentity>");
        NEED(s = text_take(&t));
        return s;
}

#define DSIG "http://www.w3.org/2000/09/xmldsig#"
#define C14N "http://www.w3.org/2006/12/xml-c14n11"

char *rim_sign(const char *body, const Authority *signer, const Authority *const *certs, size_t n) {
        _cleanup_free_ char *digest = NULL, *value = NULL, *info = NULL;
        _cleanup_text_ Text canonical = {}, t = {};
        uint8_t bytes[SIGNATURE_SIZE];
        const char *end = body + strlen(body) - strlen("</SoftwareIdentity>");
        char *s;

        NEED(EVP_Digest(body, strlen(body), bytes, NULL, EVP_sha384(), NULL) == 1);
        NEED(digest = base64_encode(bytes, DIGEST_SIZE));
        NEED(info = format("<ds:CanonicalizationMethod Algorithm=\"" C14N "\"></ds:CanonicalizationMethod>"
                           "<ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384\"></ds:SignatureMethod>"
                           "<ds:Reference URI=\"\"><ds:Transforms><ds:Transform Algorithm=\"" DSIG "enveloped-signature\"></ds:Transform>"
                           "<ds:Transform Algorithm=\"" C14N "\"></ds:Transform></ds:Transforms>"
                           "<ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#sha384\"></ds:DigestMethod>"
                           "<ds:DigestValue>%s</ds:DigestValue></ds:Reference></ds:SignedInfo>", digest));
        /* SignedInfo by itself has the namespaces of those around it. */
        text_printf(&canonical, "<ds:SignedInfo" NAMESPACES ">%s", " xmlns:ds=\"" DSIG "\"", info);
        sign(signer->key, canonical.data, canonical.size, bytes);
        NEED(value = base64_encode(bytes, SIGNATURE_SIZE));
        text_append_n(&t, body, (size_t) (end - body));
        text_printf(&t, "<ds:Signature xmlns:ds=\"" DSIG "\"><ds:SignedInfo>%s<ds:SignatureValue>%s</ds:SignatureValue><ds:KeyInfo><ds:X509Data>", info, value);
        for (size_t i = 0; i < n; i++) {
                unsigned char *der = NULL;
                int size = i2d_X509(certs[i]->cert, &der);
                _cleanup_free_ char *text = size > 0 ? base64_encode(der, (size_t) size) : NULL;

                NEED(text);
                text_printf(&t, "<ds:X509Certificate>%s</ds:X509Certificate>", text);
                OPENSSL_free(der);
        }
        text_printf(&t, "</ds:X509Data></ds:KeyInfo></ds:Signature>%s\n", end);
        NEED(s = text_take(&t));
        return s;
}

char *rim_make(const Maker *m, DeviceKind device, RimKind kind, const char *version) {
        _cleanup_free_ char *body = rim_body(device, kind, version);
        const Authority *certs[RIM_CHAIN_LENGTH] = { &m->rim_l4, &m->rim_l3, &m->rim_ca, &m->rim_root };

        return rim_sign(body, &m->rim_l4, certs, ELEMENTSOF(certs));
}

Device *evidence_device(Evidence *ev, const SimSystem *s, const SimDevice *d) {
        Device *device = evidence_add(ev);
        _cleanup_text_ Text report = {};

        NEED(device && (device->source = strdup("made")) && (device->arch = strdup(d->kind == DEVICE_GPU ? "HOPPER" : "LS10")));
        report_of(s, d, &report);
        NEED((device->report = malloc(report.size)) && (device->chain = strdup(d->chain)));
        memcpy(device->report, report.data, report.size);
        device->report_size = report.size;
        device->chain_size = strlen(d->chain);
        device->has_nonce = true;
        memcpy(device->nonce, s->nonce, NONCE_SIZE);
        return device;
}

Evidence *evidence_make(const SimSystem *s) {
        Evidence *ev = evidence_new();

        NEED(ev);
        for (size_t i = 0; i < s->n_gpus; i++)
                (void) evidence_device(ev, s, &s->gpus[i]);
        for (size_t i = 0; i < s->n_switches; i++)
                (void) evidence_device(ev, s, &s->switches[i]);
        return ev;
}

const char *const maker_rim_ids[3] = { "NV_GPU_DRIVER_GH100_1.2.3", "NV_GPU_VBIOS_X123_0100_777_0102030405", "NV_SWITCH_BIOS_5612_0002_890_0102030405" };

int maker_rims_get(void *userdata, const char *id, char **ret_name, char **ret_data, size_t *ret_size, Error *e) {
        for (size_t i = 0; i < ELEMENTSOF(maker_rim_ids); i++)
                if (streq(id, maker_rim_ids[i])) {
                        *ret_name = strdup(id);
                        *ret_data = rim_make(userdata, i < 2 ? DEVICE_GPU : DEVICE_SWITCH, i == 0 ? RIM_DRIVER : RIM_VBIOS,
                                             i == 0 ? MAKER_DRIVER : MAKER_VBIOS);
                        *ret_size = strlen(*ret_data);
                        return 0;
                }
        return error_set(e, ENOENT, EXIT_UNREACHABLE, "%s: there is no such manifest", id);
}
