/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that somebody else owns, and their two texts: hexadecimal and base64. Strict: what is not exactly such a text is -EBADMSG. */
#pragma once

#include "basic/macro.h"

typedef struct Bytes {
        const uint8_t *data; /* NULL: there are none */
        size_t size;
} Bytes;

/* Lower-case hex, owned by the caller; NULL when out of memory. */
char *hex_encode(const void *data, size_t size) _must_check_;
/* Hex digits of either case; with blanks, white space between them is skipped. *ret is owned by the caller. -EBADMSG, -ENOMEM. */
int hex_decode(const char *text, size_t length, bool blanks, uint8_t **ret, size_t *ret_size);

/* RFC 4648, section 4 (padded); with blanks, white space is skipped, as in PEM and XML. *ret is owned by the caller. */
int base64_decode(const char *text, size_t length, bool blanks, uint8_t **ret, size_t *ret_size);
/* RFC 4648, section 5, without padding, as in a JWT. Owned by the caller; NULL when out of memory. */
char *base64url_encode(const void *data, size_t size) _must_check_;
