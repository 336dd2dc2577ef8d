/* SPDX-License-Identifier: Apache-2.0 */
/* mirror: the keys that are pinned, where they come from, and which of them signed a package. */
#include "repo/mirror-keys.h"

#include <fcntl.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/openpgp-read.h"

#define ARMOR_BEGIN "-----BEGIN PGP PUBLIC KEY BLOCK-----"

void mirror_keys_clear(MirrorKeys *k) {
        for (size_t i = 0; i < k->n; i++)
                keyring_free(k->v[i]);
        free(k->v);
        *k = (MirrorKeys){};
}

bool mirror_keys_have(const MirrorKeys *k, const char *fingerprint) {
        for (size_t i = 0; i < k->n; i++)
                if (strv_contains(keyring_fingerprints(k->v[i]), fingerprint))
                        return true;
        return false;
}

char *mirror_keys_armor(const MirrorKeys *k, const char *fingerprint) {
        char *armored = NULL;

        for (size_t i = 0; i < k->n && !armored; i++)
                armored = keyring_armor(k->v[i], fingerprint);
        return armored;
}

/* strict: every key has to be pinned; else those that are not are left out. */
static int add_key(MirrorKeys *k, const char *data, size_t size, const char *name, char *const *fingerprints, bool strict, Error *e) {
        _cleanup_(keyring_freep) Keyring *keyring = NULL;
        _cleanup_error_ Error ignored = ERROR_INIT;
        Keyring **grown;
        int r = keyring_new(data, size, name, &keyring, strict ? e : &ignored);

        if (r < 0)
                return strict ? r : 0;
        STRV_FOREACH(s, keyring_fingerprints(keyring))
                if (fingerprints && !strv_contains(fingerprints, *s))
                        return strict ? error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: it has key %s, which is none of those that --key names", name, *s) : 0;
        if (mirror_keys_have(k, keyring_fingerprint(keyring)))
                return 0;
        grown = reallocarray(k->v, k->n + 1, sizeof(*grown));
        if (!grown)
                return error_oom(e);
        k->v = grown;
        k->v[k->n++] = TAKE_PTR(keyring);
        return 0;
}

/* Distributions put several keys behind each other in one file. */
static int add_keys(MirrorKeys *k, const char *text, size_t size, const char *name, char *const *fingerprints, bool strict, Error *e) {
        const char *block = strstr(text, ARMOR_BEGIN);
        int r = 0;

        if (!block)
                return add_key(k, text, size, name, fingerprints, strict, e);
        while (r >= 0 && block) {
                const char *next = strstr(block + 1, ARMOR_BEGIN);

                r = add_key(k, block, next ? (size_t) (next - block) : strlen(block), name, fingerprints, strict, e);
                block = next;
        }
        return r;
}

int mirror_keys_load(MirrorKeys *k, char *const *files, char *const *fingerprints, Error *e) {
        STRV_FOREACH(s, files) {
                _cleanup_free_ char *text = NULL;
                size_t size;
                int r = read_file(AT_FDCWD, *s, MIRROR_KEY_FILE_MAX, &text, &size);

                if (r < 0)
                        return error_errno(e, -r, "%s", *s);
                if ((r = add_keys(k, text, size, *s, fingerprints, true, e)) < 0)
                        return r;
        }
        return 0;
}

int mirror_keys_load_text(MirrorKeys *k, const char *text, size_t size, const char *name, Error *e) {
        return add_keys(k, text, size, name, NULL, true, e);
}

bool mirror_keys_have_all(const MirrorKeys *k, char *const *fingerprints) {
        STRV_FOREACH(s, fingerprints)
                if (!mirror_keys_have(k, *s))
                        return false;
        return true;
}

int mirror_keys_offer(MirrorKeys *k, const char *text, const char *name, char *const *fingerprints, Error *e) {
        return fingerprints ? add_keys(k, text, strlen(text), name, fingerprints, false, e) : 0;
}

int mirror_keys_missing(const MirrorKeys *k, const char *url, char *const *fingerprints, Error *e) {
        if (!fingerprints)
                return 0;
        STRV_FOREACH(f, fingerprints)
                if (mirror_keys_have(k, *f))
                        return 0;
        return error_hint(e, error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: key %s is not beside it, nor in a --key-file", url, fingerprints[0]),
                          "get the key from whoever makes the repository, and name its file: --key-file");
}

/* Who a package's signature says made it, owned by the caller: a fingerprint or, of older ones, the last 16 digits of one. NULL: it does not say. */
static char *signer_of(const RpmFile *f) {
        const unsigned char *p = f->signature_packet;
        size_t left = f->signature_packet_size;
        OpenpgpPacket packet;
        OpenpgpSignature s;

        if (!p || openpgp_next_packet(&p, &left, &packet) != 1 || packet.tag != OPENPGP_TAG_SIGNATURE || openpgp_read_signature(packet.body, packet.size, &s) < 0)
                return NULL;
        if (s.has_fingerprint)
                return openpgp_fingerprint_hex(s.fingerprint);
        if (!s.has_issuer)
                return NULL;
        return format("%02X%02X%02X%02X%02X%02X%02X%02X", s.issuer[0], s.issuer[1], s.issuer[2], s.issuer[3], s.issuer[4], s.issuer[5], s.issuer[6], s.issuer[7]);
}

static bool is_one_of(const MirrorKeys *k, const char *signer) {
        for (size_t i = 0; i < k->n; i++)
                STRV_FOREACH(s, keyring_fingerprints(k->v[i]))
                        if (endswith(*s, signer))
                                return true;
        return false;
}

/* Signed, but by somebody who is not trusted: names both, so that one of them can be chosen. */
static int tell_other_signer(const MirrorKeys *k, const RpmFile *f, const char *signer, Error *e) {
        _cleanup_text_ Text t = {};
        _cleanup_free_ char *trusted = NULL;

        for (size_t i = 0; i < k->n; i++)
                STRV_FOREACH(s, keyring_fingerprints(k->v[i]))
                        text_printf(&t, "%s%s", t.size > 0 ? " or " : "", *s);
        if (!(trusted = text_take(&t)))
                return error_oom(e);
        return error_hint(e, error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: signed by key %s, not by %s", f->path, signer, trusted),
                          "if it is right that this key signs its packages, name it, too: --key and, where it is not beside the repository, --key-file");
}

int mirror_keys_verify_package(const MirrorKeys *k, const RpmFile *f, const char **ret_fingerprint, Error *e) {
        int r = error_set(NULL, EKEYREJECTED, EXIT_UNTRUSTED, "no key");

        for (size_t i = 0; i < k->n; i++) {
                _cleanup_error_ Error why = ERROR_INIT;
                _cleanup_free_ char *signer = NULL;

                r = keyring_verify_package(k->v[i], f, ret_fingerprint, &why);
                if (r >= 0)
                        return 0;
                if (i + 1 < k->n)
                        continue;
                signer = signer_of(f);
                return signer && !is_one_of(k, signer) ? tell_other_signer(k, f, signer, e) : error_set(e, -r, why.code, "%s", why.message);
        }
        return r;
}
