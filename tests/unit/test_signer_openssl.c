/* SPDX-License-Identifier: Apache-2.0 */
/* Keys made by OpenSSL, signatures checked by gpg: the two must agree on every packet. */
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/process.h"
#include "basic/strings.h"
#include "repo/openpgp-packet.h"
#include "repo/keyring.h"
#include "repo/signer.h"
#include "run.h"

#define CREATED 1700000000

static char *dir, *pem, *encrypted, *small, *passphrase;

static void write_key(const char *path, EVP_PKEY *key, const char *secret) {
        FILE *f = fopen(path, "we");

        ck_assert_ptr_nonnull(f);
        ck_assert_int_eq(PEM_write_PrivateKey(f, key, secret ? EVP_aes_256_cbc() : NULL, (const unsigned char *) secret,
                                              secret ? (int) strlen(secret) : 0, NULL, NULL), 1);
        ck_assert_int_eq(fclose(f), 0);
}

static void setup(void) {
        EVP_PKEY *key = EVP_RSA_gen(3072), *weak = EVP_RSA_gen(2048);

        ck_assert_int_eq(make_temp_dir("/tmp", "sig", &dir), 0);
        pem = path_join(dir, "key.pem");
        encrypted = path_join(dir, "encrypted.pem");
        small = path_join(dir, "small.pem");
        passphrase = path_join(dir, "passphrase");
        write_key(pem, key, NULL);
        write_key(encrypted, key, "open sesame");
        write_key(small, weak, NULL);
        ck_assert_int_eq(write_file_atomic(AT_FDCWD, passphrase, "open sesame\n", 12, 0600), 0);
        EVP_PKEY_free(key);
        EVP_PKEY_free(weak);
}

static void teardown(void) {
        ck_assert_int_eq(remove_tree(AT_FDCWD, dir), 0);
        free(dir);
        free(pem);
        free(encrypted);
        free(small);
        free(passphrase);
}

/* As every verb but publish does. */
static int make(const char *uri, const SecretSource *secret, const char *user_id, int64_t created, Signer **ret, Error *e) {
        _cleanup_(signer_freep) Signer *s = NULL;
        int r;

        if ((r = signer_openssl_new(uri, secret, user_id, created, &s, e)) < 0 || (r = signer_certify(s, e)) < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

static Signer *new_signer(const char *path, const char *secret) {
        _cleanup_error_ Error e = ERROR_INIT;
        Signer *s = NULL;

        ck_assert_msg(make(path, &(SecretSource){ .file = secret }, "Test <t@example.org>", CREATED, &s, &e) == 0, "%s", e.message);
        return s;
}

START_TEST(gpg_accepts_key_and_signature) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(signer_freep) Signer *s = new_signer(pem, NULL);
        _cleanup_(keyring_freep) Keyring *k = NULL;
        _cleanup_free_ void *signature = NULL, *again = NULL;
        size_t size = 0, again_size = 0;

        ck_assert_msg(keyring_new(s->public_key, s->public_key_size, "key", &k, &e) == 0, "%s", e.message);
        ck_assert_str_eq(keyring_fingerprint(k), s->fingerprint);
        ck_assert_msg(signer_sign(s, "data", 4, CREATED + 5, &signature, &size, &e) == 0, "%s", e.message);
        ck_assert_int_eq(signer_sign(s, "data", 4, CREATED + 5, &again, &again_size, &e), 0);
        ck_assert(size == again_size && memcmp(signature, again, size) == 0);
        ck_assert_msg(keyring_verify(k, "data", 4, signature, size, "data", NULL, NULL, &e) == 0, "%s", e.message);
        ck_assert_int_lt(keyring_verify(k, "Data", 4, signature, size, "data", NULL, NULL, &e), 0);
        ck_assert_int_eq(e.code, EXIT_UNTRUSTED);
}
END_TEST

START_TEST(gpg_itself_imports_and_verifies) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(signer_freep) Signer *s = new_signer(pem, NULL);
        _cleanup_free_ char *home = path_join(dir, "home"), *key = path_join(dir, "key.asc"), *data = path_join(dir, "data"),
                            *sig = path_join(dir, "data.sig"), *armored = NULL, *output = NULL;
        _cleanup_free_ void *signature = NULL;
        size_t size = 0;
        const char *const import[] = { "gpg", "--homedir", home, "--batch", "--no-tty", "--import", key, NULL };
        const char *const verify[] = { "gpg", "--homedir", home, "--batch", "--no-tty", "--status-fd", "1", "--verify", sig, data, NULL };

        ck_assert_int_eq(mkdir(home, 0700), 0);
        armored = openpgp_armor("PUBLIC KEY BLOCK", s->public_key, s->public_key_size);
        ck_assert_int_eq(write_file_atomic(AT_FDCWD, key, armored, strlen(armored), 0600), 0);
        ck_assert_int_eq(write_file_atomic(AT_FDCWD, data, "data", 4, 0600), 0);
        ck_assert_int_eq(signer_sign(s, "data", 4, CREATED, &signature, &size, &e), 0);
        ck_assert_int_eq(write_file_atomic(AT_FDCWD, sig, signature, size, 0600), 0);
        ck_assert_msg(process_check(&(Process){ .argv = import, .timeout_sec = 60 }, NULL, &e) == 0, "%s", e.message);
        ck_assert_msg(process_check(&(Process){ .argv = verify, .timeout_sec = 60 }, &output, &e) == 0, "%s", e.message);
        ck_assert_ptr_nonnull(strstr(output, "VALIDSIG"));
        ck_assert_ptr_nonnull(strstr(output, s->fingerprint));
}
END_TEST

START_TEST(encrypted_key) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(signer_freep) Signer *a = new_signer(encrypted, passphrase), *b = new_signer(pem, NULL);
        Signer *none = NULL;

        ck_assert_str_eq(a->fingerprint, b->fingerprint);
        ck_assert_int_lt(make(encrypted, &(SecretSource){}, "Test", CREATED, &none, &e), 0);
        ck_assert_ptr_null(none);
        ck_assert_ptr_nonnull(strstr(e.message, "no passphrase was given"));
        ck_assert_ptr_nonnull(strstr(e.hint, "--passphrase-file"));
}
END_TEST

/* Somebody at a terminal is asked once, and only for a key that is encrypted. */
static unsigned asked;
static int say(const char *what, char **ret, Error *e) {
        asked++;
        *ret = strdup("open sesame");
        return *ret ? 0 : error_oom(e);
}

START_TEST(somebody_is_asked) {
        _cleanup_(signer_freep) Signer *a = NULL, *b = NULL;

        asked = 0;
        ck_assert_int_eq(make(pem, &(SecretSource){ .ask = say }, "Test", CREATED, &a, NULL), 0);
        ck_assert_uint_eq(asked, 0);
        ck_assert_int_eq(make(encrypted, &(SecretSource){ .ask = say }, "Test", CREATED, &b, NULL), 0);
        ck_assert_uint_eq(asked, 1);
        ck_assert_str_eq(a->fingerprint, b->fingerprint);
}
END_TEST

START_TEST(two_keys_sign) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(keyring_freep) Keyring *own = NULL, *first = NULL, *both = NULL;
        _cleanup_free_ char *armored = NULL, *keys = NULL, *one = NULL;
        _cleanup_strv_ char **signed_by = NULL, **unknown = NULL, **all = NULL;
        Signers s = { .n = 2 };

        s.v[0] = new_signer(pem, NULL);
        ck_assert_int_eq(make(pem, &(SecretSource){}, "Other <o@example.org>", CREATED + 86400, &s.v[1], &e), 0);
        ck_assert_int_eq(signers_sign_armored(&s, "data", 4, CREATED, &armored, &e), 0);
        keys = signers_public_keys(&s);
        ck_assert_msg(keyring_new(s.v[0]->public_key, s.v[0]->public_key_size, "key", &first, &e) == 0, "%s", e.message);
        ck_assert_msg(keyring_new(keys, strlen(keys), "keys", &both, &e) == 0, "%s", e.message);
        ck_assert_int_eq(keyring_new_own(&s, &own, &e), 0);
        /* Who has one of them takes it, and knows that there is another. */
        ck_assert_msg(keyring_verify(first, "data", 4, armored, strlen(armored), "data", &signed_by, &unknown, &e) == 0, "%s", e.message);
        ck_assert_uint_eq(strv_length(signed_by), 1);
        ck_assert_uint_eq(strv_length(unknown), 1);
        ck_assert_str_eq(unknown[0], s.v[1]->fingerprint);
        ck_assert_msg(keyring_verify(both, "data", 4, armored, strlen(armored), "data", &all, NULL, &e) == 0, "%s", e.message);
        ck_assert_uint_eq(strv_length(all), 2);
        ck_assert_int_eq(keyring_verify(own, "data", 4, armored, strlen(armored), "data", NULL, NULL, &e), 0);
        ck_assert_int_lt(keyring_verify(own, "Data", 4, armored, strlen(armored), "data", NULL, NULL, NULL), 0);
        /* A key twice is not two. */
        free(keys);
        one = openpgp_armor("PUBLIC KEY BLOCK", s.v[0]->public_key, s.v[0]->public_key_size);
        keys = format("%s%s", one, one);
        keyring_free(both);
        both = NULL;
        ck_assert_int_lt(keyring_new(keys, strlen(keys), "keys", &both, NULL), 0);
        signers_clear(&s);
}
END_TEST

/* Good by our own key, but made to name another one with the same last 64 bits: rpm and old gpg would not see the difference. */
START_TEST(look_alike) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(signer_freep) Signer *s = new_signer(pem, NULL);
        _cleanup_(keyring_freep) Keyring *k = NULL;
        _cleanup_free_ void *signature = NULL;
        unsigned char other[OPENPGP_FINGERPRINT_SIZE];
        size_t size;

        memcpy(other, s->signing, sizeof other);
        other[3] ^= 1;
        ck_assert_int_eq(openpgp_sign(other, OPENPGP_BINARY, CREATED, "data", 4, s->type->sign, s, &signature, &size, &e), 0);
        ck_assert_int_eq(keyring_new(s->public_key, s->public_key_size, "key", &k, &e), 0);
        ck_assert_int_lt(keyring_verify(k, "data", 4, signature, size, "data", NULL, NULL, &e), 0);
        ck_assert_int_eq(e.code, EXIT_UNTRUSTED);
        ck_assert_msg(strstr(e.message, "only the last 16 digits"), "%s", e.message);
}
END_TEST

static void refused(const char *content, ExitCode code, const char *why) {
        _cleanup_free_ char *path = path_join(dir, "odd.pem");
        _cleanup_error_ Error e = ERROR_INIT;
        Signer *none = NULL;

        ck_assert_int_eq(write_file_atomic(AT_FDCWD, path, content, strlen(content), 0600), 0);
        ck_assert_int_lt(make(path, &(SecretSource){}, "Test", CREATED, &none, &e), 0);
        ck_assert_msg(strstr(e.message, why), "%s, not %s", e.message, why);
        ck_assert_int_eq(e.code, code);
}

static char *pem_of(EVP_PKEY *key, bool private) {
        BIO *bio = BIO_new(BIO_s_mem());
        char *data, *text;
        long n;

        ck_assert_int_eq(private ? PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) : PEM_write_bio_PUBKEY(bio, key), 1);
        n = BIO_get_mem_data(bio, &data);
        text = strndup(data, (size_t) n);
        BIO_free(bio);
        return text;
}

START_TEST(odd_files) {
        _cleanup_free_ char *good = NULL, *twice = NULL, *behind = NULL, *cut = NULL, *ec_text = NULL, *public = NULL, *damaged = NULL,
                            *path = path_join(dir, "damaged.pem");
        _cleanup_error_ Error a = ERROR_INIT, b = ERROR_INIT, c = ERROR_INIT;
        _cleanup_(signer_freep) Signer *open_to_all = NULL;
        EVP_PKEY *ec = EVP_EC_gen("P-256");
        Signer *none = NULL;

        ck_assert_int_eq(read_file(AT_FDCWD, pem, 65536, &good, NULL), 0);
        ec_text = pem_of(ec, true);
        public = pem_of(ec, false);
        EVP_PKEY_free(ec);
        twice = format("%s%s", good, good);
        behind = format("%sgarbage\n", good);
        cut = strndup(good, strlen(good) / 2);
        damaged = strdup(good);
        memset(damaged + 200, 'A', 300);
        refused("", EXIT_INVALID, "it is empty");
        refused("nonsense", EXIT_INVALID, "no private key");
        refused(twice, EXIT_INVALID, "2 private keys");
        refused(behind, EXIT_INVALID, "something follows the key");
        refused(cut, EXIT_INVALID, "the file is cut");
        refused(ec_text, EXIT_UNTRUSTED, "not an RSA key");
        refused(public, EXIT_UNTRUSTED, "a public key or a certificate");
        refused("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", EXIT_UNTRUSTED, "OpenSSH");
        refused("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----\n", EXIT_UNTRUSTED, "GnuPG");
        ck_assert_int_lt(make(dir, &(SecretSource){}, "Test", CREATED, &none, &a), 0);
        ck_assert_ptr_nonnull(strstr(a.message, "a directory"));
        ck_assert_int_lt(make("/dev/zero", &(SecretSource){}, "Test", CREATED, &none, &b), 0);
        ck_assert_ptr_nonnull(strstr(b.message, "neither a file nor a pipe"));
        ck_assert_int_lt(make("nothing:at-all", &(SecretSource){}, "Test", CREATED, &none, &c), 0);
        ck_assert_ptr_nonnull(strstr(c.message, "no provider"));
        ck_assert_int_eq(chmod(pem, 0644), 0);
        ck_assert_int_eq(make(pem, &(SecretSource){}, "Test", CREATED, &open_to_all, NULL), 0);
        ck_assert_uint_eq(strv_length(open_to_all->warnings), 1);
        ck_assert_int_eq(chmod(pem, 0600), 0);
        /* Numbers that do not belong together sign something that the public key does not verify, or are not read at all. */
        ck_assert_int_eq(write_file_atomic(AT_FDCWD, path, damaged, strlen(damaged), 0600), 0);
        ck_assert_int_lt(make(path, &(SecretSource){}, "Test", CREATED, &none, NULL), 0);
}
END_TEST

/* What another run left of it is taken if it is good, and is made anew if not. */
START_TEST(a_certification_is_taken) {
        _cleanup_(signer_freep) Signer *first = new_signer(pem, NULL), *again = NULL, *wrong = NULL;

        ck_assert_uint_gt(first->certification_size, 0);
        for (int damage = 0; damage < 2; damage++) {
                Signer **s = damage ? &wrong : &again;

                ck_assert_int_eq(signer_openssl_new(pem, &(SecretSource){}, "Test <t@example.org>", CREATED, s, NULL), 0);
                memcpy((*s)->certification, first->certification, first->certification_size);
                (*s)->certification_size = first->certification_size;
                (*s)->certification[7] ^= (unsigned char) damage;
                ck_assert_int_eq(signer_certify(*s, NULL), 0);
                ck_assert_uint_eq((*s)->public_key_size, first->public_key_size);
                ck_assert_int_eq(memcmp((*s)->public_key, first->public_key, first->public_key_size), 0);
        }
}
END_TEST

START_TEST(refused_keys) {
        _cleanup_error_ Error a = ERROR_INIT, b = ERROR_INIT, c = ERROR_INIT, d = ERROR_INIT;
        Signer *none = NULL;

        ck_assert_int_lt(make(small, &(SecretSource){}, "Test", CREATED, &none, &a), 0);
        ck_assert_int_eq(a.code, EXIT_UNTRUSTED);
        ck_assert_int_lt(make(passphrase, &(SecretSource){}, "Test", CREATED, &none, &b), 0);
        ck_assert_int_lt(make(pem, &(SecretSource){}, "Te\nst", CREATED, &none, &c), 0);
        ck_assert_int_eq(c.code, EXIT_USAGE);
        ck_assert_int_lt(make(pem, &(SecretSource){}, "Test", 0, &none, &d), 0);
        ck_assert_ptr_null(none);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("signer-openssl");
        TCase *t = tcase_create("signer-openssl");

        tcase_add_unchecked_fixture(t, setup, teardown);
        tcase_add_test(t, gpg_accepts_key_and_signature);
        tcase_add_test(t, gpg_itself_imports_and_verifies);
        tcase_add_test(t, encrypted_key);
        tcase_add_test(t, somebody_is_asked);
        tcase_add_test(t, two_keys_sign);
        tcase_add_test(t, look_alike);
        tcase_add_test(t, odd_files);
        tcase_add_test(t, a_certification_is_taken);
        tcase_add_test(t, refused_keys);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
