/* SPDX-License-Identifier: Apache-2.0 */
/* One item on its way: the URL being tried, the partial file, the digest so far. fetch.c schedules, request.c asks and listens,
 * transfer.c judges. */
#pragma once

#include <curl/curl.h>

#include "repo/digest-lane.h"
#include "repo/fetch.h"

typedef enum TransferState { TRANSFER_QUEUED, TRANSFER_RUNNING, TRANSFER_WAITING, TRANSFER_DONE, TRANSFER_FAILED } TransferState;

typedef struct Transfer {
        TransferState state;
        FetchItem *item;
        Store *store;
        const FetchOptions *options;
        CURL *easy;
        char curl_error[CURL_ERROR_SIZE];
        size_t url_index;
        char *url;              /* the one being read: item->urls[url_index], or where it redirects to */
        bool redirected;
        unsigned redirects, attempts, total_attempts;
        int64_t retry_at_us;
        char *partial;          /* name below partial/ */
        int fd;
        DigestLane digest;
        uint64_t start, offset; /* bytes in the partial file when this attempt began, and now */
        uint64_t furthest;      /* where any attempt came to: beyond it is progress */
        uint64_t counted;       /* told to the progress bar */
        bool begun;             /* the body's first byte was judged */
        bool discard;           /* the body is a redirect's own */
        bool restart;           /* the partial file is worth nothing */
        bool mixed;             /* the partial file is of more than one attempt */
        bool is_short;          /* the server says that the whole file has fewer bytes than expected */
        uint64_t discarded;
        size_t headers;         /* bytes of this request's answers before their bodies */
        uint64_t range_start, range_total; /* of Content-Range; UINT64_MAX: not said */
        Error refusal;          /* why a callback ended the transfer */
        Text reasons;           /* one line for each failed URL */
        ExitCode worst;
        char *hint;
} Transfer;

int transfer_init(Transfer *t, Store *store, FetchItem *item, const FetchOptions *options, Error *e);
void transfer_clear(Transfer *t);

/* Prepares t->easy for the present URL and opens the partial file; 1: nothing to load, the partial file is whole already. */
int transfer_prepare(Transfer *t, Error *e);
/* The partial file is whole: judges it by digest and check, and sets t->state. */
int transfer_accept(Transfer *t, Error *e);
/* After libcurl has ended with code: sets t->state. An error means that the whole run must end (disk, memory). */
int transfer_finish(Transfer *t, CURLcode code, int64_t now_us, Error *e);

/* For request.c: makes the partial file empty, and starts its digest anew. */
int transfer_drop_partial(Transfer *t, Error *e);

/* request.c. Sets all of libcurl's options for the present URL and offset. */
int request_prepare(Transfer *t, Error *e);
/* Judges status, range and size when the first byte of a body comes, or none; false: refused, t->refusal says why. */
bool request_begin_body(Transfer *t);
