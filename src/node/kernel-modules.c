/* SPDX-License-Identifier: Apache-2.0 */
#include "node/kernel-modules.h"

#define LIST_MAX ((size_t) 8 * 1024 * 1024)

static int read_list(Node *n, const char *kernel, const char *name, char **ret) {
        _cleanup_free_ char *path = format("/lib/modules/%s/%s", kernel, name);
        int k;

        if (!path)
                return -ENOMEM;
        k = node_read(n, path, LIST_MAX, ret, NULL);
        return k == -ENOMEM ? k : 0;
}

int kernel_modules_load(Node *n, const char *kernel, KernelModules *ret) {
        KernelModules m = {};
        int k;

        if (strchr(kernel, '/') || streq(kernel, "..") || !*kernel)
                return 0;
        k = read_list(n, kernel, "modules.dep", &m.files);
        if (k >= 0)
                k = read_list(n, kernel, "modules.builtin", &m.builtin);
        if (k < 0)
                kernel_modules_free(&m);
        else
                *ret = m;
        return k;
}

void kernel_modules_free(KernelModules *m) {
        free(m->files);
        free(m->builtin);
        *m = (KernelModules){};
}

/* Whether a list has .../NAME.ko, maybe compressed. */
static bool list_has(const char *list, const char *name) {
        const size_t size = strlen(name);

        for (const char *p = list; p && (p = strstr(p, ".ko")); p += 3) {
                const char *start = p - size;
                size_t same = 0;

                if ((size_t) (p - list) <= size || start[-1] != '/' || !strchr(".: \t\n", p[3]))
                        continue;
                while (same < size && (start[same] == name[same] || (strchr("-_", start[same]) && strchr("-_", name[same]))))
                        same++;
                if (same == size)
                        return true;
        }
        return false;
}

KernelModule kernel_modules_find(const KernelModules *m, const char *name) {
        if (m->builtin && list_has(m->builtin, name))
                return MODULE_BUILTIN;
        if (m->files && list_has(m->files, name))
                return MODULE_FILE;
        return m->files ? MODULE_ABSENT : MODULE_UNKNOWN;
}
