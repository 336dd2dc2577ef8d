/* SPDX-License-Identifier: Apache-2.0 */
/* Step "create an instance": its kernel. */
#include "node/boot-entries.h"
#include "node/status-rows.h"

static void add_kernel(StatusContext *c) {
        const Release *release = c->node->release;
        _cleanup_free_ char *running = first_line(c->node, "/proc/sys/kernel/osrelease"), *wanted = NULL;
        bool enough;

        if (!release || !release->minimum_kernel)
                return;
        wanted = format(">= %s", release->minimum_kernel);
        if (!running) {
                row_add(c, ROW_UNKNOWN, "kernel running", wanted, "no /proc");
                return;
        }
        enough = version_compare(running, release->minimum_kernel) >= 0;
        row_add(c, enough ? ROW_OK : ROW_FAIL, "kernel running", wanted, "%s", running);
        if (!enough)
                row_next(c, FIRST_KERNEL, "yum update kernel && reboot");
}

void status_instance(StatusContext *c) {
        add_kernel(c);
}
