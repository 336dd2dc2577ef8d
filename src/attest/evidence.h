/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence: a report and a certificate chain for each device, as NVIDIA's tools write it (JSON), or as files. */
#pragma once

#include "attest/spdm.h"

#define EVIDENCE_MAX    ((size_t) 1 << 24) /* bytes of JSON */
#define EVIDENCE_DEVICES_MAX 256

typedef struct Device {
        char *source;      /* where it came from, for messages */
        char *arch;        /* as stated: "HOPPER", "BLACKWELL", "LS10"; NULL: the certificates say */
        uint8_t *report;   /* not parsed yet: nothing of it is believed */
        size_t report_size;
        char *chain;       /* PEM, leaf first */
        size_t chain_size;
        bool has_nonce;    /* stated beside the report: the one that the device was asked with */
        uint8_t nonce[NONCE_SIZE];
} Device;

typedef struct Evidence {
        Device **devices;
        size_t n;
} Evidence;

Evidence *evidence_new(void);
Evidence *evidence_free(Evidence *ev);
DEFINE_CLEANUP(Evidence, evidence_free);
/* Appends the devices of an evidence file ("-": standard input): { arch, certificate, evidence, nonce, ... }, a list of such, or that list as
 * nvattest prints it ("evidences") and as NVIDIA's service is asked ("evidence_list", with arch and nonce beside it). certificate is base64 of
 * PEM, or PEM; evidence is base64 of the report or of its hex text, or that text. EXIT_INVALID. */
int evidence_load_json(Evidence *ev, const char *path, Error *e);
int evidence_parse_json(Evidence *ev, const char *path, const char *data, size_t size, Error *e);
/* Appends one device: a report (bytes or hex text) and a PEM chain. */
int evidence_load_files(Evidence *ev, const char *report_path, const char *chain_path, Error *e);
/* Appends an empty device; NULL when out of memory. */
Device *evidence_add(Evidence *ev);
