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
#include "repo/openpgp-read.h"

#define KEY_MAX        (1024 * 1024)
#define KEYS_MAX       8
#define SIGNATURES_MAX 16

/* One key, and what of it may sign. */
typedef struct Key {
        char *fingerprint;
        unsigned char (*parts)[OPENPGP_FINGERPRINT_SIZE]; /* the primary key first */
        size_t n_parts;
        void *packets; /* the key, minimal: what gpg found good of it */
        size_t size;
} Key;

static void key_clear(Key *k) {
        free(k->fingerprint);
        free(k->parts);
        free(k->packets);
}

struct Keyring {
        GpgHome *home; /* a private GnuPG home with these keys alone; NULL: of our own signers */
        gpgme_ctx_t ctx;
        Key *keys;
        size_t n_keys;
        char **fingerprints;
        char *names; /* for messages */
        rpmKeyring keyring; /* rpm's, of these keys alone */
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
        for (size_t i = 0; i < k->n_keys; i++)
                key_clear(&k->keys[i]);
        free(k->keys);
        strv_free(k->fingerprints);
        free(k->names);
        free(k);
        return NULL;
}

char *const *keyring_fingerprints(const Keyring *k) {
        return k->fingerprints;
}

const char *keyring_fingerprint(const Keyring *k) {
        return k->fingerprints[0];
}

char *keyring_armor(const Keyring *k, const char *fingerprint) {
        for (size_t i = 0; i < k->n_keys; i++)
                if (streq(k->keys[i].fingerprint, fingerprint))
                        return openpgp_armor("PUBLIC KEY BLOCK", k->keys[i].packets, k->keys[i].size);
        return NULL;
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

/* Blocks behind each other go to gpg as one. */
static int import_keys(Keyring *k, const void *key, size_t size, const char *name, Error *e) {
        _cleanup_free_ unsigned char *packets = NULL;
        gpgme_import_result_t result;
        gpgme_data_t data;
        gpgme_error_t err;

        if (openpgp_read_blocks(key, size, &packets, &size) < 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: no OpenPGP public key in it", name);
        if (gpgme_data_new_from_mem(&data, (const char *) packets, size, 0) != 0)
                return error_oom(e);
        err = gpgme_op_import(k->ctx, data);
        gpgme_data_release(data);
        result = gpgme_op_import_result(k->ctx);
        if (err && gpgme_err_code(err) != GPG_ERR_NO_DATA)
                return error_set(e, EIO, EXIT_FAILED, "%s: gpg does not import it: %s", name, gpgme_strerror(err));
        if (err || !result || result->imported == 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: no OpenPGP public key in it", name);
        if (result->considered != result->imported || result->imported > KEYS_MAX || result->secret_read > 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: it must hold public keys and nothing else, each once, at most %d", name, KEYS_MAX);
        return 0;
}

static int check_key(gpgme_key_t key, const char *name, Error *e) {
        const char *why = key->revoked || key->invalid ? "is revoked or not valid" : key->expired ? "has expired" : NULL;

        return why ? error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: key %s %s", name, key->subkeys->fpr, why) : 0;
}

static int add_key(Keyring *k, Key *key, Error *e) {
        _cleanup_free_ char *names = k->names;
        Key *grown = reallocarray(k->keys, k->n_keys + 1, sizeof(*grown));

        if (!grown)
                return error_oom(e);
        k->keys = grown;
        k->keys[k->n_keys++] = *key;
        *key = (Key){};
        k->names = names ? format("%s or %s", names, k->keys[k->n_keys - 1].fingerprint) : strdup(k->keys[k->n_keys - 1].fingerprint);
        return k->names && strv_append(&k->fingerprints, k->keys[k->n_keys - 1].fingerprint) >= 0 ? 0 : error_oom(e);
}

static int add_part(Key *key, const OpenpgpPacket *packet, const char *name, Error *e) {
        unsigned char (*grown)[OPENPGP_FINGERPRINT_SIZE] = reallocarray(key->parts, key->n_parts + 1, sizeof(*grown));
        OpenpgpPublicKey k;

        if (!grown)
                return error_oom(e);
        key->parts = grown;
        if (openpgp_read_public_key(packet->body, packet->size, &k) < 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: a malformed public key", name);
        /* One of another version signs nothing that is taken. */
        if (k.version == 4)
                memcpy(key->parts[key->n_parts++], k.fingerprint, OPENPGP_FINGERPRINT_SIZE);
        return 0;
}

/* A key as packets, minimal: what of it may sign, by fingerprint. */
static int take_parts(Keyring *k, const void *packets, size_t size, const char *name, Error *e) {
        const unsigned char *p = packets;
        OpenpgpPacket packet;
        Key key = { .packets = malloc(size), .size = size };
        int r;

        if (!key.packets)
                return error_oom(e);
        memcpy(key.packets, packets, size);
        while ((r = openpgp_next_packet(&p, &size, &packet)) > 0)
                if ((packet.tag == OPENPGP_TAG_PUBLIC_KEY || packet.tag == OPENPGP_TAG_PUBLIC_SUBKEY) && (r = add_part(&key, &packet, name, e)) < 0)
                        break;
        if (r == 0 && key.n_parts > 0 && (key.fingerprint = openpgp_fingerprint_hex(key.parts[0])))
                r = add_key(k, &key, e);
        else if (r >= 0 || r == -EBADMSG)
                r = error_set(e, EBADMSG, EXIT_INVALID, "%s: not a public key of version 4", name);
        key_clear(&key);
        return r;
}

/* The key and its subkeys, one of which may have signed. */
static int add_to_rpm(Keyring *k, const void *packets, size_t size, const char *name, Error *e) {
        rpmPubkey key = rpmPubkeyNew(packets, size), *subkeys;
        int n = 0;

        if (!key)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: rpm does not take key %s", name, k->fingerprints[k->n_keys - 1]);
        (void) rpmKeyringAddKey(k->keyring, key);
        subkeys = rpmGetSubkeys(key, &n);
        for (int i = 0; i < n; i++) {
                (void) rpmKeyringAddKey(k->keyring, subkeys[i]);
                rpmPubkeyFree(subkeys[i]);
        }
        free(subkeys);
        rpmPubkeyFree(key);
        return 0;
}

static int take_packets(Keyring *k, const void *packets, size_t size, const char *name, Error *e) {
        int r = take_parts(k, packets, size, name, e);
        return r < 0 ? r : add_to_rpm(k, packets, size, name, e);
}

/* A key that gpg has, as packets that it found good. */
static int export_key(Keyring *k, const char *fingerprint, const char *name, Error *e) {
        gpgme_data_t data;
        size_t size;
        char *bytes;
        int r;

        if (gpgme_data_new(&data) != 0)
                return error_oom(e);
        if (gpgme_op_export(k->ctx, fingerprint, GPGME_EXPORT_MODE_MINIMAL, data) != 0) {
                gpgme_data_release(data);
                return error_set(e, EIO, EXIT_FAILED, "%s: gpg does not export the key it imported", name);
        }
        bytes = gpgme_data_release_and_get_mem(data, &size);
        r = bytes ? take_packets(k, bytes, size, name, e) : error_oom(e);
        gpgme_free(bytes);
        return r;
}

static int take_keys(Keyring *k, const char *name, Error *e) {
        gpgme_key_t keys[KEYS_MAX] = {};
        size_t n = 0;
        int r = 0;

        if (gpgme_op_keylist_start(k->ctx, NULL, 0) == 0) {
                while (n < KEYS_MAX && gpgme_op_keylist_next(k->ctx, &keys[n]) == 0)
                        n++;
                (void) gpgme_op_keylist_end(k->ctx);
        }
        for (size_t i = 0; r >= 0 && i < n; i++)
                if ((r = check_key(keys[i], name, e)) >= 0)
                        r = export_key(k, keys[i]->subkeys->fpr, name, e);
        for (size_t i = 0; i < n; i++)
                gpgme_key_unref(keys[i]);
        if (r < 0)
                return r;
        return n > 0 ? 0 : error_set(e, EIO, EXIT_FAILED, "%s: gpg does not list the key it imported", name);
}

static int keyring_begin(Keyring **ret, Error *e) {
        Keyring *k;
        int r = rpm_library_setup(e);

        if (r < 0)
                return r;
        k = calloc(1, sizeof(*k));
        if (!k)
                return error_oom(e);
        k->keyring = rpmKeyringNew();
        *ret = k;
        return 0;
}

int keyring_new(const void *key, size_t size, const char *name, Keyring **ret, Error *e) {
        _cleanup_(keyring_freep) Keyring *k = NULL;
        int r;

        if (size == 0 || size > KEY_MAX)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: %zu bytes are not a key", name, size);
        if ((r = keyring_begin(&k, e)) < 0 || (r = open_context(k, e)) < 0 || (r = import_keys(k, key, size, name, e)) < 0 || (r = take_keys(k, name, e)) < 0)
                return r;
        *ret = TAKE_PTR(k);
        return 0;
}

int keyring_new_own(const Signers *s, Keyring **ret, Error *e) {
        _cleanup_(keyring_freep) Keyring *k = NULL;
        int r;

        if ((r = keyring_begin(&k, e)) < 0)
                return r;
        (void) rpmInitCrypto();
        for (size_t i = 0; i < s->n; i++)
                if ((r = take_packets(k, s->v[i]->public_key, s->v[i]->public_key_size, "signing key", e)) < 0)
                        return r;
        *ret = TAKE_PTR(k);
        return 0;
}

/* Whose signature it says to be: by fingerprint if it has one; then the key ID alone is not enough. */
static const Key *find_key(const Keyring *k, const OpenpgpSignature *s) {
        for (size_t i = 0; i < k->n_keys; i++)
                for (size_t part = 0; part < k->keys[i].n_parts; part++)
                        if (openpgp_is_by(s, k->keys[i].parts[part]))
                                return &k->keys[i];
        return NULL;
}

/* The key that a signature names, for messages. */
static char *name_of(const OpenpgpSignature *s) {
        _cleanup_text_ Text t = {};

        if (s->has_fingerprint && s->fingerprint_version == 4)
                return openpgp_fingerprint_hex(s->fingerprint);
        if (!s->has_issuer)
                return strdup("of nobody");
        for (size_t i = 0; i < sizeof s->issuer; i++)
                text_printf(&t, "%02X", s->issuer[i]);
        return text_take(&t);
}

/* By rpm's own code: another one than that which signed. */
static bool is_good_by_rpm(Keyring *k, const void *data, size_t size, const OpenpgpPacket *p) {
        pgpDigParams parameters = NULL;
        DIGEST_CTX ctx = NULL;
        rpmRC rc = RPMRC_FAIL;

        if (pgpPrtParams(p->body - (p->whole - p->size), p->whole, PGPTAG_SIGNATURE, &parameters) == 0 &&
            (ctx = rpmDigestInit(PGPHASHALGO_SHA256, RPMDIGEST_NONE)) && rpmDigestUpdate(ctx, data, size) == 0)
                rc = rpmKeyringVerifySig(k->keyring, parameters, ctx);
        if (ctx)
                (void) rpmDigestFinal(ctx, NULL, NULL, 0);
        (void) pgpDigParamsFree(parameters);
        return rc == RPMRC_OK;
}

/* One question each, so that it is known which answer belongs to which signature. NULL: it is good. */
static const char *why_not_by_gpg(Keyring *k, const void *data, size_t size, const OpenpgpPacket *p) {
        gpgme_data_t text = NULL, sig = NULL;
        gpgme_verify_result_t result;
        gpgme_error_t err;
        gpgme_signature_t s;

        if (gpgme_data_new_from_mem(&text, data, size, 0) != 0)
                return "out of memory";
        if (gpgme_data_new_from_mem(&sig, (const char *) p->body - (p->whole - p->size), p->whole, 0) != 0) {
                gpgme_data_release(text);
                return "out of memory";
        }
        err = gpgme_op_verify(k->ctx, sig, text, NULL);
        gpgme_data_release(text);
        gpgme_data_release(sig);
        result = err ? NULL : gpgme_op_verify_result(k->ctx);
        s = result ? result->signatures : NULL;
        if (!s || s->next)
                return "it has no readable signature";
        switch (gpgme_err_code(s->status)) {
        case GPG_ERR_NO_ERROR: return s->hash_algo == GPGME_MD_SHA256 || s->hash_algo == GPGME_MD_SHA384 || s->hash_algo == GPGME_MD_SHA512 ? NULL : "its digest is too weak";
        case GPG_ERR_BAD_SIGNATURE: return "its content is not what was signed";
        case GPG_ERR_NO_PUBKEY: return "another key signed it";
        case GPG_ERR_SIG_EXPIRED: return "its signature has expired";
        case GPG_ERR_KEY_EXPIRED: return "the key has expired";
        case GPG_ERR_CERT_REVOKED: return "the key is revoked";
        default: return gpgme_strerror(s->status);
        }
}

static int not_signed(const Keyring *k, const char *name, const char *why, Error *e) {
        return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: not signed by key %s: %s", name, k->names, why);
}

/* A signature that names none of our keys, though rpm, which goes by the last 64 bits, would take it for one's. */
static const char *is_look_alike(const Keyring *k, const OpenpgpSignature *s) {
        for (size_t i = 0; s->has_issuer && i < k->n_keys; i++)
                for (size_t part = 0; part < k->keys[i].n_parts; part++)
                        if (memcmp(k->keys[i].parts[part] + OPENPGP_FINGERPRINT_SIZE - sizeof s->issuer, s->issuer, sizeof s->issuer) == 0)
                                return k->keys[i].fingerprint;
        return NULL;
}

/* One of a file's signatures: whose it is, and that it is good. One of a key that we do not have is not ours to judge. */
static int take_signature(Keyring *k, const void *data, size_t size, const OpenpgpPacket *p, const char *name, char ***good, char ***unknown, Error *e) {
        _cleanup_free_ char *other = NULL;
        const char *why;
        OpenpgpSignature s;
        const Key *key;

        if (p->tag != OPENPGP_TAG_SIGNATURE || openpgp_read_signature(p->body, p->size, &s) < 0)
                return not_signed(k, name, "it has no readable signature", e);
        key = find_key(k, &s);
        if (!key && is_look_alike(k, &s)) {
                if (!(other = name_of(&s)))
                        return error_oom(e);
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: its signature names key %s, of which only the last 16 digits are those of %s", name, other,
                                 is_look_alike(k, &s));
        }
        if (!key)
                return (other = name_of(&s)) && strv_append(unknown, other) >= 0 ? 0 : error_oom(e);
        if (s.issuers_differ)
                return not_signed(k, name, "its signature names two issuers", e);
        if (k->ctx)
                why = why_not_by_gpg(k, data, size, p);
        else
                why = is_good_by_rpm(k, data, size, p) ? NULL : "rpm does not find its signature good";
        if (why)
                return not_signed(k, name, why, e);
        return strv_append(good, key->fingerprint) >= 0 ? 0 : error_oom(e);
}

int keyring_verify(Keyring *k, const void *data, size_t size, const void *signature, size_t signature_size, const char *name, char ***ret_signers, char ***ret_unknown, Error *e) {
        _cleanup_strv_ char **good = NULL, **unknown = NULL;
        _cleanup_free_ unsigned char *packets = NULL;
        const unsigned char *p;
        OpenpgpPacket packet;
        size_t left, n = 0;
        int r;

        if (openpgp_read_blocks(signature, signature_size, &packets, &left) < 0)
                return not_signed(k, name, "it has no readable signature", e);
        p = packets;
        while ((r = openpgp_next_packet(&p, &left, &packet)) > 0) {
                if (++n > SIGNATURES_MAX)
                        return not_signed(k, name, "it has too many signatures", e);
                if ((r = take_signature(k, data, size, &packet, name, &good, &unknown, e)) < 0)
                        return r;
        }
        if (r < 0 || n == 0)
                return not_signed(k, name, "it has no readable signature", e);
        if (!good)
                return not_signed(k, name, "another key signed it", e);
        if (ret_signers)
                *ret_signers = TAKE_PTR(good);
        if (ret_unknown)
                *ret_unknown = TAKE_PTR(unknown);
        return 0;
}

/* Who signed a package, as its signature says. */
static int find_signer(Keyring *k, const RpmFile *f, const char **ret, Error *e) {
        const unsigned char *p = f->signature_packet;
        size_t left = f->signature_packet_size;
        OpenpgpPacket packet;
        OpenpgpSignature s;
        const Key *key;

        if (openpgp_next_packet(&p, &left, &packet) <= 0 || left > 0 || packet.tag != OPENPGP_TAG_SIGNATURE || openpgp_read_signature(packet.body, packet.size, &s) < 0)
                return not_signed(k, f->path, "its signature is malformed", e);
        key = find_key(k, &s);
        if (!key && is_look_alike(k, &s))
                return not_signed(k, f->path, "its signature names a key of which only the last 16 digits are the same", e);
        if (!key)
                return not_signed(k, f->path, "another key signed it", e);
        *ret = key->fingerprint;
        return 0;
}

int keyring_verify_package(Keyring *k, const RpmFile *f, const char **ret_signer, Error *e) {
        const char *why, *signer = NULL;
        FD_t fd;
        rpmRC rc;
        rpmts ts;
        int copy, r;

        if (!f->signature_packet)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: it is not signed", f->path);
        if ((r = find_signer(k, f, &signer, e)) < 0)
                return r;
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
        case RPMRC_OK:
                if (ret_signer)
                        *ret_signer = signer;
                return 0;
        case RPMRC_NOKEY: why = "another key signed it"; break;
        case RPMRC_NOTTRUSTED: why = "rpm does not trust the key"; break;
        default: why = "its header or signature is damaged"; break;
        }
        return not_signed(k, f->path, why, e);
}
