/* SPDX-License-Identifier: Apache-2.0 */
/* The signer over GnuPG. The key is looked at through gpgme; what is signed, 32 bytes, goes to gpg-agent over one connection (or from
 * there to a card), and the packet around the signature is ours: gpg itself would be one process a package, and gpgme cannot set its time. */
#include <gpgme.h>
#include <pthread.h>
#include <sys/stat.h>

#include "basic/process.h"
#include "basic/strings.h"
#include "repo/keyring.h"
#include "repo/openpgp-read.h"
#include "repo/signer.h"

#define RSA_BITS_MIN  3072
#define NUMBER_MAX    (16 * 1024)
#define AGENT_SECONDS 60 /* to start it */

typedef struct GpgSigner {
        char *homedir;        /* or NULL */
        SecretSource secret;
        char *passphrase;     /* or NULL: not asked for yet */
        Error why_no_secret;
        char *keygrip;        /* how the agent calls the key */
        gpgme_ctx_t agent;
        pthread_mutex_t lock; /* one connection, one question at a time */
} GpgSigner;

static void gpg_free(Signer *s) {
        GpgSigner *g = s->data;

        if (!g)
                return;
        if (g->agent)
                gpgme_release(g->agent);
        (void) pthread_mutex_destroy(&g->lock);
        secret_free(g->passphrase);
        error_clear(&g->why_no_secret);
        free(g->keygrip);
        free(g->homedir);
        free(g);
}

static gpgme_error_t keep_data(void *opaque, const void *data, size_t size) {
        Text *t = opaque;

        if (size > NUMBER_MAX - t->size)
                return gpgme_error(GPG_ERR_TOO_LARGE);
        text_append_n(t, data, size);
        return 0;
}

/* The agent asks for the passphrase (a card's PIN, too), and for nothing else. Whoever is at the terminal is asked when the agent is, and once. */
static gpgme_error_t answer(void *opaque, const char *name, const char *args, gpgme_data_t *ret) {
        const Signer *s = opaque;
        GpgSigner *g = s->data;
        _cleanup_free_ char *what = NULL;

        if (!name) {
                if (*ret)
                        gpgme_data_release(*ret);
                *ret = NULL;
                return 0;
        }
        if (!streq(name, "PASSPHRASE"))
                return gpgme_error(GPG_ERR_NO_PASSPHRASE);
        if (!g->passphrase && (!(what = format("key %s", s->fingerprint)) || secret_read(&g->secret, what, &g->passphrase, NULL, &g->why_no_secret) < 0 || !g->passphrase))
                return gpgme_error(GPG_ERR_NO_PASSPHRASE);
        return gpgme_data_new_from_mem(ret, g->passphrase, strlen(g->passphrase), 0);
}

static gpgme_error_t ask_agent(Signer *s, const char *command, Text *data) {
        GpgSigner *g = s->data;
        gpgme_error_t failed = 0, err;

        err = gpgme_op_assuan_transact_ext(g->agent, command, data ? keep_data : NULL, data, answer, s, NULL, NULL, &failed);
        return err ? err : failed;
}

/* "(7:sig-val(3:rsa(1:s512:...)))": the number behind "1:s". */
static int take_number(const Text *sexp, unsigned char **ret, size_t *ret_size) {
        static const char mark[] = "(7:sig-val(3:rsa(1:s";
        size_t i = sizeof(mark) - 1, n = 0;
        unsigned char *number;

        if (sexp->failed)
                return -ENOMEM;
        if (sexp->size < i || memcmp(sexp->data, mark, i) != 0)
                return -EBADMSG;
        for (; i < sexp->size && sexp->data[i] >= '0' && sexp->data[i] <= '9' && n < NUMBER_MAX; i++)
                n = n * 10 + (size_t) (sexp->data[i] - '0');
        if (n == 0 || i >= sexp->size || sexp->data[i++] != ':' || n > sexp->size - i)
                return -EBADMSG;
        number = malloc(n);
        if (!number)
                return -ENOMEM;
        memcpy(number, sexp->data + i, n);
        *ret = number;
        *ret_size = n;
        return 0;
}

static int not_signed(const Signer *s, gpgme_error_t err, Error *e) {
        GpgSigner *g = s->data;
        int r;

        if (g->why_no_secret.message) {
                r = error_set(e, ENOKEY, g->why_no_secret.code, "%s", g->why_no_secret.message);
                return g->why_no_secret.hint ? error_hint(e, r, "%s", g->why_no_secret.hint) : r;
        }
        r = error_set(e, EIO, EXIT_FAILED, "gpg-agent did not sign with key %s: %s", s->fingerprint, gpgme_strerror(err));
        if (g->passphrase)
                return error_hint(e, r, g->secret.file && !g->secret.fd_given ? "is the passphrase in %s right?" : "is the passphrase right?", g->secret.file);
        return error_hint(e, r, "if the key has a passphrase, or is on a card, unlock it in the agent first, or give --passphrase-file");
}

static int gpg_sign(void *data, const unsigned char digest[static 32], unsigned char **ret, size_t *ret_size, Error *e) {
        Signer *s = data;
        GpgSigner *g = s->data;
        _cleanup_free_ char *key = format("SIGKEY %s", g->keygrip);
        _cleanup_text_ Text hash = {}, sexp = {};
        _cleanup_free_ char *command = NULL;
        gpgme_error_t err;
        int r;

        text_append(&hash, "SETHASH --hash=sha256 ");
        for (size_t i = 0; i < 32; i++)
                text_printf(&hash, "%02X", digest[i]);
        command = text_take(&hash);
        if (!key || !command)
                return error_oom(e);
        (void) pthread_mutex_lock(&g->lock);
        if (!(err = ask_agent(s, key, NULL)) && !(err = ask_agent(s, command, NULL)))
                err = ask_agent(s, "PKSIGN", &sexp);
        (void) pthread_mutex_unlock(&g->lock);
        if (err)
                return not_signed(s, err, e);
        r = take_number(&sexp, ret, ret_size);
        return r < 0 ? error_errno(e, -r, "gpg-agent's signature with key %s", s->fingerprint) : 0;
}

static int gpgconf(const GpgSigner *g, const char *verb, const char *what, char **ret, Error *e) {
        const char *argv[8] = { "gpgconf" };
        size_t n = 1;

        if (g->homedir) {
                argv[n++] = "--homedir";
                argv[n++] = g->homedir;
        }
        argv[n++] = verb;
        argv[n++] = what;
        return process_check(&(Process){ .argv = argv, .timeout_sec = AGENT_SECONDS }, ret, e);
}

/* A prompt of the agent's own would hang a build machine, or show up on somebody else's terminal: it is to ask us, or nobody. */
static int set_pinentry(Signer *s, const char *socket, Error *e) {
        GpgSigner *g = s->data;
        bool ask_us = secret_is_there(&g->secret);
        gpgme_error_t err = ask_agent(s, ask_us ? "OPTION pinentry-mode=loopback" : "OPTION pinentry-mode=error", NULL);

        if (!err)
                return 0;
        /* Somebody at the terminal may have unlocked the key before. */
        if (ask_us && !g->secret.file && !g->secret.fd_given && !ask_agent(s, "OPTION pinentry-mode=error", NULL))
                return 0;
        if (ask_us && gpgme_err_code(err) != GPG_ERR_EOF)
                return error_hint(e, error_set(e, EIO, EXIT_FAILED, "gpg-agent at %s takes no passphrase from us: %s", socket, gpgme_strerror(err)),
                                  "remove no-allow-loopback-pinentry from gpg-agent.conf, or unlock the key in the agent and give no passphrase");
        return error_set(e, EIO, EXIT_FAILED, "gpg-agent at %s does not answer: %s", socket, gpgme_strerror(err));
}

static int read_secret(Signer *s, Error *e) {
        GpgSigner *g = s->data;
        char *warning = NULL;
        int r;

        /* A file is read now; nobody is asked before it turns out that there is something to ask for. */
        if (!g->secret.file && !g->secret.fd_given)
                return 0;
        r = secret_read(&g->secret, s->fingerprint, &g->passphrase, &warning, e);
        return r < 0 ? r : signer_warn(s, warning, e);
}

static int open_agent(Signer *s, Error *e) {
        GpgSigner *g = s->data;
        _cleanup_free_ char *socket = NULL, *started = NULL;
        gpgme_error_t err;
        int r;

        if ((r = read_secret(s, e)) < 0 || (r = gpgconf(g, "--launch", "gpg-agent", &started, e)) < 0 ||
            (r = gpgconf(g, "--list-dirs", "agent-socket", &socket, e)) < 0)
                return r;
        socket[strcspn(socket, "\n")] = '\0';
        if (gpgme_new(&g->agent) != 0)
                return error_oom(e);
        if (!(err = gpgme_set_protocol(g->agent, GPGME_PROTOCOL_ASSUAN)))
                err = gpgme_ctx_set_engine_info(g->agent, GPGME_PROTOCOL_ASSUAN, socket, NULL);
        return err ? error_set(e, EIO, EXIT_FAILED, "gpg-agent at %s does not answer: %s", socket, gpgme_strerror(err)) : set_pinentry(s, socket, e);
}

static const SignerType signer_gpg = { .name = "gpg", .sign = gpg_sign, .free = gpg_free };

static int refuse(const Signer *s, Error *e, ExitCode code, const char *why) {
        return error_set(e, EKEYREJECTED, code, "signing key %s: %s", s->fingerprint, why);
}

static int check_part(const Signer *s, const struct _gpgme_subkey *part, Error *e) {
        if (part->revoked)
                return refuse(s, e, EXIT_UNTRUSTED, "it is revoked");
        if (part->expired)
                return refuse(s, e, EXIT_UNTRUSTED, "it has expired");
        if (part->disabled || part->invalid)
                return refuse(s, e, EXIT_UNTRUSTED, "it is disabled or not valid");
        if (part->pubkey_algo != GPGME_PK_RSA)
                return refuse(s, e, EXIT_UNTRUSTED, "it is not an RSA key, and EL8's rpm takes no other");
        if (part->length < RSA_BITS_MIN)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "signing key %s: %u bits are too few, %d are needed", s->fingerprint,
                                 part->length, RSA_BITS_MIN);
        return 0;
}

/* *ret is the part of the key that signs: the one whose fingerprint was given. */
static int check_key(Signer *s, gpgme_key_t key, const struct _gpgme_subkey **ret, Error *e) {
        const struct _gpgme_subkey *primary = key->subkeys, *part = primary;
        int r;

        while (part && !(part->fpr && streq(part->fpr, s->fingerprint)))
                part = part->next;
        if (!primary || !primary->fpr || !part)
                return refuse(s, e, EXIT_FAILED, "gpg finds another key than this");
        if (key->revoked || key->expired || key->disabled || key->invalid)
                return refuse(s, e, EXIT_UNTRUSTED, key->revoked ? "it is revoked" : key->expired ? "it has expired" : "it is disabled or not valid");
        if ((r = check_part(s, part, e)) < 0 || (part != primary && (r = check_part(s, primary, e)) < 0))
                return r;
        if (!part->can_sign)
                return refuse(s, e, EXIT_UNTRUSTED, part == primary ? "its primary key cannot sign: give the fingerprint of a subkey that can"
                                                                    : "this subkey cannot sign");
        if (!part->secret)
                return refuse(s, e, EXIT_FAILED, "its secret part is not here");
        *ret = part;
        return 0;
}

static int export_key(gpgme_ctx_t ctx, Signer *s, Error *e) {
        gpgme_data_t data;
        gpgme_error_t err;
        char *bytes;
        size_t size;

        err = gpgme_data_new(&data);
        if (err)
                return error_oom(e);
        err = gpgme_op_export(ctx, s->fingerprint, GPGME_EXPORT_MODE_MINIMAL, data);
        bytes = gpgme_data_release_and_get_mem(data, &size);
        if (!err && bytes && size > 0) {
                s->public_key = malloc(size);
                if (s->public_key) {
                        memcpy(s->public_key, bytes, size);
                        s->public_key_size = size;
                }
        }
        gpgme_free(bytes);
        if (err)
                return error_set(e, EIO, EXIT_FAILED, "signing key %s: cannot be exported: %s", s->fingerprint, gpgme_strerror(err));
        return s->public_key ? 0 : refuse(s, e, EXIT_FAILED, "gpg exports nothing for it");
}

/* What clients will get to see, as it is, whatever gpg thinks of it. */
static int check_exported(const Signer *s, Error *e) {
        _cleanup_free_ char *name = format("signing key %s", s->fingerprint);
        return name ? openpgp_check_key(s->public_key, s->public_key_size, name, e) : error_oom(e);
}

static int take_key(Signer *s, gpgme_ctx_t ctx, gpgme_key_t key, const struct _gpgme_subkey *part, Error *e) {
        GpgSigner *g = s->data;
        const struct _gpgme_subkey *primary = key->subkeys;
        char *fingerprint;
        int r;

        (void) openpgp_fingerprint_bytes(s->fingerprint, s->signing);
        if (part != primary) {
                r = signer_warn(s, format("key %s: a subkey signs: rpm of EL8 lists primary keys only, and `rpm -K` may say NOKEY where the key was imported by an older rpm",
                                          s->fingerprint), e);
                if (r < 0)
                        return r;
                if (!(fingerprint = strdup(primary->fpr)))
                        return error_oom(e);
                free(s->fingerprint);
                s->fingerprint = fingerprint;
        }
        s->created = part->timestamp;
        /* Whichever ends first. */
        s->expires = part->expires;
        if (primary->expires > 0 && (s->expires == 0 || primary->expires < s->expires))
                s->expires = primary->expires;
        s->user_id = strdup(key->uids && key->uids->uid ? key->uids->uid : "");
        g->keygrip = strdup(part->keygrip ? part->keygrip : "");
        if (!s->user_id || !g->keygrip)
                return error_oom(e);
        r = export_key(ctx, s, e);
        return r < 0 ? r : check_exported(s, e);
}

static int load_key(gpgme_ctx_t ctx, Signer *s, const char *where, Error *e) {
        const struct _gpgme_subkey *part = NULL;
        gpgme_key_t key = NULL;
        gpgme_error_t err;
        int r;

        if (gpgme_set_keylist_mode(ctx, GPGME_KEYLIST_MODE_LOCAL | GPGME_KEYLIST_MODE_WITH_SECRET) != 0)
                return error_set(e, EIO, EXIT_FAILED, "gpgme cannot list keys");
        err = gpgme_get_key(ctx, s->fingerprint, &key, 0);
        if (err) {
                r = gpgme_err_code(err) == GPG_ERR_EOF ? error_set(e, ENOKEY, EXIT_FAILED, "signing key %s: not in %s", s->fingerprint, where)
                                                       : error_set(e, EIO, EXIT_FAILED, "signing key %s: %s: %s", s->fingerprint, where, gpgme_strerror(err));
                return error_hint(e, r, "'gpg --list-secret-keys' shows the keys there are; --gnupghome names another home");
        }
        r = check_key(s, key, &part, e);
        if (r >= 0)
                r = take_key(s, ctx, key, part, e);
        gpgme_key_unref(key);
        return r;
}

/* gpg itself would only grumble, where nobody hears it. */
static int check_home(Signer *s, const char *path, Error *e) {
        struct stat st;

        if (stat(path, &st) < 0 || (S_ISDIR(st.st_mode) && access(path, X_OK) < 0))
                return error_errno(e, errno, "GnuPG home %s", path);
        if (!S_ISDIR(st.st_mode))
                return error_set(e, ENOTDIR, EXIT_FAILED, "GnuPG home %s: not a directory", path);
        if (st.st_uid != geteuid())
                return signer_warn(s, format("GnuPG home %s: it belongs to somebody else", path), e);
        return st.st_mode & 077 ? signer_warn(s, format("GnuPG home %s: others than its owner can get in: chmod 700", path), e) : 0;
}

static int open_home(Signer *s, Error *e) {
        GpgSigner *g = s->data;
        gpgme_ctx_t ctx;
        int r;

        if (g->homedir && (r = check_home(s, g->homedir, e)) < 0)
                return r;
        (void) gpgme_check_version(NULL);
        if (gpgme_new(&ctx) != 0)
                return error_oom(e);
        if (gpgme_ctx_set_engine_info(ctx, GPGME_PROTOCOL_OpenPGP, NULL, g->homedir) != 0)
                r = error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "gpg is not installed"), "install gnupg2");
        else
                r = load_key(ctx, s, g->homedir ? g->homedir : "~/.gnupg", e);
        gpgme_release(ctx);
        return r;
}

int signer_gpg_new(const char *homedir, const char *fingerprint, const SecretSource *secret, Signer **ret, Error *e) {
        _cleanup_(signer_freep) Signer *s = calloc(1, sizeof(*s));
        GpgSigner *g;
        int r;

        if (!s || !(s->data = g = calloc(1, sizeof(*g))))
                return error_oom(e);
        s->type = &signer_gpg;
        g->secret = *secret;
        g->why_no_secret = ERROR_INIT;
        (void) pthread_mutex_init(&g->lock, NULL);
        r = fingerprint_normalize(fingerprint, &s->fingerprint, e);
        if (r < 0)
                return r;
        if (!homedir)
                homedir = getenv("GNUPGHOME");
        if (homedir && *homedir && !(g->homedir = strdup(homedir)))
                return error_oom(e);
        if ((r = open_home(s, e)) < 0 || (r = open_agent(s, e)) < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}
