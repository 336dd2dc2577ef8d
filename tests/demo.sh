#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: demo.sh [DIST.tar.gz]
# The main job, shown: from vendor files (small look-alikes) to a signed repository to "dnf install" in a scratch root. Needs no network.
# Leaves build/demo/repo and build/demo/root.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
GN8V_DIST=${1:+$(realpath "$1")}
# shellcheck source=tests/e2e/lib.sh
. "$here/e2e/lib.sh"
# shellcheck source=tests/e2e/root.sh
. "$here/e2e/root.sh"
# shellcheck source=tests/e2e/repo.sh
. "$here/e2e/repo.sh"

DEMO=$BUILD/demo
WORKSPACE=$DEMO/workspace
LOG=$LOGS/demo.log
# Every URL answers here; that the next one is taken when one does not is for the tests.
DEAD_FIRST=
started=$SECONDS
bold='' plain=''
if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; fi
say() { printf '\n%s==> %s%s\n' "$bold" "$*" "$plain"; }
# Shows a command as somebody would type it, and runs it.
show() {
        printf '  $ %s\n' "$1"
        shift
        "$@" 2>&1 | sed 's/^/    /'
}
quiet() { "$@" >> "$LOG" 2>&1 || { tail -n 30 "$LOG" >&2; echo "demo.sh: this failed: $* (log: $LOG)" >&2; exit 1; }; }
: > "$LOG"

umount_old() { # of a run that was killed
        local m
        for m in proc sys dev; do if mountpoint -q "$DEMO/root/$m"; then umount "$DEMO/root/$m"; fi; done
}
umount_old
rm -rf --one-file-system "$DEMO"
mkdir -p "$DEMO" "$WORKSPACE"

say "A scratch machine: Debian's systemd, dracut and dkms, EL8's boot entries (once; kept in ${CACHE#"$SOURCE/"})"
quiet base_root
ROOT=$DEMO/root
mkdir "$ROOT"
cp -a --reflink=auto "$CACHE/root/." "$ROOT/"
root_settings "$ROOT"
mount_root "$ROOT"
CLEANUPS+=(umount_old)
add_repo platform "file://$CACHE/platform" no
quiet run_dnf "$ROOT" install "kernel-devel-$KERNEL"

say "Small look-alikes of every vendor file that the release files name, served over http"
quiet vendor_site
quiet dist
quiet repo_key
(cd "$VENDOR/releases" && ls) | sed 's/^/    /'
say "lock: what each release is made of, with every digest, signers checked, and the reference manifests of its driver"
show "gn8v-tee-repo lock" builder lock
say "fetch: the files, by their digests"
show "gn8v-tee-repo fetch" builder fetch
say "build: RPM packages; no vendor installer is run"
show "gn8v-tee-repo build --source ${GN8V_DIST##*/} --key $KEY --baseurl $SITE_URL" builder build --source "$GN8V_DIST" --key "$KEY" --gnupghome "$KEYHOME" --baseurl "$SITE_URL"
quiet builder_provides
say "publish: signed, indexed, proven to install and to upgrade, switched in one step"
# What was built here needs Debian's libraries, which the list for Enterprise Linux 8 does not have.
show "gn8v-tee-repo publish --key $KEY --baseurl $SITE_URL --platform ${CACHE#"$SOURCE/"}/platform.provides --platform ${CACHE#"$SOURCE/"}/builder.provides" publish_to "$DEMO/repo"
say "verify: from the locks to the key's fingerprint, offline"
show "gn8v-tee-repo verify --repo ${DEMO#"$SOURCE/"}/repo --key $KEY" builder verify --repo "$DEMO/repo" --key "$KEY"

say "On the machine: dnf, over http, every signature checked (gpgcheck=1, repo_gpgcheck=1)"
serve "$DEMO"
sed "s,$SITE_URL,http://127.0.0.1:$PORT/repo,g" "$DEMO/repo/gn8v-tee.repo" > "$ROOT.dnf/repos/gn8v-tee.repo"
show "dnf install gn8v-tee-multi" run_dnf "$ROOT" install gn8v-tee-multi
say "What it did, and what is left"
# Not all is well before the reboot, and the exit status says so.
show "gn8v-tee plan" in_root "$ROOT" gn8v-tee plan || :
show "gn8v-tee status" in_root "$ROOT" gn8v-tee status || :
installed=$(root_rpm "$ROOT" -q --qf '%{VERSION}' gn8v-tee-multi)
[ "$installed" = "$NEW" ] || { echo "demo.sh: gn8v-tee-multi $installed is installed, not $NEW" >&2; exit 1; }
boot=$(sed -n 's/^kernelopts=//p' "$ROOT/boot/grub2/grubenv" | tr ' ' '\n' | grep -xF -- "$(argument multi "$NEW")") ||
        { echo "demo.sh: the boot entries lack the kernel argument" >&2; exit 1; }

cat <<TEXT

$bold==> Done in $((SECONDS - started)) seconds$plain
    From $(find "$VENDOR/releases/" -name '*.conf' | wc -l) release files and $(find "$WORKSPACE/store/sha256/" -type f | wc -l) vendor files came a repository of $(find "$DEMO/repo/packages/" -name '*.rpm' | wc -l) signed packages.
    From it, dnf installed gn8v-tee-multi $installed: driver, open kernel modules (built by DKMS for $KERNEL), CUDA, Fabric
    Manager, NSCQ; the services are enabled and ordered, the next boot has $boot.
    On a real instance the next step is a reboot, then: gn8v-tee status

    repository: $DEMO/repo      (key $KEY)
    machine:    $ROOT
TEXT
