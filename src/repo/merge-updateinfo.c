/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/strings.h"
#include "repo/merge.h"
#include "repo/xml-parts.h"

typedef struct Advisory {
        XmlPart part;
        char *id, *date; /* date: when it was updated last, as it is written; "": not said */
        size_t at;
} Advisory;

typedef struct Advisories {
        Advisory *v;
        size_t n;
} Advisories;

static void advisories_done(Advisories *a) {
        for (size_t i = 0; i < a->n; i++) {
                free(a->v[i].id);
                free(a->v[i].date);
        }
        free(a->v);
}

static char *date_of(const XmlPart *update) {
        XmlPart p;
        char *date = NULL;

        if (xml_child(update, "updated", &p))
                date = xml_part_attribute(&p, "date");
        if (!date && xml_child(update, "issued", &p))
                date = xml_part_attribute(&p, "date");
        return date ? date : strdup("");
}

static int add(Advisories *a, const XmlPart *update, const char *name, Error *e) {
        Advisory *x = &a->v[a->n];
        XmlPart id;

        *x = (Advisory){ .part = *update, .at = a->n };
        if (!xml_child(update, "id", &id))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: an update without an id", name);
        a->n++;
        x->id = xml_part_text(&id);
        x->date = date_of(update);
        return x->id && x->date ? 0 : error_oom(e);
}

static int read_input(Advisories *a, const MergeInput *in, Error *e) {
        _cleanup_free_ XmlPart *parts = NULL;
        Advisory *grown;
        XmlPart root;
        size_t n;
        int r;

        if ((r = xml_document(in->text, in->size, in->name, "updates", &root, e)) < 0)
                return r;
        if ((r = xml_children(&root, &parts, &n)) < 0)
                return r == -ENOMEM ? error_oom(e) : error_set(e, -r, EXIT_INVALID, "%s: too many updates", in->name);
        grown = reallocarray(a->v, a->n + n + 1, sizeof(*grown));
        if (!grown)
                return error_oom(e);
        a->v = grown;
        for (size_t i = 0; i < n; i++)
                if (xml_part_is(&parts[i], "update") && (r = add(a, &parts[i], in->name, e)) < 0)
                        return r;
        return 0;
}

static int by_id(const void *x, const void *y) {
        const Advisory *a = *(Advisory *const *) x, *b = *(Advisory *const *) y;
        int c = strcmp(a->id, b->id);

        return c != 0 ? c : (a->at > b->at) - (a->at < b->at);
}

static int add_collections(XmlPart **v, size_t *n, const XmlPart *update) {
        _cleanup_free_ XmlPart *found = NULL;
        XmlPart list, *grown;
        size_t n_found;
        int r;

        if (!xml_child(update, "pkglist", &list))
                return 0;
        if ((r = xml_children(&list, &found, &n_found)) < 0)
                return r;
        if (!(grown = reallocarray(*v, *n + n_found + 1, sizeof(*grown))))
                return -ENOMEM;
        *v = grown;
        memcpy(&grown[*n], found, n_found * sizeof(*found));
        *n += n_found;
        return 0;
}

/* The words of the newest, the packages of all. */
static int render_joined(Text *t, Advisory *const *v, size_t n) {
        _cleanup_free_ XmlPart *collections = NULL;
        const XmlPart *head = &v[0]->part;
        const char *date = v[0]->date;
        size_t n_collections = 0;
        XmlPart list = {};
        int r;

        for (size_t i = 0; i < n; i++) {
                if (strcmp(v[i]->date, date) > 0) {
                        head = &v[i]->part;
                        date = v[i]->date;
                }
                if ((r = add_collections(&collections, &n_collections, &v[i]->part)) < 0)
                        return r;
        }
        if ((r = xml_parts_drop_repeated(collections, &n_collections)) < 0)
                return r;
        if (!xml_child(head, "pkglist", &list))
                list.text = head->inner + head->inner_size;
        text_append_n(t, head->text, (size_t) (list.text - head->text));
        text_append(t, "<pkglist>\n");
        for (size_t i = 0; i < n_collections; i++) {
                text_append_n(t, collections[i].text, collections[i].size);
                text_append(t, "\n");
        }
        text_append(t, "</pkglist>");
        text_append_n(t, list.text + list.size, (size_t) (head->text + head->size - (list.text + list.size)));
        return 0;
}

/* All of one id. */
static int render_group(Text *t, Advisory *const *v, size_t n) {
        bool same = true;

        for (size_t i = 1; same && i < n; i++)
                same = v[i]->part.size == v[0]->part.size && memcmp(v[i]->part.text, v[0]->part.text, v[0]->part.size) == 0;
        if (!same)
                return render_joined(t, v, n);
        text_append_n(t, v[0]->part.text, v[0]->part.size);
        return 0;
}

/* In the order of the inputs. */
static int render(const Advisories *a, Text *t) {
        _cleanup_free_ Advisory **sorted = calloc(a->n + 1, sizeof(*sorted));
        _cleanup_free_ size_t *first = calloc(a->n + 1, sizeof(*first)), *count = calloc(a->n + 1, sizeof(*count));
        int r = 0;

        if (!sorted || !first || !count)
                return -ENOMEM;
        for (size_t i = 0; i < a->n; i++)
                sorted[i] = &a->v[i];
        if (a->n > 0)
                qsort(sorted, a->n, sizeof(*sorted), by_id);
        for (size_t i = 0, end; i < a->n; i = end) {
                for (end = i + 1; end < a->n && streq(sorted[i]->id, sorted[end]->id); end++)
                        ;
                first[sorted[i]->at] = i;
                count[sorted[i]->at] = end - i;
        }
        text_append(t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<updates>\n");
        for (size_t i = 0; r >= 0 && i < a->n; i++)
                if (count[i] > 0) {
                        r = render_group(t, &sorted[first[i]], count[i]);
                        text_append(t, "\n");
                }
        text_append(t, "</updates>\n");
        return r;
}

int merge_updateinfo(const MergeInput *v, size_t n, char **ret, Error *e) {
        _cleanup_(advisories_done) Advisories a = {};
        _cleanup_text_ Text t = {};
        char *text;
        int r;

        for (size_t i = 0; i < n; i++)
                if ((r = read_input(&a, &v[i], e)) < 0)
                        return r;
        r = render(&a, &t);
        if (r < 0 && r != -ENOMEM)
                return error_set(e, -r, EXIT_INVALID, "%s: an update has too many collections", n > 0 ? v[0].name : "updateinfo");
        if (r < 0 || !(text = text_take(&t)))
                return error_oom(e);
        *ret = text;
        return 0;
}
