/* SPDX-License-Identifier: Apache-2.0 */
/* Step "configure the loading behaviour": the crypto modules that the GPU's encrypted session needs. */
#include "node/status-rows.h"

void status_crypto(StatusContext *c) {
        for (size_t i = 0; i < c->plan.n; i++) {
                const Resource *r = c->plan.resources[i];
                _cleanup_free_ char *name = NULL;

                if (r->type != &initramfs_type || r->action == ACTION_REVERT)
                        continue;
                name = format("initramfs of %s", r->name);
                row_add_resource(c, name ? name : r->name, r, FIRST_APPLY);
        }
}
