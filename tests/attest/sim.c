/* SPDX-License-Identifier: Apache-2.0 */
/* attest-sim --rims DIR ID...: only manifests of these drivers (NV_GPU_DRIVER_GH100_VERSION), valid today: DIR/rims/ID.xml, DIR/v1/rim/ID, DIR/roots.
 * attest-sim [--now] DIR [GPUS [SWITCHES]]: evidence of a system that does not exist, as NVIDIA's tools write it, its manifests (also as the service
 * sends them), its trust roots, and what `openssl ocsp` needs to answer for its authorities. --now: valid today, not at MAKER_TIME. */
#include <fcntl.h>
#include <jansson.h>
#include <openssl/pem.h>
#include <time.h>

#include "basic/fs.h"
#include "maker.h"

static void put_file(const char *dir, const char *name, const char *data) {
        _cleanup_free_ char *path = path_join(dir, name);

        if (!path || mkdir_parents(AT_FDCWD, dir, 0755) < 0 || write_file_atomic(AT_FDCWD, path, data, strlen(data), 0644) < 0) {
                perror(name);
                exit(1);
        }
}

static json_t *device_to_json(const SimSystem *s, const SimDevice *d) {
        _cleanup_text_ Text report = {};
        _cleanup_free_ char *nonce = hex_encode(s->nonce, NONCE_SIZE), *chain = base64_encode(d->chain, strlen(d->chain)), *evidence = NULL;

        report_of(s, d, &report);
        evidence = base64_encode(report.data, report.size);
        return json_pack("{s:s, s:s, s:s, s:s, s:s}", "arch", d->kind == DEVICE_GPU ? "HOPPER" : "LS10", "certificate", chain, "evidence", evidence,
                         "nonce", nonce, "version", "1.0");
}

static void write_evidence(const char *dir, const char *name, const SimSystem *s, const SimDevice *devices, size_t n) {
        _cleanup_free_ char *text = NULL;
        json_t *list = json_array();

        for (size_t i = 0; i < n; i++)
                (void) json_array_append_new(list, device_to_json(s, &devices[i]));
        text = json_dumps(list, JSON_INDENT(2));
        json_decref(list);
        if (n > 0)
                put_file(dir, name, text);
}

/* What the look-alike libraries hand out: DIR/devices/gpu-0.report, .chain, ... */
static void write_devices(const char *dir, const SimSystem *s, const SimDevice *devices, size_t n) {
        _cleanup_free_ char *folder = path_join(dir, "devices");

        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *report = format("%s-%zu.report", devices[i].kind == DEVICE_GPU ? "gpu" : "switch", i), *path = NULL,
                                    *chain = format("%s-%zu.chain", devices[i].kind == DEVICE_GPU ? "gpu" : "switch", i);
                _cleanup_text_ Text data = {};

                put_file(folder, chain, devices[i].chain);
                path = path_join(folder, report);
                report_of(s, &devices[i], &data);
                if (write_file_atomic(AT_FDCWD, path, data.data, data.size, 0644) < 0)
                        exit(1);
        }
}

/* { id, rim, sha256 } */
static void write_answer(const char *dir, const char *id, const char *data, size_t size) {
        _cleanup_free_ char *folder = path_join(dir, "v1/rim"), *base64 = base64_encode(data, size), *text = NULL;
        char sha256[SHA256_HEX_SIZE];
        json_t *root;

        (void) sha256_buffer(data, size, sha256);
        root = json_pack("{s:s, s:s, s:s, s:s}", "id", id, "rim", base64, "sha256", sha256, "rim_format", "TCG");
        text = json_dumps(root, 0);
        json_decref(root);
        put_file(folder, id, text);
}

static void write_key(const char *dir, const char *name, EVP_PKEY *key) {
        _cleanup_free_ char *path = format("%s/%s", dir, name);
        _cleanup_fclose_ FILE *f = fopen(path, "we");

        if (!f || PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) != 1)
                exit(1);
}

/* DIR/ocsp/NAME.pem and .key: a certificate of that issuer that may answer for it, or may not. */
static void write_signer(Maker *m, const char *folder, const char *name, const Authority *issuer, CertSpec spec) {
        _cleanup_free_ char *cert_name = format("%s.pem", name), *key_name = format("%s.key", name), *pem = NULL;
        Authority signer;

        spec.name = "Made OCSP Responder";
        authority_make(m, issuer, &spec, &signer);
        pem = cert_to_pem(signer.cert);
        put_file(folder, cert_name, pem);
        write_key(folder, key_name, signer.key);
        authority_done(&signer);
}

/* DIR/ocsp: NAME.pem, of the issuer, NAME-responder.pem and .key; digests of its key in NAME.hash, by one of which a request
 * is known. */
static void write_responder(Maker *m, const char *folder, const char *name, const Authority *issuer) {
        _cleanup_free_ char *cert = cert_to_pem(issuer->cert), *issuer_name = format("%s.pem", name), *responder = format("%s-responder", name),
                            *hash_name = format("%s.hash", name);
        ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(issuer->cert);
        unsigned char digest[EVP_MAX_MD_SIZE];
        _cleanup_text_ Text hashes = {};
        unsigned n;

        put_file(folder, issuer_name, cert);
        write_signer(m, folder, responder, issuer, (CertSpec) { .from = MAKER_START, .until = MAKER_END, .ocsp = true });
        for (size_t i = 0; i < 3; i++) {
                _cleanup_free_ char *hex = NULL;

                if (EVP_Digest(key->data, (size_t) key->length, digest, &n, i == 0 ? EVP_sha384() : i == 1 ? EVP_sha256() : EVP_sha1(), NULL) != 1)
                        exit(1);
                hex = hex_encode(digest, n);
                text_printf(&hashes, "%s\n", hex);
        }
        put_file(folder, hash_name, hashes.data);
}

/* DIR/ocsp/index.txt, as openssl ca has it: all certificates there are. */
static void write_index(const Maker *m, const char *dir) {
        _cleanup_free_ char *folder = path_join(dir, "ocsp");
        _cleanup_text_ Text t = {};

        for (unsigned i = 0; i < m->serial; i++)
                text_printf(&t, "V\t991231235959Z\t\t%04X\tunknown\t/CN=made-%u\n", 1000 + i, i);
        put_file(folder, "index.txt", t.data);
}

static void write_authorities(Maker *m, const char *dir) {
        const struct { const char *name; const Authority *issuer; } list[] = {
                { "device-root", &m->device_root }, { "identity", &m->identity }, { "gpu-ica", &m->gpu_ica }, { "switch-ica", &m->switch_ica },
                { "rim-root", &m->rim_root }, { "rim-ca", &m->rim_ca }, { "rim-l3", &m->rim_l3 },
        };
        _cleanup_free_ char *folder = path_join(dir, "ocsp");

        for (size_t i = 0; i < ELEMENTSOF(list); i++)
                write_responder(m, folder, list[i].name, list[i].issuer);
        /* Who would like to answer for the GPUs' issuer: without the right to, no longer, not yet, with too small a key; and who is a stranger. */
        write_signer(m, folder, "plain", &m->gpu_ica, (CertSpec) { .from = MAKER_START });
        write_signer(m, folder, "expired", &m->gpu_ica, (CertSpec) { .from = MAKER_START, .until = MAKER_TIME - 86400, .ocsp = true });
        write_signer(m, folder, "future", &m->gpu_ica, (CertSpec) { .from = MAKER_TIME + 86400, .ocsp = true });
        write_signer(m, folder, "small", &m->gpu_ica, (CertSpec) { .from = MAKER_START, .ocsp = true, .curve = "P-256" });
        write_signer(m, folder, "stranger", NULL, (CertSpec) { .from = MAKER_START, .ocsp = true });
        write_index(m, dir);
}

static void write_rim(const char *dir, const char *id, const char *data, size_t size) {
        _cleanup_free_ char *rims = path_join(dir, "rims"), *file = format("%s.xml", id);

        put_file(rims, file, data);
        write_answer(dir, id, data, size);
}

static void write_roots(const char *dir, const Maker *m) {
        _cleanup_free_ char *roots = format("%s %s\n", m->device_sha256, m->rim_sha256);

        put_file(dir, "roots", roots);
}

static int only_rims(const char *dir, char *ids[]) {
        Maker m;

        maker_shift = (int64_t) time(NULL) - MAKER_TIME;
        maker_init(&m);
        for (; *ids; ids++) {
                _cleanup_free_ char *xml = rim_make(&m, DEVICE_GPU, RIM_DRIVER, strrchr(*ids, '_') + 1);

                write_rim(dir, *ids, xml, strlen(xml));
        }
        write_roots(dir, &m);
        maker_done(&m);
        return 0;
}

int main(int argc, char *argv[]) {
        _cleanup_free_ char *nonce = NULL;
        SimSystem s;
        Maker m;

        if (argc > 3 && streq(argv[1], "--rims"))
                return only_rims(argv[2], argv + 3);
        if (argc > 1 && streq(argv[1], "--now")) {
                maker_shift = (int64_t) time(NULL) - MAKER_TIME;
                argv++;
                argc--;
        }
        if (argc < 2 || argc > 4) {
                fprintf(stderr, "attest-sim [--now] DIR [GPUS [SWITCHES]]\n");
                return 2;
        }
        maker_init(&m);
        system_make(&m, argc > 2 ? (size_t) atoi(argv[2]) : 8, argc > 3 ? (size_t) atoi(argv[3]) : 4, &s);
        write_evidence(argv[1], "gpu_evidence.json", &s, s.gpus, s.n_gpus);
        write_evidence(argv[1], "switch_evidence.json", &s, s.switches, s.n_switches);
        for (size_t i = 0; i < ELEMENTSOF(maker_rim_ids); i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_free_ char *name = NULL, *data = NULL;
                size_t size;

                if (maker_rims_get(&m, maker_rim_ids[i], &name, &data, &size, &e) < 0)
                        return 1;
                write_rim(argv[1], maker_rim_ids[i], data, size);
        }
        write_devices(argv[1], &s, s.gpus, s.n_gpus);
        write_devices(argv[1], &s, s.switches, s.n_switches);
        write_authorities(&m, argv[1]);
        write_roots(argv[1], &m);
        nonce = hex_encode(s.nonce, NONCE_SIZE);
        put_file(argv[1], "nonce", nonce);
        system_done(&s);
        maker_done(&m);
        return 0;
}
