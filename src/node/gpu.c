/* SPDX-License-Identifier: Apache-2.0 */
#include "node/gpu.h"

#include "node/reboot.h"
#include "node/units.h"

#define ATTACHED "/proc/driver/nvidia/gpus"

bool is_tdx_guest(const char *cpuinfo) {
        for (const char *p = cpuinfo; (p = strstr(p, "tdx_guest")); p += strlen("tdx_guest"))
                if (p > cpuinfo && strchr(" \t", p[-1]) && strchr(" \t\n", p[9]))
                        return true;
        return false;
}

/* Of any maker; a system that cannot be looked at may be one. */
static bool may_be_confidential(Node *n) {
        _cleanup_free_ char *cpuinfo = NULL;

        return node_read_head(n, "/proc/cpuinfo", CPUINFO_HEAD, &cpuinfo, NULL) < 0 || is_tdx_guest(cpuinfo) || node_exists(n, "/dev/tdx_guest") ||
               node_exists(n, "/dev/sev-guest");
}

static int unit_is_active(Node *n, const char *unit, bool *ret, char **ret_why, Error *e) {
        _cleanup_free_ char *state = NULL;
        int k = unit_active(n, unit, &state, e);

        if (k < 0)
                return k;
        *ret = streq(state, "active");
        if (!*ret)
                *ret_why = format("%s is %s, and must be the first to open a GPU", unit, streq(state, "unknown") ? "not to be seen" : state);
        return *ret || *ret_why ? 0 : error_oom(e);
}

int gpu_may_open(Node *n, const PciDevices *pci, bool *ret, char **ret_why, Error *e) {
        bool fabric = strv_length(pci->nvswitches) > 0 || (n->release && n->release->nvswitches > 0);
        int k = 0;

        *ret = true;
        if (!may_be_confidential(n))
                return 0;
        if (!n->booted) {
                *ret = false;
                *ret_why = strdup("systemd does not run here: whether " PERSISTENCED_UNIT " holds the GPUs cannot be seen");
                return *ret_why ? 0 : error_oom(e);
        }
        if (fabric)
                k = unit_is_active(n, FABRICMANAGER_UNIT, ret, ret_why, e);
        if (k >= 0 && *ret)
                k = unit_is_active(n, PERSISTENCED_UNIT, ret, ret_why, e);
        return k;
}

int gpu_facts(Node *n, GpuFacts *ret, Error *e) {
        _cleanup_gpu_facts_ GpuFacts f = { .nvml = NVML_EMPTY, .module = loaded_driver(n) };
        bool may = false;
        int k;

        f.driver = f.module || node_exists(n, "/dev/nvidiactl");
        k = pci_list(n, &f.pci);
        if (k == -ENOMEM || (f.driver && node_list(n, ATTACHED, &f.attached) == -ENOMEM))
                return error_oom(e);
        k = 0;
        if (f.driver && n->root) {
                f.not_asked = strdup("the driver that runs is not that of another root");
                k = f.not_asked ? 0 : error_oom(e);
        } else if (f.driver)
                k = gpu_may_open(n, &f.pci, &may, &f.not_asked, e);
        if (k >= 0 && may) {
                k = nvml_ask(NULL, &f.nvml, e);
                f.asked = k >= 0;
        }
        if (k < 0)
                return k;
        *ret = f;
        f = (GpuFacts){ .nvml = NVML_EMPTY };
        return 0;
}

void gpu_facts_free(GpuFacts *f) {
        pci_free(&f->pci);
        free(f->module);
        strv_free(f->attached);
        free(f->not_asked);
        nvml_free(&f->nvml);
        *f = (GpuFacts){ .nvml = NVML_EMPTY };
}
