/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever our reader of primary.xml takes, libsolv's takes, and reads the same in it. */
#include "../solv-text.h"
#include "repo/primary-solv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Pool *pool = pool_create();
        Repo *repo = repo_create(pool, "ours");
        _cleanup_free_ char *text = strndup((const char *) data, size), *ours = NULL, *theirs = NULL;
        _cleanup_free_ char *href = NULL, *digest = NULL, *hex = NULL;

        if (text && primary_solv_find(text, strlen(text), &href, &digest, &hex) && (!*href || !*digest || !*hex))
                abort();
        (void) pool_setdisttype(pool, DISTTYPE_RPM);
        if (text && primary_solv_add(repo, text, strlen(text))) {
                ours = solv_text(repo);
                theirs = solv_text_of_xml(text, strlen(text));
                if (!ours || !theirs || !streq(ours, theirs)) {
                        fprintf(stderr, "ours:\n%s\nlibsolv's:\n%s\n", ours, theirs ? theirs : "refused");
                        abort();
                }
        }
        pool_free(pool);
        return 0;
}
