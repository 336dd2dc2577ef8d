#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The main job on the instance's side: dnf over http with all signatures checked, into roots whose scriptlets act as on a machine.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/e2e/root.sh
. "$here/root.sh"
# shellcheck source=tests/e2e/repo.sh
. "$here/repo.sh"

STATE=var/lib/gn8v-tee
MULTI=$(conf multi "$NEW")

sites() {
        mkdir -p "$SITE"
        chmod 755 "$SCRATCH"
        serve "$SITE"
        publish_to "$SITE/all"
        publish_to "$SITE/older" "multi-$OLD" "single-$SINGLE"
        cp -a "$VENDOR/beside" "$SITE/beside"
}
prepare base_root workspace sites

packages() { root_rpm "$ROOT" -qa --qf '%{NAME}-%{VERSION}-%{RELEASE}\n' | sort; }
ours() { packages | grep -E '^(gn8v-tee|nvidia|libnvidia)'; }
# Every pin of a release is installed, at exactly its version, and every file is as packaged.
has_release() { # PROFILE VERSION
        local file kind package version words name
        file=$(conf "$1" "$2")
        root_rpm "$ROOT" -q "gn8v-tee-$1-$2"
        while read -r kind package version; do
                case $kind in
                driver) words="gn8v-tee-driver-${version%%.*} gn8v-tee-kmod-${version%%.*}-dkms" ;;
                cuda | cublas) words=gn8v-tee-$kind-$(echo "$version" | cut -d. -f1,2 | tr . -) ;;
                rpm) words=$package ;;
                *) continue ;;
                esac
                case $kind in cublas) words= ;; esac # named after the toolkit's version: looked for below
                for name in $words; do root_rpm "$ROOT" -q "$name-$version"; done
        done < <(awk -F= '/^\[/ { if (k) print k, p, v; k = ""; p = "-"; v = "-" } /^\[Artifact/ { k = "-" } /^Kind=/ { k = $2 } /^Package=/ { p = $2 } /^Version=/ { v = $2 } END { if (k) print k, p, v }' "$file" | grep -v '^- ')
        if grep -q '^Kind=cublas' "$file"; then root_rpm "$ROOT" -qa 'gn8v-tee-cublas-*' | grep .; fi
        cmp_release "$1" "$2"
        verify_files
}
cmp_release() { cmp "$ROOT/usr/share/gn8v-tee/release.conf" "$VENDOR/releases/$1-$2.conf"; }
# The vendor's own package has its link to another link; ldconfig makes it one to the file as soon as there are two versions at a time.
verify_files() {
        ours | while read -r p; do root_rpm "$ROOT" -V --nodeps "$p" || :; done | grep -v -x '\.\.\.\.L\.\.\.\. */usr/lib64/libnvidia-nscq\.so\.2' > "$SCRATCH/verified" || :
        [ ! -s "$SCRATCH/verified" ] || { cat "$SCRATCH/verified"; die "rpm -V"; }
        [ ! -L "$ROOT/usr/lib64/libnvidia-nscq.so.2" ] || in_root "$ROOT" readlink -e /usr/lib64/libnvidia-nscq.so.2
}
# Every boot entry, however it gets its options, has the argument once and the administrator's own still.
boots_with() { # ARGUMENT
        local entry options
        [ "$(stat -c %s "$ROOT/boot/grub2/grubenv")" = 1024 ] || die "grubenv is not 1024 bytes"
        for entry in "$ROOT"/boot/loader/entries/*.conf; do
                options=$(effective_options "$entry")
                [ "$(tr ' ' '\n' <<< "$options" | grep -c "^${1%%=*}=")" = 1 ] || die "${1%%=*} is not there once: $entry: $options"
                tr ' ' '\n' <<< "$options" | has -xF "$1" || die "no $1: $entry: $options"
                [[ $options == *admin.own=* ]] || die "lost the administrator's argument: $entry"
        done
}
enabled() { in_root "$ROOT" systemctl is-enabled "$1" | has -x enabled || die "$1 is not enabled"; }
nothing_to_do() { expect 0 in_root "$ROOT" gn8v-tee plan; }
built_module() { find "$ROOT/lib/modules/$KERNEL" -name 'nvidia.ko*' | has . || die "no nvidia.ko for $KERNEL"; }

install_multi() {
        local unit module
        a_root multi all with-headers
        expect 0 run_dnf "$ROOT" install gn8v-tee-multi
        ! grep -i -E 'scriptlet failed|error:' "$SCRATCH/output" || die "a scriptlet failed"
        has_release multi "$NEW"
        boots_with "$(argument multi "$NEW")"
        enabled nvidia-persistenced.service
        enabled nvidia-fabricmanager.service
        for unit in $(sed -n 's/^Unit=//p' "$MULTI"); do
                { cat "$ROOT"/{etc,usr/lib}/systemd/system/"$unit".d/*.conf 2>/dev/null || :; } | has '^After=.*nvidia-persistenced.service' || die "$unit is not ordered"
        done
        unit=$(cat "$ROOT"/usr/lib/systemd/system/nvidia-persistenced.service{,.d/*.conf})
        grep -qF -- "$(release_value "$MULTI" Options)" <<< "$unit" || die "persistenced lacks its options"
        grep -qF "TimeoutStartSec=$(release_value "$MULTI" TimeoutStartSec)" <<< "$unit"
        [ "$(stat -c %a "$ROOT/usr/bin/nvidia-modprobe")" = 4755 ]
        [ -e "$ROOT/usr/lib/nvidia/alternate-install-present" ]
        [ ! -e "$ROOT/usr/bin/nvidia-installer" ] || die "the installer was installed"
        grep -rqF "$(release_value "$MULTI" Option)" "$ROOT/etc/modprobe.d" "$ROOT/usr/lib/modprobe.d" || die "no module option"
        built_module
        lsinitrd "$ROOT/boot/initramfs-$KERNEL.img" > "$SCRATCH/initrd"
        for module in $(release_value "$MULTI" Initramfs); do grep -q "/$module\.ko" "$SCRATCH/initrd" || die "no $module in the initramfs"; done
        ! grep -q nouveau.ko "$SCRATCH/initrd" || die "nouveau is in the initramfs"
        [ -d "$ROOT/usr/local/cuda-$(sed -n '/^\[Artifact cuda\]/,/^\[/s/^Version=\([0-9]*\.[0-9]*\).*/\1/p' "$MULTI")/bin" ]
        nothing_to_do
        in_root "$ROOT" gn8v-tee status || :
        refuses in_root "$ROOT" nvidia-smi
        said 'communicate with the NVIDIA driver'
}

apply_again() {
        a_root again all with-headers
        run_dnf "$ROOT" install gn8v-tee-multi
        find "$ROOT/boot" "$ROOT/etc" "$ROOT/$STATE" -type f -print0 | sort -z | xargs -0 sha256sum > "$SCRATCH/once"
        expect 0 in_root "$ROOT" gn8v-tee apply
        find "$ROOT/boot" "$ROOT/etc" "$ROOT/$STATE" -type f -print0 | sort -z | xargs -0 sha256sum > "$SCRATCH/twice"
        diff "$SCRATCH/once" "$SCRATCH/twice"
}

upgrade() {
        rm -rf "${SITE:?}/growing"
        cp -a "$SITE/older" "$SITE/growing"
        a_root upgrade growing with-headers
        expect 0 run_dnf "$ROOT" install gn8v-tee-multi
        has_release multi "$OLD"
        boots_with "$(argument multi "$OLD")"
        ours > "$SCRATCH/old"
        publish_to "$SITE/growing"
        expect 0 run_dnf "$ROOT" --refresh upgrade
        has_release multi "$NEW"
        boots_with "$(argument multi "$NEW")"
        built_module
        nothing_to_do
        ours > "$SCRATCH/new"
        expect 0 run_dnf "$ROOT" --refresh upgrade
        said 'Nothing to do'
        expect 0 run_dnf "$ROOT" downgrade "gn8v-tee-multi-$OLD"
        has_release multi "$OLD"
        ours | diff "$SCRATCH/old" -
        boots_with "$(argument multi "$OLD")"
        expect 0 run_dnf "$ROOT" history undo last
        has_release multi "$NEW"
        ours | diff "$SCRATCH/new" -
        boots_with "$(argument multi "$NEW")"
        nothing_to_do
}

# The libraries that the verifier was linked with here, which Enterprise Linux has, too.
libraries() {
        local tree=$SCRATCH/libraries file provides
        mkdir -p "$tree/usr/lib64"
        ldd "$BUILD/gn8v-tee-attest" | sed -n 's/^.* => \(\/[^ ]*\) .*/\1/p' | while read -r file; do
                if [ ! -e "$ROOT$file" ]; then cp -L "$file" "$tree/usr/lib64/"; fi
        done
        mapfile -t provides < <(grep '64bit' "$CACHE/builder.provides" | sed 's/^/Provides: /')
        rpm_pack "$SCRATCH/libraries-repo" host-libraries 1 1 noarch "$tree" "${provides[@]}"
        createrepo_c --quiet --no-database "$SCRATCH/libraries-repo"
        add_repo libraries "file://$SCRATCH/libraries-repo" no
        run_dnf "$ROOT" install host-libraries
        in_root "$ROOT" ldconfig
}

# The verifier by itself: what it brings, that it believes no look-alike's manifest, and that with it goes everything but what the user wrote.
verifier() {
        local f
        a_root verifier all
        libraries
        changes "$ROOT" > "$SCRATCH/before"
        expect 0 run_dnf "$ROOT" install gn8v-tee-attest
        ! grep -i -E 'scriptlet failed|error:' "$SCRATCH/output" || die "a scriptlet failed"
        root_rpm "$ROOT" -q gn8v-tee-attest gn8v-tee-rims
        root_rpm "$ROOT" -V --nodeps gn8v-tee-attest gn8v-tee-rims
        expect 0 in_root "$ROOT" gn8v-tee-attest --version
        # shellcheck disable=SC2046
        expect 5 in_root "$ROOT" gn8v-tee-attest rim $(cd "$ROOT" && ls usr/share/gn8v-tee/rims/*.xml)
        [ "$(grep -c 'not the root that is believed' "$SCRATCH/output")" -gt 1 ]
        for f in /etc/gn8v-tee /var/cache/gn8v-tee /usr/lib/systemd/system/gn8v-tee-attest.service /usr/share/man/man1/gn8v-tee-attest.1.gz \
                /usr/share/bash-completion/completions/gn8v-tee-attest; do
                root_rpm "$ROOT" -qf "$f" | has '^gn8v-tee-attest-' || die "$f belongs to nobody"
        done
        ! in_root "$ROOT" systemctl is-enabled gn8v-tee-attest.service || die "the gate is enabled, and nobody asked for it"
        # As after some time of use.
        printf '[Attest]\nTimeout=10\n' > "$ROOT/etc/gn8v-tee/attest.conf"
        mkdir -p "$ROOT/var/cache/gn8v-tee/ocsp"
        echo answer > "$ROOT/var/cache/gn8v-tee/ocsp/0.der"
        echo '{}' > "$ROOT/var/lib/gn8v-tee/attestation.json"
        cp "$VENDOR/releases/multi-$NEW.conf" "$ROOT/usr/share/gn8v-tee/release.conf"
        in_root "$ROOT" gn8v-tee-attest gate enable || : # all but the reload, for there is no manager here
        rm "$ROOT/usr/share/gn8v-tee/release.conf"
        expect 0 run_dnf "$ROOT" reinstall gn8v-tee-attest
        for f in etc/gn8v-tee/attest.conf var/cache/gn8v-tee/ocsp/0.der var/lib/gn8v-tee/attestation.json; do [ -s "$ROOT/$f" ] || die "$f has gone"; done
        in_root "$ROOT" systemctl is-enabled gn8v-tee-attest.service
        expect 0 run_dnf "$ROOT" remove gn8v-tee-attest
        ! grep -i -E 'scriptlet failed|error:|warning:' "$SCRATCH/output" || die "a scriptlet failed"
        rm "$ROOT/etc/gn8v-tee/attest.conf" # his own: it stays until he removes it
        nothing_left "$SCRATCH/before"
        for f in var/cache/gn8v-tee usr/share/gn8v-tee var/lib/gn8v-tee etc/systemd/system/gn8v-tee-attest.service.d etc/systemd/system/nvidia-persistenced.service.d; do [ ! -e "$ROOT/$f" ] || die "$f is left"; done
}

remove_all() {
        local profile=$1
        a_root "remove-$profile" all with-headers
        changes "$ROOT" > "$SCRATCH/before"
        run_dnf "$ROOT" install "gn8v-tee-$profile"
        expect 0 run_dnf "$ROOT" remove 'gn8v-tee*' 'nvidia-*' 'libnvidia-*'
        [ -z "$(ours)" ] || die "left: $(ours)"
        nothing_left "$SCRATCH/before"
}

exclusive() {
        a_root exclusive all
        run_dnf "$ROOT" install gn8v-tee-multi
        ours > "$SCRATCH/was"
        refuses run_dnf "$ROOT" install gn8v-tee-single
        said 'conflicts with'
        refuses run_dnf "$ROOT" install gn8v-tee-single gn8v-tee-multi
        ours | diff "$SCRATCH/was" -
}

swap() {
        a_root swap all with-headers
        run_dnf "$ROOT" install gn8v-tee-multi
        expect 0 run_dnf "$ROOT" swap --allowerasing gn8v-tee-multi gn8v-tee-single
        has_release single "$SINGLE"
        boots_with "$(argument single "$SINGLE")"
        enabled nvidia-persistenced.service
        built_module
        nothing_to_do
        ! grep -rqF "$(release_value "$MULTI" Option)" "$ROOT/etc/modprobe.d" "$ROOT/usr/lib/modprobe.d" || die "multi's module option is still there"
        expect 0 run_dnf "$ROOT" swap --allowerasing gn8v-tee-single gn8v-tee-multi
        has_release multi "$NEW"
        boots_with "$(argument multi "$NEW")"
        enabled nvidia-fabricmanager.service
        nothing_to_do
}

beside() {
        a_root beside all
        run_dnf "$ROOT" install gn8v-tee-multi
        ours > "$SCRATCH/was"
        add_repo nvidia "http://127.0.0.1:$PORT/beside" no
        expect 0 run_dnf "$ROOT" --refresh upgrade
        ours | diff "$SCRATCH/was" -
        expect 0 run_dnf "$ROOT" --refresh install gn8v-tee-multi
        ours | diff "$SCRATCH/was" -
        # From nothing, too, the pins win.
        new_root beside2
        published_repo all
        add_repo nvidia "http://127.0.0.1:$PORT/beside" no
        expect 0 run_dnf "$ROOT" install gn8v-tee-multi
        ours | diff "$SCRATCH/was" -
}

no_headers() {
        a_root headers all
        expect 0 run_dnf "$ROOT" install gn8v-tee-multi
        # dnf brought the newest headers, which are of no kernel that is installed.
        root_rpm "$ROOT" -q kernel-devel
        ! find "$ROOT/lib/modules" -name 'nvidia.ko*' | grep . || die "built for which kernel?"
        in_root "$ROOT" gn8v-tee plan > "$SCRATCH/output" 2>&1 || :
        cat "$SCRATCH/output"
        said "kernel-devel-$KERNEL"
        in_root "$ROOT" gn8v-tee status > "$SCRATCH/output" 2>&1 && die "status must not be all right without a module"
        cat "$SCRATCH/output"
        said "kernel-devel-$KERNEL"
        expect 0 run_dnf "$ROOT" install "kernel-devel-$KERNEL"
        built_module
        nothing_to_do
}

image_build() {
        local GN8V_AS=
        a_root image all
        run_dnf "$ROOT" install "kernel-devel-$KERNEL"
        find "$ROOT/boot" -type f -print0 | sort -z | xargs -0 sha256sum > "$SCRATCH/was"
        expect 0 run_dnf "$ROOT" install gn8v-tee-multi
        find "$ROOT/boot" -type f -print0 | sort -z | xargs -0 sha256sum | diff "$SCRATCH/was" -
        [ -e "$ROOT/$STATE/pending" ] || die "nothing is left for the first boot"
        enabled gn8v-tee-apply.service
        verify_files
        GN8V_AS=GN8V_TEE_ENVIRONMENT=machine
        expect 0 in_root "$ROOT" gn8v-tee apply --boot
        boots_with "$(argument multi "$NEW")"
        [ ! -e "$ROOT/$STATE/pending" ] || die "still pending"
        built_module
        nothing_to_do
}

# A tool that fails: the transaction succeeds, it is said and journaled, and the next apply heals it.
failing_tool() {
        local path=$1
        a_root "failing-$(basename "$path")" all with-headers
        mv "$ROOT$path" "$ROOT$path.real"
        printf '#!/bin/sh\necho "%s: made to fail" >&2\nexit 1\n' "$(basename "$path")" > "$ROOT$path"
        chmod 755 "$ROOT$path"
        expect 0 run_dnf "$ROOT" install gn8v-tee-multi
        has_release_without_verify
        expect_trouble
        mv -f "$ROOT$path.real" "$ROOT$path"
        heals
}
has_release_without_verify() { root_rpm "$ROOT" -q "gn8v-tee-multi-$NEW"; }
expect_trouble() {
        local rc=0
        in_root "$ROOT" gn8v-tee plan > "$SCRATCH/output" 2>&1 || rc=$?
        cat "$SCRATCH/output"
        [ $rc != 0 ] || die "plan saw nothing to do after a tool had failed"
}
heals() {
        expect 0 in_root "$ROOT" gn8v-tee apply
        boots_with "$(argument multi "$NEW")"
        enabled nvidia-persistenced.service
        built_module
        nothing_to_do
}

# EL8's grubby without rpm-sort finds no entry and exits 0.
silent_grubby() {
        a_root silent all with-headers
        mv "$ROOT/usr/libexec/grubby/rpm-sort" "$SCRATCH/rpm-sort"
        expect 0 run_dnf "$ROOT" install gn8v-tee-multi
        expect_trouble
        mv "$SCRATCH/rpm-sort" "$ROOT/usr/libexec/grubby/rpm-sort"
        heals
}

larger_kept() {
        local wanted larger
        wanted=$(argument multi "$NEW")
        larger=${wanted%%=*}=$(echo "${wanted#*=}" | awk -F, -v OFS=, '{ $1 *= 2; print }')
        a_root larger all with-headers
        in_root "$ROOT" grubby --update-kernel=ALL --args "$larger"
        (cd "$ROOT/boot" && sha256sum grub2/grubenv loader/entries/*) > "$SCRATCH/was"
        run_dnf "$ROOT" install gn8v-tee-multi
        boots_with "$larger"
        nothing_to_do
        run_dnf "$ROOT" remove gn8v-tee-multi
        (cd "$ROOT/boot" && sha256sum grub2/grubenv loader/entries/*) | diff "$SCRATCH/was" -
}

administrators_edit() {
        a_root edit all with-headers
        run_dnf "$ROOT" install gn8v-tee-multi
        in_root "$ROOT" grubby --update-kernel=ALL --args "added.later=1"
        run_dnf "$ROOT" remove gn8v-tee-multi
        for entry in "$ROOT"/boot/loader/entries/*.conf; do
                [[ " $(effective_options "$entry") " == *' added.later=1 '* ]] || die "lost: $entry"
                [[ " $(effective_options "$entry") " != *" $(argument multi "$NEW") "* ]] || die "still there: $entry"
        done
}

reinstall() {
        a_root reinstall all with-headers
        run_dnf "$ROOT" install gn8v-tee-multi
        expect 0 run_dnf "$ROOT" reinstall 'gn8v-tee*'
        has_release multi "$NEW"
        boots_with "$(argument multi "$NEW")"
        nothing_to_do
}

single_then_nothing_of_multi() {
        a_root single all with-headers
        expect 0 run_dnf "$ROOT" install gn8v-tee-single
        has_release single "$SINGLE"
        boots_with "$(argument single "$SINGLE")"
        enabled nvidia-persistenced.service
        ! root_rpm "$ROOT" -q nvidia-fabric-manager || die "Fabric Manager has no business here"
        built_module
        nothing_to_do
}

scenario "install multi" install_multi
scenario "install single" single_then_nothing_of_multi
scenario "apply twice changes nothing" apply_again
scenario "upgrade, downgrade, history undo" upgrade
scenario "remove multi restores every file" remove_all multi
scenario "remove single restores every file" remove_all single
scenario "the verifier comes with manifests, and goes without a trace" verifier
scenario "single and multi exclude each other" exclusive
scenario "swap multi and single" swap
scenario "reinstall" reinstall
scenario "the vendor's newer packages beside ours" beside
scenario "headers missing, then there" no_headers
scenario "image build, then first boot" image_build
for tool in /usr/sbin/grubby /bin/systemctl /usr/bin/dracut /usr/sbin/dkms; do scenario "failing $(basename $tool)" failing_tool $tool; done
scenario "grubby that silently does nothing" silent_grubby
scenario "a larger argument of the administrator is kept" larger_kept
scenario "an edit after us survives removal" administrators_edit
finish
