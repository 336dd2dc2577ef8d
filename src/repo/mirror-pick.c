/* SPDX-License-Identifier: Apache-2.0 */
/* Everything but what is left out: without a solver, by what the metadata say of each package. */
#include <rpm/rpmlib.h>

#include "basic/strings.h"
#include "repo/mirror-modules.h"
#include "repo/mirror-select.h"

typedef struct Candidate {
        const PrimaryPackage *p;
        MirrorPick pick;
        bool dropped;
} Candidate;

static bool is_wanted(const MirrorOptions *o, const PrimaryPackage *p) {
        if (excluded(o->excludes, p->name, p->nevra))
                return false;
        return !o->arches || streq(p->arch, "noarch") || strv_contains(o->arches, p->arch);
}

static int by_place(const Candidate *a, const Candidate *b) {
        const MirrorPick *x = &a->pick, *y = &b->pick;

        return x->source != y->source ? (x->source > y->source) - (x->source < y->source) : (x->at > y->at) - (x->at < y->at);
}

/* The same file at the same place. */
static int by_file(const void *a, const void *b) {
        const Candidate *x = *(Candidate *const *) a, *y = *(Candidate *const *) b;
        int c = strcmp(x->p->href, y->p->href);

        if (c == 0)
                c = strcmp(x->p->checksum, y->p->checksum);
        return c != 0 ? c : by_place(x, y);
}

static bool same_file(const Candidate *a, const Candidate *b) {
        return streq(a->p->href, b->p->href) && streq(a->p->checksum, b->p->checksum);
}

/* [EPOCH:]VERSION-RELEASE, as rpm compares them; the parts are cut in place. */
static int compare_part(char **a, char **b, char end) {
        char *x = *a, *y = *b, *end_x = strchr(x, end), *end_y = strchr(y, end);
        int c;

        if (end_x)
                *end_x = '\0';
        if (end_y)
                *end_y = '\0';
        c = rpmvercmp(x, y);
        *a = end_x ? end_x + 1 : x + strlen(x);
        *b = end_y ? end_y + 1 : y + strlen(y);
        return c;
}

static int compare_evr(const char *a, const char *b) {
        _cleanup_free_ char *x = strchr(a, ':') ? strdup(a) : format("0:%s", a), *y = strchr(b, ':') ? strdup(b) : format("0:%s", b);
        char *s = x, *t = y;
        int c;

        if (!x || !y)
                return 0;
        if ((c = compare_part(&s, &t, ':')) != 0 || (c = compare_part(&s, &t, '-')) != 0)
                return c;
        return rpmvercmp(s, t);
}

/* By name and architecture, the newest first. */
static int by_version(const void *a, const void *b) {
        const Candidate *x = *(Candidate *const *) a, *y = *(Candidate *const *) b;
        int c = strcmp(x->p->name, y->p->name);

        if (c == 0)
                c = strcmp(x->p->arch, y->p->arch);
        if (c == 0)
                c = -compare_evr(x->p->evr, y->p->evr);
        return c != 0 ? c : by_place(x, y);
}

static size_t drop_repeated(Candidate **sorted, size_t n) {
        size_t kept = 0;

        if (n > 0)
                qsort(sorted, n, sizeof(*sorted), by_file);
        for (size_t i = 0; i < n; i++)
                if (kept > 0 && same_file(sorted[kept - 1], sorted[i]))
                        sorted[i]->dropped = true;
                else
                        sorted[kept++] = sorted[i];
        return kept;
}

/* Of what belongs to a module's stream, the highest version of each stream stays; of the others, the newest of each name and architecture. */
static void drop_older(Candidate **sorted, size_t n, const MirrorModules *modules) {
        size_t kept = 0;

        for (size_t i = 0; i < n; i++)
                if (names_have(&modules->world.all, sorted[i]->p->nevra))
                        sorted[i]->dropped = !names_have(&modules->latest, sorted[i]->p->nevra);
                else
                        sorted[kept++] = sorted[i];
        if (kept > 0)
                qsort(sorted, kept, sizeof(*sorted), by_version);
        for (size_t i = 1; i < kept; i++)
                sorted[i]->dropped = streq(sorted[i - 1]->p->name, sorted[i]->p->name) && streq(sorted[i - 1]->p->arch, sorted[i]->p->arch) &&
                        (sorted[i - 1]->dropped || compare_evr(sorted[i - 1]->p->evr, sorted[i]->p->evr) != 0 || sorted[i - 1]->pick.source != sorted[i]->pick.source);
}

static int filter(Candidate *v, size_t n, const MirrorSource *sources, size_t n_sources, const MirrorOptions *o, Error *e) {
        _cleanup_free_ Candidate **sorted = calloc(n + 1, sizeof(*sorted));
        _cleanup_(mirror_modules_clear) MirrorModules modules = {};
        size_t kept;
        int r;

        if (!sorted)
                return error_oom(e);
        for (size_t i = 0; i < n; i++)
                sorted[i] = &v[i];
        kept = drop_repeated(sorted, n);
        if (!o->newest)
                return 0;
        if ((r = mirror_modules_load(sources, n_sources, NULL, &modules, e)) < 0)
                return r;
        drop_older(sorted, kept, &modules);
        return 0;
}

int mirror_pick(const MirrorSource *sources, size_t n, const MirrorOptions *o, MirrorPick **ret, size_t *ret_n, Error *e) {
        _cleanup_free_ Candidate *v = NULL;
        size_t n_candidates = 0, all = 0, kept = 0;
        MirrorPick *picks;
        int r;

        for (size_t i = 0; i < n; i++)
                all += sources[i].primary->n_packages;
        if (!(v = calloc(all + 1, sizeof(*v))))
                return error_oom(e);
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < sources[i].primary->n_packages; k++)
                        if (is_wanted(o, sources[i].primary->packages[k]))
                                v[n_candidates++] = (Candidate){ .p = sources[i].primary->packages[k], .pick = { .source = i, .at = k } };
        if ((r = filter(v, n_candidates, sources, n, o, e)) < 0)
                return r;
        if (!(picks = calloc(n_candidates + 1, sizeof(*picks))))
                return error_oom(e);
        for (size_t i = 0; i < n_candidates; i++)
                if (!v[i].dropped)
                        picks[kept++] = v[i].pick;
        *ret = picks;
        *ret_n = kept;
        return 0;
}
