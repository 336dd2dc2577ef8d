/* SPDX-License-Identifier: Apache-2.0 */
/* Two repositories' advisories, groups, modules: what comes out of a merge can be merged again, and is the same then. */
#include "basic/strings.h"
#include "repo/merge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int (*Merge)(const MergeInput *v, size_t n, char **ret, Error *e);

static int modules(const MergeInput *v, size_t n, char **ret, Error *e) {
        _cleanup_strv_ char **warnings = NULL;
        return merge_modules(v, n, ret, &warnings, e);
}

static void twice(Merge merge, const MergeInput *v, size_t n) {
        _cleanup_free_ char *once = NULL, *again = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        MergeInput in = { .name = "fuzz", .source = "fuzz" };

        if (merge(v, n, &once, &e) < 0)
                return;
        in.text = once;
        in.size = strlen(once);
        if (merge(&in, 1, &again, &e) < 0 || !streq(once, again))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *text = (const char *) data, *cut = memmem(data, size, "\n====\n", 6);
        _cleanup_free_ char *first = strndup(text, cut ? (size_t) (cut - text) : size), *second = cut ? strndup(cut + 6, size - (size_t) (cut + 6 - text)) : strdup("");
        const MergeInput v[] = { { .name = "a", .source = "a", .text = first, .size = strlen(first) }, { .name = "b", .source = "b", .text = second, .size = strlen(second) } };

        twice(merge_updateinfo, v, cut ? 2 : 1);
        twice(merge_comps, v, cut ? 2 : 1);
        twice(modules, v, cut ? 2 : 1);
        return 0;
}
