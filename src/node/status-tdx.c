/* SPDX-License-Identifier: Apache-2.0 */
/* Step "check the TDX status": the processor's flag, and the device that makes reports. */
#include "node/status-rows.h"

static bool has_tdx_flag(const char *cpuinfo) {
        for (const char *p = cpuinfo; (p = strstr(p, "tdx_guest")); p += strlen("tdx_guest"))
                if (p > cpuinfo && strchr(" \t", p[-1]) && strchr(" \t\n", p[9]))
                        return true;
        return false;
}

void status_tdx(StatusContext *c) {
        const Release *release = c->node->release;
        _cleanup_free_ char *cpuinfo = NULL, *types = release ? strv_join(release->instance_types, " ") : NULL;
        bool device = node_exists(c->node, "/dev/tdx_guest");

        if (node_read(c->node, "/proc/cpuinfo", NODE_FILE_MAX, &cpuinfo, NULL) < 0) {
                row_add(c, ROW_UNKNOWN, "TDX guest", "tdx_guest", "no /proc");
                return;
        }
        if (!has_tdx_flag(cpuinfo)) {
                row_add(c, ROW_FAIL, "TDX guest", "tdx_guest", "no such CPU flag");
                row_next(c, FIRST_INSTANCE, "this is no confidential virtual machine: create an instance of type %s",
                         types && *types ? types : "ecs.gn8v-tee");
                return;
        }
        row_add(c, ROW_OK, "TDX guest", "tdx_guest", "tdx_guest");
        row_add(c, device ? ROW_OK : ROW_WARN, "/dev/tdx_guest", "present", "%s", device ? "present" : "absent");
        if (!device)
                row_next(c, FIRST_LAST, "modprobe tdx_guest");
}
