/* SPDX-License-Identifier: Apache-2.0 */
/* A generation's manifest. What is taken is safe to use, and is written so that it comes back. */
#include "basic/fs.h"
#include "repo/generation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(generation_freep) Generation *g = NULL, *again = NULL, *base = NULL, *beside = NULL, *third = NULL;
        _cleanup_free_ char *text = NULL, *kept = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        if (generation_from_json((const char *) data, size, "fuzz", &g, &e) < 0)
                return 0;
        for (size_t i = 0; i < g->n_packages; i++)
                if (!path_is_safe(g->packages[i]->href) || !generation_find_file(g, g->packages[i]->file, size % (i + 1)))
                        abort();
        if (generation_to_json(g, &text, &e) < 0 || generation_from_json(text, strlen(text), "again", &again, &e) < 0 || !generation_same(g, again))
                abort();
        /* As a repository has it: kept for the next one, which shares its packages, and is written from its text. */
        if (generation_read((const char *) data, size, "base", NULL, true, &base, &e) < 0 ||
            generation_read((const char *) data, size, "beside", base, false, &beside, &e) < 0 || !generation_same(g, beside) ||
            generation_to_json(beside, &kept, &e) < 0 || generation_from_json(kept, strlen(kept), "third", &third, &e) < 0 || !generation_same(g, third))
                abort();
        return 0;
}
