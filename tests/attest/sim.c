/* SPDX-License-Identifier: Apache-2.0 */
/* attest-sim DIR [GPUS [SWITCHES]]: evidence of a system that does not exist, as NVIDIA's tools write it, its manifests, and its trust roots. */
#include <fcntl.h>
#include <jansson.h>

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

int main(int argc, char *argv[]) {
        _cleanup_free_ char *rims = argc > 1 ? path_join(argv[1], "rims") : NULL, *roots = NULL, *nonce = NULL;
        SimSystem s;
        Maker m;

        if (argc < 2 || argc > 4) {
                fprintf(stderr, "attest-sim DIR [GPUS [SWITCHES]]\n");
                return 2;
        }
        maker_init(&m);
        system_make(&m, argc > 2 ? (size_t) atoi(argv[2]) : 8, argc > 3 ? (size_t) atoi(argv[3]) : 4, &s);
        write_evidence(argv[1], "gpu_evidence.json", &s, s.gpus, s.n_gpus);
        write_evidence(argv[1], "switch_evidence.json", &s, s.switches, s.n_switches);
        for (size_t i = 0; i < ELEMENTSOF(maker_rim_ids); i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_free_ char *name = NULL, *data = NULL, *file = format("%s.xml", maker_rim_ids[i]);
                size_t size;

                if (maker_rims_get(&m, maker_rim_ids[i], &name, &data, &size, &e) < 0)
                        return 1;
                put_file(rims, file, data);
        }
        roots = format("%s %s\n", m.device_sha256, m.rim_sha256);
        put_file(argv[1], "roots", roots);
        nonce = hex_encode(s.nonce, NONCE_SIZE);
        put_file(argv[1], "nonce", nonce);
        system_done(&s);
        maker_done(&m);
        return 0;
}
