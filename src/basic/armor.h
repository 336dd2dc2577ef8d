/* SPDX-License-Identifier: Apache-2.0 */
/* Base64, and OpenPGP's ASCII armor (RFC 4880, section 6). */
#pragma once

#include "basic/macro.h"

/* Base64 in one line (RFC 4648, section 4), owned by the caller; NULL when out of memory. */
char *base64_encode(const void *data, size_t size) _must_check_;

/* Binary OpenPGP packets as text: armor of "PUBLIC KEY BLOCK" or "SIGNATURE", NUL-terminated, owned by the caller. */
char *openpgp_armor(const char *kind, const void *data, size_t size) _must_check_;
/* The packets of one armored block: -EBADMSG unless text is that, all of it there, with the right sum (gpg overlooks some damage that other
 * readers refuse). *ret is owned by the caller. */
int openpgp_dearmor(const char *text, void **ret, size_t *ret_size);
bool openpgp_armor_is_whole(const char *text);
