/* SPDX-License-Identifier: Apache-2.0 */
/* The options that name a signing key, the same for every verb that takes one. */
#pragma once

#include <getopt.h>

#include "repo/signer.h"

typedef struct SignerArguments {
        const char *key, *gnupghome, *passphrase_file; /* GnuPG's */
        const char *key_file, *user_id, *created;      /* OpenSSL's; key then is what its fingerprint must be */
} SignerArguments;

enum { ARG_SIGNER_KEY = 512, ARG_SIGNER_GNUPGHOME, ARG_SIGNER_PASSPHRASE_FILE, ARG_SIGNER_KEY_FILE, ARG_SIGNER_USER_ID, ARG_SIGNER_CREATED };

#define SIGNER_OPTIONS                                                                     \
        { "key", required_argument, NULL, ARG_SIGNER_KEY },                                \
        { "gnupghome", required_argument, NULL, ARG_SIGNER_GNUPGHOME },                    \
        { "passphrase-file", required_argument, NULL, ARG_SIGNER_PASSPHRASE_FILE },        \
        { "key-file", required_argument, NULL, ARG_SIGNER_KEY_FILE },                      \
        { "user-id", required_argument, NULL, ARG_SIGNER_USER_ID },                        \
        { "key-created", required_argument, NULL, ARG_SIGNER_CREATED }

/* Takes one of those options; false when c is another. */
bool signer_argument(SignerArguments *a, int c, const char *value);
/* Whether a key is named at all. */
bool signer_named(const SignerArguments *a);
/* What is wrong with the words, or NULL. */
const char *signer_arguments_wrong(const SignerArguments *a);
/* The signer they name, owned by the caller. */
int signer_from_arguments(const SignerArguments *a, Signer **ret, Error *e);
/* Only its public key, armored and owned by the caller, and when it was made (seconds, UTC); GnuPG's need not have the secret part here. */
int signer_public_key(const SignerArguments *a, char **ret, int64_t *ret_created, Error *e);
