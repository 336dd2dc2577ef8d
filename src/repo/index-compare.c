/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/index-compare.h"

#include "basic/strings.h"
#include "repo/xml.h"

static const char *const files[INDEX_STREAMS] = { "primary.xml", "filelists.xml", "other.xml" };

/* A package's XML alone has no declaration of the prefix that it uses. */
static int wrap(const char *text, size_t size, char **ret, Error *e) {
        _cleanup_text_ Text t = {};

        text_append(&t, "<m xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">");
        text_append_n(&t, text, size);
        text_append(&t, "</m>");
        *ret = text_take(&t);
        return *ret ? 0 : error_oom(e);
}

/* The next element or text: with their depths, these tell a document; 0 at the end. */
static int next_token(Xml *x) {
        int r;

        while ((r = xml_next(x)) > 0)
                switch (xmlTextReaderNodeType(x->reader)) {
                case XML_READER_TYPE_ELEMENT:
                case XML_READER_TYPE_TEXT:
                case XML_READER_TYPE_CDATA:
                        return 1;
                default:
                        break;
                }
        return r;
}

static const char *name_of(Xml *x) {
        const xmlChar *s = xmlTextReaderConstName(x->reader);
        return s ? (const char *) s : "";
}

static bool same_attributes(Xml *a, Xml *b) {
        /* The time of the package file depends on who copied it. */
        bool is_time = streq(name_of(a), "time");

        if (xmlTextReaderAttributeCount(a->reader) != xmlTextReaderAttributeCount(b->reader))
                return false;
        while (xmlTextReaderMoveToNextAttribute(a->reader) > 0) {
                xmlChar *other = xmlTextReaderGetAttribute(b->reader, xmlTextReaderConstName(a->reader));
                const char *value = (const char *) xmlTextReaderConstValue(a->reader);
                bool same = other && value && (streq(value, (const char *) other) || (is_time && streq(name_of(a), "file")));

                xmlFree(other);
                if (!same)
                        return false;
        }
        (void) xmlTextReaderMoveToElement(a->reader);
        return true;
}

static bool same_token(Xml *a, Xml *b) {
        const xmlChar *x = xmlTextReaderConstValue(a->reader), *y = xmlTextReaderConstValue(b->reader);

        return xmlTextReaderNodeType(a->reader) == xmlTextReaderNodeType(b->reader) && xmlTextReaderDepth(a->reader) == xmlTextReaderDepth(b->reader) &&
               streq(name_of(a), name_of(b)) && (!x) == (!y) && (!x || streq((const char *) x, (const char *) y)) && same_attributes(a, b);
}

/* What a reader knows: of a dependency, which kind it is; of a text, the element that it is in. */
static void note_name(Xml *x, const char *names[static 8], char *kept[static 8]) {
        int depth = xmlTextReaderDepth(x->reader);

        if (xmlTextReaderNodeType(x->reader) != XML_READER_TYPE_ELEMENT || depth >= 8)
                return;
        free(kept[depth]);
        names[depth] = kept[depth] = strdup(name_of(x));
        for (int i = depth + 1; i < 8; i++)
                names[i] = NULL;
}

static char *describe(size_t stream, const char *const names[static 8]) {
        const char *deepest = "package";

        for (size_t i = 2; i < 8 && names[i]; i++)
                if (!streq(names[i], "rpm:entry") && !streq(names[i], "format"))
                        deepest = names[i];
        return format("%s has another <%s>", files[stream], deepest);
}

static int compare_stream(size_t stream, const char *ours, const char *theirs, char **ret_what, Error *e) {
        _cleanup_(xml_done) Xml a = {}, b = {};
        const char *names[8] = {};
        char *kept[8] = {};
        int r, q;

        if ((r = xml_open(&a, ours, strlen(ours), files[stream], e)) < 0 || (r = xml_open(&b, theirs, strlen(theirs), files[stream], e)) < 0)
                return r;
        while ((r = next_token(&a)) >= 0 && (q = r, r = next_token(&b)) >= 0) {
                /* The deeper one is still in what differs. */
                if (q > 0 || r > 0)
                        note_name(q == 0 || (r > 0 && xmlTextReaderDepth(b.reader) > xmlTextReaderDepth(a.reader)) ? &b : &a, names, kept);
                if (q != r || (q > 0 && !same_token(&a, &b))) {
                        *ret_what = describe(stream, names);
                        r = *ret_what ? 1 : error_oom(e);
                        break;
                }
                if (q == 0)
                        break;
        }
        for (size_t i = 0; i < ELEMENTSOF(kept); i++)
                free(kept[i]);
        return r;
}

int index_compare(const IndexEntry *expected, const XmlFragment got[static INDEX_STREAMS], char **ret_what, Error *e) {
        for (size_t i = 0; i < INDEX_STREAMS; i++) {
                _cleanup_free_ char *ours = NULL, *theirs = NULL;
                int r;

                if (expected->size[i] == got[i].size && memcmp(expected->xml[i], got[i].text, got[i].size) == 0)
                        continue;
                if ((r = wrap(expected->xml[i], expected->size[i], &ours, e)) < 0 || (r = wrap(got[i].text, got[i].size, &theirs, e)) < 0 ||
                    (r = compare_stream(i, ours, theirs, ret_what, e)) != 0)
                        return r;
        }
        return 0;
}
