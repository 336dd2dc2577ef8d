/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/rims-package.h"

#define DIRECTORY "/usr/share/gn8v-tee/rims"

static int compare_names(const void *a, const void *b) {
        return strcmp((*(const LockedArtifact *const *) a)->name, (*(const LockedArtifact *const *) b)->name);
}

/* By the day; on one day, whatever is always the same. */
static bool is_newer(const LockedArtifact *a, const LockedArtifact *b) {
        int k = strcmp(a->date, b->date);

        return k != 0 ? k > 0 : strcmp(a->sha256, b->sha256) > 0;
}

static void add(const LockedArtifact **v, size_t *n, const LockedArtifact *a) {
        for (size_t i = 0; i < *n; i++)
                if (streq(v[i]->name, a->name)) {
                        v[i] = is_newer(a, v[i]) ? a : v[i];
                        return;
                }
        v[(*n)++] = a;
}

int rims_select(const Lock *const *locks, size_t n, const LockedArtifact ***ret, size_t *ret_n) {
        const LockedArtifact **v;
        size_t max = 1, found = 0;

        for (size_t i = 0; i < n; i++)
                max += locks[i] ? locks[i]->n_artifacts : 0;
        v = calloc(max, sizeof(*v));
        if (!v)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; locks[i] && j < locks[i]->n_artifacts; j++)
                        if (locked_is_rim(locks[i]->artifacts[j]))
                                add(v, &found, locks[i]->artifacts[j]);
        qsort(v, found, sizeof(*v), compare_names);
        *ret = v;
        *ret_n = found;
        return 0;
}

int rims_describe(const LockedArtifact *const *rims, size_t n, WrapList **ret, Error *e) {
        static const char *const directories[] = { "/usr/share/gn8v-tee", DIRECTORY };
        _cleanup_(wrap_list_freep) WrapList *list = calloc(1, sizeof(WrapList));

        if (!list || !(list->files = calloc(n + ELEMENTSOF(directories), sizeof(WrapFile))))
                return error_oom(e);
        for (size_t i = 0; i < n + ELEMENTSOF(directories); i++) {
                const LockedArtifact *a = i < ELEMENTSOF(directories) ? NULL : rims[i - ELEMENTSOF(directories)];
                WrapFile *f = &list->files[list->n_files++];

                *f = (WrapFile) { .package = PACKAGE_RIMS, .kind = a ? WRAP_FILE : WRAP_DIRECTORY, .mode = a ? 0644 : 0755, .size = a ? a->size : 0,
                                  .path = a ? format(DIRECTORY "/%s", a->filename) : strdup(directories[i]) };
                if (!f->path)
                        return error_oom(e);
                if (a)
                        memcpy(f->sha256, a->sha256, SHA256_HEX_SIZE);
        }
        *ret = TAKE_PTR(list);
        return 0;
}
