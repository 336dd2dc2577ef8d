/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that somebody trusts, for a repository that is copied, and for the copy. */
#pragma once

#include "repo/keyring.h"

/* The pinned keys: each is a keyring of its own, so that it is known which one signed. */
typedef struct MirrorKeys {
        Keyring **v;
        size_t n;
} MirrorKeys;
#define MIRROR_KEY_FILE_MAX (1024u * 1024)
void mirror_keys_clear(MirrorKeys *k);

/* Reads the key files; with fingerprints only those keys are taken, and every one in the files must be one of them. */
int mirror_keys_load(MirrorKeys *k, char *const *files, char *const *fingerprints, Error *e);
/* All in a text; name is for messages. */
int mirror_keys_load_text(MirrorKeys *k, const char *text, size_t size, const char *name, Error *e);
/* Of what lies beside a repository: those that have one of the fingerprints are taken, and nothing else is said of the others. name is for messages. */
int mirror_keys_offer(MirrorKeys *k, const char *text, const char *name, char *const *fingerprints, Error *e);
bool mirror_keys_have(const MirrorKeys *k, const char *fingerprint);
/* One of them, armored, see keyring.h; owned by the caller. */
char *mirror_keys_armor(const MirrorKeys *k, const char *fingerprint) _must_check_;
bool mirror_keys_have_all(const MirrorKeys *k, char *const *fingerprints);
/* -EKEYREJECTED/EXIT_UNTRUSTED when none of the fingerprints has a key; url is for messages. Some may be missing: while one key replaces another, both are
 * pinned, and a source has either or both. */
int mirror_keys_missing(const MirrorKeys *k, const char *url, char *const *fingerprints, Error *e);
/* Which of the keys signed a package; -EKEYREJECTED/EXIT_UNTRUSTED names another signer, or has the last key's reason. In any thread. */
int mirror_keys_verify_package(const MirrorKeys *k, const RpmFile *f, const char **ret_fingerprint, Error *e);
