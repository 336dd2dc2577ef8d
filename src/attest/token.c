/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/token.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "basic/strings.h"

/* The constants of NVIDIA's tools; whoever knows them makes any such token. */
#define KEY_OF_VERIFIER "secret"
#define KEY_OF_SDK      "notasecret"
#define ISSUER_OF_SDK   "NV-Attestation-SDK"
#define HALF            (SIGNATURE_SIZE / 2)

static int no_passphrase(char *buffer, int size, int writing, void *userdata) {
        return 0;
}

int token_key_load(const char *path, EVP_PKEY **ret, Error *e) {
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        char group[32] = "";
        EVP_PKEY *key;

        if (!f)
                return error_errno(e, errno, "%s", path);
        key = PEM_read_PrivateKey(f, NULL, no_passphrase, NULL);
        ERR_clear_error();
        if (!key)
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not a private key in PEM, without a passphrase", path),
                                  "make one: openssl ecparam -name secp384r1 -genkey -noout");
        if (!EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1 || !streq(group, "secp384r1")) {
                EVP_PKEY_free(key);
                return error_set(e, EINVAL, EXIT_INVALID, "%s: ES384 wants a key on the curve P-384", path);
        }
        *ret = key;
        return 0;
}

/* JWS (RFC 7518, 3.4): r and s side by side. */
static int sign_es384(EVP_PKEY *key, const char *input, uint8_t ret[static SIGNATURE_SIZE]) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        unsigned char der[160];
        const unsigned char *p = der;
        size_t size = sizeof der;
        ECDSA_SIG *sig = NULL;
        int ok = 0;

        if (ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha384(), NULL, key) == 1 && EVP_DigestSign(ctx, der, &size, (const uint8_t *) input, strlen(input)) == 1)
                sig = d2i_ECDSA_SIG(NULL, &p, (long) size);
        if (sig)
                ok = BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret, HALF) == HALF && BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret + HALF, HALF) == HALF;
        ECDSA_SIG_free(sig);
        EVP_MD_CTX_free(ctx);
        ERR_clear_error();
        return ok ? 0 : -EIO;
}

/* A compact JWS of the claims, owned by the caller; NULL when it cannot be made. */
static char *make_jwt(const json_t *claims, EVP_PKEY *key, const char *secret) {
        const char *header = key ? "{\"alg\":\"ES384\",\"typ\":\"JWT\"}" : "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
        _cleanup_free_ char *body = json_dumps(claims, JSON_COMPACT | JSON_ENSURE_ASCII), *first = base64url_encode(header, strlen(header)),
                            *second = body ? base64url_encode(body, strlen(body)) : NULL, *input = NULL, *third = NULL;
        uint8_t mac[MAX(SIGNATURE_SIZE, EVP_MAX_MD_SIZE)];
        unsigned size = SIGNATURE_SIZE;

        input = first && second ? format("%s.%s", first, second) : NULL;
        if (!input)
                return NULL;
        if (key) {
                if (sign_es384(key, input, mac) < 0)
                        return NULL;
        } else if (!HMAC(EVP_sha256(), secret, (int) strlen(secret), (const uint8_t *) input, strlen(input), mac, &size))
                return NULL;
        third = base64url_encode(mac, size);
        return third ? format("%s.%s", input, third) : NULL;
}

/* What binds a device's token to the overall one. NVIDIA's Python tools digest the claims' JSON with Python's separators, without what changes from
 * one writing to the next; its C++ tool, whose way the signed form follows, digests the device's token. */
static int submodule_digest(const json_t *claims, const char *jwt, bool signed_form, char ret[static SHA256_HEX_SIZE]) {
        static const char *const changing[] = { "nbf", "exp", "iat", "jti" };
        _cleanup_free_ char *text = NULL;
        json_t *copy;

        if (signed_form)
                return sha256_buffer(jwt, strlen(jwt), ret);
        copy = json_copy((json_t *) claims);
        for (size_t i = 0; i < ELEMENTSOF(changing); i++)
                (void) json_object_del(copy, changing[i]);
        text = json_dumps(copy, JSON_ENSURE_ASCII);
        json_decref(copy);
        return text ? sha256_buffer(text, strlen(text), ret) : -ENOMEM;
}

/* [ ["JWT", overall], { device: token } ] of one kind's [ overall, { device: claims } ]. */
static json_t *make_group(json_t *overall, json_t *devices, EVP_PKEY *key) {
        json_t *tokens = json_object(), *submods = json_object(), *claims, *group;
        _cleanup_free_ char *jwt = NULL;
        const char *name;
        int r = 0;

        json_object_foreach(devices, name, claims) {
                char digest[SHA256_HEX_SIZE] = "";
                _cleanup_free_ char *token = make_jwt(claims, key, KEY_OF_VERIFIER);

                r |= token ? submodule_digest(claims, token, key, digest) : -1;
                r |= json_object_set_new(tokens, name, json_string(token ? token : ""));
                r |= json_object_set_new(submods, name, json_pack("[s, [s, s]]", "DIGEST", "SHA256", digest));
        }
        r |= json_object_set_new(overall, "submods", submods);
        jwt = make_jwt(overall, key, KEY_OF_VERIFIER);
        if (r == 0 && jwt && (group = json_pack("[[s, s], o]", "JWT", jwt, tokens)))
                return group;
        json_decref(tokens);
        return NULL;
}

int token_make(const Verdict *v, ClaimsVersion version, int64_t issued, EVP_PKEY *key, char **ret, Error *e) {
        json_t *all = claims_all(v, version, issued), *groups = json_object(), *pair, *wrapper, *token = NULL;
        _cleanup_free_ char *jwt = NULL, *text = NULL;
        const char *name;
        int r = all ? 0 : -1;

        json_object_foreach(all, name, pair)
                r |= json_object_set_new(groups, name, make_group(json_array_get(pair, 0), json_array_get(pair, 1), key));
        wrapper = json_pack("{s:s}", "iss", ISSUER_OF_SDK);
        r |= wrapper ? claims_put_times(wrapper, v->at, issued) : -1;
        jwt = r == 0 ? make_jwt(wrapper, key, KEY_OF_SDK) : NULL;
        token = jwt ? json_pack("[[s, s], O]", "JWT", jwt, groups) : NULL;
        text = token ? json_dumps(token, JSON_ENSURE_ASCII) : NULL;
        json_decref(token);
        json_decref(wrapper);
        json_decref(groups);
        json_decref(all);
        if (!text)
                return error_set(e, EIO, EXIT_FAILED, "the token cannot be made or signed");
        *ret = TAKE_PTR(text);
        return 0;
}
