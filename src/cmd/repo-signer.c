/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/repo-signer.h"

#include <fcntl.h>
#include <openssl/ui.h>
#include <termios.h>

#include "basic/fs.h"
#include "basic/log.h"
#include "basic/strings.h"
#include "cmd/options.h"
#include "repo/build-key.h"
#include "repo/keyring.h"

#define SECRET_MAX 512

/* What systemd puts below $CREDENTIALS_DIRECTORY (LoadCredential=), for the first key and for the second. */
static const char *const credentials[SIGNERS_MAX] = { "gn8v-tee-repo.passphrase", "gn8v-tee-repo.also-passphrase" };

void signer_arguments_clear(SignerArguments *a) {
        for (size_t i = 0; i < SIGNERS_MAX; i++)
                free(a->credentials[i]);
        *a = (SignerArguments){};
}

bool signer_argument(SignerArguments *a, int c, const char *value) {
        int64_t created;
        uint64_t fd;
        SignerKey *k = &a->keys[a->second || c == ARG_SIGNER_ALSO_KEY || c == ARG_SIGNER_ALSO_KEY_FILE];

        switch (c) {
        case ARG_SIGNER_KEY: a->keys[0].key = value; return true;
        case ARG_SIGNER_KEY_FILE: a->keys[0].key_file = value; return true;
        case ARG_SIGNER_ALSO_KEY: a->second = true; k->key = value; return true;
        case ARG_SIGNER_ALSO_KEY_FILE: a->second = true; k->key_file = value; return true;
        case ARG_SIGNER_GNUPGHOME: k->gnupghome = value; return true;
        case ARG_SIGNER_PASSPHRASE_FILE: k->passphrase_file = value; return true;
        case ARG_SIGNER_PASSPHRASE_FD:
                k->passphrase_fd = value;
                return (parse_u64(value, &fd) >= 0 && fd <= 65535) || option_refuse("not the number of an open file") == EXIT_OK;
        case ARG_SIGNER_USER_ID: k->user_id = value; return true;
        case ARG_SIGNER_CREATED:
                k->created = value;
                return parse_date(value, &created) >= 0 || option_refuse("not a day, YYYY-MM-DD") == EXIT_OK;
        default: return false;
        }
}

bool signer_named(const SignerArguments *a) {
        return a->keys[0].key || a->keys[0].key_file;
}

static const char *wrong(const SignerKey *k) {
        if (k->passphrase_file && k->passphrase_fd)
                return "--passphrase-file and --passphrase-fd exclude each other";
        if (!k->key_file)
                return k->user_id || k->created ? "--user-id and --key-created belong to --key-file" : NULL;
        if (!k->user_id || !k->created)
                return "--key-file needs --user-id and --key-created: together they make it an OpenPGP key";
        return k->gnupghome ? "--gnupghome and --key-file exclude each other" : NULL;
}

const char *signer_arguments_wrong(const SignerArguments *a) {
        const char *why = wrong(&a->keys[0]);

        if (a->second && !signer_named(a))
                return "--also-key names a second key: --key names the first";
        return why ? why : wrong(&a->keys[1]);
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

/* OpenSSL's own prompt, which gives the terminal back when it is interrupted; without an echo from before it says anything. */
static bool prompt_for(const char *prompt, char *secret) {
        _cleanup_close_ int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
        UI *ui = UI_new_method(UI_OpenSSL());
        struct termios before, quiet;
        bool good = false;

        if (ui && fd >= 0 && tcgetattr(fd, &before) == 0) {
                quiet = before;
                quiet.c_lflag &= ~(tcflag_t) ECHO;
                good = tcsetattr(fd, TCSAFLUSH, &quiet) == 0 && UI_add_input_string(ui, prompt, 0, secret, 1, SECRET_MAX - 1) > 0 && UI_process(ui) == 0;
                (void) tcsetattr(fd, TCSAFLUSH, &before);
        }
        UI_free(ui);
        return good && *secret;
}

static int ask(const char *what, char **ret, Error *e) {
        _cleanup_free_ char *prompt = format("Passphrase (or PIN) of %s: ", what);
        char *secret = calloc(1, SECRET_MAX);

        if (prompt && secret && prompt_for(prompt, secret)) {
                *ret = secret;
                return 0;
        }
        if (secret)
                explicit_bzero(secret, SECRET_MAX);
        free(secret);
        return error_set(e, ENOKEY, EXIT_FAILED, "%s: no passphrase was entered", what);
}

static bool has_terminal(void) {
        _cleanup_close_ int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
        return fd >= 0 && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

static int find_secret(SignerArguments *a, size_t i, SecretSource *ret, Error *e) {
        const SignerKey *k = &a->keys[i];
        const char *dir = getenv("CREDENTIALS_DIRECTORY");
        uint64_t fd;

        *ret = (SecretSource){ .file = k->passphrase_file };
        if (k->passphrase_fd) {
                (void) parse_u64(k->passphrase_fd, &fd);
                ret->fd = (int) fd;
                ret->fd_given = true;
        } else if (!ret->file && dir && *dir) {
                if (!(a->credentials[i] = path_join(dir, credentials[i])))
                        return error_oom(e);
                if (access(a->credentials[i], F_OK) == 0)
                        ret->file = a->credentials[i];
        }
        if (!ret->file && !ret->fd_given && has_terminal())
                ret->ask = ask;
        return 0;
}

static int make_signer(SignerArguments *a, size_t i, Signer **ret, Error *e) {
        const SignerKey *k = &a->keys[i];
        /* One home is enough for two keys. */
        const char *home = k->gnupghome ? k->gnupghome : a->keys[!i].gnupghome;
        _cleanup_(signer_freep) Signer *s = NULL;
        SecretSource secret;
        int64_t created = 0;
        int r;

        if ((r = find_secret(a, i, &secret, e)) < 0)
                return r;
        if (k->created)
                (void) parse_date(k->created, &created);
        if (!k->key_file)
                r = signer_gpg_new(home, k->key, &secret, &s, e);
        else if (startswith(k->key_file, "pkcs11:"))
                r = signer_pkcs11_new(k->key_file, &secret, k->user_id, created, &s, e);
        else
                r = signer_openssl_new(k->key_file, &secret, k->user_id, created, &s, e);
        if (r == 0 && k->key_file && k->key)
                r = check_fingerprint(s, k->key, e);
        if (r < 0 || (!a->late && (r = signer_certify(s, e)) < 0))
                return r;
        STRV_FOREACH(w, s->warnings)
                log_warning("%s", *w);
        *ret = TAKE_PTR(s);
        return 0;
}

int signers_from_arguments(SignerArguments *a, Signers *ret, Error *e) {
        Signers s = {};
        int r = 0;

        for (size_t i = 0; r >= 0 && i < (a->second ? 2u : 1u); i++)
                if ((r = make_signer(a, i, &s.v[i], e)) >= 0)
                        s.n++;
        if (r >= 0 && s.n == 2 && streq(s.v[0]->fingerprint, s.v[1]->fingerprint))
                r = error_set(e, EINVAL, EXIT_USAGE, "--also-key: %s is the first key again", s.v[0]->fingerprint);
        if (r < 0) {
                signers_clear(&s);
                return error_hint(e, r, "what signs is an RSA key of 3072 bits or more, valid, with its secret part and passphrase at hand: name such a one");
        }
        *ret = s;
        return r;
}

static int public_key(SignerArguments *a, size_t i, char **ret, int64_t *ret_created, Error *e) {
        const char *home = a->keys[i].gnupghome ? a->keys[i].gnupghome : a->keys[!i].gnupghome;
        _cleanup_(signer_freep) Signer *s = NULL;
        int r;

        if (!a->keys[i].key_file)
                return build_key_export(home, a->keys[i].key, ret, ret_created, e);
        if ((r = make_signer(a, i, &s, e)) < 0)
                return r;
        if (!(*ret = openpgp_armor("PUBLIC KEY BLOCK", s->public_key, s->public_key_size)))
                return error_oom(e);
        *ret_created = s->created;
        return 0;
}

int signer_public_keys(SignerArguments *a, char **ret, int64_t *ret_created, Error *e) {
        _cleanup_free_ char *first = NULL, *second = NULL;
        int64_t created = 0, second_created = 0;
        int r;

        if ((r = public_key(a, 0, &first, &created, e)) < 0 || (a->second && (r = public_key(a, 1, &second, &second_created, e)) < 0))
                return r;
        if (second && streq(first, second))
                return error_set(e, EINVAL, EXIT_USAGE, "--also-key: it is the first key again");
        if (!(*ret = format("%s%s", first, second ? second : "")))
                return error_oom(e);
        *ret_created = MAX(created, second_created);
        return 0;
}
