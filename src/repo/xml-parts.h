/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of somebody's XML as pieces of its text, so that they can be passed on as they came. */
#pragma once

#include "basic/error.h"

typedef struct XmlPart {
        const char *name; /* of the element; not a copy, not terminated */
        size_t name_size;
        const char *text; /* the whole element */
        size_t size;
        const char *inner; /* what is in it, up to its end tag; without any: its size is 0 */
        size_t inner_size;
} XmlPart;

/* That text is well-formed UTF-8, its root is called so, and no entity and no declaration of anything is in it: at most a document type's name. Only
 * then may it be cut into pieces. name is for messages. *ret is the root. -EBADMSG/EXIT_INVALID. */
int xml_document(const char *text, size_t size, const char *name, const char *root, XmlPart *ret, Error *e);

/* The elements directly in an element, in order, owned by the caller, without what is between them. -EBADMSG: more than a million, or broken off. */
int xml_children(const XmlPart *parent, XmlPart **ret, size_t *ret_n);

bool xml_part_is(const XmlPart *p, const char *name);
/* The first child of this name, or false. */
bool xml_child(const XmlPart *parent, const char *name, XmlPart *ret);
/* What is in it, without blanks at both ends, as it is written, owned by the caller; NULL: out of memory. */
char *xml_part_text(const XmlPart *p) _must_check_;
/* An attribute's value as it is written, owned by the caller; NULL: there is none, or out of memory. */
char *xml_part_attribute(const XmlPart *p, const char *name) _must_check_;
/* Drops those that are the same bytes as one before them; the others stay in order. 0 or -ENOMEM. */
int xml_parts_drop_repeated(XmlPart *v, size_t *n);
