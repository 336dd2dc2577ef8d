/* SPDX-License-Identifier: Apache-2.0 */
/* The signer over PKCS#11 (OASIS PKCS #11 2.40). The module is talked to directly, by p11-kit: a provider for OpenSSL 3 is in neither EL8 nor Debian 12,
 * and the engine of EL8 is linked to OpenSSL 1.1, which must not be loaded beside 3. All a token has to do is one RSA operation over 32 bytes. */
#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>
#include <pthread.h>

#include "basic/strings.h"
#include "repo/signer.h"

#define MODULUS_MAX  ((CK_ULONG) 16384 / 8)
#define SLOTS_MAX    1024
#define LABEL_SIZE   32
#define KEYS_TOLD    16

typedef struct Token {
        CK_FUNCTION_LIST **modules;
        CK_FUNCTION_LIST *module; /* of those, the token's */
        CK_SLOT_ID slot;
        CK_TOKEN_INFO info;
        char *label;
        Text others; /* the URIs of tokens that fit, a line each */
        CK_SESSION_HANDLE session;
        bool has_session, asks_each_time;
        CK_OBJECT_HANDLE key;
        char *pin;
        CK_ULONG size; /* of a signature */
        pthread_mutex_t lock; /* one session, one operation at a time */
} Token;

static void pkcs11_free(Signer *s) {
        Token *t = s->data;

        if (!t)
                return;
        if (t->has_session)
                (void) t->module->C_CloseSession(t->session);
        if (t->modules)
                p11_kit_modules_finalize_and_release(t->modules);
        (void) pthread_mutex_destroy(&t->lock);
        secret_free(t->pin);
        free(t->label);
        text_free(&t->others);
        free(t);
}

static int failed(const Token *t, const char *what, CK_RV rv, Error *e) {
        return error_set(e, EIO, EXIT_FAILED, "token %s: %s: %s", t->label, what, p11_kit_strerror(rv));
}

static CK_RV log_in(Token *t, CK_USER_TYPE user) {
        bool pad = t->info.flags & CKF_PROTECTED_AUTHENTICATION_PATH; /* the PIN is typed into the device itself */

        return t->module->C_Login(t->session, user, pad ? NULL : (CK_UTF8CHAR *) t->pin, pad || !t->pin ? 0 : strlen(t->pin));
}

static int pkcs11_sign(void *data, const unsigned char digest[static 32], unsigned char **ret, size_t *ret_size, Error *e) {
        /* What PKCS #1 1.5 puts in front of a SHA-256 (RFC 8017, 9.2): the token adds only the padding. */
        static const unsigned char prefix[19] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };
        const Signer *s = data;
        Token *t = s->data;
        _cleanup_free_ unsigned char *signature = malloc(t->size);
        CK_MECHANISM mechanism = { .mechanism = CKM_RSA_PKCS };
        unsigned char info[sizeof prefix + 32];
        CK_ULONG size = t->size;
        CK_RV rv;

        if (!signature)
                return error_oom(e);
        memcpy(info, prefix, sizeof prefix);
        memcpy(info + sizeof prefix, digest, 32);
        (void) pthread_mutex_lock(&t->lock);
        rv = t->module->C_SignInit(t->session, &mechanism, t->key);
        if (rv == CKR_OK && t->asks_each_time)
                rv = log_in(t, CKU_CONTEXT_SPECIFIC);
        if (rv == CKR_OK)
                rv = t->module->C_Sign(t->session, info, sizeof info, signature, &size);
        (void) pthread_mutex_unlock(&t->lock);
        if (rv != CKR_OK)
                return error_hint(e, failed(t, "it did not sign", rv, e), "is it still there? the repository is as it was; publish again");
        *ret = TAKE_PTR(signature);
        *ret_size = size;
        return 0;
}

static const SignerType signer_pkcs11 = { .name = "pkcs11", .sign = pkcs11_sign, .free = pkcs11_free };

static int bad_uri(const char *what, Error *e) {
        return error_hint(e, error_set(e, EINVAL, EXIT_USAGE, "the key's pkcs11: URI %s", what), "pkcs11:token=LABEL;object=LABEL (RFC 7512)");
}

/* The URI itself is not told: it may have a PIN. */
static int parse(const char *text, P11KitUri *uri, Error *e) {
        int r = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);

        if (r == P11_KIT_URI_NO_MEMORY)
                return error_oom(e);
        if (r != P11_KIT_URI_OK)
                return bad_uri(p11_kit_uri_message(r), e);
        if (p11_kit_uri_get_pin_value(uri))
                return error_hint(e, bad_uri("has a PIN in it, which everybody can read in the list of processes", e), "--passphrase-file, or pin-source=/FILE in the URI");
        return p11_kit_uri_any_unrecognized(uri) ? bad_uri("has an attribute that is not known", e) : 0;
}

static int load_modules(Token *t, P11KitUri *uri, Error *e) {
        const char *path = p11_kit_uri_get_module_path(uri);
        CK_RV rv;

        p11_kit_be_quiet();
        if (!path) {
                t->modules = p11_kit_modules_load_and_initialize(0);
                return t->modules ? 0 : error_set(e, EIO, EXIT_FAILED, "PKCS#11: p11-kit cannot load its modules: %s", p11_kit_message());
        }
        t->modules = calloc(2, sizeof(*t->modules));
        if (!t->modules)
                return error_oom(e);
        t->modules[0] = p11_kit_module_load(path, 0);
        rv = t->modules[0] ? p11_kit_module_initialize(t->modules[0]) : CKR_GENERAL_ERROR;
        if (rv == CKR_OK)
                return 0;
        if (t->modules[0])
                p11_kit_module_release(t->modules[0]);
        free(TAKE_PTR(t->modules));
        return error_set(e, EIO, EXIT_FAILED, "PKCS#11 module %s: it cannot be used%s%s", path, p11_kit_message() ? ": " : "", p11_kit_message() ? p11_kit_message() : "");
}

/* Labels are padded with blanks, and any bytes may be in them. */
static char *label_of(const CK_TOKEN_INFO *info) {
        size_t n = LABEL_SIZE;
        char *label;

        while (n > 0 && (info->label[n - 1] == ' ' || info->label[n - 1] == '\0'))
                n--;
        label = strndup((const char *) info->label, n);
        if (label)
                text_clean(label, LABEL_SIZE);
        return label;
}

/* A line with the URI that names exactly this token, or, with a label or an id, this object in it. */
static void add_uri(Text *t, const CK_TOKEN_INFO *info, CK_ATTRIBUTE *label, CK_ATTRIBUTE *id) {
        P11KitUri *uri = p11_kit_uri_new();
        char *text = NULL;

        if (uri) {
                CK_TOKEN_INFO *named = p11_kit_uri_get_token_info(uri);

                memcpy(named->label, info->label, sizeof(named->label));
                memcpy(named->serialNumber, info->serialNumber, sizeof(named->serialNumber));
                if (label && label->ulValueLen > 0)
                        (void) p11_kit_uri_set_attribute(uri, label);
                if (id && id->ulValueLen > 0)
                        (void) p11_kit_uri_set_attribute(uri, id);
                if (p11_kit_uri_format(uri, P11_KIT_URI_FOR_OBJECT_ON_TOKEN, &text) == P11_KIT_URI_OK)
                        text_printf(t, "\n  %s", text);
        }
        free(text);
        p11_kit_uri_free(uri);
}

static bool names_token(P11KitUri *uri) {
        const CK_TOKEN_INFO *info = p11_kit_uri_get_token_info(uri);

        return info->label[0] || info->serialNumber[0];
}

static bool names_key(P11KitUri *uri) {
        return p11_kit_uri_get_attribute(uri, CKA_ID) || p11_kit_uri_get_attribute(uri, CKA_LABEL);
}

static bool signs_rsa(CK_FUNCTION_LIST *module, CK_SLOT_ID slot) {
        CK_MECHANISM_INFO info;
        return module->C_GetMechanismInfo(slot, CKM_RSA_PKCS, &info) == CKR_OK && (info.flags & CKF_SIGN);
}

static int look_at_slots(Token *t, P11KitUri *uri, CK_FUNCTION_LIST *module, unsigned *n_found, Error *e) {
        CK_SLOT_ID slots[SLOTS_MAX], wanted = p11_kit_uri_get_slot_id(uri);
        CK_ULONG n = ELEMENTSOF(slots);
        CK_INFO about;

        if (module->C_GetInfo(&about) != CKR_OK || !p11_kit_uri_match_module_info(uri, &about) || module->C_GetSlotList(CK_TRUE, slots, &n) != CKR_OK)
                return 0;
        for (CK_ULONG i = 0; i < n; i++) {
                CK_TOKEN_INFO info;

                if ((wanted != (CK_SLOT_ID) -1 && wanted != slots[i]) || module->C_GetTokenInfo(slots[i], &info) != CKR_OK || !(info.flags & CKF_TOKEN_INITIALIZED) || !p11_kit_uri_match_token_info(uri, &info) ||
                    !signs_rsa(module, slots[i]))
                        continue;
                add_uri(&t->others, &info, NULL, NULL);
                if ((*n_found)++ > 0)
                        continue;
                t->module = module;
                t->slot = slots[i];
                t->info = info;
                if (!(t->label = label_of(&info)))
                        return error_oom(e);
        }
        return 0;
}

static int find_token(Token *t, P11KitUri *uri, Error *e) {
        unsigned n = 0;
        int r;

        for (size_t i = 0; t->modules[i]; i++)
                if ((r = look_at_slots(t, uri, t->modules[i], &n, e)) < 0)
                        return r;
        if (n == 1 && names_token(uri))
                return 0;
        if (n == 0)
                return error_hint(e, error_set(e, ENODEV, EXIT_FAILED, "PKCS#11: no token is there that fits the key's URI and signs with RSA"),
                                  "'p11-kit list-modules' shows the tokens there are; module-path=/MODULE.so in the URI names a module that p11-kit does not know");
        if (t->others.failed)
                return error_oom(e);
        /* One that happens to be alone today is not named: tomorrow another one is. */
        r = n > 1 ? error_set(e, ENOTUNIQ, EXIT_USAGE, "PKCS#11: %u tokens fit the key's URI:%s", n, t->others.data)
                  : error_set(e, ENOTUNIQ, EXIT_USAGE, "PKCS#11: the key's URI does not say which token; there is:%s", t->others.data);
        return error_hint(e, r, "add token=LABEL or serial=NUMBER to it");
}

/* The URI's own source of the PIN is a file; p11-kit's other ways are for programs with windows. */
static int read_pin(Token *t, Signer *s, P11KitUri *uri, const SecretSource *secret, Error *e) {
        const char *file = p11_kit_uri_get_pin_source(uri);
        _cleanup_free_ char *what = format("token %s", t->label);
        SecretSource source = *secret;
        char *warning = NULL;
        int r;

        if (!what)
                return error_oom(e);
        if (file && !source.file && !source.fd_given) {
                source.file = startswith(file, "file://") ? startswith(file, "file://") : startswith(file, "file:") ? startswith(file, "file:") : file;
                if (*source.file != '/')
                        return bad_uri("has a pin-source that is not an absolute path", e);
        }
        r = secret_read(&source, what, &t->pin, &warning, e);
        return r < 0 ? r : signer_warn(s, warning, e);
}

static int why_no_login(const Token *t, CK_RV rv, Error *e) {
        switch (rv) {
        case CKR_PIN_INCORRECT: case CKR_PIN_LEN_RANGE: case CKR_PIN_INVALID:
                return error_hint(e, error_set(e, EKEYREJECTED, EXIT_FAILED, "token %s: the PIN is not right", t->label), "do not just try again: after a few wrong ones a token locks itself");
        case CKR_PIN_LOCKED:
                return error_set(e, EKEYREJECTED, EXIT_FAILED, "token %s: its PIN is locked, after too many wrong ones", t->label);
        default:
                return failed(t, "no login", rv, e);
        }
}

static int open_token(Token *t, Signer *s, P11KitUri *uri, const SecretSource *secret, Error *e) {
        CK_RV rv = t->module->C_OpenSession(t->slot, CKF_SERIAL_SESSION, NULL, NULL, &t->session);
        int r;

        if (rv != CKR_OK)
                return failed(t, "no session", rv, e);
        t->has_session = true;
        if (!(t->info.flags & CKF_LOGIN_REQUIRED))
                return 0;
        if (!(t->info.flags & CKF_PROTECTED_AUTHENTICATION_PATH)) {
                if ((r = read_pin(t, s, uri, secret, e)) < 0)
                        return r;
                if (!t->pin)
                        return error_hint(e, error_set(e, ENOKEY, EXIT_FAILED, "token %s: it wants a PIN, and none was given", t->label),
                                          "--passphrase-file or --passphrase-fd, or pin-source=/FILE in the URI; on a terminal you are asked");
        }
        rv = log_in(t, CKU_USER);
        return rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN ? 0 : why_no_login(t, rv, e);
}

/* An attribute of some length, owned by the caller; NULL: the object does not have it, or does not show it. */
static unsigned char *attribute(const Token *t, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, size_t *ret_size) {
        CK_ATTRIBUTE a = { .type = type };
        _cleanup_free_ unsigned char *value = NULL;

        if (t->module->C_GetAttributeValue(t->session, object, &a, 1) != CKR_OK || a.ulValueLen == 0 || a.ulValueLen > MODULUS_MAX)
                return NULL;
        if (!(a.pValue = value = malloc(a.ulValueLen)) || t->module->C_GetAttributeValue(t->session, object, &a, 1) != CKR_OK)
                return NULL;
        *ret_size = a.ulValueLen;
        return TAKE_PTR(value);
}

/* The keys that fit, as URIs that name one each. */
static int tell_keys(const Token *t, const CK_OBJECT_HANDLE *keys, CK_ULONG n, char **ret, Error *e) {
        _cleanup_text_ Text text = {};

        for (CK_ULONG i = 0; i < n; i++) {
                size_t label_size = 0, id_size = 0;
                _cleanup_free_ unsigned char *label = attribute(t, keys[i], CKA_LABEL, &label_size), *id = attribute(t, keys[i], CKA_ID, &id_size);
                CK_ATTRIBUTE a = { CKA_LABEL, label, label_size }, b = { CKA_ID, id, id_size };

                add_uri(&text, &t->info, label ? &a : NULL, id ? &b : NULL);
        }
        *ret = text_take(&text);
        return *ret ? 0 : error_oom(e);
}

/* What the URI says of the object, but that it is to be a private key, whatever type= says. */
static int find_key(Token *t, P11KitUri *uri, Error *e) {
        CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
        CK_ATTRIBUTE template[4] = { { CKA_CLASS, &class, sizeof class } }, *wanted;
        _cleanup_free_ char *keys = NULL;
        CK_OBJECT_HANDLE found[KEYS_TOLD];
        CK_ULONG n = 0, n_template = 1;
        CK_RV rv;
        int r;

        if ((wanted = p11_kit_uri_get_attribute(uri, CKA_ID)))
                template[n_template++] = *wanted;
        if ((wanted = p11_kit_uri_get_attribute(uri, CKA_LABEL)))
                template[n_template++] = *wanted;
        rv = t->module->C_FindObjectsInit(t->session, template, n_template);
        if (rv == CKR_OK) {
                rv = t->module->C_FindObjects(t->session, found, ELEMENTSOF(found), &n);
                (void) t->module->C_FindObjectsFinal(t->session);
        }
        if (rv != CKR_OK)
                return failed(t, "its keys cannot be listed", rv, e);
        if (n == 0)
                return error_hint(e, error_set(e, ENOKEY, EXIT_FAILED, "token %s: no private key in it fits the key's URI", t->label), "object=LABEL or id=%%01 in the URI name one");
        if (n == 1 && names_key(uri)) {
                t->key = found[0];
                return 0;
        }
        if ((r = tell_keys(t, found, n, &keys, e)) < 0)
                return r;
        r = n > 1 ? error_set(e, ENOTUNIQ, EXIT_USAGE, "token %s: more than one private key fits the key's URI:%s", t->label, keys)
                  : error_set(e, ENOTUNIQ, EXIT_USAGE, "token %s: the key's URI does not say which key; there is:%s", t->label, keys);
        return error_hint(e, r, "add object=LABEL or id=%%01 to it");
}

static bool flag(const Token *t, CK_ATTRIBUTE_TYPE type, bool otherwise) {
        CK_BBOOL value = otherwise;
        CK_ATTRIBUTE a = { type, &value, sizeof value };

        return t->module->C_GetAttributeValue(t->session, t->key, &a, 1) == CKR_OK ? value : otherwise;
}

/* The public key beside it, for tokens that do not show the exponent at the private one. */
static CK_OBJECT_HANDLE public_half(const Token *t, Error *e) {
        CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
        CK_OBJECT_HANDLE found = CK_INVALID_HANDLE;
        CK_ATTRIBUTE template[2] = { { CKA_CLASS, &class, sizeof class }, { .type = CKA_ID } };
        _cleanup_free_ unsigned char *id = NULL;
        size_t size = 0;
        CK_ULONG n = 0;

        if (!(id = attribute(t, t->key, CKA_ID, &size)))
                return CK_INVALID_HANDLE;
        template[1].pValue = id;
        template[1].ulValueLen = size;
        if (t->module->C_FindObjectsInit(t->session, template, ELEMENTSOF(template)) == CKR_OK) {
                (void) t->module->C_FindObjects(t->session, &found, 1, &n);
                (void) t->module->C_FindObjectsFinal(t->session);
        }
        return n == 1 ? found : CK_INVALID_HANDLE;
}

static int take_key(Signer *s, Error *e) {
        Token *t = s->data;
        _cleanup_free_ unsigned char *modulus = NULL, *exponent = NULL;
        _cleanup_free_ char *name = format("token %s", t->label);
        size_t modulus_size = 0, exponent_size = 0;
        CK_KEY_TYPE type = (CK_KEY_TYPE) -1;
        CK_ATTRIBUTE a = { CKA_KEY_TYPE, &type, sizeof type };
        CK_OBJECT_HANDLE other;

        if (!name)
                return error_oom(e);
        if (t->module->C_GetAttributeValue(t->session, t->key, &a, 1) != CKR_OK || type != CKK_RSA)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "token %s: it is not an RSA key, and EL8's rpm takes no other", t->label);
        if (!flag(t, CKA_SIGN, true))
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "token %s: its key is not for signing", t->label);
        t->asks_each_time = flag(t, CKA_ALWAYS_AUTHENTICATE, false);
        modulus = attribute(t, t->key, CKA_MODULUS, &modulus_size);
        exponent = attribute(t, t->key, CKA_PUBLIC_EXPONENT, &exponent_size);
        if ((!modulus || !exponent) && (other = public_half(t, e)) != CK_INVALID_HANDLE) {
                free(modulus);
                free(exponent);
                modulus = attribute(t, other, CKA_MODULUS, &modulus_size);
                exponent = attribute(t, other, CKA_PUBLIC_EXPONENT, &exponent_size);
        }
        if (!modulus || !exponent)
                return error_set(e, ENOKEY, EXIT_FAILED, "token %s: it does not show the key's public part", t->label);
        t->size = modulus_size;
        return signer_set_rsa(s, modulus, modulus_size, exponent, exponent_size, name, e);
}

int signer_pkcs11_new(const char *uri_text, const SecretSource *secret, const char *user_id, int64_t created, Signer **ret, Error *e) {
        _cleanup_(signer_freep) Signer *s = NULL;
        P11KitUri *uri;
        Token *t;
        int r;

        if ((r = signer_new(&signer_pkcs11, user_id, created, &s, e)) < 0)
                return r;
        uri = p11_kit_uri_new();
        if (!uri || !(s->data = t = calloc(1, sizeof(*t))))
                r = error_oom(e);
        else {
                (void) pthread_mutex_init(&t->lock, NULL);
                if ((r = parse(uri_text, uri, e)) >= 0 && (r = load_modules(t, uri, e)) >= 0 && (r = find_token(t, uri, e)) >= 0 &&
                    (r = open_token(t, s, uri, secret, e)) >= 0 && (r = find_key(t, uri, e)) >= 0)
                        r = take_key(s, e);
        }
        p11_kit_uri_free(uri);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}
