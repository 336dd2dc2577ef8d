/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/gpu-json.h"

#include "basic/nvml-api.h"

static json_t *number(int64_t n) {
        return n == NVML_UNTOLD ? json_null() : json_integer(n);
}

static json_t *boolean(int64_t n) {
        return n == NVML_UNTOLD ? json_null() : json_boolean(n != 0);
}

/* A word for each number that there is; a number that has none stays one. */
static json_t *word(int64_t n, const char *const *words, size_t n_words) {
        return n != NVML_UNTOLD && (uint64_t) n < n_words ? json_string(words[n]) : number(n);
}

static json_t *list(char *const *names) {
        json_t *array = json_array();

        STRV_FOREACH(name, names)
                if (json_array_append_new(array, json_string(*name)) < 0)
                        break;
        return array;
}

static json_t *mode_to_json(const Nvml *n) {
        static const char *const environments[] = { "unavailable", "simulation", "production" };
        static const char *const modes[] = { "none", "protected-pcie", "nvlink-encryption" };
        static const char *const cpus[] = { "none", "amd-sev", "intel-tdx", "amd-sev-snp", "amd-sev-snp-vtom" };

        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "feature", boolean(n->feature), "devtools", boolean(n->devtools),
                         "environment", word(n->environment, environments, ELEMENTSOF(environments)),
                         "multi_gpu_mode", word(n->multi_gpu, modes, ELEMENTSOF(modes)), "ready", boolean(n->ready),
                         "cpu", word(n->cpu, cpus, ELEMENTSOF(cpus)), "capable", boolean(n->capable),
                         "supported", boolean(n->unsupported == NVML_UNTOLD ? (n->feature == NVML_UNTOLD ? NVML_UNTOLD : 1) : 0));
}

static json_t *device_to_json(const NvmlGpu *g, size_t index) {
        static const char *const states[] = { "not-supported", "not-started", "in-progress", "completed" };

        return json_pack("{s:I, s:s?, s:s?, s:s?, s:s?, s:o, s:o, s:o, s:o, s:o}", "index", (json_int_t) index, "name", g->name, "uuid", g->uuid,
                         "pci", g->bus_id, "vbios", g->vbios,
                         "memory_mib", number(g->memory_bytes == NVML_UNTOLD ? NVML_UNTOLD : g->memory_bytes >> 20),
                         "protected_memory_mib", number(g->protected_kib == NVML_UNTOLD ? NVML_UNTOLD : g->protected_kib >> 10),
                         "persistence", boolean(g->persistence), "fabric_state", word(g->fabric_state, states, ELEMENTSOF(states)),
                         "fabric_status", number(g->fabric_status));
}

static json_t *cuda_to_json(int64_t cuda) {
        return cuda == NVML_UNTOLD ? json_null() : json_sprintf("%lld.%lld", (long long) cuda / 1000, (long long) cuda % 1000 / 10);
}

static json_t *nvml_to_json(const Nvml *n) {
        json_t *gpus = json_array(), *failures = json_array();

        for (size_t i = 0; i < n->n_gpus; i++)
                if (json_array_append_new(gpus, device_to_json(&n->gpus[i], i)) < 0)
                        break;
        for (size_t i = 0; i < n->n_failures; i++) {
                const NvmlFailure *f = &n->failures[i];

                if (json_array_append_new(failures, json_pack("{s:s, s:I, s:s, s:o}", "call", f->call, "code", (json_int_t) f->code, "words",
                                                              nvml_code_to_string(f->code), "gpu", number(f->gpu))) < 0)
                        break;
        }
        return json_pack("{s:s, s:s?, s:s?, s:s?, s:o, s:o, s:o, s:o, s:o}", "outcome", library_outcome_to_string(n->answer.outcome), "reason", n->answer.reason,
                         "driver", n->driver, "library", n->library, "cuda", cuda_to_json(n->cuda), "count", number(n->count),
                         "confidential_computing", mode_to_json(n), "gpus", gpus, "failed_calls", failures);
}

json_t *gpu_to_json(const GpuFacts *f) {
        return json_pack("{s:s?, s:o, s:o, s:o, s:s?, s:o}", "module", f->module, "bus_gpus", f->pci.hidden ? json_null() : list(f->pci.gpus),
                         "bus_nvswitches", f->pci.hidden ? json_null() : list(f->pci.nvswitches), "attached_gpus", list(f->attached), "not_asked", f->not_asked,
                         "nvml", f->asked ? nvml_to_json(&f->nvml) : json_null());
}
