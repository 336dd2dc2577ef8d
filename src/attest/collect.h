/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence from the devices of this machine: NVIDIA's libraries (NVML for GPUs, NSCQ for switches) are asked in children (library-child.h). Whoever asks
 * must know that opening a GPU does no harm now. */
#pragma once

#include "attest/evidence.h"
#include "basic/library-child.h"

#define COLLECT_VERB        "collect-query" /* hidden: the child is this program again: COLLECT_VERB gpu|switch|ready NONCE */
#define COLLECT_TIMEOUT_SEC 60
#define COLLECT_ANSWER_MAX  ((size_t) 1 << 22)
#define COLLECT_DEVICES_MAX 64
#define COLLECT_UNTOLD      LIBRARY_UNTOLD

typedef struct CollectedDevice {
        char *uuid, *arch, *vbios;   /* NULL: not told */
        char *chain, *report;        /* base64; NULL: there is none */
        char *failure;               /* the call that failed, "CALL: words (code)"; or NULL */
        int64_t mode;                /* of a switch: bit 0: TNVL, bit 1: locked */
} CollectedDevice;

typedef struct Collected {
        LibraryAnswer answer;
        char *driver;
        int64_t environment, feature, devtools, multi_gpu, count; /* or COLLECT_UNTOLD; numbers of nvml-api.h */
        CollectedDevice *devices;
        size_t n;
} Collected;
#define COLLECTED_EMPTY                                                                                                               \
        ((Collected){ .environment = COLLECT_UNTOLD, .feature = COLLECT_UNTOLD, .devtools = COLLECT_UNTOLD, .multi_gpu = COLLECT_UNTOLD, \
                      .count = COLLECT_UNTOLD })
void collected_free(Collected *c);
#define _cleanup_collected_ _cleanup_(collected_free)

/* Asks for everything of all devices of a kind. -errno only when out of memory or when no child can be made. */
int collect_ask(DeviceKind kind, const uint8_t nonce[static NONCE_SIZE], Collected *ret, Error *e);
/* Why there is no evidence, or not of every device: EXIT_UNCHECKED; 0 when there is all. */
int collect_explain(DeviceKind kind, const Collected *c, Error *e);
/* Sets the ready state of all GPUs: clients may use them. EXIT_FAILED. */
int collect_set_ready(Error *e);

/* As NVIDIA's tools write it: a JSON list, owned by the caller; NULL when out of memory. gpus or switches may be NULL. */
char *collect_to_json(const Collected *gpus, const Collected *switches, const uint8_t nonce[static NONCE_SIZE]) _must_check_;

/* The child: collect-query.c, collect-nscq.c. what: "gpu", "switch" or "ready". The process must end with what it returns, by _exit(). */
int collect_answer(const char *what, const char *nonce_hex);
/* library_parse() of its lines; ret must be empty. */
int collect_parse(const char *answer, size_t size, Collected *ret);

/* Within the child. */
typedef struct CollectChild {
        LibraryChild child;
        const uint8_t *nonce;
} CollectChild;
void collect_say_bytes(CollectChild *c, const char *key, const void *data, size_t size);
int collect_switches(CollectChild *c);
