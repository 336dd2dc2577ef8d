/* SPDX-License-Identifier: Apache-2.0 */
/* Where a source is: at one URL, or at one of those that a mirror list or a metalink names, as the .repo files of distributions and companies do. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "basic/error.h"

#define MIRROR_LIST_MAX   (1024u * 1024) /* bytes of a list */
#define MIRROR_PLACES_MAX 32             /* as many of its places are tried */

typedef enum MirrorPlaceKind { MIRROR_AT_URL, MIRROR_AT_LIST, MIRROR_AT_METALINK } MirrorPlaceKind;

typedef struct MirrorPlaces {
        char **urls;   /* base URLs without a slash at their ends, in the order in which they are tried; at least one */
        char *sha256;  /* what the metalink says of repomd.xml; NULL: nothing does */
        uint64_t size; /* the same in bytes */
} MirrorPlaces;
void mirror_places_clear(MirrorPlaces *p);

/* What a user gave as a source: "URL", "mirrorlist:URL" or "metalink:URL"; *ret is the URL in it. */
MirrorPlaceKind mirror_place_kind(const char *source, const char **ret);

/* A mirror list (a base URL a line, # begins a comment) or a metalink (Metalink 3.0, see metalink.h: repomd.xml's size and SHA-256, places by preference).
 * from: the URL it came from. Places by other protocols are passed over; so is file: from a server, and http in a mirror list that came by https, because
 * nothing else says what has to be there. -EBADMSG: EXIT_INVALID, malformed or without a place; EXIT_UNTRUSTED, a metalink without SHA-256. */
int mirror_places_parse(MirrorPlaceKind kind, const char *text, size_t size, const char *from, MirrorPlaces *ret, Error *e);
