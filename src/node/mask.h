/* SPDX-License-Identifier: Apache-2.0 */
/* Takes out of text what a stranger must not read, before it goes into a support archive. The rules are in gn8v-tee(8). */
#pragma once

#include "basic/error.h"
#include "basic/strings.h"

#define MASKED "[masked]"

typedef struct Mask {
        bool tokens;         /* words that look like keys, whatever stands before them */
        bool addresses;      /* of networks: IP and MAC */
        bool identities;     /* UUIDs and serial numbers of GPUs, and the words below */
        char *const *words;  /* this machine's own: its name, its id; or NULL */
} Mask;

/* A copy of text (any bytes) without secrets, printable but for its line ends, owned by the caller; NULL when out of memory. Passwords, tokens
 * and keys always go: by the name before them, in URLs, in headers, and private keys in PEM. */
char *mask_text(const char *text, size_t size, const Mask *m) _must_check_;
