/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/xml-parts.h"

#include <libxml/xmlreader.h>

#include "basic/strings.h"

#define CHILDREN_MAX 1000000
#define DEPTH_MAX    32
#define BLANKS       " \t\r\n"

/* Behind the next `word`, or NULL. */
static const char *behind(const char *s, const char *end, const char *word) {
        const char *found = memmem(s, (size_t) (end - s), word, strlen(word));
        return found ? found + strlen(word) : NULL;
}

/* Behind the '>' of the tag at s, whose attributes may have one; NULL when there is none, or a declaration inside. */
static const char *behind_tag(const char *s, const char *end) {
        char quote = '\0';

        for (; s < end; s++)
                if (quote) {
                        if (*s == quote)
                                quote = '\0';
                } else if (*s == '"' || *s == '\'')
                        quote = *s;
                else if (*s == '[')
                        return NULL;
                else if (*s == '>')
                        return s + 1;
        return NULL;
}

/* Behind the comment, CDATA section, instruction or document type at s; s itself: it is none of these. */
static const char *behind_other(const char *s, const char *end) {
        size_t left = (size_t) (end - s);

        if (left >= 4 && memcmp(s, "<!--", 4) == 0)
                return behind(s + 4, end, "-->");
        if (left >= 9 && memcmp(s, "<![CDATA[", 9) == 0)
                return behind(s + 9, end, "]]>");
        if (left >= 2 && s[1] == '?')
                return behind(s + 2, end, "?>");
        return left >= 2 && s[1] == '!' ? behind_tag(s, end) : s;
}

/* The next element in [s, end): 1, 0 when there is none, -EBADMSG. */
static int next_element(const char *s, const char *end, XmlPart *ret) {
        XmlPart p = {};
        size_t depth = 0;

        while ((s = memchr(s, '<', (size_t) (end - s)))) {
                const char *tag = s, *other = behind_other(s, end);
                bool closes;

                if (!other)
                        return -EBADMSG;
                if (other != s) {
                        s = other;
                        continue;
                }
                if (!(s = behind_tag(tag, end)))
                        return -EBADMSG;
                closes = tag[1] == '/';
                if (closes && depth == 0)
                        return -EBADMSG;
                if (!closes && depth == 0)
                        p = (XmlPart){ .name = tag + 1, .text = tag, .inner = s };
                if (!closes)
                        depth++;
                if (!closes && s[-2] != '/')
                        continue;
                if (--depth > 0)
                        continue;
                p.size = (size_t) (s - p.text);
                p.inner_size = closes ? (size_t) (tag - p.inner) : 0;
                while (p.name + p.name_size < p.text + p.size && !strchr(BLANKS "/>", p.name[p.name_size]))
                        p.name_size++;
                *ret = p;
                return 1;
        }
        return depth == 0 ? 0 : -EBADMSG;
}

typedef struct Problem {
        char *text;
} Problem;

static void keep_problem(void *arg, const char *message, xmlParserSeverities severity, xmlTextReaderLocatorPtr locator) {
        Problem *p = arg;

        if (!p->text && message)
                p->text = format("line %d: %.*s", xmlTextReaderLocatorLineNumber(locator), (int) strcspn(message, "\n"), message);
}

static const char *judge_node(xmlTextReader *reader) {
        const char *encoding = (const char *) xmlTextReaderConstEncoding(reader);

        if (xmlTextReaderNodeType(reader) == XML_READER_TYPE_ENTITY_REFERENCE)
                return "an entity is in it";
        if (xmlTextReaderDepth(reader) > DEPTH_MAX)
                return "elements are nested too deep";
        return encoding && strcasecmp(encoding, "UTF-8") != 0 && strcasecmp(encoding, "ASCII") != 0 && strcasecmp(encoding, "US-ASCII") != 0 ? "it is not UTF-8" : NULL;
}

/* Well-formed, by libxml2, which keeps no more than the node that it is at. */
static int check(const char *text, size_t size, const char *name, Error *e) {
        xmlTextReader *reader = xmlReaderForMemory(text, (int) size, NULL, NULL, XML_PARSE_NONET | XML_PARSE_COMPACT);
        const char *what = NULL;
        Problem problem = {};
        int r;

        if (!reader)
                return error_oom(e);
        xmlTextReaderSetErrorHandler(reader, keep_problem, &problem);
        while ((r = xmlTextReaderRead(reader)) > 0 && !(what = judge_node(reader)))
                ;
        if (r < 0)
                what = problem.text ? problem.text : "malformed XML";
        r = what ? error_set(e, EBADMSG, EXIT_INVALID, "%s: %s", name, what) : 0;
        xmlFreeTextReader(reader);
        free(problem.text);
        return r;
}

int xml_document(const char *text, size_t size, const char *name, const char *root, XmlPart *ret, Error *e) {
        const char *end = text + size;
        XmlPart p;
        int r;

        if (size > INT32_MAX)
                return error_set(e, EFBIG, EXIT_INVALID, "%s: %zu bytes are too many", name, size);
        if (memchr(text, '\0', size))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: it is not UTF-8", name);
        /* What declares anything is told before libxml2 could do what it says. */
        r = next_element(text, end, &p);
        if (r <= 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: %s", name, r == 0 ? "no element is in it" : "it breaks off, or declares something");
        if (!xml_part_is(&p, root))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: it is another kind of file: no <%s>", name, root);
        if ((r = check(text, size, name, e)) < 0)
                return r;
        *ret = p;
        return 0;
}

int xml_children(const XmlPart *parent, XmlPart **ret, size_t *ret_n) {
        const char *s = parent->inner, *end = s + parent->inner_size;
        _cleanup_free_ XmlPart *v = NULL;
        size_t n = 0, allocated = 0;
        XmlPart p;
        int r;

        while ((r = next_element(s, end, &p)) > 0) {
                if (n == CHILDREN_MAX)
                        return -EBADMSG;
                if (n == allocated) {
                        XmlPart *grown = reallocarray(v, allocated = allocated ? 2 * allocated : 16, sizeof(*grown));

                        if (!grown)
                                return -ENOMEM;
                        v = grown;
                }
                v[n++] = p;
                s = p.text + p.size;
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(v);
        *ret_n = n;
        return 0;
}

bool xml_part_is(const XmlPart *p, const char *name) {
        return p->name_size == strlen(name) && memcmp(p->name, name, p->name_size) == 0;
}

bool xml_child(const XmlPart *parent, const char *name, XmlPart *ret) {
        const char *s = parent->inner, *end = s + parent->inner_size;
        XmlPart p;

        for (; next_element(s, end, &p) > 0; s = p.text + p.size)
                if (xml_part_is(&p, name)) {
                        *ret = p;
                        return true;
                }
        return false;
}

char *xml_part_text(const XmlPart *p) {
        const char *s = p->inner, *end = s + p->inner_size;

        while (s < end && strchr(BLANKS, *s))
                s++;
        while (end > s && strchr(BLANKS, end[-1]))
                end--;
        return strndup(s, (size_t) (end - s));
}

char *xml_part_attribute(const XmlPart *p, const char *name) {
        const char *s = p->name + p->name_size, *end = behind_tag(p->text, p->text + p->size);

        while (end && s < end) {
                const char *word, *value, *last;

                while (s < end && strchr(BLANKS, *s))
                        s++;
                for (word = s; s < end && !strchr(BLANKS "=/>", *s);)
                        s++;
                if (s == word || !(value = memchr(s, '=', (size_t) (end - s))))
                        return NULL;
                for (value++; value < end && strchr(BLANKS, *value);)
                        value++;
                if (value == end || !(last = memchr(value + 1, *value, (size_t) (end - value - 1))))
                        return NULL;
                if ((size_t) (s - word) == strlen(name) && memcmp(word, name, strlen(name)) == 0)
                        return strndup(value + 1, (size_t) (last - value - 1));
                s = last + 1;
        }
        return NULL;
}

static int by_bytes(const void *x, const void *y) {
        const XmlPart *a = *(const XmlPart *const *) x, *b = *(const XmlPart *const *) y;
        int c = a->size != b->size ? (a->size > b->size) - (a->size < b->size) : memcmp(a->text, b->text, a->size);

        return c != 0 ? c : (a > b) - (a < b);
}

int xml_parts_drop_repeated(XmlPart *v, size_t *n) {
        _cleanup_free_ XmlPart **sorted = calloc(*n + 1, sizeof(*sorted));
        size_t kept = 0;

        if (!sorted)
                return -ENOMEM;
        for (size_t i = 0; i < *n; i++)
                sorted[i] = &v[i];
        if (*n > 0)
                qsort(sorted, *n, sizeof(*sorted), by_bytes);
        for (size_t i = 1, first = 0; i < *n; i++)
                if (sorted[i]->size == sorted[first]->size && memcmp(sorted[i]->text, sorted[first]->text, sorted[i]->size) == 0)
                        sorted[i]->name = NULL;
                else
                        first = i;
        for (size_t i = 0; i < *n; i++)
                if (v[i].name)
                        v[kept++] = v[i];
        *n = kept;
        return 0;
}
