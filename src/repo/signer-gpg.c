/* SPDX-License-Identifier: Apache-2.0 */
/* The signer over GnuPG. The key is looked at through gpgme; the signature is made by gpg itself, because gpgme cannot set its time. */
#include <gpgme.h>
#include <inttypes.h>
#include <fcntl.h>

#include "basic/fs.h"
#include "basic/process.h"
#include "basic/strings.h"
#include "repo/keyring.h"
#include "repo/signer.h"

#define RSA_BITS_MIN  3072
#define SIGN_SECONDS  300 /* a card, or an agent somewhere else */
#define SIGNATURE_MAX (64 * 1024)

typedef struct GpgSigner {
        char *homedir;         /* or NULL */
        char *passphrase_file; /* or NULL */
        char *work;            /* private directory: what is signed, and the signature */
} GpgSigner;

static void gpg_free(Signer *s) {
        GpgSigner *g = s->data;

        if (!g)
                return;
        if (g->work)
                (void) remove_tree(AT_FDCWD, g->work);
        free(g->work);
        free(g->homedir);
        free(g->passphrase_file);
        free(g);
}

/* gpg's own words for what went wrong, without its prefix lines about the time we give it. */
static char *gpg_reason(char *output) {
        char *save = NULL, *last = NULL;

        for (char *line = strtok_r(output, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
                if (!strstr(line, "faked system time") && !strstr(line, "unsafe permissions"))
                        last = line;
        if (!last)
                return NULL;
        return startswith(last, "gpg: ") ? last + 5 : last;
}

static int gpg_run(Signer *s, const char *in, const char *out, int64_t time, Error *e) {
        GpgSigner *g = s->data;
        _cleanup_free_ char *key = format("%s!", s->fingerprint), *when = format("%" PRIi64 "!", time), *output = NULL;
        const char *argv[32] = { "gpg", "--batch", "--no-tty", "--yes", "--no-options", "--no-auto-check-trustdb", "--trust-model", "always" };
        size_t n = 8;
        int status, r;

        if (!key || !when)
                return error_oom(e);
        if (g->homedir) {
                argv[n++] = "--homedir";
                argv[n++] = g->homedir;
        }
        /* A prompt would hang a build machine, or show up on somebody else's terminal. */
        argv[n++] = "--pinentry-mode";
        argv[n++] = g->passphrase_file ? "loopback" : "error";
        if (g->passphrase_file) {
                argv[n++] = "--passphrase-file";
                argv[n++] = g->passphrase_file;
        }
        argv[n++] = "--faked-system-time";
        argv[n++] = when;
        argv[n++] = "--digest-algo";
        argv[n++] = "SHA256";
        argv[n++] = "--no-emit-version";
        argv[n++] = "--local-user";
        argv[n++] = key;
        argv[n++] = "--output";
        argv[n++] = out;
        argv[n++] = "--detach-sign";
        argv[n++] = "--";
        argv[n++] = in;
        r = process_run(&(Process){ .argv = argv, .timeout_sec = SIGN_SECONDS }, &status, &output, e);
        if (r < 0)
                return r;
        if (status != 0) {
                const char *reason = gpg_reason(output);

                r = error_set(e, EIO, EXIT_FAILED, "gpg did not sign with key %s: %s", s->fingerprint, reason ? reason : "it says nothing");
                return error_hint(e, r, g->passphrase_file ? "is the passphrase in %s right?"
                                                           : "if the key has a passphrase, unlock it in the agent first, or give --passphrase-file",
                                  g->passphrase_file);
        }
        return 0;
}

static int gpg_sign(Signer *s, const void *data, size_t size, int64_t time, void **ret, size_t *ret_size, Error *e) {
        GpgSigner *g = s->data;
        _cleanup_free_ char *in = path_join(g->work, "data"), *out = path_join(g->work, "data.sig");
        char *signature;
        int r;

        if (!in || !out)
                return error_oom(e);
        r = write_file_atomic(AT_FDCWD, in, data, size, 0600);
        if (r < 0)
                return error_errno(e, -r, "%s", in);
        r = gpg_run(s, in, out, time, e);
        if (r < 0)
                return r;
        r = read_file(AT_FDCWD, out, SIGNATURE_MAX, &signature, ret_size);
        if (r < 0)
                return error_errno(e, -r, "%s", out);
        *ret = signature;
        (void) unlink(out);
        return 0;
}

static const SignerType signer_gpg = { .name = "gpg", .sign = gpg_sign, .free = gpg_free };

static int refuse(const Signer *s, Error *e, ExitCode code, const char *why) {
        return error_set(e, EKEYREJECTED, code, "signing key %s: %s", s->fingerprint, why);
}

static int check_key(const Signer *s, gpgme_key_t key, Error *e) {
        const struct _gpgme_subkey *primary = key->subkeys;

        if (!primary || !primary->fpr || !streq(primary->fpr, s->fingerprint)) {
                int r = refuse(s, e, EXIT_UNTRUSTED, "it is a subkey, and EL8's rpm wants signatures of a primary key");
                return error_hint(e, r, "give the primary key's fingerprint: %s", primary && primary->fpr ? primary->fpr : "gpg --list-keys");
        }
        if (key->revoked || primary->revoked)
                return refuse(s, e, EXIT_UNTRUSTED, "it is revoked");
        if (key->expired || primary->expired)
                return refuse(s, e, EXIT_UNTRUSTED, "it has expired");
        if (key->disabled || key->invalid || primary->disabled || primary->invalid)
                return refuse(s, e, EXIT_UNTRUSTED, "it is disabled or not valid");
        if (primary->pubkey_algo != GPGME_PK_RSA)
                return refuse(s, e, EXIT_UNTRUSTED, "it is not an RSA key, and EL8's rpm takes no other");
        if (primary->length < RSA_BITS_MIN)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "signing key %s: %u bits are too few, %d are needed", s->fingerprint,
                                 primary->length, RSA_BITS_MIN);
        if (!primary->can_sign)
                return refuse(s, e, EXIT_UNTRUSTED, "its primary key cannot sign");
        if (!primary->secret)
                return refuse(s, e, EXIT_FAILED, "its secret part is not here");
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

static int load_key(gpgme_ctx_t ctx, Signer *s, const char *where, Error *e) {
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
        r = check_key(s, key, e);
        if (r >= 0) {
                s->created = key->subkeys->timestamp;
                s->user_id = strdup(key->uids && key->uids->uid ? key->uids->uid : "");
                r = s->user_id ? export_key(ctx, s, e) : error_oom(e);
        }
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
        r = fingerprint_normalize(fingerprint, &s->fingerprint, e);
        if (r < 0)
                return r;
        if (!homedir)
                homedir = getenv("GNUPGHOME");
        if ((homedir && *homedir && !(g->homedir = strdup(homedir))) || (passphrase_file && !(g->passphrase_file = strdup(passphrase_file))))
                return error_oom(e);
        if (passphrase_file && access(passphrase_file, R_OK) < 0)
                return error_errno(e, errno, "%s", passphrase_file);
        r = open_home(s, e);
        if (r < 0)
                return r;
        r = make_temp_dir(getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", "gn8v-sign", &g->work);
        if (r < 0)
                return error_errno(e, -r, "temporary directory");
        *ret = TAKE_PTR(s);
        return 0;
}
