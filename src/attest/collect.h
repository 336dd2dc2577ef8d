/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence from the devices of this machine. NVIDIA's libraries (NVML for GPUs, NSCQ for switches) are asked in children of this program, within a
 * time limit: one that hangs, crashes or answers nonsense is an outcome. Whoever asks must know that opening a GPU does no harm now. */
#pragma once

#include "attest/evidence.h"

#define COLLECT_VERB        "collect-query" /* hidden: the child is this program again: COLLECT_VERB gpu|switch|ready NONCE */
#define COLLECT_TIMEOUT_SEC 60
#define COLLECT_ANSWER_MAX  ((size_t) 1 << 22)
#define COLLECT_DEVICES_MAX 64
#define COLLECT_UNTOLD      (-1)

typedef struct CollectedDevice {
        char *uuid, *arch, *vbios;   /* NULL: not told */
        char *chain, *report;        /* base64; NULL: there is none */
        char *failure;               /* the call that failed, "CALL: words (code)"; or NULL */
        int64_t mode;                /* of a switch: bit 0: TNVL, bit 1: locked */
} CollectedDevice;

typedef enum CollectOutcome {
        COLLECT_ANSWERED,
        COLLECT_REFUSED,    /* a call failed without which nothing can be asked */
        COLLECT_NO_LIBRARY,
        COLLECT_CRASHED,
        COLLECT_HUNG,
        COLLECT_GARBAGE,
} CollectOutcome;

typedef struct Collected {
        CollectOutcome outcome;
        char *reason;           /* unless answered */
        char *at;               /* the call that was last begun */
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
/* Reads its lines (hostile: bounded, checked); 1: complete, 0: they break off, -EBADMSG, -ENOMEM. ret must be empty. */
int collect_parse(const char *answer, size_t size, Collected *ret);

/* Within the child. Lines are out before the next call is begun. */
typedef struct CollectChild {
        void *library;
        int fd;
        const uint8_t *nonce;
} CollectChild;
void collect_say(CollectChild *c, const char *fmt, ...) _printf_(2, 3);
void collect_say_text(CollectChild *c, const char *key, const char *text);
void collect_say_bytes(CollectChild *c, const char *key, const void *data, size_t size);
/* The library by the first of its names that is there; tells it if none is. */
bool collect_load(CollectChild *c, const char *const *names);
/* The first of these symbols that there is, newest last, NULL-terminated; says where we are by the first name. */
void *collect_symbol(CollectChild *c, const char *const *names);
int collect_switches(CollectChild *c);
