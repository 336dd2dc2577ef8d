/* SPDX-License-Identifier: Apache-2.0 */
/* Keys made by OpenSSL, signatures checked by gpg: the two must agree on every packet. */
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/process.h"
#include "basic/strings.h"
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

static Signer *new_signer(const char *path, const char *secret) {
        _cleanup_error_ Error e = ERROR_INIT;
        Signer *s = NULL;

        ck_assert_msg(signer_openssl_new(path, secret, "Test <t@example.org>", CREATED, &s, &e) == 0, "%s", e.message);
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
        ck_assert_msg(keyring_verify(k, "data", 4, signature, size, "data", &e) == 0, "%s", e.message);
        ck_assert_int_lt(keyring_verify(k, "Data", 4, signature, size, "data", &e), 0);
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
        ck_assert_int_lt(signer_openssl_new(encrypted, NULL, "Test", CREATED, &none, &e), 0);
        ck_assert_ptr_null(none);
        ck_assert_ptr_nonnull(strstr(e.hint, "--passphrase-file"));
}
END_TEST

START_TEST(refused_keys) {
        _cleanup_error_ Error a = ERROR_INIT, b = ERROR_INIT, c = ERROR_INIT, d = ERROR_INIT;
        Signer *none = NULL;

        ck_assert_int_lt(signer_openssl_new(small, NULL, "Test", CREATED, &none, &a), 0);
        ck_assert_int_eq(a.code, EXIT_UNTRUSTED);
        ck_assert_int_lt(signer_openssl_new(passphrase, NULL, "Test", CREATED, &none, &b), 0);
        ck_assert_int_lt(signer_openssl_new(pem, NULL, "Te\nst", CREATED, &none, &c), 0);
        ck_assert_int_eq(c.code, EXIT_USAGE);
        ck_assert_int_lt(signer_openssl_new(pem, NULL, "Test", 0, &none, &d), 0);
        ck_assert_ptr_null(none);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("signer-openssl");
        TCase *t = tcase_create("signer-openssl");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, gpg_accepts_key_and_signature);
        tcase_add_test(t, gpg_itself_imports_and_verifies);
        tcase_add_test(t, encrypted_key);
        tcase_add_test(t, refused_keys);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
