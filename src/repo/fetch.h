/* SPDX-License-Identifier: Apache-2.0 */
/* Downloads into the store: http, https and file, several at a time, each from its URLs in order, the digest taken on the way. */
#pragma once

#include "basic/exit-code.h"
#include "basic/progress.h"
#include "basic/strings.h"
#include "repo/store.h"

typedef struct FetchItem FetchItem;

/* Judges a whole downloaded file before it enters the store: 0, or -errno with e filled; then it goes to rejected/. */
typedef int (*FetchCheck)(FetchItem *item, const char *path, Error *e);

struct FetchItem {
        /* What is wanted; borrowed from the caller. */
        const char *label;      /* for messages and the bar */
        const char *filename;   /* for a rejected file's name */
        char *const *urls;      /* tried in order */
        char *const *referers;  /* "HOST REFERER": sent to that host and to no other */
        uint64_t size;          /* bytes; 0: not known */
        uint64_t size_max;      /* refuse more, when size is not known */
        const char *sha256;     /* hex; NULL: first use, whatever comes */
        const char *hint;       /* what to do when the file is another; or NULL */
        const char *absent_hint; /* what to do when there is no such file; NULL: what is to be done about a release file's URL= */
        bool size_is_seen;      /* the size was only seen before: a shorter file is another file, not a broken one */
        bool is_fleeting;       /* another file tomorrow: one that is wrong is not put aside */
        FetchCheck check;       /* or NULL */
        void *userdata;
        /* What came. */
        bool done;
        char *ret_sha256;       /* owned: fetch_item_clear() */
        uint64_t ret_size;
        char *ret_url;          /* of urls, the one that had it */
        char **warnings;        /* what went wrong before it worked */
};

void fetch_item_clear(FetchItem *item);

typedef struct FetchOptions {
        unsigned parallel;     /* 0: 4 */
        unsigned timeout_sec;  /* to connect, and to go without 1 KB a second; 0: 30 */
        unsigned attempts;     /* per URL, for what may pass (no connection, broken off, 5xx); 0: 3 */
        unsigned backoff_ms;   /* before the second attempt, doubled for each further one; 0: 250 */
        uint64_t rate;         /* bytes a second, of all downloads together; 0: as fast as it goes */
        const char *ca_file;   /* PEM: who may have signed a server's certificate; NULL: whom the system trusts */
        const char *client_cert, *client_key; /* PEM: what a server is shown that asks for it; or NULL */
        Progress *progress;    /* or NULL */
        void (*done)(const FetchItem *item, void *userdata); /* told of each finished item; or NULL */
        void *userdata;
} FetchOptions;

/* Fetches what the store does not have; with everything there, nothing is opened or connected. No two items may have one digest or,
 * without, one first URL. Every item is tried, whatever happens to the others (but for a full disk, which ends it all), and the error
 * tells each URL's reason: EXIT_UNTRUSTED when a digest, size or check was wrong, EXIT_NO_SPACE, else EXIT_UNREACHABLE. The partial file
 * of an item with a known digest is kept, and continued next time. */
int fetch_all(Store *store, FetchItem *items, size_t n, const FetchOptions *options, Error *e);
