/* SPDX-License-Identifier: Apache-2.0 */
/* What tells a state of the repository from an older one that somebody serves again: a number that only grows, and perhaps a date after
 * which it is not to be believed. They stand in repomd.xml, as content tags, which dnf keeps and ignores: what signs and spreads repomd.xml
 * signs and spreads them.
 *
 *     <tags><content>gn8v-tee:serial=12</content><content>gn8v-tee:expires=2030-01-31T00:00:00Z</content></tags> */
#pragma once

#include "basic/error.h"
#include "basic/strings.h"

typedef struct Freshness {
        uint64_t serial; /* the generation's number; 0: repomd.xml has none */
        int64_t expires; /* seconds, UTC; 0: never */
} Freshness;

/* Appends the <tags> element; nothing without a serial. */
void freshness_append(Text *t, const Freshness *f);
/* Takes one content tag: 1 when it was ours, 0 when not, -EBADMSG when it is malformed or said twice. */
int freshness_take(Freshness *f, const char *content);
/* "2030-01-31T00:00:00Z", owned by the caller; NULL: out of memory. */
char *freshness_date(int64_t seconds) _must_check_;
/* $SOURCE_DATE_EPOCH, else the clock: seconds, UTC. */
int freshness_now(int64_t *ret, Error *e);
/* For judging: the clock, or $SOURCE_DATE_EPOCH if that is later. Build machines set it to the past, which must not keep an old state fresh. */
int freshness_clock(int64_t *ret, Error *e);

/* -ESTALE/EXIT_DIFFERS when the serial is below known (a replay of an older state), or the date of expiry has passed. name is for messages. */
int freshness_check(const Freshness *f, uint64_t known, int64_t now, const char *name, Error *e);
