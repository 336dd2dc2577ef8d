/* SPDX-License-Identifier: Apache-2.0 */
/* The options that name a signing key, the same for every verb that takes one, and a second key while one replaces the other. */
#pragma once

#include "repo/signer.h"

typedef struct SignerKey {
        const char *key, *gnupghome, *passphrase_file, *passphrase_fd; /* GnuPG's */
        const char *key_file, *user_id, *created;                      /* OpenSSL's, or a token's; key then is what its fingerprint must be */
} SignerKey;

typedef struct SignerArguments {
        SignerKey keys[SIGNERS_MAX];
        bool second; /* the options from here on are the second key's */
        bool late; /* whoever asks makes the public keys later: signer_certify() */
        char *credentials[SIGNERS_MAX]; /* files that systemd gave us */
} SignerArguments;
void signer_arguments_clear(SignerArguments *a);

enum { ARG_SIGNER_KEY = 512, ARG_SIGNER_GNUPGHOME, ARG_SIGNER_PASSPHRASE_FILE, ARG_SIGNER_PASSPHRASE_FD, ARG_SIGNER_KEY_FILE, ARG_SIGNER_USER_ID, ARG_SIGNER_CREATED,
       ARG_SIGNER_ALSO_KEY, ARG_SIGNER_ALSO_KEY_FILE };

#define SIGNER_OPTIONS                                                                     \
        { "key", ARG_SIGNER_KEY, "FPR" },                                \
        { "gnupghome", ARG_SIGNER_GNUPGHOME, "DIR" },                    \
        { "passphrase-file", ARG_SIGNER_PASSPHRASE_FILE, "FILE" },        \
        { "passphrase-fd", ARG_SIGNER_PASSPHRASE_FD, "N" },            \
        { "key-file", ARG_SIGNER_KEY_FILE, "URI" },                      \
        { "user-id", ARG_SIGNER_USER_ID, "TEXT" },                        \
        { "key-created", ARG_SIGNER_CREATED, "DATE" },                    \
        { "also-key", ARG_SIGNER_ALSO_KEY, "FPR" },                      \
        { "also-key-file", ARG_SIGNER_ALSO_KEY_FILE, "URI" }

/* Takes one of those options; false when c is another, or its value is none (told): option_status() is to be returned. */
bool signer_argument(SignerArguments *a, int c, const char *value);
/* Whether a key is named at all. */
bool signer_named(const SignerArguments *a);
/* What is wrong with the words, or NULL. */
const char *signer_arguments_wrong(const SignerArguments *a);
/* The signers they name, one or two, to be given to signers_clear(); whatever there is to know of their keys is said on standard error. Of two none may be
 * the other. */
int signers_from_arguments(SignerArguments *a, Signers *ret, Error *e);
/* Only their public keys, armored, behind each other and owned by the caller, and when the younger one was made (seconds, UTC); GnuPG's need not have the
 * secret parts here. */
int signer_public_keys(SignerArguments *a, char **ret, int64_t *ret_created, Error *e);
