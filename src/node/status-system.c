/* SPDX-License-Identifier: Apache-2.0 */
/* What is everybody's, and decides here too: the clock (attestation), SELinux, a reboot that is due. */
#include <sys/timex.h>

#include "node/boot-entries.h"
#include "node/reboot.h"
#include "node/selinux.h"
#include "node/status-rows.h"

/* A verifier compares certificates' and tokens' times with this clock. */
static void add_clock(StatusContext *c) {
        struct timex t = {};
        int state;
        bool synchronised;

        if (c->node->root)
                return; /* this machine's clock says nothing about that root */
        state = adjtimex(&t);
        if (state < 0) {
                row_add(c, ROW_UNKNOWN, "clock", "synchronised", "not readable: %s", strerror(errno));
                row_next(c, FIRST_NEVER, "chronyc tracking");
                return;
        }
        synchronised = state != TIME_ERROR && !(t.status & STA_UNSYNC);
        row_add(c, synchronised ? ROW_OK : ROW_WARN, "clock", "synchronised", "%s", synchronised ? "synchronised" : "not synchronised");
        if (!synchronised)
                row_next(c, FIRST_LAST, "systemctl enable --now chronyd: attestation fails with a wrong clock");
}

static void add_selinux(StatusContext *c) {
        _cleanup_free_ char *enforce = first_line(c->node, "/sys/fs/selinux/enforce");
        const char *mode = !enforce ? "disabled" : streq(enforce, "1") ? "enforcing" : "permissive";
        Denials d = {};
        int k;

        if (!node_exists(c->node, "/sys/fs"))
                return;
        k = enforce ? denials_load(c->node, &d) : 0;
        if (k < 0) {
                row_add(c, ROW_UNKNOWN, "SELinux", "no denials", "%s: %s", mode, k == -ENOENT ? "no audit log" : "the audit log is not readable");
                row_next(c, FIRST_NEVER, k == -ENOENT ? "journalctl -b -k -g avc: shows them where auditd does not run" : "run as root: gn8v-tee status");
                return;
        }
        if (d.n == 0)
                row_add(c, ROW_OK, "SELinux", "no denials", "%s", mode);
        else {
                row_add(c, ROW_WARN, "SELinux", "no denials", "%s: %u denied, the last one to %s", mode, d.n, d.comm ? d.comm : "?");
                row_next(c, FIRST_LAST, "ausearch -m avc -ts boot shows which file: restorecon -v on it; if it is denied again, open a ticket");
        }
        free(d.comm);
}

/* Another kernel boots than the one that runs. */
static void next_for_kernel(StatusContext *c, const char *running, const char *next) {
        const Release *release = c->node->release;

        if (release && release->minimum_kernel && version_compare(next, release->minimum_kernel) < 0)
                row_next(c, FIRST_KERNEL, "%s is older than the release wants: grubby --set-default=/boot/vmlinuz-%s", next, running);
        else
                row_next(c, FIRST_LAST, "reboot when it suits: %s kernel boots by default",
                         version_compare(next, running) > 0 ? "a newer" : "an older");
}

static void add_reboot(StatusContext *c) {
        _cleanup_free_ char *running = first_line(c->node, "/proc/sys/kernel/osrelease"), *next = default_kernel(c->node);

        if (c->reboot) {
                row_add(c, ROW_PENDING, "reboot", "none due", "%s", c->reboot);
                row_next_reboot(c);
        } else if (running && next && !streq(running, next)) {
                row_add(c, ROW_WARN, "reboot", "none due", "kernel %s runs, %s is to boot", running, next);
                next_for_kernel(c, running, next);
        } else if (running)
                row_add(c, ROW_OK, "reboot", "none due", "none due");
}

void status_system(StatusContext *c) {
        add_clock(c);
        add_selinux(c);
        add_reboot(c);
}
