/* SPDX-License-Identifier: Apache-2.0 */
/* Packets as they should not be: which of them is refused, and with which words. No gpg, no mathematics. */
#include "basic/armor.h"
#include "basic/strings.h"
#include "repo/openpgp-read.h"
#include "run.h"

#define CREATED 1700000000

static const unsigned char own[OPENPGP_FINGERPRINT_SIZE] = "01234567890123456789";

static int sign_nothing(void *data, const unsigned char digest[static 32], unsigned char **ret, size_t *ret_size, Error *e) {
        *ret_size = 384;
        *ret = malloc(*ret_size);
        memset(*ret, 0xaa, *ret_size);
        return 0;
}

/* A key with a modulus and an exponent of so many bits. */
static size_t make_key(unsigned bits, unsigned exponent_bits, unsigned char **ret) {
        _cleanup_text_ Text numbers = {};
        unsigned char fingerprint[OPENPGP_FINGERPRINT_SIZE];
        _cleanup_free_ unsigned char *n = calloc(1, bits / 8 + 1), *x = calloc(1, exponent_bits / 8 + 1);
        size_t size = 0;

        memset(n, 0x81, bits / 8);
        x[0] = (unsigned char) (1u << ((exponent_bits - 1) % 8));
        x[(exponent_bits + 7) / 8 - 1] |= 1;
        openpgp_put_mpi(&numbers, n, bits / 8);
        openpgp_put_mpi(&numbers, x, (exponent_bits + 7) / 8);
        ck_assert_int_eq(openpgp_make_key(CREATED, &numbers, "Test", sign_nothing, NULL, fingerprint, (void **) ret, &size, NULL), 0);
        return size;
}

static void key_says(const unsigned char *packets, size_t size, const char *why) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r = openpgp_check_key(packets, size, "key", &e);

        if (!why) {
                ck_assert_msg(r == 0, "%s", e.message);
                return;
        }
        ck_assert_int_lt(r, 0);
        ck_assert_int_eq(e.code, EXIT_UNTRUSTED);
        ck_assert_msg(strstr(e.message, why), "%s, not %s", e.message, why);
}

START_TEST(keys) {
        static const struct { unsigned bits, exponent_bits; const char *why; } sizes[] = {
                { 3072, 17, NULL }, { 4096, 17, NULL }, { 16384, 64, NULL }, { 2048, 17, "2048 bits are too few" }, { 1024, 17, "too few" },
                { 16392, 17, "more than gpg and rpm can check" }, { 4096, 65, "public exponent" }, { 4096, 1, "public exponent" },
        };

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                _cleanup_free_ unsigned char *key = NULL;
                size_t size = make_key(sizes[i].bits, sizes[i].exponent_bits, &key);

                key_says(key, size, sizes[i].why);
        }
}
END_TEST

/* One byte of a key, at its place in the packet that has it. */
static void changed(unsigned packet, size_t at, unsigned char value, const char *why) {
        _cleanup_free_ unsigned char *key = NULL;
        size_t size = make_key(3072, 17, &key), left = size;
        const unsigned char *p = key;
        OpenpgpPacket o;

        for (unsigned i = 0; i <= packet; i++)
                ck_assert_int_eq(openpgp_next_packet(&p, &left, &o), 1);
        key[(size_t) (o.body - key) + at] = value;
        key_says(key, size, why);
}

START_TEST(changed_keys) {
        enum { KEY, USER_ID, SIGNATURE };
        static const unsigned char algorithms[] = { 2, 16, 17, 18, 19, 22, 27 };

        for (unsigned char v = 0; v < 7; v++)
                if (v != 4)
                        changed(KEY, 0, v, "takes version 4 alone");
        for (size_t i = 0; i < sizeof algorithms; i++)
                changed(KEY, 5, algorithms[i], "not an RSA key");
        changed(KEY, 5, 3, "RSA for signing only");
        changed(SIGNATURE, 0, 5, "signature of version 5");
        changed(SIGNATURE, 0, 6, "signature of version 6");
        changed(SIGNATURE, 3, 2, "certifies itself with SHA-1");
        changed(SIGNATURE, 3, 1, "certifies itself with MD5");
        changed(SIGNATURE, 3, 77, "certifies itself with an unknown digest");
        changed(SIGNATURE, 1, 0x20, "it is revoked");
        changed(SIGNATURE, 1, 0x00, "no user ID that it certifies itself");
        /* The first subpacket names the key: 1 byte of length, 1 of type. The second is the date, behind 23. */
        changed(SIGNATURE, 7, 33 | 0x80, "subpacket 33 marked critical");
        changed(SIGNATURE, 7, 50 | 0x80, "subpacket 50 marked critical");
        changed(SIGNATURE, 7 + 23, 2 | 0x80, NULL);
        changed(SIGNATURE, 9, 0x77, "no user ID"); /* by another key */
        changed(SIGNATURE, 6, 200, "malformed");
}
END_TEST

static void signature_says(const unsigned char *packet, size_t size, const unsigned char *fingerprint, const char *why) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r = openpgp_check_signature(packet, size, fingerprint, "data", &e);

        if (!why) {
                ck_assert_msg(r == 0, "%s", e.message);
                return;
        }
        ck_assert_int_lt(r, 0);
        ck_assert_int_eq(e.code, EXIT_UNTRUSTED);
        ck_assert_msg(strstr(e.message, why), "%s, not %s", e.message, why);
}

START_TEST(signatures) {
        static const struct { size_t at; unsigned char value; const char *why; } changes[] = {
                { 0, 3, NULL }, { 0, 5, "of version 5" }, { 0, 6, "of version 6" }, { 1, 0x13, "of type 0x13" }, { 1, 0x01, "of type 0x01" },
                { 2, 17, "not RSA" }, { 2, 22, "not RSA" }, { 3, 2, "over SHA-1" }, { 3, 1, "over MD5" }, { 3, 11, "unknown digest" },
                /* subpackets: fingerprint at 6 (length, type, version), date at 29; then the area that is not covered, with the key ID at 37 */
                { 7, 0xa1, "subpacket 33 marked critical" }, { 8, 5, "a key of version 5 signed it" }, { 8, 6, "a key of version 6" },
                { 9, 0x77, "of which only the last 16 digits are the same" }, { 30, 0x82, "subpacket 2 marked critical" }, { 30, 0x03, "has no date" },
                { 38, 0x90, "subpacket 16 marked critical" }, { 38, 0x44, "no key ID" }, { 40, 0x77, "names two issuers" }, { 37, 200, "malformed" },
        };
        _cleanup_free_ unsigned char *packet = NULL;
        size_t size = 0;
        const unsigned char *p;
        OpenpgpPacket o;

        ck_assert_int_eq(openpgp_sign(own, OPENPGP_BINARY, CREATED, "data", 4, sign_nothing, NULL, (void **) &packet, &size, NULL), 0);
        signature_says(packet, size, own, NULL);
        signature_says(packet, size, NULL, NULL);
        for (size_t i = 0; i < ELEMENTSOF(changes); i++) {
                _cleanup_free_ unsigned char *copy = malloc(size);
                size_t left = size;

                memcpy(copy, packet, size);
                p = copy;
                ck_assert_int_eq(openpgp_next_packet(&p, &left, &o), 1);
                copy[(size_t) (o.body - copy) + changes[i].at] = changes[i].value;
                signature_says(copy, size, own, i == 0 ? "malformed" : changes[i].why);
        }
        for (size_t n = 0; n < size; n++)
                signature_says(packet, n, own, "malformed");
}
END_TEST

/* Whatever is cut off a key, it is told, and nothing is read behind the end. */
START_TEST(cut) {
        _cleanup_free_ unsigned char *key = NULL;
        size_t size = make_key(3072, 17, &key);

        for (size_t n = 0; n < size; n++) {
                _cleanup_free_ unsigned char *copy = malloc(n + 1);

                memcpy(copy, key, n);
                ck_assert_int_lt(openpgp_check_key(copy, n, "key", NULL), 0);
        }
}
END_TEST

START_TEST(blocks) {
        _cleanup_free_ unsigned char *key = NULL, *packets = NULL, *none = NULL;
        size_t size = make_key(3072, 17, &key), n = 0;
        _cleanup_free_ char *one = openpgp_armor("PUBLIC KEY BLOCK", key, size), *two = format("%s\n%s", one, one), *three = format("%s%s", two, "-----BEGIN PGP ");

        ck_assert_int_eq(openpgp_read_blocks(two, strlen(two), &packets, &n), 0);
        ck_assert_uint_eq(n, 2 * size);
        ck_assert_int_eq(openpgp_read_blocks(three, strlen(three), &none, &n), -EBADMSG);
        ck_assert_int_eq(openpgp_read_blocks("", 0, &none, &n), -EBADMSG);
        ck_assert_int_eq(openpgp_read_blocks("text", 4, &none, &n), -EBADMSG);
        one[100] = one[100] == 'A' ? 'B' : 'A';
        ck_assert_int_eq(openpgp_read_blocks(one, strlen(one), &none, &n), -EBADMSG);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("openpgp");
        TCase *t = tcase_create("openpgp");

        tcase_add_test(t, keys);
        tcase_add_test(t, changed_keys);
        tcase_add_test(t, signatures);
        tcase_add_test(t, cut);
        tcase_add_test(t, blocks);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
