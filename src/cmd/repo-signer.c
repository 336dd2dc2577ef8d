/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/repo-signer.h"

#include "basic/strings.h"
#include "repo/build-key.h"
#include "repo/keyring.h"

bool signer_argument(SignerArguments *a, int c, const char *value) {
        switch (c) {
        case ARG_SIGNER_KEY: a->key = value; return true;
        case ARG_SIGNER_GNUPGHOME: a->gnupghome = value; return true;
        case ARG_SIGNER_PASSPHRASE_FILE: a->passphrase_file = value; return true;
        case ARG_SIGNER_KEY_FILE: a->key_file = value; return true;
        case ARG_SIGNER_USER_ID: a->user_id = value; return true;
        case ARG_SIGNER_CREATED: a->created = value; return true;
        default: return false;
        }
}

bool signer_named(const SignerArguments *a) {
        return a->key || a->key_file;
}

const char *signer_arguments_wrong(const SignerArguments *a) {
        int64_t created;

        if (!a->key_file)
                return a->user_id || a->created ? "--user-id and --key-created belong to --key-file" : NULL;
        if (!a->user_id || !a->created)
                return "--key-file needs --user-id and --key-created: together they make it an OpenPGP key";
        if (parse_date(a->created, &created) < 0)
                return "--key-created is a day, YYYY-MM-DD";
        return a->gnupghome ? "--gnupghome and --key-file exclude each other" : NULL;
}

static int check_fingerprint(const Signer *s, const char *expected, Error *e) {
        _cleanup_free_ char *fingerprint = NULL;
        int r;

        r = fingerprint_normalize(expected, &fingerprint, e);
        if (r < 0)
                return r;
        if (!streq(fingerprint, s->fingerprint))
                return error_hint(e, error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "the key's fingerprint is %s, not %s", s->fingerprint, fingerprint),
                                  "--key-file, --user-id and --key-created must be those of the first time");
        return 0;
}

int signer_from_arguments(const SignerArguments *a, Signer **ret, Error *e) {
        _cleanup_(signer_freep) Signer *s = NULL;
        int64_t created = 0;
        int r;

        if (!a->key_file)
                return signer_gpg_new(a->gnupghome, a->key, a->passphrase_file, ret, e);
        (void) parse_date(a->created, &created);
        r = signer_openssl_new(a->key_file, a->passphrase_file, a->user_id, created, &s, e);
        if (r == 0 && a->key)
                r = check_fingerprint(s, a->key, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

int signer_public_key(const SignerArguments *a, char **ret, int64_t *ret_created, Error *e) {
        _cleanup_(signer_freep) Signer *s = NULL;
        char *armored;
        int r;

        if (!a->key_file)
                return build_key_export(a->gnupghome, a->key, ret, ret_created, e);
        r = signer_from_arguments(a, &s, e);
        if (r < 0)
                return r;
        armored = openpgp_armor("PUBLIC KEY BLOCK", s->public_key, s->public_key_size);
        if (!armored)
                return error_oom(e);
        *ret = armored;
        *ret_created = s->created;
        return 0;
}
