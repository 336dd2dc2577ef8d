/* SPDX-License-Identifier: Apache-2.0 */
/* Step "adjust the kernel parameters": configured in every boot entry, on the running command line, and by its effect. */
#include "node/kernel-argument.h"
#include "node/status-rows.h"
#include "node/swiotlb.h"

static void add_running(StatusContext *c, const Resource *r) {
        _cleanup_free_ char *cmdline = NULL, *found = NULL, *merged = NULL, *name = format("%s running", r->name);
        bool same;
        int k;

        if (!name) {
                c->failed = true;
                return;
        }
        k = node_read(c->node, "/proc/cmdline", (size_t) 64 * 1024, &cmdline, NULL);
        if (k < 0) {
                row_add(c, ROW_UNKNOWN, name, r->wanted, "/proc/cmdline: %s", strerror(-k));
                row_next(c, FIRST_NEVER, "boot this system");
                return;
        }
        found = cmdline_find(cmdline, r->name);
        merged = argument_merge(found, r->wanted);
        same = found && merged && streq(found, merged);
        row_add(c, same ? ROW_OK : ROW_PENDING, name, r->wanted, "%s", found ? found : "absent");
        if (!same)
                row_next_reboot(c);
}

/* Upstream kernels do not know the word "any": there the pool has to fit below 4 GiB, and is made much smaller, or not at all. */
static void next_for_small_pool(StatusContext *c, bool given) {
        _cleanup_free_ char *kernel = first_line(c->node, "/proc/sys/kernel/osrelease");

        if (!given)
                row_next_reboot(c);
        else if (kernel && !strstr(kernel, ".al8"))
                row_next(c, FIRST_KERNEL, "boot an Alibaba Cloud Linux 3 kernel: %s does not know \"any\", and made a smaller pool", kernel);
        else
                row_next(c, FIRST_KERNEL, "the kernel did not make the pool it was given: yum update kernel && reboot; if it stays so, open a ticket");
}

/* What the kernel made of swiotlb=SLABS,any: the size that counts. */
static void add_pool(StatusContext *c, const Resource *r) {
        const char *value = startswith(r->wanted, "swiotlb=");
        _cleanup_free_ char *slabs = value ? strndup(value, strcspn(value, ",")) : NULL, *expected = NULL;
        bool given = c->status.n > 0 && c->status.rows[c->status.n - 1].state == ROW_OK;
        SwiotlbPool pool;
        uint64_t want;
        int k;

        if (!slabs || parse_u64(slabs, &want) < 0)
                return;
        want /= 512;
        expected = format(">= %llu MiB", (unsigned long long) want);
        k = swiotlb_pool(c->node, &pool);
        if (k < 0) {
                row_add(c, ROW_UNKNOWN, "swiotlb pool", expected, "%s", k == -EACCES ? "not readable" : "neither debugfs nor the kernel log says it");
                row_next(c, FIRST_NEVER, k == -EACCES        ? "run as root: gn8v-tee status"
                                           : c->node->root ? "boot this system"
                                                           : "mount -t debugfs none /sys/kernel/debug");
                return;
        }
        row_add(c, pool.mib >= want ? ROW_OK : given ? ROW_FAIL : ROW_PENDING, "swiotlb pool", expected, "%llu MiB (%s)",
                (unsigned long long) pool.mib, pool.source);
        if (pool.mib < want)
                next_for_small_pool(c, given);
}

void status_kernel(StatusContext *c) {
        for (size_t i = 0; i < c->plan.n; i++) {
                const Resource *r = c->plan.resources[i];
                _cleanup_free_ char *name = NULL;

                if (r->type != &kernel_argument_type || r->action == ACTION_REVERT)
                        continue;
                name = format("%s configured", r->name);
                row_add_resource(c, name ? name : r->name, r, FIRST_APPLY);
                add_running(c, r);
                add_pool(c, r);
        }
}
