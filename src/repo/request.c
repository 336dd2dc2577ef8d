/* SPDX-License-Identifier: Apache-2.0 */
/* One request of a transfer: what is asked of libcurl, and what is accepted of the answer, byte by byte. */
#include <fcntl.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/transfer.h"

#define DISCARD_MAX (1024 * 1024) /* of a redirect's own body */
#define HEADERS_MAX (256 * 1024)
#define SMALL_MAX   (4u * 1024 * 1024)

static bool is_http(const Transfer *t) {
        return !startswith(t->url, "file:");
}

/* A refusal ends this attempt at this URL; restart: the next attempt begins at byte 0. */
static size_t refuse(Transfer *t, ExitCode code, const char *fmt, ...) _printf_(3, 4);
static size_t refuse(Transfer *t, ExitCode code, const char *fmt, ...) {
        _cleanup_free_ char *what = NULL;
        va_list ap;

        va_start(ap, fmt);
        what = format_va(fmt, ap);
        va_end(ap);
        (void) error_set(&t->refusal, EIO, code, "%s", what ? what : "out of memory");
        return 0;
}

static uint64_t size_limit(const Transfer *t) {
        return t->item->size > 0 ? t->item->size : t->item->size_max > 0 ? t->item->size_max : UINT64_MAX;
}

/* The server's word on the whole file's size, before a byte of it is kept. */
static bool accept_size(Transfer *t, uint64_t whole) {
        uint64_t limit = size_limit(t), space;

        if (whole > limit) {
                if (t->item->size > 0)
                        refuse(t, EXIT_UNTRUSTED, "has %ju bytes, expected are %ju", (uintmax_t) whole, (uintmax_t) limit);
                else
                        refuse(t, EXIT_UNTRUSTED, "has %ju bytes, at most %ju are taken", (uintmax_t) whole, (uintmax_t) limit);
                return false;
        }
        t->is_short = whole < t->item->size;
        if (t->item->size == 0 && free_space(t->store->path, &space) >= 0 && whole - MIN(whole, t->offset) > space) {
                refuse(t, EXIT_NO_SPACE, "%s: %ju bytes are needed, %ju are free", t->store->path, (uintmax_t) (whole - t->offset),
                       (uintmax_t) space);
                return false;
        }
        return true;
}

static bool begin_range(Transfer *t) {
        if (t->range_start != t->start) {
                t->restart = true;
                refuse(t, EXIT_UNREACHABLE, "answered with another part of the file than was asked for");
                return false;
        }
        return t->range_total == UINT64_MAX || accept_size(t, t->range_total);
}

/* At the first byte of the body (or its absence): is this the file, all of it or the part that was asked for? */
bool request_begin_body(Transfer *t) {
        _cleanup_error_ Error e = ERROR_INIT;
        curl_off_t length = -1;
        long status = 0;
        uint64_t whole;

        t->begun = true;
        (void) curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        (void) curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        if (is_http(t) && status >= 300 && status < 400) {
                t->discard = true;
                return true;
        }
        if (is_http(t) && status == 206 && t->start > 0) {
                if (!begin_range(t))
                        return false;
        } else if (is_http(t) && status != 200) {
                refuse(t, EXIT_UNREACHABLE, "HTTP status %ld", status);
                return false;
        } else if (is_http(t) && t->start > 0 && transfer_drop_partial(t, &e) < 0) {
                /* The server does not do ranges: it starts from the beginning, and so do we. */
                refuse(t, e.code, "%s", e.message ? e.message : "out of memory");
                return false;
        }
        if (length >= 0 && !__builtin_add_overflow(t->offset, (uint64_t) length, &whole))
                return accept_size(t, whole);
        return true;
}

static size_t on_body(char *data, size_t size, size_t n, void *userdata) {
        Transfer *t = userdata;
        int r;

        if (__builtin_mul_overflow(size, n, &size) || (!t->begun && !request_begin_body(t)))
                return 0;
        if (t->discard) {
                t->discarded += size;
                return t->discarded <= DISCARD_MAX ? size : refuse(t, EXIT_UNREACHABLE, "an endless redirect");
        }
        if (size > size_limit(t) - t->offset)
                return refuse(t, EXIT_UNTRUSTED, "sends more than the %ju bytes that are %s", (uintmax_t) size_limit(t),
                              t->item->size > 0 ? "expected" : "taken");
        r = digest_lane_update(&t->digest, data, size);
        if (r < 0)
                return refuse(t, r == -ENOSPC || r == -EDQUOT ? EXIT_NO_SPACE : EXIT_FAILED, "%s/partial/%s: %s", t->store->path,
                              t->partial, strerror(-r));
        t->offset += size;
        if (t->offset > t->counted) {
                progress_step(t->options->progress, t->offset - t->counted);
                t->counted = t->offset;
        }
        return size;
}

/* "bytes START-END/TOTAL" (RFC 9110, 14.4); anything else leaves "not said", which no start matches. */
static void parse_content_range(Transfer *t, const char *value) {
        _cleanup_free_ char *start = NULL, *total = NULL;
        const char *s, *slash;

        value += strspn(value, " \t");
        if (strncasecmp(value, "bytes ", 6) != 0)
                return;
        s = value + 6 + strspn(value + 6, " ");
        start = strndup(s, strcspn(s, "-"));
        slash = strchr(s, '/');
        if (slash)
                total = strndup(slash + 1, strcspn(slash + 1, " \t\r\n"));
        if (!start || parse_u64(start, &t->range_start) < 0)
                t->range_start = UINT64_MAX;
        if (!total || parse_u64(total, &t->range_total) < 0)
                t->range_total = UINT64_MAX;
}

static size_t on_header(char *data, size_t size, size_t n, void *userdata) {
        static const char name[] = "content-range:";
        Transfer *t = userdata;
        _cleanup_free_ char *line = NULL;

        if (__builtin_mul_overflow(size, n, &size))
                return 0;
        /* libcurl keeps them all, and reads on for ever. */
        t->headers += size;
        if (t->headers > HEADERS_MAX)
                return refuse(t, EXIT_UNREACHABLE, "its answer has headers without end");
        line = strndup(data, size);
        if (!line)
                return 0;
        /* Each response starts over: what an interim or a proxy's answer said is not this file's. */
        if (startswith(line, "HTTP/"))
                t->range_start = t->range_total = UINT64_MAX;
        else if (strncasecmp(line, name, sizeof(name) - 1) == 0)
                parse_content_range(t, line + sizeof(name) - 1);
        return size;
}

/* HOST or HOST:PORT of an http URL, without user and password. */
static void url_host(const char *url, const char **ret, size_t *ret_host, size_t *ret_with_port) {
        const char *s = strstr(url, "://"), *at;
        size_t n, host;

        s = s ? s + 3 : url;
        n = strcspn(s, "/?#\\");
        at = memrchr(s, '@', n);
        if (at) {
                n -= (size_t) (at + 1 - s);
                s = at + 1;
        }
        host = *s == '[' ? strcspn(s, "]") + 1 : strcspn(s, ":");
        *ret = s;
        *ret_host = MIN(host, n);
        *ret_with_port = n;
}

/* The Referer for a URL's host, owned by the caller; NULL: none. */
static char *referer_for(char *const *referers, const char *url) {
        const char *host;
        size_t bare, full;

        url_host(url, &host, &bare, &full);
        STRV_FOREACH(r, referers) {
                size_t n = strcspn(*r, " \t");

                if ((n == bare || n == full) && n > 0 && strncasecmp(*r, host, n) == 0)
                        return strdup(*r + n + strspn(*r + n, " \t"));
        }
        return NULL;
}

static CURLcode set_protocols(CURL *easy, bool redirected) {
#if LIBCURL_VERSION_NUM >= 0x075500
        return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, redirected ? "http,https" : "http,https,file");
#else
        return curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long) (CURLPROTO_HTTP | CURLPROTO_HTTPS | (redirected ? 0 : CURLPROTO_FILE)));
#endif
}

/* What a server is shown, it gets only where the request was for it, and not where that was led to. */
static bool set_tls(CURL *c, const FetchOptions *o, bool redirected) {
        if (o->ca_file && curl_easy_setopt(c, CURLOPT_CAINFO, o->ca_file) != CURLE_OK)
                return false;
        if (!o->client_cert || redirected)
                return true;
        return curl_easy_setopt(c, CURLOPT_SSLCERT, o->client_cert) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_SSLKEY, o->client_key ? o->client_key : o->client_cert) == CURLE_OK;
}

/* Its share, with all of them at work. */
static bool set_rate(CURL *c, const FetchOptions *o) {
        uint64_t share = o->rate / (o->parallel > 0 ? o->parallel : 4);

        return o->rate == 0 || curl_easy_setopt(c, CURLOPT_MAX_RECV_SPEED_LARGE, (curl_off_t) MAX(share, UINT64_C(2048))) == CURLE_OK;
}

int request_prepare(Transfer *t, Error *e) {
        _cleanup_free_ char *range = t->start > 0 ? format("%ju-", (uintmax_t) t->start) : NULL;
        _cleanup_free_ char *referer = referer_for(t->item->referers, t->url);
        long timeout = t->options->timeout_sec > 0 ? (long) t->options->timeout_sec : 30;
        CURL *c = t->easy;

        curl_easy_reset(c);
        t->headers = 0;
        t->curl_error[0] = '\0';
        (void) curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 262144L); /* refused after some failures: only slower */
        /* Redirects are followed here, one by one: each hop's scheme is judged, and the Referer is for one host only. */
        if (curl_easy_setopt(c, CURLOPT_URL, t->url) != CURLE_OK ||
            set_protocols(c, t->redirected) != CURLE_OK || !set_tls(c, t->options, t->redirected) || !set_rate(c, t->options) ||
            curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK ||
            curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L) != CURLE_OK ||
            curl_easy_setopt(c, CURLOPT_USERAGENT, "gn8v-tee-repo/" GN8V_VERSION) != CURLE_OK ||
            curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, timeout) != CURLE_OK ||
            curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1024L) != CURLE_OK ||
            curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, timeout) != CURLE_OK ||
            /* A small file of unknown size must not come drop by drop. */
            curl_easy_setopt(c, CURLOPT_TIMEOUT, t->item->size == 0 && t->item->size_max > 0 && t->item->size_max <= SMALL_MAX ? 10 * timeout : 0L) != CURLE_OK ||
            curl_easy_setopt(c, CURLOPT_RANGE, range) != CURLE_OK ||
            /* Of the host that is asked, and of no other: a redirect's target is a request of its own. */
            curl_easy_setopt(c, CURLOPT_NETRC, (long) CURL_NETRC_OPTIONAL) != CURLE_OK ||
            curl_easy_setopt(c, CURLOPT_REFERER, referer) != CURLE_OK ||
            curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->curl_error) != CURLE_OK ||
            curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK ||
            curl_easy_setopt(c, CURLOPT_WRITEDATA, t) != CURLE_OK ||
            curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) != CURLE_OK ||
            curl_easy_setopt(c, CURLOPT_HEADERDATA, t) != CURLE_OK ||
            curl_easy_setopt(c, CURLOPT_PRIVATE, t) != CURLE_OK)
                return error_set(e, EIO, EXIT_FAILED, "%s: libcurl does not take this request", t->url);
        return 0;
}
