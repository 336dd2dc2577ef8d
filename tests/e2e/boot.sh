# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A systemd that really boots in a scratch root, by systemd-nspawn, as a machine with GPUs. Sourced after root.sh and repo.sh.
# What is real: systemd, units, journal, dnf with its scriptlets on the running system. What stands in: the hardware and the kernel's words about it,
# as files mounted over their places (see fakes), and the GPUs of tests/vendor/src/gpu.h.

# ROOT.machine/run is the machine's /run, a file system of this side, so that dnf of this side can act on the running machine. It ends with the boot.
LEADER='' NSPAWN='' METADATA=''
INSTANCE_TYPE=$(sed -n 's/^InstanceType=//p' "$(conf multi "$NEW")" | tail -n 1)

# Whether any of this can be had here; the reason is in $WHY_NOT.
can_boot() {
        if [ "$(id -u)" != 0 ]; then WHY_NOT="only root can start systemd-nspawn"; return 1; fi
        for WHY_NOT in systemd-nspawn ip nginx nsenter; do command -v $WHY_NOT > /dev/null || { WHY_NOT="no $WHY_NOT"; return 1; }; done
        unshare --mount --pid --uts --ipc --net --fork mount -t tmpfs tmpfs /mnt 2>/dev/null || { WHY_NOT="namespaces and mounts are not permitted here"; return 1; }
}

default_entry() { echo "$1/boot/loader/entries/$(sed -n 's/^saved_entry=//p' "$1/boot/grub2/grubenv").conf"; } # ROOT

# The bus with 8 GPUs and 4 NVSwitches, and the kernel that the root is made for, as files in DIR.
hardware() {
        local i at
        mkdir -p "$1/proc/sys/kernel"
        echo "$KERNEL" > "$1/proc/sys/kernel/osrelease"
        for ((i = 0; i < 12; i++)); do
                printf -v at '%s/sys/bus/pci/devices/0000:%02x:00.0' "$1" $((16 + i))
                mkdir -p "$at"
                echo 0x10de > "$at/vendor"
                if [ $i -lt 8 ]; then echo 0x2329 > "$at/device"; echo 0x030200 > "$at/class"; else echo 0x22a3 > "$at/device"; echo 0x068000 > "$at/class"; fi
        done
}
# What a boot takes from outside the root: that, the command line that the edited default entry gives, a TDX guest's CPU, a new boot id, and the pool that
# the cloud's own kernel would make of swiotlb=.
fakes() { # ROOT
        local f=$1.machine/run/fakes slots
        hardware "$f"
        mkdir -p "$f/sys/kernel/debug/swiotlb" "$f/proc/sys/kernel/random" "$1.machine/run/nvidia-look-alike.d"/{driver,module}
        echo "BOOT_IMAGE=(hd0,gpt2)/boot/vmlinuz-$KERNEL $(effective_options "$(default_entry "$1")" | sed 's/ *$tuned_params//')" > "$f/proc/cmdline"
        sed 's/^flags[ \t]*:.*/& tdx_guest/' /proc/cpuinfo > "$f/proc/cpuinfo"
        cat /proc/sys/kernel/random/uuid > "$f/proc/sys/kernel/random/boot_id"
        slots=$(tr ' ' '\n' < "$f/proc/cmdline" | sed -n 's/^swiotlb=\([0-9]*\).*/\1/p' | tail -n 1)
        echo "${slots:-524288}" > "$f/sys/kernel/debug/swiotlb/io_tlb_nslabs"
        echo 0 > "$f/sys/kernel/debug/swiotlb/io_tlb_used"
}
# The same over the places below PREFIX, from RUN.
over() { # PREFIX RUN
        local f
        for f in proc/cmdline proc/cpuinfo proc/sys/kernel/osrelease proc/sys/kernel/random/boot_id sys/kernel/debug sys/bus/pci/devices; do
                mount --bind "$2/fakes/$f" "$1/$f"
        done
        mount --bind "$2/nvidia-look-alike.d/driver" "$1/proc/driver"
        mount --bind "$2/nvidia-look-alike.d/module" "$1/sys/module"
}

# The cloud's metadata service, in the machine's own network, where there is nobody else.
metadata() {
        METADATA=$(mktemp -d "$SCRATCH/nginx.XXXXXX")
        cat > "$METADATA/conf" <<NGINX
user root; worker_processes 1; pid $METADATA/pid; error_log $METADATA/error.log;
events { worker_connections 64; }
http {
        access_log $METADATA/access.log; default_type text/plain;
        client_body_temp_path $METADATA/t1; proxy_temp_path $METADATA/t2; fastcgi_temp_path $METADATA/t3; uwsgi_temp_path $METADATA/t4; scgi_temp_path $METADATA/t5;
        server {
                listen 100.100.100.200:80;
                location = /latest/api/token { return 200 TOKEN; }
                location = /latest/meta-data/instance/instance-type { return 200 $INSTANCE_TYPE; }
                location = /latest/meta-data/region-id { return 200 $(release_value "$(conf multi "$NEW")" Region); }
                location = /latest/meta-data/zone-id { return 200 $(release_value "$(conf multi "$NEW")" Zone); }
        }
}
NGINX
        nsenter -t "$LEADER" -n ip address add 100.100.100.200/32 dev lo
        nsenter -t "$LEADER" -n nginx -e "$METADATA/error.log" -c "$METADATA/conf"
}

# Its own place in every hierarchy of control groups: two systemds in one place kill each other's services, or nobody's.
own_cgroup() { # NAME
        local at
        for at in /sys/fs/cgroup /sys/fs/cgroup/*; do
                case $at in */cpuset) continue ;; esac # it would have to be filled in
                if [ -w "$at/cgroup.procs" ] && mkdir -p "$at/$1" 2>/dev/null; then echo "$BASHPID" > "$at/$1/cgroup.procs" || :; fi
        done
}
forget_cgroup() { # NAME
        find /sys/fs/cgroup -depth -type d '(' -path "*/$1" -o -path "*/$1/*" ')' -exec rmdir {} + 2>/dev/null || :
}

# boot ROOT: returns when systemd has done what it has to do at boot; sets LEADER, its process.
boot() {
        local root=$1 run=$1.machine/run at
        for at in proc sys dev; do if mountpoint -q "$root/$at"; then umount -l "$root/$at"; fi; done
        mkdir -p "$run"
        mount -t tmpfs -o mode=755 tmpfs "$run"
        fakes "$root"
        {
                printf '#!/bin/bash\nset -e\nmount --bind /mnt /run\numount -l /mnt\n[ -d /sys/module ] || mount -t sysfs -o ro sysfs /sys\numount /proc/sys/kernel/random/boot_id 2>/dev/null || :\n'
                declare -f over
                printf 'over "" /run\nmknod /dev/tdx_guest c 10 126\nexec /lib/systemd/systemd\n'
        } > "$run/init"
        # The programs are to take this for a machine.
        mkdir -p "$root/etc/systemd/system.conf.d"
        printf '[Manager]\nDefaultEnvironment=GN8V_TEE_ENVIRONMENT=machine\n' > "$root/etc/systemd/system.conf.d/machine.conf"
        trap booted_off EXIT # of the scenario, which is a shell of its own
        (
                own_cgroup "${SCRATCH##*/}"
                exec systemd-nspawn -q -D "$root" --machine="${SCRATCH##*.}" --register=no --keep-unit --capability=all --kill-signal=SIGRTMIN+3 --console=passive \
                        --bind="$run:/mnt" --private-network --resolv-conf=off --timezone=off --link-journal=no /bin/bash /mnt/init
        ) < /dev/null > "$root.machine/console" 2>&1 &
        NSPAWN=$!
        echo "$NSPAWN" >> "$SCRATCH/booted"
        # Busy, not asleep: it takes a third of a second.
        { set +x; } 2> /dev/null
        until LEADER=$(pgrep -P "$NSPAWN") && [ "$(cat "/proc/$LEADER/comm")" = systemd ] && [ -S "$run/systemd/private" ]; do
                kill -0 "$NSPAWN" 2>/dev/null || die "nspawn ended: $(cat "$root.machine/console")"
        done
        set -x
        metadata
        [ -n "${NO_WAIT:-}" ] || timeout 60 nsenter -t "$LEADER" -m -u -i -n -p -C -r -w env -i PATH=/usr/bin:/bin systemctl is-system-running --wait || :
}
inside() { nsenter -t "$LEADER" -m -u -i -n -p -C -r -w env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 GN8V_TEE_ENVIRONMENT=machine "$@"; }

# The machine goes off, as by "poweroff"; what was in memory is gone.
shut() { # ROOT
        kill "$(cat "$METADATA/pid")"
        kill -s RTMIN+4 "$LEADER"
        wait "$NSPAWN" || :
        umount "$1.machine/run"
        forget_cgroup "${SCRATCH##*/}"
        LEADER='' NSPAWN='' METADATA=''
}
reboot() { # ROOT
        shut "$1"
        boot "$1"
}
# What a scenario's or the script's end leaves running.
booted_off() {
        local pid child
        [ -e "$SCRATCH/booted" ] || return 0
        while read -r pid; do
                [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = systemd-nspawn ] || continue
                for child in $(pgrep -P "$pid"); do kill -KILL "$child" 2>/dev/null || :; done
                kill -TERM "$pid" 2>/dev/null || :
                timeout 10 tail --pid="$pid" -f /dev/null || kill -KILL "$pid" || :
        done < "$SCRATCH/booted"
        if [ -s "${METADATA:-/nowhere}/pid" ]; then kill "$(cat "$METADATA/pid")" 2>/dev/null || :; fi
        forget_cgroup "${SCRATCH##*/}"
}
CLEANUPS+=(booted_off)

# live_dnf ROOT ARGUMENTS...: dnf of this side on the running machine: its processes, its /proc and /sys, its /run, and so its systemd.
live_dnf() {
        local root=$1
        shift
        (
                export -f run_dnf over
                # shellcheck disable=SC2016
                nsenter -t "$LEADER" -p -i -u unshare -m bash -c '
                        set -e
                        root=$1
                        shift
                        mount -t proc proc "$root/proc"
                        mount -t sysfs -o ro sysfs "$root/sys"
                        mount --bind /dev "$root/dev"
                        mount --bind "$root.machine/run" "$root/run"
                        over "$root" "$root.machine/run"
                        run_dnf "$root" "$@"' live "$root" "$@"
        )
}

# gpus ROOT LINE...: the hardware of the next boots.
gpus() {
        local root=$1
        shift
        printf '%s\n' "$@" > "$root/etc/nvidia-look-alike.conf"
}
events() { sed 's/^[0-9]* //' "$ROOT.machine/run/nvidia-look-alike.d/events"; }
# When something first happened, in microseconds; or nothing.
when() { sed -n "s/^\([0-9]*\) $1\$/\1/p" "$ROOT.machine/run/nvidia-look-alike.d/events" | head -n 1; }
stamp() { inside systemctl show -p "$2" --value "$1"; } # UNIT PROPERTY
is_active() { [ "$(inside systemctl is-active "$1" || :)" = active ] || { inside systemctl --no-pager -l status "$1" || :; die "$1 is not active"; }; }
