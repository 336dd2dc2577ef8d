/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/gpg-home.h"
#include "repo/keyring.h"

#include <ctype.h>
#include <fcntl.h>
#include <gpgme.h>
#include <rpm/rpmkeyring.h>
#include <rpm/rpmlib.h>
#include <rpm/rpmpgp.h>
#include <rpm/rpmts.h>

#include "basic/fs.h"
#include "basic/strings.h"

#define KEY_MAX (1024 * 1024)

struct Keyring {
        GpgHome *home; /* a private GnuPG home with this key alone */
        char *fingerprint;
        gpgme_ctx_t ctx;
        rpmKeyring keyring; /* rpm's, of this key alone */
};

int fingerprint_normalize(const char *s, char **ret, Error *e) {
        _cleanup_free_ char *out = malloc(41);
        const char *word = s;
        size_t n = 0;

        if (!out)
                return error_oom(e);
        if (startswith(s, "0x") || startswith(s, "0X"))
                s += 2;
        for (; *s; s++) {
                if (*s == ' ')
                        continue;
                if (!isxdigit((unsigned char) *s) || n == 40)
                        break;
                out[n++] = (char) toupper((unsigned char) *s);
        }
        if (*s || n != 40)
                return error_hint(e, error_set(e, EINVAL, EXIT_USAGE, "%s: not a key's full fingerprint (40 hex digits)", word),
                                  "'gpg --fingerprint' shows it");
        out[n] = '\0';
        *ret = TAKE_PTR(out);
        return 0;
}

Keyring *keyring_free(Keyring *k) {
        if (!k)
                return NULL;
        if (k->ctx)
                gpgme_release(k->ctx);
        if (k->keyring)
                rpmKeyringFree(k->keyring);
        (void) gpg_home_free(k->home);
        free(k->fingerprint);
        free(k);
        return NULL;
}

const char *keyring_fingerprint(const Keyring *k) {
        return k->fingerprint;
}

static int open_context(Keyring *k, Error *e) {
        int r;

        (void) gpgme_check_version(NULL);
        r = gpg_home_new(&k->home, e);
        if (r < 0)
                return r;
        if (gpgme_new(&k->ctx) != 0)
                return error_oom(e);
        if (gpgme_ctx_set_engine_info(k->ctx, GPGME_PROTOCOL_OpenPGP, NULL, k->home->path) != 0)
                return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "gpg is not installed"), "install gnupg2");
        (void) gpgme_set_offline(k->ctx, 1);
        return 0;
}

static int import_key(Keyring *k, const void *key, size_t size, const char *name, Error *e) {
        gpgme_import_result_t result;
        gpgme_data_t data;
        gpgme_error_t err;

        if (gpgme_data_new_from_mem(&data, key, size, 0) != 0)
                return error_oom(e);
        err = gpgme_op_import(k->ctx, data);
        gpgme_data_release(data);
        result = gpgme_op_import_result(k->ctx);
        if (err || !result || result->imported == 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: no OpenPGP public key in it", name);
        if (result->imported != 1 || result->secret_read > 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: it must hold one public key and nothing else", name);
        return 0;
}

static int check_key(Keyring *k, const char *name, Error *e) {
        gpgme_key_t key = NULL;
        int r = 0;

        if (gpgme_op_keylist_start(k->ctx, NULL, 0) != 0 || gpgme_op_keylist_next(k->ctx, &key) != 0)
                return error_set(e, EIO, EXIT_FAILED, "%s: gpg does not list the key it imported", name);
        (void) gpgme_op_keylist_end(k->ctx);
        k->fingerprint = strdup(key->subkeys->fpr);
        if (!k->fingerprint)
                r = error_oom(e);
        else if (key->revoked || key->invalid)
                r = error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: key %s is revoked or not valid", name, k->fingerprint);
        else if (key->expired)
                r = error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: key %s has expired", name, k->fingerprint);
        gpgme_key_unref(key);
        return r;
}

/* The key and its subkeys, one of which may have signed. */
static void add_to_rpm(Keyring *k, rpmPubkey key) {
        rpmPubkey *subkeys;
        int n = 0;

        k->keyring = rpmKeyringNew();
        (void) rpmKeyringAddKey(k->keyring, key);
        subkeys = rpmGetSubkeys(key, &n);
        for (int i = 0; i < n; i++) {
                (void) rpmKeyringAddKey(k->keyring, subkeys[i]);
                rpmPubkeyFree(subkeys[i]);
        }
        free(subkeys);
        rpmPubkeyFree(key);
}

/* The key as packets, minimal, for rpm's keyring. */
static int export_to_rpm(Keyring *k, const char *name, Error *e) {
        _cleanup_free_ char *packets = NULL;
        gpgme_data_t data;
        rpmPubkey pubkey;
        size_t size;
        char *bytes;

        if (gpgme_data_new(&data) != 0)
                return error_oom(e);
        if (gpgme_op_export(k->ctx, k->fingerprint, GPGME_EXPORT_MODE_MINIMAL, data) != 0) {
                gpgme_data_release(data);
                return error_set(e, EIO, EXIT_FAILED, "%s: gpg does not export the key it imported", name);
        }
        bytes = gpgme_data_release_and_get_mem(data, &size);
        pubkey = bytes ? rpmPubkeyNew((const uint8_t *) bytes, size) : NULL;
        gpgme_free(bytes);
        if (!pubkey)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: rpm does not take key %s", name, k->fingerprint);
        add_to_rpm(k, pubkey);
        return 0;
}

int keyring_new(const void *key, size_t size, const char *name, Keyring **ret, Error *e) {
        _cleanup_(keyring_freep) Keyring *k = NULL;
        int r;

        if (size == 0 || size > KEY_MAX)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: %zu bytes are not a key", name, size);
        r = rpm_library_setup(e);
        if (r < 0)
                return r;
        k = calloc(1, sizeof(*k));
        if (!k)
                return error_oom(e);
        if ((r = open_context(k, e)) < 0 || (r = import_key(k, key, size, name, e)) < 0 || (r = check_key(k, name, e)) < 0 ||
            (r = export_to_rpm(k, name, e)) < 0)
                return r;
        *ret = TAKE_PTR(k);
        return 0;
}

int keyring_new_own(const void *key, size_t size, const char *fingerprint, Keyring **ret, Error *e) {
        _cleanup_(keyring_freep) Keyring *k = NULL;
        rpmPubkey pubkey;
        int r;

        if ((r = rpm_library_setup(e)) < 0)
                return r;
        k = calloc(1, sizeof(*k));
        if (!k || !(k->fingerprint = strdup(fingerprint)))
                return error_oom(e);
        (void) rpmInitCrypto();
        pubkey = rpmPubkeyNew(key, size);
        if (!pubkey)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "signing key: rpm does not take key %s", fingerprint);
        add_to_rpm(k, pubkey);
        *ret = TAKE_PTR(k);
        return 0;
}

/* By rpm's own code: another one than that which signed. */
static int verify_by_rpm(Keyring *k, const void *data, size_t size, const void *signature, size_t signature_size, const char *name, Error *e) {
        pgpDigParams parameters = NULL;
        DIGEST_CTX ctx = NULL;
        rpmRC rc = RPMRC_FAIL;

        if (pgpPrtParams(signature, signature_size, PGPTAG_SIGNATURE, &parameters) == 0 &&
            (ctx = rpmDigestInit(PGPHASHALGO_SHA256, RPMDIGEST_NONE)) && rpmDigestUpdate(ctx, data, size) == 0)
                rc = rpmKeyringVerifySig(k->keyring, parameters, ctx);
        if (ctx)
                (void) rpmDigestFinal(ctx, NULL, NULL, 0);
        (void) pgpDigParamsFree(parameters);
        return rc == RPMRC_OK ? 0 : error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: not signed by key %s: rpm does not find its signature good", name, k->fingerprint);
}

static int check_result(Keyring *k, gpgme_error_t err, const char *name, Error *e) {
        gpgme_verify_result_t result = gpgme_op_verify_result(k->ctx);
        gpgme_signature_t s = result ? result->signatures : NULL;
        const char *why;

        if (err || !s)
                why = "it has no readable signature";
        else if (s->next)
                why = "it has more than one signature";
        else
                switch (gpgme_err_code(s->status)) {
                case GPG_ERR_NO_ERROR: why = s->hash_algo == GPGME_MD_SHA256 || s->hash_algo == GPGME_MD_SHA384 ||
                                             s->hash_algo == GPGME_MD_SHA512 ? NULL : "its digest is too weak"; break;
                case GPG_ERR_BAD_SIGNATURE: why = "its content is not what was signed"; break;
                case GPG_ERR_NO_PUBKEY: why = "another key signed it"; break;
                case GPG_ERR_SIG_EXPIRED: why = "its signature has expired"; break;
                case GPG_ERR_KEY_EXPIRED: why = "the key has expired"; break;
                case GPG_ERR_CERT_REVOKED: why = "the key is revoked"; break;
                default: why = gpgme_strerror(s->status); break;
                }
        if (why)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: not signed by key %s: %s", name, k->fingerprint, why);
        return 0;
}

int keyring_verify(Keyring *k, const void *data, size_t size, const void *signature, size_t signature_size, const char *name, Error *e) {
        gpgme_data_t text = NULL, sig = NULL;
        gpgme_error_t err;

        if (!k->ctx)
                return verify_by_rpm(k, data, size, signature, signature_size, name, e);
        if (gpgme_data_new_from_mem(&text, data, size, 0) != 0 || gpgme_data_new_from_mem(&sig, signature, signature_size, 0) != 0) {
                if (text)
                        gpgme_data_release(text);
                return error_oom(e);
        }
        err = gpgme_op_verify(k->ctx, sig, text, NULL);
        gpgme_data_release(text);
        gpgme_data_release(sig);
        return check_result(k, err, name, e);
}

int keyring_verify_package(Keyring *k, const RpmFile *f, Error *e) {
        const char *why;
        FD_t fd;
        rpmRC rc;
        rpmts ts;
        int copy;

        if (!f->signature_packet)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: it is not signed", f->path);
        copy = fcntl(f->fd, F_DUPFD_CLOEXEC, 3);
        if (copy < 0 || lseek(copy, 0, SEEK_SET) < 0) {
                safe_close(copy);
                return error_errno(e, errno, "%s", f->path);
        }
        fd = fdDup(copy);
        safe_close(copy);
        /* One each time: a set is for one thread, the keyring for all. */
        ts = rpmtsCreate();
        (void) rpmtsSetKeyring(ts, k->keyring);
        (void) rpmtsSetVSFlags(ts, RPMVSF_NEEDPAYLOAD);
        rc = rpmReadPackageFile(ts, fd, f->path, NULL);
        (void) Fclose(fd);
        (void) rpmtsFree(ts);
        switch (rc) {
        case RPMRC_OK: return 0;
        case RPMRC_NOKEY: why = "another key signed it"; break;
        case RPMRC_NOTTRUSTED: why = "rpm does not trust the key"; break;
        default: why = "its header or signature is damaged"; break;
        }
        return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: not signed by key %s: %s", f->path, k->fingerprint, why);
}
