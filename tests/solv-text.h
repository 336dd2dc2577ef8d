/* SPDX-License-Identifier: Apache-2.0 */
/* What libsolv knows of a repository's packages as text, so that two ways of reading can be compared. */
#pragma once

#include <solv/pool.h>
#include <solv/repo.h>
#include <solv/repo_rpmmd.h>

#include "basic/strings.h"

static void solv_text_dependencies(Text *t, const char *what, Solvable *s, Id key) {
        Queue q;

        queue_init(&q);
        (void) solvable_lookup_deparray(s, key, &q, key == SOLVABLE_REQUIRES ? -1 : 0);
        for (int i = 0; i < q.count; i++)
                text_printf(t, " %s[%s]", what, pool_dep2str(s->repo->pool, q.elements[i]));
        if (key == SOLVABLE_REQUIRES) {
                queue_empty(&q);
                (void) solvable_lookup_deparray(s, key, &q, 1);
                for (int i = 0; i < q.count; i++)
                        text_printf(t, " before[%s]", pool_dep2str(s->repo->pool, q.elements[i]));
        }
        queue_free(&q);
}

/* Owned by the caller. */
static char *solv_text(Repo *repo) {
        static const struct {
                const char *name;
                Id key;
        } lists[] = { { "provides", SOLVABLE_PROVIDES }, { "requires", SOLVABLE_REQUIRES }, { "conflicts", SOLVABLE_CONFLICTS }, { "obsoletes", SOLVABLE_OBSOLETES },
                      { "recommends", SOLVABLE_RECOMMENDS }, { "suggests", SOLVABLE_SUGGESTS }, { "supplements", SOLVABLE_SUPPLEMENTS }, { "enhances", SOLVABLE_ENHANCES } };
        Pool *pool = repo->pool;
        Text t = {};
        Solvable *s;
        Id p;

        repo_internalize(repo);
        FOR_REPO_SOLVABLES(repo, p, s) {
                Dataiterator di;
                Id type = 0;
                const char *checksum = solvable_lookup_checksum(s, SOLVABLE_CHECKSUM, &type);

                text_printf(&t, "%s|%s|%s|%s by %s, %d %s", pool_id2str(pool, s->name), pool_id2str(pool, s->evr), pool_id2str(pool, s->arch), pool_solvid2str(pool, p),
                            s->vendor ? pool_id2str(pool, s->vendor) : "nobody", type, checksum ? checksum : "-");
                for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                        solv_text_dependencies(&t, lists[i].name, s, lists[i].key);
                dataiterator_init(&di, pool, repo, p, SOLVABLE_FILELIST, NULL, SEARCH_FILES | SEARCH_COMPLETE_FILELIST);
                while (dataiterator_step(&di))
                        text_printf(&t, " file[%s]", di.kv.str);
                dataiterator_free(&di);
                text_append(&t, "\n");
        }
        return text_take(&t);
}

/* By libsolv's own reader; NULL: it does not take it. */
static char *solv_text_of_xml(const char *text, size_t size) {
        Pool *pool = pool_create();
        Repo *repo = repo_create(pool, "libsolv's");
        FILE *f = fmemopen((void *) text, size, "r");
        char *s = NULL;

        (void) pool_setdisttype(pool, DISTTYPE_RPM);
        if (f && repo_add_rpmmd(repo, f, NULL, 0) == 0)
                s = solv_text(repo);
        if (f)
                (void) fclose(f);
        pool_free(pool);
        return s;
}
