#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# dnf on a machine whose GPU session runs: what is installed changes, what runs does not, and "status" tells the two apart until the reboot.
# And where nothing runs: kickstart, image builds, containers, image mode.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/e2e/root.sh
. "$here/root.sh"
# shellcheck source=tests/e2e/repo.sh
. "$here/repo.sh"

SITE=$SCRATCH/site
STATE=var/lib/gn8v-tee
driver() { sed -n '/^\[Artifact driver\]/,/^\[/s/^Version=//p' "$(conf "$1" "$2")"; } # PROFILE VERSION
sites() {
        mkdir -p "$SITE"
        chmod 755 "$SCRATCH"
        serve "$SITE"
        publish_to "$SITE/all"
}
prepare base_root workspace sites

a_root() { # NAME
        new_root "$1" with-headers
        sed "s,$SITE_URL,http://127.0.0.1:$PORT/all,g; s/^metadata_expire=.*/metadata_expire=0/" "$SITE/all/gn8v-tee.repo" > "$ROOT.dnf/repos/gn8v-tee.repo"
}
ours() { root_rpm "$ROOT" -qa --qf '%{NAME}-%{VERSION}-%{RELEASE}\n' | grep -E '^(gn8v-tee|nvidia|libnvidia)' | sort; }
# Every call of these is written down, and then made.
watch_tools() {
        local path name
        mkdir -p "$ROOT/usr/libexec/watched"
        for path in /usr/bin/systemctl /usr/sbin/modprobe /usr/sbin/rmmod /usr/sbin/insmod /usr/bin/dracut /usr/bin/nvidia-smi /usr/bin/nvidia-persistenced; do
                name=${path##*/}
                # A link of kmod's goes by its name.
                if [ -L "$ROOT$path" ]; then ln -sf /bin/kmod "$ROOT/usr/libexec/watched/$name" && rm "$ROOT$path"
                elif [ -e "$ROOT$path" ]; then mv "$ROOT$path" "$ROOT/usr/libexec/watched/$name"
                else continue; fi
                printf '#!/bin/sh\necho "%s $*" >> /var/log/calls\nexec /usr/libexec/watched/%s "$@"\n' "$name" "$name" > "$ROOT$path"
                chmod 755 "$ROOT$path"
        done
        : > "$ROOT/var/log/calls"
}
unwatch_tools() { # what packages own must be theirs again before they go
        local name
        for name in nvidia-smi nvidia-persistenced; do
                [ ! -e "$ROOT/usr/libexec/watched/$name" ] || mv -f "$ROOT/usr/libexec/watched/$name" "$ROOT/usr/bin/$name"
        done
}
# As after the reboot into a release: its driver is loaded, its arguments are there, the services run.
session_of() { # PROFILE VERSION
        umount "$ROOT/sys"
        mkdir -p "$ROOT/sys/module/nvidia" "$ROOT/sys/kernel"
        driver "$1" "$2" > "$ROOT/sys/module/nvidia/version"
        echo "ro root=/dev/vda1 $(argument "$1" "$2")" > "$ROOT.cmdline"
        mount --bind "$ROOT.cmdline" "$ROOT/proc/cmdline"
}
# What would end the session: any of its services touched, its modules unloaded, or a second one begun.
session_is_untouched() {
        cat "$ROOT/var/log/calls"
        ! grep -E '^systemctl .*(start|stop|reload|kill|isolate|--now).*nvidia-(persistenced|fabricmanager)' "$ROOT/var/log/calls" || die "a service of the session was touched"
        ! grep -E '^(rmmod|insmod|modprobe|nvidia-smi|nvidia-persistenced) ' "$ROOT/var/log/calls" || die "the driver was touched"
}
status_tells() { # INSTALLED-DRIVER RUNNING-DRIVER: and that a reboot is what comes next
        in_root "$ROOT" gn8v-tee status > "$SCRATCH/output" 2>&1 || :
        cat "$SCRATCH/output"
        said "$1.*$2"
        in_root "$ROOT" gn8v-tee status --json > "$SCRATCH/status.json" 2>/dev/null || :
        python3 - "$SCRATCH/status.json" "$1" "$2" <<'PYTHON'
import json, sys
rows = json.load(open(sys.argv[1]))["rows"]
row = [r for r in rows if r["found"] == sys.argv[3] and r["expected"] == sys.argv[2]]
assert row and row[0]["state"] == "pending" and "reboot" in row[0]["next"], rows
PYTHON
}

upgrades() {
        a_root upgrade
        expect 0 run_dnf "$ROOT" install "gn8v-tee-multi-$OLD"
        session_of multi "$OLD"
        watch_tools
        expect 0 run_dnf "$ROOT" upgrade
        root_rpm "$ROOT" -q "gn8v-tee-multi-$NEW"
        session_is_untouched
        status_tells "$(driver multi "$NEW")" "$(driver multi "$OLD")"
        unwatch_tools
        expect 0 run_dnf "$ROOT" downgrade "gn8v-tee-multi-$OLD"
        session_is_untouched
        # What runs is what is installed again: nothing to reboot for.
        in_root "$ROOT" gn8v-tee status > "$SCRATCH/output" 2>&1 || :
        ! grep -E '^Next: reboot' "$SCRATCH/output"
}
switches() {
        a_root switch
        expect 0 run_dnf "$ROOT" install gn8v-tee-multi
        session_of multi "$NEW"
        watch_tools
        unwatch_tools # the driver's own programs change with the swap
        expect 0 run_dnf "$ROOT" swap --allowerasing gn8v-tee-multi gn8v-tee-single
        session_is_untouched
        status_tells "$(driver single "$SINGLE")" "$(driver multi "$NEW")"
        expect 0 run_dnf "$ROOT" swap --allowerasing gn8v-tee-single gn8v-tee-multi
        session_is_untouched
}
# The initramfs is made anew once, when nothing of ours is there any more: neither the profile's files nor the driver's. KEEPING: packages
# that stay, so that either gn8v-tee's trigger or its own removal has to do it.
removes() { # [KEEP-GN8V-TEE]
        a_root "remove-${1:-all}"
        echo 'drivers+=" =drivers/gpu/drm "' > "$ROOT/etc/dracut.conf.d/10-test.conf"
        expect 0 run_dnf "$ROOT" install gn8v-tee-multi
        ! lsinitrd "$ROOT/boot/initramfs-$KERNEL.img" | grep nouveau.ko || die "nouveau is in the initramfs"
        session_of multi "$NEW"
        if [ -n "${1:-}" ]; then in_root "$ROOT" true; run_dnf "$ROOT" mark install gn8v-tee; fi
        watch_tools
        unwatch_tools
        if [ -n "${1:-}" ]; then expect 0 run_dnf "$ROOT" remove gn8v-tee-multi; else expect 0 run_dnf "$ROOT" remove 'gn8v-tee*' 'nvidia-*' 'libnvidia-*'; fi
        ! ours | grep -v '^gn8v-tee-[0-9]' || die "left: $(ours)"
        [ -z "${1:-}" ] || ours | grep '^gn8v-tee-[0-9]'
        session_is_untouched
        lsinitrd "$ROOT/boot/initramfs-$KERNEL.img" > "$SCRATCH/initrd"
        grep nouveau.ko "$SCRATCH/initrd" || die "nouveau is still kept out of the initramfs"
        ! grep -E '(modprobe|dracut.conf).d/.*(gn8v-tee|nvidia-lkca)' "$SCRATCH/initrd" || die "our files are still in the initramfs"
        [ "$(grep -c '^dracut ' "$ROOT/var/log/calls")" = "$(ls "$ROOT"/boot/initramfs-5*.img | wc -l)" ] || die "not once for each kernel"
        [ ! -e "$ROOT/$STATE/journal.json" ] || die "a journal is left"
        [ -n "${1:-}" ] || return 0
        in_root "$ROOT" gn8v-tee status > "$SCRATCH/output" 2>&1 || :
        cat "$SCRATCH/output"
        said "driver loaded +not installed +$(driver multi "$NEW"), until the reboot"
}
# The plugin of dnf-plugins-core, unpacked: the package itself excludes others.
needs_restarting() {
        local plugins
        plugins=$(find "$CACHE/" -path "*/dnf-plugins/*" -name needs_restarting.py | head -n 1)
        [ -n "$plugins" ] || skip_scenario "no dnf-plugins-core (tests/deps.sh unpacks it)"
        mkdir -p "$SCRATCH/plugins"
        cp "$plugins" "$SCRATCH/plugins/"
        /usr/bin/python3 -c 'import dbus' || skip_scenario "no dbus for Python, which this version of the plugin takes"
        ask() { GN8V_AS="GN8V_TEE_ENVIRONMENT=machine PYTHONPATH=$(dirname "$(dirname "$plugins")")" run_dnf "$ROOT" --setopt=plugins=1 --setopt=pluginpath="$SCRATCH/plugins" needs-restarting -r; }
        a_root restarting
        expect 0 run_dnf "$ROOT" install gn8v-tee-multi
        expect 1 ask
        for name in gn8v-tee-multi "gn8v-tee-driver-${NEW%%.*}" nvidia-fabric-manager; do said "\* $name"; done
        ! grep 'No installed package found' "$SCRATCH/output" || die "a name that is not installed"
        rm "$ROOT/etc/dnf/plugins/needs-restarting.d/gn8v-tee.conf"
        expect 0 ask
}

# Where nothing runs, as anaconda, image builders and container builders do it. KIND is what gn8v-tee finds out by itself.
elsewhere() { # KIND
        local GN8V_AS='' was
        a_root "else-$1"
        case $1 in
        image) umount "$ROOT/proc" "$ROOT/sys" "$ROOT/dev"; mkdir -p "$ROOT/dev"; [ -e "$ROOT/dev/null" ] || mknod -m 666 "$ROOT/dev/null" c 1 3 ;;
        container) GN8V_AS=container=podman ;;
        chroot) ;; # anaconda mounts /proc and /sys
        esac
        was=$(cd "$ROOT" && find boot lib/modules/ -type f -print0 | sort -z | xargs -0 sha256sum)
        expect 0 run_dnf "$ROOT" install gn8v-tee-multi
        ! grep -i -E 'scriptlet failed|error:' "$SCRATCH/output" || die "a scriptlet failed"
        [ "$was" = "$(cd "$ROOT" && find boot lib/modules/ -type f -print0 | sort -z | xargs -0 sha256sum)" ] || die "touched boot files"
        in_root "$ROOT" gn8v-tee plan > "$SCRATCH/output" 2>&1 || :
        cat "$SCRATCH/output"
        said "here: ${1/chroot/(chroot|image)}" # who may not look at process 1's root cannot tell them apart
        grep -x "module:$KERNEL" "$ROOT/$STATE/pending"
        grep -x "kernel-argument:$(argument multi "$NEW" | cut -d= -f1)" "$ROOT/$STATE/pending"
        in_root "$ROOT" systemctl is-enabled gn8v-tee-apply.service nvidia-persistenced.service nvidia-fabricmanager.service
        # The first boot: the unit's condition holds, once.
        mountpoint -q "$ROOT/proc" || mount_root "$ROOT"
        GN8V_AS=GN8V_TEE_ENVIRONMENT=machine
        expect 0 in_root "$ROOT" gn8v-tee apply --boot
        [ ! -e "$ROOT/$STATE/pending" ] || die "the unit would run again"
        expect 0 in_root "$ROOT" gn8v-tee plan
        find "$ROOT/lib/modules/$KERNEL" -name 'nvidia.ko*' | grep .
}
# An image of bootc: the arguments are in the file that bootc reads, and on the deployed system nothing is edited.
image_mode() {
        local GN8V_AS=''
        a_root ostree
        expect 0 run_dnf "$ROOT" install gn8v-tee-multi
        python3 - "$ROOT/usr/lib/bootc/kargs.d/50-gn8v-tee.toml" "$(argument multi "$NEW")" <<'PYTHON'
import sys, tomllib
d = tomllib.load(open(sys.argv[1], "rb"))
assert d == {"kargs": [sys.argv[2]], "match-architectures": ["x86_64"]}, d
PYTHON
        mkdir -p "$ROOT/run"
        : > "$ROOT/run/ostree-booted"
        was=$(cd "$ROOT" && find boot etc -type f -print0 | sort -z | xargs -0 sha256sum)
        expect 0 in_root "$ROOT" gn8v-tee apply --boot
        said 'bootc upgrade'
        said "dkms install -m nvidia"
        [ "$was" = "$(cd "$ROOT" && find boot etc -type f -print0 | sort -z | xargs -0 sha256sum)" ] || die "a deployed system was edited"
        [ ! -e "$ROOT/$STATE/pending" ]
        in_root "$ROOT" gn8v-tee status > "$SCRATCH/output" 2>&1 || :
        said 'bootc'
}

scenario "upgrade and downgrade" upgrades
scenario "switch of profiles" switches
scenario "removal of everything" removes
scenario "removal of the profile" removes gn8v-tee
scenario "needs-restarting asks for the reboot" needs_restarting
scenario "kickstart, then first boot" elsewhere chroot
scenario "image build without /proc, then first boot" elsewhere image
scenario "container build, then first boot" elsewhere container
scenario "image mode" image_mode
finish
