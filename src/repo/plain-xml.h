/* SPDX-License-Identifier: Apache-2.0 */
/* The plain form of XML in which repositories' metadata come: elements, attributes in double quotes, the usual references. It is read in one pass
 * without a copy; whatever else XML has is refused, and not misread: who meets it asks a real parser. */
#pragma once

#include "basic/strings.h"

#define PLAIN_ATTRIBUTES_MAX 8

/* Of the document, as it stands there: references are not resolved. */
typedef struct Piece {
        const char *s;
        size_t n;
} Piece;

static inline bool piece_is(Piece a, const char *b) {
        return a.n == strlen(b) && memcmp(a.s, b, a.n) == 0;
}

static inline bool piece_same(Piece a, Piece b) {
        return a.n == b.n && memcmp(a.s, b.s, a.n) == 0;
}

typedef struct PlainTag {
        Piece name;
        bool closes, is_empty; /* </name>, <name/> */
        struct {
                Piece name, value;
        } attributes[PLAIN_ATTRIBUTES_MAX];
        size_t n;
} PlainTag;

/* Where the reading is: *end is a NUL. */
typedef struct PlainXml {
        const char *p, *end;
} PlainXml;

/* Whether all bytes are such as may be in it: asked first. */
bool plain_is(const char *text, size_t size);
void plain_skip_space(PlainXml *x);
/* Behind the declaration, if there is one: at the root. */
void plain_begin(PlainXml *x);
/* The tag that begins here. False: none does, or it is not plain. */
bool plain_take_tag(PlainXml *x, PlainTag *t);
/* The text of an element that has no children, and its end; t is its tag. */
bool plain_take_leaf(PlainXml *x, const PlainTag *t, Piece *ret);
/* {}: there is none. */
Piece plain_attribute(const PlainTag *t, const char *name);
/* The reference that begins at s: its character and length; NUL: none that is known. */
char plain_reference(const char *s, const char *end, size_t *ret_length);
