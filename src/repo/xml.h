/* SPDX-License-Identifier: Apache-2.0 */
/* Reads rpm-md's XML, which somebody else may have written: no document types, no entities, no network, bounded depth. */
#pragma once

#include <libxml/xmlreader.h>

#include "basic/error.h"

/* A reader that sees one element after the other; text arrives with the element it is in. */
typedef struct Xml {
        xmlTextReader *reader;
        const char *name; /* for messages */
        Error *e;
        char *problem; /* libxml2's first complaint */
        bool foreign;  /* not written by us */
        bool plain;    /* a "<package" in it always begins an element */
} Xml;

/* text has to live as long as x; name is for messages. */
int xml_open(Xml *x, const char *text, size_t size, const char *name, Error *e);
void xml_done(Xml *x);
/* -EBADMSG/EXIT_INVALID, with the name of the file. */
int xml_bad(Xml *x, const char *what);
/* The next node: 1, 0 at the end, or negative. */
int xml_next(Xml *x);
/* The name of the element that begins here, without its prefix; else "". */
const char *xml_element(Xml *x);
/* Whether an element of this depth ends here. */
bool xml_ends(Xml *x, int depth);

/* What may be said once only: -EBADMSG with `what` when *ret is there already, or there is nothing to take. Takes value. */
int xml_take(Xml *x, char *value, char **ret, const char *what);
int xml_take_text(Xml *x, char **ret, const char *what);
int xml_take_attribute(Xml *x, const char *attribute, char **ret, const char *what);
/* The text's number, or that of an attribute. */
int xml_take_number(Xml *x, const char *attribute, uint64_t *ret, const char *what);
/* SHA-1, MD5 and what nobody knows are no digests: a signature over them would sign nothing. */
int xml_take_checksum(Xml *x, char **ret, const char **ret_digest, const char *what);
/* A path below the repository that begins with prefix, and is on no other server. */
int xml_take_href(Xml *x, char **ret, const char *prefix);
