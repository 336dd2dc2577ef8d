#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The node program on scratch roots: what it changes, what it puts back, and what it does when a tool fails, lies, or the power goes.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/root.sh"

TOOLS=$SOURCE/tests/e2e/node
# The newest release of each profile, and an older one that wants less.
SINGLE=$(ls "$SOURCE"/repo/releases/single-*.conf | sort -V | tail -n 1)
MULTI=$(ls "$SOURCE"/repo/releases/multi-*.conf | sort -V | tail -n 1)
OLDER=$(ls "$SOURCE"/repo/releases/multi-*.conf | sort -V | head -n 1)
argument() { release_value "$1" Argument; }
driver() { sed -n '/^\[Artifact driver\]/,/^\[/s/^Version=//p' "$1"; }
slabs() { local v; v=$(argument "$1"); v=${v#*=}; echo "${v%%,*}"; }
LARGER=swiotlb=$(($(slabs "$MULTI") * 2)),any
SMALLER=swiotlb=65536

# A root with nothing but a shell, a few programs and the tools' stand-ins: 0.1 s.
small_root() {
        local root=$1 program file
        mkdir -p "$root"/{real-proc,usr/bin,usr/lib,usr/lib64,usr/libexec/tools,usr/libexec/grubby,dev,proc,sys,tmp,run/systemd/system,run/fake-active,var/log,fail,etc/default,etc/systemd/system}
        ln -s usr/bin "$root/bin"
        ln -s usr/bin "$root/sbin"
        ln -s bin "$root/usr/sbin"
        ln -s usr/lib "$root/lib"
        ln -s usr/lib64 "$root/lib64"
        for program in bash sed grep awk sort tac head cat mv cp rm ln mkdir rmdir basename tr cut stat; do
                file=$(realpath "$(command -v $program)")
                cp "$file" "$root/usr/bin/$program"
                ldd "$file" | grep -o '/[^ ]*' >> "$root.libraries"
        done
        sort -u "$root.libraries" | while read -r file; do
                mkdir -p "$root${file%/*}"
                cp -L "$file" "$root$file"
        done
        ln -s bash "$root/usr/bin/sh"
        : > "$root/dev/null"
        ln -s /real-proc/self/fd "$root/dev/fd" # what bash needs; /proc itself is files that the scenarios write
        : > "$root/var/log/tools"
        cp "$ROOTFILES/rpm-sort" "$root/usr/libexec/grubby/rpm-sort"
        cp "$ROOTFILES/grubby" "$TOOLS/systemctl" "$TOOLS/dracut" "$TOOLS/lsinitrd" "$TOOLS/dkms" "$root/usr/libexec/tools/"
        for program in grubby systemctl dracut lsinitrd dkms; do cp "$TOOLS/tool" "$root/usr/bin/$program"; done
        boot_files "$root"
        printf 'GRUB_TIMEOUT=1\nGRUB_CMDLINE_LINUX="root=/dev/vda1 ro admin.own=grub"\nGRUB_ENABLE_BLSCFG=true\n' > "$root/etc/default/grub"
        for file in "$KERNEL" "$OLD_KERNEL"; do
                mkdir -p "$root/lib/modules/$file"
                kernel_headers "$root/lib/modules/$file/build" "$file"
        done
        echo "ro root=/dev/vda1 quiet" > "$root/proc/cmdline"
        echo "$KERNEL" > "$root/proc/sys-kernel-osrelease"
        mkdir -p "$root/proc/sys/kernel/random"
        mv "$root/proc/sys-kernel-osrelease" "$root/proc/sys/kernel/osrelease"
        echo first-boot > "$root/proc/sys/kernel/random/boot_id"
}
# What the packages of a release bring as files.
put_release() { # ROOT RELEASE
        local root=$1 release=$2 unit lib=$1/usr/lib/systemd/system
        rm -rf "$root"/usr/share/gn8v-tee "$root"/usr/src/nvidia-* "$lib"
        mkdir -p "$root/usr/share/gn8v-tee" "$root/usr/src/nvidia-$(driver "$release")" "$lib" "$root/usr/lib/modprobe.d" "$root/usr/lib/dracut/dracut.conf.d"
        cp "$release" "$root/usr/share/gn8v-tee/release.conf"
        : > "$root/usr/src/nvidia-$(driver "$release")/dkms.conf"
        for unit in nvidia-persistenced.service cloudmonitor.service; do
                printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' > "$lib/$unit"
        done
        mkdir -p "$lib/nvidia-persistenced.service.d"
        printf '[Unit]\nAfter=%s\n' "$(release_value "$release" After)" > "$lib/nvidia-persistenced.service.d/50-gn8v-tee.conf"
        release_software "$root" "$release"
        grep -q '^Package=nvidia-fabric-manager' "$release" && cp "$lib/cloudmonitor.service" "$lib/nvidia-fabricmanager.service"
        for unit in $(sed -n 's/^Unit=//p' "$release"); do
                [ "$unit" != ollama.service ] || continue # one without a packaged drop-in
                mkdir -p "$lib/$unit.d"
                printf '[Unit]\nAfter=nvidia-persistenced.service\n' > "$lib/$unit.d/50-gn8v-tee.conf"
        done
        echo "# options of $(basename "$release")" > "$root/usr/lib/modprobe.d/nvidia-lkca.conf"
        printf '# drivers of %s\nadd_drivers+=" %s "\n' "$(basename "$release")" "$(release_value "$release" Initramfs)" > "$root/usr/lib/dracut/dracut.conf.d/50-gn8v-tee.conf"
}
take_release() {
        rm -rf "$1"/usr/share/gn8v-tee "$1"/usr/src/nvidia-* "$1/usr/lib/modprobe.d/nvidia-lkca.conf" "$1/usr/lib/dracut/dracut.conf.d/50-gn8v-tee.conf"
}
# begin RELEASE: a fresh root ($R) with that release's files, and what it looked like.
begin() {
        R=$(mktemp -d "$SCRATCH/root.XXXXXX")
        cp -a "$SCRATCH/base/." "$R/"
        mount --bind /proc "$R/real-proc"
        put_release "$R" "$1"
        picture > "$R.before"
}
# What must come back: every byte of /boot and /etc but the initramfs images, which are rebuilt.
picture() {
        (cd "$R" && find boot etc ! -name 'initramfs-*' -printf '%y %m %p %l\n' | sort && find boot etc -type f ! -name 'initramfs-*' | sort | xargs sha256sum)
}
unchanged() { picture | diff "$R.before" - || die "not as it was"; }
node() { env ${AS-GN8V_TEE_ENVIRONMENT=machine} "$NODE" --root "$R" "$@"; }
fault() { if [ -n "${2:-}" ]; then echo "$2" > "$R/fail/$1"; else rm -f "$R/fail/$1"; fi; }
entry() { echo "$R/boot/loader/entries/$MACHINE_ID-$1.conf"; }
kernelopts() { sed -n 's/^kernelopts=//p' "$R/boot/grub2/grubenv"; }
# The options of an entry as GRUB sees them.
options() { sed -n 's/^options //p' "$(entry "$1")" | awk -v k="$(kernelopts)" '{ i = index($0, "$kernelopts"); if (i) print substr($0, 1, i - 1) k substr($0, i + 11); else print }'; }
has() { [[ " $(options "$1") " == *" $2 "* ]] || die "$1 lacks $2: $(options "$1")"; } # KERNEL ARGUMENT
lacks() { [[ " $(options "$1") " != *"$2"* ]] || die "$1 has $2: $(options "$1")"; }
everywhere() { local k; for k in "$KERNEL" "$OLD_KERNEL" 0-rescue; do has "$k" "$1"; done; }
journal() { python3 -c 'import json,sys; d = json.load(open(sys.argv[1])); print(*[e["id"] + "=" + e["state"] for e in d["entries"]], sep="\n")' "$R/var/lib/gn8v-tee/journal.json"; }
journaled() { grep -qx -e "$1" <<< "$(journal)" || die "the journal lacks $1: $(journal)"; }
set_kernelopts() { # ARGUMENT: appended to what all entries through grubenv get
        local text
        text=$(sed "/^#*\$/d; s/^kernelopts=.*/& $1/" "$R/boot/grub2/grubenv" | sed 's/#*$//' | sed '1s/.*/# GRUB Environment Block/')
        text+=$'\n'
        { printf '%s' "$text"; printf '%*s' $((1024 - ${#text})) '' | tr ' ' '#'; } > "$R/boot/grub2/grubenv"
}
set_everywhere() { # ARGUMENT
        set_kernelopts "$1"
        sed -i "/^options/{/kernelopts/!s/\$/ $1/}" "$R"/boot/loader/entries/*.conf
        picture > "$R.before"
}
remove_all() { # as a package's removal: %preun, the files go, %postun
        expect 0 node revert --package "gn8v-tee-$(release_value "$R/usr/share/gn8v-tee/release.conf" Profile)"
        take_release "$R"
        expect 0 node revert --finish
        [ ! -e "$R/var/lib/gn8v-tee/journal.json" ] || die "a journal is left: $(journal)"
}

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
        has "$OLD_KERNEL" "admin.own=$OLD_KERNEL"
        has "$KERNEL" admin.own=yes
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
        has "$OLD_KERNEL" "$LARGER"
        has "$KERNEL" "$(argument "$MULTI")"
        has 0-rescue "$(argument "$MULTI")"
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
        has "$OLD_KERNEL" "$(argument "$MULTI")"
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
        has "$OLD_KERNEL" later.own=1
        has "$OLD_KERNEL" "$SMALLER"
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
        has "$OLD_KERNEL" "$LARGER"
        expect 0 node revert
        has "$OLD_KERNEL" "$LARGER"
        lacks "$KERNEL" swiotlb
}
edit_between_two_releases_stays() {
        begin "$OLDER"
        expect 0 node apply
        sed -i '/^options/s/$/ between.own=1/' "$(entry "$OLD_KERNEL")"
        put_release "$R" "$MULTI"
        expect 0 node apply
        everywhere "$(argument "$MULTI")"
        has "$OLD_KERNEL" between.own=1
        expect 0 node revert
        has "$OLD_KERNEL" between.own=1
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
        expect 1 node apply
        said "CONFIG_$symbol"
        ! grep -q 'dkms build' "$R/var/log/tools"
        everywhere "$(argument "$MULTI")"
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
scenario "clients are paused until the reboot" clients_are_paused
scenario "what was started by hand runs again" what_was_started_by_hand_runs_again
scenario "no reboot needed: clients run again at once" nothing_to_wait_for_resumes_at_once
scenario "status before and after the reboot" status_on_both_sides
scenario "malformed files change nothing" bad_files_change_nothing
scenario "kernelopts missing from grubenv" kernelopts_must_be_there
scenario "a masked unit is left" masked_is_left
scenario "what was enabled or written before us stays" enabled_before_us_stays
scenario "one run at a time" one_run_at_a_time
scenario "words, help, JSON" words_and_help
finish
