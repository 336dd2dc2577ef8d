/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side: what the child's lines mean. */
#include "node/nvml.h"

#include <stddef.h>

#include "basic/nvml-api.h"

#define LINE_MAX_SIZE 512
#define FAILURES_MAX  256

static void gpu_free(NvmlGpu *g) {
        free(g->name);
        free(g->uuid);
        free(g->bus_id);
        free(g->vbios);
}

void nvml_free(Nvml *n) {
        for (size_t i = 0; i < n->n_gpus; i++)
                gpu_free(&n->gpus[i]);
        for (size_t i = 0; i < n->n_failures; i++)
                free(n->failures[i].call);
        free(n->gpus);
        free(n->failures);
        library_answer_free(&n->answer);
        free(n->driver);
        free(n->library);
        *n = NVML_EMPTY;
}

#define TEXT(name, type, member) { name, offsetof(type, member), 0, NULL }
#define NUMBER(name, type, member) { name, offsetof(type, member), INT64_MAX / 1024, NULL }
static const LibraryKey system_keys[] = {
        TEXT("driver", Nvml, driver),             TEXT("library", Nvml, library),       NUMBER("cuda", Nvml, cuda),
        NUMBER("count", Nvml, count),             NUMBER("cpu", Nvml, cpu),             NUMBER("capable", Nvml, capable),
        NUMBER("environment", Nvml, environment), NUMBER("feature", Nvml, feature),     NUMBER("devtools", Nvml, devtools),
        NUMBER("multi-gpu", Nvml, multi_gpu),     NUMBER("ready", Nvml, ready),         NUMBER("unsupported", Nvml, unsupported),
};
static const LibraryKey gpu_keys[] = {
        TEXT("name", NvmlGpu, name),              TEXT("uuid", NvmlGpu, uuid),          TEXT("bus", NvmlGpu, bus_id),
        TEXT("vbios", NvmlGpu, vbios),            NUMBER("memory", NvmlGpu, memory_bytes), NUMBER("protected", NvmlGpu, protected_kib),
        NUMBER("persistence", NvmlGpu, persistence), NUMBER("fabric", NvmlGpu, fabric_state), NUMBER("fabric-status", NvmlGpu, fabric_status),
};

static int parse_number(const char *value, int64_t *ret) {
        uint64_t u;

        if (parse_u64(value, &u) < 0 || u > INT64_MAX / 1024)
                return -EBADMSG;
        *ret = (int64_t) u;
        return 0;
}

/* "gpu N": in order, so that an index is a place. */
static int begin_gpu(Nvml *n, const char *value) {
        NvmlGpu *grown;
        int64_t index;

        if (parse_number(value, &index) < 0 || (size_t) index != n->n_gpus || index >= NVML_GPUS_MAX)
                return -EBADMSG;
        grown = reallocarray(n->gpus, n->n_gpus + 1, sizeof(NvmlGpu));
        if (!grown)
                return -ENOMEM;
        n->gpus = grown;
        n->gpus[n->n_gpus++] = (NvmlGpu){ .memory_bytes = NVML_UNTOLD, .protected_kib = NVML_UNTOLD, .persistence = NVML_UNTOLD,
                                          .fabric_state = NVML_UNTOLD, .fabric_status = NVML_UNTOLD };
        return 0;
}

/* "CALL CODE" */
static int add_failure(Nvml *n, char *value) {
        char *space = strchr(value, ' ');
        NvmlFailure *grown;
        int64_t code;

        if (!space || n->n_failures >= FAILURES_MAX || parse_number(space + 1, &code) < 0)
                return -EBADMSG;
        *space = '\0';
        grown = reallocarray(n->failures, n->n_failures + 1, sizeof(NvmlFailure));
        if (!grown)
                return -ENOMEM;
        n->failures = grown;
        grown[n->n_failures] = (NvmlFailure){ .call = strdup(value), .code = code,
                                              .gpu = n->n_gpus > 0 ? (int64_t) n->n_gpus - 1 : NVML_UNTOLD };
        return grown[n->n_failures].call ? (int) (n->n_failures++, 0) : -ENOMEM;
}

static int add_stop(Nvml *n, char *value) {
        char *space = strchr(value, ' ');

        if (!space || parse_number(space + 1, &n->code) < 0)
                return -EBADMSG;
        *space = '\0';
        free(n->answer.reason);
        n->answer.outcome = LIBRARY_REFUSED;
        n->answer.reason = format("%s: %s (%lld)", value, nvml_code_to_string(n->code), (long long) n->code);
        return n->answer.reason ? 0 : -ENOMEM;
}

static int take(LibraryAnswer *a, const char *key, char *value) {
        Nvml *n = (Nvml *) (void *) a; /* its first member */
        int k;

        if (streq(key, "gpu"))
                return begin_gpu(n, value);
        if (streq(key, "failed"))
                return add_failure(n, value);
        if (streq(key, "stopped"))
                return add_stop(n, value);
        k = library_take(system_keys, ELEMENTSOF(system_keys), n, key, value);
        if (k == 0 && n->n_gpus > 0)
                k = library_take(gpu_keys, ELEMENTSOF(gpu_keys), &n->gpus[n->n_gpus - 1], key, value);
        return k == 0 ? -EBADMSG : MIN(k, 0);
}

static const LibraryFormat answer_format = {
        .greeting = "gn8v-nvml 1", .line_max = LINE_MAX_SIZE, .answer_max = NVML_ANSWER_MAX, .timeout_sec = NVML_TIMEOUT_SEC, .take = take,
};

int nvml_parse(const char *answer, size_t size, Nvml *ret) {
        return library_parse(&answer_format, answer, size, &ret->answer);
}

int nvml_ask(const char *program, Nvml *ret, Error *e) {
        const char *argv[] = { program, NVML_QUERY_VERB, NULL };
        _cleanup_nvml_ Nvml n = NVML_EMPTY;
        int k;

        k = library_ask(&answer_format, argv, &n.answer, e);
        if (k < 0)
                return k;
        *ret = n;
        n = NVML_EMPTY;
        return 0;
}
