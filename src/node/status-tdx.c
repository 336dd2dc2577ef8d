/* SPDX-License-Identifier: Apache-2.0 */
/* Step "check the TDX status": the processor's flag, and the device that makes reports. */
#include "node/gpu.h"
#include "node/status-rows.h"

static void add_flag(StatusContext *c, bool there) {
        const Release *release = c->node->release;
        const char *type = c->metadata.instance_type;
        _cleanup_free_ char *types = release ? strv_join(release->instance_types, " ") : NULL;

        row_add(c, there ? ROW_OK : ROW_FAIL, "TDX guest", "tdx_guest", "%s", there ? "tdx_guest" : "no such CPU flag");
        if (there)
                return;
        if (release && type && strv_contains(release->instance_types, type))
                row_next(c, FIRST_INSTANCE, "open a ticket: %s must be a TDX guest, and this one is none", type);
        else
                row_next(c, FIRST_INSTANCE, "this is no confidential virtual machine: create an instance of type %s",
                         types && *types ? types : "ecs.gn8v-tee");
}

void status_tdx(StatusContext *c) {
        bool device = node_exists(c->node, "/dev/tdx_guest"), there;
        _cleanup_free_ char *cpuinfo = NULL;

        if (node_read_head(c->node, "/proc/cpuinfo", CPUINFO_HEAD, &cpuinfo, NULL) < 0) {
                row_add(c, ROW_UNKNOWN, "TDX guest", "tdx_guest", "no /proc");
                row_next(c, FIRST_NEVER, "boot this system");
                return;
        }
        there = is_tdx_guest(cpuinfo);
        add_flag(c, there);
        if (!there)
                return;
        row_add(c, device ? ROW_OK : ROW_WARN, "/dev/tdx_guest", "present", "%s", device ? "present" : "absent");
        if (!device)
                row_next(c, FIRST_LAST, "modprobe tdx_guest; without it there is no report of the TDX guest");
}
