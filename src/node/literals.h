/* SPDX-License-Identifier: Apache-2.0 */
/* Many literal strings looked for at once, in one pass over the text (Aho and Corasick, 1975): what makes a log of gigabytes readable in
 * seconds, since a regular expression is only tried where its literal part is. */
#pragma once

#include "basic/error.h"

typedef struct Literals Literals;
Literals *literals_new(void); /* NULL when out of memory */
Literals *literals_free(Literals *l);
DEFINE_CLEANUP(Literals, literals_free);
/* Before literals_finish(). Their number is the order in which they were added, from 0. -ENOMEM, -E2BIG. */
int literals_add(Literals *l, const char *s);
int literals_finish(Literals *l);
/* Sets hits[number] of each literal that is in the text (others are left alone); true if there is any. */
bool literals_scan(const Literals *l, const char *text, size_t size, bool *hits);
