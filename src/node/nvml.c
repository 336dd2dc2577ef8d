/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side: starts the child, bounds it, reads its lines. */
#include "node/nvml.h"

#include <stddef.h>

#include "basic/nvml-api.h"
#include "basic/process.h"

#define LINE_MAX_SIZE 512
#define FAILURES_MAX  256

const char *nvml_outcome_to_string(NvmlOutcome o) {
        static const char *const names[_NVML_OUTCOME_MAX] = {
                [NVML_ANSWERED] = "answered", [NVML_REFUSED] = "refused", [NVML_NO_LIBRARY] = "no library",
                [NVML_CRASHED] = "crashed", [NVML_HUNG] = "hung", [NVML_GARBAGE] = "garbage",
        };
        return names[o];
}

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
        free(n->reason);
        free(n->at);
        free(n->driver);
        free(n->library);
        *n = NVML_EMPTY;
}

/* A line's key and where its value goes. */
typedef struct Key {
        const char *name;
        bool text; /* else a number */
        size_t offset;
} Key;

static const Key system_keys[] = {
        { "at", true, offsetof(Nvml, at) },                 { "driver", true, offsetof(Nvml, driver) },
        { "library", true, offsetof(Nvml, library) },       { "cuda", false, offsetof(Nvml, cuda) },
        { "count", false, offsetof(Nvml, count) },          { "cpu", false, offsetof(Nvml, cpu) },
        { "capable", false, offsetof(Nvml, capable) },      { "environment", false, offsetof(Nvml, environment) },
        { "feature", false, offsetof(Nvml, feature) },      { "devtools", false, offsetof(Nvml, devtools) },
        { "multi-gpu", false, offsetof(Nvml, multi_gpu) },  { "ready", false, offsetof(Nvml, ready) },
        { "unsupported", false, offsetof(Nvml, unsupported) },
};
static const Key gpu_keys[] = {
        { "name", true, offsetof(NvmlGpu, name) },                    { "uuid", true, offsetof(NvmlGpu, uuid) },
        { "bus", true, offsetof(NvmlGpu, bus_id) },                   { "vbios", true, offsetof(NvmlGpu, vbios) },
        { "memory", false, offsetof(NvmlGpu, memory_bytes) },         { "protected", false, offsetof(NvmlGpu, protected_kib) },
        { "persistence", false, offsetof(NvmlGpu, persistence) },     { "fabric", false, offsetof(NvmlGpu, fabric_state) },
        { "fabric-status", false, offsetof(NvmlGpu, fabric_status) },
};

static int parse_number(const char *value, int64_t *ret) {
        uint64_t u;

        if (parse_u64(value, &u) < 0 || u > INT64_MAX / 1024)
                return -EBADMSG;
        *ret = (int64_t) u;
        return 0;
}

/* 1: it is one of these keys, and was taken; 0: it is not. */
static int take(const Key *keys, size_t n, void *into, const char *key, const char *value) {
        for (size_t i = 0; i < n; i++) {
                char *copy;

                if (!streq(keys[i].name, key))
                        continue;
                if (!keys[i].text)
                        return parse_number(value, (int64_t *) ((char *) into + keys[i].offset)) < 0 ? -EBADMSG : 1;
                copy = strdup(value);
                if (!copy)
                        return -ENOMEM;
                free(*(char **) ((char *) into + keys[i].offset));
                *(char **) ((char *) into + keys[i].offset) = copy;
                return 1;
        }
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
        free(n->reason);
        n->outcome = NVML_REFUSED;
        n->reason = format("%s: %s (%lld)", value, nvml_code_to_string(n->code), (long long) n->code);
        return n->reason ? 0 : -ENOMEM;
}

/* One line, changed. 1: it was the last; 0. */
static int parse_line(Nvml *n, char *line) {
        char *value = strchr(line, ' ');
        int k;

        if (streq(line, "end"))
                return 1;
        if (!value)
                return -EBADMSG;
        *value++ = '\0';
        if (streq(line, "gpu"))
                return begin_gpu(n, value);
        if (streq(line, "failed"))
                return add_failure(n, value);
        if (streq(line, "stopped"))
                return add_stop(n, value);
        if (streq(line, "missing")) {
                free(n->reason);
                n->outcome = NVML_NO_LIBRARY;
                n->reason = strdup(value);
                return n->reason ? 0 : -ENOMEM;
        }
        k = take(system_keys, ELEMENTSOF(system_keys), n, line, value);
        if (k == 0 && n->n_gpus > 0)
                k = take(gpu_keys, ELEMENTSOF(gpu_keys), &n->gpus[n->n_gpus - 1], line, value);
        return k == 0 ? -EBADMSG : MIN(k, 0);
}

int nvml_parse(const char *answer, size_t size, Nvml *ret) {
        const char *p = answer, *end = answer + size;
        bool first = true;
        int k = 0;

        if (size > NVML_ANSWER_MAX)
                return -EBADMSG;
        for (const char *newline; k == 0 && (newline = memchr(p, '\n', (size_t) (end - p))); p = newline + 1) {
                char line[LINE_MAX_SIZE];
                size_t length = (size_t) (newline - p);

                if (length >= sizeof line)
                        return -EBADMSG;
                for (size_t i = 0; i < length; i++)
                        if ((unsigned char) p[i] < ' ' || (unsigned char) p[i] > '~')
                                return -EBADMSG;
                memcpy(line, p, length);
                line[length] = '\0';
                if (first && !streq(line, "gn8v-nvml 1"))
                        return -EBADMSG;
                k = first ? 0 : parse_line(ret, line);
                first = false;
        }
        /* Nothing comes after the end; half a line may, before it. */
        return k == 1 && p != end ? -EBADMSG : k;
}

/* What became of a child whose answer was parsed as k. */
static int conclude(Nvml *n, int status, int k) {
        const char *at = n->at ? n->at : "its start";

        if (k == 1 && status == 0)
                return 0;
        free(n->reason);
        if (status == 124) {
                n->outcome = NVML_HUNG;
                n->reason = format("no answer within %d s, stopped in %s", NVML_TIMEOUT_SEC, at);
        } else if (status > 128) {
                n->outcome = NVML_CRASHED;
                n->reason = format("crashed in %s: %s", at, strsignal(status - 128));
        } else {
                n->outcome = NVML_GARBAGE;
                n->reason = k < 0 ? format("answered nonsense at %s", at) : format("ended without an answer in %s (status %d)", at, status);
        }
        return n->reason ? 0 : -ENOMEM;
}

int nvml_ask(const char *program, Nvml *ret, Error *e) {
        const char *const argv[] = { program ? program : "/proc/self/exe", NVML_QUERY_VERB, NULL };
        const char *path = getenv("LD_LIBRARY_PATH"); /* the loader has let us have it: where a driver outside the usual folders is */
        _cleanup_free_ char *libraries = path ? format("LD_LIBRARY_PATH=%s", path) : NULL, *answer = NULL;
        const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", libraries, NULL };
        const Process p = { .argv = argv, .env = env, .timeout_sec = NVML_TIMEOUT_SEC, .output_max = NVML_ANSWER_MAX + 1 };
        _cleanup_nvml_ Nvml n = NVML_EMPTY;
        int status, k;

        if (path && !libraries)
                return error_oom(e);
        k = process_run(&p, &status, &answer, e);
        if (k < 0)
                return k;
        k = nvml_parse(answer, strlen(answer), &n);
        if (k == -ENOMEM || conclude(&n, status, k) < 0)
                return error_oom(e);
        *ret = n;
        n = NVML_EMPTY;
        return 0;
}
