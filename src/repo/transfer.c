/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/transfer.h"

#include <fcntl.h>

#include "basic/fs.h"

#define REDIRECTS_MAX      10
#define TOTAL_ATTEMPTS_MAX 100
#define BACKOFF_US         INT64_C(250000)
#define BACKOFF_MAX_US     8000000
#define READ_SIZE          (256 * 1024)

/* A file whose digest is known is named by it, so that any URL continues what another began; else by its first URL. */
static char *partial_name(const FetchItem *item) {
        char hex[SHA256_HEX_SIZE];

        if (item->sha256)
                return strdup(item->sha256);
        if (!item->urls || sha256_buffer(item->urls[0], strlen(item->urls[0]), hex) < 0)
                return NULL;
        return format("url-%s", hex);
}

int transfer_init(Transfer *t, Store *store, FetchItem *item, const FetchOptions *options, Error *e) {
        *t = (Transfer){ .item = item, .store = store, .options = options, .fd = -1, .worst = EXIT_OK };
        t->partial = partial_name(item);
        t->easy = curl_easy_init();
        if (!t->partial || !t->easy)
                return error_oom(e);
        return 0;
}

void transfer_clear(Transfer *t) {
        if (t->easy)
                curl_easy_cleanup(t->easy);
        free(t->url);
        free(t->partial);
        digest_lane_clear(&t->digest);
        t->fd = safe_close(t->fd);
        error_clear(&t->refusal);
        text_free(&t->reasons);
        free(t->hint);
        t->easy = NULL;
        t->url = t->partial = t->hint = NULL;
}

int transfer_drop_partial(Transfer *t, Error *e) {
        if (digest_lane_begin(&t->digest) < 0)
                return error_oom(e);
        if (ftruncate(t->fd, 0) < 0 || lseek(t->fd, 0, SEEK_SET) < 0)
                return error_errno(e, errno, "%s/partial/%s", t->store->path, t->partial);
        t->start = t->offset = 0;
        t->mixed = false;
        return digest_lane_write_to(&t->digest, t->fd);
}

/* The digest's state is not kept on disk: it is computed again from the bytes that are really there. */
static int digest_partial(Transfer *t, Error *e) {
        _cleanup_free_ char *buffer = malloc(READ_SIZE);

        if (!buffer)
                return error_oom(e);
        if (lseek(t->fd, 0, SEEK_SET) < 0)
                return error_errno(e, errno, "%s/partial/%s", t->store->path, t->partial);
        for (;;) {
                ssize_t n = read(t->fd, buffer, READ_SIZE);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_errno(e, errno, "%s/partial/%s", t->store->path, t->partial);
                if (n == 0)
                        break;
                if (digest_lane_update(&t->digest, buffer, (size_t) n) < 0)
                        return error_set(e, EIO, EXIT_FAILED, "cannot compute a digest");
                t->offset += (uint64_t) n;
        }
        return digest_lane_write_to(&t->digest, t->fd) < 0 ? error_set(e, EIO, EXIT_FAILED, "cannot compute a digest") : 0;
}

/* What a first use left behind is not continued: nothing would say that both halves are of one file. */
static int open_partial(Transfer *t, Error *e) {
        uint64_t size = t->offset;
        int r;

        if (t->fd < 0) {
                t->fd = store_partial_open(t->store, t->partial, &size, e);
                if (t->fd < 0)
                        return t->fd;
                if (size > 0 && t->item->sha256 && (t->item->size == 0 || size <= t->item->size)) {
                        t->offset = 0;
                        r = digest_lane_begin(&t->digest) < 0 ? error_oom(e) : digest_partial(t, e);
                        if (r < 0)
                                return r;
                } else
                        t->restart = true;
        }
        if (t->restart || !t->item->sha256) {
                r = transfer_drop_partial(t, e);
                if (r < 0)
                        return r;
        }
        t->restart = false;
        t->start = t->offset;
        t->mixed = t->offset > 0;
        t->furthest = MAX(t->furthest, t->offset);
        return 0;
}

int transfer_prepare(Transfer *t, Error *e) {
        int r;

        if (!t->url) {
                t->url = strdup(t->item->urls[t->url_index]);
                t->redirected = false;
                t->redirects = 0;
                if (!t->url)
                        return error_oom(e);
        }
        r = open_partial(t, e);
        if (r < 0)
                return r;
        if (t->item->size > 0 && t->offset == t->item->size)
                return 1;
        t->begun = t->discard = t->is_short = false;
        t->discarded = 0;
        t->range_start = t->range_total = UINT64_MAX;
        error_clear(&t->refusal);
        t->state = TRANSFER_RUNNING;
        return request_prepare(t, e);
}

static int fail_url(Transfer *t, ExitCode code, const char *reason) {
        text_printf(&t->reasons, "%s  %s: %s", t->reasons.size > 0 ? "\n" : "", t->item->urls[t->url_index], reason);
        if (t->worst == EXIT_OK || code == EXIT_UNTRUSTED)
                t->worst = code;
        free(t->url);
        t->url = NULL;
        t->attempts = t->total_attempts = 0;
        t->url_index++;
        t->state = t->item->urls[t->url_index] ? TRANSFER_QUEUED : TRANSFER_FAILED;
        return 0;
}

/* For what may pass: again after a while, as long as each attempt brings bytes, or a few times without. */
static int try_again(Transfer *t, ExitCode code, const char *reason, int64_t now_us) {
        unsigned most = t->options->attempts > 0 ? t->options->attempts : 3;
        int64_t backoff = t->options->backoff_ms > 0 ? (int64_t) t->options->backoff_ms * 1000 : BACKOFF_US;

        if (t->offset > t->furthest && t->item->sha256) {
                t->furthest = t->offset;
                t->attempts = 0;
        }
        if (++t->attempts >= most || ++t->total_attempts >= TOTAL_ATTEMPTS_MAX)
                return fail_url(t, code, reason);
        free(t->url);
        t->url = NULL; /* a redirect's target may be good once only: start at the URL that is known */
        t->retry_at_us = now_us + MIN(backoff << MIN(t->attempts - 1, 10u), (int64_t) BACKOFF_MAX_US);
        t->state = TRANSFER_WAITING;
        return 0;
}

static int set_hint(Transfer *t, const char *hint) {
        if (!hint || t->hint)
                return 0;
        t->hint = strdup(hint);
        return t->hint ? 0 : -ENOMEM;
}

/* What a URL gave is worse than what another one did not give, and so is what is to be done about it. */
static int set_untrusted_hint(Transfer *t, const char *hint) {
        free(TAKE_PTR(t->hint));
        return set_hint(t, hint);
}

static int reject(Transfer *t, const char *hex, const char *reason, const char *hint, Error *e) {
        _cleanup_free_ char *path = NULL, *all = NULL;
        int r;

        if (t->item->is_fleeting)
                r = store_partial_remove(t->store, t->partial);
        else
                r = store_reject(t->store, t->partial, t->item->filename, hex, &path, e);
        t->fd = safe_close(t->fd);
        t->offset = t->start = 0;
        if (r < 0)
                return t->item->is_fleeting ? error_errno(e, -r, "%s", t->item->label) : r;
        all = path ? format("%s; kept aside as %s", reason, path) : strdup(reason);
        if (!all || set_untrusted_hint(t, hint) < 0)
                return error_oom(e);
        return fail_url(t, EXIT_UNTRUSTED, all);
}

static int run_check(Transfer *t, const char *hex, Error *e) {
        _cleanup_free_ char *path = store_partial_path(t->store, t->partial);
        _cleanup_error_ Error wrong = ERROR_INIT;
        int r;

        if (!path)
                return error_oom(e);
        r = t->item->check(t->item, path, &wrong);
        if (r >= 0)
                return 0;
        if (wrong.code == EXIT_UNTRUSTED || wrong.code == EXIT_INVALID) {
                /* The message names the partial file, which is gone by then: what is behind it is the reason. */
                const char *behind = wrong.message ? startswith(wrong.message, path) : NULL;

                const char *reason = behind && startswith(behind, ": ") ? behind + 2 : wrong.message ? wrong.message : strerror(-r);

                r = reject(t, hex, reason, wrong.hint, e);
                return r < 0 ? r : 1;
        }
        r = error_set(e, -r, wrong.code, "%s", wrong.message ? wrong.message : strerror(-r));
        return wrong.hint ? error_hint(e, r, "%s", wrong.hint) : r;
}

static int keep(Transfer *t, const char *hex, Error *e) {
        FetchItem *item = t->item;
        int r;

        r = store_insert(t->store, t->partial, t->fd, hex, e);
        if (r < 0)
                return r;
        t->fd = safe_close(t->fd);
        item->ret_sha256 = strdup(hex);
        item->ret_url = strdup(item->urls[t->url_index]);
        if (!item->ret_sha256 || !item->ret_url)
                return error_oom(e);
        item->ret_size = t->offset;
        if (t->reasons.size > 0 && (strv_append(&item->warnings, t->reasons.data) < 0))
                return error_oom(e);
        item->done = true;
        t->state = TRANSFER_DONE;
        return 0;
}

/* All bytes are here: the digest decides. A file of two attempts that does not fit is first read again in one piece. */
int transfer_accept(Transfer *t, Error *e) {
        _cleanup_free_ char *hex = NULL, *reason = NULL;
        int r = digest_lane_finish(&t->digest, &hex);

        if (r < 0)
                return error_errno(e, -r, "%s: %s/partial/%s", t->item->label, t->store->path, t->partial);
        if (t->item->sha256 && !streq(hex, t->item->sha256)) {
                if (t->mixed) {
                        t->restart = true;
                        t->furthest = 0;
                        free(t->url);
                        t->url = NULL;
                        t->state = TRANSFER_QUEUED;
                        return 0;
                }
                reason = format("sha256 is %s, expected is %s", hex, t->item->sha256);
                return reason ? reject(t, hex, reason, t->item->hint, e) : error_oom(e);
        }
        if (t->item->check) {
                r = run_check(t, hex, e);
                if (r != 0)
                        return MIN(r, 0);
        }
        return keep(t, hex, e);
}

static int follow(Transfer *t, long status) {
        _cleanup_free_ char *reason = NULL;
        char *next = NULL, *copy;

        (void) curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &next);
        if (!next)
                reason = format("HTTP status %ld without a place to go", status);
        else if (strncasecmp(next, "https://", 8) != 0 && strncasecmp(next, "http://", 7) != 0)
                reason = format("redirects to %s, which is neither http nor https", next);
        else if (strncasecmp(t->url, "https://", 8) == 0 && strncasecmp(next, "https://", 8) != 0)
                reason = format("redirects from https to %s, which is not encrypted", next);
        else if (++t->redirects > REDIRECTS_MAX)
                reason = format("redirects more than %d times", REDIRECTS_MAX);
        else {
                copy = strdup(next);
                if (!copy)
                        return -ENOMEM;
                free(t->url);
                t->url = copy;
                t->redirected = true;
                t->state = TRANSFER_QUEUED;
                return 0;
        }
        return reason ? fail_url(t, EXIT_UNREACHABLE, reason) : -ENOMEM;
}

static bool may_pass(CURLcode code, long status) {
        switch (code) {
        case CURLE_HTTP_RETURNED_ERROR:
                return status >= 500 || status == 408 || status == 429;
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_COULDNT_CONNECT:
        case CURLE_OPERATION_TIMEDOUT:
        case CURLE_PARTIAL_FILE:
        case CURLE_GOT_NOTHING:
        case CURLE_SEND_ERROR:
        case CURLE_RECV_ERROR:
        case CURLE_HTTP2:
        case CURLE_HTTP2_STREAM:
                return true;
        default:
                return false;
        }
}

/* What the answer, or the missing one, asks for; NULL: nothing that is known here. */
static const char *failure_hint(const FetchItem *item, CURLcode code, long status) {
        const char *absent = item->absent_hint;

        switch (code) {
        case CURLE_HTTP_RETURNED_ERROR:
                if (status == 404 || status == 410)
                        return absent ? absent : "The server has no such file (any more): correct URL= in the release file, or add another source";
                if (status == 401 || status == 403 || status == 407)
                        return absent ? "The server does not hand it out: does it want a login (.netrc), a client's certificate (--client-cert) or a proxy (https_proxy)?"
                                      : "The server does not hand it out: does it want a Referer= (release file), a login (.netrc) or a proxy?";
                return may_pass(code, status) ? "The server is in trouble, not the network: run this again later, it continues" : NULL;
        case CURLE_FILE_COULDNT_READ_FILE:
                return absent ? absent : "There is no such file: correct URL= in the release file, or add another source";
        case CURLE_COULDNT_RESOLVE_HOST:
                return "Is the name right? If it is, check name resolution, or name a proxy (https_proxy)";
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
                return absent ? "The server's certificate is not to be trusted: --ca-file names who else may have signed it"
                              : "The server's certificate is not to be trusted: is the clock right, and is its authority known to the system?";
        case CURLE_SSL_CERTPROBLEM:
                return "Look at the files of --client-cert and --client-key";
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL:
                return "Correct the URL";
        default:
                return NULL;
        }
}

static int finish_failed(Transfer *t, CURLcode code, long status, int64_t now_us, Error *e) {
        _cleanup_free_ char *reason = NULL;

        /* 416, and file's or ftp's word for it: there is no byte where the partial file ends. It is of something else. */
        if (t->start > 0 && ((code == CURLE_HTTP_RETURNED_ERROR && status == 416) || code == CURLE_BAD_DOWNLOAD_RESUME ||
                             code == CURLE_RANGE_ERROR)) {
                t->restart = true;
                return try_again(t, EXIT_UNREACHABLE, "the file is shorter than what was read of it before", now_us);
        }
        if (t->worst != EXIT_UNTRUSTED && set_hint(t, failure_hint(t->item, code, status)) < 0)
                return error_oom(e);
        if (code == CURLE_HTTP_RETURNED_ERROR)
                reason = format("HTTP status %ld", status);
        else if (t->offset > 0 && t->item->size > 0)
                reason = format("%s (%ju of %ju bytes)", t->curl_error[0] ? t->curl_error : curl_easy_strerror(code), (uintmax_t) t->offset,
                                (uintmax_t) t->item->size);
        else
                reason = strdup(t->curl_error[0] ? t->curl_error : curl_easy_strerror(code));
        if (!reason)
                return error_oom(e);
        return may_pass(code, status) ? try_again(t, EXIT_UNREACHABLE, reason, now_us) : fail_url(t, EXIT_UNREACHABLE, reason);
}

static int finish_refused(Transfer *t, int64_t now_us, Error *e) {
        const char *message = t->refusal.message;

        /* The disk, not the source: no other URL would help. */
        if (t->refusal.code == EXIT_NO_SPACE || t->refusal.code == EXIT_FAILED)
                return error_set(e, t->refusal.code == EXIT_NO_SPACE ? ENOSPC : EIO, t->refusal.code, "%s: %s", t->item->label, message);
        if (t->restart)
                return try_again(t, t->refusal.code, message, now_us);
        /* What was written of a refused body is not the file: it must not be continued. */
        if (t->refusal.code == EXIT_UNTRUSTED && t->offset > t->start)
                t->restart = true;
        if (t->refusal.code == EXIT_UNTRUSTED && set_untrusted_hint(t, t->item->hint) < 0)
                return error_oom(e);
        return fail_url(t, t->refusal.code, message);
}

int transfer_finish(Transfer *t, CURLcode code, int64_t now_us, Error *e) {
        _cleanup_free_ char *reason = NULL;
        long status = 0;

        (void) curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        if (code == CURLE_OK && !t->begun)
                (void) request_begin_body(t);
        if (t->refusal.message)
                return finish_refused(t, now_us, e);
        if (code != CURLE_OK)
                return finish_failed(t, code, status, now_us, e);
        if (t->discard)
                return follow(t, status) < 0 ? error_oom(e) : 0;
        if (t->offset == 0)
                return fail_url(t, EXIT_UNREACHABLE, "the file is empty");
        if (t->item->size > 0 && t->offset < t->item->size && !(t->is_short && t->item->size_is_seen)) {
                reason = format("ended after %ju of %ju bytes", (uintmax_t) t->offset, (uintmax_t) t->item->size);
                if (!reason)
                        return error_oom(e);
                return t->is_short ? fail_url(t, EXIT_UNREACHABLE, reason) : try_again(t, EXIT_UNREACHABLE, reason, now_us);
        }
        return transfer_accept(t, e);
}
