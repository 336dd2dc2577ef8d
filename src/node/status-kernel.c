/* SPDX-License-Identifier: Apache-2.0 */
/* Step "adjust the kernel parameters": configured in every boot entry, on the running command line, and by its effect. */
#include "node/kernel-argument.h"
#include "node/status-rows.h"

/* Whether the running kernel was given it. */
static bool add_running(StatusContext *c, const Resource *r) {
        _cleanup_free_ char *cmdline = NULL, *found = NULL, *merged = NULL, *name = format("%s running", r->name);
        bool same;

        if (!name) {
                c->failed = true;
                return false;
        }
        if (node_read(c->node, "/proc/cmdline", (size_t) 64 * 1024, &cmdline, NULL) < 0) {
                row_add(c, ROW_UNKNOWN, name, r->wanted, "no /proc");
                return false;
        }
        found = cmdline_find(cmdline, r->name);
        merged = argument_merge(found, r->wanted);
        same = found && merged && streq(found, merged);
        row_add(c, same ? ROW_OK : ROW_PENDING, name, r->wanted, "%s", found ? found : "absent");
        if (!same)
                row_next_reboot(c);
        return same;
}

/* What the kernel made of it, if it was given it: upstream kernels do not know "any", and give a much smaller pool. */
static void add_swiotlb_effect(StatusContext *c, const Resource *r, bool given) {
        _cleanup_free_ char *slabs = first_line(c->node, "/sys/kernel/debug/swiotlb/io_tlb_nslabs"), *words = NULL, *expected = NULL;
        const char *value = startswith(r->wanted, "swiotlb=");
        uint64_t have = 0, want = 0;

        if (!value || !slabs)
                return;
        words = strndup(value, strcspn(value, ","));
        if (!words || parse_u64(words, &want) < 0 || parse_u64(slabs, &have) < 0)
                return;
        expected = format("%llu MiB", (unsigned long long) (want / 512));
        row_add(c, have >= want ? ROW_OK : given ? ROW_FAIL : ROW_PENDING, "swiotlb pool", expected, "%llu MiB", (unsigned long long) (have / 512));
        if (have < want && given)
                row_next(c, FIRST_KERNEL, "this kernel does not make of %s what it should: yum update kernel && reboot", r->wanted);
        else if (have < want)
                row_next_reboot(c);
}

void status_kernel(StatusContext *c) {
        for (size_t i = 0; i < c->plan.n; i++) {
                const Resource *r = c->plan.resources[i];
                _cleanup_free_ char *name = NULL;

                if (r->type != &kernel_argument_type || r->action == ACTION_REVERT)
                        continue;
                name = format("%s configured", r->name);
                row_add_resource(c, name ? name : r->name, r, FIRST_APPLY);
                add_swiotlb_effect(c, r, add_running(c, r));
        }
}
