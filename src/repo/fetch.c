/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/fetch.h"

#include <poll.h>
#include <time.h>

#include "basic/fs.h"
#include "repo/transfer.h"

#define PARALLEL 4
#define WAIT_MS  1000

typedef struct Fetch {
        Store *store;
        const FetchOptions *options;
        CURLM *multi;
        Transfer *transfers;
        size_t n_transfers, n_running;
} Fetch;

void fetch_item_clear(FetchItem *item) {
        free(item->ret_sha256);
        free(item->ret_url);
        item->warnings = strv_free(item->warnings);
        item->ret_sha256 = item->ret_url = NULL;
}

static int64_t now_us(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void fetch_clear(Fetch *f) {
        for (size_t i = 0; i < f->n_transfers; i++) {
                if (f->transfers[i].state == TRANSFER_RUNNING)
                        (void) curl_multi_remove_handle(f->multi, f->transfers[i].easy);
                transfer_clear(&f->transfers[i]);
        }
        free(f->transfers);
        if (f->multi)
                (void) curl_multi_cleanup(f->multi);
}

/* What the store has is done; of the rest, what is the sum of the bytes still to come? */
static int collect(Fetch *f, FetchItem *items, size_t n, uint64_t *ret_need, Error *e) {
        uint64_t need = 0;
        int r;

        f->transfers = calloc(n, sizeof(Transfer));
        if (!f->transfers)
                return error_oom(e);
        for (size_t i = 0; i < n; i++) {
                Transfer *t = &f->transfers[f->n_transfers];

                if (items[i].sha256 && store_size(f->store, items[i].sha256, &items[i].ret_size) >= 0)
                        continue;
                if (strv_length(items[i].urls) == 0)
                        return error_set(e, EINVAL, EXIT_INVALID, "%s: has no URL", items[i].label);
                f->n_transfers++;
                r = transfer_init(t, f->store, &items[i], f->options, e);
                if (r < 0)
                        return r;
                if (items[i].sha256)
                        t->counted = MIN(store_partial_size(f->store, t->partial), items[i].size);
                if (items[i].size > t->counted && __builtin_add_overflow(need, items[i].size - t->counted, &need))
                        return error_set(e, EOVERFLOW, EXIT_NO_SPACE, "%s: more bytes are needed than can be counted", f->store->path);
        }
        *ret_need = need;
        return 0;
}

static int check_space(const Fetch *f, uint64_t need, Error *e) {
        uint64_t space;
        int r;

        if (free_space(f->store->path, &space) < 0 || space >= need)
                return 0;
        r = error_set(e, ENOSPC, EXIT_NO_SPACE, "%s: %ju bytes are to be fetched, %ju are free", f->store->path, (uintmax_t) need,
                      (uintmax_t) space);
        return error_hint(e, r, "Free %ju MiB there, or put the workspace (-C) on a larger disk",
                          (uintmax_t) ((need - space + 1048575) / 1048576));
}

static void tell(const Fetch *f, const Transfer *t) {
        if (t->state == TRANSFER_DONE && f->options->done)
                f->options->done(t->item, f->options->userdata);
}

static int start(Fetch *f, Transfer *t, Error *e) {
        int r;

        r = transfer_prepare(t, e);
        if (r < 0)
                return r;
        if (r > 0) {
                r = transfer_accept(t, e);
                tell(f, t);
                return r;
        }
        if (curl_multi_add_handle(f->multi, t->easy) != CURLM_OK) {
                t->state = TRANSFER_FAILED;
                return error_set(e, EIO, EXIT_FAILED, "%s: libcurl does not take this request", t->url);
        }
        f->n_running++;
        return 0;
}

/* Starts what may start. *ret_wait_ms: until when nothing here changes; -1: everything has ended. */
static int start_some(Fetch *f, int *ret_wait_ms, Error *e) {
        unsigned parallel = f->options->parallel > 0 ? f->options->parallel : PARALLEL;
        int64_t now = now_us();
        int wait_ms = f->n_running > 0 ? WAIT_MS : -1;

        for (size_t i = 0; i < f->n_transfers; i++) {
                Transfer *t = &f->transfers[i];

                while (f->n_running < parallel &&
                       (t->state == TRANSFER_QUEUED || (t->state == TRANSFER_WAITING && t->retry_at_us <= now))) {
                        int r = start(f, t, e);

                        if (r < 0)
                                return r;
                        wait_ms = 0;
                }
                if (t->state == TRANSFER_QUEUED && wait_ms < 0)
                        wait_ms = WAIT_MS;
                if (t->state == TRANSFER_WAITING) {
                        int left = (int) (MAX(t->retry_at_us - now, (int64_t) 0) / 1000) + 1;

                        wait_ms = wait_ms < 0 ? left : MIN(wait_ms, left);
                }
        }
        *ret_wait_ms = wait_ms;
        return 0;
}

static int finish_some(Fetch *f, Error *e) {
        CURLMsg *m;
        int left, r;

        while ((m = curl_multi_info_read(f->multi, &left))) {
                CURLcode code = m->data.result;
                CURL *easy = m->easy_handle;
                Transfer *t = NULL;
                char *private = NULL;

                if (m->msg != CURLMSG_DONE || curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private) != CURLE_OK)
                        continue;
                t = (Transfer *) (void *) private;
                (void) curl_multi_remove_handle(f->multi, easy);
                f->n_running--;
                t->state = TRANSFER_FAILED;
                r = transfer_finish(t, code, now_us(), e);
                if (r < 0)
                        return r;
                tell(f, t);
        }
        return 0;
}

static int wait_for_bytes(Fetch *f, int wait_ms) {
#if LIBCURL_VERSION_NUM >= 0x074200
        return curl_multi_poll(f->multi, NULL, 0, wait_ms, NULL) == CURLM_OK ? 0 : -EIO;
#else
        int n = 0;

        if (curl_multi_wait(f->multi, NULL, 0, wait_ms, &n) != CURLM_OK)
                return -EIO;
        /* Without a descriptor to watch (a name being looked up) the older call comes back at once. */
        if (n == 0 && wait_ms > 0)
                (void) poll(NULL, 0, MIN(wait_ms, 50));
        return 0;
#endif
}

static int loop(Fetch *f, Error *e) {
        for (;;) {
                int running, wait_ms, r;

                r = start_some(f, &wait_ms, e);
                if (r < 0 || wait_ms < 0)
                        return r;
                if (curl_multi_perform(f->multi, &running) != CURLM_OK)
                        return error_set(e, EIO, EXIT_FAILED, "libcurl failed");
                /* Fewer run than were started: some have ended, and want to be looked at. */
                if (wait_for_bytes(f, running > 0 || f->n_running == 0 ? wait_ms : 0) < 0)
                        return error_set(e, EIO, EXIT_FAILED, "libcurl failed");
                r = finish_some(f, e);
                if (r < 0)
                        return r;
        }
}

/* Every item that failed, with each of its URLs' reasons, in one error; the worst of the codes is its code. */
static int summarize(Fetch *f, Error *e) {
        _cleanup_text_ Text text = {};
        _cleanup_free_ char *all = NULL;
        const char *hint = NULL;
        ExitCode worst = EXIT_OK;

        for (size_t i = 0; i < f->n_transfers; i++) {
                Transfer *t = &f->transfers[i];

                if (t->state == TRANSFER_DONE)
                        continue;
                text_printf(&text, "%s%s: not fetched\n%s", text.size > 0 ? "\n" : "", t->item->label,
                            t->reasons.data ? t->reasons.data : "");
                if (worst != EXIT_UNTRUSTED)
                        worst = t->worst;
                if (!hint || t->worst == EXIT_UNTRUSTED)
                        hint = t->hint ? t->hint : hint;
        }
        if (text.size == 0)
                return 0;
        all = text_take(&text);
        if (!all)
                return error_oom(e);
        (void) error_set(e, worst == EXIT_UNTRUSTED ? EBADMSG : EHOSTUNREACH, worst, "%s", all);
        if (!hint)
                hint = worst == EXIT_UNTRUSTED
                                       ? "What came is not what is pinned: do not use it; ask the vendor, then correct the release file"
                                       : "Check the network or the proxy (https_proxy), and run this again: it continues";
        return error_hint(e, worst == EXIT_UNTRUSTED ? -EBADMSG : -EHOSTUNREACH, "%s", hint);
}

/* Nothing stays in partial/ that no later run would continue. */
static void remove_useless(Fetch *f) {
        for (size_t i = 0; i < f->n_transfers; i++) {
                Transfer *t = &f->transfers[i];

                if (t->state != TRANSFER_DONE && (!t->item->sha256 || t->restart || store_partial_size(f->store, t->partial) == 0))
                        (void) store_partial_remove(f->store, t->partial);
        }
}

int fetch_all(Store *store, FetchItem *items, size_t n, const FetchOptions *options, Error *e) {
        static const FetchOptions no_options = {};
        _cleanup_(fetch_clear) Fetch f = { .store = store, .options = options ? options : &no_options };
        uint64_t need = 0;
        int r;

        if (n == 0)
                return 0;
        r = collect(&f, items, n, &need, e);
        if (r < 0 || f.n_transfers == 0)
                return r;
        r = check_space(&f, need, e);
        if (r < 0)
                return r;
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || !(f.multi = curl_multi_init()))
                return error_set(e, ENOMEM, EXIT_FAILED, "libcurl cannot be started");
        if (f.options->progress)
                f.options->progress->total += need;
        r = loop(&f, e);
        if (r >= 0)
                r = summarize(&f, e);
        else if (e && e->code == EXIT_NO_SPACE)
                (void) error_hint(e, r, "Free space there, or put the workspace (-C) on a larger disk, and run this again: it continues");
        remove_useless(&f);
        return r;
}
