/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "node/http.h"
#include "node/metadata.h"
#include "scratch-root.h"
#include "run.h"

static int parse(const char *text, bool ended, HttpAnswer *ret) {
        return http_parse(text, strlen(text), ended, ret);
}

static void gives(const char *text, bool ended, unsigned status, const char *body) {
        _cleanup_http_answer_ HttpAnswer a = {};

        ck_assert_int_eq(parse(text, ended, &a), 1);
        ck_assert_uint_eq(a.status, status);
        ck_assert_str_eq(a.body, body);
}

START_TEST(whole_answers) {
        gives("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, 200, "hello");
        gives("HTTP/1.0 200 OK\r\n\r\nuntil the end", true, 200, "until the end");
        gives("HTTP/1.1 200 OK\nContent-Length: 2\n\nok and more", false, 200, "ok");
        gives("HTTP/1.1 404\r\ncontent-length:0\r\n\r\n", false, 404, "");
        gives("HTTP/1.1 204 No Content\r\n\r\n", false, 204, "");
        gives("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", false, 200, "x");
        gives("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0A \r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", false, 200, "abc0123456789");
}
END_TEST

START_TEST(parts_of_an_answer) {
        static const char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

        for (size_t i = 0; i < sizeof(text) - 1; i++) {
                HttpAnswer a = {};

                ck_assert_int_eq(http_parse(text, i, false, &a), 0);
                ck_assert_int_eq(http_parse(text, i, true, &a), -EBADMSG);
        }
        gives(text, false, 200, "abc");
}
END_TEST

START_TEST(no_answers) {
        static const char *const texts[] = {
                "\n", "SSH-2.0-x\r\n", "HTTP/2 200\r\n", "HTTP/1.1 999 x\r\n", "HTTP/1.1 2x0 x\r\n", "HTTP/1.1 2000\r\n", "HTTP/1.1 099 x\r\n",
                "HTTP/1.1 200 OK\r\nno colon\r\n", "HTTP/1.1 200 OK\r\n: x\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length:\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                HttpAnswer a = {};

                ck_assert_msg(parse(texts[i], false, &a) == -EBADMSG, "%s", texts[i]);
        }
        HttpAnswer a = {};
        ck_assert_int_eq(parse("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", false, &a), -EFBIG);
        ck_assert_int_eq(parse("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\n", false, &a), -EFBIG);
        ck_assert_int_eq(parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", false, &a), -EFBIG);
}
END_TEST

START_TEST(bases_are_numeric_addresses) {
        static const char *const bases[] = { "", "https://127.0.0.1", "http://", "http://localhost", "http://127.0.0.1:", "http://127.0.0.1:80x",
                                             "http://127.0.0.1x", "http://[::1", "http://[::1]x", "http://127.0.0.1/a b", "http://127.0.0.1/a\r\nb" };

        for (size_t i = 0; i < ELEMENTSOF(bases); i++) {
                HttpAnswer a = {};

                ck_assert_msg(http_request(bases[i], "GET", "/", NULL, clock_ms() + 100, &a) == -EINVAL, "%s", bases[i]);
        }
}
END_TEST

/* A server in a child: serve() is called for each connection. */
typedef void (*Serve)(int fd, const char *request);
static pid_t server;
static char *base;

static void start(Serve serve) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof address;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ck_assert_int_eq(bind(fd, (struct sockaddr *) &address, sizeof address), 0);
        ck_assert_int_eq(listen(fd, 8), 0);
        ck_assert_int_eq(getsockname(fd, (struct sockaddr *) &address, &size), 0);
        free(base);
        base = format("http://127.0.0.1:%u", ntohs(address.sin_port));
        server = fork();
        if (server == 0) {
                (void) signal(SIGPIPE, SIG_IGN);
                for (;;) {
                        int peer = accept(fd, NULL, NULL);
                        char request[4096] = "";

                        if (peer < 0 || recv(peer, request, sizeof(request) - 1, 0) < 0)
                                _exit(1);
                        serve(peer, request);
                        (void) close(peer);
                }
        }
        (void) close(fd);
        ck_assert_int_eq(setenv("GN8V_TEE_METADATA_URL", base, 1), 0);
}

static void stop(void) {
        if (server > 0) {
                (void) kill(server, SIGKILL);
                (void) waitpid(server, NULL, 0);
        }
        server = 0;
        free(base);
        base = NULL;
}

static void say(int fd, const char *text) {
        (void) !send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void answer(int fd, const char *status, const char *body) {
        _cleanup_free_ char *text = format("HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);

        say(fd, text);
}

static void answer_keys(int fd, const char *request) {
        if (strstr(request, "/instance/instance-type"))
                answer(fd, "200 OK", "ecs.example.large");
        else if (strstr(request, "/region-id"))
                answer(fd, "200 OK", "xx-region");
        else if (strstr(request, "/zone-id"))
                answer(fd, "200 OK", "xx-region-z\n");
        else
                answer(fd, "404 Not Found", "<html>");
}

static void hardened(int fd, const char *request) {
        if (startswith(request, "PUT /latest/api/token "))
                answer(fd, strstr(request, "\r\nX-aliyun-ecs-metadata-token-ttl-seconds: 60\r\n") ? "200 OK" : "400 Bad Request", "TOKEN==");
        else if (!strstr(request, "\r\nX-aliyun-ecs-metadata-token: TOKEN==\r\n"))
                answer(fd, "403 Forbidden", "");
        else
                answer_keys(fd, request);
}

static void plain(int fd, const char *request) {
        if (startswith(request, "PUT "))
                answer(fd, "405 Method Not Allowed", "");
        else
                answer_keys(fd, request);
}

static void tokens_hang(int fd, const char *request) {
        if (startswith(request, "PUT "))
                (void) poll(NULL, 0, 450); /* longer than a token is waited for */
        else
                answer_keys(fd, request);
}

static void hangs(int fd, const char *request) {
        (void) poll(NULL, 0, -1);
}

static void drips(int fd, const char *request) {
        for (const char *p = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\necs.x.big"; *p; p++) {
                (void) send(fd, p, 1, MSG_NOSIGNAL);
                (void) poll(NULL, 0, 300);
        }
}

static void floods(int fd, const char *request) {
        say(fd, "HTTP/1.1 200 OK\r\n\r\n");
        for (size_t i = 0; i < (size_t) 1 << 20; i++)
                if (send(fd, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 64, MSG_NOSIGNAL) < 0)
                        return;
}

static void floods_fields(int fd, const char *request) {
        say(fd, "HTTP/1.1 200 OK\r\n");
        for (size_t i = 0; i < (size_t) 1 << 20; i++)
                if (send(fd, "X-Field: 0123456789abcdef0123456789abcdef0123456789abcdef0123\r\n", 63, MSG_NOSIGNAL) < 0)
                        return;
}

static void redirects(int fd, const char *request) {
        say(fd, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
}

static void lies(int fd, const char *request) {
        answer(fd, "200 OK", startswith(request, "PUT ") ? "token\033[2J" : "ecs.x\033[2J.big");
}

static void bad_chunks(int fd, const char *request) {
        say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
}

static void closes(int fd, const char *request) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
}

static void asked_here(void) {
        node_close(&node);
        ck_assert_int_eq(node_open(&node, NULL, NULL), 0);
        free(node.boot_id); /* nothing is cached, or read from a cache */
        node.boot_id = NULL;
}

static void knows(Serve serve) {
        _cleanup_metadata_ Metadata m = {};

        start(serve);
        asked_here();
        ck_assert_int_eq(metadata_load(&node, &m), 0);
        ck_assert_msg(m.instance_type != NULL, "%s", m.missing);
        ck_assert_str_eq(m.instance_type, "ecs.example.large");
        ck_assert_str_eq(m.region, "xx-region");
        ck_assert_str_eq(m.zone, "xx-region-z");
        stop();
}

static void does_not_know(Serve serve, const char *why) {
        _cleanup_metadata_ Metadata m = {};
        int64_t began = clock_ms();

        start(serve);
        asked_here();
        ck_assert_int_eq(metadata_load(&node, &m), 0);
        ck_assert_ptr_null(m.instance_type);
        ck_assert_msg(strstr(m.missing, why) != NULL, "%s", m.missing);
        ck_assert_int_lt(clock_ms() - began, 2500);
        stop();
}

START_TEST(token_first_then_plain) {
        knows(hardened);
        knows(plain);
        knows(tokens_hang);
}
END_TEST

START_TEST(hostile_services) {
        does_not_know(hangs, "did not answer within 1 s");
        does_not_know(drips, "did not answer within 1 s");
        does_not_know(floods, "without end");
        does_not_know(floods_fields, "without end");
        does_not_know(redirects, "HTTP status 302");
        does_not_know(lies, "malformed");
        does_not_know(bad_chunks, "malformed");
        does_not_know(closes, "malformed");
}
END_TEST

START_TEST(nobody_listens) {
        _cleanup_metadata_ Metadata m = {};

        ck_assert_int_eq(setenv("GN8V_TEE_METADATA_URL", "http://127.0.0.1:1", 1), 0);
        asked_here();
        ck_assert_int_eq(metadata_load(&node, &m), 0);
        ck_assert_ptr_nonnull(strstr(m.missing, "refused"));
}
END_TEST

START_TEST(another_root_is_never_asked) {
        _cleanup_metadata_ Metadata m = {}, cached = {};

        start(plain);
        node.boot_id = strdup("this-boot");
        ck_assert_int_eq(metadata_load(&node, &m), 0);
        ck_assert_str_eq(m.missing, "not asked about another root");
        _cleanup_free_ char *text = format("{\"boot\": \"this-boot\", \"url\": \"%s\", \"instance-type\": \"ecs.cached\"}", base);
        scratch_put(METADATA_CACHE_PATH, text);
        ck_assert_int_eq(metadata_load(&node, &cached), 0);
        ck_assert_str_eq(cached.instance_type, "ecs.cached");
        ck_assert_ptr_null(cached.zone);
        stop();
}
END_TEST

static int cache(const char *text, int64_t now, Metadata *ret) {
        return metadata_cache_parse(text, strlen(text), "b", "http://u", now, ret);
}

START_TEST(caches) {
        static const char *const malformed[] = { "", "[]", "{}", "{\"boot\": \"b\"}", "{\"boot\": \"b\", \"url\": \"http://u\"}",
                                                 "{\"boot\": \"b\", \"url\": \"http://u\", \"instance-type\": \"a b\"}",
                                                 "{\"boot\": 1, \"url\": \"http://u\", \"instance-type\": \"a\"}" };
        _cleanup_metadata_ Metadata m = {}, silent = {};

        for (size_t i = 0; i < ELEMENTSOF(malformed); i++)
                ck_assert_int_eq(cache(malformed[i], 0, &m), -EBADMSG);
        ck_assert_int_eq(cache("{\"boot\": \"a\", \"url\": \"http://u\", \"instance-type\": \"x\"}", 0, &m), -ESTALE);
        ck_assert_int_eq(cache("{\"boot\": \"b\", \"url\": \"http://v\", \"instance-type\": \"x\"}", 0, &m), -ESTALE);
        ck_assert_int_eq(cache("{\"boot\": \"b\", \"url\": \"http://u\", \"silent\": \"why\", \"until\": 5000}", 5001, &m), -ESTALE);
        ck_assert_int_eq(cache("{\"boot\": \"b\", \"url\": \"http://u\", \"silent\": \"why\", \"until\": 5000}", 4000, &silent), 0);
        ck_assert_str_eq(silent.missing, "why");
        ck_assert_int_eq(cache("{\"boot\": \"b\", \"url\": \"http://u\", \"instance-type\": \"x\", \"zone-id\": \"z\"}", 0, &m), 0);
        ck_assert_str_eq(m.instance_type, "x");
        ck_assert_str_eq(m.zone, "z");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("http");
        TCase *t = tcase_create("http");

        tcase_add_checked_fixture(t, scratch_begin, scratch_end);
        tcase_add_test(t, whole_answers);
        tcase_add_test(t, parts_of_an_answer);
        tcase_add_test(t, no_answers);
        tcase_add_test(t, bases_are_numeric_addresses);
        tcase_add_test(t, token_first_then_plain);
        tcase_add_test(t, hostile_services);
        tcase_add_test(t, nobody_listens);
        tcase_add_test(t, another_root_is_never_asked);
        tcase_add_test(t, caches);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
