#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what building, testing and the demonstration need, from Debian 12; says nothing and does nothing when all is there.
set -euo pipefail
packages=(
        # to build
        gcc make meson ninja-build pkg-config libjansson-dev libsystemd-dev libssl-dev librpm-dev libsolv-dev libsolvext-dev libcreaterepo-c-dev libarchive-dev
        libgpgme-dev libcurl4-openssl-dev libxml2-dev libzstd-dev zlib1g-dev check scdoc
        # to make packages, sign and serve them, and to install them
        rpm gnupg dnf createrepo-c nginx-light makeself xz-utils binutils python3 curl
        # scratch roots
        mmdebstrap tar dracut-core dkms kmod systemd-container file procps util-linux iproute2
        # a virtual machine: its emulator (17 MB to fetch), its initramfs, its disk
        qemu-system-x86 busybox-static e2fsprogs
        # tests
        rpmlint shellcheck strace clang libclang-rt-14-dev time
)
missing=()
for p in "${packages[@]}"; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) in
        installed) ;;
        *) [ "$p" = nginx-light ] && command -v nginx >/dev/null || missing+=("$p") ;;
        esac
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ]; then
        echo "deps.sh: these packages are missing, and only root can install them: apt-get install ${missing[*]}" >&2
        exit 1
fi
export DEBIAN_FRONTEND=noninteractive
echo "Installing ${#missing[@]} Debian packages: ${missing[*]}" >&2
# A list that is current enough saves the update.
apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 && exit 0
apt-get update -qq
apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
