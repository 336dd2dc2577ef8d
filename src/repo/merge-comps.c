/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/strings.h"
#include "repo/merge.h"
#include "repo/xml-parts.h"

/* What is joined, and the lists in it: a group's packages, a category's and an environment's groups, the languages' packages. */
static const struct {
        const char *element, *lists[2];
} kinds[] = {
        { "group", { "packagelist", NULL } },
        { "category", { "grouplist", NULL } },
        { "environment", { "grouplist", "optionlist" } },
        { "langpacks", { NULL, NULL } }, /* it is the list */
};

typedef struct Item {
        XmlPart part;
        size_t kind, at;
        char *id;
} Item;

typedef struct Items {
        Item *v;
        size_t n;
} Items;

static void items_done(Items *s) {
        for (size_t i = 0; i < s->n; i++)
                free(s->v[i].id);
        free(s->v);
}

static int add(Items *s, const XmlPart *part, const char *name, Error *e) {
        Item *x = &s->v[s->n];
        XmlPart id;
        size_t kind = 0;

        while (kind < ELEMENTSOF(kinds) && !xml_part_is(part, kinds[kind].element))
                kind++;
        *x = (Item){ .part = *part, .kind = kind, .at = s->n };
        if (kind < ELEMENTSOF(kinds) && kinds[kind].lists[0]) {
                if (!xml_child(part, "id", &id))
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: a %s without an id", name, kinds[kind].element);
                x->id = xml_part_text(&id);
        } else /* of what nobody knows, the same is said once */
                x->id = kind < ELEMENTSOF(kinds) ? strdup("") : strndup(part->text, part->size);
        if (!x->id)
                return error_oom(e);
        s->n++;
        return 0;
}

static int read_input(Items *s, const MergeInput *in, Error *e) {
        _cleanup_free_ XmlPart *parts = NULL;
        XmlPart root;
        Item *grown;
        size_t n;
        int r;

        if ((r = xml_document(in->text, in->size, in->name, "comps", &root, e)) < 0)
                return r;
        if ((r = xml_children(&root, &parts, &n)) < 0)
                return r == -ENOMEM ? error_oom(e) : error_set(e, -r, EXIT_INVALID, "%s: too many groups", in->name);
        grown = reallocarray(s->v, s->n + n + 1, sizeof(*grown));
        if (!grown)
                return error_oom(e);
        s->v = grown;
        for (size_t i = 0; i < n; i++)
                if ((r = add(s, &parts[i], in->name, e)) < 0)
                        return r;
        return 0;
}

/* One line of a list; what it is about is its text, or all of it if it has none. */
typedef struct Line {
        XmlPart part;
        char *key;
        size_t at;
        bool is_head, is_repeated;
} Line;

typedef struct Lines {
        Line *v;
        size_t n;
} Lines;

static void lines_done(Lines *s) {
        for (size_t i = 0; i < s->n; i++)
                free(s->v[i].key);
        free(s->v);
}

static int add_lines(Lines *s, const XmlPart *list, bool is_head) {
        _cleanup_free_ XmlPart *parts = NULL;
        size_t n;
        Line *grown;
        int r = xml_children(list, &parts, &n);

        if (r < 0)
                return r;
        grown = reallocarray(s->v, s->n + n + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        s->v = grown;
        for (size_t i = 0; i < n; i++) {
                char *key = parts[i].inner_size > 0 ? xml_part_text(&parts[i]) : strndup(parts[i].text, parts[i].size);

                if (!key)
                        return -ENOMEM;
                s->v[s->n] = (Line){ .part = parts[i], .key = key, .at = s->n, .is_head = is_head };
                s->n++;
        }
        return 0;
}

static int by_key(const void *x, const void *y) {
        const Line *a = *(Line *const *) x, *b = *(Line *const *) y;
        int c = strcmp(a->key, b->key);

        return c != 0 ? c : (a->at > b->at) - (a->at < b->at);
}

static int mark_repeated(Lines *s) {
        _cleanup_free_ Line **sorted = calloc(s->n + 1, sizeof(*sorted));

        if (!sorted)
                return -ENOMEM;
        for (size_t i = 0; i < s->n; i++)
                sorted[i] = &s->v[i];
        if (s->n > 0)
                qsort(sorted, s->n, sizeof(*sorted), by_key);
        for (size_t i = 1; i < s->n; i++)
                sorted[i]->is_repeated = streq(sorted[i - 1]->key, sorted[i]->key);
        return 0;
}

static bool find_list(const Item *x, const char *name, XmlPart *ret) {
        if (name)
                return xml_child(&x->part, name, ret);
        *ret = x->part;
        return true;
}

/* What is written instead of a place in the first one's text. */
typedef struct Insertion {
        const char *from, *to;
        Text text;
} Insertion;

/* What the others have in one of their lists and the first has not: at the end of its list, which it gets if it has none. */
static int insert(Insertion *ret, const char *name, Item *const *v, size_t n) {
        const XmlPart *head = &v[0]->part;
        _cleanup_(lines_done) Lines lines = {};
        bool is_there, has_end;
        XmlPart list;
        int r;

        for (size_t i = 0; i < n; i++)
                if (find_list(v[i], name, &list) && (r = add_lines(&lines, &list, i == 0)) < 0)
                        return r;
        if ((r = mark_repeated(&lines)) < 0)
                return r;
        is_there = find_list(v[0], name, &list);
        has_end = is_there && list.inner_size > 0;
        ret->from = ret->to = has_end ? list.inner + list.inner_size : is_there ? list.text : head->inner + head->inner_size;
        if (is_there && !has_end)
                ret->to = list.text + list.size;
        if (!has_end)
                text_printf(&ret->text, "<%s>\n", name ? name : kinds[v[0]->kind].element);
        for (size_t i = 0; i < lines.n; i++)
                if (!lines.v[i].is_head && !lines.v[i].is_repeated) {
                        text_append_n(&ret->text, lines.v[i].part.text, lines.v[i].part.size);
                        text_append(&ret->text, "\n");
                }
        if (!has_end)
                text_printf(&ret->text, "</%s>", name ? name : kinds[v[0]->kind].element);
        return 0;
}

/* The first one, with what it has not. */
static int render_joined(Text *t, Item *const *v, size_t n) {
        const char *const *lists = kinds[v[0]->kind].lists, *from = v[0]->part.text;
        Insertion x[2] = {};
        size_t n_lists = lists[1] ? 2 : 1;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n_lists; i++)
                r = insert(&x[i], lists[i], v, n);
        if (n_lists == 2 && x[1].from < x[0].from) {
                Insertion first = x[1];

                x[1] = x[0];
                x[0] = first;
        }
        for (size_t i = 0; i < n_lists; i++) {
                if (r >= 0) {
                        text_append_n(t, from, (size_t) (x[i].from - from));
                        text_append_n(t, x[i].text.data, x[i].text.size);
                        from = x[i].to;
                }
                t->failed = t->failed || x[i].text.failed;
                text_free(&x[i].text);
        }
        if (r >= 0)
                text_append_n(t, from, (size_t) (v[0]->part.text + v[0]->part.size - from));
        return r;
}

static int by_id(const void *x, const void *y) {
        const Item *a = *(Item *const *) x, *b = *(Item *const *) y;
        int c = a->kind != b->kind ? (a->kind > b->kind) - (a->kind < b->kind) : strcmp(a->id, b->id);

        return c != 0 ? c : (a->at > b->at) - (a->at < b->at);
}

static bool same(const Item *a, const Item *b) {
        return a->kind == b->kind && streq(a->id, b->id);
}

static int render(const Items *s, Text *t) {
        _cleanup_free_ Item **sorted = calloc(s->n + 1, sizeof(*sorted));
        _cleanup_free_ size_t *first = calloc(s->n + 1, sizeof(*first)), *count = calloc(s->n + 1, sizeof(*count));
        int r = 0;

        if (!sorted || !first || !count)
                return -ENOMEM;
        for (size_t i = 0; i < s->n; i++)
                sorted[i] = &s->v[i];
        if (s->n > 0)
                qsort(sorted, s->n, sizeof(*sorted), by_id);
        for (size_t i = 0, end; i < s->n; i = end) {
                for (end = i + 1; end < s->n && same(sorted[i], sorted[end]); end++)
                        ;
                first[sorted[i]->at] = i;
                count[sorted[i]->at] = end - i;
        }
        text_append(t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE comps PUBLIC \"-//Red Hat, Inc.//DTD Comps info//EN\" \"comps.dtd\">\n<comps>\n");
        for (size_t i = 0; r >= 0 && i < s->n; i++) {
                if (count[i] == 0)
                        continue;
                if (count[i] > 1 && s->v[i].kind < ELEMENTSOF(kinds))
                        r = render_joined(t, &sorted[first[i]], count[i]);
                else
                        text_append_n(t, s->v[i].part.text, s->v[i].part.size);
                text_append(t, "\n");
        }
        text_append(t, "</comps>\n");
        return r;
}

int merge_comps(const MergeInput *v, size_t n, char **ret, Error *e) {
        _cleanup_(items_done) Items s = {};
        _cleanup_text_ Text t = {};
        char *text;
        int r;

        for (size_t i = 0; i < n; i++)
                if ((r = read_input(&s, &v[i], e)) < 0)
                        return r;
        if (render(&s, &t) < 0 || !(text = text_take(&t)))
                return error_oom(e);
        *ret = text;
        return 0;
}
