#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A virtual machine that boots twice, with the command line that its own boot entries give: before the argument is in them, and after gn8v-tee has edited them
# in there. A kernel of Debian's, emulated: there is no TDX to be had, and its swiotlb knows no "any", so that status has to find fault with both.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/e2e/root.sh
. "$here/root.sh"
# shellcheck source=tests/e2e/repo.sh
. "$here/repo.sh"
# shellcheck source=tests/e2e/boot.sh
. "$here/boot.sh"

VM=$CACHE/vm
IMAGE=$SCRATCH/disk
WANTED=$(argument multi "$NEW")
LIMIT=240 # seconds of one boot, on a machine that is busy

can_boot || { skip "$SUITE" "$WHY_NOT"; exit 0; } # the disk's content is installed in a root with mounts
for tool in qemu-system-x86_64 busybox debugfs mke2fs dpkg-deb; do
        command -v $tool > /dev/null || { skip "$SUITE" "no $tool"; exit 0; }
done

# Debian's kernel, as its package says: unpacked and not installed, for it is not this machine's.
guest_kernel() {
        local package
        package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: //p' | head -n 1) || :
        if [ -z "$package" ]; then
                apt-get update -qq
                package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: //p' | head -n 1)
        fi
        [ "$(cat "$VM/package" 2>/dev/null)" != "$package" ] || return 0
        rm -rf "$VM"
        mkdir -p "$VM/deb"
        (cd "$VM/deb" && { apt-get -o APT::Sandbox::User=root download "$package" || { apt-get update -qq && apt-get -o APT::Sandbox::User=root download "$package"; }; })
        dpkg-deb -x "$VM"/deb/*.deb "$VM/kernel"
        rm -r "$VM/deb"
        depmod -b "$VM/kernel" "$(basename "$VM"/kernel/lib/modules/*)"
        echo "$package" > "$VM/package"
}
# What mounts the disk, and puts the GPUs of this suite into their places.
guest_initrd() {
        local d=$SCRATCH/initrd version m
        version=$(basename "$VM"/kernel/lib/modules/*)
        mkdir -p "$d"/{bin,modules,proc,sys,dev,run,root}
        cp "$(command -v busybox)" "$d/bin/busybox"
        hardware "$d/fakes"
        {
                printf '#!/bin/busybox sh\n/bin/busybox --install -s /bin\nmount -t proc proc /proc\nmount -t sysfs sysfs /sys\nmount -t devtmpfs dev /dev\nmount -t tmpfs -o mode=755 run /run\n'
                for m in virtio_pci virtio_blk; do modprobe -d "$VM/kernel" -S "$version" --show-depends $m; done | sed -n 's/^insmod //p' | awk '!seen[$1]++' | while read -r m; do
                        cp "$m" "$d/modules/"
                        echo "insmod /modules/$(basename "$m")"
                done
                printf 'cp -r /fakes /run/fakes\nmkdir -p /run/nvidia-look-alike.d/driver /run/nvidia-look-alike.d/module\nmount -t ext4 /dev/vda /root\n'
                printf 'for d in proc sys dev run; do mount --move /$d /root/$d; done\nfor f in proc/sys/kernel/osrelease sys/bus/pci/devices; do mount -o bind /root/run/fakes/$f /root/$f; done\n'
                printf 'mount -o bind /root/run/nvidia-look-alike.d/driver /root/proc/driver\nmount -o bind /root/run/nvidia-look-alike.d/module /root/sys/module\nexec switch_root /root /lib/systemd/systemd\n'
        } > "$d/init"
        chmod 755 "$d/init"
        (cd "$d" && find . | cpio --quiet -o -H newc | gzip -1) > "$SCRATCH/initrd.img"
}
# Installed by dnf as on a machine; then somebody has taken the argument out of the entries, and the next boot is to put it back.
disk() {
        local unit at
        mkdir -p "$SITE"
        chmod 755 "$SCRATCH"
        serve "$SITE"
        publish_to "$SITE/all" "multi-$NEW"
        a_root disk all with-headers
        gpus "$ROOT" gpus=8 switches=4 attach-ms=20 fabric-ms=50 uvm-ms=1000
        run_dnf "$ROOT" install gn8v-tee-multi
        in_root "$ROOT" grubby --update-kernel=ALL --remove-args="${WANTED%%=*}"
        [[ " $(effective_options "$(default_entry "$ROOT")") " != *" ${WANTED%%=*}="* ]]
        echo "kernel-argument:${WANTED%%=*}" > "$ROOT/var/lib/gn8v-tee/pending"
        for unit in systemd-udevd.service systemd-udev-trigger.service systemd-logind.service systemd-timesyncd.service getty.target remote-fs.target; do
                ln -sf /dev/null "$ROOT/etc/systemd/system/$unit" # of no interest, and slow where every instruction is emulated
        done
        printf '[Unit]\nRequires=multi-user.target\nAfter=multi-user.target\nWants=report.service\n' > "$ROOT/etc/systemd/system/report.target"
        printf '[Unit]\nAfter=multi-user.target\nDefaultDependencies=no\n[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sh /usr/local/sbin/report\n' > "$ROOT/etc/systemd/system/report.service"
        ln -sf report.target "$ROOT/etc/systemd/system/default.target"
        mkdir -p "$ROOT/usr/local/sbin" "$ROOT/var/report"
        cat > "$ROOT/usr/local/sbin/report" <<'REPORT'
exec > /var/report/log 2>&1
set -x
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
cat /proc/cmdline > /var/report/cmdline
for u in nvidia-fabricmanager nvidia-persistenced cloudmonitor; do echo "$u $(systemctl is-active $u)"; done > /var/report/units
gn8v-tee --json status > /var/report/status.json; echo $? > /var/report/code
gn8v-tee status > /var/report/status
# The same, were it a confidential virtual machine.
sed 's/^flags[ \t]*:.*/& tdx_guest/' /proc/cpuinfo > /run/cpuinfo
mount --bind /run/cpuinfo /proc/cpuinfo
mknod /dev/tdx_guest c 10 126
gn8v-tee status > /var/report/status-tdx; echo $? > /var/report/code-tdx
# And by the kernel that really runs.
umount /proc/sys/kernel/osrelease
gn8v-tee status > /var/report/status-kernel
cp /run/nvidia-look-alike.d/events /var/report/events
{ findmnt /sys/kernel/debug; ls /sys/kernel/debug/swiotlb; journalctl -b -k --no-pager | grep -i "io tlb"; } > /var/report/pool
systemctl show -p ActiveEnterTimestampMonotonic -p ExecMainStatus gn8v-tee-apply > /var/report/apply
journalctl -b --no-pager > /var/report/journal
sync
systemctl poweroff --force --force
REPORT
        for at in proc sys dev; do umount "$ROOT/$at"; done
        mke2fs -q -t ext4 -O ^has_journal -U "$(sed -n 's/.*root=UUID=\([^ ]*\).*/\1/p' "$ROOT/boot/grub2/grubenv")" -d "$ROOT" "$IMAGE" 1500M
}
prepare base_root workspace guest_kernel disk guest_initrd

read_disk() { debugfs -R "cat $1" "$IMAGE" 2>/dev/null; }
# As GRUB puts it together: the default entry, with what grubenv says.
entry_options() {
        mkdir -p "$SCRATCH/boot/grub2"
        read_disk /boot/grub2/grubenv > "$SCRATCH/boot/grub2/grubenv"
        read_disk "/boot/loader/entries/$(sed -n 's/^saved_entry=//p' "$SCRATCH/boot/grub2/grubenv").conf" > "$SCRATCH/boot/entry"
        # shellcheck disable=SC2016
        ROOT=$SCRATCH effective_options "$SCRATCH/boot/entry" | sed 's/ *$tuned_params//'
}
# Boots once with these words, until the machine turns itself off; its report is in $REPORT.
run_vm() { # NAME OPTIONS
        local rc=0
        REPORT=$SCRATCH/$1
        mkdir -p "$REPORT"
        timeout $LIMIT qemu-system-x86_64 -accel tcg,thread=multi -cpu max -M q35 -m 3000 -smp 2 -nodefaults -display none -no-reboot -serial "file:$REPORT/console" \
                -kernel "$VM"/kernel/boot/vmlinuz-* -initrd "$SCRATCH/initrd.img" -append "$2" -drive "file=$IMAGE,if=virtio,format=raw,cache=unsafe" || rc=$?
        [ $rc = 0 ] || { tail -n 30 "$REPORT/console"; die "no end of the boot: qemu's status $rc"; }
        debugfs -R "rdump /var/report $REPORT" "$IMAGE"
        REPORT+=/report
        tail -n 1000 "$REPORT"/{cmdline,units,code,status,code-tdx,status-tdx,events,pool,apply}
}
row() { grep -E "$2" "$REPORT/$1" || die "no such row: $2"; } # FILE PATTERN
in_order() {
        first() { grep -n -m 1 -x "[0-9]* $1" "$REPORT/events" | cut -d: -f1; }
        [ "$(first 'nv-fabricmanager: ready')" -lt "$(first 'nvidia-persistenced: started')" ]
        [ "$(first 'nvidia-persistenced: ready')" -lt "$(first 'nvidia-smi: ready state set')" ]
        [ "$(grep -c 'nvidia-persistenced: gpu . session made' "$REPORT/events")" = 8 ] || die "persistenced was not the first client"
        [ "$(grep -c ' active$' "$REPORT/units")" = 3 ] || die "not all active"
}

before() {
        local options
        options=$(entry_options)
        [[ " $options " != *" ${WANTED%%=*}="* ]]
        run_vm before "$options"
        [ "$(cat "$REPORT/cmdline")" = "$options" ]
        # It has edited its entries in there, as the machine that it finds itself to be.
        [[ " $(entry_options) " == *" $WANTED "* ]] || die "the entry was not edited: $(entry_options)"
        row status "${WANTED%%=*} configured .* ok$"
        row status "${WANTED%%=*} running .* pending$"
        # No TDX here: a plain machine is told so, first of all; a confidential one is told to reboot.
        [ "$(cat "$REPORT/code")" = 3 ]
        row status '^Next: .*confidential virtual machine'
        [ "$(cat "$REPORT/code-tdx")" = 4 ]
        row status-tdx '^Next: reboot$'
}
after() {
        local options
        options=$(entry_options)
        run_vm after "$options"
        [ "$(cat "$REPORT/cmdline")" = "$options" ]
        [[ " $(cat "$REPORT/cmdline") " == *" $WANTED "* ]]
        row status "${WANTED%%=*} configured .* ok$"
        row status "${WANTED%%=*} running .* ok$"
        in_order
        # This kernel does not know "any": the pool is smaller than what was asked for, and status says so, and why.
        row status-tdx 'swiotlb pool .* fail$'
        [ "$(cat "$REPORT/code-tdx")" = 3 ]
        row status-tdx '^Next: the kernel did not make the pool'
        row status-kernel '^Next: .*does not know "any"'
}

scenario "a virtual machine boots from its entries and edits them (no TDX: status must say so)" before
scenario "it boots with what was edited (no 'any' in this kernel: status must say so)" after
finish
