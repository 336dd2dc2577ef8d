/* SPDX-License-Identifier: Apache-2.0 */
/* One small HTTP/1.1 request (RFC 9112), for a server at a numeric address that may be anybody: bounded in bytes and in time. */
#pragma once

#include <sys/types.h>

#include "basic/clock.h"
#include "basic/error.h"

#define HTTP_ANSWER_MAX ((size_t) 64 * 1024) /* of status line, fields and body together */

typedef struct HttpAnswer {
        unsigned status; /* 100 to 599 */
        char *body;      /* NUL-terminated, at most HTTP_ANSWER_MAX bytes; may hold NULs of its own */
        size_t size;
} HttpAnswer;

void http_answer_free(HttpAnswer *a);
#define _cleanup_http_answer_ _cleanup_(http_answer_free)

/* What has been received so far. 1: whole, *ret is filled; 0: more is needed; -EBADMSG: no HTTP answer; -ENOMEM. ended: nothing more will come. */
int http_parse(const char *data, size_t size, bool ended, HttpAnswer *ret);

/* Sends METHOD (base's path)(path) with the fields (each "Name: value", NULL-terminated) to base, "http://ADDRESS[:PORT][/PATH]", the address
 * numeric: nobody's name server is asked. Until deadline (clock_ms()): after it -ETIMEDOUT when nobody took the connection, -ETIME when no whole
 * answer came. -EINVAL: base or a field is malformed; -EBADMSG: the answer is; -EFBIG: it is too long; else -errno of the connection.
 * Redirections are answers, and not followed. */
int http_request(const char *base, const char *method, const char *path, const char *const *fields, int64_t deadline, HttpAnswer *ret);
