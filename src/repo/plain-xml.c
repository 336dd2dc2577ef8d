/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/plain-xml.h"

#define VALUE_MAX 4096

#define EACH_BYTE UINT64_C(0x0101010101010101)

/* Whether there is a byte with its highest bit, or a control character that is neither newline nor tab. */
static bool has_odd_byte(const char *text, size_t size) {
        for (size_t i = 0; i < size;) {
                uint64_t w;

                if (size - i >= sizeof(w)) {
                        memcpy(&w, text + i, sizeof(w));
                        if (((w | ((w - ' ' * EACH_BYTE) & ~w)) & 0x80 * EACH_BYTE) == 0) {
                                i += sizeof(w);
                                continue;
                        }
                }
                for (size_t end = MIN(size, i + sizeof(w)); i < end; i++)
                        if ((unsigned char) text[i] >= 0x80 || ((unsigned char) text[i] < ' ' && text[i] != '\n' && text[i] != '\t'))
                                return true;
        }
        return false;
}

/* Of what XML allows (2.2) all that one meets in it, less the carriage return, which it would change. */
bool plain_is(const char *text, size_t size) {
        bool odd = has_odd_byte(text, size);

        for (size_t i = 0; odd && i < size;) {
                size_t n = text[i] == '\n' || text[i] == '\t' ? 1 : utf8_length(text + i);

                if (n == 0 || (n == 3 && (memcmp(text + i, "\xef\xbf\xbe", 3) == 0 || memcmp(text + i, "\xef\xbf\xbf", 3) == 0)))
                        return false;
                i += n;
        }
        return true;
}

char plain_reference(const char *s, const char *end, size_t *ret_length) {
        static const struct {
                const char *text;
                char c;
        } known[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' }, { "&quot;", '"' }, { "&apos;", '\'' },
                      { "&#9;", '\t' }, { "&#10;", '\n' }, { "&#13;", '\r' }, { "&#34;", '"' }, { "&#39;", '\'' } };

        for (size_t i = 0; i < ELEMENTSOF(known); i++) {
                size_t n = strlen(known[i].text);

                if ((size_t) (end - s) >= n && memcmp(s, known[i].text, n) == 0) {
                        *ret_length = n;
                        return known[i].c;
                }
        }
        return 0;
}

/* What may not be between two tags, or between two quotes, ends it. */
static bool is_good(Piece x, bool in_tag) {
        const char *s = x.s, *end = x.s + x.n;
        size_t n;

        while (s < end)
                if (*s == '&') {
                        if (!plain_reference(s, end, &n))
                                return false;
                        s += n;
                } else if (in_tag ? *s == '<' || *s == '\n' || *s == '\t' : *s == '>' && s - x.s >= 2 && s[-1] == ']' && s[-2] == ']')
                        return false;
                else
                        s++;
        return true;
}

void plain_skip_space(PlainXml *x) {
        while (*x->p == ' ' || *x->p == '\n' || *x->p == '\t')
                x->p++;
}

void plain_begin(PlainXml *x) {
        static const char declaration[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

        if (strncmp(x->p, declaration, strlen(declaration)) == 0)
                x->p += strlen(declaration);
        plain_skip_space(x);
}

static Piece take_name(PlainXml *x) {
        Piece name = { .s = x->p };

        while ((*x->p >= 'a' && *x->p <= 'z') || *x->p == ':' || *x->p == '-')
                x->p++;
        name.n = (size_t) (x->p - name.s);
        return name;
}

static bool take_attribute(PlainXml *x, PlainTag *t) {
        Piece name = take_name(x), value;
        const char *end;

        if (name.n == 0 || name.s[0] == '-' || t->n == PLAIN_ATTRIBUTES_MAX || *x->p++ != '=' || *x->p++ != '"' || !(end = memchr(x->p, '"', (size_t) (x->end - x->p))))
                return false;
        value = (Piece){ x->p, (size_t) (end - x->p) };
        if (value.n > VALUE_MAX || !is_good(value, true))
                return false;
        for (size_t i = 0; i < t->n; i++)
                if (piece_same(t->attributes[i].name, name))
                        return false;
        t->attributes[t->n].name = name;
        t->attributes[t->n++].value = value;
        x->p = end + 1;
        return true;
}

bool plain_take_tag(PlainXml *x, PlainTag *t) {
        t->n = 0;
        t->is_empty = false;
        if (*x->p++ != '<')
                return false;
        if ((t->closes = *x->p == '/'))
                x->p++;
        t->name = take_name(x);
        if (t->name.n == 0 || t->name.s[0] == '-')
                return false;
        for (;;) {
                bool space = *x->p == ' ' || *x->p == '\n';

                plain_skip_space(x);
                if (*x->p == '>') {
                        x->p++;
                        return true;
                }
                if (t->closes)
                        return false;
                if (*x->p == '/') {
                        t->is_empty = true;
                        return *++x->p == '>' && x->p++;
                }
                if (!space || !take_attribute(x, t))
                        return false;
        }
}

bool plain_take_leaf(PlainXml *x, const PlainTag *t, Piece *ret) {
        const char *end;
        PlainTag close;

        *ret = (Piece){ x->p, 0 };
        if (t->is_empty)
                return true;
        if (!(end = memchr(x->p, '<', (size_t) (x->end - x->p))))
                return false;
        ret->n = (size_t) (end - x->p);
        x->p = end;
        return is_good(*ret, false) && plain_take_tag(x, &close) && close.closes && piece_same(close.name, t->name);
}

Piece plain_attribute(const PlainTag *t, const char *name) {
        for (size_t i = 0; i < t->n; i++)
                if (piece_is(t->attributes[i].name, name))
                        return t->attributes[i].value;
        return (Piece){};
}
