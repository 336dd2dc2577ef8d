#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The power, or the disk, goes at each single system call of apply, revert, pause and revert --finish that changes something: the next run brings
# everything to where an undisturbed one ends, and back to what was there before us.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/root.sh"
. "$(dirname "$0")/small-root.sh"
INJECT=$SOURCE/tests/e2e/power/inject
TREES="boot etc var run usr/lib/modules usr/lib/systemd usr/lib/modprobe.d usr/lib/dracut usr/share/gn8v-tee usr/src"

# What was there before us, of every kind: a smaller swiotlb, one entry that has ours already, a unit that is enabled, a file at our drop-in's
# place; of the clients, cloudmonitor disabled and stopped, the other one running.
with_a_past() {
        local k
        set_everywhere "$SMALLER"
        sed -i "/^options/s/swiotlb=[^ ]*/$(argument "$MULTI")/" "$(entry "$OLD_KERNEL")"
        echo "swiotlb=1024 ro" > "$R/etc/kernel/cmdline"
        mkdir -p "$R/etc/systemd/system/multi-user.target.wants" "$R/etc/systemd/system/ollama.service.d"
        ln -s /usr/lib/systemd/system/nvidia-persistenced.service "$R/etc/systemd/system/multi-user.target.wants/"
        echo '# mine' > "$R/etc/systemd/system/ollama.service.d/50-gn8v-tee-order.conf"
        : > "$R/run/fake-active/nvidia-cdi-refresh.path"
        cp "$R/usr/lib/systemd/system/cloudmonitor.service" "$R/usr/lib/systemd/system/nvidia-cdi-refresh.path"
        for k in "$KERNEL" "$OLD_KERNEL"; do echo "initramfs of $k" > "$R/boot/initramfs-$k.img"; done
        mkdir -p "$R/var/lib/dkms"
}
template() { # NAME: what runs change, as it is now
        local tree
        for tree in $TREES; do mkdir -p "$R/$tree" "$SCRATCH/$1/$tree" && cp -a "$R/$tree/." "$SCRATCH/$1/$tree/"; done
}
templates() {
        # In memory: that things are flushed is asked for, not waited for.
        CLEANUPS+=("SCRATCH=$SCRATCH")
        mkdir "$SCRATCH/memory"
        mount -t tmpfs -o size=256m tmpfs "$SCRATCH/memory" || :
        SCRATCH=$SCRATCH/memory
        small_root "$SCRATCH/base"
        begin "$MULTI"
        with_a_past
        template before
        expect 0 node pause
        expect 0 node apply
        # Edits that revert must keep, and say so.
        sed -i '/^options/s/$/ later.own=1/' "$(entry 0-rescue)"
        template applied
        expect 0 node revert
        take_release "$R"
        template reverted
        umount "$R/real-proc"
}
# every kill|fail TEMPLATE VERB...
every() {
        local which=$1 from=$2 root
        shift 2
        command -v strace > /dev/null || skip_scenario "no strace"
        R=$(mktemp -d "$SCRATCH/root.XXXXXX")
        root=$R
        cp -a "$SCRATCH/base/." "$root/"
        mount --bind /proc "$root/real-proc"
        "$INJECT" "$root" "$SCRATCH/$from" "$which" "$@" > "$root.points" || { cat "$root.points"; die "see above"; }
        [ "$which" = order ] || echo "$which $*: $(cat "$root.points")"
        umount "$root/real-proc"
}
# Both at once: the machine has more than one processor, and each run mostly waits for its tools.
both() { # TEMPLATE VERB...
        local pid
        every kill "$@" > "$SCRATCH/kill.log" 2>&1 &
        pid=$!
        every fail "$@"
        wait "$pid" || { cat "$SCRATCH/kill.log"; die "killed: see above"; }
        cat "$SCRATCH/kill.log"
}
# What tools wrote is flushed too: each of these files, though no call of ours wrote it.
flushes() {
        local file
        every order before apply
        for file in /boot/grub2/grubenv "/boot/loader/entries/$MACHINE_ID-0-rescue.conf" /boot/loader/entries /etc/systemd/system/multi-user.target.wants \
                "/usr/lib/modules/$KERNEL/extra/nvidia.ko.xz" "/usr/lib/modules/$KERNEL/extra" /var/lib/gn8v-tee /boot \
                "/boot/.gn8v-tee-initramfs-initramfs-$KERNEL.img"; do
                grep -qxF "$file" "$R.points" || die "not flushed: $file"
        done
        every order applied revert
        every order before pause
        every order reverted revert --finish
}

[ "$(id -u)" = 0 ] || { skip "$SUITE" "needs root for chroot"; exit 0; }
prepare templates
scenario "what is written is flushed, in order" flushes
scenario "apply" both before apply
scenario "pause" both before pause
scenario "revert, with edits made since" both applied revert
scenario "revert --finish" both reverted revert --finish
grep -h ' points, [0-9]* states$' "$LOGS"/*.log | grep -v '^+' | sed 's/^/# /'
finish
