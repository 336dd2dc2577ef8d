/* SPDX-License-Identifier: Apache-2.0 */
/* Downloads from a server that behaves badly in every way we could think of: one thread, one connection at a time. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "basic/digest.h"
#include "basic/fs.h"
#include "repo/fetch.h"
#include "run.h"

#define BODY_SIZE 100000
#define FLAKY_SIZE 32768 /* bytes a connection lives for */

static char body[BODY_SIZE];
static char hex[SHA256_HEX_SIZE];
static char *workspace;
static Store *store;
static int listener = -1;
static unsigned port;
static int requests;
static unsigned timeout_sec = 10, attempts;
static char *last_request;

/* ---- The server ---- */

static void put(int fd, const void *data, size_t size) {
        while (size > 0) {
                ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

                if (n <= 0)
                        return;
                data = (const char *) data + n;
                size -= (size_t) n;
        }
}

static void answer(int fd, const char *status, const char *headers, const void *data, size_t size) {
        _cleanup_free_ char *head = format("HTTP/1.1 %s\r\nConnection: close\r\n%s\r\n", status, headers);

        put(fd, head, strlen(head));
        put(fd, data, size);
}

static void whole(int fd, size_t said, size_t sent) {
        _cleanup_free_ char *length = format("Content-Length: %zu\r\n", said);

        answer(fd, "200 OK", length, body, sent);
}

static void range(int fd, size_t from, size_t shift, size_t most) {
        _cleanup_free_ char *headers = NULL;

        if (from >= BODY_SIZE) {
                answer(fd, "416 Range Not Satisfiable", "Content-Length: 0\r\n", NULL, 0);
                return;
        }
        headers = format("Content-Length: %zu\r\nContent-Range: bytes %zu-%d/%d\r\n", BODY_SIZE - from, from + shift, BODY_SIZE - 1, BODY_SIZE);
        answer(fd, "206 Partial Content", headers, body + from, MIN(BODY_SIZE - from, most));
}

static void endless(int fd, const char *status, const char *headers) {
        char *zeros = calloc(1, 65536);

        answer(fd, status, headers, NULL, 0);
        while (send(fd, zeros, 65536, MSG_NOSIGNAL) > 0)
                ;
        free(zeros);
}

static void redirect(int fd, const char *to) {
        _cleanup_free_ char *headers = format("Location: %s\r\nContent-Length: 5\r\n", to);

        answer(fd, "302 Found", headers, "moved", 5);
}

static void serve(int fd, const char *request) {
        const char *r = strstr(request, "Range: bytes=");
        size_t from = r ? strtoul(r + 13, NULL, 10) : 0;
        const char *path = request + 4;
        _cleanup_free_ char *other = format("http://localhost:%u/file", port);

        if (startswith(path, "/file "))
                r ? range(fd, from, 0, SIZE_MAX) : whole(fd, BODY_SIZE, BODY_SIZE);
        else if (startswith(path, "/norange "))
                whole(fd, BODY_SIZE, BODY_SIZE);
        else if (startswith(path, "/shifted "))
                r ? range(fd, from, 7, SIZE_MAX) : whole(fd, BODY_SIZE, BODY_SIZE);
        else if (startswith(path, "/flaky "))
                r ? range(fd, from, 0, FLAKY_SIZE) : whole(fd, BODY_SIZE, FLAKY_SIZE);
        else if (startswith(path, "/truncated "))
                r ? answer(fd, "503 Service Unavailable", "", NULL, 0) : whole(fd, BODY_SIZE, BODY_SIZE / 2);
        else if (startswith(path, "/unframed ")) /* no length: its end is the connection's */
                answer(fd, "200 OK", "", body, BODY_SIZE / 2);
        else if (startswith(path, "/huge "))
                endless(fd, "200 OK", "Content-Length: 1152921504606846976\r\n");
        else if (startswith(path, "/endless "))
                endless(fd, "200 OK", "");
        else if (startswith(path, "/endless-redirect "))
                endless(fd, "302 Found", "Location: /file\r\n");
        else if (startswith(path, "/empty "))
                answer(fd, "200 OK", "Content-Length: 0\r\n", NULL, 0);
        else if (startswith(path, "/not-modified "))
                answer(fd, "304 Not Modified", "", NULL, 0);
        else if (startswith(path, "/loop "))
                redirect(fd, "/loop");
        else if (startswith(path, "/to-file "))
                redirect(fd, "file:///etc/passwd");
        else if (startswith(path, "/to-ftp "))
                redirect(fd, "ftp://localhost/file");
        else if (startswith(path, "/moved "))
                redirect(fd, "/file");
        else if (startswith(path, "/other-host "))
                redirect(fd, other);
        else if (startswith(path, "/busy ") && requests < 3)
                answer(fd, "503 Service Unavailable", "Content-Length: 4\r\n", "busy", 4);
        else if (startswith(path, "/busy "))
                whole(fd, BODY_SIZE, BODY_SIZE);
        else if (startswith(path, "/stalled ")) {
                char c;

                whole(fd, BODY_SIZE, BODY_SIZE / 2);
                (void) !recv(fd, &c, 1, 0); /* until the client has had enough */
        } else if (startswith(path, "/garbage "))
                put(fd, body, 1000);
        else if (startswith(path, "/nothing "))
                ;
        else
                answer(fd, "404 Not Found", "Content-Length: 9\r\n", "not here\n", 9);
}

static void *server(void *unused) {
        for (;;) {
                int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                char request[4096];
                size_t n = 0;

                if (fd < 0)
                        return NULL;
                do {
                        ssize_t k = recv(fd, request + n, sizeof(request) - 1 - n, 0);

                        if (k <= 0)
                                break;
                        n += (size_t) k;
                        request[n] = '\0';
                } while (!strstr(request, "\r\n\r\n") && n < sizeof(request) - 1);
                if (n > 4) {
                        requests++;
                        free(last_request);
                        last_request = strdup(request);
                        serve(fd, request);
                }
                (void) shutdown(fd, SHUT_WR);
                safe_close(fd);
        }
}

static pthread_t thread;

static void setup(void) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(a);

        for (size_t i = 0; i < BODY_SIZE; i++)
                body[i] = (char) (i * 31 + i / 251);
        ck_assert_int_eq(sha256_buffer(body, BODY_SIZE, hex), 0);
        listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(bind(listener, (struct sockaddr *) &a, sizeof(a)), 0);
        ck_assert_int_eq(listen(listener, 16), 0);
        ck_assert_int_eq(getsockname(listener, (struct sockaddr *) &a, &size), 0);
        port = ntohs(a.sin_port);
        ck_assert_int_eq(pthread_create(&thread, NULL, server, NULL), 0);
        ck_assert_int_eq(make_temp_dir("/tmp", "gn8v-fetch", &workspace), 0);
        ck_assert_int_eq(store_open(workspace, true, &store, NULL), 0);
        ck_assert_int_eq(setenv("no_proxy", "*", 1), 0);
}

static void teardown(void) {
        (void) shutdown(listener, SHUT_RDWR);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        listener = safe_close(listener);
        free(last_request);
        last_request = NULL;
        store = store_free(store);
        ck_assert_int_eq(remove_tree(AT_FDCWD, workspace), 0);
        free(workspace);
}

/* ---- One file ---- */

typedef struct Result {
        int r;
        Error e;
        FetchItem item;
} Result;

static void result_clear(Result *x) {
        error_clear(&x->e);
        fetch_item_clear(&x->item);
}
#define _cleanup_result_ _cleanup_(result_clear)

/* Paths beginning with '/' are the server's; others are whole URLs. */
static Result get(FetchItem item, const char *const *paths) {
        _cleanup_strv_ char **urls = NULL;
        FetchOptions options = { .timeout_sec = timeout_sec, .attempts = attempts, .backoff_ms = 5 };
        Result x = { .item = item };

        for (; *paths; paths++) {
                _cleanup_free_ char *url = **paths == '/' ? format("http://127.0.0.1:%u%s", port, *paths) : strdup(*paths);

                ck_assert_int_eq(strv_append(&urls, url), 0);
        }
        x.item.label = "test: file";
        x.item.filename = "file.run";
        x.item.urls = urls;
        x.r = fetch_all(store, &x.item, 1, &options, &x.e);
        return x;
}
#define get_one(item, path) get(item, (const char *const[]){ path, NULL })
#define PINNED ((FetchItem){ .sha256 = hex, .size = BODY_SIZE })

static bool partial_is(size_t size) {
        return store_partial_size(store, hex) == size;
}

static size_t count(const char *dir) {
        _cleanup_free_ char *path = format("%s/store/%s", workspace, dir);
        struct stat st;

        ck_assert_int_eq(stat(path, &st), 0);
        return st.st_nlink; /* directories */
}

static void leave_partial(const void *data, size_t size) {
        uint64_t old;
        _cleanup_close_ int fd = store_partial_open(store, hex, &old, NULL);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write_all(fd, data, size), 0);
}

static void check_taken(const Result *x) {
        _cleanup_free_ char *data = NULL, *path = store_path(store, hex);
        size_t size;

        ck_assert_msg(x->r == 0, "%s", x->e.message ? x->e.message : "?");
        ck_assert_int_eq(read_file(AT_FDCWD, path, BODY_SIZE, &data, &size), 0);
        ck_assert_uint_eq(size, BODY_SIZE);
        ck_assert_mem_eq(data, body, BODY_SIZE);
        ck_assert_uint_eq(x->item.ret_size, BODY_SIZE);
        ck_assert_str_eq(x->item.ret_sha256, hex);
        ck_assert(partial_is(0));
}

static void check_refused(const Result *x, ExitCode code, const char *said) {
        ck_assert_int_lt(x->r, 0);
        ck_assert_msg(x->e.code == code, "%d: %s", x->e.code, x->e.message);
        ck_assert_msg(strstr(x->e.message, said), "%s", x->e.message);
        ck_assert_ptr_nonnull(x->e.hint);
        ck_assert(!store_has(store, hex));
        ck_assert_uint_eq(count("sha256"), 2);
}

static const char *const taken[] = { "/file", "/norange", "/moved", "/busy", "/flaky", "/shifted" };
START_TEST(takes) {
        _cleanup_result_ Result x = get_one(PINNED, taken[_i]);

        check_taken(&x);
        ck_assert_ptr_nonnull(strstr(last_request, "User-Agent: gn8v-tee-repo/"));
}
END_TEST

START_TEST(continues) {
        _cleanup_result_ Result x = {};

        leave_partial(body, 60000);
        x = get_one(PINNED, taken[_i]);
        check_taken(&x);
        if (streq(taken[_i], "/file"))
                ck_assert_ptr_nonnull(strstr(last_request, "Range: bytes=60000-"));
}
END_TEST

/* Whatever lies in partial/: what comes out has the digest. */
START_TEST(continues_nothing_foreign) {
        _cleanup_result_ Result x = {};

        leave_partial("something else", 14);
        x = get_one(PINNED, taken[_i]);
        check_taken(&x);
}
END_TEST

START_TEST(continues_without_a_size) {
        _cleanup_result_ Result x = {};

        leave_partial(body, _i == 0 ? 60000 : BODY_SIZE);
        x = get_one(((FetchItem){ .sha256 = hex }), "/file");
        check_taken(&x);
}
END_TEST

START_TEST(whole_partial_needs_no_server) {
        _cleanup_result_ Result x = {};

        leave_partial(body, BODY_SIZE);
        x = get_one(PINNED, "/file");
        check_taken(&x);
        ck_assert_int_eq(requests, 0);
}
END_TEST

START_TEST(first_use) {
        _cleanup_result_ Result x = get_one(((FetchItem){ .size_max = BODY_SIZE }), "/flaky");

        /* Without a digest nothing says that two parts are of one file. */
        ck_assert_int_lt(x.r, 0);
        ck_assert_int_eq(x.e.code, EXIT_UNREACHABLE);
        result_clear(&x);
        x = get_one(((FetchItem){ .size_max = BODY_SIZE }), "/file");
        check_taken(&x);
        ck_assert_ptr_null(strstr(last_request, "Range:"));
}
END_TEST

START_TEST(present_is_not_fetched) {
        _cleanup_result_ Result x = get_one(PINNED, "/file"), again = {};
        int before;

        check_taken(&x);
        before = requests;
        again = get_one(PINNED, "/file");
        ck_assert_int_eq(again.r, 0);
        ck_assert(!again.item.done);
        ck_assert_int_eq(requests, before);
}
END_TEST

static const struct { const char *path, *said; ExitCode code; } refused[] = {
        { "/none", "HTTP status 404", EXIT_UNREACHABLE },
        { "/not-modified", "HTTP status 304", EXIT_UNREACHABLE },
        { "/loop", "more than 10 times", EXIT_UNREACHABLE },
        { "/to-file", "file:///etc/passwd", EXIT_UNREACHABLE },
        { "/to-ftp", "neither http nor https", EXIT_UNREACHABLE },
        { "/endless-redirect", "endless", EXIT_UNREACHABLE },
        { "/empty", "empty", EXIT_UNREACHABLE },
        { "/huge", "has 1152921504606846976 bytes", EXIT_UNTRUSTED },
        { "/endless", "more than the 100000 bytes", EXIT_UNTRUSTED },
        { "/garbage", "/garbage: ", EXIT_UNREACHABLE },
        { "/nothing", "/nothing: ", EXIT_UNREACHABLE },
};
START_TEST(refuses) {
        _cleanup_result_ Result x = get_one(PINNED, refused[_i].path);

        check_refused(&x, refused[_i].code, refused[_i].said);
}
END_TEST

START_TEST(keeps_what_was_broken_off) {
        _cleanup_result_ Result x = get_one(PINNED, _i == 0 ? "/truncated" : "/unframed"), again = {};

        check_refused(&x, EXIT_UNREACHABLE, _i == 0 ? "HTTP status 503" : "50000 of 100000 bytes");
        ck_assert(partial_is(50000));
        again = get_one(PINNED, "/file");
        check_taken(&again);
        ck_assert_ptr_nonnull(strstr(last_request, "Range: bytes=50000-"));
}
END_TEST

START_TEST(does_not_wait_for_ever) {
        _cleanup_result_ Result x = {};

        timeout_sec = attempts = 1;
        x = get_one(PINNED, "/stalled");
        check_refused(&x, EXIT_UNREACHABLE, "(50000 of 100000 bytes)");
        ck_assert(partial_is(50000));
}
END_TEST

START_TEST(first_use_is_bounded) {
        _cleanup_result_ Result x = get_one(((FetchItem){ .size_max = 1000 }), _i == 0 ? "/file" : "/endless");

        check_refused(&x, EXIT_UNTRUSTED, _i == 0 ? "at most 1000" : "more than the 1000 bytes");
        ck_assert(partial_is(0));
}
END_TEST

START_TEST(mismatch) {
        char wrong[SHA256_HEX_SIZE];
        _cleanup_free_ char *kept = format("%s/store/rejected/file.run.%s", workspace, hex);
        _cleanup_result_ Result x = {};

        ck_assert_int_eq(sha256_buffer("x", 1, wrong), 0);
        x = get_one(((FetchItem){ .sha256 = wrong, .hint = "do this" }), "/file");
        check_refused(&x, EXIT_UNTRUSTED, hex);
        ck_assert_ptr_nonnull(strstr(x.e.message, wrong));
        ck_assert_ptr_nonnull(strstr(x.e.message, kept));
        ck_assert_str_eq(x.e.hint, "do this");
        ck_assert_int_eq(access(kept, F_OK), 0);
        ck_assert_uint_eq(store_partial_size(store, wrong), 0);
}
END_TEST

START_TEST(goes_on_to_the_next_url) {
        static const char *const urls[] = { "/none", "http://127.0.0.1:1/x", "/loop", "/endless", "/file", "/never", NULL };
        _cleanup_result_ Result x = get(PINNED, urls);

        check_taken(&x);
        ck_assert(endswith(x.item.ret_url, "/file"));
        ck_assert_uint_eq(strv_length(x.item.warnings), 1);
        ck_assert_ptr_nonnull(strstr(x.item.warnings[0], "/none: HTTP status 404"));
}
END_TEST

START_TEST(tells_every_reason) {
        static const char *const urls[] = { "/none", "file:///nonexistent/file", "/loop", NULL };
        _cleanup_result_ Result x = get(PINNED, urls);

        check_refused(&x, EXIT_UNREACHABLE, "/none: HTTP status 404");
        ck_assert_ptr_nonnull(strstr(x.e.message, "file:///nonexistent/file: "));
        ck_assert_ptr_nonnull(strstr(x.e.message, "/loop: redirects"));
}
END_TEST

/* What is advised is about what failed, and worst of all is a wrong file, from whichever URL it came. */
START_TEST(advises) {
        static const struct {
                const char *const urls[3], *absent, *hint, *advice;
        } v[] = {
                { { "/none" }, NULL, NULL, "URL= in the release file" },
                { { "/none" }, "look there", NULL, "look there" },
                { { "file:///nonexistent/file" }, "look there", NULL, "look there" },
                { { "http://127.0.0.1:1/x" }, "look there", NULL, "Check the network" },
                { { "/none", "/file" }, "look there", "do this", "do this" },
                { { "/file", "/none" }, "look there", NULL, "not what is pinned" },
        };
        char wrong[SHA256_HEX_SIZE];
        _cleanup_result_ Result x = {};

        ck_assert_int_eq(sha256_buffer("x", 1, wrong), 0);
        attempts = 1;
        x = get(((FetchItem){ .sha256 = wrong, .hint = v[_i].hint, .absent_hint = v[_i].absent }), v[_i].urls);
        ck_assert_ptr_nonnull(strstr(x.e.hint, v[_i].advice));
}
END_TEST

START_TEST(referer_stays_with_its_host) {
        _cleanup_free_ char *with_port = format("127.0.0.1:%u http://vendor.example/", port);
        char *const wrong[] = { (char *) "127.0.0.1.example http://vendor.example/", (char *) "7.0.0.1 http://vendor.example/", NULL };
        char *const bare[] = { (char *) "127.0.0.1 http://vendor.example/", NULL }, *const full[] = { with_port, NULL };
        _cleanup_result_ Result x = {};
        FetchItem item = PINNED;

        item.referers = _i == 0 ? wrong : _i == 1 ? full : bare;
        x = get_one(item, _i == 2 ? "/other-host" : _i == 3 ? "/moved" : "/file");
        check_taken(&x);
        ck_assert_int_eq(strstr(last_request, "Referer: http://vendor.example/") != NULL, _i == 1 || _i == 3);
}
END_TEST

static int check_no(FetchItem *item, const char *path, Error *e) {
        ck_assert_ptr_eq(item->userdata, workspace);
        ck_assert_int_eq(access(path, R_OK), 0);
        return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: not signed", path);
}

START_TEST(check_keeps_it_out) {
        FetchItem item = PINNED;
        _cleanup_result_ Result x = {};

        item.check = check_no;
        item.userdata = workspace;
        x = get_one(item, "/file");
        check_refused(&x, EXIT_UNTRUSTED, "/file: not signed; kept aside as ");
        ck_assert(partial_is(0));
}
END_TEST

START_TEST(one_failure_does_not_stop_the_others) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *good = format("http://127.0.0.1:%u/file", port), *bad = format("http://127.0.0.1:%u/none", port);
        char *good_urls[] = { good, NULL }, *bad_urls[] = { bad, NULL };
        FetchItem items[] = {
                { .label = "the bad", .filename = "f", .urls = bad_urls, .size_max = BODY_SIZE },
                { .label = "the good", .filename = "f", .urls = good_urls, .size_max = BODY_SIZE },
        };

        ck_assert_int_lt(fetch_all(store, items, 2, NULL, &e), 0);
        ck_assert_ptr_nonnull(strstr(e.message, "the bad: not fetched"));
        ck_assert_ptr_null(strstr(e.message, "the good"));
        ck_assert(!items[0].done && items[1].done);
        ck_assert(store_has(store, hex));
        for (size_t i = 0; i < 2; i++)
                fetch_item_clear(&items[i]);
}
END_TEST

START_TEST(no_space) {
        FetchItem item = { .sha256 = hex, .size = UINT64_C(1) << 60 };
        _cleanup_result_ Result x = get_one(item, "/file");

        check_refused(&x, EXIT_NO_SPACE, "bytes are to be fetched");
        ck_assert_int_eq(requests, 0);
}
END_TEST

int main(void) {
        Suite *s = suite_create("fetch");
        TCase *t = tcase_create("fetch");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, takes, 0, ELEMENTSOF(taken));
        tcase_add_loop_test(t, continues, 0, ELEMENTSOF(taken));
        tcase_add_loop_test(t, continues_nothing_foreign, 0, ELEMENTSOF(taken));
        tcase_add_loop_test(t, continues_without_a_size, 0, 2);
        tcase_add_test(t, whole_partial_needs_no_server);
        tcase_add_test(t, first_use);
        tcase_add_test(t, present_is_not_fetched);
        tcase_add_loop_test(t, refuses, 0, ELEMENTSOF(refused));
        tcase_add_loop_test(t, keeps_what_was_broken_off, 0, 2);
        tcase_add_test(t, does_not_wait_for_ever);
        tcase_add_loop_test(t, first_use_is_bounded, 0, 2);
        tcase_add_test(t, mismatch);
        tcase_add_test(t, goes_on_to_the_next_url);
        tcase_add_test(t, tells_every_reason);
        tcase_add_loop_test(t, advises, 0, 6);
        tcase_add_loop_test(t, referer_stays_with_its_host, 0, 4);
        tcase_add_test(t, check_keeps_it_out);
        tcase_add_test(t, one_failure_does_not_stop_the_others);
        tcase_add_test(t, no_space);
        suite_add_tcase(s, t);
        return run_suite(s);
}
