/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/gpg-home.h"
#include "repo/openpgp-key.h"

#include <fcntl.h>
#include <gpgme.h>
#include <locale.h>

#include "basic/fs.h"
#include "basic/strings.h"

#define KEY_FILE_MAX (1024 * 1024)

OpenpgpKey *openpgp_key_free(OpenpgpKey *k) {
        if (!k)
                return NULL;
        free(k->fingerprint);
        free(k->user_id);
        free(k->packets);
        free(k);
        return NULL;
}

static void releasep(gpgme_ctx_t *c) {
        if (*c)
                gpgme_release(*c);
}

static void data_releasep(gpgme_data_t *d) {
        if (*d)
                gpgme_data_release(*d);
}

static void key_unrefp(gpgme_key_t *k) {
        if (*k)
                gpgme_key_unref(*k);
}

static int gpg_error_set(Error *e, const char *path, const char *what, gpgme_error_t err) {
        return error_set(e, EIO, EXIT_FAILED, "%s: %s: %s", path, what, gpgme_strerror(err));
}

static int context_new(const char *path, const char *home, gpgme_ctx_t *ret, Error *e) {
        _cleanup_(releasep) gpgme_ctx_t ctx = NULL;
        gpgme_error_t err;

        (void) gpgme_check_version(NULL);
        err = gpgme_new(&ctx);
        if (!err)
                err = gpgme_set_protocol(ctx, GPGME_PROTOCOL_OpenPGP);
        if (!err)
                err = gpgme_ctx_set_engine_info(ctx, GPGME_PROTOCOL_OpenPGP, NULL, home);
        if (err) {
                int r = gpg_error_set(e, path, "cannot start gpg to read this key", err);

                return error_hint(e, r, "Install gnupg2");
        }
        *ret = ctx;
        ctx = NULL;
        return 0;
}

static int import(gpgme_ctx_t ctx, const char *path, const char *bytes, size_t size, Error *e) {
        _cleanup_(data_releasep) gpgme_data_t data = NULL;
        gpgme_import_result_t result;
        gpgme_error_t err;

        err = gpgme_data_new_from_mem(&data, bytes, size, 0);
        if (!err)
                err = gpgme_op_import(ctx, data);
        result = err ? NULL : gpgme_op_import_result(ctx);
        /* gpg itself did not get as far as to look at it. */
        if (err && gpgme_err_code(err) != GPG_ERR_NO_DATA && gpgme_err_code(err) != GPG_ERR_BAD_DATA && gpgme_err_code(err) != GPG_ERR_INV_PACKET)
                return gpg_error_set(e, path, "gpg cannot read this key", err);
        if (!result || result->considered == 0 || !result->imports || result->secret_read > 0)
                return error_set(e, EBADMSG, EXIT_UNTRUSTED, "%s: %s", path,
                                 result && result->secret_read > 0 ? "holds a secret key, where a public key is wanted"
                                                                   : "not an OpenPGP public key");
        return 0;
}

/* Exactly one key may be in the file: with two, "which one signed" would be a question. */
static int only_key(gpgme_ctx_t ctx, const char *path, gpgme_key_t *ret, Error *e) {
        _cleanup_(key_unrefp) gpgme_key_t key = NULL, second = NULL;
        gpgme_error_t err;

        err = gpgme_op_keylist_start(ctx, NULL, 0);
        if (!err)
                err = gpgme_op_keylist_next(ctx, &key);
        if (err)
                return error_set(e, EBADMSG, EXIT_UNTRUSTED, "%s: not a usable OpenPGP public key", path);
        if (!gpgme_op_keylist_next(ctx, &second))
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: holds more than one key", path);
        (void) gpgme_op_keylist_end(ctx);
        *ret = key;
        key = NULL;
        return 0;
}

static int judge(gpgme_key_t key, const char *path, const char *fingerprint, Error *e) {
        const char *found = key->subkeys ? key->subkeys->fpr : NULL;

        if (!found || strcasecmp(found, fingerprint) != 0) {
                int r = error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: is the key %s, pinned is %s", path, found ? found : "(unknown)",
                                  fingerprint);

                return error_hint(e, r, "Do not trust it; ask the vendor which key is right before the release file is changed");
        }
        if (key->revoked)
                return error_set(e, EKEYREVOKED, EXIT_UNTRUSTED, "%s: the key %s is revoked", path, found);
        if (key->expired || key->subkeys->expired) {
                int r = error_set(e, EKEYEXPIRED, EXIT_UNTRUSTED, "%s: the key %s has expired", path, found);

                return error_hint(e, r, "A renewed key has the same fingerprint: take it anew with 'gn8v-tee-repo lock --refresh'");
        }
        if (key->invalid || key->disabled)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: the key %s is not valid", path, found);
        return 0;
}

static int export_packets(gpgme_ctx_t ctx, const char *path, OpenpgpKey *k, Error *e) {
        _cleanup_(data_releasep) gpgme_data_t data = NULL;
        gpgme_error_t err;
        char *bytes;
        size_t size = 0;

        err = gpgme_data_new(&data);
        if (!err)
                err = gpgme_op_export(ctx, k->fingerprint, GPGME_EXPORT_MODE_MINIMAL, data);
        if (err)
                return gpg_error_set(e, path, "cannot export the key", err);
        bytes = gpgme_data_release_and_get_mem(data, &size);
        data = NULL;
        if (bytes && size > 0)
                k->packets = malloc(size);
        if (k->packets) {
                memcpy(k->packets, bytes, size);
                k->size = size;
        }
        gpgme_free(bytes);
        return k->packets ? 0 : error_set(e, EIO, EXIT_FAILED, "%s: gpg exported nothing", path);
}

int openpgp_key_load(const char *path, const char *fingerprint, OpenpgpKey **ret, Error *e) {
        _cleanup_(openpgp_key_freep) OpenpgpKey *k = NULL;
        _cleanup_(gpg_home_freep) GpgHome *home = NULL;
        _cleanup_(releasep) gpgme_ctx_t ctx = NULL;
        _cleanup_(key_unrefp) gpgme_key_t key = NULL;
        _cleanup_free_ char *bytes = NULL;
        size_t size;
        int r;

        r = read_file(AT_FDCWD, path, KEY_FILE_MAX, &bytes, &size);
        if (r == -EFBIG)
                return error_set(e, EFBIG, EXIT_INVALID, "%s: larger than any OpenPGP key", path);
        if (r < 0)
                return error_errno(e, -r, "%s", path);
        r = gpg_home_new(&home, e);
        if (r < 0)
                return r;
        r = context_new(path, home->path, &ctx, e);
        if (r >= 0)
                r = import(ctx, path, bytes, size, e);
        if (r >= 0)
                r = only_key(ctx, path, &key, e);
        if (r >= 0)
                r = judge(key, path, fingerprint, e);
        if (r < 0)
                return r;
        k = calloc(1, sizeof(OpenpgpKey));
        if (k)
                k->fingerprint = strdup(key->subkeys->fpr);
        if (!k || !k->fingerprint)
                return error_oom(e);
        if (key->uids && key->uids->uid)
                k->user_id = strdup(key->uids->uid);
        r = export_packets(ctx, path, k, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(k);
        return 0;
}
