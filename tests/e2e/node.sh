#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The node program on scratch roots: what it changes, what it puts back, and what it does when a tool fails, lies, or the power goes.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/root.sh"

. "$(dirname "$0")/small-root.sh"

applies_all() {
        begin "$MULTI"
        expect 3 node plan
        unchanged
        expect 3 node apply --dry-run
        unchanged
        [ ! -e "$R/var/lib/gn8v-tee" ]
        expect 0 node apply
        said 'reboot needed'
        everywhere "$(argument "$MULTI")"
        has_argument "$OLD_KERNEL" "admin.own=$OLD_KERNEL"
        has_argument "$KERNEL" admin.own=yes
        [ "$(stat -c %s "$R/boot/grub2/grubenv")" = 1024 ]
        [ -L "$R/etc/systemd/system/multi-user.target.wants/nvidia-persistenced.service" ]
        [ -L "$R/etc/systemd/system/multi-user.target.wants/nvidia-fabricmanager.service" ]
        grep -q '^After=nvidia-persistenced.service' "$R/etc/systemd/system/ollama.service.d/50-gn8v-tee-order.conf"
        [ ! -e "$R/etc/systemd/system/docker.service.d" ]
        [ -e "$R/lib/modules/$KERNEL/extra/nvidia.ko.xz" ]
        [ ! -e "$R/lib/modules/$OLD_KERNEL/extra" ]
        grep -q options "$R/boot/initramfs-$KERNEL.img"
        grep -q options "$R/boot/initramfs-$OLD_KERNEL.img"
        [ "$(grep -c ^dracut "$R/var/log/tools")" = 2 ]
        grep -q 'grubby --update-kernel=ALL --args swiotlb' "$R/var/log/tools"
        ! grep -E 'systemctl (start|restart|stop)' "$R/var/log/tools"
        expect 0 node plan
}
second_apply_writes_nothing() {
        begin "$MULTI"
        expect 0 node apply
        find "$R" -xdev ! -path "$R/var/log*" ! -path "$R/dev*" -printf '%p %i %T@ %C@\n' | sort > "$R.one"
        : > "$R/var/log/tools"
        expect 0 node apply
        find "$R" -xdev ! -path "$R/var/log*" ! -path "$R/dev*" -printf '%p %i %T@ %C@\n' | sort | diff "$R.one" -
        ! grep -v -E 'is-active|modinfo' "$R/var/log/tools"
}
revert_is_exact() {
        begin "$MULTI"
        expect 0 node apply
        remove_all
        unchanged
        [ ! -e "$R/lib/modules/$KERNEL/extra" ]
        [ ! -e "$R/var/lib/dkms/nvidia" ]
        ! grep -q options "$R/boot/initramfs-$KERNEL.img"
        expect 0 node revert
        unchanged
}
larger_is_kept() {
        begin "$MULTI"
        set_everywhere "$LARGER"
        expect 0 node apply
        everywhere "$LARGER"
        lacks "$KERNEL" "$(argument "$MULTI")"
        ! grep -q ^grubby "$R/var/log/tools"
        remove_all
        unchanged
}
larger_in_one_entry_is_kept() {
        begin "$MULTI"
        sed -i "/^options/s/\$/ $LARGER/" "$(entry "$OLD_KERNEL")"
        picture > "$R.before"
        expect 0 node apply
        has_argument "$OLD_KERNEL" "$LARGER"
        has_argument "$KERNEL" "$(argument "$MULTI")"
        has_argument 0-rescue "$(argument "$MULTI")"
        expect 0 node plan
        said 'not lowered'
        remove_all
        unchanged
}
smaller_comes_back() {
        begin "$MULTI"
        set_everywhere "$SMALLER"
        expect 0 node apply
        everywhere "$(argument "$MULTI")"
        lacks "$KERNEL" "$SMALLER"
        remove_all
        unchanged
        everywhere "$SMALLER"
}
same_before_us_stays() {
        begin "$MULTI"
        sed -i "/^options/s/\$/ $(argument "$MULTI")/" "$(entry "$OLD_KERNEL")"
        picture > "$R.before"
        expect 0 node apply
        everywhere "$(argument "$MULTI")"
        remove_all
        unchanged
        has_argument "$OLD_KERNEL" "$(argument "$MULTI")"
}
flags_are_joined() {
        begin "$MULTI"
        set_everywhere "swiotlb=$(slabs "$MULTI"),force"
        expect 0 node apply
        everywhere "swiotlb=$(slabs "$MULTI"),force,any"
        remove_all
        unchanged
}
edits_after_us_stay() {
        begin "$MULTI"
        set_everywhere "$SMALLER"
        expect 0 node apply
        sed -i '/^options/s/$/ later.own=1/' "$(entry "$OLD_KERNEL")"
        sed -i 's/^title .*/title My own/' "$(entry 0-rescue)"
        sed -i "s/^GRUB_TIMEOUT=.*/GRUB_TIMEOUT=9/" "$R/etc/default/grub"
        expect 0 node revert
        said 'edited since'
        has_argument "$OLD_KERNEL" later.own=1
        has_argument "$OLD_KERNEL" "$SMALLER"
        grep -q '^title My own' "$(entry 0-rescue)"
        grep -q '^GRUB_TIMEOUT=9' "$R/etc/default/grub"
        ! grep -r "$(argument "$MULTI")" "$R/boot/loader" "$R/boot/grub2" "$R/etc/default" "$R/etc/kernel"
        sed -i 's/ later.own=1//' "$(entry "$OLD_KERNEL")"
        picture | grep "$(basename "$(entry "$OLD_KERNEL")")" | grep -c . > /dev/null
        diff <(grep "$OLD_KERNEL.conf" "$R.before") <(picture | grep "$OLD_KERNEL.conf")
}
larger_after_us_stays() {
        begin "$MULTI"
        expect 0 node apply
        sed -i "/^options/s/swiotlb=[^ ]*/$LARGER/" "$(entry "$OLD_KERNEL")"
        expect 0 node apply
        has_argument "$OLD_KERNEL" "$LARGER"
        expect 0 node revert
        has_argument "$OLD_KERNEL" "$LARGER"
        lacks "$KERNEL" swiotlb
}
edit_between_two_releases_stays() {
        begin "$OLDER"
        expect 0 node apply
        sed -i '/^options/s/$/ between.own=1/' "$(entry "$OLD_KERNEL")"
        put_release "$R" "$MULTI"
        expect 0 node apply
        everywhere "$(argument "$MULTI")"
        has_argument "$OLD_KERNEL" between.own=1
        expect 0 node revert
        has_argument "$OLD_KERNEL" between.own=1
        lacks "$OLD_KERNEL" swiotlb
        lacks "$KERNEL" swiotlb
}
upgrade_and_downgrade() {
        begin "$OLDER"
        expect 0 node apply
        everywhere "$(argument "$OLDER")"
        put_release "$R" "$MULTI"
        expect 0 node apply
        everywhere "$(argument "$MULTI")"
        put_release "$R" "$OLDER"
        expect 0 node apply
        everywhere "$(argument "$OLDER")"
        remove_all
        unchanged
}
swap_of_profiles() {
        begin "$MULTI"
        expect 0 node apply
        # As rpm does it: the new files and %post, the old %preun and %postun, then %posttrans.
        put_release "$R" "$SINGLE"
        expect 0 node pause
        expect 0 node revert --package gn8v-tee-multi
        expect 0 node revert --finish
        everywhere "$(argument "$MULTI")"
        expect 0 node apply
        everywhere "$(argument "$SINGLE")"
        [ ! -e "$R/etc/systemd/system/multi-user.target.wants/nvidia-fabricmanager.service" ]
        [ -L "$R/etc/systemd/system/multi-user.target.wants/nvidia-persistenced.service" ]
        grep -q "$(basename "$SINGLE")" "$R/boot/initramfs-$KERNEL.img"
        expect 0 node plan
        remove_all
        unchanged
}
new_and_removed_kernels() {
        begin "$MULTI"
        expect 0 node apply
        sed "s/$OLD_KERNEL/$NEXT_KERNEL/g" "$(entry "$OLD_KERNEL")" > "$(entry "$NEXT_KERNEL")"
        mkdir "$R/lib/modules/$NEXT_KERNEL"
        cat "$R/boot/initramfs-$OLD_KERNEL.img" > "$R/boot/initramfs-$NEXT_KERNEL.img" # by its kernel's own installation
        rm "$(entry "$OLD_KERNEL")"
        expect 0 node revert
        lacks "$NEXT_KERNEL" swiotlb
        [ ! -e "$(entry "$OLD_KERNEL")" ]
        lacks "$KERNEL" swiotlb
        grep -q options "$R/boot/initramfs-$NEXT_KERNEL.img"
        take_release "$R"
        expect 0 node revert --finish
        ! grep -q options "$R/boot/initramfs-$NEXT_KERNEL.img"
}

tool_fails() { # TOOL MODE RESOURCE
        begin "$MULTI"
        fault "$1" "$2"
        expect 1 node apply
        said "$3.*failed"
        journaled "$3:.*=failed"
        # Everything else was done all the same.
        [ "$1" = grubby ] || everywhere "$(argument "$MULTI")"
        [ "$1" != grubby ] || unchanged_boot
        [ "$1" = dkms ] || [ -e "$R/lib/modules/$KERNEL/extra/nvidia.ko.xz" ]
        [ "$1" = systemctl ] || [ -L "$R/etc/systemd/system/multi-user.target.wants/nvidia-persistenced.service" ]
        expect 3 node status
        said "$1"
        fault "$1"
        expect 0 node apply
        expect 0 node plan
        everywhere "$(argument "$MULTI")"
        ! journal | grep -v =applied
        remove_all
        unchanged
}
unchanged_boot() { diff <(grep ' boot/' "$R.before") <(picture | grep ' boot/') || die "/boot was changed"; }
grubby_without_rpm_sort() {
        begin "$MULTI"
        rm "$R/usr/libexec/grubby/rpm-sort"
        expect 1 node apply
        said 'exited 0'
        unchanged_boot
}
words_without_sense() {
        begin "$SINGLE"
        expect 2 node revert --json
        expect 2 node pause --json
        unchanged
}
# Where nobody has more to say, the next action is a whole sentence. What is not ours is no obstacle on the way back.
something_in_the_way() {
        begin "$MULTI"
        ln -s /nonexistent "$R/etc/systemd/system/ollama.service.d"
        picture > "$R.before"
        expect 1 node apply
        said 'next: run: gn8v-tee apply$'
        remove_all
        unchanged
        begin "$MULTI"
        mkdir -p "$R/var/lib/gn8v-tee"
        mount -t tmpfs -o size=8k tmpfs "$R/var/lib/gn8v-tee"
        head -c 64k /dev/zero > "$R/var/lib/gn8v-tee/full" 2>/dev/null || :
        expect 8 node apply
        said 'next: make room, then run: gn8v-tee apply$'
        umount "$R/var/lib/gn8v-tee"
        unchanged
}
tool_kills() { # TOOL MODE
        begin "$MULTI"
        fault "$1" "$2"
        expect 137 node apply
        fault "$1"
        expect 0 node apply
        expect 0 node plan
        everywhere "$(argument "$MULTI")"
        remove_all
        unchanged
        # And straight from the crash back.
        begin "$MULTI"
        fault "$1" "$2"
        expect 137 node apply
        fault "$1"
        expect 0 node revert
        take_release "$R"
        expect 0 node revert --finish
        unchanged
}
revert_fails_and_heals() { # TOOL
        begin "$MULTI"
        expect 0 node apply
        fault "$1" exit
        expect 1 node revert
        fault "$1"
        expect 0 node revert
        take_release "$R"
        expect 0 node revert --finish
        unchanged
}
# The power goes at the Nth call of that name, for every N there is: healed by the next apply, or (every other time) undone straight away.
dies_at_every() { # SYSCALL VERB
        local n rc
        command -v strace > /dev/null || skip_scenario "no strace"
        for ((n = 1; ; n++)); do
                begin "$MULTI"
                [ "$2" = apply ] || expect 0 node apply
                rc=0
                GN8V_TEE_ENVIRONMENT=machine ASAN_OPTIONS=detect_leaks=0 strace -o /dev/null -e trace="$1" -e inject="$1:signal=KILL:when=$n" \
                        "$NODE" --root "$R" "$2" > "$SCRATCH/output" 2>&1 || rc=$?
                if [ "$rc" = 0 ]; then break; fi
                [ "$rc" = 137 ] || die "exit status $rc"
                if [ $((n % 2)) = 0 ]; then
                        expect 0 node apply
                        expect 0 node plan
                        everywhere "$(argument "$MULTI")"
                fi
                remove_all
                unchanged
                umount "$R/real-proc"
                rm -rf --one-file-system "$R"
        done
        [ "$n" -gt 2 ] || die "only $n calls of $1"
        echo "killed $((n - 1)) times"
}
full_disk_changes_nothing() {
        begin "$MULTI"
        mkdir -p "$R/var/lib/gn8v-tee"
        mount -t tmpfs -o size=4k tmpfs "$R/var/lib/gn8v-tee" || skip_scenario "cannot mount"
        head -c 4096 /dev/zero > "$R/var/lib/gn8v-tee/full" || :
        rc=0; node apply > "$SCRATCH/output" 2>&1 || rc=$?
        cat "$SCRATCH/output"
        [ "$rc" = 8 ] || [ "$rc" = 1 ] || die "exit status $rc"
        said 'No space'
        unchanged
        rm "$R/var/lib/gn8v-tee/full"
        umount "$R/var/lib/gn8v-tee"
        expect 0 node apply
}

inert_in_an_image() {
        begin "$MULTI"
        AS='' expect 0 node apply
        said 'first boot'
        unchanged_boot
        ! grep -v 'systemctl enable' "$R/var/log/tools"
        [ -L "$R/etc/systemd/system/multi-user.target.wants/nvidia-persistenced.service" ]
        grep -qx kernel-argument:swiotlb "$R/var/lib/gn8v-tee/pending"
        grep -qx "module:$KERNEL" "$R/var/lib/gn8v-tee/pending"
        find "$R/var/lib" "$R/etc" -printf '%p %i %T@\n' | sort > "$R.one"
        AS='' expect 0 node apply
        find "$R/var/lib" "$R/etc" -printf '%p %i %T@\n' | sort | diff "$R.one" -
        AS='' expect 4 node status
        AS='' expect 0 node pause
        for word in chroot container; do AS=GN8V_TEE_ENVIRONMENT=$word expect 0 node apply; unchanged_boot; done
        expect 0 node apply --boot
        said 'reboot needed'
        [ ! -e "$R/var/lib/gn8v-tee/pending" ]
        everywhere "$(argument "$MULTI")"
        remove_all
        unchanged
}
ostree_is_left_alone() {
        begin "$MULTI"
        AS=GN8V_TEE_ENVIRONMENT=ostree expect 0 node apply
        said 'kargs.d'
        unchanged
        [ ! -s "$R/var/log/tools" ]
        [ ! -e "$R/var/lib/gn8v-tee/pending" ]
}
headers_missing() {
        begin "$MULTI"
        mv "$R/lib/modules/$KERNEL/build" "$R/build"
        expect 3 node apply
        said "yum install kernel-devel-$KERNEL"
        said 'DO NOT REBOOT'
        journaled "module:$KERNEL=pending"
        grep -qx "module:$KERNEL" "$R/var/lib/gn8v-tee/pending"
        expect 3 node status
        said "^Next: .*yum install kernel-devel-$KERNEL\$"
        mv "$R/build" "$R/lib/modules/$KERNEL/build"
        expect 0 node --quiet apply
        [ -e "$R/lib/modules/$KERNEL/extra/nvidia.ko.xz" ]
        [ ! -e "$R/var/lib/gn8v-tee/pending" ]
        remove_all
        unchanged
}
config_missing() {
        begin "$MULTI"
        symbol=$(sed -n 's/^KernelConfig=//p' "$MULTI" | tr ' ' '\n' | head -n 1)
        sed -i "/^CONFIG_$symbol=/d" "$R/lib/modules/$KERNEL/build/.config"
        expect 3 node apply
        said "CONFIG_$symbol"
        said 'DO NOT REBOOT'
        ! grep -q 'dkms build' "$R/var/log/tools"
        everywhere "$(argument "$MULTI")"
}

# A kernel's package: its files, its boot entry, which becomes the default, and then kernel-install's plugins, of which ours is one. The program
# runs as on a machine, in the root; what it says is what "yum update kernel" shows.
new_kernel() { # [without-default]
        local k=$NEXT_KERNEL
        mkdir -p "$R/lib/modules/$k"
        kernel_headers "$R/usr/src/kernels/$k" "$k"
        ln -s "/usr/src/kernels/$k" "$R/lib/modules/$k/build"
        cp "$R/usr/src/kernels/$k/.config" "$R/lib/modules/$k/config"
        cp "$R/usr/src/kernels/$k/.config" "$R/boot/config-$k"
        sed "s/$OLD_KERNEL/$k/g; s/ swiotlb=[^ ]*//" "$(entry "$OLD_KERNEL")" > "$(entry "$k")"
        in_root "$R" dracut -f "/boot/initramfs-$k.img" "$k" # 50-dracut.install
        [ "${1:-}" = without-default ] || in_root "$R" grubby --set-default "/boot/vmlinuz-$k"
        install -D -m755 "$SOURCE/systemd/95-gn8v-tee.install" "$R/usr/lib/kernel/install.d/95-gn8v-tee.install"
}
plugin() { in_root "$R" /usr/lib/kernel/install.d/95-gn8v-tee.install "$@"; }
a_new_kernel_gets_everything() { # [without-default]
        begin "$MULTI"
        expect 0 node apply
        new_kernel "$@"
        expect 0 plugin add "$NEXT_KERNEL" "/boot/$MACHINE_ID/$NEXT_KERNEL" "/boot/vmlinuz-$NEXT_KERNEL"
        ! grep -v '^+' "$SCRATCH/output" || die "said something where all is well"
        has_argument "$NEXT_KERNEL" "$(argument "$MULTI")"
        [ -e "$R/lib/modules/$NEXT_KERNEL/extra/nvidia.ko.xz" ]
        grep -q options "$R/boot/initramfs-$NEXT_KERNEL.img"
        expect 0 node plan
        # And the oldest goes, as installonly_limit has it: entry and plugin first, then the files.
        rm "$(entry "$OLD_KERNEL")"
        expect 0 plugin remove "$OLD_KERNEL"
        ! grep -v '^+' "$SCRATCH/output"
        ! journal | grep ":$OLD_KERNEL=" || die "still in the journal"
        journaled "module:$NEXT_KERNEL=applied"
        rm -r "$R/lib/modules/$OLD_KERNEL"
        expect 0 node plan
}
# Wherever it can be seen, and even if DKMS has built a module all the same.
a_new_kernel_lacks_a_symbol() { # CONFIG-FILE
        local symbol file
        begin "$MULTI"
        expect 0 node apply
        new_kernel
        symbol=$(release_value "$MULTI" KernelConfig | tr ' ' '\n' | tail -n 1)
        file=$R/${1//KERNEL/$NEXT_KERNEL}
        sed -i "s/^CONFIG_$symbol=.*/# CONFIG_$symbol is not set/" "$file"
        mkdir "$R/lib/modules/$NEXT_KERNEL/extra"
        cp "$R/lib/modules/$KERNEL/extra/nvidia.ko.xz" "$R/lib/modules/$NEXT_KERNEL/extra/"
        ln -s "$(driver "$MULTI")/$NEXT_KERNEL/x86_64" "$R/var/lib/dkms/nvidia/kernel-$NEXT_KERNEL-x86_64"
        expect 0 plugin add "$NEXT_KERNEL"
        said "built without CONFIG_$symbol:"
        said "DO NOT REBOOT YET: kernel $NEXT_KERNEL, .*grubby --set-default /boot/vmlinuz-$KERNEL\$"
        expect 3 node status
        said "^Next: .*CONFIG_$symbol.*grubby --set-default /boot/vmlinuz-$KERNEL\$"
        # What it says helps, and what must not be booted stays in sight.
        in_root "$R" grubby --set-default "/boot/vmlinuz-$KERNEL"
        expect 0 node apply
        expect 0 node plan
        said 'does not boot by default, and must not'
        [ ! -e "$R/var/lib/gn8v-tee/pending" ]
        node status > "$SCRATCH/output" 2>&1 || :
        said "do not boot kernel $NEXT_KERNEL"
}
dkms_fails_for_a_new_kernel() {
        begin "$MULTI"
        expect 0 node apply
        new_kernel
        fault dkms exit
        expect 0 plugin add "$NEXT_KERNEL"
        said "module:$NEXT_KERNEL: failed: dkms build"
        said "DO NOT REBOOT YET: kernel $NEXT_KERNEL, .*make.log.*grubby --set-default /boot/vmlinuz-$KERNEL"
        expect 3 node status
        said "^Next: .*told to fail.*grubby --set-default /boot/vmlinuz-$KERNEL"
        in_root "$R" grubby --set-default "/boot/vmlinuz-$KERNEL"
        : > "$R/var/log/tools"
        expect 0 node apply
        ! grep -q ^dkms "$R/var/log/tools" || die "tried again unasked"
        expect 0 node plan
        said "apply --kernel=$NEXT_KERNEL tries again"
        fault dkms
        expect 0 node apply --kernel="$NEXT_KERNEL"
        [ -e "$R/lib/modules/$NEXT_KERNEL/extra/nvidia.ko.xz" ]
        ! journal | grep -v =applied
        expect 0 node revert
        [ ! -e "$R/lib/modules/$NEXT_KERNEL/extra" ]
}
# The default kernel is removed, and the one that boots then has no module: said at once, and apply heals it.
the_booting_kernel_is_removed() {
        begin "$MULTI"
        expect 0 node apply
        rm "$(entry "$KERNEL")"
        install -D -m755 "$SOURCE/systemd/95-gn8v-tee.install" "$R/usr/lib/kernel/install.d/95-gn8v-tee.install"
        expect 0 plugin remove "$KERNEL"
        said "DO NOT REBOOT YET: kernel $OLD_KERNEL, .*gn8v-tee apply"
        expect 0 node apply
        [ -e "$R/lib/modules/$OLD_KERNEL/extra/nvidia.ko.xz" ]
        expect 2 node apply --kernel=../x
        expect 2 node apply --removed-kernel=--all
        expect 0 plugin
        expect 0 plugin frobnicate x
}
clients_are_paused() {
        begin "$MULTI"
        : > "$R/run/fake-active/cloudmonitor.service"
        mkdir -p "$R/etc/systemd/system/multi-user.target.wants"
        ln -s /usr/lib/systemd/system/cloudmonitor.service "$R/etc/systemd/system/multi-user.target.wants/"
        picture > "$R.before"
        expect 0 node pause
        [ ! -e "$R/run/fake-active/cloudmonitor.service" ]
        grep -q Condition "$R/run/systemd/system/cloudmonitor.service.d/50-gn8v-tee-paused.conf"
        journaled 'pause:cloudmonitor.service=applied'
        expect 0 node pause
        expect 0 node apply
        [ ! -e "$R/run/fake-active/cloudmonitor.service" ]
        expect 0 node apply
        # After the reboot systemd starts what is enabled.
        rm -rf "$R"/run/systemd/system/*
        echo second-boot > "$R/proc/sys/kernel/random/boot_id"
        : > "$R/run/fake-active/cloudmonitor.service"
        expect 0 node apply --boot
        ! journal | grep pause:
        [ ! -e "$R/var/lib/gn8v-tee/pending" ]
        remove_all
        unchanged
}
what_was_started_by_hand_runs_again() {
        begin "$MULTI"
        : > "$R/run/fake-active/cloudmonitor.service"
        expect 0 node pause
        expect 0 node apply
        grep -qx pause:cloudmonitor.service "$R/var/lib/gn8v-tee/pending"
        rm -rf "$R"/run/systemd/system/*
        echo second-boot > "$R/proc/sys/kernel/random/boot_id"
        expect 0 node apply --boot
        [ -e "$R/run/fake-active/cloudmonitor.service" ]
        # And without a reboot, when all is undone.
        begin "$MULTI"
        : > "$R/run/fake-active/cloudmonitor.service"
        expect 0 node pause
        expect 0 node apply
        expect 0 node revert
        [ -e "$R/run/fake-active/cloudmonitor.service" ]
        [ ! -e "$R/run/systemd/system/cloudmonitor.service.d" ]
}
nothing_to_wait_for_resumes_at_once() {
        begin "$MULTI"
        expect 0 node apply
        running_release
        put_release "$R" "$OLDER"
        : > "$R/run/fake-active/cloudmonitor.service"
        expect 0 node pause
        [ ! -e "$R/run/fake-active/cloudmonitor.service" ]
        put_release "$R" "$MULTI"
        expect 0 node apply
        [ -e "$R/run/fake-active/cloudmonitor.service" ]
        ! journal | grep pause:
}
# As after the reboot: the argument on the command line, the driver loaded, everything up.
running_release() {
        echo second-boot > "$R/proc/sys/kernel/random/boot_id"
        echo "ro $(argument "$MULTI")" > "$R/proc/cmdline"
        printf 'flags\t\t: fpu tdx_guest vme\n' > "$R/proc/cpuinfo"
        : > "$R/dev/tdx_guest"
        mkdir -p "$R/sys/module/nvidia" "$R/proc/driver/nvidia"
        for i in $(release_value "$MULTI" Initramfs); do mkdir -p "$R/sys/module/$i"; done
        kernel_lists "$R" "$KERNEL" "$MULTI"
        driver "$MULTI" > "$R/sys/module/nvidia/version"
        for i in $(seq "$(release_value "$MULTI" GPUs)"); do mkdir -p "$R/proc/driver/nvidia/gpus/0000:0$i:00.0"; done
}
status_on_both_sides() {
        begin "$MULTI"
        expect 3 node status
        said '^Next: gn8v-tee apply'
        expect 0 node apply
        printf 'flags\t\t: fpu tdx_guest vme\n' > "$R/proc/cpuinfo"
        : > "$R/dev/tdx_guest"
        mkdir -p "$R/sys/module"
        expect 4 node status
        said '^Next: reboot$'
        running_release
        expect 0 node status
        said '^Next: nothing'
        said 'modules in the initramfs of [^ ]* .* there, or built in'
        touch "$R/boot/initramfs-$KERNEL.img" # as somebody's own dracut -f
        expect 0 node status
        said 'not looked into since'
        node status --json > "$SCRATCH/output" 2> /dev/null
        python3 -c 'import json,sys; d = json.load(open(sys.argv[1])); assert d["state"] in ("ok", "unknown") and d["next"] is None and len(d["rows"]) > 10' "$SCRATCH/output"
        # Not root: less is told, and nothing is made up.
        chmod 755 "$R" "$SCRATCH"
        expect 0 setpriv --reuid=65534 --regid=65534 --clear-groups env GN8V_TEE_ENVIRONMENT=machine "$NODE" --root "$R" status
        said 'run as root'
        echo 1.2.3 > "$R/sys/module/nvidia/version"
        expect 4 node status
        said '1\.2\.3'
        printf 'flags : fpu\n' > "$R/proc/cpuinfo"
        expect 3 node status
        take_release "$R"
        expect 3 node status
        said '^Next: yum install'
}
bad_files_change_nothing() {
        begin "$MULTI"
        expect 0 node apply
        picture > "$R.before"
        printf '{"version": 1, "entries": [' > "$R/var/lib/gn8v-tee/journal.json"
        for verb in plan apply revert status; do expect 6 node $verb; unchanged; done
        grep -q '\[$' "$R/var/lib/gn8v-tee/journal.json"
        rm "$R/var/lib/gn8v-tee/journal.json"
        echo 'not a release' > "$R/usr/share/gn8v-tee/release.conf"
        for verb in plan apply status; do expect 6 node $verb; unchanged; done
        cp "$MULTI" "$R/usr/share/gn8v-tee/release.conf"
        printf 'title x\0y\n' > "$(entry broken)"
        expect 1 node apply
        said 'not a text file'
        expect 3 node plan
}
kernelopts_must_be_there() {
        begin "$MULTI"
        sed -i '/^kernelopts=/d' "$R/boot/grub2/grubenv"
        picture > "$R.before"
        expect 1 node apply
        said 'uses \$kernelopts'
        ! grep -q ^grubby "$R/var/log/tools"
        unchanged_boot
}
masked_is_left() {
        begin "$MULTI"
        mkdir -p "$R/etc/systemd/system"
        ln -s /dev/null "$R/etc/systemd/system/nvidia-persistenced.service"
        picture > "$R.before"
        expect 0 node apply
        ! grep -q 'enable nvidia-persistenced' "$R/var/log/tools"
        expect 0 node plan
        said 'masked by the administrator'
        remove_all
        unchanged
}
enabled_before_us_stays() {
        begin "$MULTI"
        mkdir -p "$R/etc/systemd/system/multi-user.target.wants" "$R/etc/systemd/system/ollama.service.d"
        ln -s /usr/lib/systemd/system/nvidia-persistenced.service "$R/etc/systemd/system/multi-user.target.wants/"
        echo '# mine' > "$R/etc/systemd/system/ollama.service.d/50-gn8v-tee-order.conf"
        picture > "$R.before"
        expect 0 node apply
        grep -q After= "$R/etc/systemd/system/ollama.service.d/50-gn8v-tee-order.conf"
        remove_all
        unchanged
}
one_run_at_a_time() {
        begin "$MULTI"
        expect 0 node apply
        expect 9 flock "$R/var/lib/gn8v-tee/lock" "$NODE" --root "$R" apply
        expect 9 flock "$R/var/lib/gn8v-tee/lock" "$NODE" --root "$R" --lock-timeout 1 revert
        expect 4 flock "$R/var/lib/gn8v-tee/lock" env GN8V_TEE_ENVIRONMENT=machine "$NODE" --root "$R" status || said TDX
}
# While one run is in the middle of its work: who looks sees a whole journal, who wants to change something waits or is told.
runs_at_once() {
        local one two
        begin "$MULTI"
        mkfifo "$R/fail/waiting" "$R/fail/go"
        fault grubby wait
        node apply > "$SCRATCH/one" 2>&1 &
        one=$!
        read -r _ < "$R/fail/waiting"
        expect 9 node apply
        said 'another gn8v-tee holds the lock'
        expect 9 node --lock-timeout 1 revert
        expect 9 node pause
        expect 3 node plan
        journaled 'kernel-argument:swiotlb=applying'
        timeout 5 env GN8V_TEE_ENVIRONMENT=machine "$NODE" --root "$R" status --json > "$SCRATCH/output" 2> /dev/null || [ $? -lt 5 ]
        python3 -c 'import json,sys; json.load(open(sys.argv[1]))' "$SCRATCH/output"
        fault grubby
        node --lock-timeout=60 apply > "$SCRATCH/two" 2>&1 &
        two=$!
        echo > "$R/fail/go"
        wait "$one"
        wait "$two"
        [ "$(grep -c ^grubby "$R/var/log/tools")" = 1 ] || die "done twice"
        [ "$(grep -c '^dkms build' "$R/var/log/tools")" = 1 ] || die "built twice"
        expect 0 node plan
        remove_all
        unchanged
}
# The journal's words become root's deeds: it is taken as a whole, or not at all.
hostile_journals_do_nothing() {
        local entry verb
        begin "$MULTI"
        echo root > "$R/etc/passwd"
        mkdir -p "$R/var/lib/gn8v-tee"
        picture > "$R.before"
        for entry in \
                '{"id":"kernel-argument:swiotlb","state":"applied","before":{"files":{"/etc/passwd":{"text":"mine"}}},"after":{"files":{"/etc/passwd":{"text":"root\n"}}}}' \
                '{"id":"kernel-argument:swiotlb","state":"applied","before":{"files":{"/boot/loader/entries/../../../etc/x.conf":{"text":"mine"}}}}' \
                '{"id":"kernel-argument:root","state":"applied","before":{},"after":{"values":["root=/dev/vda1","init=x"]}}' \
                '{"id":"drop-in:../../../etc/x.service","state":"applied","before":{"file":{"text":"mine"}}}' \
                '{"id":"enable:--root=x.service","state":"applied","before":{"state":"disabled"}}' \
                '{"id":"module:../../../etc","state":"applied","before":{},"after":{"version":"1.2.3"}}' \
                '{"id":"initramfs:..","state":"pending","before":{}}'; do
                echo "{\"version\":1,\"entries\":[$entry]}" > "$R/var/lib/gn8v-tee/journal.json"
                for verb in revert 'revert --finish' apply plan status pause; do
                        # shellcheck disable=SC2086
                        expect 6 node $verb
                        said 'cannot have written this'
                        unchanged
                done
        done
        echo '{"version":1,"entries":[]}' > "$R/var/lib/gn8v-tee/journal.json"
        chmod 666 "$R/var/lib/gn8v-tee/journal.json"
        expect 6 node revert
        said 'only root can write'
        [ ! -s "$R/var/log/tools" ] || ! grep -v -E 'is-active|daemon-reload' "$R/var/log/tools"
}
# /boot as nobody wants it: said with the file's name, quickly, and nothing is changed.
broken_boot_files() {
        local i
        begin "$MULTI"
        head -c 1024 /dev/urandom > "$R/boot/grub2/grubenv"
        picture > "$R.before"
        expect 1 node apply
        said 'grubenv: not an environment block'
        unchanged_boot
        boot_files "$R"
        mkfifo "$(entry fifo)"
        expect 1 timeout 5 env GN8V_TEE_ENVIRONMENT=machine "$NODE" --root "$R" apply
        said 'fifo.conf'
        rm "$(entry fifo)"
        ln -s /etc/passwd "$(entry link)"
        expect 1 node apply
        said 'symbolic link, to /etc/passwd'
        rm "$(entry link)"
        head -c 100000 /dev/zero | tr '\0' x > "$(entry huge)"
        expect 1 node apply
        said 'huge.conf'
        rm "$(entry huge)"
        : > "$R/var/log/tools"
        for ((i = 0; i < 3000; i++)); do echo "linux /vmlinuz-1.$i" > "$R/boot/loader/entries/many-$i.conf"; done
        expect 3 timeout 5 env GN8V_TEE_ENVIRONMENT=machine "$NODE" --root "$R" plan
        timeout 5 env GN8V_TEE_ENVIRONMENT=machine "$NODE" --root "$R" status > "$SCRATCH/output" 2>&1 || [ $? = 3 ]
        ! grep -q ^grubby "$R/var/log/tools"
}
# The first boot's session would be made without what it needs: it waits for the reboot.
first_boot_waits_for_the_reboot() {
        begin "$MULTI"
        AS='' expect 0 node apply
        expect 0 node apply --boot
        grep -q swiotlb "$R/run/gn8v-tee/reboot-first"
        rm -r "$R/run/gn8v-tee"
        running_release
        expect 0 node apply --boot
        [ ! -e "$R/run/gn8v-tee" ]
}
serial_of_the_repository() {
        local r=$SCRATCH/serial
        mkdir -p "$r/proc" "$r/usr/share/gn8v-tee" "$r/var/lib/gn8v-tee" "$r/var/cache/dnf/gn8v-tee-00/repodata"
        cp "$(find "$SOURCE/repo/releases" -name 'single-*.conf' | head -n 1)" "$r/usr/share/gn8v-tee/release.conf"
        echo '<repomd><tags><content>gn8v-tee:serial=7</content></tags></repomd>' > "$r/var/cache/dnf/gn8v-tee-00/repodata/repomd.xml"
        "$NODE" --root "$r" -q apply || :
        [ "$(cat "$r/var/lib/gn8v-tee/serial")" = 7 ]
        # The end of any transaction, and somebody's revert: the release is still there, and an older state still a replay.
        "$NODE" --root "$r" -q revert --finish
        "$NODE" --root "$r" -q revert
        [ "$(cat "$r/var/lib/gn8v-tee/serial")" = 7 ]
        sed -i 's/serial=7/serial=6/' "$r/var/cache/dnf/gn8v-tee-00/repodata/repomd.xml"
        "$NODE" --root "$r" status > "$SCRATCH/output" || :
        said 'repository +serial >= 7, not expired +serial 6 +warn'
        rm "$r/usr/share/gn8v-tee/release.conf"
        "$NODE" --root "$r" -q revert --finish
        [ ! -e "$r/var/lib/gn8v-tee/serial" ]
}
words_and_help() {
        begin "$MULTI"
        expect 0 "$NODE" --help
        ! grep '.\{81\}' "$SCRATCH/output"
        expect 0 "$NODE" --version
        expect 2 "$NODE"
        expect 2 "$NODE" frobnicate
        expect 2 "$NODE" plan plan
        expect 2 "$NODE" --frobnicate
        AS=GN8V_TEE_ENVIRONMENT=moon expect 2 node plan
        expect 1 "$NODE" --root "$R/nowhere" plan
        node plan --json > "$SCRATCH/output" 2> /dev/null || [ $? = 3 ]
        python3 -c 'import json,sys; d = json.load(open(sys.argv[1])); assert {r["action"] for r in d["resources"]} >= {"change"}' "$SCRATCH/output"
        take_release "$R"
        expect 1 node apply
        said 'yum install'
        expect 0 node apply --quiet
        expect 0 node revert
        expect 0 node pause
}

[ "$(id -u)" = 0 ] || { skip "$SUITE" "needs root for chroot"; exit 0; }
small_root "$SCRATCH/base" > "$LOGS/setup.log" 2>&1 # not with "||": that would turn off set -e inside
scenario "apply does everything, plan shows it" applies_all
scenario "a second apply writes nothing" second_apply_writes_nothing
scenario "revert restores every byte" revert_is_exact
scenario "a larger swiotlb is kept" larger_is_kept
scenario "a larger swiotlb in one entry is kept" larger_in_one_entry_is_kept
scenario "a smaller swiotlb comes back" smaller_comes_back
scenario "the same argument before us stays" same_before_us_stays
scenario "flags of swiotlb are joined" flags_are_joined
scenario "edits made after us stay" edits_after_us_stay
scenario "a larger value set after us stays" larger_after_us_stays
scenario "an edit between two releases stays" edit_between_two_releases_stays
scenario "upgrade and downgrade" upgrade_and_downgrade
scenario "swap of multi and single" swap_of_profiles
scenario "kernels that came and went" new_and_removed_kernels
for mode in exit nothing damage; do scenario "grubby: $mode" tool_fails grubby $mode kernel-argument; done
scenario "words without sense" words_without_sense
scenario "something in the way" something_in_the_way
scenario "grubby without rpm-sort" grubby_without_rpm_sort
for mode in exit nothing; do
        scenario "systemctl: $mode" tool_fails systemctl $mode enable
        scenario "dracut: $mode" tool_fails dracut $mode initramfs
        scenario "dkms: $mode" tool_fails dkms $mode module
done
for tool in grubby systemctl dracut dkms; do
        scenario "$tool: killed before the change" tool_kills $tool kill
        scenario "$tool: killed after the change" tool_kills $tool kill-after
done
scenario "revert: systemctl fails, then heals" revert_fails_and_heals systemctl
scenario "revert: dkms fails, then heals" revert_fails_and_heals dkms
scenario "apply dies at any renameat" dies_at_every renameat apply
scenario "apply dies at any mkdirat" dies_at_every mkdirat apply
scenario "revert dies at any unlinkat" dies_at_every unlinkat revert
scenario "a full disk" full_disk_changes_nothing
scenario "inert in an image, done at the first boot" inert_in_an_image
scenario "ostree is left alone" ostree_is_left_alone
scenario "headers of the kernel that boots are missing" headers_missing
scenario "a CONFIG symbol is missing" config_missing
scenario "a new kernel gets everything" a_new_kernel_gets_everything
scenario "a new kernel that does not boot yet gets everything" a_new_kernel_gets_everything without-default
for file in boot/config-KERNEL lib/modules/KERNEL/config usr/src/kernels/KERNEL/.config; do
        scenario "a new kernel lacks a symbol: $file" a_new_kernel_lacks_a_symbol $file
done
scenario "DKMS fails for a new kernel" dkms_fails_for_a_new_kernel
scenario "the kernel that boots is removed" the_booting_kernel_is_removed
scenario "clients are paused until the reboot" clients_are_paused
scenario "what was started by hand runs again" what_was_started_by_hand_runs_again
scenario "no reboot needed: clients run again at once" nothing_to_wait_for_resumes_at_once
scenario "status before and after the reboot" status_on_both_sides
scenario "malformed files change nothing" bad_files_change_nothing
scenario "kernelopts missing from grubenv" kernelopts_must_be_there
scenario "a masked unit is left" masked_is_left
scenario "what was enabled or written before us stays" enabled_before_us_stays
scenario "one run at a time" one_run_at_a_time
scenario "two runs at once" runs_at_once
scenario "hostile journals do nothing" hostile_journals_do_nothing
scenario "broken boot files" broken_boot_files
scenario "the first boot waits for the reboot" first_boot_waits_for_the_reboot
scenario "the serial of the repository is remembered with the release" serial_of_the_repository
scenario "words, help, JSON" words_and_help
finish
