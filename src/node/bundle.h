/* SPDX-License-Identifier: Apache-2.0 */
/* The archive for support: what is configured, what runs, what the logs say; without secrets. */
#pragma once

#include <jansson.h>

#include "node/diagnose.h"
#include "node/mask.h"

typedef struct Bundle {
        Node *node;
        char *path;
        bool full;
        char **words;       /* this machine's name and id, to be masked */
        Text head, tail[2]; /* driver's log lines: the first ones, and the last ones */
        uint64_t dropped;   /* bytes between them */
        Text tar, manifest;
        size_t n_members;
        int64_t now;
} Bundle;

/* Checks that path can be written, and lets d hand over the lines that it reads. -EEXIST when there is something at path, a link, too. */
int bundle_open(Bundle *b, Node *n, Diagnose *d, const char *path, bool full, Error *e);
/* Collects everything, and writes path: mode 0600, whole or not at all. Drops the reference of diagnosis. */
int bundle_write(Bundle *b, json_t *diagnosis, Error *e);
void bundle_close(Bundle *b);
#define _cleanup_bundle_ _cleanup_(bundle_close)
