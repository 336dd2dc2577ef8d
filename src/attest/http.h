/* SPDX-License-Identifier: Apache-2.0 */
/* Small answers over HTTP, many at once: one pool of connections, one limit of time for everything that goes through it. */
#pragma once

#include "basic/error.h"
#include "basic/strings.h"

typedef struct Http Http;
/* All requests together may take timeout_ms, from now on. *ret is owned by the caller. */
int http_new(int64_t timeout_ms, Http **ret, Error *e);
Http *http_free(Http *h);
DEFINE_CLEANUP(Http, http_free);

typedef struct HttpRequest {
        const char *url;
        const char *const *headers; /* NULL-terminated, or NULL */
        const void *body;           /* NULL: GET, else POST */
        size_t body_size;
        size_t max;                 /* bytes of the answer */
        /* What became of it: exactly one of these is set. */
        Text answer;  /* status 200 */
        char *failure; /* why there is no answer; names the URL */
        bool missing; /* with a failure: the server says that there is no such thing (404) */
} HttpRequest;
void http_request_clear(HttpRequest *r);

/* Sends them together and waits for all. http and https only, also where a server redirects to, and never from https to http.
 * -ENOMEM, -EIO; what goes wrong with a request is in the request. */
int http_run(Http *h, HttpRequest *requests, size_t n, Error *e);
/* Whether text is an http or https URL without blanks, control characters or a login. */
bool http_url_is_valid(const char *text);
