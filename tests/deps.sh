#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what building, testing and the demonstration need, from Debian 12; says nothing and does nothing when all is there.
set -euo pipefail
packages=(
        # to build
        gcc make meson ninja-build pkg-config libjansson-dev libsystemd-dev libssl-dev librpm-dev libsolv-dev libsolvext-dev libcreaterepo-c-dev libarchive-dev
        libgpgme-dev libcurl4-openssl-dev libp11-kit-dev libxml2-dev libzstd-dev zlib1g-dev libyaml-dev check scdoc
        # to make packages, sign and serve them, and to install them
        rpm gnupg softhsm2 opensc dnf zypper createrepo-c python3-createrepo-c python3-solv nginx-light makeself xz-utils binutils python3 curl
        # scratch roots
        mmdebstrap tar dracut-core dkms kmod python3-dbus systemd-container file procps util-linux iproute2
        # a virtual machine: its emulator (17 MB to fetch), its initramfs, its disk
        qemu-system-x86 busybox-static e2fsprogs
        # tests
        rpmlint shellcheck strace dbus clang libclang-rt-14-dev time hyperfine
        ansible-core python3-yaml python3-jsonschema python3-jinja2 python3-configobj python3-jsonpatch
)
missing=()
for p in "${packages[@]}"; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) in
        installed) ;;
        *) [ "$p" = nginx-light ] && command -v nginx >/dev/null || missing+=("$p") ;;
        esac
done
# cloud-init judges user data. Unpacked and not installed: it would set up this machine at its next boot. Without it a test is skipped.
cloud_init() {
        local dir
        dir=$(dirname "$0")/..
        dir=$(realpath -m "${GN8V_BUILD:-$dir/build}")/cache/cloud-init
        if [ -d "$dir" ] || command -v cloud-init >/dev/null; then return 0; fi
        rm -rf "$dir.new"
        mkdir -p "$dir.new"
        if (cd "$dir.new" && apt-get -o APT::Sandbox::User=root download -qq cloud-init && dpkg-deb -x cloud-init_*.deb . && rm cloud-init_*.deb) >/dev/null 2>&1; then
                mv "$dir.new" "$dir"
        fi
}
# The needs-restarting plugin of dnf. Unpacked and not installed: its package and zypper exclude each other here.
dnf_plugins() {
        local dir
        dir=$(dirname "$0")/..
        dir=$(realpath -m "${GN8V_BUILD:-$dir/build}")/cache/dnf-plugins
        [ ! -d "$dir" ] || return 0
        rm -rf "$dir.new"
        mkdir -p "$dir.new"
        if (cd "$dir.new" && apt-get -o APT::Sandbox::User=root download -qq dnf-plugins-core && dpkg-deb -x dnf-plugins-core_*.deb . && rm ./*.deb) >/dev/null 2>&1; then
                mv "$dir.new" "$dir"
        fi
}
[ ${#missing[@]} -gt 0 ] || { cloud_init; dnf_plugins; exit 0; }
if [ "$(id -u)" != 0 ]; then
        echo "deps.sh: these packages are missing, and only root can install them: apt-get install ${missing[*]}" >&2
        exit 1
fi
export DEBIAN_FRONTEND=noninteractive
echo "Installing ${#missing[@]} Debian packages: ${missing[*]}" >&2
# A list that is current enough saves the update.
apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 && { cloud_init; dnf_plugins; exit 0; }
apt-get update -qq
apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
cloud_init
dnf_plugins
