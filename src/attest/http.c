/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/http.h"

#include <curl/curl.h>
#include <poll.h>

#include "basic/clock.h"

#define CONNECTIONS_MAX 32 /* to one server; with HTTP/2 one does */
#define REDIRECTS_MAX   3
#define HEADERS_MAX     ((size_t) 256 * 1024)
#define WAIT_MS         1000

struct Http {
        CURLM *multi;
        int64_t timeout_ms, deadline_ms;
};

typedef struct Running {
        HttpRequest *request;
        CURL *easy;
        struct curl_slist *headers;
        size_t header_bytes;
        bool too_large, has_endless_headers;
        char why[CURL_ERROR_SIZE];
} Running;

int http_new(int64_t timeout_ms, Http **ret, Error *e) {
        _cleanup_(http_freep) Http *h = calloc(1, sizeof(Http));

        if (!h)
                return error_oom(e);
        h->timeout_ms = timeout_ms;
        h->deadline_ms = clock_ms() + timeout_ms;
        *ret = TAKE_PTR(h);
        return 0;
}

/* Once there is something to ask: many a verdict asks nobody, and libcurl's and its TLS library's pages are not needed then. */
static int begin(Http *h) {
        if (h->multi)
                return 0;
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || !(h->multi = curl_multi_init()))
                return -ENOMEM;
        (void) curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long) CURLPIPE_MULTIPLEX);
        (void) curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long) CONNECTIONS_MAX);
        (void) curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long) CONNECTIONS_MAX);
        return 0;
}

Http *http_free(Http *h) {
        if (h && h->multi)
                (void) curl_multi_cleanup(h->multi);
        free(h);
        return NULL;
}

void http_request_clear(HttpRequest *r) {
        text_free(&r->answer);
        free(r->failure);
        r->failure = NULL;
}

bool http_url_is_valid(const char *text) {
        const char *rest = startswith(text, "https://"), *end;

        if (!rest)
                rest = startswith(text, "http://");
        if (!rest || !*rest || *rest == '/' || strlen(text) > 2048)
                return false;
        for (const char *p = text; *p; p++)
                if (*p <= ' ' || *p > '~' || strchr("\"<>\\^`{|}#", *p))
                        return false;
        end = rest + strcspn(rest, "/?");
        return !memchr(rest, '@', (size_t) (end - rest));
}

static size_t take(char *data, size_t size, size_t n, void *userdata) {
        Running *r = userdata;

        if (__builtin_mul_overflow(size, n, &size) || size > r->request->max - MIN(r->request->answer.size, r->request->max)) {
                r->too_large = true;
                return 0;
        }
        text_append_n(&r->request->answer, data, size);
        return r->request->answer.failed ? 0 : size;
}

/* libcurl keeps all headers, and has no limit. */
static size_t take_header(char *data, size_t size, size_t n, void *userdata) {
        Running *r = userdata;

        if (__builtin_mul_overflow(size, n, &size) || size > HEADERS_MAX - r->header_bytes) {
                r->has_endless_headers = true;
                return 0;
        }
        r->header_bytes += size;
        return size;
}

/* Only what is named here: libcurl's other protocols (file, ftp, ...) are not for servers to choose. */
static void set_protocols(CURL *easy, bool secure) {
#if LIBCURL_VERSION_NUM >= 0x075500
        (void) curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        (void) curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
#else
        (void) curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long) (CURLPROTO_HTTP | CURLPROTO_HTTPS));
        (void) curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS, (long) (secure ? CURLPROTO_HTTPS : CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static int start(Http *h, Running *r, HttpRequest *request, int64_t left_ms) {
        CURL *easy;

        r->request = request;
        r->easy = easy = curl_easy_init();
        if (!easy)
                return -ENOMEM;
        for (const char *const *header = request->headers; header && *header; header++) {
                struct curl_slist *grown = curl_slist_append(r->headers, *header);

                if (!grown)
                        return -ENOMEM;
                r->headers = grown;
        }
        if (curl_easy_setopt(easy, CURLOPT_URL, request->url) != CURLE_OK)
                return -ENOMEM;
        set_protocols(easy, startswith(request->url, "https://"));
        (void) curl_easy_setopt(easy, CURLOPT_PRIVATE, r);
        (void) curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, r->why);
        (void) curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
        (void) curl_easy_setopt(easy, CURLOPT_WRITEDATA, r);
        (void) curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
        (void) curl_easy_setopt(easy, CURLOPT_HEADERDATA, r);
        (void) curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        (void) curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
        (void) curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long) REDIRECTS_MAX);
        (void) curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) left_ms);
        (void) curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) left_ms);
        (void) curl_easy_setopt(easy, CURLOPT_USERAGENT, "gn8v-tee-attest/" GN8V_VERSION);
        (void) curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS);
        (void) curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
        (void) curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
        if (r->headers)
                (void) curl_easy_setopt(easy, CURLOPT_HTTPHEADER, r->headers);
        if (request->body) {
                (void) curl_easy_setopt(easy, CURLOPT_POST, 1L);
                (void) curl_easy_setopt(easy, CURLOPT_POSTREDIR, (long) CURL_REDIR_POST_ALL);
                (void) curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
                (void) curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) request->body_size);
        }
        return curl_multi_add_handle(h->multi, easy) == CURLM_OK ? 0 : -ENOMEM;
}

static int finish(const Http *h, Running *r, CURLcode code) {
        HttpRequest *q = r->request;
        long status = 0;

        (void) curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
        if (q->answer.failed)
                return -ENOMEM;
        if (code == CURLE_OK && status == 200)
                return 0;
        q->missing = code == CURLE_OK && status == 404;
        if (r->too_large)
                q->failure = format("%s: an answer of more than %zu bytes", q->url, q->max);
        else if (r->has_endless_headers)
                q->failure = format("%s: an answer with headers without end", q->url);
        else if (code == CURLE_OK)
                q->failure = format("%s: HTTP status %ld", q->url, status);
        else if (code == CURLE_OPERATION_TIMEDOUT)
                q->failure = format("%s: no answer within %lld ms (--timeout)", q->url, (long long) h->timeout_ms);
        else
                q->failure = format("%s: %s", q->url, r->why[0] ? r->why : curl_easy_strerror(code));
        text_free(&q->answer);
        return q->failure ? 0 : -ENOMEM;
}

static int wait_for_bytes(Http *h) {
#if LIBCURL_VERSION_NUM >= 0x074200
        return curl_multi_poll(h->multi, NULL, 0, WAIT_MS, NULL) == CURLM_OK ? 0 : -EIO;
#else
        int n = 0;

        if (curl_multi_wait(h->multi, NULL, 0, WAIT_MS, &n) != CURLM_OK)
                return -EIO;
        /* Without a descriptor to watch (a name being looked up) the older call comes back at once. */
        if (n == 0)
                (void) poll(NULL, 0, 20);
        return 0;
#endif
}

static int loop(Http *h) {
        int running = 1, left, r;
        CURLMsg *m;

        for (;;) {
                if (curl_multi_perform(h->multi, &running) != CURLM_OK)
                        return -EIO;
                while ((m = curl_multi_info_read(h->multi, &left))) {
                        char *private = NULL;

                        if (m->msg != CURLMSG_DONE || curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private) != CURLE_OK)
                                continue;
                        r = finish(h, (Running *) (void *) private, m->data.result);
                        if (r < 0)
                                return r;
                }
                if (running == 0)
                        return 0;
                if (wait_for_bytes(h) < 0)
                        return -EIO;
        }
}

int http_run(Http *h, HttpRequest *requests, size_t n, Error *e) {
        int64_t left_ms = h->deadline_ms - clock_ms();
        Running *all = calloc(MAX(n, (size_t) 1), sizeof(Running));
        int r = all ? begin(h) : -ENOMEM;

        for (size_t i = 0; r == 0 && i < n; i++)
                if (left_ms > 0)
                        r = start(h, &all[i], &requests[i], left_ms);
                else if (!(requests[i].failure = format("%s: not asked any more: the time is over (--timeout)", requests[i].url)))
                        r = -ENOMEM;
        if (r == 0)
                r = loop(h);
        for (size_t i = 0; all && i < n; i++) {
                if (!all[i].easy)
                        continue;
                (void) curl_multi_remove_handle(h->multi, all[i].easy);
                curl_easy_cleanup(all[i].easy);
                curl_slist_free_all(all[i].headers);
        }
        free(all);
        return r == 0 ? 0 : r == -ENOMEM ? error_oom(e) : error_set(e, -r, EXIT_FAILED, "libcurl failed");
}
