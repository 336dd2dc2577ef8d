/* SPDX-License-Identifier: Apache-2.0 */
/* What SELinux has denied our programs and NVIDIA's since the boot, by the end of the audit log. */
#pragma once

#include "node/node.h"

typedef struct Denials {
        unsigned n;
        char *comm; /* the program of the last one, or NULL */
} Denials;

/* Adds what the text of an audit log has: lines "type=AVC msg=audit(SECONDS.MS:SERIAL): avc:  denied ... comm=\"NAME\" ...", not older than
 * since (seconds since the epoch), about nvidia or gn8v-tee. 0 or -ENOMEM. */
int denials_parse(const char *text, int64_t since, Denials *d);
/* Of this boot. -EACCES: only root may read the log; -ENOENT: there is none. */
int denials_load(Node *n, Denials *ret);
