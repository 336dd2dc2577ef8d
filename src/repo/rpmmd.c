/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/rpmmd.h"

#include <inttypes.h>

#include "basic/strings.h"
#include "repo/xml.h"

#define FILES_MAX 64

static void repomd_file_clear(RepomdFile *f) {
        free(f->type);
        free(f->href);
        free(f->checksum);
        free(f->open_checksum);
}

Repomd *repomd_free(Repomd *r) {
        if (!r)
                return NULL;
        for (size_t i = 0; i < r->n_files; i++)
                repomd_file_clear(&r->files[i]);
        free(r->files);
        free(r->revision);
        free(r);
        return NULL;
}

const RepomdFile *repomd_find(const Repomd *r, const char *type) {
        for (size_t i = 0; i < r->n_files; i++)
                if (streq(r->files[i].type, type))
                        return &r->files[i];
        return NULL;
}

static int data_element(Xml *x, RepomdFile *f) {
        const char *name = xml_element(x);

        if (streq(name, "checksum"))
                return xml_take_checksum(x, &f->checksum, &f->digest, "a checksum is not one SHA-256");
        if (streq(name, "open-checksum"))
                return xml_take_checksum(x, &f->open_checksum, &f->open_digest, "an open-checksum is not one SHA-256");
        if (streq(name, "location"))
                return xml_take_href(x, &f->href, "repodata/");
        if (streq(name, "size"))
                return xml_take_number(x, NULL, &f->size, "a size is not a number");
        if (streq(name, "open-size"))
                return xml_take_number(x, NULL, &f->open_size, "an open-size is not a number");
        return 0;
}

/* One <data>, up to its end. */
static int read_data(Xml *x, Repomd *r) {
        RepomdFile *grown = reallocarray(r->files, r->n_files + 1, sizeof(*grown)), *f;
        int k;

        if (!grown)
                return error_oom(x->e);
        r->files = grown;
        f = &grown[r->n_files++];
        *f = (RepomdFile){};
        k = xml_take_attribute(x, "type", &f->type, "a file without a type");
        if (k < 0 || xmlTextReaderIsEmptyElement(x->reader))
                return k < 0 ? k : xml_bad(x, "a file without anything");
        while ((k = xml_next(x)) > 0 && !xml_ends(x, 1))
                if ((k = data_element(x, f)) < 0)
                        return k;
        if (k < 0)
                return k;
        if (!f->checksum || !f->href || r->n_files > FILES_MAX || repomd_find(r, f->type) != f)
                return xml_bad(x, "a file without checksum or location, one type twice, or too many");
        return 0;
}

/* <tags>, up to its end: ours are taken, others are somebody else's. */
static int read_tags(Xml *x, Repomd *r) {
        int k;

        if (xmlTextReaderIsEmptyElement(x->reader))
                return 0;
        while ((k = xml_next(x)) > 0 && !xml_ends(x, 1)) {
                _cleanup_free_ char *content = NULL;

                if (!streq(xml_element(x), "content"))
                        continue;
                if ((k = xml_take_text(x, &content, "a tag without text")) < 0)
                        return k;
                if (freshness_take(&r->freshness, content) < 0)
                        return xml_bad(x, "a serial or date of expiry is malformed, or said twice");
        }
        return k < 0 ? k : 0;
}

static int parse_repomd(const char *text, size_t size, const char *name, bool foreign, Repomd **ret, Error *e) {
        _cleanup_(repomd_freep) Repomd *m = calloc(1, sizeof(*m));
        _cleanup_(xml_done) Xml x = {};
        int r;

        if (!m)
                return error_oom(e);
        r = xml_open(&x, text, size, name, e);
        if (r < 0)
                return r;
        x.foreign = foreign;
        while ((r = xml_next(&x)) > 0) {
                const char *element = xml_element(&x);
                int depth = xmlTextReaderDepth(x.reader);

                if (depth == 0 && *element && !streq(element, "repomd"))
                        return xml_bad(&x, "not a repomd.xml");
                if (depth == 1 && streq(element, "revision"))
                        r = xml_take_text(&x, &m->revision, "more than one revision");
                else if (depth == 1 && streq(element, "tags"))
                        r = read_tags(&x, m);
                else if (depth == 1 && streq(element, "data"))
                        r = read_data(&x, m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

int repomd_parse(const char *text, size_t size, const char *name, Repomd **ret, Error *e) {
        return parse_repomd(text, size, name, false, ret, e);
}

int repomd_parse_foreign(const char *text, size_t size, const char *name, Repomd **ret, Error *e) {
        return parse_repomd(text, size, name, true, ret, e);
}

static void render_file(Text *t, const RepomdFile *f, const char *timestamp) {
        text_printf(t, "  <data type=\"%s\">\n    <checksum type=\"%s\">%s</checksum>\n", f->type, f->digest, f->checksum);
        if (f->open_checksum)
                text_printf(t, "    <open-checksum type=\"%s\">%s</open-checksum>\n", f->open_digest, f->open_checksum);
        text_printf(t, "    <location href=\"%s\"/>\n    <timestamp>%s</timestamp>\n    <size>%" PRIu64 "</size>\n", f->href, timestamp, f->size);
        if (f->open_checksum)
                text_printf(t, "    <open-size>%" PRIu64 "</open-size>\n", f->open_size);
        text_append(t, "  </data>\n");
}

char *repomd_render(const Repomd *r) {
        _cleanup_text_ Text t = {};

        text_printf(&t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" "
                        "xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n  <revision>%s</revision>\n", r->revision);
        freshness_append(&t, &r->freshness);
        for (size_t i = 0; i < r->n_files; i++)
                render_file(&t, &r->files[i], r->revision);
        text_append(&t, "</repomd>\n");
        return text_take(&t);
}
