# shellcheck shell=bash
# shellcheck disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Small roots for the node program, with stand-ins for the tools that it calls (tests/e2e/node). Sourced after lib.sh and root.sh.

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
        for program in bash sed grep awk sort tac head cat mv cp rm ln mkdir rmdir basename tr cut stat "$NODE"; do
                file=$(realpath "$(command -v "$program")")
                cp "$file" "$root/usr/bin/${program##*/}"
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
has_argument() { [[ " $(options "$1") " == *" $2 "* ]] || die "$1 lacks $2: $(options "$1")"; } # KERNEL ARGUMENT
lacks() { [[ " $(options "$1") " != *"$2"* ]] || die "$1 has $2: $(options "$1")"; }
everywhere() { local k; for k in "$KERNEL" "$OLD_KERNEL" 0-rescue; do has_argument "$k" "$1"; done; }
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
