/* SPDX-License-Identifier: Apache-2.0 */
/* Step "create an instance": its type and place, its kernel, and what must not be attached to it. */
#include "node/boot-entries.h"
#include "node/reboot.h"
#include "node/status-rows.h"

static void add_type(StatusContext *c) {
        const Release *release = c->node->release;
        const char *type = c->metadata.instance_type;
        _cleanup_free_ char *types = release ? strv_join(release->instance_types, " ") : NULL;
        bool right;

        if (!release || !types || !*types)
                return;
        if (!type) {
                row_add(c, ROW_UNKNOWN, "instance type", types, "%s", c->metadata.missing);
                row_next(c, FIRST_NEVER, "on the instance, see that it may reach its metadata service, then run: gn8v-tee status");
                return;
        }
        right = strv_contains(release->instance_types, type);
        row_add(c, right ? ROW_OK : ROW_FAIL, "instance type", types, "%s", type);
        if (!right)
                row_next(c, FIRST_INSTANCE, "%s cannot run release %s: create an instance of type %s%s", type, c->status.release, types,
                         startswith(type, "ecs.gn8v-tee") ? ", or install the other profile" : "");
}

static void add_place(StatusContext *c, const char *name, char *const *wanted, const char *found) {
        _cleanup_free_ char *places = strv_join(wanted, " ");
        bool right = found && strv_contains(wanted, found);

        if (!found || !places || !*places)
                return;
        row_add(c, right ? ROW_OK : ROW_WARN, name, places, "%s", found);
        if (!right)
                row_next(c, FIRST_LAST, "the release is known to work in %s: ask the cloud's support whether %s has confidential GPUs", places, found);
}

static void add_kernel(StatusContext *c) {
        const Release *release = c->node->release;
        _cleanup_free_ char *running = first_line(c->node, "/proc/sys/kernel/osrelease"), *wanted = NULL;
        _cleanup_free_ char *next = NULL;
        bool enough, rebooting;

        if (!release || !release->minimum_kernel)
                return;
        wanted = format(">= %s", release->minimum_kernel);
        if (!running) {
                row_add(c, ROW_UNKNOWN, "kernel running", wanted, "no /proc");
                row_next(c, FIRST_NEVER, "boot this system");
                return;
        }
        enough = version_compare(running, release->minimum_kernel) >= 0;
        next = enough ? NULL : default_kernel(c->node);
        rebooting = next && version_compare(next, release->minimum_kernel) >= 0;
        row_add(c, enough ? ROW_OK : rebooting ? ROW_PENDING : ROW_FAIL, "kernel running", wanted, "%s", running);
        if (rebooting)
                row_next_reboot(c);
        else if (!enough)
                row_next(c, FIRST_KERNEL, "yum update kernel && reboot");
}

/* A network interface that hardware (here: the cloud) brings has a device behind it; bridges, tunnels and containers' ends have none. */
static bool is_attached_interface(Node *n, const char *name) {
        _cleanup_free_ char *device = format("/sys/class/net/%s/device", name);

        return device && node_exists(n, device);
}

/* A disk as a whole that is there: no loop, memory or mapped device, no optical drive, no second path of an NVMe disk. */
static bool is_attached_disk(Node *n, const char *name) {
        _cleanup_free_ char *device = format("/sys/block/%s/device", name), *hidden = format("/sys/block/%s/hidden", name),
                            *size = format("/sys/block/%s/size", name), *is_hidden = NULL, *sectors = NULL;

        if (!device || !hidden || !size || startswith(name, "sr") || startswith(name, "fd") || !node_exists(n, device))
                return false;
        is_hidden = first_line(n, hidden);
        sectors = first_line(n, size);
        return !(is_hidden && streq(is_hidden, "1")) && !(sectors && streq(sectors, "0"));
}

/* "When creating or restarting a confidential instance with 8 GPUs, do not add additional secondary ENIs or data disks." */
static void add_attached(StatusContext *c, const char *row, const char *directory, bool (*is_attached)(Node *n, const char *name), const char *what) {
        _cleanup_strv_ char **names = NULL, **attached = NULL;
        _cleanup_free_ char *joined = NULL;
        bool one;

        if (node_list(c->node, directory, &names) < 0)
                return;
        STRV_FOREACH(name, names)
                if (is_attached(c->node, *name) && strv_append(&attached, *name) < 0)
                        c->failed = true;
        joined = strv_join(attached, " ");
        if (!attached || !joined)
                return;
        one = strv_length(attached) == 1;
        row_add(c, one ? ROW_OK : ROW_WARN, row, "1", "%zu: %s", strv_length(attached), joined);
        if (!one)
                row_next(c, FIRST_LAST, "detach every %s before the next restart: with one, an instance of 8 GPUs may not start", what);
}

void status_instance(StatusContext *c) {
        const Release *release = c->node->release;

        add_type(c);
        if (release) {
                add_place(c, "region", release->regions, c->metadata.region);
                add_place(c, "zone", release->zones, c->metadata.zone);
        }
        add_kernel(c);
        if (release && release->gpus > 1) {
                add_attached(c, "network interfaces", "/sys/class/net", is_attached_interface, "secondary ENI");
                add_attached(c, "disks", "/sys/block", is_attached_disk, "data disk");
        }
}
