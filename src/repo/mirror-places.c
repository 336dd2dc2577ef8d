/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/mirror-places.h"

#include "basic/strings.h"
#include "release/repo-file.h"
#include "repo/archive.h"
#include "repo/xml.h"

#define REPOMD "/repodata/repomd.xml"

void mirror_places_clear(MirrorPlaces *p) {
        strv_free(p->urls);
        free(p->sha256);
        *p = (MirrorPlaces){};
}

MirrorPlaceKind mirror_place_kind(const char *source, const char **ret) {
        const char *list = startswith(source, "mirrorlist:"), *metalink = startswith(source, "metalink:");

        *ret = list ? list : metalink ? metalink : source;
        return list ? MIRROR_AT_LIST : metalink ? MIRROR_AT_METALINK : MIRROR_AT_URL;
}

/* Whether it is a place that may be tried at all. */
static bool is_usable(const char *url, const char *from, bool is_proven) {
        if (startswith(url, "file:"))
                return startswith(from, "file:");
        return startswith(url, "https://") || (startswith(url, "http://") && (is_proven || !startswith(from, "https:")));
}

/* "rsync://..." is a URL, "<html>" is none. */
static bool has_scheme(const char *s) {
        size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");

        return n > 0 && startswith(s + n, ":/");
}

/* Adds a place once, without the slashes at its end. */
static int add_place(MirrorPlaces *p, const char *url, size_t n, const char *from, bool is_proven, Error *e) {
        _cleanup_free_ char *base = NULL;
        int r;

        while (n > 0 && url[n - 1] == '/')
                n--;
        if (!(base = strndup(url, n)))
                return error_oom(e);
        if (!has_scheme(base) || !text_is_printable(base))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: it names places that are no URLs", from);
        if (!is_usable(base, from, is_proven) || strv_contains(p->urls, base) || strv_length(p->urls) >= MIRROR_PLACES_MAX)
                return 0;
        if ((r = repo_url_check(from, base, e)) < 0) {
                e->code = EXIT_INVALID;
                return r;
        }
        return strv_append(&p->urls, base) < 0 ? error_oom(e) : 0;
}

static int parse_list(const char *text, size_t size, const char *from, MirrorPlaces *p, Error *e) {
        const char *end = text + size;
        int r = 0;

        for (const char *next; r >= 0 && text < end; text = next) {
                const char *newline = memchr(text, '\n', (size_t) (end - text)), *stop = newline ? newline : end;

                next = newline ? newline + 1 : end;
                while (text < stop && (*text == ' ' || *text == '\t'))
                        text++;
                while (stop > text && strchr(" \t\r", stop[-1]))
                        stop--;
                if (stop > text && *text != '#')
                        r = add_place(p, text, (size_t) (stop - text), from, false, e);
        }
        return r;
}

typedef struct Place {
        char *url;
        uint64_t preference;
        size_t at; /* places of one preference stay in their order */
} Place;

typedef struct Metalink {
        Xml xml;
        unsigned files;
        char *size, *sha256;
        Place *places;
        size_t n;
} Metalink;

static void metalink_done(Metalink *m) {
        xml_done(&m->xml);
        for (size_t i = 0; i < m->n; i++)
                free(m->places[i].url);
        free(m->places);
        free(m->size);
        free(m->sha256);
}

static int take_hash(Metalink *m) {
        _cleanup_free_ char *type = NULL;
        int r = xml_take_attribute(&m->xml, "type", &type, "a digest without a type");

        if (r < 0 || !streq(type, "sha256"))
                return r;
        if ((r = xml_take_text(&m->xml, &m->sha256, "no SHA-256, or two")) < 0)
                return r;
        return strlen(m->sha256) == 64 && strspn(m->sha256, "0123456789abcdef") == 64 ? 0 : xml_bad(&m->xml, "a SHA-256 that is none");
}

static int take_place(Metalink *m) {
        xmlChar *preference = xmlTextReaderGetAttribute(m->xml.reader, (const xmlChar *) "preference");
        Place *grown = reallocarray(m->places, m->n + 1, sizeof(*grown)), *p;

        if (grown)
                m->places = grown;
        else {
                xmlFree(preference);
                return error_oom(m->xml.e);
        }
        p = &m->places[m->n];
        *p = (Place){ .at = m->n };
        m->n++;
        if (preference && parse_u64((const char *) preference, &p->preference) < 0)
                p->preference = 0;
        xmlFree(preference);
        return xml_take_text(&m->xml, &p->url, "a place without a URL");
}

/* *skip: the depth of an element that is passed over with all that is in it, or -1. */
static int take_element(Metalink *m, int *skip) {
        const char *element = xml_element(&m->xml);
        _cleanup_free_ char *name = NULL;
        int r;

        if (streq(element, "file")) {
                if ((r = xml_take_attribute(&m->xml, "name", &name, "a file without a name")) < 0)
                        return r;
                if (streq(name, "repomd.xml"))
                        return m->files++ > 0 ? xml_bad(&m->xml, "two files of this name") : 0;
        }
        /* Other files; and what repomd.xml was before, which clients may be behind with, but not we. */
        if (streq(element, "file") || streq(element, "alternates")) {
                *skip = xmlTextReaderDepth(m->xml.reader);
                return 0;
        }
        if (streq(element, "size"))
                return xml_take_text(&m->xml, &m->size, "no size, or two");
        return streq(element, "hash") ? take_hash(m) : streq(element, "url") ? take_place(m) : 0;
}

static int by_preference(const void *a, const void *b) {
        const Place *x = a, *y = b;

        return x->preference != y->preference ? (x->preference > y->preference ? -1 : 1) : x->at < y->at ? -1 : x->at > y->at;
}

static int parse_metalink(const char *text, size_t size, const char *from, MirrorPlaces *p, Error *e) {
        _cleanup_(metalink_done) Metalink m = {};
        int skip = -1, r = xml_open(&m.xml, text, size, from, e);

        if (r < 0)
                return r;
        while ((r = xml_next(&m.xml)) > 0) {
                if (skip >= 0 && xmlTextReaderDepth(m.xml.reader) > skip)
                        continue;
                skip = -1;
                if ((r = take_element(&m, &skip)) < 0)
                        break;
        }
        if (r < 0)
                return r;
        if (m.files != 1 || !m.size || parse_u64(m.size, &p->size) < 0 || p->size == 0)
                return xml_bad(&m.xml, "not a metalink of one repomd.xml with its size");
        if (!m.sha256)
                return error_hint(e, error_set(e, EBADMSG, EXIT_UNTRUSTED, "%s: it says no SHA-256 of repomd.xml: weaker digests protect nothing", from),
                                  "ask whoever makes the metalink for one, or name one place of the repository itself");
        p->sha256 = TAKE_PTR(m.sha256);
        if (m.n > 0)
                qsort(m.places, m.n, sizeof(*m.places), by_preference);
        for (size_t i = 0; r >= 0 && i < m.n; i++) {
                const char *url = m.places[i].url;

                if (endswith(url, REPOMD))
                        r = add_place(p, url, strlen(url) - strlen(REPOMD), from, true, e);
                else if (is_usable(url, from, true))
                        r = xml_bad(&m.xml, "one of its places is not that of a repomd.xml");
        }
        return r;
}

int mirror_places_parse(MirrorPlaceKind kind, const char *text, size_t size, const char *from, MirrorPlaces *ret, Error *e) {
        MirrorPlaces p = {};
        int r = kind == MIRROR_AT_METALINK ? parse_metalink(text, size, from, &p, e) : parse_list(text, size, from, &p, e);

        if (r >= 0 && !p.urls)
                r = error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: it names no place that can be read", from),
                               "http and https are; of a mirror list that comes by https, https alone");
        if (r >= 0)
                *ret = p;
        else
                mirror_places_clear(&p);
        return r;
}
