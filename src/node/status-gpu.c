/* SPDX-License-Identifier: Apache-2.0 */
/* Step "check the GPU confidential computing feature status". */
#include "node/reboot.h"
#include "node/status-rows.h"

void status_gpu(StatusContext *c) {
        _cleanup_free_ char *loaded = loaded_driver(c->node), *expected = NULL;
        _cleanup_strv_ char **gpus = NULL;
        bool all;

        if (!loaded || !c->node->release || node_list(c->node, "/proc/driver/nvidia/gpus", &gpus) < 0)
                return;
        expected = format("%u", c->node->release->gpus);
        all = strv_length(gpus) == c->node->release->gpus;
        row_add(c, all ? ROW_OK : ROW_FAIL, "GPUs", expected, "%zu", strv_length(gpus));
        if (!all)
                row_next(c, FIRST_GPUS, "check that the instance type has %u GPU(s); if it has, open a ticket: a GPU does not attach",
                         c->node->release->gpus);
}
