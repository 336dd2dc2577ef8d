/* SPDX-License-Identifier: Apache-2.0 */
/* The signer over GnuPG. The key is looked at through gpgme; what is signed, 32 bytes, goes to gpg-agent over one connection (or from
 * there to a card), and the packet around the signature is ours: gpg itself would be one process a package, and gpgme cannot set its time. */
#include <fcntl.h>
#include <gpgme.h>
#include <pthread.h>

#include "basic/fs.h"
#include "basic/process.h"
#include "basic/strings.h"
#include "repo/keyring.h"
#include "repo/openpgp-packet.h"
#include "repo/signer.h"

#define RSA_BITS_MIN   3072
#define NUMBER_MAX     (16 * 1024)
#define PASSPHRASE_MAX ((size_t) 4096)
#define AGENT_SECONDS  60 /* to start it */

typedef struct GpgSigner {
        char *homedir;         /* or NULL */
        char *passphrase_file; /* or NULL */
        char *passphrase;      /* or NULL */
        char *keygrip;         /* how the agent calls the key */
        unsigned char fingerprint[OPENPGP_FINGERPRINT_SIZE]; /* of the key that signs */
        gpgme_ctx_t agent;
        pthread_mutex_t lock;  /* one connection, one question at a time */
} GpgSigner;

static void gpg_free(Signer *s) {
        GpgSigner *g = s->data;

        if (!g)
                return;
        if (g->agent)
                gpgme_release(g->agent);
        if (g->passphrase)
                explicit_bzero(g->passphrase, strlen(g->passphrase));
        (void) pthread_mutex_destroy(&g->lock);
        free(g->passphrase);
        free(g->keygrip);
        free(g->homedir);
        free(g->passphrase_file);
        free(g);
}

static gpgme_error_t keep_data(void *opaque, const void *data, size_t size) {
        Text *t = opaque;

        if (size > NUMBER_MAX - t->size)
                return gpgme_error(GPG_ERR_TOO_LARGE);
        text_append_n(t, data, size);
        return 0;
}

/* The agent asks for the passphrase, and for nothing else. */
static gpgme_error_t answer(void *opaque, const char *name, const char *args, gpgme_data_t *ret) {
        GpgSigner *g = opaque;

        if (!name) {
                if (*ret)
                        gpgme_data_release(*ret);
                *ret = NULL;
                return 0;
        }
        if (!streq(name, "PASSPHRASE") || !g->passphrase)
                return gpgme_error(GPG_ERR_NO_PASSPHRASE);
        return gpgme_data_new_from_mem(ret, g->passphrase, strlen(g->passphrase), 0);
}

static gpgme_error_t ask_agent(GpgSigner *g, const char *command, Text *data) {
        gpgme_error_t failed = 0, err;

        err = gpgme_op_assuan_transact_ext(g->agent, command, data ? keep_data : NULL, data, answer, g, NULL, NULL, &failed);
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

static int raw_sign(void *data, const unsigned char digest[static 32], unsigned char **ret, size_t *ret_size, Error *e) {
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
        if (!(err = ask_agent(g, key, NULL)) && !(err = ask_agent(g, command, NULL)))
                err = ask_agent(g, "PKSIGN", &sexp);
        (void) pthread_mutex_unlock(&g->lock);
        if (err) {
                r = error_set(e, EIO, EXIT_FAILED, "gpg-agent did not sign with key %s: %s", s->fingerprint, gpgme_strerror(err));
                return error_hint(e, r, g->passphrase_file ? "is the passphrase in %s right?"
                                                           : "if the key has a passphrase, unlock it in the agent first, or give --passphrase-file",
                                  g->passphrase_file);
        }
        r = take_number(&sexp, ret, ret_size);
        return r < 0 ? error_errno(e, -r, "gpg-agent's signature with key %s", s->fingerprint) : 0;
}

static int gpg_sign(Signer *s, const void *data, size_t size, int64_t time, void **ret, size_t *ret_size, Error *e) {
        GpgSigner *g = s->data;
        return openpgp_sign(g->fingerprint, OPENPGP_BINARY, time, data, size, raw_sign, s, ret, ret_size, e);
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

static int read_passphrase(GpgSigner *g, Error *e) {
        int r;

        if (!g->passphrase_file)
                return 0;
        r = read_file(AT_FDCWD, g->passphrase_file, PASSPHRASE_MAX, &g->passphrase, NULL);
        if (r < 0)
                return error_errno(e, -r, "%s", g->passphrase_file);
        g->passphrase[strcspn(g->passphrase, "\r\n")] = '\0';
        return 0;
}

static int open_agent(Signer *s, Error *e) {
        GpgSigner *g = s->data;
        _cleanup_free_ char *socket = NULL, *started = NULL;
        gpgme_error_t err;
        int r;

        if ((r = read_passphrase(g, e)) < 0 || (r = gpgconf(g, "--launch", "gpg-agent", &started, e)) < 0 ||
            (r = gpgconf(g, "--list-dirs", "agent-socket", &socket, e)) < 0)
                return r;
        socket[strcspn(socket, "\n")] = '\0';
        if (gpgme_new(&g->agent) != 0)
                return error_oom(e);
        /* A prompt would hang a build machine, or show up on somebody else's terminal. */
        if (!(err = gpgme_set_protocol(g->agent, GPGME_PROTOCOL_ASSUAN)) &&
            !(err = gpgme_ctx_set_engine_info(g->agent, GPGME_PROTOCOL_ASSUAN, socket, NULL)))
                err = ask_agent(g, g->passphrase ? "OPTION pinentry-mode=loopback" : "OPTION pinentry-mode=error", NULL);
        return err ? error_set(e, EIO, EXIT_FAILED, "gpg-agent at %s does not answer: %s", socket, gpgme_strerror(err)) : 0;
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
        if (part->pubkey_algo != GPGME_PK_RSA && part->pubkey_algo != GPGME_PK_RSA_S)
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

static int take_key(Signer *s, gpgme_ctx_t ctx, gpgme_key_t key, const struct _gpgme_subkey *part, Error *e) {
        GpgSigner *g = s->data;
        const struct _gpgme_subkey *primary = key->subkeys;
        char *fingerprint;

        for (size_t i = 0; i < sizeof g->fingerprint; i++)
                (void) sscanf(s->fingerprint + 2 * i, "%2hhx", &g->fingerprint[i]);
        if (part != primary) {
                s->warning = "a subkey signs: rpm of EL8 lists primary keys only, and `rpm -K` may say NOKEY where the key was imported by an older rpm";
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
        return s->user_id && g->keygrip ? export_key(ctx, s, e) : error_oom(e);
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

static int open_home(Signer *s, Error *e) {
        GpgSigner *g = s->data;
        gpgme_ctx_t ctx;
        int r;

        (void) gpgme_check_version(NULL);
        if (gpgme_new(&ctx) != 0)
                return error_oom(e);
        if (g->homedir && access(g->homedir, X_OK) < 0)
                r = error_errno(e, errno, "GnuPG home %s", g->homedir);
        else if (gpgme_ctx_set_engine_info(ctx, GPGME_PROTOCOL_OpenPGP, NULL, g->homedir) != 0)
                r = error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "gpg is not installed"), "install gnupg2");
        else
                r = load_key(ctx, s, g->homedir ? g->homedir : "~/.gnupg", e);
        gpgme_release(ctx);
        return r;
}

int signer_gpg_new(const char *homedir, const char *fingerprint, const char *passphrase_file, Signer **ret, Error *e) {
        _cleanup_(signer_freep) Signer *s = calloc(1, sizeof(*s));
        GpgSigner *g;
        int r;

        if (!s || !(s->data = g = calloc(1, sizeof(*g))))
                return error_oom(e);
        s->type = &signer_gpg;
        (void) pthread_mutex_init(&g->lock, NULL);
        r = fingerprint_normalize(fingerprint, &s->fingerprint, e);
        if (r < 0)
                return r;
        if (!homedir)
                homedir = getenv("GNUPGHOME");
        if ((homedir && *homedir && !(g->homedir = strdup(homedir))) || (passphrase_file && !(g->passphrase_file = strdup(passphrase_file))))
                return error_oom(e);
        if (passphrase_file && access(passphrase_file, R_OK) < 0)
                return error_errno(e, errno, "%s", passphrase_file);
        if ((r = open_home(s, e)) < 0 || (r = open_agent(s, e)) < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}
