/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <jansson.h>

#include "basic/macro.h"
#include "node/mask.h"
#include "run.h"

static char *const words[] = { (char *) "my-host-name", (char *) "0123456789abcdef0123456789abcdef", NULL };
static const Mask strict = { .tokens = true, .addresses = true, .identities = true, .words = words };

static void becomes(const char *text, const char *wanted) {
        _cleanup_free_ char *masked = mask_text(text, strlen(text), &strict);

        ck_assert_str_eq(masked, wanted);
}

START_TEST(secrets_go) {
        static const char *const lines[] = {
                "password=S3CR", "Password: S3CR", "  DB_PASSWORD = S3CR", "{\"password\": \"S3CR\"}", "{\"a\":1,\"apiKey\":\"x S3CR y\"}", "--password S3CR", "--token=S3CR",
                "{\"x\":\"{\\\"token\\\": \\\"S3CR\\\"}\"}", "machine h password S3CR", "Authorization: Bearer S3CR", "authorization: Basic a S3CR",
                "Cookie: a=b; c=S3CR", "token: Bearer S3CR", "https://user:S3CR@host/path", "ftp://S3CR@h", "AWS_SECRET_ACCESS_KEY=S3CR", "rd.luks.key=S3CR x",
                "access_key_id='S3CR S3CR'", "Environment=HF=S3CR", "Environment=\"A=S3CR S3CR\" B=S3CR", "Environment=X=S3CR CUDA_A=1", "ExecStart=/bin/x --api-key S3CR",
                "x -----BEGIN RSA PRIVATE KEY-----\\nS3CR\\n-----END RSA PRIVATE KEY-----", "-----BEGIN OPENSSH PRIVATE KEY-----\nS3CR\nS3CR\n-----END X-----",
                "user_data: S3CR", "http://x/?Signature=S3CR&x=1", "my.pwd=S3CR", "psk=\"S3CR\"", "wpa-psk S3CR=1 psk: S3CR", "SetCredential=a:S3CR",
                "{\"text\": \"[Service]\\nEnvironment=\\\"A=S3CR S3CR\\\" B=S3CR\\nX=1\"}", "{\"base64\": \"S3CR\"}",
                "Environment=A=S3CR \\\n  B=S3CR \\\n# a comment\n  C=S3CR\nUser=x", "SetCredentialEncrypted=a: \\\n  S3CR", "pw=S3CR root_pw: S3CR",
                "{\"line\": \"{\\\\\\\"password\\\\\\\": \\\\\\\"S3CR\\\\\\\"}\"}", "<password>S3CR</password>",
                "curl -u admin:S3CR https://h", "ExecStart=/usr/bin/curl --user admin:S3CR x", "curl --proxy-user=a:S3CR", "mysql -u root -pS3CR", "sshpass -p S3CR ssh h",
                "docker login -u me -p S3CR h", "[\"curl\", \"-u\", \"a:S3CR\"]",
        };

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                _cleanup_free_ char *masked = mask_text(lines[i], strlen(lines[i]), &(Mask){});
                const char *found = strstr(masked, "S3CR");

                /* "wpa-psk S3CR=1" is a name, and stands here to see that names stay. */
                ck_assert_msg(!found || startswith(found, "S3CR=1"), "%s: became %s", lines[i], masked);
                ck_assert_msg(strstr(masked, MASKED), "%s: nothing masked", lines[i]);
        }
}
END_TEST

START_TEST(shapes_go) {
        becomes("id LTAI5tAbCdEfGhIjKlMnOpQr x", "id " MASKED " x");
        becomes("hf_abcdefghijklmnopqrstu", MASKED);
        becomes("jwt eyJhbGciOiJIUzI1NiIsInR5cCI6.eyJzdWIiOiIxMjM0NTY3.sIg end", "jwt " MASKED " end");
        becomes("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLE1KEY99", MASKED);
        becomes("from 10.1.2.3:443 to 192.168.0.1", "from " MASKED ":443 to " MASKED);
        becomes("ip=10.0.0.5::10.0.0.1", "ip=" MASKED "::" MASKED);
        becomes("fe80::1ff:fe23:4567:890a up", MASKED " up");
        becomes("mac 00:16:3e:aa:bb:cc", "mac " MASKED);
        becomes("GPU-12345678-1234-1234-1234-123456789abc", "GPU-" MASKED);
        becomes("Serial Number : 1650522000123", "Serial Number : " MASKED);
        becomes("/boot/loader/entries/0123456789abcdef0123456789abcdef-5.conf", "/boot/loader/entries/" MASKED "-5.conf");
        becomes("my-host-name said", MASKED " said");
}
END_TEST

/* A secret at the end of a string does not take the string's end along. */
START_TEST(json_stays_json) {
        static const char *const messages[] = { "password: x", "Authorization: Basic x", "Cookie: a=b; c=d", "a token=x y", "-----BEGIN RSA PRIVATE KEY----- x",
                                                "https://u:x@h", "{\"password\": \"x\"}", "say \"pw=x\"", "x Authorization: Basic x", "x Cookie: a=b", "x token: Bearer x", "x password: x", "x Bearer y", "--password x" };

        for (size_t i = 0; i < ELEMENTSOF(messages); i++) {
                json_t *o = json_pack("{s:s, s:[s, s], s:i}", "message", messages[i], "list", messages[i], messages[i], "z", 1), *back;
                _cleanup_free_ char *text = json_dumps(o, JSON_INDENT(2)), *masked = mask_text(text, strlen(text), &strict);

                back = json_loads(masked, 0, NULL);
                ck_assert_msg(back != NULL, "%s", masked);
                ck_assert_int_eq(json_integer_value(json_object_get(back, "z")), 1);
                ck_assert_msg(strstr(masked, MASKED) || strstr(messages[i], "Bearer"), "%s", masked);
                json_decref(o);
                json_decref(back);
        }
}
END_TEST

/* Only what is part of the value is masked with it. */
START_TEST(lines_that_go_on) {
        becomes("Environment=A=b \\\n  C=d\nUser=x", "Environment=A=" MASKED " \\\n" MASKED "\nUser=x");
        becomes("ExecStart=/bin/x \\\n  --plain", "ExecStart=/bin/x \\\n  --plain");
}
END_TEST

START_TEST(the_rest_stays) {
        static const char *const lines[] = {
                "NVRM: confComputeConstructEngine_IMPL: GPU confidential compute capability is not enabled.",
                "nvidia 0000:01:00.0: swiotlb buffer is full (sz: 131072 bytes), total 524288 (slots), used 400 (slots)",
                "Nov 22 00:18:53 - kernel: Xid (PCI:0000:01:00): 119, pid=99",
                "linux /boot/vmlinuz-1.2.3-45.al8.x86_64", "options root=UUID=0f0e0d0c-0000-4000-8000-00000000cafe ro swiotlb=65536,any",
                "options nvidia NVreg_RegistryDwords=\"RmEnableProtectedPcie=0x9\" NVreg_OpenRmEnableUnsupportedGpus=1",
                "After=nvidia-persistenced.service", "ExecStart=/usr/bin/nvidia-persistenced --user root", "127.0.0.1 100.100.100.200", "driver 1.2.3",
                "Environment=CUDA_VISIBLE_DEVICES=0 PATH=/usr/bin", "keyboard=us", "monkey: 1", "docker run -u 1000:1000 -p 80:80 x", "mkdir -p /x", "mysql -p --batch", "curl -u", "std::vector 12:34:56",
                "6499c4e609c682be9af3690056024c451273f5adff42a757ce6f1c4521b84fd0",
        };

        for (size_t i = 0; i < ELEMENTSOF(lines); i++)
                becomes(lines[i], lines[i]);
        becomes("a\033b\n\xff\n", "a?b\n?\n");
}
END_TEST

/* One long line of each, as a hostile file may have it: time grows with its size, and no more. */
START_TEST(no_line_takes_long) {
        static const char *const pieces[] = { "Environment=\\n", "Environment=", "serial", "serial:", "://", ":", "a:", "1.", "eyJ.", "password=\"", "password ",
                                              "-----BEGIN PRIVATE KEY", "GPU-", "bearer ", "'", "\\\"", "/aA1", "token:", "-u ", "-u a:", "mysql -p" };

        for (size_t i = 0; i < ELEMENTSOF(pieces); i++) {
                _cleanup_free_ char *masked = NULL;
                _cleanup_text_ Text t = {};

                while (t.size < 40 * 1024)
                        text_append(&t, pieces[i]);
                masked = mask_text(t.data, t.size, &strict);
                ck_assert_ptr_nonnull(masked);
        }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("mask");
        TCase *t = tcase_create("mask");

        tcase_add_test(t, secrets_go);
        tcase_add_test(t, shapes_go);
        tcase_add_test(t, json_stays_json);
        tcase_add_test(t, lines_that_go_on);
        tcase_add_test(t, the_rest_stays);
        tcase_add_test(t, no_line_takes_long);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
