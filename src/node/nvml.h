/* SPDX-License-Identifier: Apache-2.0 */
/* What NVIDIA's management library says, asked in a child (library-child.h). Whoever asks must know that opening a GPU does no harm: see gpu_may_open(). */
#pragma once

#include "basic/library-child.h"
#include "basic/strings.h"

#define NVML_QUERY_VERB  "nvml-query" /* hidden: the child is this program again */
#define NVML_TIMEOUT_SEC 3
#define NVML_GPUS_MAX    64
#define NVML_ANSWER_MAX  ((size_t) 64 * 1024)
#define NVML_UNTOLD      LIBRARY_UNTOLD

typedef struct NvmlGpu {
        char *name, *uuid, *bus_id, *vbios;                /* NULL: not told; bus_id as nvidia-smi prints it */
        int64_t memory_bytes, protected_kib;               /* or NVML_UNTOLD */
        int64_t persistence, fabric_state, fabric_status;  /* or NVML_UNTOLD; numbers of nvml-api.h */
} NvmlGpu;

typedef struct NvmlFailure {
        char *call;
        int64_t code;
        int64_t gpu; /* index, or NVML_UNTOLD: of no one GPU */
} NvmlFailure;

typedef struct Nvml {
        LibraryAnswer answer;
        int64_t code;        /* LIBRARY_REFUSED: NVML's return code */
        char *driver, *library;
        int64_t cuda;        /* 1000 * major + 10 * minor */
        int64_t count;       /* GPUs, as the library counts them */
        int64_t cpu, capable, environment, feature, devtools, multi_gpu, ready; /* or NVML_UNTOLD; numbers of nvml-api.h */
        int64_t unsupported; /* 1: asked about confidential computing, the driver says that these GPUs have none; else NVML_UNTOLD */
        NvmlGpu *gpus;       /* those that it told about */
        size_t n_gpus;
        NvmlFailure *failures; /* calls that failed: not those which this driver does not have */
        size_t n_failures;
} Nvml;

/* Asks, in a child: program NVML_QUERY_VERB, where program NULL is this one. Always an outcome, with all that was told before it ended;
 * -errno only when out of memory or when no child can be made. */
int nvml_ask(const char *program, Nvml *ret, Error *e);
/* The child: asks the library and writes lines on standard output. The process must end with what it returns, by _exit(): the library is still loaded. */
int nvml_answer(void);
/* library_parse() of such lines; ret must be empty (NVML_EMPTY). */
int nvml_parse(const char *answer, size_t size, Nvml *ret);
void nvml_free(Nvml *n);
#define _cleanup_nvml_ _cleanup_(nvml_free)
#define NVML_EMPTY                                                                                                                       \
        ((Nvml){ .cuda = NVML_UNTOLD, .count = NVML_UNTOLD, .cpu = NVML_UNTOLD, .capable = NVML_UNTOLD, .environment = NVML_UNTOLD,       \
                 .feature = NVML_UNTOLD, .devtools = NVML_UNTOLD, .multi_gpu = NVML_UNTOLD, .ready = NVML_UNTOLD,            \
                 .unsupported = NVML_UNTOLD })
