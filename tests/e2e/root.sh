# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Scratch roots: a small Debian root that says, by an RPM called base-os, what it has of EL8. Sourced after lib.sh.
# What is real: systemd, dracut, kmod, dkms, gcc, make, the C library. What stands in, and is said so in base-os: grubby (root/grubby), kernels and
# their headers (root/kernel-devel), and names of EL8's packages for Debian's files.

ROOTFILES=$SOURCE/tests/e2e/root
ROOT_PACKAGES=systemd,systemd-sysv,dbus,kmod,udev,passwd,findutils,grep,sed,gawk,dracut-core,cpio,gzip,dkms,gcc,make,procps,pciutils,libjansson4

release_value() { sed -n "s/^$2=//p" "$1" | head -n 1; } # FILE KEY
# Two kernels that the oldest release accepts: an older one, and the one that boots by default.
MINIMUM_KERNEL=$(for f in "$SOURCE"/repo/releases/*.conf; do release_value "$f" MinimumKernel; done | sort -V | tail -n 1)
OLD_KERNEL=$MINIMUM_KERNEL.al8.x86_64
KERNEL=$MINIMUM_KERNEL.1.al8.x86_64
NEXT_KERNEL=$MINIMUM_KERNEL.2.al8.x86_64
MACHINE_ID=0123456789abcdef0123456789abcdef

artifact_value() { sed -n "/^\[Artifact $2\]/,/^\[/s/^$3=//p" "$1" | head -n 1; } # FILE ARTIFACT KEY

# release_software ROOT RELEASE: what status looks at of the packages' files, by their names alone.
release_software() {
        local root=$1 release=$2 lib=$1/usr/lib64 driver cuda cublas manager nscq name
        driver=$(artifact_value "$release" driver Version) cuda=$(artifact_value "$release" cuda Version)
        cublas=$(artifact_value "$release" cublas Version) manager=$(artifact_value "$release" fabric-manager Version)
        nscq=$(artifact_value "$release" nscq Version)
        rm -rf "$lib"/libcuda.so.* "$lib"/libnvidia-*.so.* "$lib/gn8v-tee" "$root"/usr/local/cuda-* "$root/usr/bin/nv-fabricmanager"
        mkdir -p "$lib" "$root/usr/bin" "$root/usr/local/cuda-${cuda%.*}" "$root/usr/share/gn8v-tee"
        for name in libcuda libnvidia-ml; do
                : > "$lib/$name.so.$driver"
                ln -s "$name.so.$driver" "$lib/$name.so.1"
        done
        : > "$lib/libcrypto.so.3"
        printf '{ "cuda": { "name": "CUDA SDK", "version": "%s" } }\n' "$cuda" > "$root/usr/local/cuda-${cuda%.*}/version.json"
        if [ -n "$cublas" ]; then
                name=$(cut -d. -f1-2 <<< "$cublas" | tr . -)
                mkdir -p "$lib/gn8v-tee/cublas-$name/lib"
                : > "$lib/gn8v-tee/cublas-$name/lib/libcublas.so.${cublas%%.*}"
                printf '# pip install -c\nnvidia-cublas-cu%s==%s\n' "${cublas%%.*}" "$cublas" > "$root/usr/share/gn8v-tee/constraints.txt"
        fi
        if [ -n "$manager" ]; then { head -c 300000 /dev/zero; printf '\0%s\0' "$manager"; } > "$root/usr/bin/nv-fabricmanager"; fi
        if [ -n "$nscq" ]; then
                : > "$lib/libnvidia-nscq.so.$nscq"
                ln -s "libnvidia-nscq.so.$nscq" "$lib/libnvidia-nscq.so.2.0"
                ln -s libnvidia-nscq.so.2.0 "$lib/libnvidia-nscq.so.2"
        fi
}
# kernel_lists ROOT KERNEL RELEASE: depmod's lists of a kernel that has the release's crypto modules, one of them built in.
kernel_lists() {
        local lists=$1/lib/modules/$2 modules
        mkdir -p "$lists"
        modules=$(release_value "$3" Initramfs)
        printf 'kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz\nkernel/crypto/%s.ko.xz: kernel/crypto/ecc.ko.xz\n' "${modules%% *}" > "$lists/modules.dep"
        printf 'kernel/crypto/%s.ko\n' "${modules##* }" > "$lists/modules.builtin"
}

# A root in which everything that can be seen in files is right, after the reboot.
good_root() { # ROOT RELEASE
        local root=$1 release=$2 unit name lib=$1/usr/lib/systemd/system wants=$1/etc/systemd/system/multi-user.target.wants driver
        driver=$(artifact_value "$release" driver Version)
        mkdir -p "$root"/{boot/loader/entries,dev,run,tmp,proc/sys/kernel/random,proc/driver/nvidia/gpus,sys/fs,sys/module/nvidia,usr/share/gn8v-tee,usr/bin} "$lib" "$wants"
        ln -s usr/lib "$root/lib"
        cp "$release" "$root/usr/share/gn8v-tee/release.conf"
        release_software "$root" "$release"
        kernel_lists "$root" "$KERNEL" "$release"
        for name in $(release_value "$release" Initramfs); do mkdir -p "$root/sys/module/$name"; done
        mkdir -p "$root/lib/modules/$KERNEL/extra" "$root/var/lib/dkms/nvidia"
        : > "$root/lib/modules/$KERNEL/extra/nvidia.ko.xz"
        ln -s "$driver/$KERNEL/x86_64" "$root/var/lib/dkms/nvidia/kernel-$KERNEL-x86_64"
        printf 'title T\nversion %s\nlinux /vmlinuz-%s\noptions ro %s\n' "$KERNEL" "$KERNEL" "$(release_value "$release" Argument)" > "$root/boot/loader/entries/a.conf"
        echo "$KERNEL" > "$root/proc/sys/kernel/osrelease"
        echo this-boot > "$root/proc/sys/kernel/random/boot_id"
        echo "ro $(release_value "$release" Argument)" > "$root/proc/cmdline"
        printf 'flags\t\t: fpu tdx_guest vme\n' > "$root/proc/cpuinfo"
        : > "$root/dev/tdx_guest"
        echo "$driver" > "$root/sys/module/nvidia/version"
        for name in $(seq "$(release_value "$release" GPUs)"); do mkdir -p "$root/proc/driver/nvidia/gpus/0000:0$name:00.0"; done
        for unit in nvidia-persistenced nvidia-fabricmanager; do
                printf '[Install]\nWantedBy=multi-user.target\n' > "$lib/$unit.service"
                ln -s "/usr/lib/systemd/system/$unit.service" "$wants/"
        done
        for unit in $(sed -n 's/^Unit=//p' "$release"); do
                mkdir -p "$lib/$unit.d"
                printf '[Unit]\nAfter=nvidia-persistenced.service\n' > "$lib/$unit.d/50-gn8v-tee.conf"
        done
        mkdir -p "$lib/nvidia-persistenced.service.d"
        printf '[Unit]\nAfter=nvidia-fabricmanager.service\n' > "$lib/nvidia-persistenced.service.d/50-gn8v-tee.conf"
}

# kernel_headers DIR KERNEL: a build folder for out-of-tree modules, and a .config with what the driver's encryption needs.
kernel_headers() {
        local f word
        mkdir -p "$1"
        cp -a "$ROOTFILES/kernel-devel/." "$1/"
        echo "$2" > "$1/release"
        {
                printf '#\n# Automatically generated file; DO NOT EDIT.\n#\nCONFIG_MODULES=y\n'
                for f in "$SOURCE"/repo/releases/*.conf; do sed -n 's/^KernelConfig=//p' "$f"; done | tr ' ' '\n' | sort -u |
                        while read -r word; do echo "CONFIG_$word=m"; done
        } > "$1/.config"
        mkdir -p "$1/include/config" "$1/include/generated"
        cp "$1/.config" "$1/include/config/auto.conf"
        sed -n 's/^\(CONFIG_[A-Z0-9_]*\)=m$/#define \1_MODULE 1/p' "$1/.config" > "$1/include/generated/autoconf.h"
}

# rpm_pack OUTDIR NAME VERSION RELEASE ARCH TREE [SPEC-LINE...]: a package of the files in TREE.
rpm_pack() {
        local out=$1 name=$2 version=$3 release=$4 arch=$5 tree=$6 work
        shift 6
        work=$(mktemp -d "$SCRATCH/rpm.XXXXXX")
        {
                printf 'Name: %s\nVersion: %s\nRelease: %s\nSummary: test platform\nLicense: Apache-2.0\nAutoReqProv: no\n' "$name" "$version" "$release"
                printf '%s\n' "$@"
                printf '%%description\nStands in for the platform in tests.\n%%install\nmkdir -p %%{buildroot}\ncp -a %s/. %%{buildroot}/\n%%files\n' "$tree"
                (cd "$tree" && find . '(' -type f -o -type l ')' -printf '/%P\n')
        } > "$work/x.spec"
        rpmbuild -bb --quiet --target "$arch" --define "_topdir $work" --define "_rpmdir $work/out" --define '_build_id_links none' --define 'debug_package %{nil}' \
                --define '__os_install_post %{nil}' --define '_buildhost localhost' --define '_binary_payload w1.gzdio' "$work/x.spec"
        mkdir -p "$out"
        mv "$work"/out/*/*.rpm "$out/"
        rm -rf "$work"
}

# shellcheck disable=SC2016,SC2094
boot_files() { # ROOT
        local root=$1 k entry
        mkdir -p "$root/boot/loader/entries" "$root/boot/grub2" "$root/etc/kernel"
        echo $MACHINE_ID > "$root/etc/machine-id"
        for k in "$OLD_KERNEL" "$KERNEL" 0-rescue; do
                entry=$root/boot/loader/entries/$MACHINE_ID-$k.conf
                echo "stands in for $k" > "$root/boot/vmlinuz-$k"
                echo "stands in for the initramfs of $k" > "$root/boot/initramfs-$k.img"
                printf 'title Alibaba Cloud Linux (%s) 3\nversion %s\nlinux /boot/vmlinuz-%s\ninitrd /boot/initramfs-%s.img $tuned_initrd\n' "$k" "$k" "$k" "$k" > "$entry"
                # Two ways that entries have on EL8: through grubenv, and with their own words.
                case $k in
                "$KERNEL") echo "options \$kernelopts \$tuned_params" ;;
                *) echo "options root=UUID=0f0e0d0c-0000-4000-8000-00000000cafe ro console=tty0 net.ifnames=0 admin.own=$k" ;;
                esac >> "$entry"
                printf 'id %s\ngrub_users $grub_users\ngrub_arg --unrestricted\ngrub_class kernel\n' "$k" >> "$entry"
        done
        {
                printf '# GRUB Environment Block\nsaved_entry=%s-%s\nkernelopts=root=UUID=0f0e0d0c-0000-4000-8000-00000000cafe ro crashkernel=0M-2G:0M,2G-8G:192M,8G-:256M ' "$MACHINE_ID" "$KERNEL"
                printf 'net.ifnames=0 console=tty0 console=ttyS0,115200n8 nvme_core.io_timeout=4294967295 admin.own=yes\nboot_success=0\n'
        } > "$root/boot/grub2/grubenv"
        printf '%*s' $((1024 - $(stat -c %s "$root/boot/grub2/grubenv"))) '' | tr ' ' '#' >> "$root/boot/grub2/grubenv"
        echo "root=UUID=0f0e0d0c-0000-4000-8000-00000000cafe ro" > "$root/etc/kernel/cmdline"
}

kernel_modules() { # ROOT
        local root=$1 k m build=$SCRATCH/modules
        for k in "$OLD_KERNEL" "$KERNEL"; do
                mkdir -p "$root/lib/modules/$k/kernel/crypto" "$root/lib/modules/$k/kernel/drivers/gpu/drm/nouveau"
                rm -rf "$build"
                kernel_headers "$build/devel" "$k"
                mkdir -p "$build/src"
                for m in ecc ecdh_generic ecdsa_generic nouveau; do
                        echo "obj-m += $m.o" >> "$build/src/Kbuild"
                        printf '#include <linux/module.h>\nstatic int i(void) { return 0; }\nmodule_init(i);\nMODULE_LICENSE("GPL");\n' > "$build/src/$m.c"
                done
                make -s -C "$build/devel" M="$build/src" modules
                cp "$build"/src/{ecc,ecdh_generic,ecdsa_generic}.ko "$root/lib/modules/$k/kernel/crypto/"
                cp "$build/src/nouveau.ko" "$root/lib/modules/$k/kernel/drivers/gpu/drm/nouveau/"
                : > "$root/lib/modules/$k/modules.order"
                : > "$root/lib/modules/$k/modules.builtin"
                : > "$root/lib/modules/$k/modules.builtin.modinfo"
                cp "$build/devel/.config" "$root/lib/modules/$k/config"
                ln -sfn "/usr/src/kernels/$k" "$root/lib/modules/$k/build"
                depmod -b "$root" "$k"
        done
}

# What the root can do, as RPM capabilities: the C library's own, read from its files, and the packages whose programs are there.
platform_provides() { # ROOT
        local root=$1 p
        find "$root"/lib/x86_64-linux-gnu "$root"/lib64 -name '*.so.*' -o -name 'ld-linux*' | /usr/lib/rpm/rpmdeps --provides | sort -u
        echo 'rtld(GNU_HASH)'
        # NAME PROGRAM: only when it is really there
        while read -r p; do
                # shellcheck disable=SC2086
                set -- $p
                if [ -e "$root$2" ] || [ -L "$root$2" ]; then echo "$1"; else echo "base-os: no $2, so no $1" >&2; fi
        done <<'LIST'
/bin/sh /bin/sh
/bin/bash /bin/bash
/usr/bin/sh /usr/bin/sh
/usr/bin/bash /usr/bin/bash
/sbin/ldconfig /sbin/ldconfig
/usr/sbin/ldconfig /usr/sbin/ldconfig
bash /bin/bash
coreutils /bin/cat
findutils /usr/bin/find
grep /bin/grep
sed /bin/sed
gawk /usr/bin/awk
util-linux /bin/mount
shadow-utils /usr/sbin/useradd
kmod /sbin/modprobe
dracut /usr/bin/dracut
dkms /usr/sbin/dkms
gcc /usr/bin/gcc
make /usr/bin/make
grubby /usr/sbin/grubby
pciutils /usr/bin/lspci
procps-ng /usr/bin/ps
systemd-udev /bin/udevadm
glibc /lib/x86_64-linux-gnu/libc.so.6
openssl3-libs /usr/lib/x86_64-linux-gnu/libcrypto.so.3
kernel /boot/vmlinuz-@KERNEL@
LIST
        echo 'systemd = 252-1'
        # Names only: Debian has the same under another name, or nothing here looks inside.
        printf '%s\n' 'openssl3' 'elfutils-libelf-devel' 'gcc-c++' 'python3.11' 'python3.11-pip' 'system-release = 8' 'system-release(releasever) = 3' 'alinux-release = 3'
}

# Makes $CACHE/root (read-only by custom), $CACHE/platform (a repository with kernel-devel) and $CACHE/platform.provides, once.
base_root() {
        local stamp want root=$CACHE/root.new k tree
        want=$({ echo "$ROOT_PACKAGES"; cat "$SOURCE/tests/e2e/root.sh"; find "$ROOTFILES" -type f -print0 | sort -z | xargs -0 cat; } | sha256sum)
        stamp=$CACHE/root.stamp
        if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then return 0; fi
        rm -rf --one-file-system "$CACHE/root" "$root" "$CACHE/platform" "$stamp"
        if [ ! -e "$CACHE/debian-$(echo "$ROOT_PACKAGES" | sha256sum | cut -c1-12).tar" ]; then
                mmdebstrap --quiet --variant=minbase --include=$ROOT_PACKAGES bookworm "$CACHE/debian-new.tar"
                mv "$CACHE/debian-new.tar" "$CACHE/debian-$(echo "$ROOT_PACKAGES" | sha256sum | cut -c1-12).tar"
        fi
        mkdir -p "$root"
        tar -C "$root" --numeric-owner -xf "$CACHE/debian-$(echo "$ROOT_PACKAGES" | sha256sum | cut -c1-12).tar"
        rm -rf "${root:?}"/var/cache/apt/* "${root:?}"/var/lib/apt/lists/* "${root:?}"/usr/share/doc/*
        install -D -m755 "$ROOTFILES/grubby" "$root/usr/sbin/grubby"
        install -D -m755 "$ROOTFILES/rpm-sort" "$root/usr/libexec/grubby/rpm-sort"
        cat > "$root/etc/os-release" <<'OS'
NAME="Alibaba Cloud Linux"
VERSION="3 (OpenAnolis Edition)"
ID="alinux"
ID_LIKE="rhel fedora centos anolis"
VERSION_ID="3"
PLATFORM_ID="platform:al8"
PRETTY_NAME="Alibaba Cloud Linux 3 look-alike on Debian"
OS
        # dracut: real, but no more than the modules that are asked for.
        mkdir -p "$root/etc/dracut.conf.d"
        cat > "$root/etc/dracut.conf.d/00-test.conf" <<'DRACUT'
hostonly="no"
dracutmodules="base kernel-modules"
compress="cat"
do_strip="no"
drivers="ecc"
DRACUT
        # A service of the administrator that uses the GPU, as the cloud installs it: no package owns it.
        # It asks nvidia-smi, if there is one, as soon as it runs.
        printf '[Unit]\nDescription=CloudMonitor look-alike\n[Service]\nExecStart=/bin/sh -c "nvidia-smi -L; exec sleep infinity"\n[Install]\nWantedBy=multi-user.target\n' \
                > "$root/etc/systemd/system/cloudmonitor.service"
        mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
        ln -s /etc/systemd/system/cloudmonitor.service "$root/etc/systemd/system/multi-user.target.wants/cloudmonitor.service"
        boot_files "$root"
        kernel_modules "$root"
        # rpm of Debian looks below ~ for its database.
        mkdir -p "$root/var/lib/rpm"
        platform_provides "$root" | sed "s/@KERNEL@/$KERNEL/" | grep -v '^kernel ' > "$CACHE/platform.provides"
        tree=$(mktemp -d "$SCRATCH/empty.XXXXXX")
        mapfile -t provides < <(sed 's/^/Provides: /' "$CACHE/platform.provides")
        # As glibc's on EL8, which looks into /usr/lib64, too.
        printf '/usr/lib64\n' > "$root/etc/ld.so.conf.d/el8.conf"
        rpm_pack "$CACHE/base-os" base-os 8 1 noarch "$tree" "${provides[@]}" '%transfiletriggerin -P 2000000 -- /usr/lib64' /sbin/ldconfig \
                '%transfiletriggerpostun -P 2000000 -- /usr/lib64' /sbin/ldconfig
        rpm --root "$root" --define '_dbpath /var/lib/rpm' --noscripts --nodeps -i "$CACHE"/base-os/base-os-8-1.noarch.rpm
        # The platform's own repository: headers of three kernels, the newest of a kernel that is not installed.
        for k in "$OLD_KERNEL" "$KERNEL" "$NEXT_KERNEL"; do
                tree=$(mktemp -d "$SCRATCH/headers.XXXXXX")
                kernel_headers "$tree/usr/src/kernels/$k" "$k"
                rpm_pack "$CACHE/platform" kernel-devel "${k%%-*}" "$(k=${k#*-}; echo "${k%.x86_64}")" x86_64 "$tree" \
                        "Provides: kernel-devel-uname-r = $k" "Provides: installonlypkg(kernel)"
        done
        createrepo_c --quiet --no-database "$CACHE/platform"
        echo kernel-devel >> "$CACHE/platform.provides"
        mv "$root" "$CACHE/root"
        echo "$want" > "$stamp"
}

# new_root NAME [with-headers]: sets ROOT to a fresh writable copy of the base root (with UNDER=NAME: of that root, which is not mounted any more), and
# makes its dnf settings. The repositories come later.
new_root() {
        local top=$SCRATCH/roots lower=$CACHE/root
        [ -z "${UNDER:-}" ] || lower=$top/.$UNDER.upper:$lower
        ROOT=$top/$1
        mkdir -p "$ROOT" "$top/.$1.upper" "$top/.$1.work"
        if ! mount -t overlay overlay -o "lowerdir=$lower,upperdir=$top/.$1.upper,workdir=$top/.$1.work" "$ROOT"; then
                if [ -n "${UNDER:-}" ]; then cp -a "$top/$UNDER/." "$ROOT/"; else cp -a "$CACHE/root/." "$ROOT/"; fi # no overlay here: slower, and as good
        fi
        root_settings "$ROOT"
        mount_root "$ROOT"
        add_repo platform "file://$CACHE/platform" no
        if [ "${2:-}" = with-headers ]; then
                rpm --root "$ROOT" --define '_dbpath /var/lib/rpm' -i --nodeps "$CACHE/platform/kernel-devel-${KERNEL%.x86_64}.x86_64.rpm"
        fi
}
mount_root() {
        mount -t proc proc "$1/proc"
        mount -t sysfs -o ro sysfs "$1/sys"
        mount --bind /dev "$1/dev"
}
root_settings() { # ROOT
        mkdir -p "$1.dnf/repos" "$1.dnf/cache"
        # Debian's rpm keeps its database below ~ unless told.
        printf '%%_dbpath /var/lib/rpm\n%%__gpg /usr/bin/gpg\n' > "$1.dnf/.rpmmacros"
        cat > "$1.dnf/dnf.conf" <<CONF
[main]
best=True
plugins=0
pluginpath=/nonexistent
reposdir=$1.dnf/repos
cachedir=$1.dnf/cache
persistdir=$1.dnf/state
logdir=$1.dnf/log
installonly_limit=3
installonlypkgs=kernel-devel
keepcache=False
timeout=5
retries=1
CONF
}
# add_repo NAME BASEURL no|KEYFILE [LINE...]: tells dnf of a repository for $ROOT; with a key, packages and metadata must be signed.
add_repo() {
        local name=$1 url=$2 key=$3
        shift 3
        {
                printf '[%s]\nname=%s\nbaseurl=%s\nenabled=1\nmetadata_expire=0\n' "$name" "$name" "$url"
                if [ "$key" = no ]; then printf 'gpgcheck=0\n'; else printf 'gpgcheck=1\nrepo_gpgcheck=1\ngpgkey=file://%s\n' "$key"; fi
                printf '%s\n' "$@"
        } > "$ROOT.dnf/repos/$name.repo"
}
in_root() { # ROOT COMMAND...: as on a machine
        local root=$1
        shift
        # shellcheck disable=SC2086
        env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 ${GN8V_AS-GN8V_TEE_ENVIRONMENT=machine} chroot "$root" "$@"
}
root_rpm() { # ROOT ARGUMENTS...
        local root=$1
        shift
        rpm --root "$root" --define '_dbpath /var/lib/rpm' "$@"
}

# Every path of $ROOT that is not as in the base root: "new PATH", "gone PATH", "changed PATH". Needs the overlay.
changes() { # ROOT
        local upper
        upper=$SCRATCH/roots/.$(basename "$1").upper
        mountpoint -q "$1" || { echo "changes: no overlay" >&2; return 1; }
        (cd "$upper" && find . -mindepth 1 ! -type d -printf '%P\n' | sort) | while read -r f; do
                if [ -c "$upper/$f" ] && [ ! -e "$1/$f" ]; then
                        [ ! -e "$CACHE/root/$f" ] || echo "gone $f"
                elif [ ! -e "$CACHE/root/$f" ] && [ ! -L "$CACHE/root/$f" ]; then echo "new $f"
                elif [ -L "$upper/$f" ] || [ -L "$CACHE/root/$f" ]; then
                        [ "$(readlink "$upper/$f" || :)" = "$(readlink "$CACHE/root/$f" || :)" ] || echo "changed $f"
                elif [ "$(stat -c %a:%u:%g "$upper/$f")" != "$(stat -c %a:%u:%g "$CACHE/root/$f")" ] || ! cmp -s "$upper/$f" "$CACHE/root/$f"; then echo "changed $f"
                fi
        done
}
# nothing_left BEFORE: nothing has changed in $ROOT since that list of changes, but what removal may leave: databases, caches and logs of the system's own
# tools, and images that were made anew.
nothing_left() {
        changes "$ROOT" | diff "$1" - | grep '^>' | grep -v -E \
                '^> (new|changed|gone) (var/lib/rpm/|var/log/|var/cache/|etc/ld\.so\.cache|lib/modules/[^/]*/modules\.|usr/lib/modules/[^/]*/modules\.|boot/initramfs-[^/]*\.img|var/tmp/|tmp/|run/|root/|usr/lib/sysimage|var/lib/dnf/|etc/\.updated|var/\.updated|var/lib/systemd/)' > "$SCRATCH/left" || :
        [ ! -s "$SCRATCH/left" ] || { cat "$SCRATCH/left"; die "removal left something behind"; }
}

# The options of a boot entry of $ROOT as GRUB sees them.
effective_options() { # ENTRY
        local options
        options=$(sed -n 's/^options //p' "$1")
        # shellcheck disable=SC2016
        echo "${options/'$kernelopts'/$(sed -n 's/^kernelopts=//p' "$ROOT/boot/grub2/grubenv")}"
}
