/* SPDX-License-Identifier: Apache-2.0 */
/* publish: what is known from the last time, and what is remembered for the next. */
#include "repo/publish-run.h"

#include "basic/sort.h"

static int by_text(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

int publish_find_known(Publish *p, Error *e) {
        size_t n = memo_solv_size(p->memo), n_new = 0;
        Known *k = &p->known;
        Text t = {};

        k->gone = calloc(n + 1, sizeof(*k->gone));
        k->nevras = calloc(p->next->n_packages + 1, sizeof(*k->nevras));
        if (!k->gone || !k->nevras)
                return error_oom(e);
        for (size_t i = 0; i < n; i++)
                k->gone[i] = true;
        for (size_t i = 0; i < p->next->n_packages; i++) {
                const PublishedPackage *q = p->next->packages[i];
                bool in_it = q->known && q->input->memo->solv >= 0;

                k->nevras[i] = q->nevra;
                if (in_it)
                        k->gone[q->input->memo->solv] = false;
                n_new += !in_it;
        }
        sort(k->nevras, p->next->n_packages, sizeof(*k->nevras), by_text);
        text_printf(&t, "<metadata xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"%zu\">\n", n_new);
        for (size_t i = 0; i < p->next->n_packages; i++)
                if (!p->next->packages[i]->known || p->next->packages[i]->input->memo->solv < 0)
                        text_append_n(&t, p->entries[i].xml[INDEX_PRIMARY], p->entries[i].size[INDEX_PRIMARY]);
        text_append(&t, "</metadata>\n");
        if (!(k->primary = text_take(&t)))
                return error_oom(e);
        k->world = (WorldKnown){ .solv = memo_solv(p->memo), .n = n, .gone = k->gone, .primary = n_new > 0 ? k->primary : NULL,
                                 .nevras = k->nevras, .n_nevras = p->next->n_packages };
        return 0;
}

typedef struct Remembered {
        const PublishedPackage *package;
        int32_t solv;
        const IndexEntry *xml;
} Remembered;

/* Which one of base.solv each package is from now on: what stayed in it, then what was new; or all of them, in order. */
static void number_solv(const Publish *p, Remembered *v) {
        size_t n = p->report.proof->known ? memo_solv_size(p->memo) : 0, next = 0;
        _cleanup_free_ int32_t *moved = calloc(n + 1, sizeof(*moved));

        for (size_t i = 0; i < p->n_entries; i++)
                v[i].solv = -1;
        if (!moved)
                return;
        for (size_t i = 0; i < n; i++)
                moved[i] = p->known.gone[i] ? -1 : (int32_t) next++;
        for (size_t i = 0; i < p->n_entries; i++) {
                const PublishedPackage *q = v[i].package;
                int32_t old = n > 0 && q->known ? q->input->memo->solv : -1;

                if (!p->report.proof->written)
                        v[i].solv = old;
                else
                        v[i].solv = old >= 0 ? moved[old] : (int32_t) next++;
        }
}

static int by_package_file(const void *a, const void *b) {
        return strcmp(((const Remembered *) a)->package->file, ((const Remembered *) b)->package->file);
}

/* What changed so short a time ago that it could change again without its times telling is not taken for known. */
static bool is_settled(const Publish *p, const InputPackage *in) {
        return file_id_is_settled(&in->id, p->started_ns) && file_id_is_settled(&in->record_id, p->started_ns);
}

static void fill(const Publish *p, const Remembered *v, MemoItem *item, MemoEntry *x) {
        const PublishedPackage *q = v->package;

        *item = (MemoItem){ .href = q->href, .file = q->file, .releases = q->releases, .xml = v->xml, .old = q->known ? q->input->memo : NULL };
        x->solv = v->solv;
        if (is_settled(p, q->input)) {
                x->record = q->input->record_id;
                x->input = q->input->id;
        }
        x->published = q->id;
        x->build_time = q->build_time;
        memcpy(x->input_sha256, q->input->sha256, SHA256_HEX_SIZE);
        memcpy(x->sha256, q->sha256, SHA256_HEX_SIZE);
}

void publish_write_memo(Publish *p) {
        _cleanup_free_ Remembered *v = calloc(p->n_entries + 1, sizeof(*v));
        _cleanup_free_ MemoItem *items = calloc(p->n_entries + 1, sizeof(*items));
        _cleanup_free_ MemoEntry *entries = calloc(p->n_entries + 1, sizeof(*entries));

        if (!v || !items || !entries || p->n_entries == 0)
                return;
        for (size_t i = 0; i < p->n_entries; i++)
                v[i] = (Remembered){ .package = p->next->packages[i], .xml = &p->entries[i] };
        number_solv(p, v);
        sort(v, p->n_entries, sizeof(*v), by_package_file);
        for (size_t i = 0; i < p->n_entries; i++)
                fill(p, &v[i], &items[i], &entries[i]);
        memo_set_certification(p->memo, p->o->signers->v[0]->certification, p->o->signers->v[0]->certification_size);
        memo_write(p->memo, items, entries, p->n_entries, index_parts(p->index), p->report.proof->written);
}

void publish_remember(Publish *p) {
        for (size_t i = 0; i < p->next->n_packages; i++) {
                const PublishedPackage *q = p->next->packages[i];

                if (q->staged && q->unsigned_sha256)
                        signed_store_keep(p->packages.known, q->unsigned_sha256, q->sha256, p->repo->fd, q->href);
        }
        memo_switch(p->memo);
}
